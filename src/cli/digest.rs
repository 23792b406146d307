//! `anomstack digest`: what happened of late, over all batches.

use clap::Args;

use crate::{domain::Span, jobs};

use super::{Global, Outcome, run, show::open_quietly};

/// What `digest` takes.
#[derive(Debug, Args)]
pub(super) struct Digest {
    /// How far back
    #[arg(long, value_name = "DURATION", default_value = "1d", value_parser = span)]
    last: Span,
    /// Send it to the channels of [digest] as well
    #[arg(long)]
    send: bool,
}

fn span(text: &str) -> Result<Span, String> {
    let span = Span::parse(text).map_err(|error| error.to_string())?;
    if Span::ZERO < span { Ok(span) } else { Err("must be longer than nothing".into()) }
}

/// Prints it, and sends it if asked.
pub(super) async fn digest(global: &Global, command: Digest) -> anyhow::Result<Outcome> {
    let (opened, _) = match open_quietly(global).await? {
        Ok(opened) => opened,
        Err(outcome) => return Ok(outcome),
    };
    let project = &opened.project;
    let now = (opened.ctx.clock)();
    let from = now - command.last;
    let mut reader = opened.ctx.catalog.reader().await?;
    let zone = project.system.digest.as_ref().map_or(chrono_tz::UTC, |spec| spec.timezone);
    let found = jobs::digest(&mut reader, &project.batches, zone, (from, now)).await?;
    drop(reader);
    println!("{}\n\n{}", found.title(), found.text());
    if !command.send {
        return Ok(Outcome::Done);
    }
    let Some(spec) = &project.system.digest else {
        eprintln!("error: there is no [digest] in config/anomstack.toml that names channels");
        return Ok(Outcome::NotStarted);
    };
    jobs::send_digest(&opened.ctx, &project.batches, spec, (from, now)).await?;
    run::deliver(&opened, now).await?;
    Ok(Outcome::Done)
}
