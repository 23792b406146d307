//! `[source]` of a batch: where its numbers come from.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use crate::domain::{AdbcSpec, FileSpec, Naming, Secret, SourceKind, SourceSpec, Span};

use super::{
    command_source, file_source,
    kinds::Kind,
    place::{Located, Place},
    push_source,
    section::{Section, Text},
    web_source,
};

const DEFAULT_MAX_ROWS: usize = 10_000_000;
/// Of rows in memory, unlike the kinds' own limit on what they are sent.
const DEFAULT_MAX_FRAME_BYTES: usize = 4 << 30;
pub(super) const DEFAULT_MAX_BYTES: usize = 64 << 20;

/// Reads `[source]`. A `query_file` is looked for in the batch file's folder, then in
/// `metric_batches/`.
pub(super) fn read(source: &mut Section<'_>, query_dirs: &[PathBuf]) -> SourceSpec {
    let kinds = [
        Kind {
            name: "sql",
            keys: &["url", "query", "query_file", "params", "max_bytes"],
            read: &|source| sql(source, query_dirs),
        },
        Kind { name: "file", keys: file_source::KEYS, read: &file_source::file },
        Kind { name: "http", keys: web_source::HTTP_KEYS, read: &web_source::http },
        Kind {
            name: "prometheus",
            keys: web_source::PROMETHEUS_KEYS,
            read: &web_source::prometheus,
        },
        Kind {
            name: "adbc",
            keys: &[
                "driver",
                "entrypoint",
                "uri",
                "options",
                "query",
                "query_file",
                "params",
                "max_bytes",
            ],
            read: &|source| adbc(source, query_dirs),
        },
        Kind { name: "command", keys: command_source::KEYS, read: &command_source::read },
        Kind { name: "push", keys: push_source::KEYS, read: &push_source::read },
    ];
    let kind = source.read_kind(&kinds, &["columns"]);
    let max_bytes = match &kind {
        Some(SourceKind::Sql { .. } | SourceKind::Adbc(_) | SourceKind::File { .. }) => {
            source.size("max_bytes", DEFAULT_MAX_FRAME_BYTES)
        }
        _ => DEFAULT_MAX_FRAME_BYTES,
    };
    let naming = naming(source, kind.as_ref());
    SourceSpec {
        // Only read on when nothing was reported.
        kind: kind.unwrap_or(SourceKind::File(FileSpec::at(Vec::new()))),
        timeout: source.positive_span_or("timeout", Span::secs(60)),
        lateness: source.span_or("lateness", Span::secs(600)),
        drop_incomplete: source.flag("drop_incomplete", false),
        max_rows: source.count("max_rows", 1..=usize::MAX, DEFAULT_MAX_ROWS),
        max_bytes: max_bytes as u64,
        naming,
    }
}

fn naming(source: &mut Section<'_>, kind: Option<&SourceKind>) -> Naming {
    let columns = match kind {
        // It has read them: an answer's columns get their names page by page.
        Some(SourceKind::Http(_)) => BTreeMap::new(),
        _ => source.labels("columns"),
    };
    Naming { columns, rename: source.labels("rename"), exclude: source.globs("exclude", &[]) }
}

fn sql(source: &mut Section<'_>, query_dirs: &[PathBuf]) -> Option<SourceKind> {
    if !source.has("url") {
        source.missing(
            "url",
            "write sqlite://path, or postgres:// or mysql:// and user:password@host/database",
        );
    }
    let url = source.secret("url").and_then(|url| database_url(source, &url));
    let query = query(source, query_dirs);
    let params = source.params("params");
    let (query, query_origin) = query?;
    Some(SourceKind::Sql { url: url?, query, query_origin, params })
}

/// Accepts the databases there are, and resolves an SQLite path against the project folder.
fn database_url(source: &mut Section<'_>, url: &Located<Secret>) -> Option<Secret> {
    let text = url.value.reveal();
    let (scheme, rest) = text.split_once(':').unwrap_or(("", text));
    match scheme {
        "postgres" | "postgresql" | "mysql" | "mariadb" => Some(url.value.clone()),
        "sqlite" => {
            let path = rest.strip_prefix("//").unwrap_or(rest);
            if matches!(path.split('?').next(), None | Some("" | ":memory:")) {
                source.check.problem(&url.place, "this sqlite:// address names no file");
                return None;
            }
            Some(Secret::new(absolute_sqlite_url(&source.check.dir, path)))
        }
        _ => {
            let message = "this is not the address of a database";
            let help = "it starts with sqlite://, postgres:// or mysql://";
            source.check.problem_with_help(&url.place, message, help);
            None
        }
    }
}

fn absolute_sqlite_url(dir: &Path, path: &str) -> String {
    if path.starts_with('/') {
        return format!("sqlite://{path}");
    }
    // The folder becomes part of an address, where these characters mean something.
    let dir = dir.to_string_lossy().replace('%', "%25").replace('?', "%3F").replace('#', "%23");
    format!("sqlite://{dir}/{path}")
}

fn adbc(source: &mut Section<'_>, query_dirs: &[PathBuf]) -> Option<SourceKind> {
    let help = "write the path of the driver's library, or a name the driver manager finds";
    let driver = source.required_text("driver", help);
    let driver = driver.map(|driver| driver_path(&source.check.dir, driver.value.text));
    let entrypoint = source.text("entrypoint").map(|text| text.value.text);
    let uri = source.secret("uri").map(|uri| uri.value);
    let options = source.secrets("options");
    let query = query(source, query_dirs);
    let params = source.params("params");
    let (query, query_origin) = query?;
    let driver = driver?;
    let spec = AdbcSpec { driver, entrypoint, uri, options, query, query_origin, params };
    Some(SourceKind::Adbc(spec))
}

/// What looks like a path counts from the project folder; anything else is a name.
fn driver_path(dir: &Path, driver: String) -> String {
    let is_path = driver.contains('/') || Path::new(&driver).extension().is_some();
    if is_path { dir.join(driver).to_string_lossy().into_owned() } else { driver }
}

/// The query's text and where it came from.
fn query(source: &mut Section<'_>, query_dirs: &[PathBuf]) -> Option<(String, String)> {
    let help = "write query = \"SELECT …\" or query_file = \"name.sql\"";
    match (source.has("query"), source.has("query_file")) {
        (true, false) => {
            let query = source.required_text("query", help)?;
            let line = query.place.show(&[]).line;
            Some((query.value.text, format!("{}:{line}", query.place.file.name)))
        }
        (false, true) => {
            let name = source.required_text("query_file", help)?;
            let (text, origin) = query_file(source, query_dirs, &name)?;
            source.show("query", text.as_str());
            Some((text, origin))
        }
        (true, true) => {
            let place = source.key_place("query_file").unwrap_or(source.place.clone());
            let message = "`query` and `query_file` cannot both be given";
            source.check.problem(&place, message);
            source.ignore(&["query", "query_file"]);
            None
        }
        (false, false) => {
            source.missing("query", help);
            source.ignore(&["query", "query_file"]);
            None
        }
    }
}

fn query_file(
    source: &mut Section<'_>,
    query_dirs: &[PathBuf],
    name: &Located<Text>,
) -> Option<(String, String)> {
    let candidates: Vec<PathBuf> =
        query_dirs.iter().map(|dir| dir.join(&name.value.text)).collect();
    candidates.iter().for_each(|path| source.check.snapshot.missed(path));
    let Some(path) = candidates.into_iter().find(|path| path.is_file()) else {
        return refuse_query(source, &name.place, "there is no such file");
    };
    match source.check.read_text(&path) {
        Ok(text) if text.trim().is_empty() => {
            refuse_query(source, &name.place, "this file holds no query")
        }
        Ok(text) => {
            let origin = path.strip_prefix(&source.check.dir).unwrap_or(&path);
            Some((text, origin.display().to_string()))
        }
        Err(error) => refuse_query(source, &name.place, &format!("cannot be read: {error}")),
    }
}

fn refuse_query<T>(source: &mut Section<'_>, place: &Place, message: &str) -> Option<T> {
    let help = "the path counts from the batch file's folder, or from metric_batches/";
    source.check.problem_with_help(place, message, help);
    None
}
