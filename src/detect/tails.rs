//! Tail probabilities of the columns, which ECOD and COPOD are made of.
//!
//! Of a value `x` in a column of `n` training values, itself included, the left tail is
//! `l = -ln(#{y ≤ x} / n)` and the right one `r = -ln(#{y ≥ x} / n)`. A new value is counted in:
//! the column then has `n + 1` values. That is what PyOD computes for one new row, and so a score
//! depends on no other new row.

use super::artifact::{DecodeError, count, ensure, floats};
use super::rows;
use crate::domain::{NoScore, Plain};
use crate::features::Matrix;

/// The tails of a value in its column.
#[derive(Debug, Clone, Copy)]
pub struct Tail {
    pub(super) left: f64,
    pub(super) right: f64,
    /// Sign of the column's skewness: -1, 0 or 1.
    pub(super) skew: i8,
}

/// The training's columns.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tails {
    columns: Vec<Column>,
}

/// One column's values, smallest first, and the moments the sign of its skewness needs.
#[derive(Debug, Clone, PartialEq)]
struct Column {
    values: Vec<f64>,
    mean: f64,
    /// The largest distance from the mean; deviations are counted in it, so no power overflows.
    unit: f64,
    /// Sums of the squared and of the cubed deviations.
    squares: f64,
    cubes: f64,
}

impl Tails {
    pub(super) fn new(matrix: &Matrix) -> Result<Self, NoScore> {
        rows::check(matrix, 2)?;
        let columns = (0..matrix.n_columns).map(|i| Column::new(rows::sorted_column(matrix, i)));
        let columns: Vec<Column> = columns.collect();
        // Only sums too large for a double are neither.
        let is_finite = |c: &Column| c.mean.is_finite() && c.unit.is_finite();
        if columns.iter().all(is_finite) { Ok(Self { columns }) } else { Err(NoScore::OutOfRange) }
    }

    pub(super) fn n_columns(&self) -> usize {
        self.columns.len()
    }

    /// The tails of a training row's values.
    pub(super) fn of_trained(&self, row: &[f64]) -> impl Iterator<Item = Tail> {
        self.columns.iter().zip(row).map(|(column, value)| column.tail(*value, 0, column.skew()))
    }

    /// The tails of a new row's values.
    pub(super) fn of_new(&self, row: &[f64]) -> impl Iterator<Item = Tail> {
        let columns = self.columns.iter().zip(row);
        columns.map(|(column, value)| column.tail(*value, 1, column.skew_with(*value)))
    }

    /// The model fields.
    pub(super) fn to_plain(&self) -> Vec<(&'static str, Plain)> {
        let values: Vec<f64> = self.columns.iter().flat_map(|c| &c.values).copied().collect();
        vec![
            ("n_columns", Plain::Int(self.n_columns() as i64)),
            ("sorted_columns", Plain::from_f64s(&values)),
        ]
    }

    pub(super) fn from_plain(plain: &Plain) -> Result<Self, DecodeError> {
        const FIELD: &str = "sorted_columns";
        let (n_columns, values) = (count(plain, "n_columns")?, floats(plain, FIELD)?);
        ensure(0 < n_columns && n_columns <= values.len(), "n_columns")?;
        ensure(values.len().is_multiple_of(n_columns), FIELD)?;
        let columns = values.chunks(values.len() / n_columns);
        ensure(columns.clone().all(|column| column.is_sorted()), FIELD)?;
        let columns: Vec<Column> = columns.map(|column| Column::new(column.to_vec())).collect();
        ensure(columns.iter().all(|c| c.mean.is_finite() && c.unit.is_finite()), FIELD)?;
        Ok(Self { columns })
    }
}

impl Column {
    /// `values` is sorted and not empty.
    fn new(values: Vec<f64>) -> Self {
        let n_values = values.len() as f64;
        let rough = values.iter().sum::<f64>() / n_values;
        let mean = rough + values.iter().map(|value| value - rough).sum::<f64>() / n_values;
        let unit = (values[0] - mean).abs().max((values[values.len() - 1] - mean).abs());
        let unit = if unit <= 0.0 { 1.0 } else { unit };
        let sum = |power: i32| values.iter().map(|value| ((value - mean) / unit).powi(power)).sum();
        let (squares, cubes) = (sum(2), sum(3));
        Self { values, mean, unit, squares, cubes }
    }

    fn tail(&self, value: f64, n_added: usize, skew: i8) -> Tail {
        let n_values = self.values.len();
        let n_left = self.values.partition_point(|other| *other <= value) + n_added;
        let n_right = n_values - self.values.partition_point(|other| *other < value) + n_added;
        let tail = |count: usize| -(count as f64 / (n_values + n_added) as f64).ln();
        Tail { left: tail(n_left), right: tail(n_right), skew }
    }

    fn skew(&self) -> i8 {
        sign_of_skewness(self.values.len(), self.mean, self.unit, self.squares, self.cubes)
    }

    /// The sign with one more value, without looking at the others again.
    fn skew_with(&self, value: f64) -> i8 {
        let delta = (value - self.mean) / self.unit;
        if 1e50 < delta.abs() {
            // Its cube outweighs all others, and might overflow.
            return if delta < 0.0 { -1 } else { 1 };
        }
        let n = self.values.len() as f64;
        let squares = self.squares + delta * delta * n / (n + 1.0);
        let cubes = self.cubes + delta.powi(3) * n * (n - 1.0) / (n + 1.0).powi(2)
            - 3.0 * delta * self.squares / (n + 1.0);
        let mean = self.mean + delta * self.unit / (n + 1.0);
        sign_of_skewness(self.values.len() + 1, mean, self.unit, squares, cubes)
    }
}

fn sign_of_skewness(n_values: usize, mean: f64, unit: f64, squares: f64, cubes: f64) -> i8 {
    let deviation = (squares / n_values as f64).sqrt() * unit;
    // Without variance, or with rounding only (as SciPy decides it), there is no skewness.
    if deviation <= f64::EPSILON * mean.abs() || cubes == 0.0 {
        0
    } else if cubes < 0.0 {
        -1
    } else {
        1
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_new_value_counts_as_if_the_column_had_it(
            mut values in proptest::collection::vec(-20_i32..20, 2..60),
            size in prop_oneof![Just(1.0), Just(1e200), Just(1e-200)],
        ) {
            values[0] = values[1] + 1;
            let values: Vec<f64> = values.iter().map(|x| f64::from(*x) * size).collect();
            let (new, old) = values.split_last().unwrap();
            let sorted = |values: &[f64]| {
                let mut values = values.to_vec();
                values.sort_by(f64::total_cmp);
                values
            };
            let (old, all) = (Column::new(sorted(old)), Column::new(sorted(&values)));
            let (added, counted) = (old.tail(*new, 1, 0), all.tail(*new, 0, 0));
            prop_assert_eq!([added.left, added.right], [counted.left, counted.right]);
            // Where the skewness is rounding, its sign is too.
            if 1e-9 < all.cubes.abs() {
                prop_assert_eq!(old.skew_with(*new), all.skew());
            }
        }
    }
}
