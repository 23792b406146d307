//! Histories against both stores: the law of upserts, ranges, names, damage, and merging.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::{
    compute::Compute,
    domain::{
        Aspect, Band, BatchName, MetricName, ModelVersion, Point, RunId, ScorePoint, Segment,
        SegmentKind, Series, Timestamp,
    },
    io::{Key, Store, StoreError, WriteMode, layout, parquet::Compression},
};

/// Everything that was ever written, with what the catalog would list.
struct Bench {
    store: Store,
    history: History,
    batch: BatchName,
    live: Vec<Segment>,
}

impl Bench {
    fn over(store: Store, compression: Compression) -> Self {
        let history = History::new(store.clone(), Compute::new(1).unwrap(), compression);
        let batch = BatchName::parse("shop").unwrap();
        Self { store, history, batch, live: Vec::new() }
    }

    fn in_memory() -> Self {
        Self::over(Store::memory(), Compression::Zstd)
    }

    fn list(&mut self, mut segment: Segment) {
        segment.id = self.live.iter().map(|live| live.id).max().unwrap_or(0) + 1;
        self.live.push(segment);
    }

    async fn write(&mut self, points: &[Point]) {
        let key = layout::points_key(&self.batch, RunId(self.live.len() as i64), 1);
        let segment = self.history.write_points(key, &self.batch, points.to_vec()).await.unwrap();
        self.list(segment);
    }

    async fn read(&self, query: &Range) -> Vec<Series> {
        self.history.read_points(&self.live, query).await.unwrap()
    }

    async fn read_all(&self) -> Vec<Series> {
        self.read(&Range::between(Timestamp::MIN, Timestamp::MAX)).await
    }

    /// Merges what the plan says until it says nothing, as the catalog would be changed.
    async fn compact(&mut self) -> usize {
        let mut n_merges = 0;
        while let Some(parts) = plan_compaction(&self.live) {
            let key = layout::merged_key(&parts, Timestamp::MIN).unwrap();
            let merged = self.history.compact_points(key, &parts, Timestamp::MIN).await;
            let merged = merged.unwrap().unwrap();
            self.live.retain(|live| parts.iter().all(|part| part.id != live.id));
            self.live.push(merged);
            n_merges += 1;
        }
        n_merges
    }
}

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs).unwrap()
}

fn name(text: &str) -> MetricName {
    MetricName::parse(text).unwrap()
}

fn point(metric: &str, secs: i64, value: f64) -> Point {
    Point { metric: name(metric), at: at(secs), value }
}

fn series(metric: &str, rows: &[(i64, f64)]) -> Series {
    let (at, value) = rows.iter().map(|(secs, value)| (at(*secs), *value)).unzip();
    Series { metric: name(metric), at, value }
}

#[tokio::test]
async fn the_newest_segment_wins_and_within_one_the_last_row() {
    let mut bench = Bench::in_memory();
    bench.write(&[point("b", 2, 1.0), point("a", 1, 1.0), point("a", 2, 1.0)]).await;
    bench.write(&[point("a", 2, 7.0), point("a", 2, 2.0), point("a", 3, 2.0)]).await;
    bench.write(&[point("a", 3, 3.0), point("c", 0, -0.0)]).await;
    let expected = [
        series("a", &[(1, 1.0), (2, 2.0), (3, 3.0)]),
        series("b", &[(2, 1.0)]),
        series("c", &[(0, -0.0)]),
    ];
    assert_eq!(bench.read_all().await, expected);
    bench.live.reverse();
    assert_eq!(bench.read_all().await, expected, "the order they are given in is nothing");
}

#[tokio::test]
async fn a_range_holds_its_first_instant_and_not_its_last() {
    let mut bench = Bench::in_memory();
    bench.write(&[point("a", 1, 1.0), point("a", 2, 2.0), point("a", 3, 3.0)]).await;
    bench.write(&[point("a", 4, 4.0), point("b", 3, 9.0)]).await;
    for (from, to, expected) in [
        (2, 4, vec![series("a", &[(2, 2.0), (3, 3.0)]), series("b", &[(3, 9.0)])]),
        (3, 4, vec![series("a", &[(3, 3.0)]), series("b", &[(3, 9.0)])]),
        (4, 5, vec![series("a", &[(4, 4.0)])]),
        (2, 2, vec![]),
        (5, 9, vec![]),
    ] {
        assert_eq!(bench.read(&Range::between(at(from), at(to))).await, expected, "{from} {to}");
    }
    let only_b = Range { metric: Some(name("b")), ..Range::between(at(0), at(9)) };
    assert_eq!(bench.read(&only_b).await, [series("b", &[(3, 9.0)])]);
    let only_z = Range { metric: Some(name("z")), ..Range::between(at(0), at(9)) };
    assert_eq!(bench.read(&only_z).await, []);
    for (from, before, expected) in [
        (None, Some("b"), vec!["a"]),
        (Some("b"), None, vec!["b"]),
        (Some("a"), Some("b"), vec!["a"]),
        (Some("aa"), Some("ab"), vec![]),
        (None, None, vec!["a", "b"]),
    ] {
        let names = Names { from: from.map(name), before: before.map(name) };
        let range = Range { names, ..Range::between(at(0), at(9)) };
        let read = bench.read(&range).await;
        let found: Vec<&str> = read.iter().map(|series| series.metric.as_str()).collect();
        assert_eq!(found, expected, "{from:?} {before:?}");
    }
}

#[tokio::test]
async fn names_and_values_survive_on_disk_bit_by_bit() {
    let folder = TempDir::new().unwrap();
    let root = folder.path().to_path_buf();
    let long = "x".repeat(300);
    let names = ["../../x", "two\nlines", "🚀 launches", &long, "CPU", "cpu", "'; DROP TABLE", "."];
    let values = [0.1 + 0.2, -0.0, f64::MAX, f64::MIN_POSITIVE / 2.0, 1e-300];
    for compression in [Compression::Off, Compression::Zstd] {
        let mut bench = Bench::over(Store::local(&root).unwrap(), compression);
        bench.batch = BatchName::parse(&format!("Shop {compression:?}/..")).unwrap();
        let rows: Vec<_> = (0_i64..).zip(values).map(|(secs, value)| (secs - 2, value)).collect();
        let points: Vec<_> = names
            .iter()
            .flat_map(|metric| rows.iter().map(|(secs, value)| point(metric, *secs, *value)))
            .collect();
        bench.write(&points).await;
        let mut expected: Vec<_> = names.iter().map(|metric| series(metric, &rows)).collect();
        expected.sort_by(|one, other| one.metric.cmp(&other.metric));
        let found = bench.read_all().await;
        assert_eq!(found, expected);
        let again = bench.history.changed(&bench.live, found).await.unwrap();
        assert_eq!(again, [], "bit by bit");
    }
}

#[tokio::test]
async fn only_new_and_different_points_are_news() {
    let mut bench = Bench::in_memory();
    bench.write(&[point("a", 1, 1.0), point("a", 2, 0.5), point("a", 3, 3.0)]).await;
    bench.write(&[point("a", 2, 0.0), point("c", 1, 1.0)]).await;
    let incoming = vec![
        series("a", &[(0, 1.0), (1, 1.0), (2, -0.0), (3, 3.0 + 4.0 * f64::EPSILON), (4, 1.0)]),
        series("b", &[(1, 1.0)]),
        series("c", &[(1, 1.0)]),
    ];
    let news = bench.history.changed(&bench.live, incoming).await.unwrap();
    let expected = [
        series("a", &[(0, 1.0), (2, -0.0), (3, 3.0 + 4.0 * f64::EPSILON), (4, 1.0)]),
        series("b", &[(1, 1.0)]),
    ];
    assert_eq!(news, expected);
    let older_value_again = vec![series("a", &[(2, 0.5)])];
    let news = bench.history.changed(&bench.live, older_value_again.clone()).await.unwrap();
    assert_eq!(news, older_value_again, "the newest segment tells");
}

fn score(metric: &str, secs: i64, score: f64, band: Option<Band>) -> ScorePoint {
    let model = ModelVersion::at(at(1_700_000_000 + secs));
    let aspect = band.map(|_| Aspect::NovelLevel);
    ScorePoint {
        metric: name(metric),
        at: at(secs),
        value: 2.0 * score,
        score,
        band,
        aspect,
        model,
    }
}

#[tokio::test]
async fn scores_come_back_whole_and_newer_ones_win() {
    let mut bench = Bench::in_memory();
    let band = Some(Band { expected: 5.0, lower: 1.0, upper: 9.5 });
    let writes = [
        vec![score("a", 1, 0.1, band), score("a", 2, 0.2, None), score("b", 1, 0.5, band)],
        vec![score("a", 2, 0.9, band)],
    ];
    for (run, scores) in writes.iter().enumerate() {
        let key = layout::scores_key(&bench.batch, RunId(run as i64), 1);
        let written = bench.history.write_scores(key, &bench.batch, scores.clone()).await;
        bench.list(written.unwrap());
    }
    let expected = BTreeMap::from([
        (name("a"), vec![writes[0][0].clone(), writes[1][0].clone()]),
        (name("b"), vec![writes[0][2].clone()]),
    ]);
    let range = Range::between(at(0), at(9));
    assert_eq!(bench.history.read_scores(&bench.live, &range).await.unwrap(), expected);
    let key = layout::merged_key(&bench.live, at(0)).unwrap();
    let merged = bench.history.compact_scores(key, &bench.live, at(0)).await.unwrap().unwrap();
    assert_eq!((merged.id, merged.kind, merged.n_rows), (2, SegmentKind::Scores, 3));
    assert_eq!(bench.history.read_scores(&[merged], &range).await.unwrap(), expected);
    let wrong_kind = bench.history.read_points(&bench.live, &range).await;
    assert!(matches!(wrong_kind, Err(SeriesError::Kind { .. })), "{wrong_kind:?}");
    let wrong_kind = bench.history.read_challengers(&bench.live, &range).await;
    assert!(matches!(wrong_kind, Err(SeriesError::Kind { .. })), "{wrong_kind:?}");
}

#[tokio::test]
async fn a_segment_knows_its_rows_range_and_checksum() {
    let mut bench = Bench::in_memory();
    bench.write(&[point("a", 5, 1.0), point("b", 3, 1.0), point("a", 5, 2.0)]).await;
    let segment = &bench.live[0];
    assert_eq!((segment.n_rows, segment.min_at, segment.max_at), (2, at(3), at(5)));
    assert_eq!(segment.key, "data/processed/shop/points/run-0-1.parquet");
    let key = Key::parse(&segment.key).unwrap();
    bench.store.get_verified(&key, &segment.sha256, segment.size).await.unwrap();
    let empty = bench.history.write_points(key, &bench.batch, vec![]).await;
    assert!(matches!(empty, Err(SeriesError::Empty { .. })), "{empty:?}");
}

#[tokio::test]
async fn a_write_repeated_is_the_same_and_another_never_replaces_it() {
    let mut bench = Bench::in_memory();
    bench.write(&[point("a", 1, 1.0)]).await;
    let key = Key::parse(&bench.live[0].key).unwrap();
    let again = bench.history.write_points(key.clone(), &bench.batch, vec![point("a", 1, 1.0)]);
    assert_eq!(again.await.unwrap().sha256, bench.live[0].sha256);
    let other = bench.history.write_points(key, &bench.batch, vec![point("a", 1, 2.0)]).await;
    let is_taken = |error: &SeriesError| {
        let SeriesError::Write { source, .. } = error else { return false };
        matches!(source, StoreError::AlreadyExists { .. })
    };
    assert!(is_taken(&other.unwrap_err()));
    assert_eq!(bench.read_all().await, [series("a", &[(1, 1.0)])]);
}

#[tokio::test]
async fn a_damaged_or_missing_segment_is_named() {
    let mut bench = Bench::in_memory();
    bench.write(&[point("a", 1, 1.0)]).await;
    bench.write(&[point("a", 2, 1.0)]).await;
    let segment = bench.live[1].clone();
    let key = Key::parse(&segment.key).unwrap();
    let bytes = bench.store.get(&key).await.unwrap();
    let range = Range::between(at(0), at(9));
    for at_byte in (0..bytes.len()).step_by(37) {
        let mut damaged = bytes.to_vec();
        damaged[at_byte] ^= 0x10;
        bench.store.put(&key, damaged.into(), WriteMode::Overwrite).await.unwrap();
        let error = bench.history.read_points(&bench.live, &range).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "read segment `data/processed/shop/points/run-1-1.parquet` of batch `shop`"
        );
        let SeriesError::Segment { source: StoreError::Corrupt { .. }, .. } = error else {
            panic!("{error:?}")
        };
    }
    bench.store.put(&key, bytes.slice(..9), WriteMode::Overwrite).await.unwrap();
    let cut = bench.history.read_points(&bench.live, &range).await.unwrap_err();
    let is_cut = matches!(&cut, SeriesError::Segment { source: StoreError::Corrupt { .. }, .. });
    assert!(is_cut, "{cut:?}");
    bench.store.delete(&key).await.unwrap();
    let gone = bench.history.read_points(&bench.live, &range).await.unwrap_err();
    let is_gone = matches!(&gone, SeriesError::Segment { source: StoreError::NotFound { .. }, .. });
    assert!(is_gone, "{gone:?}");
    let before = Range::between(at(0), at(2));
    let untouched = bench.history.read_points(&bench.live, &before).await.unwrap();
    assert_eq!(untouched, [series("a", &[(1, 1.0)])], "only what overlaps is read");
}

#[tokio::test]
async fn an_object_that_is_no_segment_is_an_error_not_a_panic() {
    let bench = Bench::in_memory();
    let bytes = b"PAR1 but nothing of the kind PAR1".to_vec();
    let key = layout::points_key(&bench.batch, RunId(1), 1);
    let segment = Segment {
        id: 1,
        batch: bench.batch.clone(),
        kind: SegmentKind::Points,
        key: key.to_string(),
        min_at: at(0),
        max_at: at(9),
        n_rows: 1,
        size: bytes.len() as u64,
        sha256: crate::io::sha256_hex(&bytes),
    };
    bench.store.put(&key, bytes.into(), WriteMode::Overwrite).await.unwrap();
    let outcome = bench.history.read_points(&[segment], &Range::between(at(0), at(9))).await;
    assert!(matches!(outcome, Err(SeriesError::Decode { .. })), "{outcome:?}");
}

#[tokio::test]
async fn a_segment_of_many_row_groups_is_read_whole() {
    let mut bench = Bench::in_memory();
    let rows: Vec<_> = (0..50_000).map(|secs| (secs, 0.5 * secs as f64)).collect();
    let of_metric = |metric: &str| series(metric, &rows);
    let points = |metric| rows.iter().map(move |(secs, value)| point(metric, *secs, *value));
    bench.write(&["a", "b", "c"].into_iter().flat_map(points).collect::<Vec<_>>()).await;
    assert_eq!(bench.live[0].n_rows, 150_000);
    assert_eq!(bench.read_all().await, ["a", "b", "c"].map(of_metric));
    let last = bench.read(&Range::between(at(49_999), at(60_000))).await;
    assert_eq!(last, ["a", "b", "c"].map(|metric| series(metric, &rows[49_999..])));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn merging_changes_no_reading(
        writes in prop::collection::vec(
            prop::collection::vec((0_usize..3, 0_i64..12, -9_i32..9), 1..12),
            9..24,
        ),
        large in prop::collection::btree_set(0_usize..24, 0..4),
        (from, length) in (0_i64..12, 0_i64..12),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut bench = Bench::in_memory();
            let mut last_written = BTreeMap::new();
            for rows in &writes {
                let points: Vec<_> = rows
                    .iter()
                    .map(|(metric, secs, value)| {
                        point(["a", "B", "b"][*metric], *secs, f64::from(*value))
                    })
                    .collect();
                last_written.extend(points.iter().map(|p| ((p.metric.clone(), p.at), p.value)));
                bench.write(&points).await;
            }
            // Said to be large, so that the plan has to work around them.
            for index in large.iter().filter(|index| **index < writes.len()) {
                bench.live[*index].n_rows = 1_000_000;
            }
            let range = Range::between(at(from), at(from + length));
            let before = (bench.read_all().await, bench.read(&range).await);
            for n in 1..5 {
                let newest = Range { newest: Some(n), ..range.clone() };
                let expected: Vec<_> = before.1.iter().map(|series| series.newest(n)).collect();
                prop_assert_eq!(bench.read(&newest).await, expected, "the newest {}", n);
            }
            let n_rows: usize = before.0.iter().map(Series::len).sum();
            prop_assert_eq!(n_rows, last_written.len());
            for series in &before.0 {
                for (at, value) in series.at.iter().zip(&series.value) {
                    prop_assert_eq!(last_written[&(series.metric.clone(), *at)], *value);
                }
            }
            let n_small = writes.len() - large.range(..writes.len()).count();
            let n_merges = bench.compact().await;
            prop_assert!(8 < n_small || n_merges == 0);
            prop_assert_eq!((bench.read_all().await, bench.read(&range).await), before);
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn a_lazy_frame_shows_the_rows_of_a_reading_as_they_were_last_stored() {
    let mut bench = Bench::in_memory();
    bench.write(&[point("a", 1, 1.0), point("a", 2, 2.0), point("b", 2, 20.0)]).await;
    bench.write(&[point("a", 2, 2.5), point("b", 9, 90.0)]).await;
    let query = Range::between(at(2), at(9));
    let frame = bench.history.scan(&bench.live, &query).await.unwrap().unwrap();
    let frame = bench.history.collect(frame).await.unwrap().unwrap();
    let names: Vec<_> = frame.get_column_names().into_iter().map(|n| n.as_str()).collect();
    assert_eq!(names, ["metric", "at", "value"]);
    let metrics: Vec<_> = frame.column("metric").unwrap().str().unwrap().iter().collect();
    let values: Vec<_> = frame.column("value").unwrap().f64().unwrap().iter().collect();
    assert_eq!(metrics, [Some("a"), Some("b")]);
    assert_eq!(values, [Some(2.5), Some(20.0)]);
    let nothing = Range::between(at(100), at(200));
    assert!(bench.history.scan(&bench.live, &nothing).await.unwrap().is_none());
}
