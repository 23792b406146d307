//! One HTTP request of a channel: checked, sent once, and its answer put into an [`Outcome`].

use reqwest::{
    RequestBuilder, Response, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER},
};
use serde_json::Value;
use url::Url;

use super::Outcome;
use crate::{
    domain::{ChannelSpec, Secret, Span, Timestamp, WebAuth},
    net::{self, Client, Reach, chain, forbidden, retry_after},
};

/// No answer that is worth reading is longer.
const LONGEST_ANSWER: usize = 64 << 10;
/// However long a receiver asks to be left alone, it is called again after this.
const LONGEST_THROTTLE: Span = Span::hours(1);

/// How a channel calls.
#[derive(Debug, Clone)]
pub(super) struct Caller<'a> {
    client: &'a Client,
    reach: Reach,
    timeout: Span,
    now: Timestamp,
    secrets: Vec<&'a str>,
}

/// What a receiver said beside the status, where it says anything of use.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// What is wrong, in its words.
    pub(super) reason: Option<String>,
    /// How many seconds it wants to be left alone.
    pub(super) wait_secs: Option<f64>,
}

/// An answer whose body has not been read.
#[derive(Debug)]
pub(super) struct Answer<'a> {
    response: Response,
    caller: &'a Caller<'a>,
}

impl<'a> Caller<'a> {
    /// The way this channel calls, at this time.
    pub(super) fn new(client: &'a Client, channel: &'a ChannelSpec, now: Timestamp) -> Self {
        let reach = if channel.allow_private { Reach::Anywhere } else { Reach::Public };
        let secrets = channel.kind.secrets().into_iter().map(Secret::reveal);
        let secrets = secrets.flat_map(net::telling_parts).collect();
        Self { client, reach, timeout: channel.timeout, now, secrets }
    }

    /// Which addresses it may call.
    pub(super) const fn reach(&self) -> Reach {
        self.reach
    }

    /// How long one attempt may take.
    pub(super) const fn timeout(&self) -> Span {
        self.timeout
    }

    /// What a receiver said, in half a line and without what it was told in secret.
    pub(super) fn quoted(&self, said: &str) -> String {
        net::quoted(said, self.secrets.iter().copied())
    }

    /// An address with a path added to it, checked.
    pub(super) fn address(&self, base: &str, path: &[&str]) -> Result<Url, Outcome> {
        // The parser's error would not show the URL, but would tell where in it the fault is.
        let mut url = Url::parse(base.trim())
            .map_err(|_| refused("the channel's address is no URL".to_owned()))?;
        net::check(&url, self.reach).map_err(|error| refused(error.to_string()))?;
        if !path.is_empty()
            && let Ok(mut segments) = url.path_segments_mut()
        {
            segments.pop_if_empty().extend(path);
        }
        Ok(url)
    }

    /// A POST that is not sent yet.
    pub(super) fn post(&self, url: Url) -> Result<RequestBuilder, Outcome> {
        net::check(&url, self.reach).map_err(|error| refused(error.to_string()))?;
        let http = self.client.to(&url, self.reach).map_err(|error| {
            let reason = format!("set up TLS: {}", chain(&error.without_url()));
            Outcome::Retry { reason, status: None, ambiguous: false }
        })?;
        Ok(http.post(url).timeout(self.timeout.to_std()))
    }

    /// A POST of JSON that is not sent yet.
    pub(super) fn post_json(&self, url: Url, body: &Value) -> Result<RequestBuilder, Outcome> {
        let request = self.post(url)?.header(CONTENT_TYPE, "application/json");
        Ok(request.body(body.to_string()))
    }

    /// Sends a request once.
    pub(super) async fn send(&'a self, request: RequestBuilder) -> Result<Answer<'a>, Outcome> {
        match request.send().await {
            Ok(response) => Ok(Answer { response, caller: self }),
            Err(error) => Err(failed(error)),
        }
    }

    /// Sends a request once and takes any 2xx for success; what else is answered is told in the
    /// receiver's own words where `explain` finds them.
    pub(super) async fn exchange(
        &'a self,
        request: Result<RequestBuilder, Outcome>,
        explain: fn(&Value) -> Told,
    ) -> Outcome {
        let sent = match request {
            Ok(request) => self.send(request).await,
            Err(outcome) => return outcome,
        };
        match sent {
            Ok(answer) if answer.status().is_success() => Outcome::Sent,
            Ok(answer) => answer.explained(explain).await,
            Err(outcome) => outcome,
        }
    }
}

impl Answer<'_> {
    /// The answer's status.
    pub(super) fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// The body as JSON; `None` when it is too long, cut short or something else.
    pub(super) async fn json(&mut self) -> Option<Value> {
        let mut body = Vec::new();
        while let Some(chunk) = self.response.chunk().await.ok()? {
            if LONGEST_ANSWER < body.len() + chunk.len() {
                return None;
            }
            body.extend_from_slice(&chunk);
        }
        // Some receivers explain themselves in plain words.
        let text = String::from_utf8(body).ok()?;
        Some(serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// What follows from the status alone.
    pub(super) fn outcome(&self, told: Told) -> Outcome {
        let answer = self.status();
        let words = told.reason.map(|reason| format!(": {}", self.caller.quoted(&reason)));
        let reason = format!("the receiver answered {answer}{}", words.unwrap_or_default());
        let status = Some(answer.as_u16());
        match answer {
            _ if answer.is_success() => Outcome::Sent,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                let header = self.response.headers().get(RETRY_AFTER);
                let after = header
                    .and_then(|text| text.to_str().ok())
                    .and_then(|text| retry_after(text, self.caller.now));
                Outcome::Throttled { after: told.wait_secs.and_then(wait).or(after) }
            }
            // Its own word for "try again".
            StatusCode::REQUEST_TIMEOUT => Outcome::Retry { reason, status, ambiguous: true },
            _ if answer.is_server_error() => Outcome::Retry { reason, status, ambiguous: true },
            _ if answer.is_redirection() => {
                let reason = format!("{reason}, and redirects are not followed");
                Outcome::Refused { reason, status }
            }
            _ => Outcome::Refused { reason, status },
        }
    }

    /// What follows, in the receiver's own words where it has some.
    pub(super) async fn explained(mut self, explain: fn(&Value) -> Told) -> Outcome {
        let told = self.json().await.map(|body| explain(&body));
        self.outcome(told.unwrap_or_default())
    }
}

/// Signs a request.
pub(super) fn signed_in(request: RequestBuilder, auth: &WebAuth) -> RequestBuilder {
    match auth {
        WebAuth::None => request,
        WebAuth::Bearer(token) => request.bearer_auth(token.reveal()),
        WebAuth::Basic { user, password } => request.basic_auth(user, Some(password.reveal())),
    }
}

/// The text below a key, as most receivers explain themselves.
pub(super) fn text_at(body: &Value, pointer: &str) -> Option<String> {
    body.pointer(pointer).and_then(Value::as_str).map(str::to_owned)
}

pub(super) const fn refused(reason: String) -> Outcome {
    Outcome::Refused { reason, status: None }
}

/// A wait told in seconds and parts of them, rounded up.
fn wait(secs: f64) -> Option<Span> {
    let is_wait = secs.is_finite() && 0.0 <= secs;
    // The conversion keeps to what fits.
    is_wait.then(|| {
        let most = LONGEST_THROTTLE.micros() as f64;
        Span::from_micros((secs * 1e6).ceil().min(most) as i64)
    })
}

fn failed(error: reqwest::Error) -> Outcome {
    // The address may hold a token.
    let error = error.without_url();
    if let Some(forbidden) = forbidden(&error) {
        return refused(forbidden.to_string());
    }
    if error.is_builder() {
        return refused(chain(&error));
    }
    // Without a connection nothing can have arrived; with one, everything may have.
    Outcome::Retry { reason: chain(&error), status: None, ambiguous: !error.is_connect() }
}
