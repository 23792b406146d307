//! The two routes that take rows. Who may use them is decided before they are reached.

use std::sync::Arc;

use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{ask::Named, failure::Failure, site::Site};
use crate::{
    domain::{BatchSpec, PushSpec, SourceKind},
    push::{Coding, Form, Letter, MAX_KEY_BYTES, Receipt, Refusal},
};

/// Seconds after which a refused sender may try again: an ingest has begun by then.
const RETRY_AFTER: u32 = 10;
/// Bodies are charged to the budget by the KiB.
const UNIT: usize = 1 << 10;

/// `POST /api/v1/batches/{batch}/points`.
pub(super) async fn points(
    State(site): State<Arc<Site>>,
    Named(batch): Named<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Failure> {
    let target = Target::find(&site, &batch, StatusCode::TOO_MANY_REQUESTS)?;
    let outcome = take_points(&target, &headers, body).await;
    Ok(target.count(outcome.map(|receipt| Json(receipt).into_response())))
}

async fn take_points(
    target: &Target<'_>,
    headers: &HeaderMap,
    body: Body,
) -> Result<Receipt, Failure> {
    let form = Form::of_rows(text(headers, header::CONTENT_TYPE)).ok_or_else(|| {
        let message = "the Content-Type must be application/json, application/x-ndjson or text/csv";
        Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message)
    })?;
    target.take(Opened { form, headers, key: key(headers)? }, body).await
}

/// `POST /api/v1/batches/{batch}/write`: Prometheus remote write. It sends again what gets a 5xx,
/// and, unless told otherwise, gives up what gets a 4xx: so a full inbox is a 503 here.
pub(super) async fn remote_write(
    State(site): State<Arc<Site>>,
    Named(batch): Named<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Failure> {
    let target = Target::find(&site, &batch, StatusCode::SERVICE_UNAVAILABLE)?;
    let outcome = take_samples(&target, &headers, body).await;
    Ok(target.count(outcome.map(|()| StatusCode::NO_CONTENT.into_response())))
}

async fn take_samples(target: &Target<'_>, headers: &HeaderMap, body: Body) -> Result<(), Failure> {
    refuse_other_versions(headers)?;
    let opened = Opened { form: Form::RemoteWrite, headers, key: None };
    let receipt = target.take(opened, body).await?;
    if receipt.has_faults() {
        let shown = receipt.rejected_examples.join("; ");
        return Err(Failure::bad(format!("the good samples are stored; left out: {shown}")));
    }
    Ok(())
}

/// Version 2 announces itself in the content type; its senders then fall back to version 1.
fn refuse_other_versions(headers: &HeaderMap) -> Result<(), Failure> {
    let content_type = text(headers, header::CONTENT_TYPE).to_ascii_lowercase();
    let mut parts = content_type.split(';').map(str::trim);
    let is_protobuf = parts.next() == Some("application/x-protobuf");
    let is_first = parts.all(|part| {
        part.strip_prefix("proto=").is_none_or(|proto| proto == "prometheus.writerequest")
    });
    if is_protobuf && is_first {
        return Ok(());
    }
    let message = "only remote write version 1 is taken: application/x-protobuf of a \
                   prometheus.WriteRequest, packed with snappy";
    Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message))
}

/// What the head of a request says of its body.
struct Opened<'a> {
    form: Form,
    headers: &'a HeaderMap,
    key: Option<String>,
}

/// A batch that takes rows.
struct Target<'s> {
    site: &'s Site,
    batch: BatchSpec,
    spec: PushSpec,
    /// The answer while its inbox is full.
    full: StatusCode,
}

impl<'s> Target<'s> {
    fn find(site: &'s Site, batch: &str, full: StatusCode) -> Result<Self, Failure> {
        let batch = site.batch(batch)?;
        if let SourceKind::Push(spec) = &batch.source.kind {
            if !batch.enabled {
                let message = format!("batch `{}` is disabled and takes no rows", batch.name);
                return Err(Failure::new(StatusCode::CONFLICT, &message));
            }
            let spec = spec.clone();
            return Ok(Self { site, batch, spec, full });
        }
        let (name, kind) = (&batch.name, batch.source.kind.as_str());
        let message = format!("batch `{name}` takes no pushed rows: its source is `{kind}`");
        Err(Failure::new(StatusCode::CONFLICT, &message))
    }

    async fn take(&self, opened: Opened<'_>, body: Body) -> Result<Receipt, Failure> {
        let Self { site, batch, spec, full } = self;
        let metrics = &site.app.metrics;
        let depth = site.inbox.admit(&batch.name, spec).await;
        let depth = depth.map_err(|refusal| failure(refusal, *full))?;
        metrics.push.set_depth(&batch.name, depth.rows);
        let coding =
            Coding::of(text(opened.headers, header::CONTENT_ENCODING)).ok_or_else(|| {
                let message = "the Content-Encoding must be gzip, zstd, snappy or identity";
                Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message)
            })?;
        let declared = text(opened.headers, header::CONTENT_LENGTH).parse::<usize>();
        if declared.is_ok_and(|declared| spec.max_body < declared) {
            return Err(too_large(spec.max_body));
        }
        let reading = whole(site, body, spec.max_body, *full);
        let late = |_| Failure::new(StatusCode::REQUEST_TIMEOUT, "the body took too long");
        let (body, _room) =
            tokio::time::timeout(site.limits.body, reading).await.map_err(late)??;
        metrics.push.received(&batch.name, body.len() as u64);
        let letter = Letter { body, coding, form: opened.form, key: opened.key };
        let receipt = site.inbox.accept(batch, spec, letter).await;
        let receipt = receipt.map_err(|refusal| failure(refusal, *full))?;
        metrics.push.accepted(&batch.name, receipt.accepted);
        for (reason, n_rows) in &receipt.rejected {
            metrics.rows_rejected(&batch.name, *reason, *n_rows);
        }
        Ok(receipt)
    }

    /// Counts the answer.
    fn count(&self, outcome: Result<Response, Failure>) -> Response {
        let response = outcome.unwrap_or_else(IntoResponse::into_response);
        self.site.app.metrics.push.answered(&self.batch.name, response.status().as_u16());
        response
    }
}

/// The whole body, charged to the budget of all bodies as it comes in.
async fn whole<'s>(
    site: &'s Site,
    body: Body,
    max_bytes: usize,
    full: StatusCode,
) -> Result<(Bytes, Option<SemaphorePermit<'s>>), Failure> {
    let (mut bytes, mut room) = (BytesMut::new(), None);
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Failure::bad("the body broke off".to_owned()))?;
        if max_bytes < bytes.len() + chunk.len() {
            return Err(too_large(max_bytes));
        }
        if !charge(&site.bodies, &mut room, bytes.len() + chunk.len()) {
            let refusal = Refusal::Full("too many bodies are on their way".to_owned());
            return Err(failure(refusal, full));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok((bytes.freeze(), room))
}

/// Charges what a body of so many bytes takes, beyond what it was charged before, to the budget;
/// says whether that is enough.
fn charge<'s>(
    budget: &'s Semaphore,
    room: &mut Option<SemaphorePermit<'s>>,
    n_bytes: usize,
) -> bool {
    let n_charged = room.as_ref().map_or(0, SemaphorePermit::num_permits);
    let n_units = n_bytes.div_ceil(UNIT).saturating_sub(n_charged);
    let Ok(more) = budget.try_acquire_many(u32::try_from(n_units).unwrap_or(u32::MAX)) else {
        return false;
    };
    match room {
        Some(room) => room.merge(more),
        None => *room = Some(more),
    }
    true
}

/// The sender's own name for the body.
fn key(headers: &HeaderMap) -> Result<Option<String>, Failure> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    match value.to_str() {
        Ok(key) if !key.trim().is_empty() && key.len() <= MAX_KEY_BYTES => Ok(Some(key.to_owned())),
        _ => {
            let message = format!(
                "an Idempotency-Key has 1 to {MAX_KEY_BYTES} characters of printable ASCII"
            );
            Err(Failure::bad(message))
        }
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn too_large(max_bytes: usize) -> Failure {
    let message = format!("a body may have {max_bytes} bytes (`max_body` in [source])");
    Failure::new(StatusCode::PAYLOAD_TOO_LARGE, &message)
}

fn failure(refusal: Refusal, full: StatusCode) -> Failure {
    let status = match &refusal {
        Refusal::Malformed(_) => StatusCode::BAD_REQUEST,
        Refusal::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
        Refusal::KeyTaken => StatusCode::UNPROCESSABLE_ENTITY,
        Refusal::Full(_) => full,
        Refusal::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
    };
    let failure = Failure::new(status, &refusal.to_string());
    match refusal {
        Refusal::Full(_) | Refusal::Unavailable => failure.after(RETRY_AFTER),
        Refusal::Malformed(_) | Refusal::TooLarge(_) | Refusal::KeyTaken => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_charged_by_its_length_however_many_pieces_it_comes_in() {
        let budget = Semaphore::new(3);
        let mut room = None;
        for n_bytes in 1..=2 * UNIT {
            assert!(charge(&budget, &mut room, n_bytes), "{n_bytes} bytes");
        }
        assert_eq!(budget.available_permits(), 1);
        assert!(charge(&budget, &mut room, 3 * UNIT));
        assert!(!charge(&budget, &mut room, 3 * UNIT + 1));
        drop(room);
        assert_eq!(budget.available_permits(), 3);
    }
}
