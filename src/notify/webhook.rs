//! The `webhook` channel: a signed POST (Standard Webhooks). Only the answer's status counts; its
//! body is never read, so its size and speed do not matter.

use reqwest::{
    RequestBuilder, Response, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER},
};
use url::Url;

use super::{Message, Outcome, signature::sign};
use crate::{
    domain::{Secret, Span, Timestamp},
    net::{self, Client, Reach, chain, forbidden, retry_after},
};

/// Where to and how.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hook<'a> {
    pub(super) url: &'a Secret,
    pub(super) secret: Option<&'a Secret>,
    pub(super) reach: Reach,
    pub(super) timeout: Span,
}

/// Sends the message once.
pub(super) async fn post(hook: &Hook<'_>, message: &Message, client: &Client) -> Outcome {
    match prepare(hook, message, client) {
        Err(outcome) => outcome,
        Ok(request) => match request.send().await {
            Ok(response) => answered(&response, message.sent_at),
            Err(error) => failed(error),
        },
    }
}

/// The request, or why there will never be one.
fn prepare(hook: &Hook<'_>, message: &Message, client: &Client) -> Result<RequestBuilder, Outcome> {
    let refused = |reason: String| Outcome::Refused { reason, status: None };
    // The parser's error would not show the URL, but would tell where in it the fault is.
    let url = Url::parse(hook.url.reveal().trim())
        .map_err(|_| refused("the channel's address is no URL".to_owned()))?;
    net::check(&url, hook.reach).map_err(|error| refused(error.to_string()))?;
    let body = message.payload().map_err(|error| refused(format!("write the alert: {error}")))?;
    let signature = hook
        .secret
        .map(|secret| sign(secret, &message.id, message.sent_at.secs(), &body))
        .transpose()
        .map_err(|error| refused(error.to_string()))?;
    let http = client.to(&url, hook.reach).map_err(|error| Outcome::Retry {
        reason: format!("set up TLS: {}", chain(&error.without_url())),
        status: None,
        ambiguous: false,
    })?;
    let mut request = http
        .post(url)
        .timeout(hook.timeout.to_std())
        .header(CONTENT_TYPE, "application/json")
        .header("webhook-id", &message.id)
        .header("webhook-timestamp", message.sent_at.secs());
    if let Some(signature) = signature {
        request = request.header("webhook-signature", signature);
    }
    Ok(request.body(body))
}

fn answered(response: &Response, now: Timestamp) -> Outcome {
    let answer = response.status();
    let (reason, status) = (format!("the receiver answered {answer}"), Some(answer.as_u16()));
    match answer {
        _ if answer.is_success() => Outcome::Sent,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            let header = response.headers().get(RETRY_AFTER).and_then(|text| text.to_str().ok());
            Outcome::Throttled { after: header.and_then(|text| retry_after(text, now)) }
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

fn failed(error: reqwest::Error) -> Outcome {
    // The address may hold a token.
    let error = error.without_url();
    if let Some(forbidden) = forbidden(&error) {
        return Outcome::Refused { reason: forbidden.to_string(), status: None };
    }
    if error.is_builder() {
        return Outcome::Refused { reason: chain(&error), status: None };
    }
    // Without a connection nothing can have arrived; with one, everything may have.
    Outcome::Retry { reason: chain(&error), status: None, ambiguous: !error.is_connect() }
}
