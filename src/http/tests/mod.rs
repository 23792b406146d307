//! The claims of the server, asked as a client would ask.

mod access;
mod fixture;
mod hostile;
mod links;
mod plots;

use axum::http::{Method, StatusCode};

use super::words::metric_href;
use crate::{catalog::channel_states, domain::ModelVersion, telemetry::Readiness};
use fixture::{Fixture, NAMES, hour, noon};

const PAGES: &[&str] = &[
    "/",
    "/batches/shop",
    "/batches/quiet",
    "/batches/shop/metrics/orders.total",
    "/batches/shop/metrics/orders.total?range=all",
    "/alerts",
    "/alerts?batch=shop&metric=..",
    "/alerts/alert-0",
    "/runs",
    "/runs/1",
    "/runs/2",
    "/models",
    "/models?batch=shop&metric=orders.total",
];

#[tokio::test]
async fn no_page_lets_foreign_text_become_markup() {
    let fixture = Fixture::new().await;
    let metrics = NAMES.iter().map(|name| metric_href("shop", name));
    for uri in PAGES.iter().map(|uri| (*uri).to_owned()).chain(metrics) {
        let answer = fixture.get(&uri).await;
        assert_eq!(answer.status, StatusCode::OK, "{uri}: {}", answer.body);
        for foreign in ["<script>alert", "<i>is", "<revenue", "<such", "<b>shop.csv", "NaN"] {
            assert!(!answer.body.contains(foreign), "{uri} holds {foreign}");
        }
        assert!(
            !answer.body.contains(" style="),
            "{uri} has inline style, which the policy forbids"
        );
    }
}

#[tokio::test]
async fn every_metric_is_reached_by_the_links_of_its_batch() {
    let fixture = Fixture::new().await;
    let batch = fixture.get("/batches/shop").await.body.replace("&#x2f;", "/");
    for name in NAMES {
        let href = metric_href("shop", name);
        assert!(batch.contains(&format!(r#"href="{href}""#)), "{href} is not in\n{batch}");
        let page = fixture.get(&href).await;
        assert_eq!(page.status, StatusCode::OK, "{href}");
        assert!(page.body.contains(r#"class="plot""#) && page.body.contains("42"), "{href}");
    }
}

#[tokio::test]
async fn the_overview_tells_freshness_alerts_and_what_failed() {
    let fixture = Fixture::new().await;
    let page = fixture.get("/").await.body;
    for text in ["1 h ago", "7 in 24 h", "The last ingest failed: open `shop.csv`", "No points yet"]
    {
        assert!(page.contains(text), "{text} is not in\n{page}");
    }
}

#[tokio::test]
async fn the_overview_tells_of_a_closed_channel_while_it_is_configured() {
    let fixture = Fixture::with_batches("[channels.pager]\nkind = \"log\"\n", &[]).await;
    let mut tx = fixture.catalog.begin().await.unwrap();
    for name in ["pager", "removed"] {
        let reason = format!("{name} is gone");
        channel_states::disable(&mut tx, name, noon(), &reason).await.unwrap();
    }
    tx.commit().await.unwrap();
    let page = fixture.get("/").await.body;
    assert!(page.contains("pager is gone") && !page.contains("removed is gone"), "{page}");
}

#[tokio::test]
async fn an_alert_page_says_how_it_was_decided() {
    let fixture = Fixture::new().await;
    let page = fixture.get("/alerts/alert-0").await.body;
    for text in ["it was 30 above", "0.995 by model", "at or over the threshold 0.9"] {
        assert!(page.contains(text), "{text} is not in\n{page}");
    }
    for text in ["How unusual: too short a history", "chart.png", "went up (score 0.995)", "Lasted"]
    {
        assert!(page.contains(text), "{text} is not in\n{page}");
    }
    assert!(page.contains("Wed 10 Jun 2026, 11:00:00 IST"), "times are in the batch's zone");
}

#[tokio::test]
async fn an_explanation_is_given_of_an_alert_and_of_an_instant() {
    let fixture = Fixture::new().await;
    let alert = fixture.get("/api/v1/alerts/alert-0/explain").await.json();
    assert_eq!(alert["alert"], "alert-0");
    assert_eq!(alert["recomputed"]["outcome"], "impossible", "its model is no object");
    check_error(&fixture.get("/api/v1/alerts/none/explain").await, 404, "not_found");
    // Dots alone cannot be a segment of an address.
    for name in NAMES.iter().filter(|name| **name != "..") {
        let uri = format!("/api/v1{}/explain", metric_href("shop", name));
        let metric = fixture.get(&format!("{uri}?at=2026-06-10T09:30:00Z")).await;
        assert_eq!(metric.status, StatusCode::OK, "{uri}: {}", metric.body);
        assert_eq!(metric.json()["metric"], *name);
        check_error(&fixture.get(&format!("{uri}?at=noon")).await, 400, "bad_request");
    }
}

#[tokio::test]
async fn a_metric_without_a_score_says_why() {
    let fixture = Fixture::new().await;
    let page = fixture.get(&metric_href("shop", NAMES[1])).await.body;
    assert!(page.contains("warming up: 10 of 30 points, about 20 h more"), "{page}");
}

#[tokio::test]
async fn every_score_is_told_in_words() {
    const SPIKE: &str = "very unusual: 42, expected 8 to 12 (10): 320 % above; no value like it \
                         was seen before";
    let fixture = Fixture::new().await;
    let uri = "/api/v1/batches/shop/metrics/orders.total/scores";
    let scores = fixture.get(uri).await.json();
    assert_eq!(scores["items"][8]["reason"], SPIKE);
    assert_eq!(scores["items"][8]["aspect"], "novel_value");
    assert_eq!(scores["items"][7]["reason"], "usual: 10, expected 8 to 12 (10): inside that range");
    let page = fixture.get(&metric_href("shop", NAMES[0])).await.body;
    assert_eq!(page.matches(SPIKE).count(), 1, "the table under the chart\n{page}");
    assert!(page.contains(",0.995,&quot;no value like it was seen before&quot;]"), "{page}");
}

#[tokio::test]
async fn a_models_card_is_shown_and_a_missing_one_said() {
    let fixture = Fixture::new().await;
    let version = ModelVersion::at(hour(0));
    let query = format!("card?batch=shop&metric=orders.total&version={version}");
    let page = fixture.get(&format!("/models/{query}")).await.body;
    let found = ["12h (confidence 90 %)", "75 % of the variance", "24 of 336 points"];
    for text in ["1.2 % of these points", "&lt;period&gt;", "2.0 KiB"].into_iter().chain(found) {
        assert!(page.contains(text), "{text} is not in\n{page}");
    }
    let card = fixture.get(&format!("/api/v1/models/{query}")).await.json();
    assert_eq!(card["quality"]["median_score"], 0.2);
    let other = format!("/api/v1/models/card?batch=shop&metric=..&version={version}");
    check_error(&fixture.get(&other).await, 404, "not_found");
    check_error(&fixture.get("/api/v1/models/card?batch=shop").await, 400, "bad_request");
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let fixture = Fixture::new().await;
    for uri in ["/", "/nowhere", "/api/v1/batches", "/healthz", "/assets/app.css", "/metrics"] {
        let headers = fixture.get(uri).await.headers;
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.starts_with("default-src 'self';") && !policy.contains("unsafe"),
            "{policy}"
        );
        assert_eq!(headers["x-content-type-options"], "nosniff", "{uri}");
        assert_eq!(headers["referrer-policy"], "same-origin", "{uri}");
        assert_eq!(headers["x-frame-options"], "DENY", "{uri}");
    }
}

#[track_caller]
fn check_error(answer: &fixture::Answer, status: u16, code: &str) {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.body);
    assert_eq!(answer.json()["error"]["code"], code, "{}", answer.body);
}

#[tokio::test]
async fn requests_that_cannot_be_answered_say_so_in_one_form() {
    let fixture = Fixture::new().await;
    check_error(&fixture.get("/api/v1/batches/nope").await, 404, "not_found");
    check_error(&fixture.get("/api/v1/nowhere").await, 404, "not_found");
    check_error(&fixture.get("/api/v1/runs?state=asleep").await, 400, "bad_request");
    check_error(&fixture.get("/api/v1/runs?limit=many").await, 400, "bad_request");
    check_error(&fixture.get("/api/v1/runs/seven").await, 400, "bad_request");
    check_error(&fixture.get("/api/v1/batches/%FF").await, 400, "bad_request");
    let points = "/api/v1/batches/shop/metrics/orders.total/points";
    check_error(&fixture.get(&format!("{points}?from=soon")).await, 400, "bad_request");
    let local = ("host", "localhost");
    // Without tokens nothing can be changed, wherever it is tried.
    let posted = fixture.ask(Method::POST, "/api/v1/runs", &[local]).await;
    check_error(&posted, 403, "forbidden");
    let large = [local, ("content-length", "1048577")];
    check_error(&fixture.ask(Method::GET, "/api/v1/runs", &large).await, 413, "too_large");
    let small = [local, ("content-length", "1048576")];
    assert_eq!(fixture.ask(Method::GET, "/api/v1/runs", &small).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_page_that_does_not_exist_is_a_page() {
    let fixture = Fixture::new().await;
    let answer = fixture.get("/batches/%3Cb%3Enope").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert!(answer.body.contains("&lt;b&gt;nope") && answer.body.contains("<h1>Not found</h1>"));
}

#[tokio::test]
async fn foreign_host_names_are_refused() {
    let fixture = Fixture::new().await;
    let ask = |host| fixture.ask(Method::GET, "/api/v1/batches", host);
    check_error(&ask(&[("host", "evil.example")]).await, 421, "wrong_host");
    check_error(&ask(&[]).await, 400, "bad_request");
    assert_eq!(ask(&[("host", "127.0.0.1:8087")]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_api_gives_stored_points_and_scores_in_parts() {
    let fixture = Fixture::new().await;
    let metric = "/api/v1/batches/shop/metrics/orders.total";
    let first = fixture.get(&format!("{metric}/points?limit=6")).await.json();
    assert_eq!(first["items"].as_array().unwrap().len(), 6);
    assert_eq!(first["items"][0]["at"], hour(0).to_string());
    assert_eq!(first["next_offset"], 6);
    let rest = fixture.get(&format!("{metric}/points?limit=6&offset=6")).await.json();
    assert_eq!(rest["items"].as_array().unwrap().len(), 4);
    assert_eq!(rest["items"][2]["value"], 42.0);
    assert!(rest["next_offset"].is_null());
    let window = format!("{metric}/scores?from={}&to={}", hour(8), hour(9));
    let scores = fixture.get(&window).await.json();
    assert_eq!(scores["items"].as_array().unwrap().len(), 1);
    assert_eq!(scores["items"][0]["score"], 0.995);
    assert_eq!(scores["items"][0]["band"]["upper"], 12.0);
}

#[tokio::test]
async fn the_api_filters_and_pages_alerts_and_runs() {
    let fixture = Fixture::new().await;
    let alerts = fixture.get("/api/v1/alerts?batch=shop&limit=5").await.json();
    assert_eq!((&alerts["next_offset"], alerts["items"].as_array().unwrap().len()), (&5.into(), 5));
    let none = fixture.get("/api/v1/alerts?batch=quiet").await.json();
    assert_eq!(none["items"].as_array().unwrap().len(), 0);
    let dead = fixture.get("/api/v1/runs?state=dead").await.json();
    assert_eq!(dead["items"][0]["job"], "ingest");
    assert_eq!(dead["items"][0]["seconds"], 2.0);
    let run = fixture.get("/api/v1/runs/1").await.json();
    assert_eq!(run["report"]["trained"], 7);
    assert_eq!(run["logs"][0]["level"], "info");
    let models = fixture.get("/api/v1/models?batch=shop&metric=..").await.json();
    assert_eq!(models["items"][0]["is_current"], true);
}

#[tokio::test]
async fn readiness_names_what_is_missing() {
    let fixture = Fixture::new().await;
    assert_eq!(fixture.get("/readyz").await.status, StatusCode::OK);
    fixture.set_ready(Readiness::waiting("the catalog is being migrated"));
    let answer = fixture.get("/readyz").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.json()["reasons"][0], "the catalog is being migrated");
    assert_eq!(fixture.get("/healthz").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_refused_configuration_is_shown_while_the_work_goes_on() {
    let fixture = Fixture::new().await;
    let problem = "shop.toml:3:1: unknown key <scheduel>";
    fixture.set_ready(Readiness::with_concerns(vec![problem.to_owned()]));
    let answer = fixture.get("/readyz").await;
    assert_eq!((answer.status, answer.json()["ready"].as_bool()), (StatusCode::OK, Some(true)));
    assert_eq!(answer.json()["reasons"][0], problem);
    let page = fixture.get("/").await.body;
    assert!(page.contains("shop.toml:3:1: unknown key &lt;scheduel&gt;"), "{page}");
    fixture.set_ready(Readiness::ready());
    assert!(!fixture.get("/").await.body.contains("unknown key"));
}

#[tokio::test]
async fn requests_are_counted_by_route_and_not_by_path() {
    let fixture = Fixture::new().await;
    fixture.get("/batches/shop").await;
    fixture.get("/batches/nope").await;
    fixture.get("/wp-admin").await;
    let text = fixture.get("/metrics").await.body;
    for line in [
        r#"anomstack_http_requests_total{route="/batches/{batch}",status="200"} 1"#,
        r#"anomstack_http_requests_total{route="/batches/{batch}",status="404"} 1"#,
        r#"anomstack_http_requests_total{route="other",status="404"} 1"#,
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
}

#[tokio::test]
async fn the_pages_need_nothing_from_elsewhere() {
    let fixture = Fixture::new().await;
    for uri in PAGES.iter().chain(&["/assets/app.css", "/assets/app.js", "/assets/icon.svg"]) {
        let body = fixture.get(uri).await.body.replace("http://www.w3.org/2000/svg", "");
        assert!(!body.contains("http://") && !body.contains("https://"), "{uri}");
    }
}
