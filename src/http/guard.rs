//! Around every route: which hosts are answered, who may ask, how large a request may be, how an
//! answer is labelled and how a failure looks.

use std::{net::IpAddr, sync::Arc};

use axum::{
    Json,
    extract::{MatchedPath, RawPathParams, Request, State, rejection::RawPathParamsRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::{
    config::Project,
    domain::{Secret, SourceKind},
};

use super::{
    auth::{self, CHALLENGES, Keys, Need},
    failure::Failure,
    pages::filled,
    site::Site,
};

const POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'self'; \
                      frame-ancestors 'none'; object-src 'none'";

/// A signed address says everything; a browser's form adds next to nothing.
const SIGNED_BODY_BYTES: u64 = 1024;

/// Whom the server answers. A page of another site can make a browser send requests here under its
/// own host name (DNS rebinding), so foreign names are refused. With tokens any name is answered:
/// under a foreign one a browser has none to send.
#[derive(Debug)]
pub(super) struct Hosts {
    pub(super) bound: IpAddr,
}

impl Hosts {
    pub(super) const fn new(bound: IpAddr) -> Self {
        Self { bound }
    }

    fn allows(&self, authority: &str) -> bool {
        let host = without_port(authority);
        if host.eq_ignore_ascii_case("localhost") {
            return true;
        }
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        match bare.parse::<IpAddr>() {
            Ok(address) => {
                address.is_loopback() || address == self.bound || self.bound.is_unspecified()
            }
            Err(_) => false,
        }
    }
}

fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

/// The outermost layer: refuses what must not reach a route, dresses failures, adds the security
/// headers and counts.
pub(super) async fn around(
    State(site): State<Arc<Site>>,
    route: Option<MatchedPath>,
    params: Result<RawPathParams, RawPathParamsRejection>,
    request: Request,
    next: Next,
) -> Response {
    let is_api = request.uri().path().starts_with("/api/");
    let matched = route.as_ref().map_or("", MatchedPath::as_str);
    let need = Need::of(matched, request.method(), params.as_ref().ok());
    let mut response = match admit(&site, &request, &need) {
        Ok(()) => next.run(request).await,
        Err(failure) => failure.into_response(),
    };
    if let Some(failure) = failure_of(&response) {
        let allow = response.headers().get(header::ALLOW).cloned();
        let retry_after = failure.retry_after;
        response = dressed(&site, failure, is_api);
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        if let Some(allow) = allow {
            response.headers_mut().insert(header::ALLOW, allow);
        }
    }
    if response.status() == StatusCode::UNAUTHORIZED {
        for challenge in CHALLENGES {
            let challenge = HeaderValue::from_static(challenge);
            response.headers_mut().append(header::WWW_AUTHENTICATE, challenge);
        }
    }
    add_headers(response.headers_mut());
    let route = route.as_ref().map_or("other", MatchedPath::as_str);
    site.app.metrics.http_request(route, response.status().as_u16());
    response
}

fn admit(site: &Site, request: &Request, need: &Need) -> Result<(), Failure> {
    let header = request.headers().get(header::HOST).map(HeaderValue::to_str);
    let authority = match (request.uri().authority(), header) {
        (Some(authority), _) => authority.as_str(),
        (None, Some(Ok(host))) => host,
        (None, _) => return Err(Failure::bad("a request must name its host".to_owned())),
    };
    let project = site.project();
    let tokens = &project.system.server.tokens;
    let is_signed = *need == Need::Signed;
    // Another site's page or name gains nothing: who knows a signed address may use it.
    if !is_signed && !site.hosts.allows(authority) && tokens.is_empty() {
        let message = "this host name is not served here; use localhost or the bound address";
        return Err(Failure::new(StatusCode::MISDIRECTED_REQUEST, message));
    }
    if !is_signed {
        auth::refuse_foreign(request.method(), request.headers(), authority)?;
    }
    let of_batch = match need {
        Need::Push { batch } => push_token(&project, batch),
        Need::Nothing | Need::Signed | Need::Role(_) => None,
    };
    let keys = Keys { tokens, of_batch, bound: site.hosts.bound };
    keys.admit(need, request.headers())?;
    if matches!(need, Need::Push { .. }) {
        // How much its batch takes is for the route to say.
        return Ok(());
    }
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|text| text.to_str().ok());
    let length: u64 = length.and_then(|text| text.parse().ok()).unwrap_or(0);
    let most = if is_signed { SIGNED_BODY_BYTES } else { site.limits.max_body_bytes };
    if most < length {
        return Err(Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "the request is too large"));
    }
    Ok(())
}

/// The token that is good for pushing to a batch alone; none while the batch is disabled.
fn push_token<'p>(project: &'p Project, batch: &str) -> Option<&'p Secret> {
    let mut enabled = project.batches.iter().filter(|found| found.enabled);
    let batch = enabled.find(|found| found.name.as_str() == batch)?;
    match &batch.source.kind {
        SourceKind::Push(spec) => spec.token.as_ref(),
        _ => None,
    }
}

/// The failure behind an answer, also of one the router made by itself (a wrong method).
fn failure_of(response: &Response) -> Option<Failure> {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return None;
    }
    // A probe's 503 is an answer, not a failure.
    if response.headers().contains_key(header::CONTENT_TYPE)
        && response.extensions().get::<Failure>().is_none()
    {
        return None;
    }
    let made_here = || Failure::new(status, &title(status).to_lowercase());
    Some(response.extensions().get::<Failure>().cloned().unwrap_or_else(made_here))
}

fn dressed(site: &Site, failure: Failure, is_api: bool) -> Response {
    if is_api {
        let body = json!({ "error": { "code": failure.code(), "message": failure.message } });
        return (failure.status, Json(body)).into_response();
    }
    let page = site.page(title(failure.status), "");
    let rendered = site.render(
        "problem.html",
        filled! {
            page, status => failure.status.as_u16(), title => title(failure.status),
            message => failure.message.clone(),
        },
    );
    match rendered {
        Ok(html) => (failure.status, html).into_response(),
        Err(_) => (failure.status, failure.message).into_response(),
    }
}

const fn title(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST => "That cannot be read",
        StatusCode::UNAUTHORIZED => "Sign in",
        StatusCode::FORBIDDEN => "Not allowed",
        StatusCode::NOT_FOUND => "Not found",
        StatusCode::METHOD_NOT_ALLOWED => "Only reading is possible here",
        StatusCode::GONE => "This link is over",
        StatusCode::PAYLOAD_TOO_LARGE => "Too large",
        StatusCode::MISDIRECTED_REQUEST => "Unknown host",
        StatusCode::SERVICE_UNAVAILABLE => "Not now",
        _ => "Something went wrong",
    }
}

fn add_headers(headers: &mut HeaderMap) {
    let fixed = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // With none at all, browsers send forms of our own pages without their origin.
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bound: &str, host: &str, expected: bool) {
        let hosts = Hosts::new(bound.parse().unwrap());
        assert_eq!(hosts.allows(host), expected, "{host} on {bound}");
    }

    #[test]
    fn only_this_machines_names_and_the_bound_address_are_answered() {
        for host in ["localhost", "LOCALHOST:8087", "127.0.0.1:8087", "[::1]:8087", "[::1]"] {
            check("127.0.0.1", host, true);
        }
        for host in ["evil.example", "localhost.evil.example:8087", "10.0.0.7", "", ":8087"] {
            check("127.0.0.1", host, false);
        }
        check("10.0.0.7", "10.0.0.7:8087", true);
        check("0.0.0.0", "10.0.0.7:8087", true);
        check("0.0.0.0", "evil.example:8087", false);
    }
}
