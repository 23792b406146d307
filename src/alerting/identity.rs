//! An alert's identity, made from what it is about and nothing else.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::domain::{AlertId, AlertKind, BatchName, MetricName, Timestamp};

/// Hex digits of an id: 128 bits.
const ID_DIGITS: usize = 32;

/// The id of the alert of this kind about this observation. Each part is hashed behind its
/// length, so that no two different alerts are the same text.
pub fn alert_id(who: &(BatchName, MetricName), kind: AlertKind, at: Timestamp) -> AlertId {
    let micros = at.micros().to_string();
    let mut hash = Sha256::new();
    for part in [who.0.as_str(), who.1.as_str(), kind.as_str(), &micros] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut id = String::with_capacity(ID_DIGITS);
    for byte in &hash.finalize()[..ID_DIGITS / 2] {
        // Writing to a string cannot fail.
        write!(id, "{byte:02x}").unwrap_or_default();
    }
    AlertId(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(batch: &str, metric: &str, kind: AlertKind, micros: i64) -> String {
        let who = (BatchName::parse(batch).unwrap(), MetricName::parse(metric).unwrap());
        alert_id(&who, kind, Timestamp::from_micros(micros).unwrap()).0
    }

    #[test]
    fn an_id_never_changes_between_versions() {
        let id = id("shop", "orders", AlertKind::Anomaly, 1_767_229_200_000_000);
        assert_eq!(id, "e2dd7df3acb3a0653bd2b8b3e65faa4b");
    }

    #[test]
    fn every_part_counts_and_parts_do_not_run_together() {
        let first = id("ab", "c", AlertKind::Anomaly, 1);
        for other in [
            id("a", "bc", AlertKind::Anomaly, 1),
            id("ab", "d", AlertKind::Anomaly, 1),
            id("ab", "c", AlertKind::Absence, 1),
            id("ab", "c", AlertKind::Anomaly, 2),
        ] {
            assert_ne!(first, other);
        }
    }
}
