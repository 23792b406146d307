//! `config/anomstack.toml`: where things live, how the program is reached, whom it tells.

use std::net::{IpAddr, Ipv4Addr};

use tracing_subscriber::EnvFilter;

use crate::domain::{LogFormat, LogSpec, Role, Secret, ServerSpec, SystemSpec, TokenSpec};

use super::{
    channels, explain,
    place::{Located, Place},
    routes,
    section::Section,
    storage,
    values::Refusal,
    watch,
};

const DEFAULT_PORT: usize = 8_087;
/// Fewer could be found by trying.
const LEAST_TOKEN_BYTES: usize = 16;

pub(super) fn read(section: &mut Section<'_>) -> SystemSpec {
    let (storage, profiles) = storage::read(section);
    let server = section.table("server", server);
    let log = section.table("log", log);
    let channels = channels::read(section);
    SystemSpec {
        routes: routes::read(section, &channels).into(),
        storage,
        profiles,
        server,
        log,
        watch: section.table("watch", |section| watch::read(section, &channels)),
        digest: watch::digest(section, &channels),
        explain: section.table("explain", explain::read),
        channels,
    }
}

fn server(section: &mut Section<'_>) -> ServerSpec {
    let localhost = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let host = section.parsed("host", "an IP address", |text| {
        text.parse::<IpAddr>().map_err(|_| Refusal {
            message: format!("`{text}` is not an IP address"),
            help: Some("write 127.0.0.1 or ::1".into()),
        })
    });
    let has_tokens = section.has("tokens");
    let tokens = tokens(section);
    let host = match host {
        Some(Located { value, .. }) if value.is_loopback() || has_tokens => value,
        Some(Located { value, place }) => {
            let message = format!("`{value}` can be reached from outside this machine");
            let help = "say who may use it: [server.tokens.<name>] with a `role` and a `token`; or \
                        bind 127.0.0.1 or ::1";
            section.check.problem_with_help(&place, message, help);
            localhost
        }
        None => localhost,
    };
    section.show("host", host.to_string());
    let port = section.count("port", 0..=usize::from(u16::MAX), DEFAULT_PORT);
    let base_url = section.parsed("base_url", "an address", base_url).map(|found| found.value);
    if let Some(base_url) = &base_url {
        section.show("base_url", base_url.as_str());
    }
    ServerSpec { host, port: u16::try_from(port).unwrap_or_default(), base_url, tokens }
}

/// Without the slash at its end: scheme, host and port alone, as pages are at the top of the server.
fn base_url(text: &str) -> Result<String, Refusal> {
    let url = url::Url::parse(text).ok().filter(|_| is_web_address(text));
    let is_plain = |url: &url::Url| {
        let has_user = !url.username().is_empty() || url.password().is_some();
        url.path() == "/" && url.query().is_none() && url.fragment().is_none() && !has_user
    };
    match url.filter(is_plain) {
        Some(url) => Ok(url.as_str().trim_end_matches('/').to_owned()),
        None => Err(Refusal {
            message: "`base_url` is not the address of a server alone".to_owned(),
            help: Some("write it as in https://anomstack.example.com, without path or user".into()),
        }),
    }
}

fn tokens(section: &mut Section<'_>) -> Vec<TokenSpec> {
    let mut tokens: Vec<TokenSpec> = Vec::new();
    section.named("tokens", |name, place, entry| {
        let Some(spec) = token(name, place, entry) else { return };
        if let Some(other) = tokens.iter().find(|other| other.token == spec.token) {
            let message = format!("`{name}` and `{}` have the same token", other.name);
            entry.check.problem(place, message);
        }
        tokens.push(spec);
    });
    tokens
}

fn token(name: &str, place: &Place, entry: &mut Section<'_>) -> Option<TokenSpec> {
    if !entry.has("role") {
        entry.missing("role", "write viewer (reads), operator (pushes and acts) or admin");
    }
    let role = entry.word::<Role>("role");
    if !entry.has("token") {
        entry.missing("token", "write \"${VARIABLE}\" or { file = \"path\" }");
    }
    let token = push_token(entry);
    if name.trim().is_empty() {
        entry.check.problem(place, "a token's name must not be empty");
    }
    Some(TokenSpec { name: name.to_owned(), role: role?.value, token: token? })
}

/// `token` of a table: long enough not to be guessed, and fit for a header.
pub(super) fn push_token(entry: &mut Section<'_>) -> Option<Secret> {
    let Located { value, place } = entry.secret("token")?;
    let text = value.reveal();
    if text.len() < LEAST_TOKEN_BYTES || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        let help = "make one with `openssl rand -hex 24`";
        let message = format!(
            "a token has at least {LEAST_TOKEN_BYTES} characters, printable ASCII without spaces"
        );
        entry.check.problem_with_help(&place, message, help);
        return None;
    }
    Some(value)
}

fn log(section: &mut Section<'_>) -> LogSpec {
    let filter = section.parsed("filter", "a log filter", |text| {
        EnvFilter::try_new(text).map(|_| text.to_owned()).map_err(|error| Refusal {
            message: format!("`{text}` is not a log filter: {error}"),
            help: Some("write levels by module, as in info,anomstack::jobs=debug".into()),
        })
    });
    let filter = filter.map_or("info".to_owned(), |filter| filter.value);
    section.show("filter", filter.as_str());
    LogSpec { filter, format: section.word_or("format", LogFormat::Text) }
}

pub(super) fn is_web_address(text: &str) -> bool {
    url::Url::parse(text)
        .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}
