//! Five ways to look at the residuals: single values, the level over two windows, the jump from
//! the rows just before, and activity. Each has its own alert line, for ups and downs apart,
//! learnt from how far it usually goes in a day.
//!
//! The line of a view extrapolates its daily maxima (a Gumbel law through their median and upper
//! quantile) to once in [`RETURN_DAYS`] days. Quantiles of daily maxima allow for dependence
//! between rows, for heavy tails and for a minority of days with incidents.

use std::collections::VecDeque;

use super::robust;
use crate::domain::Timestamp;

/// A view alone should raise a false alert once in so many days.
const RETURN_DAYS: f64 = 5_000.0;
/// The upper quantile of the daily maxima; so many days may be incidents.
const UPPER: f64 = 0.85;
/// Residuals beyond so many scales count as so many in means: one spike is not a new level.
const CLAMP: f64 = 6.0;
/// Parts of a scale that sums are counted in.
const PARTS: f64 = (1_u64 << 44) as f64;
/// A mean over hours counts while the newest rows reach this share of it.
const LASTS: f64 = 0.6;
/// A jump is counted from the median of so many rows before; so many cadences back they are
/// forgotten.
const BEFORE: usize = 5;
const FORGOTTEN: f64 = 12.0;

/// Value, short level, long level and jump, each up and then down, and activity.
pub(super) const N_VIEWS: usize = 9;
/// Least alert line of each view, in scales.
const FLOOR: [f64; N_VIEWS] = [4.0, 4.0, 1.2, 1.2, 0.8, 0.8, 0.3, 0.3, 1.5];

/// Window lengths in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Windows {
    pub(super) short: f64,
    pub(super) long: f64,
    pub(super) activity: f64,
}

impl Windows {
    /// For a series of such cadence and span: hours where there are days of them, less in short
    /// histories, and always a few rows.
    pub(super) fn of(cadence: f64, span: f64) -> Self {
        let hours = |hours: f64, share: f64, n_rows: f64| {
            (hours * 3600.0).min(span / share).max((n_rows - 0.5) * cadence)
        };
        Self {
            short: hours(6.0, 24.0, 3.0),
            long: hours(24.0, 12.0, 7.0),
            activity: hours(12.0, 16.0, 5.0),
        }
    }
}

/// What is looked at of a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) at: Timestamp,
    /// The residual in scales.
    pub(super) z: f64,
    /// The value without its season; the level, which moves in steps, is still in it.
    pub(super) seasonless: f64,
    /// One scale, in the value's unit.
    pub(super) scale: f64,
}

/// A row that later ones look back on.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Past {
    at: Timestamp,
    seasonless: f64,
    /// Sums of the limited residuals, and of their sizes, of all rows up to this one, in `PARTS`:
    /// whole numbers, so that a mean is the same wherever the walk began. They wrap around;
    /// differences over a window do not.
    signed: i64,
    size: i64,
}

/// The rows that the views of the next one reach back to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Views {
    windows: Windows,
    /// The usual distance of two rows in seconds.
    cadence: f64,
    rows: VecDeque<Past>,
    /// Rows that were dropped from the front, and the sums up to them.
    n_dropped: usize,
    dropped: (i64, i64),
    /// The first row, counted from the very first, inside each window.
    firsts: [usize; 3],
}

impl Views {
    pub(super) fn new(windows: Windows, cadence: f64) -> Self {
        let rows = VecDeque::new();
        Self { windows, cadence, rows, n_dropped: 0, dropped: (0, 0), firsts: [0; 3] }
    }

    /// The views of the next row, which is not before the last one.
    pub(super) fn look(&mut self, row: Row) -> [f64; N_VIEWS] {
        let jump = self.jump(row);
        let (signed, size) = self.rows.back().map_or(self.dropped, |row| (row.signed, row.size));
        let z = (row.z.clamp(-CLAMP, CLAMP) * PARTS).round() as i64;
        let (signed, size) = (signed.wrapping_add(z), size.wrapping_add(z.abs()));
        self.rows.push_back(Past { at: row.at, seasonless: row.seasonless, signed, size });
        let last = self.n_dropped + self.rows.len() - 1;
        let lengths = [self.windows.short, self.windows.long, self.windows.activity];
        let [short, long, activity] = [0, 1, 2].map(|window| {
            let mut first = self.firsts[window];
            while lengths[window] <= (row.at - self.rows[first - self.n_dropped].at).as_secs_f64() {
                first += 1;
            }
            self.firsts[window] = first;
            let n_rows = last + 1 - first;
            // After a gap a mean of the few rows since would look more extreme than it is.
            let is_thin = n_rows < 3 || 2.0 * (n_rows as f64) < lengths[window] / self.cadence;
            if is_thin { (0.0, 0.0) } else { self.means(first) }
        });
        let recent = self.means(last.saturating_sub(2).max(self.n_dropped));
        self.drop_until(
            self.firsts.into_iter().min().unwrap_or(0).min(last.saturating_sub(BEFORE)),
        );
        let level = still(long.0, short.0);
        let (short_level, long_level) = (still(short.0, recent.0), still(level, recent.0));
        let lasting = recent.1.min(short.1);
        let activity = if LASTS * activity.1 <= lasting { activity.1 } else { 0.0 };
        let signed = [row.z, short_level, long_level, jump];
        std::array::from_fn(|view| match signed.get(view / 2) {
            Some(signed) if view % 2 == 0 => *signed,
            Some(signed) => -signed,
            None => activity,
        })
    }

    /// Mean residual, and mean size of it, from a row on.
    fn means(&self, first: usize) -> (f64, f64) {
        let before = match (first - self.n_dropped).checked_sub(1) {
            Some(before) => (self.rows[before].signed, self.rows[before].size),
            None => self.dropped,
        };
        let n_parts = (self.n_dropped + self.rows.len() - first) as f64 * PARTS;
        let up_to = self.rows.back().map_or(self.dropped, |row| (row.signed, row.size));
        let sums = (up_to.0.wrapping_sub(before.0), up_to.1.wrapping_sub(before.1));
        (sums.0 as f64 / n_parts, sums.1 as f64 / n_parts)
    }

    /// How far a row is from those just before it; 0 after a gap.
    fn jump(&self, row: Row) -> f64 {
        let Some(first) = self.rows.len().checked_sub(BEFORE) else { return 0.0 };
        if FORGOTTEN * self.cadence < (row.at - self.rows[first].at).as_secs_f64() {
            return 0.0;
        }
        let mut before: [f64; BEFORE] = std::array::from_fn(|n| self.rows[first + n].seasonless);
        before.sort_unstable_by(f64::total_cmp);
        (row.seasonless - before[BEFORE / 2]) / row.scale
    }

    fn drop_until(&mut self, first: usize) {
        while self.n_dropped < first
            && let Some(row) = self.rows.pop_front()
        {
            self.dropped = (row.signed, row.size);
            self.n_dropped += 1;
        }
    }
}

/// A level counts only while it lasts, so that an alert ends with its cause.
fn still(mean: f64, recent: f64) -> f64 {
    if 0.0 < mean * recent && LASTS * mean.abs() <= recent.abs() { mean } else { 0.0 }
}

/// The alert line of each view.
pub(super) fn alert_lines(views: &[[f64; N_VIEWS]], per_day: f64) -> [f64; N_VIEWS] {
    let n_rows = block_rows(views.len(), per_day);
    let n_blocks = RETURN_DAYS * per_day.max(1.0) / n_rows;
    std::array::from_fn(|view| {
        let maxima: Vec<f64> = views
            .chunks(n_rows as usize)
            .map(|rows| rows.iter().map(|row| row[view]).fold(f64::NEG_INFINITY, f64::max))
            .collect();
        gumbel(&maxima, n_blocks).max(1.05 * recurrent_peak(&maxima)).max(FLOOR[view])
    })
}

/// Rows of a block: a day, or a week where there are few a day; less in short histories, so that
/// there are two dozen.
fn block_rows(n_rows: usize, per_day: f64) -> f64 {
    (n_rows as f64 / 24.0).min(per_day.max(7.0)).floor().max(1.0)
}

/// The value exceeded once in `n_blocks` blocks.
fn gumbel(maxima: &[f64], n_blocks: f64) -> f64 {
    let reduced = |share: f64| -(-share.ln()).ln();
    let mut sorted = maxima.to_vec();
    let middle = robust::median(&mut sorted);
    let upper = robust::quantile(&mut sorted, UPPER);
    // Counts repeat values, which can bring the two quantiles together.
    let slope = ((upper - middle) / (reduced(UPPER) - reduced(0.5))).max(0.08 * upper.abs());
    // Few blocks give uncertain quantiles.
    let caution = 1.0 + 3.0 / maxima.len() as f64;
    middle + caution * slope * (reduced(1.0 - 1.0 / n_blocks) - reduced(0.5))
}

/// The peak that several episodes, some blocks apart, have reached: so far is nothing new.
fn recurrent_peak(maxima: &[f64]) -> f64 {
    let n_wanted = (maxima.len() / 20).max(4);
    let mut order: Vec<usize> = (0..maxima.len()).collect();
    order.sort_by(|a, b| maxima[*b].total_cmp(&maxima[*a]));
    let mut peaks: Vec<usize> = Vec::with_capacity(n_wanted);
    for block in order {
        if peaks.iter().all(|peak| 3 <= peak.abs_diff(block)) {
            peaks.push(block);
        }
        if peaks.len() == n_wanted {
            return maxima[block].min(1e6);
        }
    }
    0.0
}

/// How many equal values in a row end at the newest one.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Run {
    value: f64,
    length: u32,
}

impl Run {
    pub(super) fn with(&mut self, value: f64) -> u32 {
        let is_same = 0 < self.length && value == self.value;
        self.length = if is_same { self.length.saturating_add(1) } else { 1 };
        self.value = value;
        self.length
    }
}

/// A run of equal values so long is as unusual as a view at its line.
pub(super) fn run_line(runs: &[u32], per_day: f64) -> f64 {
    let n_rows = block_rows(runs.len(), per_day) as usize;
    let mut longest: Vec<f64> = runs
        .chunks(n_rows)
        .map(|rows| f64::from(rows.iter().copied().max().unwrap_or(1)))
        .collect();
    2.0 * robust::quantile(&mut longest, 0.95) + 4.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOURLY: Windows = Windows { short: 21_600.0, long: 86_400.0, activity: 43_200.0 };

    /// Hours with such residuals; `delay` seconds pass before the hour numbered `from`.
    fn hours(z: &[f64], (from, delay): (usize, f64)) -> Vec<[f64; N_VIEWS]> {
        let mut views = Views::new(HOURLY, 3600.0);
        let look = |(hour, z): (usize, &f64)| {
            let at = hour as f64 * 3600.0 + if from <= hour { delay } else { 0.0 };
            let at = Timestamp::from_secs(at as i64).unwrap();
            views.look(Row { at, z: *z, seasonless: *z, scale: 1.0 })
        };
        z.iter().enumerate().map(look).collect()
    }

    #[test]
    fn one_spike_is_no_level_and_a_level_ends_with_its_cause() {
        let mut z = vec![0.0; 60];
        z[10] = 1e9;
        z[30..40].fill(3.0);
        let views = hours(&z, (0, 0.0));
        assert_eq!(views[10][0], 1e9);
        assert!(views.iter().take(25).all(|row| row[2] <= 1.0));
        assert_eq!(views[36][2], 3.0);
        assert!(views[43..].iter().all(|row| row[2] == 0.0 && row[4] == 0.0));
    }

    #[test]
    fn the_few_rows_after_a_gap_make_no_mean() {
        let views = hours(&[3.0; 40], (30, 1e6));
        assert_eq!(views[29][4], 3.0);
        assert_eq!(views[33][4], 0.0);
    }

    #[test]
    fn a_jump_is_counted_from_the_rows_just_before() {
        let mut z: Vec<f64> = (0..40).map(f64::from).collect();
        z[20] = 40.0;
        let views = hours(&z, (30, 1e6));
        assert_eq!([views[19][6], views[20][6], views[20][7]], [3.0, 23.0, -23.0]);
        assert_eq!([views[21][6], views[31][6], views[35][6]], [3.0, 0.0, 3.0]);
    }

    #[test]
    fn equal_values_are_counted() {
        let mut run = Run::default();
        assert_eq!([1.0, 1.0, 2.0, 2.0, 2.0].map(|value| run.with(value)), [1, 2, 1, 2, 3]);
        assert_eq!(run_line(&[1; 240], 24.0), 6.0);
    }
}
