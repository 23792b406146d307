//! Which of the points a source gave are news.

use std::collections::HashMap;

use crate::domain::{MetricName, Point, Series};

/// The incoming points that are not stored yet or have another value, in their order. Values are
/// compared bit by bit, so a read that repeats itself stores nothing.
///
/// # Shape
/// At most one series a metric in `existing`.
pub fn changed(existing: &[Series], incoming: &[Point]) -> Vec<Point> {
    let stored: HashMap<&MetricName, &Series> =
        existing.iter().map(|series| (&series.metric, series)).collect();
    let is_stored = |point: &Point| {
        let Some(series) = stored.get(&point.metric) else { return false };
        let Ok(row) = series.at.binary_search(&point.at) else { return false };
        series.value[row].to_bits() == point.value.to_bits()
    };
    incoming.iter().filter(|point| !is_stored(point)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;

    fn point(metric: &str, secs: i64, value: f64) -> Point {
        let (metric, at) = (MetricName::parse(metric), Timestamp::from_secs(secs));
        Point { metric: metric.unwrap(), at: at.unwrap(), value }
    }

    #[test]
    fn only_new_and_different_points_are_left() {
        let existing = Series {
            metric: MetricName::parse("a").unwrap(),
            at: [1, 2, 3].map(|secs| Timestamp::from_secs(secs).unwrap()).to_vec(),
            value: vec![1.0, 0.0, 3.0],
        };
        let incoming = [
            point("a", 1, 1.0),
            point("a", 2, -0.0),
            point("a", 3, 3.0 + f64::EPSILON),
            point("a", 3, 3.5),
            point("a", 4, 1.0),
            point("b", 1, 1.0),
        ];
        let news: Vec<_> =
            [1, 3, 4, 5].into_iter().map(|index: usize| incoming[index].clone()).collect();
        assert_eq!(changed(&[existing], &incoming), news);
    }

    #[test]
    fn a_read_that_repeats_itself_brings_nothing() {
        let existing = Series {
            metric: MetricName::parse("a").unwrap(),
            at: vec![Timestamp::from_secs(1).unwrap()],
            value: vec![0.1 + 0.2],
        };
        assert_eq!(changed(&[existing], &[point("a", 1, 0.1 + 0.2)]), []);
    }
}
