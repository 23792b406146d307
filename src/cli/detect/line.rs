//! The score at which a row is an alert: fixed, or what a budget of alerts comes to by the scores
//! so far.

use crate::{
    alerting::{self, Scored},
    domain::{AlertSpec, Budget, Calibration, ModelVersion, Snooze, Span, Timestamp},
};

/// Newest scores a budget is taken from.
const MOST_SCORES: usize = 20_000;
/// Rows before the budget is looked at for the first time, and again when so many more have come as
/// there are by a tenth.
const FIRST: usize = 200;
/// Alerts closer than this are one, for the budget.
const SILENCE: Span = Span::hours(6);

/// The alert line of a walk.
#[derive(Debug)]
pub(in crate::cli) struct Line {
    spec: AlertSpec,
    budget: Option<Budget>,
    past: Vec<Scored>,
    /// Scores here are of no stored model.
    model: ModelVersion,
    n_scores: usize,
    next: usize,
    calibration: Option<Calibration>,
}

impl Line {
    pub(in crate::cli) fn new(threshold: f64, budget: Option<Budget>) -> Self {
        let snooze = Snooze::Time(SILENCE);
        let spec = AlertSpec { budget, snooze, ..AlertSpec::at(threshold) };
        Self {
            spec,
            budget,
            past: Vec::new(),
            model: ModelVersion::at(Timestamp::MIN),
            n_scores: 0,
            next: FIRST,
            calibration: None,
        }
    }

    /// The line for the next row.
    pub(in crate::cli) fn threshold(&self) -> f64 {
        self.calibration.as_ref().map_or(self.spec.threshold, |found| found.threshold)
    }

    /// Remembers a row's score.
    pub(in crate::cli) fn learn(&mut self, at: Timestamp, value: f64, score: f64) {
        let Some(budget) = self.budget else { return };
        // A time that is not later would be no time between alerts.
        if self.past.last().is_some_and(|last| at <= last.at) {
            return;
        }
        let model = self.model.clone();
        self.past.push(Scored { at, value, score, band: None, aspect: None, model });
        self.n_scores += 1;
        if self.n_scores < self.next {
            return;
        }
        let n_old = self.past.len().saturating_sub(MOST_SCORES);
        self.past.drain(..n_old);
        self.next = self.n_scores + (self.n_scores / 10).clamp(FIRST / 2, MOST_SCORES / 10);
        self.calibration = Some(alerting::calibrate(&self.past, &self.spec, budget));
    }

    /// What the budget came to, in words.
    pub(in crate::cli) fn said(&self) -> String {
        let Some(found) = &self.calibration else {
            return format!(
                "too few scores for a budget; the threshold was {}",
                self.spec.threshold
            );
        };
        let Calibration { budget, threshold, n_scores, days, n_alerts, doubt } = found;
        let doubt = doubt.map(|doubt| format!("; {doubt}")).unwrap_or_default();
        format!(
            "a budget of {budget} is a threshold of {threshold:.4} in the end, by {n_scores} \
             scores of {days:.1} days with {n_alerts} alerts over it{doubt}"
        )
    }
}
