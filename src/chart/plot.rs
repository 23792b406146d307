//! The large chart: values with the expected band, alerts, and the score below on the same time
//! axis.

use std::collections::BTreeMap;

use chrono_tz::Tz;

use crate::domain::{Band, Judged, ScorePoint, Timestamp, words};

use super::{
    Mark, Window,
    axis::{Scale, time_ticks},
    mark,
    sample::{Dot, SCREEN_COLUMNS, foremost},
    svg::{ACROSS, coordinate, escape, percent},
    trace::{BandPaths, Field, bands_of, dots_of},
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
    /// Fixed values not to be crossed; those near the values are drawn.
    pub(crate) limits: &'a [f64],
    /// What the chart shows, for those who do not see it.
    pub(crate) label: &'a str,
}

impl Plot<'_> {
    /// The chart as SVG text.
    pub(crate) fn render(&self) -> String {
        let bands = bands_of(self.scores);
        let seen =
            self.values.iter().map(|dot| dot.1).chain(self.marks.iter().filter_map(|m| m.value));
        let scale = Scale::of(seen, &bands, !self.values.is_empty());
        let (scale, limits) = scale.with_limits(self.limits);
        let parts = [
            self.grid(&scale),
            self.unusual_stretches(),
            self.value_lines(&scale, &bands),
            limits.iter().map(|limit| limit_line(&scale, *limit)).collect(),
            self.score_lines(),
            self.labels(&scale),
            self.alert_marks(&scale),
        ];
        format!(
            r#"<svg class="plot" role="group" aria-label="{}" width="100%" height="{HEIGHT}">{}</svg>"#,
            escape(&words::one_line(self.label)),
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

    /// A stretched drawing's inside.
    const fn field(&self, scale: Scale, height: f64) -> Field<'_> {
        let columns = SCREEN_COLUMNS;
        Field { window: &self.window, scale, left: 0.0, top: 0.0, width: ACROSS, height, columns }
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
        let field = self.field(*scale, VALUES_HEIGHT);
        if !bands.is_empty() {
            let BandPaths { outline, expected } = field.band(bands);
            text.push_str(&format!(
                r#"<path class="band" d="{outline}"/><path class="expected" d="{expected}"/>"#
            ));
        }
        text.push_str(&format!(r#"<path class="value" d="{}"/></svg>"#, field.line(self.values)));
        text
    }

    fn score_lines(&self) -> String {
        let mut text = stretched(SCORES_TOP, SCORES_HEIGHT);
        let field = self.field(Scale::unit(), SCORES_HEIGHT);
        let dots = dots_of(self.scores);
        if !dots.is_empty() {
            let (area, line) = (field.area(&dots), field.line(&dots));
            text.push_str(&format!(
                r#"<path class="score-area" d="{area}"/><path class="score" d="{line}"/>"#
            ));
        }
        let hot = field.spikes(&dots, self.threshold);
        text.push_str(&format!(r#"<path class="score-hot" d="{hot}"/></svg>"#));
        let limit = coordinate(SCORES_TOP + field.y(self.threshold));
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

    /// Shades the stretches that alerts cover.
    fn unusual_stretches(&self) -> String {
        let rect = |(start, end): (f64, f64)| {
            let (x, width) = (percent(start), percent(end - start));
            format!(
                r#"<rect class="unusual" x="{x}" width="{width}" y="{VALUES_TOP}" height="{VALUES_HEIGHT}"/>"#
            )
        };
        mark::stretches(self.marks, &self.window).into_iter().map(rect).collect()
    }

    fn alert_marks(&self, scale: &Scale) -> String {
        let circle = |mark: &Mark| {
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
                title = escape(&words::one_line(&mark.title)),
                x = percent(self.window.share(mark.at)),
                y = coordinate(VALUES_TOP + y),
            )
        };
        mark::shown(self.marks, &self.window).into_iter().map(circle).collect()
    }
}

fn limit_line(scale: &Scale, limit: f64) -> String {
    let y = coordinate(VALUES_TOP + scale.down(limit, VALUES_HEIGHT));
    format!(r#"<line class="limit" x1="0" x2="100%" y1="{y}" y2="{y}"/>"#)
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
