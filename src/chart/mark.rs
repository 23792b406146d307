//! Alerts on a chart: which are shown, and the stretches they cover.

use crate::domain::{Severity, Timestamp};

use super::Window;

/// More marks than this hide the line they mark.
const MAX_MARKS: usize = 200;
/// A shorter stretch, as a share of the window, could not be seen.
const MIN_STRETCH: f64 = 0.002;

/// An alert on the chart.
#[derive(Debug, Clone)]
pub(crate) struct Mark {
    pub(crate) at: Timestamp,
    pub(crate) since: Timestamp,
    /// The end of what it covers; not before `at`.
    pub(crate) until: Timestamp,
    /// Where on the value axis; `None` puts it on the floor.
    pub(crate) value: Option<f64>,
    pub(crate) severity: Severity,
    /// Where a press on it leads; empty leads nowhere.
    pub(crate) href: String,
    /// Shown when the pointer rests on it.
    pub(crate) title: String,
}

/// The newest marks in the window: more would hide the line.
pub(super) fn shown<'a>(marks: &'a [Mark], window: &Window) -> Vec<&'a Mark> {
    let mut inside: Vec<&Mark> = marks.iter().filter(|mark| window.holds(mark.at)).collect();
    inside.split_off(inside.len().saturating_sub(MAX_MARKS))
}

/// The stretches that alerts cover as shares of the window, each instant once: start and end,
/// both in [0, 1].
pub(super) fn stretches(marks: &[Mark], window: &Window) -> Vec<(f64, f64)> {
    let mut stretches: Vec<(f64, f64)> = Vec::new();
    for mark in shown(marks, window) {
        let end = window.share(mark.until.max(mark.at)).clamp(0.0, 1.0);
        let start = window.share(mark.since).clamp(0.0, end).min(end - MIN_STRETCH).max(0.0);
        match stretches.last_mut().filter(|last| start <= last.1) {
            Some(last) => *last = (last.0.min(start), last.1.max(end)),
            None => stretches.push((start, end)),
        }
    }
    stretches
}
