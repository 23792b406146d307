//! What detectors see of a metric: resampled, differenced, smoothed and lagged, in this order.
//!
//! Every row knows its place on a grid (its bucket when resampled, else its position), and "k
//! steps earlier" means k places on that grid: a difference, mean or lag that would reach over an
//! empty bucket is missing, not silently taken from further back.

mod resample;

use crate::domain::{FeatureSpec, Series, Timestamp};

/// One metric's features, one row an observation (or a bucket that holds any).
///
/// # Shape
/// `at`, `raw_value` and `base` have one length; `at` is strictly increasing. A row is complete
/// when its `1 + lags` columns are all known. Without resampling `n` observations give
/// `n - difference - (smooth - 1) - lags` complete rows: all but the first ones.
///
/// # Units
/// `raw_value` is in the metric's unit; `base` too (a change of it when differenced).
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureFrame {
    /// When the row was observed: the instant itself, or the start of its bucket.
    pub at: Vec<Timestamp>,
    /// The value after resampling; infinite where a bucket's sum overflows.
    pub raw_value: Vec<f64>,
    /// The value after differencing and smoothing: NaN where the past it needs is missing,
    /// infinite where the arithmetic overflows.
    pub base: Vec<f64>,
    /// How many earlier values a row holds beside its own.
    pub lags: usize,
    /// Each row's place on the grid; strictly increasing.
    place: Vec<i64>,
}

/// The complete rows of a frame.
///
/// # Shape
/// `values` holds `rows.len()` rows of `n_columns` numbers one after the other. Column 0 is the
/// row's own `base`, column `k` that of `k` places earlier. Numbers may be infinite, never NaN.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    /// Row-major numbers.
    pub values: Vec<f64>,
    /// `1 + lags`.
    pub n_columns: usize,
    /// Which frame row each is.
    pub rows: Vec<usize>,
}

impl Matrix {
    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.rows.len()
    }
}

/// A metric's observations as rows: buckets under their starts where the batch resamples. A
/// bucket's sum may be infinite. [`FeatureSpec::of_rows`] builds the same features of them.
pub fn resampled(series: Series, spec: &FeatureSpec) -> Series {
    match spec.resample {
        Some(bucket) if 0 < bucket.micros() => {
            let (at, value, _) = resample::buckets(&series, bucket, spec.aggregate);
            Series { metric: series.metric, at, value }
        }
        _ => series,
    }
}

/// Builds a metric's features.
///
/// # Source
/// The `preprocess` step of Anomstack, except that rows keep their order and that gaps of a
/// resampled series are respected by differences and lags.
pub fn build(series: &Series, spec: &FeatureSpec) -> FeatureFrame {
    let (at, raw_value, place) = match spec.resample {
        Some(bucket) if 0 < bucket.micros() => resample::buckets(series, bucket, spec.aggregate),
        _ => {
            let place = (0..series.len() as i64).collect();
            (series.at.clone(), series.value.clone(), place)
        }
    };
    let changed = if 0 < spec.difference {
        difference(&raw_value, &place, spec.difference)
    } else {
        raw_value.clone()
    };
    let base = if 1 < spec.smooth { smooth(&changed, &place, spec.smooth) } else { changed };
    FeatureFrame { at, raw_value, base, lags: spec.lags, place }
}

impl FeatureFrame {
    /// Values as they are, without lags. `at` does not decrease.
    pub fn of_values(at: Vec<Timestamp>, value: Vec<f64>) -> Self {
        let place = (0..at.len() as i64).collect();
        Self { at, base: value.clone(), raw_value: value, lags: 0, place }
    }

    /// Number of rows, complete or not.
    pub fn len(&self) -> usize {
        self.at.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.at.is_empty()
    }

    /// Columns of a row.
    pub fn n_columns(&self) -> usize {
        1 + self.lags
    }

    /// Whether every column of the row is known.
    pub fn is_complete(&self, row: usize) -> bool {
        (0..=self.lags).all(|lag| {
            row_before(&self.place, row, lag).is_some_and(|earlier| !self.base[earlier].is_nan())
        })
    }

    /// Writes a row's columns; false, and `columns` worthless, when one is missing.
    ///
    /// # Panics
    /// When `columns` is shorter than [`Self::n_columns`].
    pub fn fill_row(&self, row: usize, columns: &mut [f64]) -> bool {
        for (lag, column) in columns[..=self.lags].iter_mut().enumerate() {
            let Some(earlier) = row_before(&self.place, row, lag) else { return false };
            let value = self.base[earlier];
            if value.is_nan() {
                return false;
            }
            *column = value;
        }
        true
    }

    /// The complete rows, one after the other.
    pub fn matrix(&self) -> Matrix {
        let n_columns = self.n_columns();
        let mut values = vec![0.0; self.len() * n_columns];
        let mut rows = Vec::with_capacity(self.len());
        for row in 0..self.len() {
            let start = rows.len() * n_columns;
            if self.fill_row(row, &mut values[start..start + n_columns]) {
                rows.push(row);
            }
        }
        values.truncate(rows.len() * n_columns);
        Matrix { values, n_columns, rows }
    }
}

/// The row `steps` places before `row`, where there is one.
fn row_before(place: &[i64], row: usize, steps: usize) -> Option<usize> {
    let wanted = place[row].checked_sub(i64::try_from(steps).ok()?)?;
    // Places are at least 1 apart, so the row is at most `steps` rows back.
    let first = row.saturating_sub(steps);
    if place[first] == wanted {
        return Some(first);
    }
    place[first..=row].binary_search(&wanted).ok().map(|offset| first + offset)
}

fn difference(values: &[f64], place: &[i64], steps: usize) -> Vec<f64> {
    (0..values.len())
        .map(|row| match row_before(place, row, steps) {
            Some(earlier) => known(values[row] - values[earlier]),
            None => f64::NAN,
        })
        .collect()
}

/// Trailing means; each is summed afresh, so one overflow does not spoil the rows after it.
fn smooth(values: &[f64], place: &[i64], width: usize) -> Vec<f64> {
    (0..values.len())
        .map(|row| {
            // With all places present the row `width - 1` places back is as many rows back.
            let first = match row_before(place, row, width - 1) {
                Some(first) if row - first == width - 1 => first,
                _ => return f64::NAN,
            };
            let window = &values[first..=row];
            if window.iter().any(|value| value.is_nan()) {
                return f64::NAN;
            }
            known(window.iter().sum::<f64>() / width as f64)
        })
        .collect()
}

/// NaN says "missing" here, so `inf - inf` of known values is said to be out of range instead.
fn known(value: f64) -> f64 {
    if value.is_nan() { f64::INFINITY } else { value }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{Aggregate, MetricName, Span};

    fn series(points: &[(i64, f64)]) -> Series {
        Series {
            metric: MetricName::parse("m").unwrap(),
            at: points.iter().map(|(secs, _)| Timestamp::from_secs(*secs).unwrap()).collect(),
            value: points.iter().map(|(_, value)| *value).collect(),
        }
    }

    fn spec(difference: usize, smooth: usize, lags: usize) -> FeatureSpec {
        FeatureSpec { resample: None, aggregate: Aggregate::Mean, difference, smooth, lags }
    }

    fn hourly(difference: usize, smooth: usize, lags: usize) -> FeatureSpec {
        FeatureSpec { resample: Some(Span::hours(1)), ..spec(difference, smooth, lags) }
    }

    #[test]
    fn the_order_is_difference_then_mean_then_lags() {
        let points: Vec<_> = (0..6).map(|i| (i * 60, (i * i) as f64)).collect();
        let frame = build(&series(&points), &spec(1, 2, 1));
        let matrix = frame.matrix();
        assert_eq!(matrix.rows, [3, 4, 5]);
        assert_eq!(matrix.values, [4.0, 2.0, 6.0, 4.0, 8.0, 6.0]);
        assert_eq!(frame.raw_value[3], 9.0);
    }

    #[test]
    fn an_empty_bucket_interrupts_differences_means_and_lags() {
        let hours = [0, 1, 2, 4, 5, 6, 7];
        let points: Vec<_> = hours.iter().map(|hour| (hour * 3600 + 5, *hour as f64)).collect();
        let frame = build(&series(&points), &hourly(1, 2, 1));
        assert_eq!(frame.at[3], Timestamp::from_secs(4 * 3600).unwrap());
        let known: Vec<_> = frame.base.iter().map(|value| !value.is_nan()).collect();
        assert_eq!(known, [false, false, true, false, false, true, true]);
        assert_eq!(frame.matrix().rows, [6]);
        assert!(frame.is_complete(6) && !frame.is_complete(5));
    }

    #[test]
    fn without_buckets_lags_are_positional() {
        let points = [(0, 1.0), (60, 2.0), (86_400, 3.0)];
        let matrix = build(&series(&points), &spec(0, 0, 2)).matrix();
        assert_eq!(matrix.values, [3.0, 2.0, 1.0]);
    }

    #[test]
    fn an_overflow_is_infinite_and_not_missing() {
        let points = [(0, -1.7e308), (60, 1.7e308), (120, -1.7e308), (180, 0.0)];
        let frame = build(&series(&points), &spec(1, 2, 0));
        assert_eq!(frame.base[2], f64::INFINITY);
        assert!(frame.base[1].is_nan() && frame.is_complete(2));
    }

    proptest! {
        #[test]
        fn row_count_is_as_documented(
            n in 0_usize..60, difference in 0_usize..4, smooth in 0_usize..5, lags in 0_usize..6,
        ) {
            let points: Vec<_> = (0..n).map(|i| (i as i64 * 37, (i * i % 17) as f64)).collect();
            let matrix = build(&series(&points), &spec(difference, smooth, lags)).matrix();
            let lost = difference + smooth.max(1) - 1 + lags;
            prop_assert_eq!(matrix.n_rows(), n.saturating_sub(lost));
            prop_assert_eq!(matrix.values.len(), matrix.n_rows() * (1 + lags));
        }

        #[test]
        fn complete_rows_equal_the_definition_on_a_full_grid(
            hours in proptest::collection::btree_set(0_i64..60, 1..50),
            difference in 0_usize..3, smooth in 1_usize..4, lags in 0_usize..4,
        ) {
            let value = |hour: i64| (hour * hour % 23) as f64;
            let points: Vec<_> = hours.iter().map(|hour| (hour * 3600, value(*hour))).collect();
            let matrix = build(&series(&points), &hourly(difference, smooth, lags)).matrix();
            let changed = |hour: i64| {
                let earlier = hour - difference as i64;
                (hours.contains(&hour) && hours.contains(&earlier))
                    .then(|| if difference == 0 { value(hour) } else { value(hour) - value(earlier) })
            };
            let smoothed = |hour: i64| {
                let parts: Option<Vec<f64>> =
                    (0..smooth as i64).rev().map(|k| changed(hour - k)).collect();
                parts.map(|parts| parts.iter().sum::<f64>() / smooth as f64)
            };
            let expected: Vec<f64> = hours
                .iter()
                .filter_map(|hour| (0..=lags as i64).map(|k| smoothed(hour - k)).collect())
                .collect::<Vec<Vec<f64>>>()
                .concat();
            prop_assert_eq!(matrix.values, expected);
        }
    }
}
