//! Which other metrics of a batch moved with an alert.

use std::{collections::BTreeMap, fmt};

use crate::domain::{Direction, MetricName, ScorePoint, Span, Timestamp, words};

/// At most so many are named: more is a list, not a hint.
const MOST: usize = 5;
/// A score from here on counts as moving.
const UNUSUAL: f64 = 0.9;

/// Usual distances between two points by which other metrics may be early or late.
const N_SLACK: i64 = 3;

/// By how much other metrics may be early or late, by the usual distance between two points.
pub fn slack(spacing: Span) -> Span {
    Span::from_micros(spacing.micros().saturating_mul(N_SLACK))
}

/// A metric that was unusual while another alerted.
#[derive(Debug, Clone, PartialEq)]
pub struct Related {
    /// Which one.
    pub metric: MetricName,
    /// Which way it went, where something was expected of it: up or down.
    pub direction: Option<Direction>,
    /// Its highest score there, in [0, 1].
    pub score: f64,
    /// Share of its points there that were unusual, in (0, 1].
    pub overlap: f64,
}

/// The metrics that were unusual between two instants, give or take `slack`: those unusual for
/// longest first, then those with the highest score; never `own`, at most five.
///
/// # Shape
/// Scores are in time order and finite.
pub fn related(
    own: &MetricName,
    scores: &BTreeMap<MetricName, Vec<ScorePoint>>,
    (since, until): (Timestamp, Timestamp),
    slack: Span,
) -> Vec<Related> {
    let (from, to) = (since - slack, until + slack);
    let one = |(metric, scores): (&MetricName, &Vec<ScorePoint>)| {
        let there: Vec<&ScorePoint> =
            scores.iter().filter(|score| from <= score.at && score.at <= to).collect();
        let n_unusual = there.iter().filter(|score| UNUSUAL <= score.score).count();
        let peak = there.iter().max_by(|a, b| a.score.total_cmp(&b.score))?;
        (metric != own && 0 < n_unusual).then(|| Related {
            metric: metric.clone(),
            direction: direction(peak),
            score: peak.score,
            overlap: n_unusual as f64 / there.len() as f64,
        })
    };
    let mut found: Vec<Related> = scores.iter().filter_map(one).collect();
    found.sort_by(|a, b| {
        b.overlap
            .total_cmp(&a.overlap)
            .then(b.score.total_cmp(&a.score))
            .then(a.metric.cmp(&b.metric))
    });
    found.truncate(MOST);
    found
}

fn direction(point: &ScorePoint) -> Option<Direction> {
    let band = point.band?;
    match point.value.total_cmp(&band.expected) {
        std::cmp::Ordering::Less => Some(Direction::Down),
        std::cmp::Ordering::Equal => None,
        std::cmp::Ordering::Greater => Some(Direction::Up),
    }
}

impl fmt::Display for Related {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moved = match self.direction {
            Some(Direction::Up) => "went up",
            Some(Direction::Down) => "went down",
            Some(Direction::Both) | None => "was unusual",
        };
        let name = words::shown(self.metric.as_str());
        write!(f, "{name} {moved} (score {})", words::number(self.score))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Band, ModelVersion};

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_secs(1_767_571_200 + hour * 3_600).unwrap()
    }

    fn name(text: &str) -> MetricName {
        MetricName::parse(text).unwrap()
    }

    /// Twenty hours; `unusual` are those that score 0.95 and have the value.
    fn scores(metric: &str, unusual: &[i64], value: f64) -> (MetricName, Vec<ScorePoint>) {
        let point = |hour: i64| {
            let is_unusual = unusual.contains(&hour);
            ScorePoint {
                metric: name(metric),
                at: at(hour),
                value: if is_unusual { value } else { 10.0 },
                score: if is_unusual { 0.95 } else { 0.2 },
                band: Some(Band { expected: 10.0, lower: 8.0, upper: 12.0 }),
                aspect: None,
                model: ModelVersion::at(at(0)),
            }
        };
        (name(metric), (0..20).map(point).collect())
    }

    #[test]
    fn metrics_that_moved_with_an_alert_are_named_the_clearest_first() {
        let all = BTreeMap::from([
            scores("orders", &[10, 11, 12], 0.0),
            scores("revenue", &[10, 11, 12], 1.0),
            scores("refunds", &[9], 50.0),
            scores("visits", &[2], 50.0),
            scores("calm", &[], 0.0),
        ]);
        let found = related(&name("orders"), &all, (at(10), at(12)), Span::hours(1));
        let told: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(told, ["revenue went down (score 0.95)", "refunds went up (score 0.95)"]);
        assert_eq!(found.iter().map(|one| one.overlap).collect::<Vec<f64>>(), [0.6, 0.2]);
    }

    #[test]
    fn no_more_than_five_are_named() {
        let all = (0..9).map(|n| scores(&format!("m{n}"), &[10], 0.0)).collect();
        let found = related(&name("m3"), &all, (at(10), at(10)), Span::hours(0));
        let names: Vec<&str> = found.iter().map(|one| one.metric.as_str()).collect();
        assert_eq!(names, ["m0", "m1", "m2", "m4", "m5"]);
    }
}
