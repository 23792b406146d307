//! The `webhook` channel: a signed POST (Standard Webhooks). Only the answer's status counts; its
//! body is never read, so its size and speed do not matter.

use reqwest::{RequestBuilder, header::CONTENT_TYPE};

use super::{
    Message, Outcome,
    call::{Caller, Told, refused},
    signature::{BadSecret, sign},
};
use crate::domain::Secret;

/// Sends the message once.
pub(super) async fn post(
    url: &Secret,
    keys: &[Secret],
    message: &Message,
    caller: &Caller<'_>,
) -> Outcome {
    let sent = match prepare(url, keys, message, caller) {
        Ok(request) => caller.send(request).await,
        Err(outcome) => return outcome,
    };
    sent.map_or_else(|outcome| outcome, |answer| answer.outcome(Told::default()))
}

/// The request, or why there will never be one.
fn prepare(
    url: &Secret,
    keys: &[Secret],
    message: &Message,
    caller: &Caller<'_>,
) -> Result<RequestBuilder, Outcome> {
    let url = caller.address(url.reveal(), &[])?;
    let body = message.payload().map_err(|error| refused(format!("write the alert: {error}")))?;
    let signatures: Result<Vec<String>, BadSecret> =
        keys.iter().map(|key| sign(key, &message.id, message.sent_at.secs(), &body)).collect();
    let signatures = signatures.map_err(|error| refused(error.to_string()))?;
    let mut request = caller
        .post(url)?
        .header(CONTENT_TYPE, "application/json")
        .header("webhook-id", &message.id)
        .header("webhook-timestamp", message.sent_at.secs());
    if !signatures.is_empty() {
        // One for each key, so that a receiver may change its own when it likes.
        request = request.header("webhook-signature", signatures.join(" "));
    }
    Ok(request.body(body))
}
