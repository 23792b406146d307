//! Why an alert was raised, in one line for people.

use super::{Scored, usual::Usual};
use crate::domain::{Aspect, Band, Judged, MetricName, Span, change, words};

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

/// `orders was 812, expected 1,040 to 1,260 (1,150): 29 % below, unusual for this time (score …)`,
/// or what else made the score.
pub(super) fn anomaly(metric: &MetricName, point: &Scored, usual: &Usual, mean: Mean) -> String {
    let name = words::shown(metric.as_str());
    let value = words::number(point.value);
    let comparison = match usual {
        Usual::Expected(band) => {
            let [expected, lower, upper] =
                [band.expected, band.lower, band.upper].map(words::number);
            let place = beside(point, band, mean);
            format!(", expected {lower} to {upper} ({expected}): {place}")
        }
        Usual::Earlier { median, n_points } => format!(
            ", while {} before it had a median of {}: {}{}",
            points(*n_points),
            words::number(*median),
            change(point.value, *median),
            notable(point).map_or(", an unusual course".to_owned(), |words| format!("; {words}"))
        ),
        Usual::Unknown => format!(": {}", notable(point).unwrap_or("unusual")),
    };
    let score = words::number(mean.score);
    match mean.n_scores {
        0 | 1 => format!("{name} was {value}{comparison} (score {score})"),
        n => format!("{name} was {value}{comparison} (mean of {n} scores {score})"),
    }
}

/// Where a value lies beside what was expected, and what is unusual about that.
fn beside(point: &Scored, band: &Band, mean: Mean) -> String {
    // That the value is far away is said by how far it is.
    let words = notable(point).filter(|_| point.aspect != Some(Aspect::Value));
    if point.value < band.lower || band.upper < point.value {
        let change = change(point.value, band.expected);
        return match words {
            Some(words) => format!("{change}; {words}"),
            None => format!("{change}, unusual for this time"),
        };
    }
    match (words, mean.n_scores) {
        (Some(words), _) => format!("inside that range, but {words}"),
        // One score judges more than one value: a level or a spread over hours.
        (None, 0 | 1) => "inside that range, but its course of late is unusual".to_owned(),
        (None, _) => "back in that range, unusual for this time".to_owned(),
    }
}

/// What made the point's own score, where it stands out.
fn notable(point: &Scored) -> Option<&'static str> {
    let Scored { value, score, band, aspect, .. } = *point;
    Judged { value, score, band, aspect }.notable()
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
    use crate::domain::{ModelVersion, Timestamp};

    fn point(value: f64, score: f64, aspect: Option<Aspect>) -> Scored {
        let at = Timestamp::from_secs(0).unwrap();
        Scored { at, value, score, band: None, aspect, model: ModelVersion::at(at) }
    }

    fn told(point: &Scored, usual: Usual, mean: Mean) -> String {
        anomaly(&MetricName::parse("orders").unwrap(), point, &usual, mean)
    }

    #[track_caller]
    fn check(value: f64, (lower, middle, upper): (f64, f64, f64), expected: &str) {
        let usual = Usual::Expected(Band { expected: middle, lower, upper });
        assert_eq!(told(&point(value, 0.98, None), usual, Mean::of(0.98, 1)), expected);
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

    #[track_caller]
    fn check_aspect(point: &Scored, n_scores: usize, expected: &str) {
        let usual = Usual::Expected(Band { expected: 2.0, lower: 1.0, upper: 3.0 });
        let text = told(point, usual, Mean::of(0.9, n_scores));
        let why = text.split_once("(2): ").unwrap().1;
        assert_eq!(why.split_once(" (").unwrap().0, expected);
    }

    #[test]
    fn an_anomaly_says_which_side_of_the_metric_is_unusual() {
        let inside = |aspect| point(1.5, 0.98, Some(aspect));
        let outside = |aspect| point(4.0, 0.98, Some(aspect));
        let frozen = "inside that range, but it has stopped changing";
        check_aspect(&inside(Aspect::Frozen), 1, frozen);
        check_aspect(&inside(Aspect::Frozen), 3, frozen);
        let novel = "100 % above; no value like it was seen before";
        check_aspect(&outside(Aspect::NovelValue), 1, novel);
        check_aspect(&outside(Aspect::Value), 1, "100 % above, unusual for this time");
    }

    #[test]
    fn an_anomaly_of_earlier_scores_says_nothing_of_a_usual_point() {
        let usual = point(1.5, 0.1, Some(Aspect::Frozen));
        check_aspect(&usual, 3, "back in that range, unusual for this time");
    }

    #[test]
    fn an_anomaly_without_a_range_says_what_made_it() {
        let earlier = Usual::Earlier { median: 2.0, n_points: 24 };
        let one = Mean::of(0.98, 1);
        let [far, course, unknown] = [Some(Aspect::Value), Some(Aspect::Course), None]
            .map(|aspect| told(&point(4.0, 0.98, aspect), earlier, one));
        let before = "orders was 4, while the 24 points before it had a median of 2: 100 % above";
        assert_eq!(far, format!("{before}; far from its usual values (score 0.98)"));
        let end = "the course of its newest values is unusual (score 0.98)";
        assert_eq!(course, format!("{before}; {end}"));
        assert_eq!(unknown, format!("{before}, an unusual course (score 0.98)"));
        let first = told(&point(4.0, 0.98, Some(Aspect::Value)), Usual::Unknown, one);
        assert_eq!(first, "orders was 4: far from its usual values (score 0.98)");
    }

    #[test]
    fn a_metric_name_cannot_break_the_line() {
        let metric = MetricName::parse("a\nb\u{1b}[31m").unwrap();
        let text = absence(&metric, Span::hours(5), Span::hours(2));
        assert_eq!(text, "a\\nb\\u{1b}[31m was silent for 5h, longer than 2h");
    }
}
