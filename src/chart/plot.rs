//! The large chart: values with the expected band, alerts, and the score below on the same time
//! axis.

use std::collections::BTreeMap;

use chrono_tz::Tz;

use crate::domain::{Band, Judged, ScorePoint, Severity, Timestamp};

use super::{
    Window,
    axis::{Scale, time_ticks},
    sample::{Dot, foremost, thinned, unbroken},
    svg::{ACROSS, coordinate, escape, path, percent},
};

/// Pixels from the top: the values, the time labels, the scores.
const VALUES_TOP: f64 = 18.0;
const VALUES_HEIGHT: f64 = 264.0;
const LABELS_AT: f64 = 303.0;
const SCORES_TOP: f64 = 330.0;
const SCORES_HEIGHT: f64 = 72.0;
pub(super) const HEIGHT: f64 = 412.0;
/// Labels closer to an edge than this would be cut off.
const EDGE: f64 = 0.025;
const N_VALUE_TICKS: usize = 6;
const N_TIME_TICKS: i64 = 9;
/// More marks than this hide the line they mark.
const MAX_MARKS: usize = 200;
/// A shorter stretch, as a share of the window, could not be seen.
const MIN_STRETCH: f64 = 0.002;

/// An alert on the chart.
#[derive(Debug, Clone)]
pub(crate) struct Mark {
    pub(crate) at: Timestamp,
    pub(crate) since: Timestamp,
    /// Where on the value axis; `None` puts it on the floor.
    pub(crate) value: Option<f64>,
    pub(crate) severity: Severity,
    /// Where a press on it leads; empty leads nowhere.
    pub(crate) href: String,
    /// Shown when the pointer rests on it.
    pub(crate) title: String,
}

/// What the chart shows. Everything is chronological and finite.
#[derive(Debug)]
pub(crate) struct Plot<'a> {
    pub(crate) window: Window,
    pub(crate) tz: Tz,
    pub(crate) values: &'a [Dot],
    pub(crate) scores: &'a [ScorePoint],
    /// The score that alerts.
    pub(crate) threshold: f64,
    pub(crate) marks: &'a [Mark],
    /// What the chart shows, for those who do not see it.
    pub(crate) label: &'a str,
}

impl Plot<'_> {
    /// The chart as SVG text.
    pub(crate) fn render(&self) -> String {
        let bands: Vec<(Timestamp, Band)> =
            self.scores.iter().filter_map(|score| Some((score.at, score.band?))).collect();
        let seen =
            self.values.iter().map(|dot| dot.1).chain(self.marks.iter().filter_map(|m| m.value));
        let expected = bands.iter().flat_map(|(_, band)| [band.lower, band.upper]);
        let scale = match self.values.is_empty() {
            true => Scale::around(expected),
            false => Scale::around(seen).widened(Scale::around(expected)),
        };
        let parts = [
            self.grid(&scale),
            self.unusual_stretches(),
            self.value_lines(&scale, &bands),
            self.score_lines(),
            self.labels(&scale),
            self.alert_marks(&scale),
        ];
        format!(
            r#"<svg class="plot" role="group" aria-label="{}" width="100%" height="{HEIGHT}">{}</svg>"#,
            escape(self.label),
            parts.concat()
        )
    }

    /// The rows behind the read-out, for the page's script:
    /// `[[seconds, value, lower, expected, upper, score, why], …]`, with `null` for what is not known;
    /// `why` are words for what is unusual about the value.
    pub(crate) fn rows(&self) -> String {
        let mut rows: BTreeMap<Timestamp, (Option<f64>, Option<&ScorePoint>)> =
            self.values.iter().map(|(at, value)| (*at, (Some(*value), None))).collect();
        for score in self.scores {
            rows.entry(score.at).or_insert((None, None)).1 = Some(score);
        }
        let rows: Vec<_> = rows.into_iter().collect();
        let weight = |row: &(Timestamp, (Option<f64>, Option<&ScorePoint>))| {
            row.1.1.map_or(-1.0, |score| score.score)
        };
        let rows = foremost(&rows, &self.window, |row| row.0, weight);
        let texts: Vec<String> = rows
            .into_iter()
            .map(|(at, (value, score))| {
                let band = score.and_then(|score| score.band);
                let numbers = [
                    value.or(score.map(|score| score.value)),
                    band.map(|band| band.lower),
                    band.map(|band| band.expected),
                    band.map(|band| band.upper),
                    score.map(|score| score.score),
                ];
                let numbers: Vec<String> = numbers.into_iter().map(json_number).collect();
                // The words are the program's own and hold nothing that JSON would escape.
                let why = score.and_then(|score| Judged::from(score).notable());
                let why = why.map_or("null".to_owned(), |words| format!("\"{words}\""));
                format!("[{},{},{why}]", at.secs(), numbers.join(","))
            })
            .collect();
        format!("[{}]", texts.join(","))
    }

    fn across(&self, at: Timestamp) -> f64 {
        self.window.share(at) * ACROSS
    }

    fn grid(&self, scale: &Scale) -> String {
        let mut text = String::new();
        for (value, _) in scale.ticks(N_VALUE_TICKS) {
            let y = coordinate(VALUES_TOP + scale.down(value, VALUES_HEIGHT));
            text.push_str(&format!(r#"<line class="grid" x1="0" x2="100%" y1="{y}" y2="{y}"/>"#));
        }
        let bottom = VALUES_TOP + VALUES_HEIGHT;
        for (n, (at, _)) in self.times().into_iter().enumerate() {
            let (x, rank) = (percent(self.window.share(at)), rank(n));
            text.push_str(&format!(
                r#"<line class="grid{rank}" x1="{x}" x2="{x}" y1="{VALUES_TOP}" y2="{bottom}"/>"#
            ));
        }
        text
    }

    /// The words of the axes; they lie over the lines, which would hide them.
    fn labels(&self, scale: &Scale) -> String {
        let mut text = String::new();
        for (value, label) in scale.ticks(N_VALUE_TICKS) {
            let y = coordinate(VALUES_TOP + scale.down(value, VALUES_HEIGHT) - 4.0);
            text.push_str(&format!(r#"<text class="tick" x="2" y="{y}">{label}</text>"#));
        }
        for (n, (at, label)) in self.times().into_iter().enumerate() {
            let share = self.window.share(at);
            if (EDGE..=1.0 - EDGE).contains(&share) {
                let (x, rank) = (percent(share), rank(n));
                text.push_str(&format!(
                    r#"<text class="tick time{rank}" x="{x}" y="{LABELS_AT}">{label}</text>"#
                ));
            }
        }
        text
    }

    fn times(&self) -> Vec<(Timestamp, String)> {
        time_ticks(&self.window, self.tz, N_TIME_TICKS)
    }

    fn value_lines(&self, scale: &Scale, bands: &[(Timestamp, Band)]) -> String {
        let mut text = stretched(VALUES_TOP, VALUES_HEIGHT);
        let down = |value: f64| scale.down(value, VALUES_HEIGHT);
        for run in unbroken(bands, |band| band.0) {
            let line = |pick: fn(&Band) -> f64| -> Vec<(f64, f64)> {
                let dots: Vec<Dot> = run.iter().map(|(at, band)| (*at, pick(band))).collect();
                let thin = thinned(&dots, &self.window);
                thin.into_iter().map(|(at, value)| (self.across(at), down(value))).collect()
            };
            let mut outline = line(|band| band.upper);
            outline.extend(line(|band| band.lower).into_iter().rev());
            text.push_str(&format!(r#"<path class="band" d="{}Z"/>"#, path(&outline)));
            let expected = path(&line(|band| band.expected));
            text.push_str(&format!(r#"<path class="expected" d="{expected}"/>"#));
        }
        let mut line = String::new();
        for run in unbroken(self.values, |dot| dot.0) {
            let thin = thinned(run, &self.window).into_iter();
            let points: Vec<(f64, f64)> =
                thin.map(|(at, value)| (self.across(at), down(value))).collect();
            line.push_str(&path(&points));
        }
        text.push_str(&format!(r#"<path class="value" d="{line}"/></svg>"#));
        text
    }

    fn score_lines(&self) -> String {
        let scale = Scale::unit();
        let mut text = stretched(SCORES_TOP, SCORES_HEIGHT);
        let dots: Vec<Dot> = self.scores.iter().map(|score| (score.at, score.score)).collect();
        let down = |score: f64| scale.down(score, SCORES_HEIGHT);
        for run in unbroken(&dots, |dot| dot.0) {
            let points: Vec<(f64, f64)> = thinned(run, &self.window)
                .into_iter()
                .map(|(at, score)| (self.across(at), down(score)))
                .collect();
            let (Some(first), Some(last)) = (points.first(), points.last()) else { continue };
            let (from, to) = (coordinate(first.0), coordinate(last.0));
            let line = path(&points);
            text.push_str(&format!(
                r#"<path class="score-area" d="{line}L{to} {SCORES_HEIGHT}L{from} {SCORES_HEIGHT}Z"/><path class="score" d="{line}"/>"#
            ));
        }
        let hot: String = dots
            .iter()
            .filter(|dot| self.threshold <= dot.1)
            .map(|(at, score)| {
                let x = coordinate(self.across(*at));
                format!("M{x} {SCORES_HEIGHT}V{}", coordinate(down(*score)))
            })
            .collect();
        text.push_str(&format!(r#"<path class="score-hot" d="{hot}"/></svg>"#));
        let limit = coordinate(SCORES_TOP + down(self.threshold));
        let floor = SCORES_TOP + SCORES_HEIGHT;
        text.push_str(&format!(
            concat!(
                r#"<line class="threshold" x1="0" x2="100%" y1="{limit}" y2="{limit}"/>"#,
                r#"<line class="grid" x1="0" x2="100%" y1="{floor}" y2="{floor}"/>"#,
                r#"<text class="tick" x="2" y="{words}">score</text>"#
            ),
            limit = limit,
            floor = floor,
            words = SCORES_TOP - 5.0,
        ));
        text
    }

    /// The newest marks in the window: more would hide the line.
    fn shown_marks(&self) -> Vec<&Mark> {
        let mut inside: Vec<&Mark> =
            self.marks.iter().filter(|mark| self.window.holds(mark.at)).collect();
        inside.split_off(inside.len().saturating_sub(MAX_MARKS))
    }

    /// Shades the stretches that alerts cover, each instant once.
    fn unusual_stretches(&self) -> String {
        let mut stretches: Vec<(f64, f64)> = Vec::new();
        for mark in self.shown_marks() {
            let end = self.window.share(mark.at);
            let start = self.window.share(mark.since).clamp(0.0, end).min(end - MIN_STRETCH);
            match stretches.last_mut().filter(|last| start <= last.1) {
                Some(last) => *last = (last.0.min(start), end),
                None => stretches.push((start, end)),
            }
        }
        let rect = |(start, end): (f64, f64)| {
            let (x, width) = (percent(start.max(0.0)), percent(end - start.max(0.0)));
            format!(
                r#"<rect class="unusual" x="{x}" width="{width}" y="{VALUES_TOP}" height="{VALUES_HEIGHT}"/>"#
            )
        };
        stretches.into_iter().map(rect).collect()
    }

    fn alert_marks(&self, scale: &Scale) -> String {
        let mark = |mark: &Mark| {
            let y = mark.value.map_or(VALUES_HEIGHT, |value| scale.down(value, VALUES_HEIGHT));
            let (open, close) = match mark.href.as_str() {
                "" => ("<g".to_owned(), "</g>"),
                href => (format!(r#"<a href="{}""#, escape(href)), "</a>"),
            };
            format!(
                concat!(
                    r#"{open} class="mark {severity}"><title>{title}</title>"#,
                    r#"<circle cx="{x}" cy="{y}" r="5"/>{close}"#
                ),
                open = open,
                close = close,
                severity = mark.severity,
                title = escape(&mark.title),
                x = percent(self.window.share(mark.at)),
                y = coordinate(VALUES_TOP + y),
            )
        };
        self.shown_marks().into_iter().map(mark).collect()
    }
}

/// Every second time is left out on narrow screens.
const fn rank(n: usize) -> &'static str {
    if n % 2 == 1 { " minor" } else { "" }
}

/// Opens a drawing that is stretched across and keeps its pixels down.
fn stretched(top: f64, height: f64) -> String {
    format!(
        r#"<svg x="0" y="{top}" width="100%" height="{height}" viewBox="0 0 {ACROSS} {height}" preserveAspectRatio="none">"#
    )
}

/// Seven significant digits are finer than any screen.
fn json_number(number: Option<f64>) -> String {
    let Some(number) = number.filter(|number| number.is_finite()) else {
        return "null".to_owned();
    };
    let rounded: f64 = format!("{number:.6e}").parse().unwrap_or(number);
    if rounded != 0.0 && (rounded.abs() < 1e-6 || 1e15 <= rounded.abs()) {
        format!("{rounded:e}")
    } else {
        format!("{rounded}")
    }
}

#[cfg(test)]
mod tests {
    use crate::domain::{Aspect, MetricName, ModelVersion};

    use super::*;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_secs(1_767_225_600 + hours * 3_600).unwrap()
    }

    fn scores(n_hours: i64) -> Vec<ScorePoint> {
        let band = Band { expected: 10.0, lower: 8.0, upper: 12.0 };
        (0..n_hours)
            .map(|hour| ScorePoint {
                metric: MetricName::parse("orders").unwrap(),
                at: at(hour),
                value: 10.0,
                score: if hour == 20 { 0.99 } else { 0.2 },
                band: Some(band),
                aspect: None,
                model: ModelVersion::at(at(0)),
            })
            .collect()
    }

    fn mark(hour: i64, title: &str) -> Mark {
        Mark {
            at: at(hour),
            since: at(hour - 2),
            value: Some(30.0),
            severity: Severity::Critical,
            href: "/alerts/a".into(),
            title: title.into(),
        }
    }

    #[test]
    fn the_chart_shows_line_band_score_threshold_and_alerts() {
        let values: Vec<Dot> =
            (0..48).map(|hour| (at(hour), if hour == 20 { 30.0 } else { 10.0 })).collect();
        let scores = scores(48);
        let marks = [mark(20, "<script>"), mark(500, "outside")];
        let plot = Plot {
            window: Window { from: at(0), to: at(48) },
            tz: Tz::UTC,
            values: &values,
            scores: &scores,
            threshold: 0.9,
            marks: &marks,
            label: "orders",
        };
        let svg = plot.render();
        for class in ["value", "band", "expected", "score", "score-hot"] {
            assert_eq!(svg.matches(&format!(r#"<path class="{class}""#)).count(), 1, "{class}");
        }
        assert_eq!(svg.matches(r#"class="mark critical""#).count(), 1);
        assert_eq!(svg.matches("V").count(), 1, "one score is over the threshold");
        assert!(!svg.contains("<script>") && svg.contains("&lt;script&gt;"), "{svg}");
        assert_eq!(svg.matches(r#"class="unusual" x="37.50%" width="4.17%""#).count(), 1, "{svg}");
        assert!(svg.contains(">12:00<"), "{svg}");
        assert!(!svg.contains("NaN") && !svg.contains("style="), "{svg}");
    }

    #[test]
    fn a_gap_breaks_the_line_in_two() {
        let values: Vec<Dot> =
            (0..48).filter(|hour| !(10..20).contains(hour)).map(|h| (at(h), 1.0)).collect();
        let plot = Plot {
            window: Window { from: at(0), to: at(48) },
            tz: Tz::UTC,
            values: &values,
            scores: &[],
            threshold: 0.9,
            marks: &[],
            label: "",
        };
        let svg = plot.render();
        let line =
            svg.split(r#"<path class="value" d=""#).nth(1).unwrap().split('"').next().unwrap();
        assert_eq!(line.matches('M').count(), 2, "{line}");
    }

    #[test]
    fn read_out_rows_join_values_and_scores_by_time() {
        let values = [(at(0), 10.123_456_789), (at(2), f64::MAX)];
        let mut scores = scores(2);
        scores[1] = ScorePoint { score: 0.9, aspect: Some(Aspect::Frozen), ..scores[1].clone() };
        let plot = Plot {
            window: Window { from: at(0), to: at(3) },
            tz: Tz::UTC,
            values: &values,
            scores: &scores,
            threshold: 0.9,
            marks: &[],
            label: "",
        };
        assert_eq!(
            plot.rows(),
            "[[1767225600,10.12346,8,10,12,0.2,null],\
             [1767229200,10,8,10,12,0.9,\"it has stopped changing\"],\
             [1767232800,1.797693e308,null,null,null,null,null]]"
        );
    }
}
