//! The score of the Numenta Anomaly Benchmark.
//!
//! A row with a score at or over the threshold is an alert. With `sig(y) = 2 / (1 + exp(5 y)) - 1`
//! it is worth, times its profile's weight,
//!
//! - inside a window of `w` rows, `r` rows before its right edge (that row counted):
//!   `sig(-r / w) / sig(-1)`, of each window the best alert only; a missed window costs `fn`;
//! - outside: `sig((rows since the last window's right edge) / (w - 1))`, and -1 from 3 window
//!   lengths on or where no window came before; each such row is added up.
//!
//! The sum of a corpus is put between that of a detector that says nothing (0) and a perfect one
//! (100). The first rows of each file never count.
//!
//! # Source
//! Lavin & Ahmad (2015).

use super::Labelled;

/// How alerts are weighed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Profile {
    /// NAB's name for it.
    pub name: &'static str,
    /// A window found at its first row.
    pub found: f64,
    /// A window missed.
    pub missed: f64,
    /// An alert far from any window.
    pub false_alert: f64,
}

/// NAB's three.
pub const PROFILES: [Profile; 3] = [
    Profile { name: "standard", found: 1.0, missed: 1.0, false_alert: 0.11 },
    Profile { name: "reward_low_FP_rate", found: 1.0, missed: 1.0, false_alert: 0.22 },
    Profile { name: "reward_low_FN_rate", found: 1.0, missed: 2.0, false_alert: 0.11 },
];

/// So many window lengths behind a window an alert has nothing to do with it.
const FAR: f64 = 3.0;

#[derive(Debug, Clone, Copy, PartialEq)]
struct Row {
    score: f64,
    worth: f64,
    window: Option<usize>,
}

/// The rows of a corpus that count, by falling score.
#[derive(Debug, Clone, PartialEq)]
pub struct Board {
    rows: Vec<Row>,
    n_windows: usize,
}

/// The best there is at any threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Best {
    /// At most 100.
    pub score: f64,
    /// Where it is reached; infinite where saying nothing is best.
    pub threshold: f64,
}

impl Board {
    /// Lays out a corpus. Windows without a row behind probation do not count.
    pub fn new<'a>(corpus: impl IntoIterator<Item = &'a Labelled>) -> Self {
        let (mut rows, mut n_windows) = (Vec::new(), 0);
        for file in corpus {
            let probation = file.probation();
            let worth = worth_of_rows(file.at.len(), &file.windows);
            for (row, (worth, window)) in worth.into_iter().enumerate().skip(probation) {
                let score = file.scores.get(row).copied().unwrap_or(0.0);
                rows.push(Row { score, worth, window: window.map(|n| n_windows + n) });
            }
            n_windows += file.windows.len();
        }
        rows.sort_by(|a, b| b.score.total_cmp(&a.score));
        let mut live: Vec<usize> = rows.iter().filter_map(|row| row.window).collect();
        live.sort_unstable();
        live.dedup();
        for row in &mut rows {
            row.window = row.window.and_then(|n| live.binary_search(&n).ok());
        }
        Self { rows, n_windows: live.len() }
    }

    /// The score at a threshold; `None` without any window.
    pub fn at(&self, profile: &Profile, threshold: f64) -> Option<f64> {
        let end = self.rows.partition_point(|row| threshold <= row.score);
        let mut sum = Sum::new(profile, self.n_windows);
        self.rows[..end].iter().for_each(|row| sum.add(row));
        sum.normalised()
    }

    /// The best score and its threshold, the highest of equally good ones; `None` without any
    /// window.
    pub fn best(&self, profile: &Profile) -> Option<Best> {
        let mut sum = Sum::new(profile, self.n_windows);
        let mut best = Best { score: sum.normalised()?, threshold: f64::INFINITY };
        for equals in self.rows.chunk_by(|a, b| a.score == b.score) {
            equals.iter().for_each(|row| sum.add(row));
            let score = sum.normalised()?;
            if best.score < score {
                best = Best { score, threshold: equals[0].score };
            }
        }
        Some(best)
    }
}

/// The sum over alerts taken one by one.
struct Sum<'a> {
    profile: &'a Profile,
    best: Vec<f64>,
    raw: f64,
}

impl<'a> Sum<'a> {
    fn new(profile: &'a Profile, n_windows: usize) -> Self {
        let raw = -profile.missed * n_windows as f64;
        Self { profile, best: vec![-profile.missed; n_windows], raw }
    }

    fn add(&mut self, row: &Row) {
        match row.window {
            None => self.raw += self.profile.false_alert * row.worth,
            Some(window) => {
                let better = self.best[window].max(self.profile.found * row.worth);
                self.raw += better - self.best[window];
                self.best[window] = better;
            }
        }
    }

    fn normalised(&self) -> Option<f64> {
        let n_windows = self.best.len() as f64;
        let (null, perfect) = (-self.profile.missed * n_windows, self.profile.found * n_windows);
        (0.0 < n_windows).then(|| 100.0 * (self.raw - null) / (perfect - null))
    }
}

fn sig(y: f64) -> f64 {
    2.0 / (1.0 + (5.0 * y).exp()) - 1.0
}

/// What an alert at each row is worth before weights, and the window it lies in.
fn worth_of_rows(n_rows: usize, windows: &[(usize, usize)]) -> Vec<(f64, Option<usize>)> {
    let mut worth = vec![(-1.0, None); n_rows];
    for (n, (first, last)) in windows.iter().enumerate() {
        let width = (last - first + 1) as f64;
        for (row, worth) in worth.iter_mut().enumerate().take(last + 1).skip(*first) {
            *worth = (sig(-((last - row + 1) as f64) / width) / sig(-1.0), Some(n));
        }
        let next = windows.get(n + 1).map_or(n_rows, |next| next.0);
        for (row, worth) in worth.iter_mut().enumerate().take(next).skip(last + 1) {
            let y = (row - last) as f64 / (width - 1.0);
            worth.0 = if FAR < y { -1.0 } else { sig(y) };
        }
    }
    worth
}
