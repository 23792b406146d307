//! Each kind of message as people get it: the whole text and the whole page.

use super::{Links, Message, Note, message::tests::message, testing::charted};
use crate::domain::{
    AlertDigest, AlertId, AlertKind, AlertState, BatchDigest, BatchName, Digest, JobKind,
    MessageEvent, MetricName, Resolution, Severity, Span, Timestamp,
};

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

/// An alert of a summer day in Dublin with everything that can be known of one.
fn note() -> Note {
    let mut note = charted().alerts.remove(0);
    let link = |action: &str| Some(format!("https://anomstack.example.com/l/{action}.x1"));
    note.alert.metric = MetricName::parse("orders.total").unwrap();
    note.alert.at = at("2026-07-31T09:00:00Z");
    note.alert.since = at("2026-07-31T07:00:00Z");
    note.alert.reason = "orders.total was 812, expected 1,040 to 1,260".into();
    note.episode.until = note.alert.at;
    note.display_name = "Orders".into();
    note.lasted = Span::secs(10_805);
    note.timezone = chrono_tz::Europe::Dublin;
    note.rarity = Some("lower than all of the last 90 days at this hour".into());
    note.related =
        vec!["revenue went down (score 0.97)".into(), "refunds went up (score 0.9)".into()];
    note.links = Links {
        page: Some("https://anomstack.example.com/alerts/a1".into()),
        ack: link("ack"),
        snooze: link("snooze"),
        up: link("up"),
        down: link("down"),
        expected: link("expected"),
        incident: link("incident"),
        chart: None,
    };
    note
}

fn over(mut note: Note, why: Resolution) -> Note {
    note.episode.state = AlertState::Resolved;
    note.episode.until = at("2026-07-31T10:30:00Z");
    note.episode.resolved_at = Some(at("2026-07-31T13:30:05Z"));
    note.episode.resolution = Some(why);
    note.lasted = note.episode.until - note.alert.since;
    (note.links.ack, note.links.snooze) = (None, None);
    note
}

/// A warning of another kind that has just begun.
fn other(id: &str, metric: &str, kind: AlertKind) -> Note {
    let mut note = note();
    note.alert.id = AlertId(id.into());
    note.alert.metric = MetricName::parse(metric).unwrap();
    (note.alert.kind, note.alert.severity) = (kind, Severity::Warning);
    (note.alert.value, note.alert.score) = (None, None);
    note.alert.since = note.alert.at;
    note.alert.reason = format!("{metric} was silent for 5h, longer than 2h");
    note.display_name = metric.into();
    (note.rarity, note.chart) = (None, None);
    note.related.clear();
    note
}

fn of(event: MessageEvent, alerts: Vec<Note>) -> Message {
    let link = Some("https://anomstack.example.com/alerts".into());
    Message { event, alerts, link, ..message() }
}

fn words(event: MessageEvent, headline: &str, body: &str) -> Message {
    let (headline, body) = (Some(headline.into()), Some(body.into()));
    Message { headline, body, batch: None, ..of(event, Vec::new()) }
}

#[track_caller]
fn check(name: &str, message: &Message) {
    insta::assert_snapshot!(format!("{name}_text"), message.text());
    let chart = |n| (n == 0).then(|| "cid:chart-0@anomstack".to_owned());
    insta::assert_snapshot!(format!("{name}_html"), message.html(chart).unwrap());
}

#[test]
fn an_alert_that_fires() {
    check("firing", &of(MessageEvent::Firing, vec![note()]));
}

#[test]
fn an_alert_that_became_worse_and_may_be_known() {
    let worse = of(MessageEvent::Escalated, vec![note()]);
    check("escalated", &Message { may_be_there: true, ..worse });
}

#[test]
fn a_reminder() {
    let mut note = note();
    note.lasted = Span::hours(26);
    check("reminder", &of(MessageEvent::Reminder, vec![note]));
}

#[test]
fn an_alert_that_is_over() {
    let note = over(note(), Resolution::Recovered);
    check("resolved", &of(MessageEvent::Resolved, vec![note]));
}

#[test]
fn an_alert_that_late_data_took_back() {
    let note = over(note(), Resolution::LateData);
    check("retracted", &of(MessageEvent::Resolved, vec![note]));
}

#[test]
fn several_alerts_in_one() {
    let alerts = vec![
        note(),
        other("a2", "visits", AlertKind::Absence),
        over(other("a3", "refunds", AlertKind::Change), Resolution::Closed),
    ];
    check("grouped", &Message { n_more: 2, ..of(MessageEvent::Firing, alerts) });
}

#[test]
fn a_storm() {
    let storm = of(MessageEvent::Storm, vec![note(), other("a2", "visits", AlertKind::Absence)]);
    let headline = Some("1,234 alerts in 2 batches, 1,200 still firing".into());
    let body = Some("Too many messages waited.\nhost: 200 alerts\nshop: 1,034 alerts\n".into());
    let batch = BatchName::parse("shop").ok();
    check("storm", &Message { headline, body, n_more: 1_232, batch, ..storm });
}

#[test]
fn messages_that_were_given_up() {
    let body = "the receiver answered 410 Gone\nList them with `anomstack alerts dead`.";
    check("notice", &words(MessageEvent::Notice, "messages to `slack` are given up", body));
}

#[test]
fn a_digest() {
    let until = at("2026-08-01T07:00:00Z");
    let named = |name: &str| MetricName::parse(name).unwrap();
    let line = |severity, is_over, metric: &str| AlertDigest {
        severity,
        kind: AlertKind::Anomaly,
        metric: named(metric),
        since: at("2026-07-31T07:00:00Z"),
        lasted: Span::secs(12_600),
        is_over,
        reason: format!("{metric} was 812, expected 1,040 to 1,260"),
    };
    let shop = BatchDigest {
        batch: BatchName::parse("shop").unwrap(),
        n_raised: 23,
        n_firing: 1,
        alerts: vec![
            line(Severity::Critical, false, "orders"),
            line(Severity::Warning, true, "<b>visits</b>"),
        ],
        noisiest: vec![(named("orders"), 9), (named("visits"), 4)],
        silent: vec![named("refunds")],
        failed: vec![(JobKind::Train, 3)],
        n_rejected: 1_234,
        precision: Some(0.8),
        response_rate: Some(0.456),
        model_age: Some(Span::hours(30)),
    };
    let quiet = BatchDigest {
        batch: BatchName::parse("host").unwrap(),
        n_raised: 0,
        n_firing: 0,
        alerts: Vec::new(),
        noisiest: Vec::new(),
        silent: Vec::new(),
        failed: Vec::new(),
        n_rejected: 0,
        precision: None,
        response_rate: None,
        model_age: None,
    };
    let timezone = chrono_tz::Europe::Dublin;
    let batches = vec![shop, quiet];
    let digest = Digest { from: until - Span::days(1), until, timezone, batches };
    let message = words(MessageEvent::Digest, &digest.title(), &digest.text());
    check("digest", &Message { digest: Some(digest), ..message });
}

#[test]
fn every_kind_of_alert_is_told_in_plain_words() {
    let titles: Vec<String> = AlertKind::ALL
        .iter()
        .flat_map(|kind| {
            let mut limits = [other("a1", "x", *kind), other("a1", "x", *kind)];
            limits[0].alert.value = Some(2_000.0);
            limits[0].alert.threshold = Some(1_000.0);
            limits[1].alert.value = Some(900.0);
            limits[1].alert.threshold = Some(1_000.0);
            let [above, below] = limits;
            let ended = over(below.clone(), Resolution::Recovered);
            [above, below, ended].map(|note| note.title())
        })
        .collect();
    insta::assert_snapshot!("titles", titles.join("\n"));
}
