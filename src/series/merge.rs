//! The law of upserts: of several rows of one metric for one instant the last to arrive stays.

use std::collections::BTreeMap;

use crate::domain::{MetricName, Timestamp};

/// A row of a metric, of whichever kind.
pub(super) trait Row {
    /// When it was observed.
    fn at(&self) -> Timestamp;
}

impl Row for (Timestamp, f64) {
    fn at(&self) -> Timestamp {
        self.0
    }
}

impl Row for crate::domain::ScorePoint {
    fn at(&self) -> Timestamp {
        self.at
    }
}

/// Rows by metric, gathered in the order they arrived.
pub(super) type Rows<T> = BTreeMap<MetricName, Vec<T>>;

/// Adds a metric's rows, behind those that arrived before. A metric without any is not entered.
pub(super) fn arrive<T>(rows: &mut Rows<T>, metric: MetricName, mut newer: Vec<T>) {
    if newer.is_empty() {
        return;
    }
    newer.shrink_to_fit();
    rows.entry(metric).and_modify(|older| older.append(&mut newer)).or_insert(newer);
}

/// One metric's rows in order of arrival, as they are after every upsert: strictly increasing in
/// time, the last to arrive for each instant.
pub(super) fn upserted<T: Row>(mut rows: Vec<T>) -> Vec<T> {
    // Appending in time order, the usual case, leaves nothing to do.
    if rows.is_sorted_by(|earlier, later| earlier.at() < later.at()) {
        return rows;
    }
    // Stable: among rows of one instant the order of arrival stays.
    rows.sort_by_key(Row::at);
    let mut kept: Vec<T> = Vec::with_capacity(rows.len());
    for row in rows {
        match kept.last_mut() {
            Some(last) if last.at() == row.at() => *last = row,
            _ => kept.push(row),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_last_to_arrive_stays(rows in prop::collection::vec((0_i64..20, -9_i32..9), 0..60)) {
            let rows: Vec<_> = rows
                .into_iter()
                .map(|(secs, value)| (Timestamp::from_secs(secs).unwrap(), f64::from(value)))
                .collect();
            let expected: BTreeMap<_, _> = rows.iter().copied().collect();
            prop_assert_eq!(upserted(rows), expected.into_iter().collect::<Vec<_>>());
        }
    }
}
