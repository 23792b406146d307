//! `[source]` of the kinds that are asked over HTTP.

use std::path::PathBuf;

use crate::domain::{
    Endpoint, HttpSpec, PageStep, Paging, PrometheusSpec, RowsAt, Secret, SourceKind, Span, WebAuth,
};

use super::{section::Section, source::DEFAULT_MAX_BYTES, system::is_web_address, values::Refusal};

pub(super) const HTTP_KEYS: &[&str] = &[
    "url",
    "headers",
    "auth",
    "allow_private",
    "max_bytes",
    "ca_file",
    "cert_file",
    "key_file",
    "rate",
    "params",
    "format",
    "pointer",
    "path",
    "columns",
    "paging",
];

pub(super) const PROMETHEUS_KEYS: &[&str] = &[
    "url",
    "headers",
    "auth",
    "allow_private",
    "max_bytes",
    "ca_file",
    "cert_file",
    "key_file",
    "rate",
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
    let rows = rows_at(source);
    let columns = source.labels("columns");
    let paging = match source.has("paging") {
        true => Some(source.table("paging", paging)?),
        false => None,
    };
    let endpoint = endpoint?;
    Some(SourceKind::Http(HttpSpec { endpoint, params, format, rows: rows?, columns, paging }))
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
    let ca_file = file(source, "ca_file");
    let identity = identity(source);
    let pace = source.parsed("rate", "a rate", rate).map(|pace| pace.value);
    let url = url.filter(|_| is_web)?.value;
    Some(Endpoint {
        url,
        headers,
        auth: auth?,
        allow_private,
        max_bytes,
        ca_file,
        identity: identity?,
        pace,
    })
}

/// A file by its path from the project folder.
fn file(source: &mut Section<'_>, key: &'static str) -> Option<PathBuf> {
    let path = source.text(key)?;
    let found = source.check.dir.join(&path.value.text);
    source.check.snapshot.missed(&found);
    if !found.is_file() {
        source.check.problem(&path.place, format!("`{key}`: there is no such file"));
    }
    Some(found)
}

/// Both files or none; the outer `None` is a problem that was reported.
fn identity(source: &mut Section<'_>) -> Option<Option<(PathBuf, PathBuf)>> {
    let place = source.key_place("cert_file").or(source.key_place("key_file"));
    match (file(source, "cert_file"), file(source, "key_file"), place) {
        (Some(certificate), Some(key), _) => Some(Some((certificate, key))),
        (None, None, _) => Some(None),
        (.., place) => {
            let place = place.unwrap_or(source.place.clone());
            let message = "`cert_file` and `key_file` are given together or not at all";
            source.check.problem(&place, message);
            None
        }
    }
}

/// The distance between requests of which there are so many a second, minute or hour.
fn rate(text: &str) -> Result<Span, Refusal> {
    let wrong = || Refusal {
        message: format!("`{text}` is not a rate"),
        help: Some("write how many in a second, minute or hour, as in \"5/s\" or \"100/m\"".into()),
    };
    let (count, unit) = text.split_once('/').ok_or_else(wrong)?;
    let count: i64 = count.trim().parse().ok().filter(|n| 0 < *n).ok_or_else(wrong)?;
    let unit = match unit.trim() {
        "s" => Span::secs(1),
        "m" => Span::secs(60),
        "h" => Span::hours(1),
        _ => return Err(wrong()),
    };
    Ok(Span::from_micros((unit.micros() / count).max(1_000)))
}

/// A JSON pointer or a JSONPath query; the whole answer without either.
fn rows_at(source: &mut Section<'_>) -> Option<RowsAt> {
    let place = source.key_place("path");
    let both = source.has("pointer") && source.has("path");
    let pointer = pointer(source, "pointer");
    let path = source.parsed("path", "a JSONPath query", |text| {
        serde_json_path::JsonPath::parse(text).map(|_| text.to_owned()).map_err(|error| Refusal {
            message: format!("`{text}` is not a JSONPath query"),
            help: Some(match text.starts_with('$') {
                true => error.to_string(),
                false => "it begins with a dollar sign, as in \"$.data[*]\"".to_owned(),
            }),
        })
    });
    if both {
        let place = place.unwrap_or(source.place.clone());
        source.check.problem(&place, "`pointer` and `path` cannot both be given");
        return None;
    }
    Some(match path {
        Some(path) => RowsAt::Path(path.value),
        None => RowsAt::Pointer(pointer.unwrap_or_default()),
    })
}

/// A token and printable text, as RFC 9110 has it.
fn is_header(name: &str, value: &Secret) -> bool {
    let is_token = |c: u8| c.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&c);
    let is_text = |c: u8| c == b'\t' || (b' '..=b'~').contains(&c);
    !name.is_empty() && name.bytes().all(is_token) && value.reveal().bytes().all(is_text)
}

pub(super) fn auth(section: &mut Section<'_>) -> Option<WebAuth> {
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
