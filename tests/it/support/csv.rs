//! Seeded histories as CSV text.

use chrono::{DateTime, SecondsFormat};

/// The instant histories end.
pub(crate) const END: &str = "2026-03-01T00:00:00Z";
/// Hours of history.
const HOURS: i64 = 24 * 20;

/// A long-form CSV of hourly values.
pub(crate) struct Csv {
    rows: Vec<[String; 3]>,
    seed: u64,
}

impl Csv {
    pub(crate) fn new() -> Self {
        Self { rows: Vec::new(), seed: 7 }
    }

    /// Four metrics; the last value of `orders` is an obvious spike.
    pub(crate) fn shop() -> Self {
        let spike = |hours_ago, value| if hours_ago == 0 { 5.0 * value } else { value };
        let csv = Self::new().metric("orders", spike);
        ["revenue", "latency", "errors"].into_iter().fold(csv, |csv, name| csv.metric(name, usual))
    }

    /// Adds a metric with a daily season and a little noise around 100; `change` gets the hours
    /// before the end (0 is the last one) and the value, and gives what is stored.
    pub(crate) fn metric(mut self, name: &str, change: impl Fn(i64, f64) -> f64) -> Self {
        for hours_ago in (0..HOURS).rev() {
            let season = (hours_ago as f64 / 24.0 * std::f64::consts::TAU).sin();
            let noise = random(&mut self.seed) - 0.5;
            let value = change(hours_ago, 100.0 + 20.0 * season + 4.0 * noise);
            self = self.row(&hours_before_end(hours_ago), name, &format!("{value:.4}"));
        }
        self
    }

    /// Adds a row as it is.
    pub(crate) fn row(mut self, at: &str, metric: &str, value: &str) -> Self {
        self.rows.push([at, metric, value].map(str::to_owned));
        self
    }

    pub(crate) fn text(&self) -> String {
        let quoted = |cell: &String| format!("\"{}\"", cell.replace('"', "\"\""));
        let line = |row: &[String; 3]| row.iter().map(quoted).collect::<Vec<_>>().join(",");
        let lines: Vec<String> = self.rows.iter().map(line).collect();
        format!("timestamp,metric,value\n{}\n", lines.join("\n"))
    }
}

/// Leaves a value as it is.
pub(crate) const fn usual(_hours_ago: i64, value: f64) -> f64 {
    value
}

/// The time so many hours before the end.
pub(crate) fn hours_before_end(hours: i64) -> String {
    let end = DateTime::parse_from_rfc3339(END).unwrap().timestamp();
    let at = DateTime::from_timestamp(end - hours * 3_600, 0).unwrap();
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// The next number in [0, 1) of a seeded sequence (SplitMix64).
pub(crate) fn random(seed: &mut u64) -> f64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *seed;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}
