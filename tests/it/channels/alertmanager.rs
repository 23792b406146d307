//! Prometheus's own Alertmanager, where `ANOMSTACK_TEST_ALERTMANAGER_URL` says where it is.

use anomstack::domain::{
    AlertmanagerSpec, ChannelKind, MessageEvent, Secret, Severity, Span, WebAuth,
};
use serde_json::Value;

use super::{Outcome, message, now, over, send, told};

/// The severities of the active alerts with this id.
fn active(url: &str, id: &str) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let address =
        url::Url::parse(&format!("{url}/api/v2/alerts?active=true&filter=alert_id=\"{id}\""));
    let client = anomstack::net::Client::new();
    let found: Value = runtime.block_on(async {
        let url = address.unwrap();
        let http = client.to(&url, anomstack::net::Reach::Anywhere).unwrap();
        let text = http.get(url).send().await.unwrap().text().await.unwrap();
        serde_json::from_str(&text).unwrap()
    });
    let alerts = found.as_array().unwrap();
    let severity = |alert: &Value| alert["labels"]["severity"].as_str().unwrap().to_owned();
    alerts.iter().map(severity).collect()
}

fn kind(url: &str) -> ChannelKind {
    ChannelKind::Alertmanager(AlertmanagerSpec {
        url: Secret::new(url.to_owned()),
        auth: WebAuth::None,
        hold: Span::days(7),
    })
}

#[test]
fn an_alert_is_active_until_it_is_resolved_and_once_whatever_is_repeated() {
    let Some(url) = told("ANOMSTACK_TEST_ALERTMANAGER_URL") else { return };
    let id = format!("fires-{}", now().secs());
    let firing = message(&id);
    assert_eq!(send(&kind(&url), &firing), Outcome::Sent);
    assert_eq!(send(&kind(&url), &firing), Outcome::Sent);
    assert_eq!(active(&url, &id), ["critical"]);
    assert_eq!(send(&kind(&url), &over(firing)), Outcome::Sent);
    assert_eq!(active(&url, &id), [""; 0]);
}

#[test]
fn an_alert_that_becomes_worse_is_active_once() {
    let Some(url) = told("ANOMSTACK_TEST_ALERTMANAGER_URL") else { return };
    let id = format!("worse-{}", now().secs());
    let mut mild = message(&id);
    mild.alerts[0].alert.severity = Severity::Warning;
    assert_eq!(send(&kind(&url), &mild), Outcome::Sent);
    assert_eq!(active(&url, &id), ["warning"]);
    let mut worse = message(&id);
    worse.event = MessageEvent::Escalated;
    assert_eq!(send(&kind(&url), &worse), Outcome::Sent);
    assert_eq!(active(&url, &id), ["critical"]);
}
