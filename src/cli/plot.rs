//! `anomstack plot`: a metric, or all of a batch, as SVG or PNG.

use std::{fs, io::Write as _, path::PathBuf};

use anyhow::{Context, bail};
use clap::Args;

use crate::{
    catalog::metrics,
    chart::{self, Picture, Size, Svg, Window},
    config::did_you_mean,
    domain::{BatchSpec, MetricName, Span, Timestamp},
    jobs,
};

use super::{
    Global, Outcome,
    show::{missing, open_quietly},
};

/// Charts in a row when a whole batch is drawn.
const COLUMNS: usize = 3;

/// What `plot` takes.
#[derive(Debug, Args)]
pub(super) struct Plot {
    /// The batch
    batch: String,
    /// Only this metric; all of the batch without it
    metric: Option<String>,
    /// So long until now, or until the newest point where that is longer ago
    #[arg(long, value_name = "DURATION", default_value = "7d", conflicts_with_all = ["from", "to"])]
    last: Span,
    /// The first instant (RFC 3339)
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
    /// The first instant no longer wanted (RFC 3339); now without it
    #[arg(long, value_name = "TIME", requires = "from")]
    to: Option<Timestamp>,
    /// A file to write, .png or .svg; `-` is SVG on standard output
    #[arg(long, value_name = "FILE", default_value = "-")]
    out: PathBuf,
    /// Of one chart, in pixels
    #[arg(long, value_name = "PIXELS", default_value_t = Size::MESSAGE.width)]
    width: f64,
    /// Of one chart, in pixels
    #[arg(long, value_name = "PIXELS", default_value_t = Size::MESSAGE.height)]
    height: f64,
    /// Dots a pixel in a PNG
    #[arg(long, default_value_t = Size::SCALE)]
    scale: f64,
}

/// Draws what is stored.
pub(super) async fn plot(global: &Global, command: Plot) -> anyhow::Result<Outcome> {
    let size = command.size()?;
    let (opened, now) = match open_quietly(global).await? {
        Ok(opened) => opened,
        Err(outcome) => return Ok(outcome),
    };
    let batches = &opened.project.batches;
    let Some(batch) = batches.iter().find(|batch| batch.name.as_str() == command.batch) else {
        let known = batches.iter().map(|batch| batch.name.as_str());
        return unknown(&format!("no batch `{}`", command.batch), &command.batch, known);
    };
    let mut reader = opened.ctx.catalog.reader().await?;
    let rows = metrics::list(&mut reader, &batch.name).await?;
    drop(reader);
    let wanted = |row: &&metrics::MetricRow| {
        command.metric.as_ref().is_none_or(|name| name == row.metric.as_str())
    };
    let newest = rows.iter().filter(wanted).map(|row| row.newest_at).max();
    if let (None, Some(name)) = (newest, &command.metric) {
        let known = rows.iter().map(|row| row.metric.as_str());
        return unknown(&format!("batch `{}` has no metric `{name}`", batch.name), name, known);
    }
    let metric = command.metric.as_deref().map(MetricName::parse).transpose()?;
    let window = command.window(now, newest)?;
    let mut pictures = jobs::pictures(&opened.ctx, batch, metric.as_ref(), window).await?;
    for picture in &mut pictures {
        picture.window = window.fitted(picture.values.first().map(|(at, _)| *at));
    }
    let Some(svg) = drawn(batch, pictures, metric.is_some(), size) else {
        return missing(&format!(
            "batch `{}` has no points there from {} to {}",
            batch.name, window.from, window.to
        ));
    };
    command.write(&svg)
}

fn drawn(batch: &BatchSpec, all: Vec<Picture>, is_alone: bool, size: Size) -> Option<Svg> {
    let first = all.first()?;
    Some(match is_alone {
        true => chart::alert_chart(first, size),
        false => chart::multiples(batch.name.as_str(), &all, COLUMNS, size),
    })
}

fn unknown<'a>(
    what: &str,
    written: &str,
    known: impl Iterator<Item = &'a str>,
) -> anyhow::Result<Outcome> {
    let hint = did_you_mean(written, known).map(|hint| format!("; {hint}"));
    missing(&format!("{what}{}", hint.unwrap_or_default()))
}

impl Plot {
    fn size(&self) -> anyhow::Result<Size> {
        let sizes = [
            ("width", self.width, Size::WIDTHS),
            ("height", self.height, Size::HEIGHTS),
            ("scale", self.scale, Size::SCALES),
        ];
        for (name, given, (least, most)) in sizes {
            if !(least..=most).contains(&given) {
                bail!("--{name} takes a number from {least} to {most}");
            }
        }
        Ok(Size { width: self.width, height: self.height })
    }

    fn window(&self, now: Timestamp, newest: Option<Timestamp>) -> anyhow::Result<Window> {
        let Some(from) = self.from else {
            if self.last <= Span::from_micros(0) {
                bail!("--last takes a time that is longer than none");
            }
            return Ok(Window::ending(self.last, now, newest));
        };
        let to = self.to.unwrap_or(now);
        if to <= from {
            bail!("--from must be before --to");
        }
        Ok(Window { from, to })
    }

    fn write(&self, svg: &Svg) -> anyhow::Result<Outcome> {
        let path = &self.out;
        if path.as_os_str() == "-" {
            std::io::stdout().lock().write_all(svg.text.as_bytes())?;
            return Ok(Outcome::Done);
        }
        let bytes = match path.extension().and_then(|extension| extension.to_str()) {
            Some("svg") => svg.text.clone().into_bytes(),
            Some("png") => chart::png(svg, self.scale)?,
            _ => bail!("{} ends neither in .png nor in .svg", path.display()),
        };
        fs::write(path, &bytes).with_context(|| format!("write {}", path.display()))?;
        eprintln!("wrote {} bytes to {}", bytes.len(), path.display());
        Ok(Outcome::Done)
    }
}
