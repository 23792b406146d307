//! Why an alert was raised, in one line for people.

use super::{Scored, usual::Usual};
use crate::domain::{MetricName, Span, change, words};

/// The score that crossed the threshold and how many scores it is the mean of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mean {
    score: f64,
    n_scores: usize,
}

impl Mean {
    /// A mean over so many scores; 0 and 1 are the score itself.
    pub(super) const fn of(score: f64, n_scores: usize) -> Self {
        Self { score, n_scores }
    }
}

/// `orders was 812, expected 1,040 to 1,260 (1,150): 29 % below, unusual for this time (score …)`.
pub(super) fn anomaly(metric: &MetricName, point: &Scored, usual: &Usual, mean: Mean) -> String {
    let name = words::shown(metric.as_str());
    let value = words::number(point.value);
    let comparison = match usual {
        Usual::Expected(band) => {
            let place = if band.lower <= point.value && point.value <= band.upper {
                match mean.n_scores {
                    // One score judges more than one value: a level or a spread over hours.
                    0 | 1 => "inside that range, but its course of late is unusual".to_owned(),
                    _ => "back in that range, unusual for this time".to_owned(),
                }
            } else {
                format!("{}, unusual for this time", change(point.value, band.expected))
            };
            let [expected, lower, upper] =
                [band.expected, band.lower, band.upper].map(words::number);
            format!(", expected {lower} to {upper} ({expected}): {place}")
        }
        Usual::Earlier { median, n_points } => format!(
            ", while {} before it had a median of {}: {}, an unusual course",
            points(*n_points),
            words::number(*median),
            change(point.value, *median)
        ),
        Usual::Unknown => ": unusual".to_owned(),
    };
    let score = words::number(mean.score);
    match mean.n_scores {
        0 | 1 => format!("{name} was {value}{comparison} (score {score})"),
        n => format!("{name} was {value}{comparison} (mean of {n} scores {score})"),
    }
}

/// `orders was silent for 5h, longer than 2h`: since when is said beside it.
pub(super) fn absence(metric: &MetricName, silent: Span, after: Span) -> String {
    let name = words::shown(metric.as_str());
    // Fractions of a second say nothing about a silence.
    let silent = Span::secs(silent.micros() / 1_000_000);
    format!("{name} was silent for {silent}, longer than {after}")
}

fn points(n: usize) -> String {
    if n == 1 { "the point".to_owned() } else { format!("the {n} points") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Band, ModelVersion, Timestamp};

    fn check(value: f64, band: (f64, f64, f64), expected: &str) {
        let point = Scored {
            at: Timestamp::from_secs(0).unwrap(),
            value,
            score: 0.98,
            band: None,
            model: ModelVersion::at(Timestamp::from_secs(0).unwrap()),
        };
        let (lower, middle, upper) = band;
        let usual = Usual::Expected(Band { expected: middle, lower, upper });
        let metric = MetricName::parse("orders").unwrap();
        assert_eq!(anomaly(&metric, &point, &usual, Mean::of(0.98, 1)), expected);
    }

    #[test]
    fn an_anomaly_is_told_with_what_was_expected() {
        check(
            812.0,
            (1_040.0, 1_150.0, 1_260.0),
            "orders was 812, expected 1,040 to 1,260 (1,150): 29 % below, unusual for this time \
             (score 0.98)",
        );
        check(
            60.0,
            (1.0, 2.0, 3.0),
            "orders was 60, expected 1 to 3 (2): 30 times as much, unusual for this time \
             (score 0.98)",
        );
        check(
            5.0,
            (-1.0, 0.0, 1.0),
            "orders was 5, expected -1 to 1 (0): 5 above, unusual for this time (score 0.98)",
        );
        check(
            1.5,
            (1.0, 2.0, 3.0),
            "orders was 1.5, expected 1 to 3 (2): inside that range, but its course of late is \
             unusual (score 0.98)",
        );
    }

    #[test]
    fn a_metric_name_cannot_break_the_line() {
        let metric = MetricName::parse("a\nb\u{1b}[31m").unwrap();
        let text = absence(&metric, Span::hours(5), Span::hours(2));
        assert_eq!(text, "a\\nb\\u{1b}[31m was silent for 5h, longer than 2h");
    }
}
