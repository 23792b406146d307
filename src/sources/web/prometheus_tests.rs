//! The `prometheus` source against a stand-in that answers as Prometheus does, and against the real
//! one where `ANOMSTACK_TEST_PROMETHEUS_URL` names it.

use std::{cell::RefCell, collections::BTreeMap};

use polars::prelude::DataFrame;
use tokio::net::TcpListener;

use super::testing::{endpoint, ok, serve};
use crate::{
    domain::{PrometheusSpec, Secret, SourceKind, Span, Timestamp, WebAuth},
    sources::{
        Notes, SourceError,
        tests::{batch, read_at, read_noting, read_when},
    },
};

fn spec(url: String) -> PrometheusSpec {
    PrometheusSpec {
        endpoint: endpoint(url),
        query: "up{job=~\".+\"}".into(),
        step: Span::secs(60),
        offset: Span::ZERO,
        lookback: Span::hours(1),
        name: None,
        tenant: Some("team-a".into()),
    }
}

async fn read(
    answer: impl Fn(&str) -> Vec<u8>,
    last: Option<&str>,
    change: impl FnOnce(&mut PrometheusSpec),
) -> Result<DataFrame, SourceError> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut spec = spec(format!("http://{}/prom/", listener.local_addr().unwrap()));
    change(&mut spec);
    let batch = batch(SourceKind::Prometheus(spec));
    tokio::select! {
        read = read_at(&batch, last) => read,
        () = serve(listener, answer) => unreachable!(),
    }
}

fn form(request: &str) -> BTreeMap<String, String> {
    let body = request.split("\r\n\r\n").nth(1).unwrap();
    url::form_urlencoded::parse(body.as_bytes()).into_owned().collect()
}

fn shown(read: Result<DataFrame, SourceError>) -> Vec<String> {
    let frame = match read {
        Ok(frame) => frame,
        Err(error) => return vec![error.to_string()],
    };
    let row = |row| {
        let cells = frame.columns().iter().map(|c| c.get(row).unwrap().str_value().into_owned());
        cells.collect::<Vec<_>>().join(" ")
    };
    (0..frame.height()).map(row).collect()
}

const SERIES: &str = r#"{"status":"success","warnings":["w"],"data":{"resultType":"matrix","result":[
    {"metric":{"__name__":"up","job":"a\"b","instance":"x:1"},
     "values":[[1767225600,"1"],[1767225660.123,"NaN"]]},
    {"metric":{"__name__":"up"},"values":[[1767225600,"+Inf"]]},
    {"metric":{},"values":[[1767225600,"0.25"]]}]}}"#;

#[tokio::test]
async fn series_are_asked_for_and_named_as_prometheus_writes_them() {
    let answer = |request: &str| {
        assert!(request.starts_with("POST /prom/api/v1/query_range HTTP/1.1\r\n"), "{request}");
        assert!(request.contains("x-scope-orgid: team-a\r\n"), "{request}");
        assert!(request.contains("authorization: Bearer t0ken-4711\r\n"), "{request}");
        let form = form(request);
        assert_eq!(form["query"], "up{job=~\".+\"}");
        let window = (form["start"].as_str(), form["end"].as_str(), form["step"].as_str());
        assert_eq!(window, ("1767308400", "1767312000", "60"));
        ok("application/json", SERIES)
    };
    let rows = shown(read(answer, None, |_| ()).await);
    assert_eq!(
        rows,
        [
            r#"1767225600000000 up{instance="x:1",job="a\"b"} 1.0"#,
            r#"1767225660123000 up{instance="x:1",job="a\"b"} NaN"#,
            "1767225600000000 up inf",
            "1767225600000000 shop 0.25",
        ]
    );
}

#[tokio::test]
async fn warnings_are_noted_and_native_histograms_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let batch =
        batch(SourceKind::Prometheus(spec(format!("http://{}", listener.local_addr().unwrap()))));
    let (now, notes) = (Timestamp::parse("2026-01-02").unwrap(), Notes::default());
    let infos =
        SERIES.replace(r#""warnings":["w"]"#, r#""warnings":["a store is down"],"infos":["x"]"#);
    let rows = tokio::select! {
        rows = read_noting(&batch, (now, None), &notes) => rows.unwrap().height(),
        () = serve(listener, |_| ok("application/json", &infos)) => unreachable!(),
    };
    assert_eq!((rows, notes.take()), (4, vec!["a store is down".to_owned(), "x".to_owned()]));
    let histogram =
        r#"{"metric":{"__name__":"h"},"histograms":[[1767225600,{"count":"1","sum":"1"}]]}"#;
    let body = format!(
        r#"{{"status":"success","data":{{"resultType":"matrix","result":[{histogram}]}}}}"#
    );
    let error = shown(read(|_| ok("application/json", &body), None, |_| ()).await);
    assert!(error[0].starts_with("read the series `h`: it holds native histograms; "), "{error:?}");
}

#[tokio::test]
async fn the_window_begins_at_the_last_point_less_the_lateness_and_ends_before_the_offset() {
    let windows = RefCell::new(Vec::new());
    let answer = |request: &str| {
        let form = form(request);
        windows.borrow_mut().push((form["start"].clone(), form["end"].clone()));
        ok("application/json", r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#)
    };
    let empty = read(answer, Some("2026-01-01T23:30:30Z"), |spec| spec.offset = Span::secs(90));
    let frame = empty.await.unwrap();
    assert_eq!(frame.get_column_names(), ["timestamp", "metric", "value"]);
    // 23:20:00 to 23:58:00.
    assert_eq!(windows.take(), [("1767309600".to_owned(), "1767311880".to_owned())]);

    let future = read(answer, Some("2026-01-03T00:00:00Z"), |_| ()).await;
    assert_eq!((future.unwrap().height(), windows.take()), (0, vec![]));

    let long = read(answer, None, |spec| {
        spec.step = Span::from_micros(500_000);
        spec.lookback = Span::hours(2);
    });
    long.await.unwrap();
    let expected = [("1767304800", "1767310299.500"), ("1767310300", "1767312000")];
    assert_eq!(windows.take(), expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
}

#[tokio::test]
async fn names_come_from_a_template_that_keeps_series_apart() {
    let answer = |_: &str| ok("application/json", SERIES);
    let named =
        |template: &'static str| move |spec: &mut PrometheusSpec| spec.name = Some(template.into());
    let template = "{{ job | default('all') }}/{{ __name__ | default('-') }}";
    let rows = shown(read(answer, None, named(template)).await);
    assert_eq!(rows[0], r#"1767225600000000 a"b/up 1.0"#);
    let rows = shown(read(answer, None, named("{{ job | default('all') }}")).await);
    let expected = "name the series: two are called `all`; let `name` use more labels";
    assert_eq!(rows, [expected]);
    let rows = shown(read(answer, None, named("{{ job }}")).await);
    assert_eq!(rows, ["render the name of a series, line 1: undefined value: `job` is undefined"]);
}

#[tokio::test]
async fn refusals_are_told_in_prometheus_words() {
    let body = r#"{"status":"error","errorType":"bad_data","error":"parse error: t0ken-4711"}"#;
    let answer = format!("HTTP/1.1 400 X\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let rows = shown(read(|_| answer.clone().into_bytes(), None, |_| ()).await);
    assert_eq!(rows, ["run the PromQL query: parse error: [secret]"]);
    let plain = b"HTTP/1.1 502 X\r\ncontent-length: 3\r\n\r\nbad".to_vec();
    let rows = shown(read(|_| plain.clone(), None, |_| ()).await);
    assert_eq!(rows, ["ask the server: it answered 502 and said: bad"]);
    let vector = r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#;
    let rows = shown(read(|_| ok("application/json", vector), None, |_| ()).await);
    assert_eq!(rows, ["read the answer of Prometheus: its result is a vector, not a matrix"]);
}

/// The server to test against, as known when the test was built, or nothing and a word about it.
fn prometheus() -> Option<String> {
    let url = option_env!("ANOMSTACK_TEST_PROMETHEUS_URL").map(str::to_owned);
    if url.is_none() {
        eprintln!("not tested against Prometheus: ANOMSTACK_TEST_PROMETHEUS_URL is not set");
    }
    url
}

#[tokio::test]
async fn the_real_one_answers_in_pieces_and_refuses_in_words() {
    let Some(url) = prometheus() else { return };
    let now = Timestamp::parse("2026-01-02T00:00:00Z").unwrap();
    let real = |query: &str| {
        let mut spec = spec(url.clone());
        spec.endpoint.auth = WebAuth::None;
        spec.endpoint.max_bytes = 10_000_000;
        spec.query = query.into();
        spec
    };
    let mut series = real("label_replace(vector(time()), \"job\", \"a\\\"b\", \"\", \"\")");
    series.step = Span::secs(1);
    series.lookback = Span::hours(5);
    let mut asking = batch(SourceKind::Prometheus(series));
    asking.source.max_rows = 20_000;
    let frame = read_when(&asking, now, None).await.unwrap();
    // 18,001 points in two requests; each value is its own time.
    assert_eq!(frame.height(), 18_001);
    let cells = |name: &str| {
        let column = frame.column(name).unwrap();
        let cell = |row| column.get(row).unwrap().try_extract::<f64>().unwrap();
        (0..column.len()).map(cell).collect::<Vec<_>>()
    };
    let expected: Vec<f64> = cells("timestamp").iter().map(|micros| micros / 1e6).collect();
    assert_eq!(cells("value"), expected);
    assert!(expected.windows(2).all(|pair| pair[0] + 1.0 == pair[1]));
    assert_eq!(frame.column("metric").unwrap().get(0).unwrap().str_value(), r#"{job="a\"b"}"#);

    let wrong = batch(SourceKind::Prometheus(real("sum(")));
    let error = read_when(&wrong, now, None).await.unwrap_err().to_string();
    assert!(error.starts_with("run the PromQL query: "), "{error}");
    let mut elsewhere = real("up");
    elsewhere.endpoint.url = Secret::new(format!("{url}/nowhere"));
    let error = read_when(&batch(SourceKind::Prometheus(elsewhere)), now, None).await;
    let error = error.unwrap_err().to_string();
    assert!(error.starts_with("ask the server: it answered 404"), "{error}");
}
