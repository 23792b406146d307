//! Small servers on this machine for the tests of sources.

use std::collections::BTreeMap;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::domain::{Endpoint, HttpSpec, RowsAt, Secret, WebAuth};

/// Answers requests, one a connection, until dropped.
pub(in crate::sources) async fn serve(listener: TcpListener, answer: impl Fn(&str) -> Vec<u8>) {
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut bytes = Vec::new();
        loop {
            let text = String::from_utf8_lossy(&bytes);
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                if length.map_or(0, |length| length.parse().unwrap()) <= body.len() {
                    break;
                }
            }
            assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "the request ended early");
        }
        let written = stream.write_all(&answer(&String::from_utf8(bytes).unwrap())).await;
        // Who is sent more than they want hangs up.
        drop(written);
    }
}

/// An answer with a body.
pub(in crate::sources) fn ok(content_type: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Rows at an address, in whatever form they come.
pub(in crate::sources) fn rows_at(url: String) -> HttpSpec {
    HttpSpec {
        endpoint: endpoint(url),
        params: BTreeMap::new(),
        format: None,
        rows: RowsAt::Pointer(String::new()),
        columns: BTreeMap::new(),
        paging: None,
    }
}

/// One that is signed in to, with secrets that end in 4711.
pub(in crate::sources) fn endpoint(url: String) -> Endpoint {
    Endpoint {
        url: Secret::new(url),
        headers: BTreeMap::from([("x-canary".into(), Secret::new("canary-4711".into()))]),
        auth: WebAuth::Bearer(Secret::new("t0ken-4711".into())),
        allow_private: true,
        max_bytes: 100_000,
        ca_file: None,
        identity: None,
        pace: None,
    }
}
