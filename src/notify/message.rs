//! What is said: the alert in words, and as JSON for programs.
//!
//! The JSON body is a Standard Webhooks event:
//!
//! ```json
//! {"type": "alert.firing", "id": "…", "timestamp": "2026-01-31T10:00:05Z",
//!  "data": {"id": "…", "batch": "shop", "metric": "orders", "kind": "anomaly",
//!           "severity": "warning", "at": "…", "since": "…", "value": 812.0,
//!           "band": {"expected": 1150.0, "lower": 1040.0, "upper": 1260.0},
//!           "score": 0.98, "threshold": 0.9, "model": "…", "reason": "…",
//!           "title": "…", "owner": null, "tags": {}, "link": null, "attempt": 1}}
//! ```
//!
//! The outer `id` is the delivery's: it is also the `webhook-id`, and the same on every attempt.

use std::{collections::BTreeMap, fmt::Write as _};

use serde::Serialize;

use crate::domain::{Alert, AlertKind, Severity, Timestamp, words};

/// One alert on its way to one channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// The delivery's identity; printable ASCII, the same on every attempt.
    pub id: String,
    /// What happened.
    pub alert: Alert,
    /// When the alert was raised.
    pub raised_at: Timestamp,
    /// The batch's and the metric's labels.
    pub tags: BTreeMap<String, String>,
    /// Who looks after the batch.
    pub owner: Option<String>,
    /// The metric's page on the dashboard.
    pub link: Option<String>,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// When this attempt is made; signed, so that an old one cannot be replayed.
    pub sent_at: Timestamp,
}

#[derive(Serialize)]
struct Payload<'a> {
    r#type: &'static str,
    id: &'a str,
    timestamp: Timestamp,
    data: Details<'a>,
}

#[derive(Serialize)]
struct Details<'a> {
    #[serde(flatten)]
    alert: &'a Alert,
    title: String,
    owner: Option<&'a str>,
    tags: &'a BTreeMap<String, String>,
    link: Option<&'a str>,
    attempt: u32,
}

impl Message {
    /// The alert in half a line.
    pub fn title(&self) -> String {
        let batch = words::shown(self.alert.batch.as_str());
        let metric = words::shown(self.alert.metric.as_str());
        let what = match self.alert.kind {
            AlertKind::Anomaly => "looks anomalous",
            AlertKind::Absence => "has gone silent",
        };
        let loudness = match self.alert.severity {
            Severity::Warning => "",
            Severity::Critical => "critical: ",
        };
        format!("{loudness}{batch}/{metric} {what}")
    }

    /// The alert in full, as plain text of several lines.
    pub fn text(&self) -> String {
        let mut text = format!("{}\n{}\n", self.title(), self.alert.reason);
        let mut line = |label: &str, value: &str| {
            // Writing to a string cannot fail.
            writeln!(text, "{label}: {}", words::shown(value)).unwrap_or_default();
        };
        line("at", &self.alert.at.to_string());
        if self.alert.since != self.alert.at {
            line("since", &self.alert.since.to_string());
        }
        if let (Some(score), Some(threshold)) = (self.alert.score, self.alert.threshold) {
            let [score, threshold] = [score, threshold].map(words::number);
            line("score", &format!("{score} (threshold {threshold})"));
        }
        if let Some(owner) = &self.owner {
            line("owner", owner);
        }
        for (key, value) in &self.tags {
            line(&words::shown(key), value);
        }
        if let Some(link) = &self.link {
            line("more", link);
        }
        text
    }

    /// The alert for programs.
    ///
    /// # Errors
    /// None in practice: every part can be written as JSON.
    pub fn payload(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(&Payload {
            r#type: "alert.firing",
            id: &self.id,
            timestamp: self.raised_at,
            data: Details {
                alert: &self.alert,
                title: self.title(),
                owner: self.owner.as_deref(),
                tags: &self.tags,
                link: self.link.as_deref(),
                attempt: self.attempt,
            },
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::{AlertId, Band, BatchName, MetricName, ModelVersion};

    pub(crate) fn message() -> Message {
        let at = Timestamp::parse("2026-01-31T09:00:00Z").unwrap();
        let raised_at = Timestamp::parse("2026-01-31T10:00:05Z").unwrap();
        Message {
            id: "msg_1".into(),
            alert: Alert {
                id: AlertId("a1".into()),
                batch: BatchName::parse("shop").unwrap(),
                metric: MetricName::parse("orders").unwrap(),
                kind: AlertKind::Anomaly,
                severity: Severity::Critical,
                at,
                since: Timestamp::parse("2026-01-31T07:00:00Z").unwrap(),
                value: Some(812.0),
                band: Some(Band { expected: 1_150.0, lower: 1_040.0, upper: 1_260.0 }),
                score: Some(0.98),
                threshold: Some(0.9),
                model: Some(ModelVersion::at(at)),
                reason: "orders was 812, expected 1,040 to 1,260".into(),
            },
            raised_at,
            tags: BTreeMap::from([("team".into(), "orders".into())]),
            owner: Some("team-commerce".into()),
            link: Some("http://127.0.0.1:8087/shop/orders".into()),
            attempt: 2,
            sent_at: Timestamp::parse("2026-01-31T10:00:35Z").unwrap(),
        }
    }

    #[test]
    fn the_text_says_all_that_is_known() {
        assert_eq!(
            message().text(),
            "critical: shop/orders looks anomalous\n\
             orders was 812, expected 1,040 to 1,260\n\
             at: 2026-01-31T09:00:00Z\n\
             since: 2026-01-31T07:00:00Z\n\
             score: 0.98 (threshold 0.9)\n\
             owner: team-commerce\n\
             team: orders\n\
             more: http://127.0.0.1:8087/shop/orders\n"
        );
    }

    #[test]
    fn a_name_from_outside_cannot_add_lines_to_a_message() {
        let mut message = message();
        message.alert.metric = MetricName::parse("x\n@channel").unwrap();
        message.tags.insert("a\nb".into(), "c\r\nd".into());
        assert_eq!(message.title(), "critical: shop/x\\n@channel looks anomalous");
        assert!(message.text().contains("\na\\nb: c\\r\\nd\n"), "{}", message.text());
    }

    #[test]
    fn the_payload_is_as_documented() {
        let payload: serde_json::Value =
            serde_json::from_slice(&message().payload().unwrap()).unwrap();
        assert_eq!(
            payload,
            serde_json::json!({
                "type": "alert.firing",
                "id": "msg_1",
                "timestamp": "2026-01-31T10:00:05Z",
                "data": {
                    "id": "a1",
                    "batch": "shop",
                    "metric": "orders",
                    "kind": "anomaly",
                    "severity": "critical",
                    "at": "2026-01-31T09:00:00Z",
                    "since": "2026-01-31T07:00:00Z",
                    "value": 812.0,
                    "band": {"expected": 1150.0, "lower": 1040.0, "upper": 1260.0},
                    "score": 0.98,
                    "threshold": 0.9,
                    "model": "20260131T090000000Z",
                    "reason": "orders was 812, expected 1,040 to 1,260",
                    "title": "critical: shop/orders looks anomalous",
                    "owner": "team-commerce",
                    "tags": {"team": "orders"},
                    "link": "http://127.0.0.1:8087/shop/orders",
                    "attempt": 2,
                },
            })
        );
    }
}
