//! The rows the matrix detectors are trained on: what must hold of them, and how they are kept.

use super::artifact::{DecodeError, count, ensure, floats};
use crate::domain::{NoScore, Plain};
use crate::features::Matrix;

/// Squares of larger numbers overflow, and squares of smaller ones vanish.
const SIZES: std::ops::RangeInclusive<f64> = 1e-140..=1e140;

/// Whether there are rows enough, all finite and not all the same.
pub(super) fn check(matrix: &Matrix, need: usize) -> Result<(), NoScore> {
    let have = matrix.n_rows();
    if have < need {
        return Err(NoScore::TooFewPoints { need, have });
    }
    if matrix.values.iter().any(|value| !value.is_finite()) {
        return Err(NoScore::OutOfRange);
    }
    check_varied(matrix)
}

/// Whether distances between the rows can be computed.
pub(super) fn check_measurable(matrix: &Matrix) -> Result<(), NoScore> {
    check_varied(matrix)?;
    let largest = matrix.values.iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
    if SIZES.contains(&largest) { Ok(()) } else { Err(NoScore::OutOfRange) }
}

fn check_varied(matrix: &Matrix) -> Result<(), NoScore> {
    let mut rows = matrix.values.chunks(matrix.n_columns);
    let first = rows.next();
    if rows.all(|row| Some(row) == first) { Err(NoScore::Constant) } else { Ok(()) }
}

/// The numbers of column 0, in the order of the rows.
pub(super) fn first_column(matrix: &Matrix) -> impl Iterator<Item = f64> {
    matrix.values.iter().step_by(matrix.n_columns).copied()
}

/// The numbers of one column, smallest first.
pub(super) fn sorted_column(matrix: &Matrix, column: usize) -> Vec<f64> {
    let values = matrix.values.iter().skip(column).step_by(matrix.n_columns);
    let mut values: Vec<f64> = values.copied().collect();
    values.sort_unstable_by(f64::total_cmp);
    values
}

/// The indices of the rows in an order that depends on their numbers only: what is drawn or
/// summed in it does not depend on the order the rows came in.
pub(super) fn own_order(rows: &[f64], n_columns: usize) -> Vec<usize> {
    let row = |index: usize| &rows[index * n_columns..][..n_columns];
    let mut order: Vec<usize> = (0..rows.len() / n_columns).collect();
    order.sort_by(|left, right| {
        let pairs = row(*left).iter().zip(row(*right));
        pairs.map(|(l, r)| l.total_cmp(r)).fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
    });
    order
}

/// The rows in the order of the indices, one after the other.
pub(super) fn arranged(rows: &[f64], n_columns: usize, order: &[usize]) -> Vec<f64> {
    order.iter().flat_map(|index| &rows[index * n_columns..][..n_columns]).copied().collect()
}

/// The model fields `n_columns`, `run_rows` and `values` that hold the rows.
pub(super) fn to_plain(rows: &[f64], n_columns: usize) -> Vec<(&'static str, Plain)> {
    let (runs, values) = fold_lags(rows, n_columns);
    vec![
        ("n_columns", Plain::Int(n_columns as i64)),
        ("run_rows", Plain::List(runs.into_iter().map(Plain::Int).collect())),
        ("values", Plain::from_f64s(&values)),
    ]
}

/// The rows of those fields, and how many columns they have.
pub(super) fn from_plain(plain: &Plain) -> Result<(Vec<f64>, usize), DecodeError> {
    let n_columns = count(plain, "n_columns")?;
    ensure(0 < n_columns, "n_columns")?;
    let runs = plain.get("run_rows").and_then(Plain::as_list);
    let runs: Option<Vec<i64>> = runs.and_then(|runs| runs.iter().map(Plain::as_int).collect());
    let runs = runs.ok_or(DecodeError::Missing { field: "run_rows" })?;
    let rows = unfold_lags(&runs, &floats(plain, "values")?, n_columns);
    Ok((rows.ok_or(DecodeError::Inconsistent { field: "values" })?, n_columns))
}

/// Rows whose lags are the row before moved on by one are kept as their newest value only: the
/// numbers of rows of each such run, and its values, oldest first.
fn fold_lags(rows: &[f64], n_columns: usize) -> (Vec<i64>, Vec<f64>) {
    let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    let (mut runs, mut values) = (Vec::new(), Vec::new());
    let mut before: Option<&[f64]> = None;
    for row in rows.chunks(n_columns) {
        let goes_on =
            before.is_some_and(|before| bits(&before[..n_columns - 1]) == bits(&row[1..]));
        match runs.last_mut() {
            Some(n_rows) if goes_on => {
                *n_rows += 1;
                values.push(row[0]);
            }
            _ => {
                runs.push(1);
                values.extend(row.iter().rev());
            }
        }
        before = Some(row);
    }
    (runs, values)
}

/// The rows back; `None` when the counts do not fit the values.
fn unfold_lags(runs: &[i64], values: &[f64], n_columns: usize) -> Option<Vec<f64>> {
    let mut rows = Vec::new();
    let mut rest = values;
    for n_rows in runs {
        let n_rows = usize::try_from(*n_rows).ok().filter(|n_rows| 0 < *n_rows)?;
        let run = rest.get(..n_rows.checked_add(n_columns - 1)?)?;
        rows.extend(run.windows(n_columns).flat_map(|window| window.iter().rev()));
        rest = &rest[run.len()..];
    }
    rest.is_empty().then_some(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lagged_rows_are_kept_once_and_come_back() {
        let series: Vec<f64> = (0..40).map(|i| f64::from(i * i % 11)).collect();
        let mut rows: Vec<f64> =
            series.windows(3).flat_map(|window| window.iter().rev().copied()).collect();
        rows.drain(30..45);
        let (runs, values) = fold_lags(&rows, 3);
        assert_eq!(runs, [10, 23]);
        assert_eq!(values.len(), 33 + 2 * 2);
        assert_eq!(unfold_lags(&runs, &values, 3), Some(rows));
        assert_eq!(unfold_lags(&[11, 23], &values, 3), None);
    }
}
