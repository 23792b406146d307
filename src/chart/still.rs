//! A chart that stands alone, for messages and files: fixed size, its own colours, no style sheet,
//! readable on a phone. All of it is drawn in pixels of the size asked for.

use chrono_tz::Tz;

use crate::domain::{Band, BatchSpec, MetricName, ScorePoint, Severity, Timestamp, words};

use super::{
    Mark, Window,
    axis::{Scale, time_ticks},
    label::{Look, TEXT, TITLE, label, width_of},
    mark,
    sample::Dot,
    svg::{coordinate, escape},
    trace::{BandPaths, Field, bands_of, dots_of},
};

/// Pixels.
const MARGIN: f64 = 10.0;
const HEAD: f64 = 44.0;
const FOOT: f64 = 22.0;
const SCORES_HEIGHT: f64 = 30.0;
const SCORES_GAP: f64 = 10.0;
/// Room for a label of the value axis, and a label's usual distance from the next.
const VALUE_LABEL_GAP: f64 = 26.0;
const TIME_LABEL_GAP: f64 = 52.0;
/// Between two small charts.
const GAP: f64 = 8.0;
/// A shaded stretch is never narrower.
const MIN_STRETCH: f64 = 3.0;
/// Screens of phones draw three dots for a pixel; two are as fine as a line of 1.5 pixels needs.
const COLUMNS_PER_PIXEL: f64 = 2.0;

const GRID: &str = "#e2e6ec";
const BLUE: &str = "#3451c6";
const RED: &str = "#d93025";
const AMBER: &str = "#e08a00";
const FONTS: &str = "Ubuntu, system-ui, 'Segoe UI', Roboto, 'Noto Sans', sans-serif";

/// What a chart that stands alone shows. Values, scores and marks are chronological and finite.
#[derive(Debug, Clone)]
pub(crate) struct Picture {
    /// What is measured, as people call it; any text.
    pub(crate) title: String,
    /// Of the values; any text.
    pub(crate) unit: Option<String>,
    /// A line below the title; empty for none.
    pub(crate) caption: String,
    pub(crate) window: Window,
    /// Zone of the times on it.
    pub(crate) tz: Tz,
    pub(crate) values: Vec<Dot>,
    /// With the expected bands; without scores there is no strip of them.
    pub(crate) scores: Vec<ScorePoint>,
    /// The score that alerts.
    pub(crate) threshold: Option<f64>,
    /// Fixed values not to be crossed, where the batch sets some; those near the values are drawn.
    pub(crate) limits: Vec<f64>,
    /// Alerts: their stretches are shaded, their points marked.
    pub(crate) marks: Vec<Mark>,
}

/// Pixels across and down.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Size {
    pub(crate) width: f64,
    pub(crate) height: f64,
}

impl Size {
    /// Of a chart in a message: as wide as a phone.
    pub(crate) const MESSAGE: Self = Self { width: 480.0, height: 270.0 };
    /// Dots a pixel in a message: phones have two or three.
    pub(crate) const SCALE: f64 = 2.0;
    /// The narrowest and the widest chart that can be asked for.
    pub(crate) const WIDTHS: (f64, f64) = (200.0, 2_000.0);
    /// The lowest and the highest.
    pub(crate) const HEIGHTS: (f64, f64) = (120.0, 2_000.0);
    /// The fewest and the most dots a pixel.
    pub(crate) const SCALES: (f64, f64) = (0.5, 4.0);
}

/// A finished SVG document.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Svg {
    /// The document.
    pub(crate) text: String,
    /// In pixels at scale 1.
    pub(crate) size: Size,
}

/// One metric's chart as an SVG document: values, the expected band, the score with its
/// threshold, alerts.
pub(crate) fn alert_chart(picture: &Picture, size: Size) -> Svg {
    document(&picture.title, size, &picture.draw(Frame { left: 0.0, top: 0.0, size }))
}

/// Several charts in one document, row by row in so many columns; each as large as `each`.
pub(crate) fn multiples(title: &str, pictures: &[Picture], columns: usize, each: Size) -> Svg {
    let columns = columns.clamp(1, pictures.len().max(1));
    let n_rows = pictures.len().div_ceil(columns).max(1);
    let head = MARGIN + TITLE + MARGIN;
    let size = Size {
        width: columns as f64 * (each.width + GAP) - GAP,
        height: head + n_rows as f64 * (each.height + GAP) - GAP,
    };
    let mut inner = label(title, (MARGIN, MARGIN + TITLE), Look::title(size.width));
    for (n, picture) in pictures.iter().enumerate() {
        let left = (n % columns) as f64 * (each.width + GAP);
        let top = head + (n / columns) as f64 * (each.height + GAP);
        inner.push_str(&picture.draw(Frame { left, top, size: each }));
    }
    document(title, size, &inner)
}

fn document(title: &str, size: Size, inner: &str) -> Svg {
    let (width, height) = (coordinate(size.width), coordinate(size.height));
    let text = format!(
        concat!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" "#,
            r#"viewBox="0 0 {width} {height}" role="img" aria-label="{title}" "#,
            r#"font-family="{fonts}" font-size="{text}">"#,
            r##"<rect width="{width}" height="{height}" fill="#ffffff"/>{inner}</svg>"##,
            "\n"
        ),
        width = width,
        height = height,
        title = escape(&words::shown(title)),
        fonts = FONTS,
        text = TEXT,
        inner = inner,
    );
    Svg { text, size }
}

/// Where on the document a chart lies.
#[derive(Debug, Clone, Copy)]
struct Frame {
    left: f64,
    top: f64,
    size: Size,
}

impl Picture {
    /// Nothing yet, with the name, unit and zone that the batch gives the metric.
    pub(crate) fn blank(batch: &BatchSpec, metric: &MetricName) -> Self {
        let own = batch.metrics.get(metric);
        let name = own.and_then(|own| own.display_name.clone());
        Self {
            title: name.unwrap_or_else(|| metric.to_string()),
            unit: own.and_then(|own| own.unit.clone()),
            caption: String::new(),
            window: Window { from: Timestamp::MIN, to: Timestamp::MAX },
            tz: batch.timezone,
            values: Vec::new(),
            scores: Vec::new(),
            threshold: None,
            limits: Vec::new(),
            marks: Vec::new(),
        }
    }

    fn draw(&self, frame: Frame) -> String {
        let bands = bands_of(&self.scores);
        let marked = self.marks.iter().filter_map(|mark| mark.value);
        let seen = self.values.iter().map(|dot| dot.1).chain(marked);
        let (scale, limits) = Scale::of(seen, &bands, !self.is_empty()).with_limits(&self.limits);
        let strip = if self.scores.is_empty() { 0.0 } else { SCORES_GAP + SCORES_HEIGHT };
        let height = (frame.size.height - HEAD - FOOT - strip).max(1.0);
        let ticks = scale.ticks(((height / VALUE_LABEL_GAP) as usize).clamp(2, 8));
        let widest = ticks.iter().map(|(_, label)| width_of(label, TEXT)).fold(0.0, f64::max);
        let gutter = widest.max(width_of("score", TEXT)) + MARGIN + 5.0;
        let (left, top) = (frame.left + gutter, frame.top + HEAD);
        let width = (frame.size.width - gutter - MARGIN).max(1.0);
        let columns = (width * COLUMNS_PER_PIXEL) as usize;
        let field = Field { window: &self.window, scale, left, top, width, height, columns };
        let scores_top = top + height + SCORES_GAP;
        let floor = if strip == 0.0 { top + height } else { scores_top + SCORES_HEIGHT };
        let scores =
            Field { scale: Scale::unit(), top: scores_top, height: SCORES_HEIGHT, ..field };
        [
            self.head(frame),
            value_axis(&field, &ticks),
            self.time_axis(&field, floor),
            self.stretches(&field, floor),
            self.lines(&field, &bands, &limits),
            if strip == 0.0 { String::new() } else { self.strip(&scores) },
            self.circles(&field),
            if self.is_empty() { nothing(&field) } else { String::new() },
        ]
        .concat()
    }

    fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Title with unit, caption, and the day and zone the time axis ends in.
    fn head(&self, frame: Frame) -> String {
        let Frame { left, top, size } = frame;
        let right = left + size.width - MARGIN;
        let day = self.window.to.to_utc().with_timezone(&self.tz).format("%-d %b %Y");
        let zone = format!("to {day}, {}", self.tz.name());
        let room = size.width - 2.0 * MARGIN;
        let mut title = words::shown(&self.title);
        if let Some(unit) = &self.unit {
            title = format!("{title} ({})", words::shown(unit));
        }
        let caption = words::shown(&self.caption);
        let zone_room = width_of(&zone, TEXT) + MARGIN;
        // On a narrow chart the title is worth more than the zone.
        let has_zone = 2.0 * zone_room < room;
        let title_room = if has_zone { room - zone_room } else { room };
        let mut text = label(&title, (left + MARGIN, top + 19.0), Look::title(title_room));
        text.push_str(&label(&caption, (left + MARGIN, top + 36.0), Look::text(room)));
        if has_zone {
            let look = Look::text(room).ending();
            text.push_str(&label(&zone, (right, top + 19.0), look));
        }
        text
    }

    fn time_axis(&self, field: &Field<'_>, floor: f64) -> String {
        let target = (field.width / TIME_LABEL_GAP) as i64;
        let mut text = String::new();
        for (at, name) in time_ticks(&self.window, self.tz, target.max(1)) {
            let x = field.x(at);
            text.push_str(&line((x, field.top), (x, floor), GRID));
            let half = width_of(&name, TEXT) / 2.0;
            // A label at the edge is moved in, not cut off.
            let x = x.min(field.left + field.width + MARGIN - half - 2.0);
            let look = Look::text(field.width).centred();
            text.push_str(&label(&name, (x, floor + 15.0), look));
        }
        text
    }

    /// Shades what the alerts cover, values and scores alike.
    fn stretches(&self, field: &Field<'_>, floor: f64) -> String {
        let shade = |(start, end): (f64, f64)| {
            let width = ((end - start) * field.width).max(MIN_STRETCH);
            let x = field.left + end * field.width - width;
            format!(
                r#"<rect x="{}" y="{}" width="{}" height="{}" fill="{RED}" fill-opacity=".13"/>"#,
                coordinate(x.max(field.left)),
                coordinate(field.top),
                coordinate(width),
                coordinate(floor - field.top)
            )
        };
        mark::stretches(&self.marks, &self.window).into_iter().map(shade).collect()
    }

    fn lines(&self, field: &Field<'_>, bands: &[(Timestamp, Band)], limits: &[f64]) -> String {
        let BandPaths { outline, expected } = field.band(bands);
        let stroke = r#"fill="none" stroke-linecap="round" stroke-linejoin="round""#;
        let mut text = String::new();
        if !bands.is_empty() {
            text.push_str(&format!(
                concat!(
                    r#"<path d="{outline}" fill="{blue}" fill-opacity=".16"/>"#,
                    r##"<path d="{expected}" {stroke} stroke="#7f8fd6" stroke-dasharray="3 4"/>"##
                ),
                outline = outline,
                expected = expected,
                blue = BLUE,
                stroke = stroke,
            ));
        }
        for limit in limits {
            text.push_str(&dashed(field, *limit));
        }
        let values = field.line(&self.values);
        text.push_str(&format!(
            r#"<path d="{values}" {stroke} stroke="{BLUE}" stroke-width="1.6"/>"#
        ));
        text
    }

    /// The score from 0 to 1, red where it reaches the threshold.
    fn strip(&self, field: &Field<'_>) -> String {
        let dots = dots_of(&self.scores);
        let (area, line_of_scores) = (field.area(&dots), field.line(&dots));
        let hot = self.threshold.map(|threshold| field.spikes(&dots, threshold));
        let bottom = field.top + field.height;
        let mut text = format!(
            concat!(
                r##"<path d="{area}" fill="#8b94a3" fill-opacity=".2"/>"##,
                r##"<path d="{line}" fill="none" stroke="#8b94a3" stroke-linejoin="round"/>"##,
                r#"<path d="{hot}" fill="none" stroke="{red}" stroke-width="2"/>"#
            ),
            area = area,
            line = line_of_scores,
            hot = hot.unwrap_or_default(),
            red = RED,
        );
        text.push_str(&line((field.left, bottom), (field.left + field.width, bottom), GRID));
        if let Some(threshold) = self.threshold {
            text.push_str(&dashed(field, threshold));
        }
        let look = Look::text(field.width).ending();
        let middle = field.top + field.height / 2.0 + 4.0;
        text.push_str(&label("score", (field.left - 5.0, middle), look));
        text
    }

    fn circles(&self, field: &Field<'_>) -> String {
        let circle = |mark: &Mark| {
            let y = mark.value.map_or(field.top + field.height, |value| field.y(value));
            let fill = if mark.severity == Severity::Critical { RED } else { AMBER };
            format!(
                r##"<circle cx="{}" cy="{}" r="4.5" fill="{fill}" stroke="#ffffff" stroke-width="1.5"/>"##,
                coordinate(field.x(mark.at)),
                coordinate(y)
            )
        };
        mark::shown(&self.marks, &self.window).into_iter().map(circle).collect()
    }
}

fn value_axis(field: &Field<'_>, ticks: &[(f64, String)]) -> String {
    let mut text = String::new();
    for (value, name) in ticks {
        let y = field.y(*value);
        text.push_str(&line((field.left, y), (field.left + field.width, y), GRID));
        let look = Look::text(field.width).ending();
        text.push_str(&label(name, (field.left - 5.0, y + 4.0), look));
    }
    text
}

fn nothing(field: &Field<'_>) -> String {
    let middle = (field.left + field.width / 2.0, field.top + field.height / 2.0);
    label("no points here", middle, Look::text(field.width).centred())
}

fn dashed(field: &Field<'_>, value: f64) -> String {
    let (y, right) = (coordinate(field.y(value)), coordinate(field.left + field.width));
    format!(
        r#"<path d="M{} {y}H{right}" fill="none" stroke="{RED}" stroke-dasharray="3 4"/>"#,
        coordinate(field.left)
    )
}

fn line(from: (f64, f64), to: (f64, f64), colour: &str) -> String {
    let [x1, y1, x2, y2] = [from.0, from.1, to.0, to.1].map(coordinate);
    format!(r#"<path d="M{x1} {y1}L{x2} {y2}" fill="none" stroke="{colour}"/>"#)
}

#[cfg(test)]
#[path = "still_tests.rs"]
mod tests;
