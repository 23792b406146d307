//! The accept loop. Our own because `axum::serve` has no read time-outs: a client that sends half a
//! head would hold its connection for ever.

use std::{convert::Infallible, io, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode},
    response::{IntoResponse, Response},
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::{
    failure::Failure,
    limits::Limits,
    patient::Patient,
    seats::{Seat, Seats},
};

/// Long enough for descriptors to come free, short enough not to be noticed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Answers requests until told to stop; then lets open ones finish within `limits.stop`.
/// Dropping the future closes every connection at once.
pub(super) async fn run(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    stop: CancellationToken,
) {
    let mut connections = JoinSet::new();
    let seats = Seats::default();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(ended) = connections.join_next() => note_panic(ended),
            accepted = listener.accept() => match accepted {
                Ok((stream, _))
                    if connections.len() < limits.max_connections || seats.free_one() =>
                {
                    let (router, limits) = (router.clone(), limits.clone());
                    let served = connection(stream, router, limits, seats.take(), stop.clone());
                    connections.spawn(served);
                }
                Ok(_) => tracing::debug!("closed a connection: too many are being answered"),
                Err(error) if is_peer_fault(&error) => {}
                Err(error) => {
                    tracing::warn!("cannot accept connections: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    let finished = async {
        while let Some(ended) = connections.join_next().await {
            note_panic(ended);
        }
    };
    if tokio::time::timeout(limits.stop, finished).await.is_err() {
        connections.shutdown().await;
    }
}

async fn connection(
    stream: TcpStream,
    router: Router,
    limits: Limits,
    seat: Seat,
    stop: CancellationToken,
) {
    let io = TokioIo::new(Patient::new(stream, limits.write));
    let seat = &seat;
    let service = service_fn(|request| {
        let answered = answer(router.clone(), request, limits.answer);
        async move {
            seat.work();
            let response = answered.await;
            seat.wait();
            response
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_header_size(limits.max_head_bytes);
    let mut serving = std::pin::pin!(http.serve_connection(io, service));
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = seat.give_way.cancelled() => return,
        () = stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::trace!("a connection ended early: {error}");
    }
}

async fn answer(
    router: Router,
    request: Request<Incoming>,
    limit: Duration,
) -> Result<Response, Infallible> {
    let answered = router.oneshot(request.map(Body::new));
    match tokio::time::timeout(limit, answered).await {
        Ok(answer) => answer,
        Err(_) => {
            let late = Failure::new(StatusCode::SERVICE_UNAVAILABLE, "the answer took too long");
            Ok(late.into_response())
        }
    }
}

/// The client went away between its request to connect and our answer.
fn is_peer_fault(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}

fn note_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!("answering a request panicked: {error}");
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    struct Running {
        addr: SocketAddr,
        stop: CancellationToken,
        tasks: JoinSet<()>,
    }

    async fn start(limits: Limits) -> Running {
        let never = || std::future::pending::<&'static str>();
        let hello = get(|| async { "hello" });
        start_with(Router::new().route("/", hello).route("/never", get(never)), limits).await
    }

    async fn start_with(router: Router, limits: Limits) -> Running {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(run(listener, router, limits, stop.clone()));
        Running { addr, stop, tasks }
    }

    fn short() -> Limits {
        let tick = Duration::from_millis(200);
        Limits { head: tick, answer: tick, write: tick, stop: tick, ..Limits::default() }
    }

    /// Sends the bytes and reads until the server closes.
    async fn exchange(addr: SocketAddr, sent: &[u8]) -> String {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        stream.write_all(sent).await.unwrap();
        let mut received = Vec::new();
        let reading = stream.read_to_end(&mut received);
        tokio::time::timeout(Duration::from_secs(5), reading).await.unwrap().unwrap();
        String::from_utf8(received).unwrap()
    }

    #[tokio::test]
    async fn a_silent_connection_is_closed() {
        let server = start(short()).await;
        assert_eq!(exchange(server.addr, b"").await, "");
    }

    #[tokio::test]
    async fn half_a_head_is_closed() {
        let server = start(short()).await;
        let received = exchange(server.addr, b"GET / HTTP/1.1\r\nHost: loc").await;
        assert!(received.is_empty() || received.starts_with("HTTP/1.1 408"), "{received}");
    }

    #[tokio::test]
    async fn an_idle_kept_connection_is_answered_and_then_closed() {
        let server = start(short()).await;
        let received = exchange(server.addr, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        assert!(received.starts_with("HTTP/1.1 200") && received.ends_with("hello"), "{received}");
    }

    #[tokio::test]
    async fn an_answer_that_never_comes_is_a_503() {
        let server = start(short()).await;
        let received =
            exchange(server.addr, b"GET /never HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        assert!(received.starts_with("HTTP/1.1 503"), "{received}");
    }

    #[tokio::test]
    async fn an_endless_head_is_refused() {
        let server = start(short()).await;
        let head =
            format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(33_000));
        let received = exchange(server.addr, head.as_bytes()).await;
        assert!(received.starts_with("HTTP/1.1 431"), "{received}");
    }

    #[tokio::test]
    async fn over_the_cap_the_longest_waiting_connection_gives_way() {
        let limits = Limits { max_connections: 1, head: Duration::from_secs(60), ..short() };
        let server = start(limits).await;
        let mut silent = TcpStream::connect(server.addr).await.unwrap();
        let request = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        assert!(exchange(server.addr, request).await.ends_with("hello"));
        assert_eq!(silent.read(&mut [0; 64]).await.unwrap_or(0), 0);
    }

    #[tokio::test]
    async fn a_connection_more_than_can_be_answered_is_closed_at_once() {
        let minute = Duration::from_secs(60);
        let limits = Limits { max_connections: 1, head: minute, answer: minute, ..short() };
        let (seen, mut is_seen) = tokio::sync::mpsc::channel(1);
        let never = move || async move {
            seen.send(()).await.unwrap();
            std::future::pending::<&'static str>().await
        };
        let server = start_with(Router::new().route("/", get(never)), limits).await;
        let mut busy = TcpStream::connect(server.addr).await.unwrap();
        busy.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        is_seen.recv().await.unwrap();
        let mut further = TcpStream::connect(server.addr).await.unwrap();
        assert_eq!(further.read(&mut [0; 64]).await.unwrap_or(0), 0);
    }

    #[tokio::test]
    async fn stopping_closes_idle_connections_and_ends() {
        let limits = Limits { head: Duration::from_secs(60), ..short() };
        let mut server = start(limits).await;
        let mut idle = TcpStream::connect(server.addr).await.unwrap();
        idle.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        assert!(0 < idle.read(&mut [0; 4096]).await.unwrap());
        server.stop.cancel();
        let ended = tokio::time::timeout(Duration::from_secs(5), server.tasks.join_next()).await;
        assert!(matches!(ended, Ok(Some(Ok(())))));
        assert_eq!(idle.read(&mut [0; 64]).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_client_that_takes_no_bytes_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _deaf = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let mut patient = Patient::new(stream, Duration::from_millis(100));
        let error = patient.write_all(&vec![0; 64 * 1024 * 1024]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
