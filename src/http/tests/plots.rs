//! Charts as files.

use super::{
    check_error,
    fixture::{Fixture, NAMES},
};
use crate::http::words::segment;

#[tokio::test]
async fn a_metric_of_any_name_is_drawn_as_png_and_as_svg() {
    let fixture = Fixture::new().await;
    for name in NAMES {
        let plot = format!("/api/v1/batches/shop/metrics/{}/plot", segment(name));
        let picture = fixture.get(&format!("{plot}.png?last=1d&scale=1")).await;
        assert_eq!(picture.status.as_u16(), 200, "{name}: {}", picture.body);
        assert_eq!(picture.headers["content-type"], "image/png");
        assert_eq!(&picture.bytes[..8], b"\x89PNG\r\n\x1a\n");
        assert_eq!(picture.bytes[16..24], [0, 0, 1, 224, 0, 0, 1, 14], "480 by 270");
        let drawing = fixture.get(&format!("{plot}.svg?width=600&height=300")).await;
        assert_eq!(drawing.headers["content-type"], "image/svg+xml");
        assert!(drawing.body.starts_with("<svg xmlns") && !drawing.body.contains("<script"));
        assert!(drawing.body.contains(r#"width="600" height="300""#), "{}", drawing.body);
        assert!(drawing.body.contains("<circle"), "the alert is marked: {}", drawing.body);
    }
    let orders = fixture.get("/api/v1/batches/shop/metrics/orders.total/plot.svg").await.body;
    assert!(orders.contains(">Orders (1/h)<") && orders.contains("Europe/Dublin"), "{orders}");
}

#[tokio::test]
async fn the_chart_of_an_alert_says_why_it_was_raised() {
    let fixture = Fixture::new().await;
    let drawing = fixture.get("/api/v1/alerts/alert-0/chart.svg").await.body;
    let reason = ">42 &lt;i&gt;is&lt;/i&gt; far above 8 to 12<";
    assert!(drawing.contains(reason) && drawing.contains("<circle"), "{drawing}");
    let picture = fixture.get("/api/v1/alerts/alert-0/chart.png").await;
    assert_eq!(picture.headers["content-type"], "image/png");
    check_error(&fixture.get("/api/v1/alerts/none/chart.png").await, 404, "not_found");
}

#[tokio::test]
async fn a_chart_that_cannot_be_drawn_is_refused_in_words() {
    let fixture = Fixture::new().await;
    let plot = "/api/v1/batches/shop/metrics/orders.total/plot.png";
    for (query, said) in [
        ("last=soon", "last: "),
        ("last=0s", "last: "),
        ("from=2026-01-02&to=2026-01-01", "`from` must be before `to`"),
        ("width=1", "width: a number from 200 to 2000"),
        ("height=NaN", "height: a number from 120 to 2000"),
        ("scale=100", "scale: a number from 0.5 to 4"),
        ("width=2000&height=2000&scale=4", "at most"),
    ] {
        let answer = fixture.get(&format!("{plot}?{query}")).await;
        check_error(&answer, 400, "bad_request");
        assert!(answer.body.contains(said), "{query}: {}", answer.body);
    }
    let empty = fixture.get(&format!("{plot}?from=2020-01-01&to=2020-01-02")).await;
    check_error(&empty, 404, "not_found");
    let unknown = "/api/v1/batches/shop/metrics/nope/plot.png";
    check_error(&fixture.get(unknown).await, 404, "not_found");
}
