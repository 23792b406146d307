//! The emission rule: an alarm says something once, and again only when it gets worse.

use std::collections::VecDeque;

/// Lets a signal through that exceeds everything of the last rows.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Emission {
    /// Rows that are looked back on.
    width: u64,
    row: u64,
    /// Rows and signals, descending; each is the largest since the one before it.
    peaks: VecDeque<(u64, f64)>,
}

impl Emission {
    pub(super) const fn new(width: u64) -> Self {
        Self { width, row: 0, peaks: VecDeque::new() }
    }

    /// The signal, or 0 when one of the last rows had as much.
    pub(super) fn emit(&mut self, signal: f64) -> f64 {
        while self.peaks.front().is_some_and(|(row, _)| row + self.width < self.row) {
            self.peaks.pop_front();
        }
        let peak = self.peaks.front().map_or(0.0, |(_, peak)| *peak);
        while self.peaks.back().is_some_and(|(_, peak)| *peak <= signal) {
            self.peaks.pop_back();
        }
        self.peaks.push_back((self.row, signal));
        self.row += 1;
        if peak < signal { signal } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_escalations_get_through_until_the_peak_is_old() {
        let mut emission = Emission::new(3);
        let signals = [1.0, 1.0, 0.5, 2.0, 1.5, 0.0, 1.6, 1.4, 1.7];
        let emitted = signals.map(|signal| emission.emit(signal));
        assert_eq!(emitted, [1.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 0.0, 1.7]);
    }
}
