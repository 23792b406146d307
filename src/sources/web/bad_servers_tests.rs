//! Servers that are slow, hang, hang up, ask to wait, change between pages, or speak TLS with
//! certificates of their own.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time,
};

use super::{
    testing::{ok, rows_at, serve},
    tests::{check, paging, read, shown},
};
use crate::{
    domain::{HttpSpec, PageStep, ParamValue, Remembered, SourceKind, Span, Timestamp},
    sources::{
        Notes, SourceError,
        tests::{batch, read_again, read_at},
    },
};

fn answered(status: &str, headers: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\n{headers}content-length: 0\r\n\r\n").into_bytes()
}

/// Reads from a server that does this with every connection, with a time limit of half a second.
async fn read_from<F: Future<Output = ()>>(serve: impl Fn(tokio::net::TcpStream) -> F) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let mut batch = batch(SourceKind::Http(rows_at(url)));
    batch.source.timeout = Span::from_micros(500_000);
    let serving = async {
        loop {
            serve(listener.accept().await.unwrap().0).await;
        }
    };
    let reading = time::timeout(Duration::from_secs(10), read_at(&batch, None));
    tokio::select! {
        read = reading => shown(read.expect("no end in sight")),
        () = serving => unreachable!(),
    }
}

#[tokio::test]
async fn a_server_that_hangs_or_drips_ends_at_the_time_limit() {
    let hangs = |stream| async move {
        let _held = stream;
        std::future::pending().await
    };
    let late = "read the http source: no answer within 500ms";
    assert_eq!(read_from(hangs).await, late);
    let drips = |mut stream: tokio::net::TcpStream| async move {
        stream.read_u8().await.unwrap();
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\nts,value\n";
        stream.write_all(head).await.unwrap();
        while stream.write_all(b"1,").await.is_ok() {
            time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert_eq!(read_from(drips).await, late);
    let hangs_up = |stream| async move { drop(stream) };
    let error = read_from(hangs_up).await;
    assert!(error.starts_with("ask the server: "), "{error}");
}

#[tokio::test]
async fn who_asks_to_wait_a_little_is_waited_for_and_who_asks_for_long_is_not() {
    let asked = Cell::new(0);
    let answer = |_: &str| {
        asked.set(asked.get() + 1);
        match asked.get() {
            1 => answered("429 X", "retry-after: 0\r\n"),
            2 => answered("503 X", "retry-after: 0\r\n"),
            _ => ok("text/csv", "v\n1\n"),
        }
    };
    assert_eq!(shown(read(answer, |_| ()).await), "v|1");
    assert_eq!(asked.get(), 3);
    let error = read(|_| answered("503 X", "retry-after: 11\r\n"), |_| ()).await.unwrap_err();
    // The test's source has 20 s for all.
    let SourceError::Throttled { status: 503, after, .. } = error else { panic!("{error}") };
    assert_eq!(after, Some(Span::secs(11)));
    let never = read(|_| answered("429 X", ""), |_| ()).await.unwrap_err();
    assert!(matches!(never, SourceError::Throttled { status: 429, after: None, .. }), "{never}");
}

#[tokio::test]
async fn pages_are_asked_for_no_faster_than_allowed() {
    let begin = time::Instant::now();
    let answer = |request: &str| match request.contains("page=3") {
        true => ok("application/json", r#"{"rows":[]}"#),
        false => ok("application/json", r#"{"rows":[{"v":1}]}"#),
    };
    let step = PageStep::Number { param: "page".into(), first: 1 };
    let change = paging(step, 9);
    let slow = |spec: &mut HttpSpec| {
        change(spec);
        spec.endpoint.pace = Some(Span::from_micros(100_000));
    };
    assert_eq!(shown(read(answer, slow).await), "v|1|1");
    assert!(Duration::from_millis(200) <= begin.elapsed(), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn credentials_that_expire_between_pages_fail_the_read_for_good() {
    let answer = |request: &str| match request.contains("page=4") {
        true => answered("401 X", ""),
        false => ok("application/json", r#"{"rows":[{"v":1}]}"#),
    };
    let step = PageStep::Number { param: "page".into(), first: 1 };
    let error = read(answer, paging(step, 9)).await.unwrap_err();
    assert_eq!(error.to_string(), "ask the server: it answered 401");
    assert!(error.is_permanent());
}

#[tokio::test]
async fn rows_that_move_to_the_next_page_come_twice_and_none_is_lost() {
    // A list, newest first, two a page, that gets a new first row before its second page.
    let rows = RefCell::new((0..3).collect::<Vec<i32>>());
    let answer = |request: &str| {
        let page: usize = request.split("page=").nth(1).unwrap()[..1].parse().unwrap();
        let mut rows = rows.borrow_mut();
        if 0 < page && rows.len() < 4 {
            let newest = rows.len() as i32;
            rows.push(newest);
        }
        let shown = rows.iter().rev().skip(2 * page).take(2);
        let shown: Vec<String> = shown.map(|v| format!(r#"{{"v":{v}}}"#)).collect();
        ok("application/json", format!(r#"{{"rows":[{}]}}"#, shown.join(",")))
    };
    let step = PageStep::Number { param: "page".into(), first: 0 };
    let found = shown(read(answer, paging(step, 9)).await);
    let distinct: BTreeSet<&str> = found.split('|').skip(1).collect();
    assert!(["0", "1", "2"].iter().all(|old| distinct.contains(old)), "{found}");
    assert!(distinct.len() < found.split('|').count() - 1, "one came twice: {found}");
}

#[tokio::test]
async fn an_answer_that_has_not_changed_is_not_sent_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let answer = |request: &str| match request.contains("if-none-match: \"v1\"\r\n") {
        true => b"HTTP/1.1 304 X\r\n\r\n".to_vec(),
        false => b"HTTP/1.1 200 OK\r\netag: \"v1\"\r\ncontent-length: 4\r\n\r\nv\n1\n".to_vec(),
    };
    let mut spec = rows_at(url);
    let (now, notes) = (Timestamp::parse("2026-01-02").unwrap(), Notes::default());
    let reading = async {
        let mut whole = batch(SourceKind::Http(spec.clone()));
        let first = read_again(&whole, (now, None), &notes, &Remembered::default()).await.unwrap();
        assert_eq!((first.0.height(), first.1.is_empty()), (1, true), "a bucket is left out");
        whole.source.drop_incomplete = false;
        let (frame, known) =
            read_again(&whole, (now, None), &notes, &Remembered::default()).await.unwrap();
        assert_eq!((frame.height(), known.is_empty()), (1, false));
        let (frame, same) = read_again(&whole, (now, None), &notes, &known).await.unwrap();
        assert_eq!((frame.height(), same == known), (0, true));
        spec.params = BTreeMap::from([("since".into(), ParamValue::Int(7))]);
        whole.source.kind = SourceKind::Http(spec.clone());
        let (frame, _) = read_again(&whole, (now, None), &notes, &known).await.unwrap();
        assert_eq!(frame.height(), 1, "another address");
    };
    tokio::select! {
        () = reading => (),
        () = serve(listener, answer) => unreachable!(),
    }
}

#[tokio::test]
async fn an_encoding_or_charset_nobody_reads_is_named() {
    let body = b"HTTP/1.1 200 OK\r\ncontent-encoding: br\r\ncontent-length: 1\r\n\r\nx";
    let expected = "read the answer: it is in the encoding `br`, which is not read here";
    check(body.to_vec(), |_| (), expected).await;
    let expected =
        "read page 1 of the answer: it is in the encoding `utf-16`, which is not read here";
    check(ok("text/csv; charset=UTF-16", "x"), |_| (), expected).await;
}
