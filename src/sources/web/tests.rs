//! The `http` source against small servers on this machine.

use std::{collections::BTreeMap, io::Write};

use polars::prelude::DataFrame;
use tokio::net::TcpListener;

use super::testing::{ok, rows_at, serve};
use crate::{
    domain::{
        HttpSpec, PageStep, Paging, ParamValue, RowsAt, Secret, SourceKind, Span, WebAuth,
        WebFormat,
    },
    sources::{
        SourceError,
        tests::{batch, read_at},
    },
};

/// Reads `/rows?a=1` of a server that answers so, with the source changed as wanted.
pub(super) async fn read(
    answer: impl Fn(&str) -> Vec<u8>,
    change: impl FnOnce(&mut HttpSpec),
) -> Result<DataFrame, SourceError> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut spec = rows_at(format!("http://{address}/rows?a=1"));
    change(&mut spec);
    let mut batch = batch(SourceKind::Http(spec));
    batch.source.max_rows = 5;
    let read = read_at(&batch, Some("2026-01-01T00:10:00Z"));
    let read = tokio::select! {
        read = read => read,
        () = serve(listener, answer) => unreachable!(),
    };
    if let Err(error) = &read {
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("4711"), "{shown}");
    }
    read
}

pub(super) fn shown(read: Result<DataFrame, SourceError>) -> String {
    let frame = match read {
        Ok(frame) => frame,
        Err(error) => return crate::net::chain(&error),
    };
    let cells = |row| {
        let cells = frame.columns().iter().map(|c| c.get(row).unwrap().str_value().into_owned());
        cells.collect::<Vec<_>>().join(",")
    };
    let names = frame.columns().iter().map(|c| c.name().as_str()).collect::<Vec<_>>().join(",");
    std::iter::once(names).chain((0..frame.height()).map(cells)).collect::<Vec<_>>().join("|")
}

pub(super) async fn check(answer: Vec<u8>, change: impl FnOnce(&mut HttpSpec), expected: &str) {
    assert_eq!(shown(read(|_| answer.clone(), change).await), expected);
}

fn pointer(pointer: &str) -> impl FnOnce(&mut HttpSpec) {
    move |spec| spec.rows = RowsAt::Pointer(pointer.into())
}

#[tokio::test]
async fn rows_are_read_in_every_form_they_come_in() {
    let expected = "ts,value|1,10.0|2,0.5";
    let same = |_: &mut HttpSpec| ();
    check(ok("text/csv; charset=utf-8", "ts,value\n1,10\n2,0.5"), same, expected).await;
    check(ok("text/plain", "ts\tvalue\n1\t10\n2\t0.5"), same, expected).await;
    let lines = "{\"ts\":1,\"value\":10}\n{\"ts\":2,\"value\":0.5}\n";
    check(ok("application/x-ndjson", lines), same, expected).await;
    let rows = r#"[{"ts":1,"value":10},{"ts":2,"value":0.5}]"#;
    check(ok("application/json", rows), same, expected).await;
    let deep = format!(r#"{{"meta":1e999,"a":[{{"rows":{rows}}}]}}"#);
    check(ok("application/json", &deep), pointer("/a/0/rows"), expected).await;
    let columns = r#"{"hourly":{"ts":[1,2],"value":[10,null]}}"#;
    check(ok("application/json", columns), pointer("/hourly"), "ts,value|1,10|2,null").await;
    check(ok("application/json", r#"{"ts":1,"value":2}"#), same, "ts,value|1,2").await;
    check(ok("application/json", r#"{"rows":[]}"#), pointer("/rows"), "").await;
    let path = |spec: &mut HttpSpec| spec.rows = RowsAt::Path("$.a[*].rows[?@.ts < 3]".into());
    check(ok("application/json", &deep), path, "ts,value|1,10.0|2,0.5").await;
    let latin = ok("text/csv; Charset=\"ISO-8859-1\"", b"ts,value\n1,\xe9\x80");
    check(latin, same, "ts,value|1,é€").await;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(b"ts,value\n1,10\n2,0.5").unwrap();
    check(ok("application/gzip", gzip.finish().unwrap()), same, expected).await;
}

#[tokio::test]
async fn columns_get_our_names() {
    let rename = |ours: &'static str, theirs: &'static str| {
        move |spec: &mut HttpSpec| spec.columns = BTreeMap::from([(ours.into(), theirs.into())])
    };
    let rows = ok("application/json", r#"[{"when":1,"value":2}]"#);
    check(rows.clone(), rename("timestamp", "when"), "timestamp,value|1,2").await;
    let expected = "find the column `nope`, to be `timestamp`: found when, value";
    check(rows, rename("timestamp", "nope"), expected).await;
}

#[tokio::test]
async fn the_request_is_signed_in_and_carries_the_parameters() {
    let answer = |request: &str| {
        let first = request.lines().next().unwrap();
        let expected = "GET /rows?a=1&limit=5&since=2026-01-01T00%3A00%3A00Z HTTP/1.1";
        assert_eq!(first, expected);
        for line in ["authorization: Bearer t0ken-4711", "x-canary: canary-4711"] {
            assert!(request.lines().any(|header| header == line), "{line} not in {request}");
        }
        ok("text/csv", "ts,value\n1,2\n")
    };
    let read = read(answer, |spec| {
        spec.params = BTreeMap::from([
            ("limit".into(), ParamValue::Int(5)),
            ("since".into(), ParamValue::Text("{{ last_timestamp }}".into())),
            ("gone".into(), ParamValue::Text("{% if not now %}x{% endif %}".into())),
        ]);
    });
    assert_eq!(shown(read.await), "ts,value|1,2");
    let answer = |request: &str| {
        assert!(request.contains("authorization: Basic bWU6dzByZC00NzEx\r\n"), "{request}");
        ok("text/csv", "ts,value\n1,2\n")
    };
    let basic = |spec: &mut HttpSpec| {
        let password = Secret::new("w0rd-4711".into());
        spec.endpoint.auth = WebAuth::Basic { user: "me".into(), password };
    };
    assert_eq!(shown(self::read(answer, basic).await), "ts,value|1,2");
}

pub(super) fn paging(step: PageStep, max_pages: usize) -> impl FnOnce(&mut HttpSpec) {
    move |spec| {
        spec.rows = RowsAt::Pointer("/rows".into());
        spec.paging = Some(Paging { step, max_pages });
    }
}

#[tokio::test]
async fn pages_are_followed_to_their_end_in_each_way() {
    let link = |request: &str| match request.split(' ').nth(1).unwrap() {
        "/rows?a=1" => ok("application/json", r#"{"rows":[{"v":1}],"next":"/more?p=2"}"#),
        "/more?p=2" => ok("application/json", r#"{"rows":[{"v":2}],"next":null}"#),
        path => panic!("{path}"),
    };
    let step = PageStep::Link { pointer: "/next".into() };
    assert_eq!(shown(read(link, paging(step.clone(), 2)).await), "v|1|2");
    let over = read(link, paging(step, 1)).await;
    assert_eq!(shown(over), "read the answer: more than 1 pages (`max_pages`)");

    let cursor = |request: &str| match request.split(' ').nth(1).unwrap() {
        "/rows?a=1" => ok("application/json", r#"{"rows":[{"v":1}],"next":"x y"}"#),
        "/rows?a=1&after=x+y" => ok("application/json", r#"{"rows":[{"v":2}],"next":""}"#),
        path => panic!("{path}"),
    };
    let step = PageStep::Cursor { pointer: "/next".into(), param: "after".into() };
    assert_eq!(shown(read(cursor, paging(step, 9)).await), "v|1|2");

    let number = |request: &str| match request.split(' ').nth(1).unwrap() {
        "/rows?a=1&page=0" => ok("application/json", r#"{"rows":[{"v":1}]}"#),
        "/rows?a=1&page=1" => ok("application/json", r#"{"rows":[]}"#),
        path => panic!("{path}"),
    };
    let step = PageStep::Number { param: "page".into(), first: 0 };
    assert_eq!(shown(read(number, paging(step, 9)).await), "v|1");
}

#[tokio::test]
async fn neither_a_page_nor_a_redirect_leads_to_another_host() {
    let expected = "ask the server: it leads to another host, `evil.example`";
    let page = r#"{"rows":[{"v":1}],"next":"http://evil.example/x"}"#;
    let step = PageStep::Link { pointer: "/next".into() };
    check(ok("application/json", page), paging(step, 9), expected).await;
    let away = b"HTTP/1.1 302 Found\r\nlocation: //evil.example/x\r\ncontent-length: 0\r\n\r\n";
    check(away.to_vec(), |_| (), expected).await;
    let round = |request: &str| match request.contains("GET /here") {
        true => ok("text/csv", "v\n1\n"),
        false => b"HTTP/1.1 307 X\r\nlocation: /here\r\ncontent-length: 0\r\n\r\n".to_vec(),
    };
    assert_eq!(shown(read(round, |_| ()).await), "v|1");
    let endless = b"HTTP/1.1 301 X\r\nlocation: /rows\r\ncontent-length: 0\r\n\r\n";
    check(endless.to_vec(), |_| (), "ask the server: it redirects without end").await;
}

#[tokio::test]
async fn refusals_say_what_kind_they_are_and_quote_no_secret() {
    let denied = b"HTTP/1.1 401 X\r\ncontent-length: 24\r\n\r\nno access for t0ken-4711".to_vec();
    let error = read(|_| denied.clone(), |_| ()).await.unwrap_err();
    let expected = "ask the server: it answered 401 and said: no access for [secret]";
    assert_eq!((error.to_string().as_str(), error.is_permanent()), (expected, true));
    let wait = b"HTTP/1.1 429 X\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n".to_vec();
    let error = read(|_| wait.clone(), |_| ()).await.unwrap_err();
    let SourceError::Throttled { status: 429, after, .. } = error else { panic!("{error}") };
    assert_eq!((after, error.is_permanent()), (Some(Span::secs(7)), false));
    let busy = b"HTTP/1.1 503 X\r\ncontent-length: 25\r\n\r\ntoo much for t0ken-4711 !".to_vec();
    let error = read(|_| busy.clone(), |_| ()).await.unwrap_err();
    let expected = "ask the server: it answered 503 and said: too much for [secret] !";
    assert_eq!((error.to_string().as_str(), error.is_permanent()), (expected, false));
    let broken = b"HTTP/1.1 500 X\r\ncontent-length: 0\r\n\r\n".to_vec();
    let error = read(|_| broken.clone(), |_| ()).await.unwrap_err();
    assert_eq!(
        (error.to_string().as_str(), error.is_permanent()),
        ("ask the server: it answered 500", false)
    );
}

#[tokio::test]
async fn garbage_and_floods_end_the_read() {
    let same = |_: &mut HttpSpec| ();
    check(
        ok("application/json", "<html>502"),
        same,
        "read page 1 of the answer: it looks like HTML or XML; it begins with `<html>502`",
    )
    .await;
    check(
        ok("application/json", r#"{"error":1}"#),
        pointer("/rows"),
        "read page 1 of the answer: there is nothing at `/rows`",
    )
    .await;
    let half = ok("application/json", r#"[{"ts":1},{"#);
    let error = shown(read(|_| half.clone(), same).await);
    assert!(error.starts_with("read page 1 of the answer: EOF while parsing"), "{error}");
    let cut = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nts,value\n1,2\n".to_vec();
    let error = shown(read(|_| cut.clone(), same).await);
    assert!(error.starts_with("ask the server: "), "{error}");
    let flood = ok("text/csv", "ts,value\n".repeat(100));
    let small = |spec: &mut HttpSpec| spec.endpoint.max_bytes = 899;
    check(flood, small, "read the answer: more than 899 bytes").await;
    let rows = "value\n1\n2\n3\n4\n5\n6\n";
    check(ok("text/csv", rows), same, "read the source: more than 5 rows (`max_rows`)").await;
    let told = |spec: &mut HttpSpec| spec.format = Some(WebFormat::Json);
    let error = shown(read(|_| ok("text/csv", "value\n1\n"), told).await);
    assert!(error.starts_with("read page 1 of the answer: expected value"), "{error}");
}

#[tokio::test]
async fn a_private_address_is_called_only_when_that_is_allowed() {
    let no = |spec: &mut HttpSpec| spec.endpoint.allow_private = false;
    let error = read(|_| unreachable!(), no).await.unwrap_err();
    assert!(error.is_permanent());
    assert_eq!(
        shown(Err(error)),
        "ask the server: 127.0.0.1 is a loopback address; set `allow_private = true` to call it"
    );
    let by_name = |spec: &mut HttpSpec| {
        let url = spec.endpoint.url.reveal().replace("127.0.0.1", "localhost");
        spec.endpoint.url = Secret::new(url);
        spec.endpoint.allow_private = false;
    };
    let error = read(|_| unreachable!(), by_name).await.unwrap_err();
    assert!(matches!(error, SourceError::Forbidden(_)), "{error}");
}
