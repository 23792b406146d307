//! What is told of an alert beside the alert itself, from the stored history: how unusual the value
//! is, which metrics moved with it, and the metric around it as a chart.

use crate::{
    alerting::{HORIZON, Rarity, Related, rarity, related, slack},
    catalog::alerts::AlertRow,
    chart::{self, Picture, Size, Window},
    compute::{Compute, ComputeError},
    domain::{BatchSpec, Span, Timestamp},
    notify::Chart,
    series::Range,
};

use super::{
    Archive, JobError,
    picture::{self, Drawing},
    window::{points_between, scores_between},
};

/// What is told of an alert beside the alert itself.
#[derive(Debug)]
pub struct AlertContext {
    /// How unusual the value is; `None` where there is no value.
    pub rarity: Option<Rarity>,
    /// Metrics that moved with it, the clearest first.
    pub related: Vec<Related>,
    /// Nothing where no point is stored around the alert.
    picture: Option<Picture>,
}

/// Reads the last 90 days of the metric, its scores around the alert, and those of the whole batch
/// during it, as of `now`.
///
/// # Errors
/// [`JobError::Catalog`] and [`JobError::Series`] when the history cannot be read.
pub async fn about(
    archive: Archive<'_>,
    now: Timestamp,
    batch: &BatchSpec,
    row: &AlertRow,
) -> Result<AlertContext, JobError> {
    let alert = &row.alert;
    let until = row.episode.until.max(alert.at);
    let now = now.max(until + Span::from_micros(1));
    let range = Range {
        metric: Some(alert.metric.clone()),
        ..Range::between(alert.at - HORIZON, now.min(until + chart::AROUND))
    };
    let points = points_between(archive, &alert.batch, range).await?;
    let values: Vec<(Timestamp, f64)> =
        points.into_iter().flat_map(|series| series.at.into_iter().zip(series.value)).collect();
    let rank = |value| rarity(&values, (alert.at, alert.since), value, batch.timezone);
    let rarity = alert.value.map(rank);
    let spacing = chart::spacing(&values);
    let slack = slack(spacing);
    let window = Window::around((alert.since, until), spacing, now);
    let during = Range::between(alert.since - slack, until + slack + Span::from_micros(1));
    let scores = scores_between(archive, &alert.batch, during).await?;
    let related = related(&alert.metric, &scores, (alert.since, until), slack);
    let range =
        Range { metric: Some(alert.metric.clone()), ..Range::between(window.from, window.to) };
    let mut own = scores_between(archive, &alert.batch, range).await?;
    let scores = own.remove(&alert.metric).unwrap_or_default();
    let mut values = values;
    values.retain(|(at, _)| window.holds(*at));
    let drawing = Drawing {
        caption: alert.reason.clone(),
        window,
        values,
        scores,
        // Of an alert without a score it is a limit of the values.
        threshold: alert.threshold.filter(|_| alert.score.is_some()),
        marks: vec![picture::mark(row)],
    };
    let picture = (!drawing.values.is_empty()).then(|| drawing.of(batch, &alert.metric));
    Ok(AlertContext { rarity, related, picture })
}

impl AlertContext {
    /// Whether there is anything to draw around the alert.
    pub const fn is_drawn(&self) -> bool {
        self.picture.is_some()
    }

    /// The metric around the alert as PNG and SVG; `None` where there is nothing to draw. Takes
    /// some milliseconds of a computing thread.
    ///
    /// # Errors
    /// [`ComputeError`] when drawing panics.
    pub async fn chart(self, compute: &Compute) -> Result<Option<Chart>, ComputeError> {
        match self.picture {
            Some(picture) => drawn(compute, picture).await,
            None => Ok(None),
        }
    }
}

/// A picture as a message carries it; `None` when it cannot be drawn, which is logged.
pub(super) async fn drawn(
    compute: &Compute,
    picture: Picture,
) -> Result<Option<Chart>, ComputeError> {
    let draw = move || {
        let svg = chart::alert_chart(&picture, Size::MESSAGE);
        let png = chart::png(&svg, Size::SCALE);
        let png = png.inspect_err(|error| tracing::error!("a chart is missing: {error}"));
        let alt = format!("{}: {}", picture.title, picture.caption);
        png.ok().map(|png| Chart { png, svg: svg.text, alt })
    };
    compute.run(draw).await
}
