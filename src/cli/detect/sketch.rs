//! What a chart needs of any number of rows, in bounded memory: of neighbouring rows the lowest,
//! the highest and the most unusual.

use std::collections::VecDeque;

use chrono_tz::Tz;

use crate::{
    chart::{Mark, Plot, Window},
    domain::{Band, MetricName, ModelVersion, ScorePoint, Severity, Span, Timestamp, words},
};

/// Groups of neighbouring rows; when there are twice as many, two and two become one.
const GROUPS: usize = 2048;
/// Newest alerts shown; more hide the line they mark.
const MARKS: usize = 200;
/// Scores from here on are critical.
const CRITICAL: f64 = 0.97;

/// A row with its score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Seen {
    pub(super) at: Timestamp,
    pub(super) value: f64,
    pub(super) score: Option<f64>,
    pub(super) band: Option<Band>,
    pub(super) is_alert: bool,
}

/// Neighbouring rows: the lowest, the highest, the most unusual.
#[derive(Debug, Clone, Copy)]
struct Group {
    first: Timestamp,
    last: Timestamp,
    rows: [Seen; 3],
}

impl Group {
    fn of(seen: Seen) -> Self {
        Self { first: seen.at, last: seen.at, rows: [seen; 3] }
    }

    fn joined(self, other: Self) -> Self {
        let [low, high, top] = self.rows;
        let [other_low, other_high, other_top] = other.rows;
        let rows = [
            if other_low.value < low.value { other_low } else { low },
            if high.value < other_high.value { other_high } else { high },
            if top.score < other_top.score { other_top } else { top },
        ];
        Self { first: self.first.min(other.first), last: self.last.max(other.last), rows }
    }

    /// Its lowest and highest value in their order, at even distances: at their own times a chart
    /// would see gaps between them.
    fn values(&self) -> Vec<(Timestamp, f64)> {
        let [low, high, _] = self.rows;
        let [one, other] = if low.at <= high.at { [low, high] } else { [high, low] };
        if self.first == self.last {
            return vec![(self.first, one.value)];
        }
        let half = Span::from_micros((self.last - self.first).micros() / 2);
        vec![(self.first, one.value), (self.first + half, other.value)]
    }
}

/// Rows on their way into a chart.
#[derive(Debug, Default)]
pub(super) struct Sketch {
    groups: Vec<Group>,
    /// Rows of a whole group, as a power of two.
    doublings: u32,
    n_in_last: u64,
    n_rows: u64,
    n_alerts: u64,
    alerts: VecDeque<Seen>,
    threshold: f64,
}

impl Sketch {
    /// Takes a row in; the newest threshold is the one drawn.
    pub(super) fn add(&mut self, seen: Seen, threshold: f64) {
        self.threshold = threshold;
        self.n_rows += 1;
        if seen.is_alert {
            self.n_alerts += 1;
            self.alerts.push_back(seen);
            if MARKS < self.alerts.len() {
                self.alerts.pop_front();
            }
        }
        let group = Group::of(seen);
        match self.groups.last_mut().filter(|_| self.n_in_last < 1 << self.doublings) {
            Some(last) => *last = last.joined(group),
            None => {
                self.groups.push(group);
                self.n_in_last = 0;
            }
        }
        self.n_in_last += 1;
        if self.groups.len() == 2 * GROUPS && self.n_in_last == 1 << self.doublings {
            self.groups = self.groups.chunks(2).map(|two| two[0].joined(two[1])).collect();
            self.doublings += 1;
            self.n_in_last = 1 << self.doublings;
        }
    }

    /// The chart as an SVG document.
    pub(super) fn document(&self, title: &str) -> anyhow::Result<String> {
        let mut groups = self.groups.clone();
        groups.sort_by_key(|group| group.first);
        groups.dedup_by_key(|group| group.first);
        let values: Vec<(Timestamp, f64)> = groups.iter().flat_map(Group::values).collect();
        let metric = MetricName::parse("value")?;
        let score = |group: &Group| {
            let row = group.rows[2];
            Some(ScorePoint {
                metric: metric.clone(),
                at: group.first,
                value: row.value,
                score: row.score?,
                band: row.band,
                aspect: None,
                // The walk's models have no names.
                model: ModelVersion::at(group.first),
            })
        };
        let scores: Vec<ScorePoint> = groups.iter().filter_map(score).collect();
        let mut marks: Vec<Mark> = self.alerts.iter().map(mark).collect();
        marks.sort_by_key(|mark| mark.at);
        let from = values.first().map_or(Timestamp::MIN, |first| first.0);
        let to = groups.iter().map(|group| group.last).max().unwrap_or(from) + Span::secs(1);
        let plot = Plot {
            window: Window { from, to },
            tz: Tz::UTC,
            values: &values,
            scores: &scores,
            threshold: self.threshold,
            marks: &marks,
            limits: &[],
            label: title,
        };
        let caption = format!(
            "{} rows from {from} to {to}, {} at or over the threshold {:.3}; times in UTC",
            words::count(self.n_rows),
            words::count(self.n_alerts),
            self.threshold,
        );
        Ok(plot.document(&caption))
    }
}

fn mark(seen: &Seen) -> Mark {
    let score = seen.score.unwrap_or(0.0);
    let number = words::number;
    let expected = seen
        .band
        .map(|band| format!(", expected {} to {}", number(band.lower), number(band.upper)));
    Mark {
        at: seen.at,
        since: seen.at,
        until: seen.at,
        value: Some(seen.value),
        severity: if CRITICAL <= score { Severity::Critical } else { Severity::Warning },
        href: String::new(),
        title: format!(
            "{}: {}{}, score {score:.3}",
            seen.at,
            number(seen.value),
            expected.unwrap_or_default()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(n: i64, value: f64, score: f64) -> Seen {
        let at = Timestamp::from_secs(1_767_225_600 + 60 * n).unwrap();
        Seen { at, value, score: Some(score), band: None, is_alert: 0.8 <= score }
    }

    #[test]
    fn any_number_of_rows_keeps_its_extremes_in_bounded_memory() {
        let mut sketch = Sketch::default();
        for n in 0..300_000 {
            let value = if n == 77_777 { 1e6 } else { (n % 10) as f64 };
            let score = if n == 123_456 { 0.99 } else { 0.1 };
            sketch.add(seen(n, value, score), 0.8);
        }
        assert!(sketch.groups.len() < 2 * GROUPS, "{}", sketch.groups.len());
        let all = || sketch.groups.iter().flat_map(|group| group.rows);
        assert!(all().any(|row| row.value == 1e6) && all().any(|row| row.score == Some(0.99)));
        let svg = sketch.document("a <b>").unwrap();
        assert!(svg.starts_with("<svg xmlns=") && svg.contains("a &lt;b&gt;"), "{}", &svg[..200]);
        assert!(svg.contains("300,000 rows") && svg.contains("class=\"mark critical\""));
        assert!(!svg.contains("NaN") && !svg.contains("href"));
        let line = svg.split(r#"class="value" d=""#).nth(1).unwrap().split('"').next().unwrap();
        assert_eq!(line.matches('M').count(), 1, "thinning tears no line apart");
    }

    #[test]
    fn no_row_at_all_is_an_empty_chart() {
        let svg = Sketch::default().document("nothing").unwrap();
        assert!(svg.contains("0 rows") && !svg.contains("NaN"), "{svg}");
    }
}
