//! Counts of events at one threshold: windows found and missed, false episodes, and how late.
//!
//! Alert rows outside every window that are at most 10 rows apart are one false episode. One of
//! more than 100 rows counts again every 100 rows, because somebody would be told again; where it
//! only goes on from an alert inside a window, only those repeats count.

use super::Labelled;
use crate::domain::Span;

/// Alert rows this far apart are one episode.
const GAP: usize = 10;
/// Rows after which an episode counts again.
const REPEAT: usize = 100;

/// What alerts at a threshold came to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Counts {
    /// Rows judged.
    pub n_rows: usize,
    /// Days judged.
    pub days: f64,
    /// Rows at or over the threshold.
    pub n_alert_rows: usize,
    /// Of those, outside every window.
    pub n_false_rows: usize,
    /// Windows that end behind probation.
    pub n_windows: usize,
    /// Of those, with an alert.
    pub n_found: usize,
    /// False episodes.
    pub n_false: usize,
    /// From the start of each found window to its first alert.
    pub delays: Vec<Delay>,
}

/// How long after a window's start it was noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delay {
    /// In rows.
    pub rows: usize,
    /// In time, where it is known.
    pub time: Option<Span>,
}

impl Counts {
    /// Share of windows found; `None` without any.
    pub fn recall(&self) -> Option<f64> {
        share(self.n_found, self.n_windows)
    }

    /// Share of events that are true: found windows of found windows and false episodes.
    pub fn precision(&self) -> Option<f64> {
        share(self.n_found, self.n_found + self.n_false)
    }

    /// Harmonic mean of precision and recall, by events.
    pub fn f1(&self) -> Option<f64> {
        let n_missed = self.n_windows - self.n_found;
        share(2 * self.n_found, 2 * self.n_found + self.n_false + n_missed)
    }

    /// False episodes a day and series; `None` where time stands still.
    pub fn false_per_day(&self) -> Option<f64> {
        (0.0 < self.days).then(|| self.n_false as f64 / self.days)
    }

    /// False episodes in 1,000 rows.
    pub fn false_per_1000(&self) -> Option<f64> {
        share(1000 * self.n_false, self.n_rows)
    }

    /// The median time from a window's start to its first alert.
    pub fn median_delay(&self) -> Option<Span> {
        let mut times: Vec<Span> = self.delays.iter().filter_map(|delay| delay.time).collect();
        times.sort_unstable();
        times.get(times.len() / 2).copied()
    }

    /// The same in rows.
    pub fn median_delay_rows(&self) -> Option<usize> {
        let mut rows: Vec<usize> = self.delays.iter().map(|delay| delay.rows).collect();
        rows.sort_unstable();
        rows.get(rows.len() / 2).copied()
    }

    fn add(&mut self, other: Self) {
        self.n_rows += other.n_rows;
        self.days += other.days;
        self.n_alert_rows += other.n_alert_rows;
        self.n_false_rows += other.n_false_rows;
        self.n_windows += other.n_windows;
        self.n_found += other.n_found;
        self.n_false += other.n_false;
        self.delays.extend(other.delays);
    }
}

/// Counts over a corpus; rows at or over the threshold are alerts.
pub fn counts<'a>(corpus: impl IntoIterator<Item = &'a Labelled>, threshold: f64) -> Counts {
    let mut all = Counts::default();
    corpus.into_iter().for_each(|file| all.add(of_file(file, threshold)));
    all
}

fn of_file(file: &Labelled, threshold: f64) -> Counts {
    let probation = file.probation();
    let is_alert = |row: &usize| file.scores.get(*row).is_some_and(|score| threshold <= *score);
    let alerts: Vec<usize> = (probation..file.at.len()).filter(is_alert).collect();
    let window_of = |row: usize| {
        let n = file.windows.partition_point(|window| window.1 < row);
        file.windows.get(n).filter(|window| window.0 <= row)
    };
    let mut counts = Counts {
        n_rows: file.at.len() - probation,
        days: file.days(),
        n_alert_rows: alerts.len(),
        n_false_rows: alerts.iter().filter(|row| window_of(**row).is_none()).count(),
        ..Counts::default()
    };
    for (first, last) in file.windows.iter().filter(|window| probation <= window.1) {
        counts.n_windows += 1;
        let n = alerts.partition_point(|row| row < first);
        if let Some(row) = alerts.get(n).filter(|row| *row <= last) {
            counts.n_found += 1;
            let time = file.at[*row].zip(file.at[*first]).map(|(at, start)| at - start);
            counts.delays.push(Delay { rows: row - first, time });
        }
    }
    counts.n_false = false_episodes(&alerts, |row| window_of(row).is_some());
    counts
}

fn false_episodes(alerts: &[usize], is_inside: impl Fn(usize) -> bool) -> usize {
    let mut n_false = 0;
    for near in alerts.chunk_by(|a, b| b - a <= GAP) {
        let mut is_joined = false;
        let mut runs = near.chunk_by(|a, b| is_inside(*a) == is_inside(*b)).peekable();
        while let Some(run) = runs.next() {
            let (first, last) = (run[0], run[run.len() - 1]);
            if !is_inside(first) {
                let n_rows = last - first + 1;
                n_false += match is_joined || runs.peek().is_some() {
                    true => n_rows / REPEAT,
                    false => n_rows.div_ceil(REPEAT),
                };
            }
            is_joined = true;
        }
    }
    n_false
}

fn share(part: usize, whole: usize) -> Option<f64> {
    (0 < whole).then(|| part as f64 / whole as f64)
}
