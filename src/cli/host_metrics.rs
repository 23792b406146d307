//! `anomstack host-metrics`: this machine's figures as CSV, for a `command` source.

use std::{io::Write, path::Path, time::Duration};

use clap::Args;

use crate::{domain::Span, runtime::clock, sources::host};

use super::Outcome;

/// What `host-metrics` takes.
#[derive(Debug, Args)]
pub(super) struct HostMetrics {
    /// How long rates are measured
    #[arg(long, value_name = "DURATION", default_value = "500ms")]
    over: Span,
}

/// Takes two readings and prints what changed between them.
pub(super) fn print(command: &HostMetrics) -> anyhow::Result<Outcome> {
    let proc = Path::new("/proc");
    let before = clock::now();
    let first = host::Reading::take(proc)?;
    std::thread::sleep(command.over.to_std().max(Duration::from_millis(10)));
    let second = host::Reading::take(proc)?;
    let now = clock::now();
    let mut out = std::io::stdout().lock();
    writeln!(out, "timestamp,metric,value")?;
    for (metric, value) in host::rows(&first, &second, (now - before).to_std()) {
        writeln!(out, "{now},{metric},{value}")?;
    }
    Ok(Outcome::Done)
}
