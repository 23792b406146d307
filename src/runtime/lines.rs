//! What is kept in a run's log: that it began, what it did, what was passed over, why it failed.

use crate::{
    catalog::{
        CatalogError, Connection,
        run_log::{self, LogLevel, LogLine},
        runs::Claim,
    },
    domain::{RunId, RunReport, Skipped, Timestamp},
};

/// Metrics passed over are named one by one up to this many.
const MAX_NAMED: usize = 10;

/// A line before it has a time.
pub type Line = (LogLevel, String);

/// That an attempt begins.
pub fn begun(claim: &Claim, worker: &str) -> Vec<Line> {
    let Claim { job, slot, attempt, .. } = claim;
    vec![(LogLevel::Info, format!("attempt {attempt} of {job} for {slot} begins, by {worker}"))]
}

/// What a run did.
pub fn of_report(report: &RunReport) -> Vec<Line> {
    let mut lines = vec![(LogLevel::Info, report.summary())];
    match report {
        RunReport::Ingest(report) => {
            for (reason, n_rows) in &report.rejected {
                let reason = reason.as_str().replace('_', " ");
                lines.push((LogLevel::Warn, format!("{n_rows} rows rejected: {reason}")));
            }
            let examples = report.rejected_examples.iter();
            lines.extend(examples.map(|row| (LogLevel::Warn, format!("rejected: {row}"))));
            if !report.ignored_columns.is_empty() {
                let columns = report.ignored_columns.join(", ");
                lines.push((LogLevel::Warn, format!("columns not understood: {columns}")));
            }
            let notes = report.notes.iter();
            lines.extend(notes.map(|note| (LogLevel::Info, format!("the source said: {note}"))));
        }
        RunReport::Train(report) => {
            for (why, n_metrics) in &report.left_out {
                lines.push((LogLevel::Warn, format!("{n_metrics} metrics without {why}")));
            }
            lines.extend(passed_over(&report.skipped));
        }
        RunReport::Score(report) => {
            for (reason, n_points) in &report.unscored {
                lines
                    .push((LogLevel::Info, format!("{n_points} points without a score: {reason}")));
            }
            for metric in &report.fallbacks {
                let line = format!("`{metric}` was scored by an older model, its own is damaged");
                lines.push((LogLevel::Warn, line));
            }
            lines.extend(passed_over(&report.skipped));
        }
        RunReport::Alert(report) => {
            for (reason, n_points) in &report.suppressed {
                lines.push((LogLevel::Info, format!("{n_points} points raised nothing: {reason}")));
            }
        }
        RunReport::Change(report) => {
            for (reason, n_metrics) in &report.suppressed {
                let line = format!("{n_metrics} levels moved and raised nothing: {reason}");
                lines.push((LogLevel::Info, line));
            }
        }
    }
    lines
}

/// Why an attempt failed, and what follows.
pub fn failed(error_chain: &str, retry_at: Option<Timestamp>) -> Vec<Line> {
    let next = match retry_at {
        Some(at) => (LogLevel::Info, format!("it is tried again at {at}")),
        None => (LogLevel::Error, "it is given up".to_owned()),
    };
    vec![(LogLevel::Error, error_chain.to_owned()), next]
}

/// Adds lines to a run's log.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn add(
    conn: &mut Connection,
    run: RunId,
    now: Timestamp,
    lines: Vec<Line>,
) -> Result<(), CatalogError> {
    for (level, message) in lines {
        run_log::add(conn, run, &LogLine { at: now, level, message }).await?;
    }
    Ok(())
}

fn passed_over(skipped: &[Skipped]) -> impl Iterator<Item = Line> + '_ {
    let named = skipped.iter().take(MAX_NAMED).map(|skipped| {
        (LogLevel::Info, format!("`{}` was passed over: {}", skipped.metric, skipped.reason))
    });
    let n_more = skipped.len().saturating_sub(MAX_NAMED);
    let more = (0 < n_more).then(|| (LogLevel::Info, format!("{n_more} more were passed over")));
    named.chain(more)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{IngestReport, MetricName, NoScore, RejectReason, TrainReport};

    #[test]
    fn rejected_rows_are_counted_by_reason_and_shown_by_example() {
        let report = RunReport::Ingest(IngestReport {
            rows_read: 3,
            rejected: [(RejectReason::NotANumber, 2)].into(),
            rejected_examples: vec!["row 2: value is empty".into()],
            notes: vec!["2 tables are slow".into()],
            ..IngestReport::default()
        });
        let expected = [
            (LogLevel::Info, "3 rows read, 0 stored, 2 rejected"),
            (LogLevel::Warn, "2 rows rejected: not a number"),
            (LogLevel::Warn, "rejected: row 2: value is empty"),
            (LogLevel::Info, "the source said: 2 tables are slow"),
        ];
        assert_eq!(of_report(&report), expected.map(|(level, text)| (level, text.to_owned())));
    }

    #[test]
    fn many_metrics_passed_over_are_counted_after_the_first() {
        let one = |n: usize| Skipped {
            metric: MetricName::parse(&format!("m{n}")).unwrap(),
            reason: NoScore::TooFewPoints { need: 30, have: n },
        };
        let report = TrainReport { skipped: (0..12).map(one).collect(), ..TrainReport::default() };
        let lines = of_report(&RunReport::Train(report));
        assert_eq!(lines.len(), 12);
        assert!(lines[1].1.starts_with("`m0` was passed over: "), "{lines:?}");
        assert_eq!(lines[11].1, "2 more were passed over");
    }
}
