//! A web server that answers as it is told, also badly.

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::atomic::{AtomicUsize, Ordering},
    sync::{Arc, Mutex},
    thread,
};

/// What a server does with one request.
#[derive(Debug, Clone)]
pub(super) enum Answer {
    /// These bytes, then it hangs up.
    Bytes(Vec<u8>),
    /// These bytes, and then nothing for ever.
    Hang(Vec<u8>),
}

impl Answer {
    /// A whole answer.
    pub(super) fn ok(kind: &str, body: &str) -> Self {
        Self::with("200 OK", kind, body, body.len())
    }

    /// An answer that promises so many bytes.
    pub(super) fn with(status: &str, kind: &str, body: &str, length: usize) -> Self {
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
        );
        Self::Bytes([head.as_bytes(), body.as_bytes()].concat())
    }
}

/// A web server that answers in turn, and with its last answer from then on.
pub(super) struct Server {
    address: SocketAddr,
    n_asked: Arc<AtomicUsize>,
    /// Connections that are kept open and never answered.
    _held: Arc<Mutex<Vec<TcpStream>>>,
}

impl Server {
    pub(super) fn start(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (n_asked, held) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let (counted, holding) = (Arc::clone(&n_asked), Arc::clone(&held));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let n = counted.fetch_add(1, Ordering::SeqCst);
                serve(stream, &answers[n.min(answers.len() - 1)], &holding);
            }
        });
        Self { address, n_asked, _held: held }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn n_asked(&self) -> usize {
        self.n_asked.load(Ordering::SeqCst)
    }

    /// Lines of an `http` source that asks it.
    pub(super) fn source(&self, more: &str) -> String {
        format!("kind = \"http\"\nurl = \"{}/rows\"\nallow_private = true\n{more}", self.url())
    }
}

fn serve(stream: TcpStream, answer: &Answer, held: &Mutex<Vec<TcpStream>>) {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|n| 2 < n) {
        line.clear();
    }
    let mut stream = reader.into_inner();
    let (Answer::Bytes(bytes) | Answer::Hang(bytes)) = answer;
    // The other side may have hung up already.
    drop(stream.write_all(bytes));
    if matches!(answer, Answer::Hang(_)) {
        held.lock().unwrap().push(stream);
    }
}
