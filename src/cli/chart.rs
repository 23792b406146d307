//! A small chart for the terminal: the value as a line of braille dots, the expected band shaded
//! behind it, alerts marked below.

use crate::domain::{Band, Timestamp, words};

/// Dots of a braille character: two across, four down; the bit of each.
const DOTS: [[u8; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];
/// Observations this many usual spacings apart are not joined: between them there is a hole.
const HOLE: i64 = 3;

/// One observation on the chart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ChartPoint {
    /// When.
    pub at: Timestamp,
    /// Finite.
    pub value: f64,
    /// What was expected, where known.
    pub band: Option<Band>,
    /// Whether it raised an alert.
    pub alert: Mark,
}

/// Whether an observation raised an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// It did.
    Alert,
    /// It did not.
    None,
}

/// Whether the terminal shows colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colour {
    /// With ANSI escapes.
    On,
    /// Plain text.
    Off,
}

/// How large a chart is, in characters, without its labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ChartSize {
    /// Across.
    pub width: usize,
    /// Down; one more line is used for the marks of alerts.
    pub height: usize,
}

/// Draws observations in order of time. Gives `height` lines of the chart, the first and the last
/// labelled with the largest and the smallest value, and a line of marks; nothing for no points.
pub(super) fn render(points: &[ChartPoint], size: ChartSize, colour: Colour) -> Vec<String> {
    let Some(scale) = Scale::of(points, size) else {
        return Vec::new();
    };
    let mut canvas = Canvas::blank(size);
    for point in points {
        canvas.shade(&scale, point);
        canvas.dot(scale.across(point.at), scale.down(point.value));
    }
    let hole = HOLE.saturating_mul(usual_spacing(points));
    for pair in points.windows(2) {
        if (pair[1].at - pair[0].at).micros() <= hole {
            canvas.join(&scale, &pair[0], &pair[1]);
        }
    }
    let mut lines = canvas.lines(colour);
    let labels = [(0, scale.top), (size.height - 1, scale.bottom)];
    for (line, value) in labels.into_iter().take(if size.height == 1 { 1 } else { 2 }) {
        lines[line] = format!("{} {}", lines[line], words::number(value));
    }
    lines.push(canvas.marks(colour));
    lines
}

/// The median time between two observations, in microseconds.
fn usual_spacing(points: &[ChartPoint]) -> i64 {
    let mut spacings: Vec<i64> =
        points.windows(2).map(|pair| (pair[1].at - pair[0].at).micros()).collect();
    spacings.sort_unstable();
    spacings.get(spacings.len() / 2).copied().unwrap_or(0)
}

/// From times and values to dots.
struct Scale {
    first: Timestamp,
    last: Timestamp,
    bottom: f64,
    top: f64,
    n_across: usize,
    n_down: usize,
}

impl Scale {
    /// `None` when there is nothing to draw or no room.
    fn of(points: &[ChartPoint], size: ChartSize) -> Option<Self> {
        let (first, last) = (points.first()?.at, points.last()?.at);
        if size.width == 0 || size.height == 0 {
            return None;
        }
        let values = points.iter().flat_map(|point| {
            let edges = point.band.map_or([point.value; 2], |band| [band.lower, band.upper]);
            [point.value, edges[0], edges[1]]
        });
        let (bottom, top) = values
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
                (low.min(value), high.max(value))
            });
        Some(Self { first, last, bottom, top, n_across: 2 * size.width, n_down: 4 * size.height })
    }

    fn across(&self, at: Timestamp) -> usize {
        let whole = (self.last - self.first).micros();
        if whole <= 0 {
            return self.n_across / 2;
        }
        let share = (at - self.first).micros() as f64 / whole as f64;
        (share * (self.n_across - 1) as f64).round() as usize
    }

    /// From 0 at the top; a value outside the scale lands on its edge.
    fn down(&self, value: f64) -> usize {
        // Halves, because the distance between two huge values may not fit.
        let whole = self.top / 2.0 - self.bottom / 2.0;
        let share = if whole <= 0.0 { 0.5 } else { (self.top / 2.0 - value / 2.0) / whole };
        (share.clamp(0.0, 1.0) * (self.n_down - 1) as f64).round() as usize
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Plain,
    Shade,
    Alert,
}

impl Style {
    const fn escape(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Shade => "\u{1b}[2m",
            Self::Alert => "\u{1b}[1;31m",
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Cell {
    dots: u8,
    is_shaded: bool,
}

struct Canvas {
    /// Row by row.
    cells: Vec<Vec<Cell>>,
    /// Which columns hold an alert.
    alerts: Vec<bool>,
}

impl Canvas {
    fn blank(size: ChartSize) -> Self {
        let blank = Cell { dots: 0, is_shaded: false };
        Self { cells: vec![vec![blank; size.width]; size.height], alerts: vec![false; size.width] }
    }

    fn dot(&mut self, across: usize, down: usize) {
        self.cells[down / 4][across / 2].dots |= DOTS[across % 2][down % 4];
    }

    /// Shades the band of a point and marks the column of an alert.
    fn shade(&mut self, scale: &Scale, point: &ChartPoint) {
        let column = scale.across(point.at) / 2;
        if point.alert == Mark::Alert {
            self.alerts[column] = true;
        }
        self.shade_column(scale, column, point.band);
    }

    fn shade_column(&mut self, scale: &Scale, column: usize, band: Option<Band>) {
        let Some(band) = band else { return };
        for row in scale.down(band.upper) / 4..=scale.down(band.lower) / 4 {
            self.cells[row][column].is_shaded = true;
        }
    }

    /// A line between two points, without gaps, over the first one's band.
    fn join(&mut self, scale: &Scale, from: &ChartPoint, to: &ChartPoint) {
        let (left, right) = (scale.across(from.at) as i64, scale.across(to.at) as i64);
        let (start, end) = (scale.down(from.value) as i64, scale.down(to.value) as i64);
        for column in left as usize / 2 + 1..right as usize / 2 {
            self.shade_column(scale, column, from.band);
        }
        let n_steps = (right - left).max((end - start).abs()).max(1);
        for step in 0..=n_steps {
            let across = left + (right - left) * step / n_steps;
            let down = start + (end - start) * step / n_steps;
            self.dot(across as usize, down as usize);
        }
    }

    fn lines(&self, colour: Colour) -> Vec<String> {
        let cell = |(column, cell): (usize, &Cell)| match (cell.dots, cell.is_shaded) {
            (0, false) => (' ', Style::Plain),
            (0, true) => ('░', Style::Shade),
            (dots, _) => {
                let style = if self.alerts[column] { Style::Alert } else { Style::Plain };
                (char::from_u32(0x2800 + u32::from(dots)).unwrap_or(' '), style)
            }
        };
        self.cells.iter().map(|row| styled(row.iter().enumerate().map(cell), colour)).collect()
    }

    fn marks(&self, colour: Colour) -> String {
        let mark = |is_alert: &bool| match is_alert {
            true => ('▲', Style::Alert),
            false => (' ', Style::Plain),
        };
        styled(self.alerts.iter().map(mark), colour)
    }
}

/// A line of characters with escapes where the style changes.
fn styled(cells: impl Iterator<Item = (char, Style)>, colour: Colour) -> String {
    let mut line = String::new();
    let mut current = Style::Plain;
    for (character, style) in cells {
        if colour == Colour::On && style != current {
            if current != Style::Plain {
                line.push_str("\u{1b}[0m");
            }
            line.push_str(style.escape());
            current = style;
        }
        line.push(character);
    }
    if current != Style::Plain {
        line.push_str("\u{1b}[0m");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: ChartSize = ChartSize { width: 30, height: 3 };

    fn point(hour: i64, value: f64) -> ChartPoint {
        let at = Timestamp::from_secs(1_767_225_600 + 3_600 * hour).unwrap();
        ChartPoint { at, value, band: None, alert: Mark::None }
    }

    /// Five days with a dip that raised an alert.
    fn days() -> Vec<ChartPoint> {
        let usual =
            |hour: i64| 1_000.0 - 500.0 * (hour as f64 * std::f64::consts::TAU / 24.0).cos();
        (0..120)
            .map(|hour| {
                let expected = usual(hour);
                let is_dip = (84..87).contains(&hour);
                ChartPoint {
                    band: Some(Band { expected, lower: expected - 150.0, upper: expected + 150.0 }),
                    alert: if hour == 84 { Mark::Alert } else { Mark::None },
                    ..point(hour, if is_dip { 0.2 * expected } else { expected })
                }
            })
            .collect()
    }

    #[track_caller]
    fn check(points: &[ChartPoint], size: ChartSize, expected: &[&str]) {
        let lines = render(points, size, Colour::Off);
        let lines: Vec<&str> = lines.iter().map(|line| line.trim_end()).collect();
        assert_eq!(lines, expected, "\n{}", lines.join("\n"));
    }

    #[test]
    fn a_dip_is_seen_below_its_band_and_marked() {
        check(
            &days(),
            SIZE,
            &[
                " ░⡴⠢⡀  ░⡴⠢⡀  ░⡴⠢⡀  ░⣴⢠⡀  ░⡴⠢⡀  1,650",
                "░⡜░░⠱⡀░⡜░░⠱⡀░⡜░░⠱⡀░⡜⢸⢸⠱⡀░⡜░░⠱⡀",
                "⠚░   ⠑⠚░   ⠑⠚░   ⠑⠚░⠸⣸ ⠑⠚░   ⠑ 286.6",
                "                     ▲",
            ],
        );
    }

    #[test]
    fn a_hole_in_time_is_a_hole_in_the_line() {
        let points: Vec<ChartPoint> =
            (0..20).chain(40..60).map(|hour| point(hour, hour as f64)).collect();
        check(
            &points,
            SIZE,
            &[
                "                    ⢀⣀⣀⠤⠤⠔⠒⠒⠊⠉ 59",
                "         ⢀          ⠁",
                "⣀⡠⠤⠤⠔⠒⠒⠉⠉⠁                     0",
                "",
            ],
        );
    }

    #[test]
    fn between_few_points_the_band_goes_on() {
        let band = Some(Band { expected: 5.0, lower: 0.0, upper: 10.0 });
        let points = [0, 1, 2].map(|hour| ChartPoint { band, ..point(hour, 2.0 * hour as f64) });
        let size = ChartSize { width: 10, height: 2 };
        check(&points, size, &["░░░░░░░░░░ 10", "⣀⣀⣀⣀⣀⠤⠤⠔⠒⠊ 0", ""]);
    }

    #[test]
    fn a_constant_a_single_point_and_no_point_are_drawn_without_a_scale() {
        let size = ChartSize { width: 6, height: 1 };
        check(&[point(0, 5.0), point(1, 5.0), point(2, 5.0)], size, &["⠤⠤⠤⠤⠤⠤ 5", ""]);
        check(&[point(0, 5.0)], size, &["   ⠄   5", ""]);
        check(&[], size, &[]);
        check(&[point(0, 5.0)], ChartSize { width: 0, height: 3 }, &[]);
    }

    #[test]
    fn the_largest_doubles_fit_the_chart() {
        let size = ChartSize { width: 4, height: 2 };
        check(
            &[point(0, -f64::MAX), point(1, f64::MAX)],
            size,
            &["  ⡠⠊ 1.798e308", "⡠⠊   -1.798e308", ""],
        );
    }

    #[test]
    fn colours_are_escapes_around_the_same_text() {
        let plain = render(&days(), SIZE, Colour::Off);
        let mut coloured = render(&days(), SIZE, Colour::On).join("\n");
        assert!(coloured.contains("\u{1b}[1;31m▲\u{1b}[0m"), "{coloured}");
        for escape in ["\u{1b}[0m", "\u{1b}[2m", "\u{1b}[1;31m"] {
            coloured = coloured.replace(escape, "");
        }
        assert_eq!(coloured, plain.join("\n"));
    }
}
