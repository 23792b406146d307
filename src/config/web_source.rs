//! `[source]` of the kinds that are asked over HTTP.

use crate::domain::{
    Endpoint, HttpSpec, PageStep, Paging, PrometheusSpec, Secret, SourceKind, Span, WebAuth,
};

use super::{section::Section, source::DEFAULT_MAX_BYTES, system::is_web_address};

pub(super) const HTTP_KEYS: &[&str] = &[
    "url",
    "headers",
    "auth",
    "allow_private",
    "max_bytes",
    "params",
    "format",
    "pointer",
    "columns",
    "paging",
];

pub(super) const PROMETHEUS_KEYS: &[&str] = &[
    "url",
    "headers",
    "auth",
    "allow_private",
    "max_bytes",
    "query",
    "step",
    "offset",
    "lookback",
    "name",
    "tenant",
];

const DEFAULT_MAX_PAGES: usize = 100;

pub(super) fn http(source: &mut Section<'_>) -> Option<SourceKind> {
    let endpoint = endpoint(source, "write the address that answers with rows");
    let params = source.params("params");
    let format = source.word("format").map(|word| word.value);
    let pointer = pointer(source, "pointer").unwrap_or_default();
    let columns = source.labels("columns");
    let paging = match source.has("paging") {
        true => Some(source.table("paging", paging)?),
        false => None,
    };
    let endpoint = endpoint?;
    Some(SourceKind::Http(HttpSpec { endpoint, params, format, pointer, columns, paging }))
}

pub(super) fn prometheus(source: &mut Section<'_>) -> Option<SourceKind> {
    let endpoint = endpoint(source, "write the server's address, as in \"http://prometheus:9090\"");
    let query = source.required_text("query", "write PromQL, as in \"sum by (job) (up)\"");
    let step = whole_millis(source, "step", Span::secs(60));
    let offset = source.span_or("offset", Span::ZERO);
    let lookback = source.positive_span_or("lookback", Span::days(1));
    let name = source.text("name").map(|text| text.value.text);
    let tenant = source.text("tenant").map(|text| (text.value.text, text.place));
    if let Some((tenant, place)) = &tenant
        && !is_header("x-scope-orgid", &Secret::new(tenant.clone()))
    {
        source.check.problem(place, "`tenant` cannot be sent as a header");
    }
    Some(SourceKind::Prometheus(PrometheusSpec {
        endpoint: endpoint?,
        query: query?.value.text,
        step,
        offset,
        lookback,
        name,
        tenant: tenant.map(|(tenant, _)| tenant),
    }))
}

/// A length of time as Prometheus counts it.
fn whole_millis(source: &mut Section<'_>, key: &'static str, default: Span) -> Span {
    let place = source.key_place(key).unwrap_or(source.place.clone());
    let span = source.positive_span_or(key, default);
    if span.micros() % 1_000 != 0 {
        source.check.problem(&place, format!("`{key}` must be a whole number of milliseconds"));
    }
    span
}

fn endpoint(source: &mut Section<'_>, help: &str) -> Option<Endpoint> {
    if !source.has("url") {
        source.missing("url", help);
    }
    let url = source.secret("url");
    let is_web = url.as_ref().is_some_and(|url| is_web_address(url.value.reveal()));
    if let Some(url) = &url
        && !is_web
    {
        source.check.problem(&url.place, "this is not an http:// or https:// address");
    }
    let place = source.key_place("headers").unwrap_or(source.place.clone());
    let headers = source.secrets("headers");
    for (name, value) in &headers {
        if !is_header(name, value) {
            source.check.problem(&place, format!("`{name}` cannot be sent as a header"));
        }
    }
    let auth = source.table("auth", auth);
    let allow_private = source.flag("allow_private", false);
    let max_bytes = source.size("max_bytes", DEFAULT_MAX_BYTES);
    let url = url.filter(|_| is_web)?.value;
    Some(Endpoint { url, headers, auth: auth?, allow_private, max_bytes })
}

/// A token and printable text, as RFC 9110 has it.
fn is_header(name: &str, value: &Secret) -> bool {
    let is_token = |c: u8| c.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&c);
    let is_text = |c: u8| c == b'\t' || (b' '..=b'~').contains(&c);
    !name.is_empty() && name.bytes().all(is_token) && value.reveal().bytes().all(is_text)
}

fn auth(section: &mut Section<'_>) -> Option<WebAuth> {
    let help = "write { bearer = \"…\" } or { user = \"…\", password = \"…\" }";
    let both = section.has("bearer") && (section.has("user") || section.has("password"));
    let place = section.place.clone();
    let bearer = section.secret("bearer");
    let user = section.text("user");
    let password = section.secret("password");
    if both {
        let message = "a token and a password cannot both be given";
        section.check.problem_with_help(&place, message, help);
        return None;
    }
    match (bearer, user, password) {
        (Some(token), ..) => Some(WebAuth::Bearer(token.value)),
        (None, Some(user), Some(password)) => {
            Some(WebAuth::Basic { user: user.value.text, password: password.value })
        }
        (None, None, None) => Some(WebAuth::None),
        (None, ..) => {
            let message = "signing in with a password takes a `user` and a `password`";
            section.check.problem_with_help(&place, message, help);
            None
        }
    }
}

fn paging(section: &mut Section<'_>) -> Option<Paging> {
    let help = "write { next = \"/next\" }, { next = \"/cursor\", cursor = \"after\" } or \
                { page = \"page\" }";
    let place = section.place.clone();
    let (next, page) = (section.has("next"), section.has("page"));
    let pointer = pointer(section, "next");
    let cursor = section.text("cursor").map(|text| text.value.text);
    let param = section.text("page").map(|text| text.value.text);
    let first = match page {
        true => section.count("first", 0..=usize::MAX, 1),
        false => 1,
    };
    let max_pages = section.count("max_pages", 1..=100_000, DEFAULT_MAX_PAGES);
    let step = match (next, page) {
        (true, false) => match cursor {
            Some(param) => PageStep::Cursor { pointer: pointer?, param },
            None => PageStep::Link { pointer: pointer? },
        },
        (false, true) if cursor.is_none() => PageStep::Number { param: param?, first },
        _ => {
            section.check.problem_with_help(&place, "this is no way to the next page", help);
            return None;
        }
    };
    Some(Paging { step, max_pages })
}

/// A JSON pointer (RFC 6901).
fn pointer(section: &mut Section<'_>, key: &'static str) -> Option<String> {
    let text = section.text(key)?;
    if text.value.text.is_empty() || text.value.text.starts_with('/') {
        return Some(text.value.text);
    }
    let help = "it begins with a slash, as in \"/result/rows\"";
    section.check.problem_with_help(&text.place, format!("`{key}` is not a JSON pointer"), help);
    None
}
