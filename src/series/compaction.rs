//! When to merge small segments, and which.

use crate::domain::{Segment, SegmentKind};

/// Segments below this many rows are small.
const SMALL_ROWS: u64 = 200_000;
/// So many small segments of a kind may lie about.
const MAX_SMALL: usize = 8;

/// The segments to merge into one, in id order; `None` while there is no need. More than 8 small
/// segments of a kind are needed to start; then the oldest unbroken run of small ones goes.
///
/// Reading merges segments in id order and lets the newer row win, so a merge changes no reading
/// if (1) its parts are neighbours in the id order of everything live of their kind, and (2) the
/// result stands where they stood: it takes the id of its newest part. Were a segment between them
/// left out, it would come to lie under a row it used to cover, or over one that covered it.
///
/// # Shape
/// All live segments of one batch, of every kind, in any order.
pub fn plan_compaction(live: &[Segment]) -> Option<Vec<Segment>> {
    SegmentKind::ALL.iter().find_map(|kind| {
        let mut of_kind: Vec<&Segment> = live.iter().filter(|part| part.kind == *kind).collect();
        of_kind.sort_by_key(|part| part.id);
        let n_small = of_kind.iter().filter(|part| is_small(part)).count();
        if n_small <= MAX_SMALL {
            return None;
        }
        let run = of_kind
            .chunk_by(|older, newer| is_small(older) && is_small(newer))
            .find(|run| 2 <= run.len())?;
        Some(run.iter().map(|part| (*part).clone()).collect())
    })
}

fn is_small(segment: &Segment) -> bool {
    segment.n_rows < SMALL_ROWS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{BatchName, Timestamp};

    fn segment(id: i64, kind: SegmentKind, n_rows: u64) -> Segment {
        Segment {
            id,
            batch: BatchName::parse("b").unwrap(),
            kind,
            key: format!("k{id}"),
            min_at: Timestamp::MIN,
            max_at: Timestamp::MAX,
            n_rows,
            size: 1,
            sha256: String::new(),
        }
    }

    #[track_caller]
    fn check(n_rows: &[u64], expected: Option<&[i64]>) {
        let mut live: Vec<_> = (1..)
            .zip(n_rows)
            .map(|(id, n_rows)| segment(id, SegmentKind::Scores, *n_rows))
            .collect();
        live.reverse();
        let ids = plan_compaction(&live).map(|p| p.iter().map(|s| s.id).collect::<Vec<_>>());
        assert_eq!(ids.as_deref(), expected);
    }

    #[test]
    fn the_oldest_unbroken_run_of_small_segments_is_merged() {
        check(&[], None);
        check(&[1; 8], None);
        check(&[1; 9], Some(&[1, 2, 3, 4, 5, 6, 7, 8, 9]));
        check(&[200_000; 20], None);
        check(&[1, 200_000, 1, 1, 1, 200_000, 1, 1, 1, 1, 1], Some(&[3, 4, 5]));
        check(&[199_999, 1, 200_000, 1, 1, 1, 1, 1, 1, 1], Some(&[1, 2]));
    }

    #[test]
    fn small_segments_with_large_ones_between_all_of_them_stay() {
        let n_rows = [1, 300_000].repeat(12);
        check(&n_rows, None);
    }

    #[test]
    fn kinds_are_counted_and_merged_apart() {
        let mut live: Vec<_> = (1..=8).map(|id| segment(id, SegmentKind::Points, 1)).collect();
        live.extend((9..=16).map(|id| segment(id, SegmentKind::Scores, 1)));
        assert_eq!(plan_compaction(&live), None);
        live.push(segment(17, SegmentKind::Scores, 1));
        let plan = plan_compaction(&live).unwrap();
        assert!(plan.iter().all(|part| part.kind == SegmentKind::Scores) && plan.len() == 9);
    }
}
