//! Five ways to look at the residuals: single values, the level over two windows, the jump from
//! the rows just before, and activity. Each has its own alert line, for ups and downs apart,
//! learnt from how far it usually goes in a day.
//!
//! The line of a view extrapolates its daily maxima (a Gumbel law through their median and upper
//! quantile) to once in [`RETURN_DAYS`] days. Quantiles of daily maxima allow for dependence
//! between rows, for heavy tails and for a minority of days with incidents.

use super::robust;

/// A view alone should raise a false alert once in so many days.
const RETURN_DAYS: f64 = 5_000.0;
/// The upper quantile of the daily maxima; so many days may be incidents.
const UPPER: f64 = 0.85;
/// Residuals beyond so many scales count as so many in means: one spike is not a new level.
const CLAMP: f64 = 6.0;
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
    /// Seconds since the first row.
    pub(super) at: f64,
    /// The residual in scales.
    pub(super) z: f64,
    /// The value without its season; the level, which moves in steps, is still in it.
    pub(super) seasonless: f64,
    /// One scale, in the value's unit.
    pub(super) scale: f64,
}

/// Views of each row; `cadence` is the usual distance of two in seconds.
pub(super) fn look(rows: &[Row], windows: Windows, cadence: f64) -> Vec<[f64; N_VIEWS]> {
    let mut sums = Vec::with_capacity(rows.len() + 1);
    sums.push((0.0, 0.0));
    for row in rows {
        let (mut signed, mut size) = sums[sums.len() - 1];
        let clamped = row.z.clamp(-CLAMP, CLAMP);
        signed += clamped;
        size += clamped.abs();
        sums.push((signed, size));
    }
    let means = |first: usize, row: usize| {
        let (from, to): ((f64, f64), (f64, f64)) = (sums[first], sums[row + 1]);
        let n_rows = (row + 1 - first) as f64;
        ((to.0 - from.0) / n_rows, (to.1 - from.1) / n_rows)
    };
    let mut firsts = [0_usize; 3];
    let lengths = [windows.short, windows.long, windows.activity];
    let n_usual = lengths.map(|length| length / cadence);
    (0..rows.len())
        .map(|row| {
            for (first, length) in firsts.iter_mut().zip(lengths) {
                while rows[*first].at <= rows[row].at - length {
                    *first += 1;
                }
            }
            let recent = means(row.saturating_sub(2), row);
            let [short, long, activity] = [0, 1, 2].map(|window| {
                let n_rows = row + 1 - firsts[window];
                // After a gap a mean of the few rows since would look more extreme than it is.
                let is_thin = n_rows < 3 || 2.0 * (n_rows as f64) < n_usual[window];
                if is_thin { (0.0, 0.0) } else { means(firsts[window], row) }
            });
            let level = still(long.0, short.0);
            let (short_level, long_level) = (still(short.0, recent.0), still(level, recent.0));
            let lasting = recent.1.min(short.1);
            let activity = if LASTS * activity.1 <= lasting { activity.1 } else { 0.0 };
            let jump = jump(&rows[..=row], FORGOTTEN * cadence);
            let signed = [rows[row].z, short_level, long_level, jump];
            std::array::from_fn(|view| match signed.get(view / 2) {
                Some(signed) if view % 2 == 0 => *signed,
                Some(signed) => -signed,
                None => activity,
            })
        })
        .collect()
}

/// How far the last row is from those just before it; 0 after a gap.
fn jump(rows: &[Row], forgotten: f64) -> f64 {
    let Some((row, before)) = rows.split_last() else { return 0.0 };
    let Some((_, before)) = before.split_last_chunk::<BEFORE>() else { return 0.0 };
    if forgotten < row.at - before[0].at {
        return 0.0;
    }
    let mut before = before.map(|row| row.seasonless);
    before.sort_unstable_by(f64::total_cmp);
    (row.seasonless - before[BEFORE / 2]) / row.scale
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

/// How many equal values in a row end at each row.
pub(super) fn runs(values: &[f64]) -> Vec<u32> {
    let mut length = 0;
    (0..values.len())
        .map(|row| {
            length = if 0 < row && values[row] == values[row - 1] { length + 1 } else { 1_u32 };
            length
        })
        .collect()
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
        let row = |(hour, z): (usize, &f64)| {
            let at = hour as f64 * 3600.0 + if from <= hour { delay } else { 0.0 };
            Row { at, z: *z, seasonless: *z, scale: 1.0 }
        };
        let rows: Vec<Row> = z.iter().enumerate().map(row).collect();
        look(&rows, HOURLY, 3600.0)
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
        assert_eq!(runs(&[1.0, 1.0, 2.0, 2.0, 2.0]), [1, 2, 1, 2, 3]);
        assert_eq!(run_line(&[1; 240], 24.0), 6.0);
    }
}
