//! The identities of alerts and messages, made from what they are about and nothing else.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::domain::{
    AlertId, AlertKind, BatchName, MessageEvent, MessageId, MetricName, Timestamp,
};

/// Hex digits of an id: 128 bits.
const ID_DIGITS: usize = 32;

/// The id of the alert of this kind about this observation.
pub fn alert_id(who: &(BatchName, MetricName), kind: AlertKind, at: Timestamp) -> AlertId {
    let micros = at.micros().to_string();
    AlertId(digest(&[who.0.as_str(), who.1.as_str(), kind.as_str(), &micros]))
}

/// The id of the message that says this of these alerts, in any order. `again` tells apart messages
/// that say the same of the same alerts at different times.
pub fn message_id(event: MessageEvent, alerts: &[AlertId], again: &str) -> MessageId {
    let mut ids: Vec<&str> = alerts.iter().map(|id| id.0.as_str()).collect();
    ids.sort_unstable();
    MessageId(digest(&[&[event.as_str(), again], ids.as_slice()].concat()))
}

/// A hash of parts, each behind its length, so that parts do not run together.
fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut id = String::with_capacity(ID_DIGITS);
    for byte in &hash.finalize()[..ID_DIGITS / 2] {
        // Writing to a string cannot fail.
        write!(id, "{byte:02x}").unwrap_or_default();
    }
    id
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

    #[test]
    fn a_message_is_known_by_its_alerts_in_any_order_and_by_what_it_says() {
        let ids = |names: &[&str]| names.iter().map(|id| AlertId((*id).into())).collect::<Vec<_>>();
        let of = |event, names: &[&str], again| message_id(event, &ids(names), again);
        let firing = of(MessageEvent::Firing, &["a", "b"], "");
        assert_eq!(firing, of(MessageEvent::Firing, &["b", "a"], ""));
        for other in [
            of(MessageEvent::Resolved, &["a", "b"], ""),
            of(MessageEvent::Firing, &["ab"], ""),
            of(MessageEvent::Firing, &["a", "b"], "2"),
        ] {
            assert_ne!(firing, other);
        }
    }
}
