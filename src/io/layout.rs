//! Where everything lies: the documented paths, made from names that may hold anything. Two names
//! never share a folder, also on a disk that takes `A` and `a` for the same letter, and none gets
//! out of its own.

use std::fmt::Write;

use super::{Key, sha256_hex};
use crate::domain::{BatchName, MetricName, ModelVersion, RunId, Segment, SegmentKind, Timestamp};

/// Longest encoding that is kept whole; a folder's name may have 255 bytes.
const MAX_ENCODED_BYTES: usize = 180;

/// A name as one path segment. Letters, digits, `.`, `_` and `-` stay; any other byte becomes
/// `%XX`. A name with an ASCII upper-case letter ends in `~` and 8 hex digits of its SHA-256; one
/// whose encoding is longer than 180 bytes is cut and ends in `~` and 16.
///
/// # Shape
/// 1 to 197 bytes for any name that is not empty; never `.` or `..`; no `/`. Different names give
/// encodings that differ also when both are lower-cased.
pub fn encode_name(name: &str) -> String {
    let is_dots = matches!(name, "." | "..");
    let mut encoded = String::with_capacity(name.len());
    let mut n_kept = 0;
    for byte in name.bytes() {
        let is_plain = byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if is_plain && !is_dots {
            encoded.push(char::from(byte));
        } else {
            push_escape(&mut encoded, byte);
        }
        if encoded.len() <= MAX_ENCODED_BYTES {
            n_kept = encoded.len();
        }
    }
    let n_hash_digits = match encoded.len() {
        n if MAX_ENCODED_BYTES < n => 16,
        _ if name.bytes().any(|byte| byte.is_ascii_uppercase()) => 8,
        _ => return encoded,
    };
    encoded.truncate(n_kept);
    encoded.push('~');
    encoded.push_str(&sha256_hex(name.as_bytes())[..n_hash_digits]);
    encoded
}

fn push_escape(encoded: &mut String, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    encoded.push('%');
    encoded.push(char::from(DIGITS[usize::from(byte >> 4)]));
    encoded.push(char::from(DIGITS[usize::from(byte & 15)]));
}

/// The folder of a batch's models.
pub fn models_prefix(batch: &BatchName) -> String {
    format!("models/{}", encode_name(batch.as_str()))
}

/// The folder of a metric's model versions.
pub fn model_prefix(batch: &BatchName, metric: &MetricName) -> String {
    format!("{}/{}", models_prefix(batch), encode_name(metric.as_str()))
}

/// A model version's artifact.
pub fn model_key(batch: &BatchName, metric: &MetricName, version: &ModelVersion) -> Key {
    Key::from_parts(format!("{}/model_{version}.pkl", model_prefix(batch, metric)))
}

/// A model version's card.
pub fn metadata_key(batch: &BatchName, metric: &MetricName, version: &ModelVersion) -> Key {
    Key::from_parts(format!("{}/metadata_{version}.json", model_prefix(batch, metric)))
}

/// A numbered part of what a run stored. The epoch keeps a run that lost its claim from touching
/// the objects of the one that took over.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// Which run.
    pub run: RunId,
    /// Which attempt of it.
    pub epoch: i64,
    /// Counted from 0.
    pub number: u32,
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "run-{}-{}-{}.parquet", self.run, self.epoch, self.number)
    }
}

/// A part of what an attempt of an ingest received, by the day it arrived.
pub fn raw_part_key(batch: &BatchName, at: Timestamp, part: Part) -> Key {
    let day = at.to_utc().format("%Y-%m-%d");
    Key::from_parts(format!("{}/{day}/{part}", raw_prefix(batch)))
}

/// Whether a key is that of a [`raw_part_key`]: the catalog lists these.
pub fn is_raw_part(key: &Key) -> bool {
    let name = key.as_str().rsplit('/').next().unwrap_or_default();
    name.matches('-').count() == 3
}

/// Where everything lies that a batch's ingests received.
pub fn raw_prefix(batch: &BatchName) -> String {
    format!("data/raw/{}", encode_name(batch.as_str()))
}

/// The arrival day in the key of a raw object, as `YYYY-MM-DD`.
pub fn raw_day(key: &Key) -> Option<&str> {
    key.as_str().split('/').nth(3)
}

/// Where everything lies that was pushed and waits to be ingested.
pub const INBOX: &str = "data/inbox";

/// Rows that were pushed to a batch: by when they came, and a number that tells objects of one
/// instant apart.
pub fn inbox_key(batch: &BatchName, at: Timestamp, n: u64) -> Key {
    let stamp = ModelVersion::at(at);
    Key::from_parts(format!("{INBOX}/{}/{stamp}-{n}.parquet", encode_name(batch.as_str())))
}

/// The folder of a batch's history of one kind.
pub fn history_prefix(batch: &BatchName, kind: SegmentKind) -> String {
    format!("data/processed/{}/{kind}", encode_name(batch.as_str()))
}

/// A part of the points a run stored.
pub fn points_part_key(batch: &BatchName, part: Part) -> Key {
    Key::from_parts(format!("{}/{part}", history_prefix(batch, SegmentKind::Points)))
}

/// All the points a run stored, as one part.
#[cfg(test)]
pub fn points_key(batch: &BatchName, run: RunId, epoch: i64) -> Key {
    segment_key(batch, SegmentKind::Points, run, epoch)
}

/// The scores a run stored.
pub fn scores_key(batch: &BatchName, run: RunId, epoch: i64) -> Key {
    segment_key(batch, SegmentKind::Scores, run, epoch)
}

/// The scores of challengers a run stored.
pub fn challengers_key(batch: &BatchName, run: RunId, epoch: i64) -> Key {
    segment_key(batch, SegmentKind::Challengers, run, epoch)
}

fn segment_key(batch: &BatchName, kind: SegmentKind, run: RunId, epoch: i64) -> Key {
    Key::from_parts(format!("{}/run-{run}-{epoch}.parquet", history_prefix(batch, kind)))
}

/// Where segments go whose rows from an instant on are merged into one: named after what they hold
/// and what is left out of it, so that a merge done twice makes the same object twice. `None` when
/// there is nothing to merge.
pub fn merged_key(parts: &[Segment], from: Timestamp) -> Option<Key> {
    let (first, last) = (parts.first()?, parts.last()?);
    let mut contents = parts.iter().fold(String::new(), |mut text, part| {
        // Writing to a string cannot fail.
        writeln!(text, "{} {}", part.id, part.sha256).unwrap_or_default();
        text
    });
    if parts.iter().any(|part| part.min_at < from) {
        writeln!(contents, "from {from}").unwrap_or_default();
    }
    let folder = history_prefix(&first.batch, first.kind);
    let digest = &sha256_hex(contents.as_bytes())[..12];
    Some(Key::from_parts(format!("{folder}/merged-{}-{}-{digest}.parquet", first.id, last.id)))
}

/// The configuration of a batch that runs used, by its hash.
pub fn batch_config_key(batch: &BatchName, hash: &str) -> Key {
    let folder = encode_name(batch.as_str());
    Key::from_parts(format!("config/metric_batches/{folder}/{}.toml", encode_name(hash)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(name: &str, expected: &str) {
        assert_eq!(encode_name(name), expected);
    }

    #[test]
    fn names_are_percent_encoded_where_a_path_could_misread_them() {
        check("orders.total", "orders.total");
        check("../../x", "..%2F..%2Fx");
        check(".", "%2E");
        check("..", "%2E%2E");
        check("...", "...");
        check("two\nlines", "two%0Alines");
        check("🚀", "%F0%9F%9A%80");
        check("a%2fb~c", "a%252fb%7Ec");
    }

    #[test]
    fn names_that_differ_only_in_case_get_folders_that_differ_in_more() {
        let (upper, lower) = (encode_name("CPU"), encode_name("cpu"));
        assert_eq!((upper.as_str(), lower.as_str()), ("CPU~db9a4c7d", "cpu"));
        assert_ne!(encode_name("cPU").to_lowercase(), upper.to_lowercase());
    }

    #[test]
    fn long_names_are_cut_between_escapes_and_told_apart_by_a_digest() {
        let (one, two) = (encode_name(&"é".repeat(150)), encode_name(&"é".repeat(151)));
        assert_eq!(one.len(), 180 + 17);
        assert_eq!(one[..180], "%C3%A9".repeat(30));
        assert_ne!(one, two);
    }

    #[test]
    fn the_paths_are_as_documented() {
        let batch = BatchName::parse("shop").unwrap();
        let metric = MetricName::parse("../x").unwrap();
        let at = Timestamp::parse("2026-01-02T03:04:05.678Z").unwrap();
        let version = ModelVersion::at(at);
        let part = Part { run: RunId(7), epoch: 2, number: 0 };
        for (key, expected) in [
            (
                model_key(&batch, &metric, &version),
                "models/shop/..%2Fx/model_20260102T030405678Z.pkl",
            ),
            (
                metadata_key(&batch, &metric, &version),
                "models/shop/..%2Fx/metadata_20260102T030405678Z.json",
            ),
            (raw_part_key(&batch, at, part), "data/raw/shop/2026-01-02/run-7-2-0.parquet"),
            (points_part_key(&batch, part), "data/processed/shop/points/run-7-2-0.parquet"),
            (scores_key(&batch, RunId(7), 2), "data/processed/shop/scores/run-7-2.parquet"),
            (
                challengers_key(&batch, RunId(7), 2),
                "data/processed/shop/challengers/run-7-2.parquet",
            ),
            (batch_config_key(&batch, "abc"), "config/metric_batches/shop/abc.toml"),
        ] {
            assert_eq!(key.as_str(), expected);
        }
    }

    /// Names made to collide: few letters, both cases, escapes, dots, lengths around the cut.
    fn names() -> impl Strategy<Value = String> {
        prop_oneof![
            "[aA%~./é0-9]{1,6}",
            "\\PC{1,300}",
            "[aAé]{85,95}",
            "[ab]{178,184}",
            "(\\.|%2E|~|[0-9a-f]){1,8}",
        ]
    }

    proptest! {
        #[test]
        fn an_encoding_is_one_short_segment_that_makes_a_key(name in names()) {
            let encoded = encode_name(&name);
            prop_assert!((1..=200).contains(&encoded.len()));
            prop_assert!(encoded != "." && encoded != "..");
            prop_assert!(encoded.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-%~".contains(&b)));
            let key = format!("models/{encoded}/{encoded}/x.pkl");
            prop_assert!(Key::parse(&key).is_ok());
        }

        #[test]
        fn different_names_never_share_a_folder(one in names(), two in names()) {
            let (a, b) = (encode_name(&one).to_lowercase(), encode_name(&two).to_lowercase());
            prop_assert_eq!(one == two, a == b);
        }

        #[test]
        fn a_name_and_its_case_twins_never_share_a_folder(name in "[a-zA-Z./]{1,12}") {
            for twin in [name.to_ascii_lowercase(), name.to_ascii_uppercase()] {
                let (a, b) = (encode_name(&name).to_lowercase(), encode_name(&twin).to_lowercase());
                prop_assert_eq!(name == twin, a == b);
            }
        }
    }
}
