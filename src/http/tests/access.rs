//! Every route with no token, a wrong one and one of each role.

use axum::http::{Method, StatusCode};

use super::{PAGES, fixture::Fixture};

const VIEWER: &str = "viewer-token-0123456789";
const TOKENS: &str = "
[server.tokens.reader]
role = \"viewer\"
token = \"viewer-token-0123456789\"
[server.tokens.pusher]
role = \"operator\"
token = \"operator-token-0123456789\"
";

const API: &[&str] = &[
    "/metrics",
    "/api/v1/batches",
    "/api/v1/batches/shop/metrics",
    "/api/v1/alerts",
    "/api/v1/runs/1",
    "/api/v1/models",
    "/nowhere",
    "/api/v1/nowhere",
];

async fn status(fixture: &Fixture, uri: &str, token: Option<&str>) -> StatusCode {
    let bearer = format!("Bearer {}", token.unwrap_or_default());
    let mut headers = vec![("host", "anomstack.example")];
    headers.extend(token.map(|_| ("authorization", bearer.as_str())));
    fixture.ask(Method::GET, uri, &headers).await.status
}

#[tokio::test]
async fn with_tokens_only_who_sends_one_is_answered() {
    let fixture = Fixture::with_system(TOKENS).await;
    for uri in PAGES.iter().chain(API) {
        assert_eq!(status(&fixture, uri, None).await, StatusCode::UNAUTHORIZED, "{uri}");
        let wrong = Some("another-token-0123456789");
        assert_eq!(status(&fixture, uri, wrong).await, StatusCode::UNAUTHORIZED, "{uri}");
        let right = status(&fixture, uri, Some(VIEWER)).await;
        let expected = if uri.contains("nowhere") { StatusCode::NOT_FOUND } else { StatusCode::OK };
        assert_eq!(right, expected, "{uri}");
    }
    for uri in ["/healthz", "/readyz"] {
        assert_eq!(status(&fixture, uri, None).await, StatusCode::OK, "{uri}");
    }
}

#[tokio::test]
async fn a_browser_is_asked_to_sign_in() {
    let fixture = Fixture::with_system(TOKENS).await;
    let answer = fixture.get("/").await;
    let challenge = answer.headers.get("www-authenticate").unwrap().to_str().unwrap();
    assert!(challenge.starts_with("Basic realm="), "{challenge}");
    assert!(answer.body.contains("Sign in") && !answer.body.contains("shop"), "{}", answer.body);
}

#[tokio::test]
async fn a_viewer_changes_nothing() {
    let fixture = Fixture::with_system(TOKENS).await;
    let bearer = format!("Bearer {VIEWER}");
    let headers = [("host", "localhost"), ("authorization", bearer.as_str())];
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        for uri in ["/", "/api/v1/batches", "/api/v1/batches/shop/points", "/nowhere"] {
            let answer = fixture.ask(method.clone(), uri, &headers).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method} {uri}");
        }
    }
}

#[tokio::test]
async fn an_operator_looks_after_an_alert_and_a_viewer_or_another_site_does_not() {
    let fixture = Fixture::with_system(TOKENS).await;
    let operator = "Bearer operator-token-0123456789";
    let own = [("host", "localhost"), ("authorization", operator)];
    let listed = fixture.ask(Method::GET, "/api/v1/alerts", &own).await;
    let id = listed.json()["items"][0]["id"].as_str().unwrap().to_owned();
    let post = |uri: String, headers: Vec<(&'static str, String)>| {
        let fixture = &fixture;
        async move {
            let headers: Vec<(&str, &str)> =
                headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            fixture.ask(Method::POST, &uri, &headers).await
        }
    };
    let with = |token: &str, more: Option<(&'static str, String)>| {
        let mut headers =
            vec![("host", "localhost".to_owned()), ("authorization", format!("Bearer {token}"))];
        headers.extend(more);
        headers
    };
    let ack = format!("/api/v1/alerts/{id}/ack");
    let foreign = Some(("origin", "https://evil.example".to_owned()));
    for headers in [with(VIEWER, None), with("operator-token-0123456789", foreign)] {
        assert_eq!(post(ack.clone(), headers).await.status, StatusCode::FORBIDDEN);
    }
    let operator = || with("operator-token-0123456789", None);
    let acked = post(ack, operator()).await;
    assert_eq!(acked.json()["acked"][1], "pusher", "{}", acked.body);
    for (uri, status) in [
        (format!("/alerts/{id}/resolve"), 303),
        (format!("/api/v1/alerts/{id}/feedback?verdict=down&note=no"), 200),
        (format!("/api/v1/alerts/{id}/feedback?verdict=great"), 400),
        (format!("/api/v1/alerts/{id}/snooze?for=4h"), 200),
        (format!("/api/v1/alerts/{id}/snooze?for=0s"), 400),
        (format!("/api/v1/alerts/{id}/shout"), 404),
        ("/api/v1/alerts/none/ack".to_owned(), 404),
        ("/api/v1/snoozes?batch=shop&for=1h".to_owned(), 201),
        ("/api/v1/snoozes?batch=nope&for=1h".to_owned(), 404),
        ("/api/v1/runs".to_owned(), 405),
    ] {
        let answer = post(uri.clone(), operator()).await;
        assert_eq!(answer.status.as_u16(), status, "{uri}: {}", answer.body);
    }
}

#[tokio::test]
async fn an_operator_tries_a_channel_and_is_told_what_became_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("kept.jsonl");
    let channels = format!(
        "[channels.kept]\nkind = \"file\"\npath = {path:?}\n[channels.hook]\nkind = \"webhook\"\n\
         url = \"http://127.0.0.1:9/t0ken\"\nrate = \"1/h\"\n"
    );
    let fixture = Fixture::with_system(&format!("{TOKENS}{channels}")).await;
    let post = async |name: &str, token: &str| {
        let bearer = format!("Bearer {token}");
        let headers = [("host", "localhost"), ("authorization", bearer.as_str())];
        fixture.ask(Method::POST, &format!("/api/v1/channels/{name}/test"), &headers).await
    };
    const OPERATOR: &str = "operator-token-0123456789";
    assert_eq!(post("kept", VIEWER).await.status, StatusCode::FORBIDDEN);
    assert!(!path.exists());
    let tried = post("kept", OPERATOR).await;
    let expected = serde_json::json!({
        "channel": "kept", "is_sent": true, "outcome": "it has the test message"
    });
    assert_eq!((tried.status, tried.json()), (StatusCode::OK, expected));
    let line: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(line["type"], "alert.test");
    assert_eq!(line["data"]["alerts"][0]["metric"], "sample.orders");
    let refused = post("hook", OPERATOR).await;
    assert_eq!((refused.status, &refused.json()["is_sent"]), (StatusCode::OK, &false.into()));
    assert!(refused.body.contains("allow_private") && !refused.body.contains("t0ken"));
    let again = post("hook", OPERATOR).await;
    assert_eq!(again.status, StatusCode::TOO_MANY_REQUESTS, "{}", again.body);
    assert_eq!(post("nobody", OPERATOR).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn buttons_are_shown_to_those_who_may_press_them() {
    let fixture = Fixture::with_system(TOKENS).await;
    for (token, is_shown) in [(VIEWER, false), ("operator-token-0123456789", true)] {
        let bearer = format!("Bearer {token}");
        let headers = [("host", "anomstack.example"), ("authorization", bearer.as_str())];
        let page = fixture.ask(Method::GET, "/alerts/alert-0", &headers).await.body;
        assert_eq!(page.contains("<button>I look after it"), is_shown, "{page}");
        assert!(page.contains("0.995 by model"), "the page itself is for both");
    }
}

#[tokio::test]
async fn what_people_said_of_an_alert_stands_on_its_page() {
    let fixture = Fixture::with_system(TOKENS).await;
    let bearer = "Bearer operator-token-0123456789";
    let headers = [("host", "anomstack.example"), ("authorization", bearer)];
    for action in
        ["feedback?verdict=down&note=%3Cb%3E", "feedback?verdict=new-normal", "snooze?for=4h"]
    {
        let uri = format!("/alerts/alert-0/{action}");
        let done = fixture.ask(Method::POST, &uri, &headers).await;
        assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.body);
    }
    let page = fixture.ask(Method::GET, "/alerts/alert-0", &headers).await.body;
    for text in [
        "<dd>a new normal, by pusher",
        "<dd>not worth knowing, by pusher",
        "&lt;b&gt;",
        "asked for by pusher",
    ] {
        assert!(page.contains(text), "{text} is not in {page}");
    }
}
