//! What Alertmanager is told of an alert in each of its states.

use super::*;
use crate::{domain::Resolution, notify::message::tests::message};

const HOLD: Span = Span::days(7);

fn resolved() -> Message {
    let mut message = message();
    let episode = &mut message.alerts[0].episode;
    episode.state = AlertState::Resolved;
    episode.resolved_at = Some(Timestamp::parse("2026-01-31T10:00:30Z").unwrap());
    episode.resolution = Some(Resolution::Recovered);
    message
}

#[test]
fn an_alert_is_posted_with_its_identity_as_labels_and_held_until_it_is_spoken_of_again() {
    assert_eq!(
        body(&message(), HOLD),
        json!([{
            "labels": {
                "alertname": "AnomstackAnomaly",
                "alert_id": "a1",
                "batch": "shop",
                "metric": "orders",
                "kind": "anomaly",
                "severity": "critical",
                "team": "orders",
            },
            "annotations": {
                "summary": "critical: shop/orders is unusually low",
                "description": "orders was 812, expected 1,040 to 1,260",
                "owner": "team-commerce",
            },
            "startsAt": "2026-01-31T10:00:05Z",
            "endsAt": "2026-02-07T10:00:35Z",
            "generatorURL": "http://127.0.0.1:8087/alerts/a1",
        }])
    );
}

#[test]
fn a_resolved_alert_has_the_same_labels_and_an_end() {
    let (firing, over) = (body(&message(), HOLD), body(&resolved(), HOLD));
    assert_eq!(over[0]["labels"], firing[0]["labels"]);
    assert_eq!(over[0]["endsAt"], "2026-01-31T10:00:30Z");
}

#[test]
fn a_late_message_tells_the_state_of_now_whatever_it_was_about() {
    let late = Message { event: MessageEvent::Firing, ..resolved() };
    assert_eq!(body(&late, HOLD)[0]["endsAt"], "2026-01-31T10:00:30Z");
}

#[test]
fn an_alert_that_became_worse_ends_the_milder_one() {
    let worse = Message { event: MessageEvent::Escalated, ..message() };
    let body = body(&worse, HOLD);
    assert_eq!(body[0]["labels"]["severity"], "warning");
    assert_eq!(body[0]["endsAt"], "2026-01-31T10:00:35Z");
    assert_eq!(body[1]["labels"]["severity"], "critical");
    assert_eq!(body[1]["endsAt"], "2026-02-07T10:00:35Z");
}

#[test]
fn a_tag_becomes_a_label_that_prometheus_takes_and_replaces_none_of_ours() {
    let mut message = message();
    for (tag, value) in [
        ("cost-centre", "7"),
        ("severity", "none"),
        ("2nd", "x"),
        ("", "y"),
        ("größe", ""),
        ("a\nb", "1\n2"),
    ] {
        message.alerts[0].tags.insert(tag.into(), value.into());
    }
    let body = body(&message, HOLD);
    let labels = body[0]["labels"].as_object().unwrap();
    assert_eq!(labels["cost_centre"], "7");
    assert_eq!(labels["severity"], "critical");
    assert_eq!(
        (&labels["_2nd"], &labels["_"], &labels["a_b"]),
        (&json!("x"), &json!("y"), &json!("1\n2"))
    );
    assert!(!labels.contains_key("gr__e"), "{labels:?}");
}

#[test]
fn what_is_about_no_alert_is_one_of_its_own_that_ends_by_itself() {
    let notice = Message {
        event: MessageEvent::Notice,
        alerts: Vec::new(),
        headline: Some("3 messages were given up".into()),
        body: Some("to `slack`".into()),
        ..message()
    };
    let body = body(&notice, HOLD);
    assert_eq!(body[0]["labels"]["alertname"], "AnomstackNotice");
    assert_eq!(body[0]["annotations"]["summary"], "3 messages were given up");
    assert_eq!(body[0]["endsAt"], "2026-01-31T11:00:35Z");
}
