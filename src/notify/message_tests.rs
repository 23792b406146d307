//! What a message says, and the one the channels' tests send.

use super::*;
use crate::domain::{AlertId, AlertKind, Band, MetricName, ModelVersion, Severity};

pub(crate) fn message() -> Message {
    let at = Timestamp::parse("2026-01-31T09:00:00Z").unwrap();
    let raised_at = Timestamp::parse("2026-01-31T10:00:05Z").unwrap();
    let batch = BatchName::parse("shop").unwrap();
    let alert = Alert {
        id: AlertId("a1".into()),
        batch: batch.clone(),
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
    };
    let note = Note {
        episode: Episode::begun(&alert),
        alert,
        raised_at,
        display_name: "orders".into(),
        lasted: Span::secs(10_805),
        unit: None,
        owner: Some("team-commerce".into()),
        tags: BTreeMap::from([("team".into(), "orders".into())]),
        timezone: chrono_tz::UTC,
        rarity: None,
        related: Vec::new(),
        plain_words: None,
        links: Links { page: Some("http://127.0.0.1:8087/alerts/a1".into()), ..Links::default() },
        chart: None,
    };
    Message {
        id: "msg_1".into(),
        event: MessageEvent::Firing,
        alerts: vec![note],
        n_more: 0,
        batch: Some(batch),
        headline: None,
        body: None,
        digest: None,
        created_at: raised_at,
        link: None,
        attempt: 2,
        may_be_there: false,
        sent_at: Timestamp::parse("2026-01-31T10:00:35Z").unwrap(),
    }
}

#[test]
fn the_text_says_all_that_is_known() {
    assert_eq!(
        message().text(),
        "critical: shop/orders is unusually low\n\
         orders was 812, expected 1,040 to 1,260\n\
         since: 07:00, Sat 31 Jan 2026 (UTC), 3 h\n\
         value at: 09:00, Sat 31 Jan 2026 (UTC)\n\
         score: 0.98 (threshold 0.9)\n\
         owner: team-commerce\n\
         team: orders\n\
         open: http://127.0.0.1:8087/alerts/a1\n"
    );
}

#[test]
fn a_repeat_says_so_and_what_is_left_out_is_counted() {
    let mut message = message();
    assert!(!message.text().contains(REPEAT));
    (message.may_be_there, message.n_more) = (true, 1_234);
    message.link = Some("http://x/alerts".into());
    message.alerts[0].rarity = Some("higher than 99 % of the last 90 days".into());
    message.alerts[0].related = vec!["refunds, up".into(), "visits, down".into()];
    let text = message.text();
    for line in [
        "unusual: higher than 99 % of the last 90 days\n",
        "moved with it: refunds, up; visits, down\n",
        "\nand 1,234 more: http://x/alerts\n",
    ] {
        assert!(text.contains(line), "{text}");
    }
    assert!(text.ends_with(&format!("{REPEAT}\n")), "{text}");
    assert!(message.title().ends_with("is unusually low"), "{}", message.title());
}

#[test]
fn a_name_from_outside_cannot_add_lines_to_a_message() {
    let mut message = message();
    message.alerts[0].display_name = "x\n@channel".into();
    message.alerts[0].tags.insert("a\nb".into(), "c\r\nd".into());
    assert_eq!(message.title(), "critical: shop/x\\n@channel is unusually low");
    assert!(message.text().contains("\na\\nb: c\\r\\nd\n"), "{}", message.text());
}

#[test]
fn the_payload_is_as_documented() {
    let payload: serde_json::Value = serde_json::from_slice(&message().payload().unwrap()).unwrap();
    let note = serde_json::json!({
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
                    "until": "2026-01-31T09:00:00Z",
                    "peak_score": 0.98,
                    "state": "firing",
                    "resolved_at": null,
                    "resolution": null,
                    "raised_at": "2026-01-31T10:00:05Z",
                    "display_name": "orders",
                    "lasted": "3h5s",
                    "unit": null,
                    "owner": "team-commerce",
                    "tags": {"team": "orders"},
                    "timezone": "UTC",
                    "rarity": null,
                    "related": [], "plain_words": null,
                    "links": {"page": "http://127.0.0.1:8087/alerts/a1"},
    });
    assert_eq!(
        payload,
        serde_json::json!({
            "type": "alert.firing",
            "id": "msg_1",
            "timestamp": "2026-01-31T10:00:05Z",
            "data": {
                "title": "critical: shop/orders is unusually low",
                "batch": "shop",
                "text": null,
                "link": null,
                "attempt": 2,
                "may_be_there": false,
                "alerts": [note],
                "n_more": 0,
            },
        })
    );
}
