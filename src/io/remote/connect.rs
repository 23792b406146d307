//! The way of an object store's requests: through the program's own HTTP clients, each to an address
//! that was checked, repeated while that can help and does no harm.

use std::{pin::Pin, sync::Arc, time::Duration};

use object_store::{
    ClientOptions,
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
        HttpResponseBody, HttpService,
    },
};
use url::Url;

use super::{
    gate::Gate,
    patience::Patience,
    trouble::{Fate, Trouble},
};
use crate::{
    domain::Timestamp,
    io::{condition, counters::Counters, luck::Luck},
    net::{self, Client, Reach},
};

/// What all requests to one store share.
#[derive(Debug)]
pub(in crate::io) struct Calls {
    pub(in crate::io) patience: Patience,
    pub(in crate::io) luck: Luck,
    pub(in crate::io) counters: Arc<Counters>,
    gate: Gate,
}

impl Calls {
    pub(in crate::io) fn new(patience: Patience, most: usize, counters: Arc<Counters>) -> Self {
        Self { patience, luck: Luck::new(), counters, gate: Gate::new(most) }
    }
}

/// Calls what may be called.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) client: Client,
    pub(super) reach: Reach,
    pub(super) calls: Arc<Calls>,
}

impl HttpConnector for Caller {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

type Calling<'c> = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'c>>;

impl HttpService for Caller {
    fn call<'s, 'c>(&'s self, request: HttpRequest) -> Calling<'c>
    where
        's: 'c,
        Self: 'c,
    {
        Box::pin(self.persist(request))
    }
}

/// What came of one attempt.
enum Attempt {
    Answered(HttpResponse),
    /// The other side asked to be left alone for a while, and did nothing.
    TooMuch {
        asked: Option<Duration>,
        said: String,
    },
    /// It is not known to have been carried out, or is known not to have been.
    Failed {
        fate: Fate,
        said: String,
    },
    /// No use in trying again.
    Hopeless(HttpError),
}

impl Caller {
    async fn persist(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        bind_to_condition(&mut request);
        let may_repeat = may_repeat(&request);
        let (mut n_attempts, mut waited) = (0, Duration::ZERO);
        loop {
            n_attempts += 1;
            let (asked, fate, said) = match self.attempt(request.clone()).await {
                Attempt::Answered(response) => return Ok(response),
                Attempt::Hopeless(error) => return Err(error),
                Attempt::TooMuch { asked, said } => (asked, Fate::NotDone, said),
                Attempt::Failed { fate, said } => (None, fate, said),
            };
            let is_over = fate == Fate::Unknown && !may_repeat;
            let luck = self.calls.luck.unit();
            let wait = self.calls.patience.wait(n_attempts, asked, waited, luck);
            let Some(wait) = wait.filter(|_| !is_over) else {
                let trouble = Trouble { fate, n_attempts, said };
                return Err(HttpError::new(HttpErrorKind::Unknown, trouble));
            };
            self.calls.counters.retried();
            tracing::debug!(n_attempts, ?wait, "a request is made again: {said}");
            tokio::time::sleep(wait).await;
            waited += wait.max(self.calls.patience.first);
        }
    }

    async fn attempt(&self, request: HttpRequest) -> Attempt {
        let wrong = |error| HttpError::new(HttpErrorKind::Unknown, error);
        let url = match Url::parse(&request.uri().to_string()) {
            Ok(url) => url,
            Err(error) => return Attempt::Hopeless(HttpError::new(HttpErrorKind::Unknown, error)),
        };
        if let Err(forbidden) = net::check(&url, self.reach) {
            return Attempt::Hopeless(wrong(forbidden));
        }
        let client = match self.client.keeping(&url, self.reach) {
            Ok(client) => client,
            Err(error) => return Attempt::Hopeless(HttpError::new(HttpErrorKind::Unknown, error)),
        };
        let permit = self.calls.gate.enter().await;
        let n_bytes = request.body().content_length();
        let patience = self.calls.patience.answer_to(n_bytes);
        self.calls.counters.asked(n_bytes);
        let outcome = tokio::time::timeout(patience, HttpService::call(client, request)).await;
        let attempt = match outcome {
            Err(_) => {
                let said = format!("no answer within {} s", patience.as_secs());
                Attempt::Failed { fate: Fate::Unknown, said }
            }
            Ok(Err(error)) => of_failure(error),
            Ok(Ok(response)) => of_answer(response).await,
        };
        match &attempt {
            Attempt::TooMuch { .. } => self.calls.gate.lower(permit),
            _ => self.calls.gate.leave(permit),
        }
        attempt
    }
}

/// Whether making a request twice leaves what making it once does. What is bound to a condition does
/// not: done once, its condition no longer holds. Nor does the end of an upload in pieces.
fn may_repeat(request: &HttpRequest) -> bool {
    const CONDITIONS: [&str; 5] = [
        "if-none-match",
        "if-match",
        "x-goog-if-generation-match",
        "x-amz-copy-source-if-none-match",
        "x-ms-if-match",
    ];
    let is_bound = CONDITIONS.iter().any(|name| request.headers().contains_key(*name));
    match request.method().as_str() {
        "GET" | "HEAD" => true,
        "POST" => {
            request.uri().query().is_some_and(|query| query.split('&').any(|q| q == "delete"))
        }
        _ => !is_bound,
    }
}

/// The end of an upload in pieces carries the condition it is under. It is not part of what is signed.
fn bind_to_condition(request: &mut HttpRequest) {
    let is_end = request.method() == "POST"
        && request.uri().query().is_some_and(|query| query.contains("uploadId="));
    if !is_end {
        return;
    }
    let (name, value) = match condition::current() {
        Some(object_store::PutMode::Create) => ("if-none-match", Some("*".to_owned())),
        Some(object_store::PutMode::Update(expected)) => ("if-match", expected.e_tag),
        Some(object_store::PutMode::Overwrite) | None => return,
    };
    if let Some(value) = value.and_then(|value| value.parse().ok()) {
        request.headers_mut().insert(name, value);
    }
}

fn of_failure(error: HttpError) -> Attempt {
    if std::error::Error::source(&error).is_some_and(has_forbidden) {
        return Attempt::Hopeless(error);
    }
    let fate = match error.kind() {
        HttpErrorKind::Connect => Fate::NotDone,
        _ => Fate::Unknown,
    };
    Attempt::Failed { fate, said: net::chain(&error) }
}

fn has_forbidden(error: &(dyn std::error::Error + 'static)) -> bool {
    error.is::<net::Forbidden>() || error.source().is_some_and(has_forbidden)
}

async fn of_answer(response: HttpResponse) -> Attempt {
    let status = response.status().as_u16();
    match status {
        429 | 503 => {
            let asked = stay_away(&response);
            Attempt::TooMuch { asked, said: said(status, response).await }
        }
        408 | 500 | 502 | 504 => {
            Attempt::Failed { fate: Fate::Unknown, said: said(status, response).await }
        }
        _ => Attempt::Answered(response),
    }
}

/// `Retry-After`, a date in it read against the answer's own.
fn stay_away(response: &HttpResponse) -> Option<Duration> {
    let header = |name| response.headers().get(name)?.to_str().ok();
    let date = header("date").and_then(|date| chrono::DateTime::parse_from_rfc2822(date).ok());
    // Seconds need no clock; a date without one to compare it with says nothing.
    let now: Timestamp = date.unwrap_or_default().to_utc().into();
    let asked = net::retry_after(header("retry-after")?, now)?;
    u64::try_from(asked.micros()).ok().map(Duration::from_micros)
}

/// The answer's status and the beginning of its text.
async fn said(status: u16, response: HttpResponse) -> String {
    const LONGEST: usize = 300;
    let text = body(response.into_body()).await;
    let text = text.trim();
    let cut = text.char_indices().nth(LONGEST).map_or(text.len(), |(at, _)| at);
    match text.is_empty() {
        true => format!("the server answered {status}"),
        false => format!("the server answered {status}: {}", &text[..cut]),
    }
}

async fn body(body: HttpResponseBody) -> String {
    let read = tokio::time::timeout(Duration::from_secs(5), body.bytes()).await;
    let bytes = read.ok().and_then(Result::ok).unwrap_or_default();
    String::from_utf8_lossy(&bytes[..bytes.len().min(4_096)]).into_owned()
}
