//! Fewer points where a screen could not show them apart, and breaks where observations are
//! missing.

use crate::domain::{Span, Timestamp};

use super::Window;

/// Columns of a usual screen that a chart across all of it is thinned to.
pub(super) const SCREEN_COLUMNS: usize = 1_200;
/// A distance this many times the usual one is a gap. Below two, jitter would tear lines apart.
const GAP_FACTOR: i64 = 5;
const GAP_DIVISOR: i64 = 2;

/// One value at one instant.
pub(crate) type Dot = (Timestamp, f64);

/// The usual distance between two points of a chronological line; a minute when there are not two.
pub(crate) fn spacing(dots: &[Dot]) -> Span {
    let mut distances: Vec<Span> = dots.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    distances.sort_unstable();
    distances.get(distances.len() / 2).copied().unwrap_or(Span::secs(60))
}

/// Splits a chronological line where observations are missing: where the distance is over 2.5
/// times the median one.
pub(super) fn unbroken<T>(dots: &[T], at: impl Fn(&T) -> Timestamp) -> Vec<&[T]> {
    let mut distances: Vec<i64> =
        dots.windows(2).map(|pair| (at(&pair[1]) - at(&pair[0])).micros()).collect();
    if distances.is_empty() {
        return if dots.is_empty() { Vec::new() } else { vec![dots] };
    }
    let middle = distances.len() / 2;
    let median = *distances.select_nth_unstable(middle).1;
    let gap = median.saturating_mul(GAP_FACTOR) / GAP_DIVISOR;
    dots.chunk_by(|earlier, later| (at(later) - at(earlier)).micros() <= gap).collect()
}

/// Thins a chronological line to the smallest and largest value of each screen column; short
/// lines stay as they are.
pub(super) fn thinned(dots: &[Dot], window: &Window, columns: usize) -> Vec<Dot> {
    if dots.len() <= columns * 2 {
        return dots.to_vec();
    }
    let column = |dot: &Dot| (window.share(dot.0) * columns as f64).floor() as i64;
    let mut kept = Vec::with_capacity(columns * 2);
    for together in dots.chunk_by(|a, b| column(a) == column(b)) {
        let by_value = |a: &&Dot, b: &&Dot| a.1.total_cmp(&b.1);
        let (Some(low), Some(high)) =
            (together.iter().min_by(by_value), together.iter().max_by(by_value))
        else {
            continue;
        };
        let (first, second) = if low.0 <= high.0 { (low, high) } else { (high, low) };
        kept.push(*first);
        if first.0 < second.0 {
            kept.push(*second);
        }
    }
    kept
}

/// Thins a list of rows to the one of each screen column that matters most.
pub(super) fn foremost<T: Clone>(
    rows: &[T],
    window: &Window,
    at: impl Fn(&T) -> Timestamp,
    weight: impl Fn(&T) -> f64,
) -> Vec<T> {
    if rows.len() <= SCREEN_COLUMNS {
        return rows.to_vec();
    }
    let column = |row: &T| (window.share(at(row)) * SCREEN_COLUMNS as f64).floor() as i64;
    rows.chunk_by(|a, b| column(a) == column(b))
        .filter_map(|together| {
            together.iter().max_by(|a, b| weight(a).total_cmp(&weight(b))).cloned()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs).unwrap()
    }

    #[test]
    fn a_line_breaks_where_points_are_missing_and_only_there() {
        let dots: Vec<Dot> = [0, 60, 120, 300, 360].iter().map(|s| (at(*s), 1.0)).collect();
        let lengths: Vec<usize> =
            unbroken(&dots, |dot| dot.0).iter().map(|run| run.len()).collect();
        assert_eq!(lengths, [3, 2]);
        assert_eq!(unbroken(&dots[..1], |dot| dot.0).len(), 1);
        assert_eq!(unbroken(&dots[..0], |dot| dot.0).len(), 0);
    }

    #[test]
    fn thinning_keeps_the_extremes_and_the_order() {
        let n_points = 100_000;
        let window = Window { from: at(0), to: at(n_points) };
        let dots: Vec<Dot> = (0..n_points)
            .map(|n| (at(n), if n == 77_777 { 1e6 } else { (n % 10) as f64 }))
            .collect();
        let thin = thinned(&dots, &window, SCREEN_COLUMNS);
        assert!(thin.len() <= SCREEN_COLUMNS * 2, "{}", thin.len());
        assert!(thin.contains(&(at(77_777), 1e6)));
        assert!(thin.is_sorted_by(|a, b| a.0 < b.0));
    }

    #[test]
    fn the_foremost_row_of_a_column_is_the_heaviest() {
        let window = Window { from: at(0), to: at(12_000) };
        let rows: Vec<Dot> = (0..12_000).map(|n| (at(n), if n == 5 { 9.0 } else { 0.0 })).collect();
        let kept = foremost(&rows, &window, |row| row.0, |row| row.1);
        assert_eq!(kept.len(), SCREEN_COLUMNS);
        assert_eq!(kept[0], (at(5), 9.0));
    }
}
