//! Why a score is what it is, in one line for people: of every score, alert or not.

use super::{Aspect, Band, ScorePoint, words};

/// From this many times the expected value on, a ratio is easier to read than a percentage.
const RATIO_FROM: f64 = 10.0;
/// Scores from which a value is called more than usual, and what it is called.
const GRADES: [(f64, &str); 3] =
    [(0.97, "very unusual"), (0.8, "unusual"), (0.5, "slightly unusual")];
/// Below the lowest of them.
const USUAL: &str = "usual";

/// A score with what is known of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judged {
    /// The value that was scored.
    pub value: f64,
    /// In [0, 1].
    pub score: f64,
    /// What was expected, where known.
    pub band: Option<Band>,
    /// What made the score, where known.
    pub aspect: Option<Aspect>,
}

impl From<&ScorePoint> for Judged {
    fn from(point: &ScorePoint) -> Self {
        let ScorePoint { value, score, band, aspect, .. } = *point;
        Self { value, score, band, aspect }
    }
}

impl Judged {
    /// `unusual: 812, expected 1,040 to 1,260 (1,150): 29 % below; no value like it was seen
    /// before`.
    pub fn reason(&self) -> String {
        let value = words::number(self.value);
        let compared = self.band.map_or_else(String::new, |band| {
            let [expected, lower, upper] =
                [band.expected, band.lower, band.upper].map(words::number);
            let place = match band.lower <= self.value && self.value <= band.upper {
                true => "inside that range".to_owned(),
                false => change(self.value, band.expected),
            };
            format!(", expected {lower} to {upper} ({expected}): {place}")
        });
        let aspect = self.notable().map_or_else(String::new, |words| format!("; {words}"));
        format!("{}: {value}{compared}{aspect}", self.grade())
    }

    /// What makes the value stand out; nothing where it does not, or where nobody knows.
    pub fn notable(&self) -> Option<&'static str> {
        let is_told = GRADES.iter().any(|(from, _)| *from <= self.score)
            || self.aspect == Some(Aspect::Repeated);
        self.aspect.filter(|_| is_told).map(Aspect::words)
    }

    /// The score as a word.
    pub fn grade(&self) -> &'static str {
        GRADES.iter().find(|(from, _)| *from <= self.score).map_or(USUAL, |(_, name)| name)
    }
}

/// How far a value is from another, in the words that fit the size.
pub fn change(value: f64, usual: f64) -> String {
    if value == usual {
        return "no change".to_owned();
    }
    let side = if usual < value { "above" } else { "below" };
    let ratio = value / usual;
    if usual == 0.0 || !ratio.is_finite() {
        return format!("{} {side}", words::number((value - usual).abs()));
    }
    if RATIO_FROM <= ratio {
        return format!("{} times as much", words::number(ratio));
    }
    let percent = 100.0 * ((value - usual) / usual).abs();
    match percent {
        p if p < 1.0 => format!("less than 1 % {side}"),
        p if 100.0 * RATIO_FROM <= p => format!("{} {side}", words::number((value - usual).abs())),
        p => format!("{p:.0} % {side}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: f64, score: f64, aspect: Option<Aspect>, expected: &str) {
        let band = Some(Band { expected: 1_150.0, lower: 1_040.0, upper: 1_260.0 });
        assert_eq!(Judged { value, score, band, aspect }.reason(), expected);
    }

    #[test]
    fn a_score_is_told_with_what_was_expected_and_what_made_it() {
        check(
            1_100.0,
            0.2,
            Some(Aspect::Level),
            "usual: 1,100, expected 1,040 to 1,260 (1,150): inside that range",
        );
        check(
            812.0,
            0.9,
            Some(Aspect::NovelValue),
            "unusual: 812, expected 1,040 to 1,260 (1,150): 29 % below; no value like it was seen \
             before",
        );
        check(
            1_100.0,
            0.98,
            Some(Aspect::Frozen),
            "very unusual: 1,100, expected 1,040 to 1,260 (1,150): inside that range; it has \
             stopped changing",
        );
        check(
            812.0,
            0.0,
            Some(Aspect::Repeated),
            "usual: 812, expected 1,040 to 1,260 (1,150): 29 % below; no worse than in the hours \
             before",
        );
    }

    #[test]
    fn a_score_of_which_little_is_known_says_only_that() {
        let judged = Judged { value: 5.0, score: 0.6, band: None, aspect: None };
        assert_eq!(judged.reason(), "slightly unusual: 5");
        let judged = Judged { aspect: Some(Aspect::Course), ..judged };
        let expected = "slightly unusual: 5; the course of its newest values is unusual";
        assert_eq!(judged.reason(), expected);
    }

    #[test]
    fn a_change_of_sign_keeps_its_side() {
        assert_eq!(change(5.0, -10.0), "150 % above");
        assert_eq!(change(-15.0, -10.0), "50 % below");
        assert_eq!(change(1e300, -1e-300), "1e300 above");
        assert_eq!(change(100.4, 100.0), "less than 1 % above");
    }
}
