//! A series whose anomalies are known: stretches of rows that somebody has marked.

use crate::domain::Timestamp;

/// The share of a file's first rows that never counts, of a file of at most so many rows.
const PROBATION: (f64, f64) = (0.15, 5000.0);

/// A labelled series with the scores of its rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Labelled {
    /// What the table calls it.
    pub name: String,
    /// When each row was observed; `None` where that cannot be read.
    pub at: Vec<Option<Timestamp>>,
    /// First and last row of each anomaly, in order and apart.
    pub windows: Vec<(usize, usize)>,
    /// In [0, 1], one a row; 0 where there is none.
    pub scores: Vec<f64>,
}

impl Labelled {
    /// First rows that never count: 15 %, at most 750 (NAB's rule).
    pub fn probation(&self) -> usize {
        let (share, most) = PROBATION;
        (share * self.at.len() as f64).floor().min(share * most).ceil() as usize
    }

    /// Days from the end of probation to the last row.
    pub fn days(&self) -> f64 {
        let judged = self.at.get(self.probation()..).unwrap_or(&[]);
        let (first, last) = (judged.iter().flatten().min(), judged.iter().flatten().max());
        first.zip(last).map_or(0.0, |(first, last)| (*last - *first).as_secs_f64() / 86_400.0)
    }
}

/// The rows of stretches of time. One that holds no row is left out; those that touch are one.
pub fn windows_of_times(
    at: &[Option<Timestamp>],
    stretches: &[(Timestamp, Timestamp)],
) -> Vec<(usize, usize)> {
    let exactly = |time: Timestamp| at.iter().position(|at| *at == Some(time));
    let windows = stretches.iter().filter_map(|(from, to)| {
        let is_inside = |at: &Option<Timestamp>| at.is_some_and(|at| *from <= at && at <= *to);
        // Of rows with one time the first counts, at either end.
        let first = exactly(*from).or_else(|| at.iter().position(is_inside))?;
        let last = exactly(*to).or_else(|| at.iter().rposition(is_inside))?;
        (first <= last).then_some((first, last))
    });
    merged(windows.collect())
}

/// The rows of runs of flags.
pub fn windows_of_flags(flags: &[bool]) -> Vec<(usize, usize)> {
    let mut windows: Vec<(usize, usize)> = Vec::new();
    for (row, _) in flags.iter().enumerate().filter(|(_, flag)| **flag) {
        match windows.last_mut().filter(|window| window.1 + 1 == row) {
            Some(window) => window.1 = row,
            None => windows.push((row, row)),
        }
    }
    windows
}

fn merged(mut windows: Vec<(usize, usize)>) -> Vec<(usize, usize)> {
    windows.sort_unstable();
    let mut apart: Vec<(usize, usize)> = Vec::new();
    for window in windows {
        match apart.last_mut().filter(|last| window.0 <= last.1) {
            Some(last) => last.1 = last.1.max(window.1),
            None => apart.push(window),
        }
    }
    apart
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: &[i64]) -> Vec<Option<Timestamp>> {
        secs.iter().map(|secs| Timestamp::from_secs(*secs)).collect()
    }

    #[test]
    fn stretches_become_the_rows_inside_them() {
        let times = at(&[0, 10, 20, 20, 30, 40]);
        let stretch =
            |from, to| (Timestamp::from_secs(from).unwrap(), Timestamp::from_secs(to).unwrap());
        let windows = |stretches: &[_]| windows_of_times(&times, stretches);
        assert_eq!(windows(&[stretch(10, 20)]), [(1, 2)]);
        assert_eq!(windows(&[stretch(5, 25)]), [(1, 3)]);
        assert_eq!(windows(&[stretch(11, 19), stretch(50, 60)]), []);
        assert_eq!(windows(&[stretch(30, 40), stretch(0, 10), stretch(5, 20)]), [(0, 2), (4, 5)]);
    }

    #[test]
    fn runs_of_flags_are_windows() {
        let flags = [true, false, true, true, false, true].map(|flag| flag);
        assert_eq!(windows_of_flags(&flags), [(0, 0), (2, 3), (5, 5)]);
    }
}
