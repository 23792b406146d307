//! What came of a backtest, as a table, as JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::domain::{Alert, BatchName, MetricName, ScorePoint, Span, Timestamp, words};

use super::{
    super::{Global, Outcome, listing},
    rehearsal::Work,
};

/// What came of it.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) batch: BatchName,
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
    pub(super) runs: u64,
    pub(super) models_trained: u64,
    pub(super) points_scored: u64,
    pub(super) n_alerts: usize,
    pub(super) alerts_per_week: f64,
    pub(super) metrics: Vec<Row>,
    pub(super) weeks: Vec<Week>,
    pub(super) alerts: Vec<Alert>,
}

#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) metric: MetricName,
    pub(super) alerts: usize,
    pub(super) per_week: f64,
    pub(super) scores: usize,
    pub(super) highest: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct Week {
    pub(super) from: Timestamp,
    pub(super) alerts: usize,
}

impl Report {
    /// Counts the alerts of a stretch by metric and week.
    pub(super) fn of(
        (batch, from, to): (&BatchName, Timestamp, Timestamp),
        work: &Work,
        found: Vec<Alert>,
        scores: &BTreeMap<MetricName, Vec<ScorePoint>>,
    ) -> Self {
        let week = Span::days(7);
        let n_weeks = (to - from).as_secs_f64() / week.as_secs_f64();
        let of = |metric: &MetricName| found.iter().filter(|one| one.metric == *metric).count();
        let row = |(metric, points): (&MetricName, &Vec<ScorePoint>)| Row {
            metric: metric.clone(),
            alerts: of(metric),
            per_week: of(metric) as f64 / n_weeks,
            scores: points.len(),
            highest: points.iter().map(|point| point.score).fold(0.0, f64::max),
        };
        let mut weeks = Vec::new();
        let mut start = from;
        while start < to {
            let is_within = |alert: &&Alert| start <= alert.at && alert.at < start + week;
            weeks.push(Week { from: start, alerts: found.iter().filter(is_within).count() });
            start = start + week;
        }
        Self {
            batch: batch.clone(),
            from,
            to,
            runs: work.runs,
            models_trained: work.models_trained,
            points_scored: work.points_scored,
            n_alerts: found.len(),
            alerts_per_week: found.len() as f64 / n_weeks,
            metrics: scores.iter().map(row).collect(),
            weeks,
            alerts: found,
        }
    }

    pub(super) fn print(&self, global: &Global, with_alerts: bool) -> anyhow::Result<Outcome> {
        if global.json {
            return listing::print_one(global, self, &[]);
        }
        println!(
            "{} runs, {} models, {} scores: {} alerts from {} to {}, {:.2} a week\n",
            words::count(self.runs),
            words::count(self.models_trained),
            words::count(self.points_scored),
            words::count(self.n_alerts as u64),
            self.from,
            self.to,
            self.alerts_per_week,
        );
        let rows = self.metrics.iter().map(|row| {
            vec![
                row.metric.to_string(),
                row.alerts.to_string(),
                format!("{:.2}", row.per_week),
                row.scores.to_string(),
                format!("{:.3}", row.highest),
            ]
        });
        let header = ["METRIC", "ALERTS", "A WEEK", "SCORES", "HIGHEST"];
        println!("{}\n", listing::table(&header, rows.collect()));
        let rows = self.weeks.iter().map(|week| {
            let bar = "\u{2588}".repeat(week.alerts.min(60));
            vec![week.from.to_string(), week.alerts.to_string(), bar]
        });
        println!("{}", listing::table(&["WEEK FROM", "ALERTS", ""], rows.collect()));
        if with_alerts {
            let rows = self.alerts.iter().map(|alert| {
                let score = listing::or_dash(alert.score, |score| format!("{score:.3}"));
                vec![alert.at.to_string(), alert.metric.to_string(), score, alert.reason.clone()]
            });
            println!("\n{}", listing::table(&["WHEN", "METRIC", "SCORE", "WHAT"], rows.collect()));
        }
        Ok(Outcome::Done)
    }
}
