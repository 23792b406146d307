//! Buckets of equal length, counted from the epoch. A bucket without observations has no row.

use crate::domain::{Aggregate, Series, Span, Timestamp};

/// The buckets that hold observations: their starts, values and numbers.
pub(super) fn buckets(
    series: &Series,
    length: Span,
    aggregate: Aggregate,
) -> (Vec<Timestamp>, Vec<f64>, Vec<i64>) {
    let number = |at: Timestamp| at.micros().div_euclid(length.micros());
    let (mut at, mut value, mut place) = (Vec::new(), Vec::new(), Vec::new());
    let mut first = 0;
    while first < series.len() {
        let bucket = number(series.at[first]);
        let n_inside = series.at[first..].iter().take_while(|at| number(**at) == bucket).count();
        at.push(series.at[first].floor(length));
        value.push(reduce(&series.value[first..first + n_inside], aggregate));
        place.push(bucket);
        first += n_inside;
    }
    (at, value, place)
}

/// `values` is never empty.
fn reduce(values: &[f64], aggregate: Aggregate) -> f64 {
    match aggregate {
        Aggregate::Mean => mean(values),
        Aggregate::Sum => values.iter().sum(),
        Aggregate::Min => values.iter().copied().fold(f64::INFINITY, f64::min),
        Aggregate::Max => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        Aggregate::Last => values[values.len() - 1],
        Aggregate::Count => values.len() as f64,
    }
}

fn mean(values: &[f64]) -> f64 {
    let n_values = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n_values;
    // A mean always exists even where the sum overflows.
    if mean.is_finite() { mean } else { values.iter().map(|value| value / n_values).sum() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::MetricName;

    #[track_caller]
    fn check(aggregate: Aggregate, expected: [f64; 2]) {
        let secs = [-1, -1800, 3600, 3700, 5000];
        let mut points: Vec<_> = secs.iter().zip([4.0, 2.0, 1.0, 9.0, 5.0]).collect();
        points.sort_by_key(|(secs, _)| **secs);
        let series = Series {
            metric: MetricName::parse("m").unwrap(),
            at: points.iter().map(|(secs, _)| Timestamp::from_secs(**secs).unwrap()).collect(),
            value: points.iter().map(|(_, value)| *value).collect(),
        };
        let (at, value, place) = buckets(&series, Span::hours(1), aggregate);
        assert_eq!(value, expected, "{aggregate}");
        assert_eq!(at[0], Timestamp::from_secs(-3600).unwrap());
        assert_eq!(place, [-1, 1]);
    }

    #[test]
    fn buckets_count_from_the_epoch_and_empty_ones_have_no_row() {
        check(Aggregate::Mean, [3.0, 5.0]);
        check(Aggregate::Sum, [6.0, 15.0]);
        check(Aggregate::Min, [2.0, 1.0]);
        check(Aggregate::Max, [4.0, 9.0]);
        check(Aggregate::Last, [4.0, 5.0]);
        check(Aggregate::Count, [2.0, 3.0]);
    }

    #[test]
    fn a_mean_of_huge_values_does_not_overflow() {
        assert_eq!(mean(&[1.7e308, 1.7e308]), 1.7e308);
    }
}
