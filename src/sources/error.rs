//! Why a source gave nothing. No variant ever carries a connection URL, a password or an
//! environment value: texts from outside go through [`scrub`] first.

use std::{io, path::PathBuf};

use super::position::Position;
use crate::{
    compute::ComputeError,
    domain::{Secret, Span},
    net::Forbidden,
};

/// A read that failed as a whole. Rows that are bad by themselves are not errors: they are counted
/// by [`intake`](super::intake()).
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The query's template cannot be rendered.
    #[error("render {origin}{}: {message}", at_line(*line))]
    Template {
        /// Where the template was read from.
        origin: String,
        /// Line of the template, counted from 1.
        line: Option<usize>,
        /// What is wrong with it.
        message: String,
    },
    /// The URL names no database this program speaks to.
    #[error("open the database: the URL must begin with sqlite:, postgres: or mysql:")]
    UnknownDatabase,
    /// The database cannot be reached, or refuses the sign-in.
    #[error("connect to {database}: {message}")]
    Connect {
        /// `SQLite`, `PostgreSQL` or `MySQL`.
        database: &'static str,
        /// What the database or the network said.
        message: String,
    },
    /// The address to ask cannot be read.
    #[error("ask the server: the address cannot be read")]
    UnknownAddress,
    /// The address may not be called.
    #[error("ask the server")]
    Forbidden(#[source] Forbidden),
    /// The server leads to another one, which would get the sign-in.
    #[error("ask the server: it leads to another host, `{host}`")]
    OtherHost {
        /// Where to.
        host: String,
    },
    /// The server cannot be reached, or the answer broke off.
    #[error("ask the server: {message}")]
    Request {
        /// What happened.
        message: String,
    },
    /// The server asks to be left alone for a while.
    #[error("ask the server: it answered {status} and asks to wait{}", for_long(*after))]
    Throttled {
        /// Its answer: 429 or 503.
        status: u16,
        /// For how long, where it says so.
        after: Option<Span>,
    },
    /// The server refuses.
    #[error("ask the server: it answered {status}{}", and_said(said))]
    Status {
        /// Its answer.
        status: u16,
        /// The first words of it.
        said: String,
    },
    /// More pages than one read may ask for.
    #[error("read the answer: more than {max_pages} pages (`max_pages`)")]
    TooManyPages {
        /// The configured limit.
        max_pages: usize,
    },
    /// The rows are not where they should be.
    #[error("read {place}: there is nothing at `{pointer}`")]
    NothingThere {
        /// What was read.
        place: String,
        /// The JSON pointer.
        pointer: String,
    },
    /// A column that is to be renamed is not there.
    #[error("find the column `{column}`, to be `{ours}`: found {}", listed(found))]
    NoColumn {
        /// As the answer should call it.
        column: String,
        /// As it is called here.
        ours: String,
        /// The columns that came.
        found: Vec<String>,
    },
    /// Two series get one name, and their values could not be told apart.
    #[error("name the series: two are called `{name}`; let `name` use more labels")]
    SameName {
        /// The name.
        name: String,
    },
    /// The database refuses the query, or failed while answering.
    #[error("run {origin}{}: {message}", at_position(*at))]
    Query {
        /// Where the query was read from.
        origin: String,
        /// Where in the rendered query, if the database tells it.
        at: Option<Position>,
        /// What the database said.
        message: String,
    },
    /// The source took longer than it may.
    #[error("read the {kind} source: no answer within {limit}")]
    Timeout {
        /// The kind of source.
        kind: &'static str,
        /// The configured limit.
        limit: Span,
    },
    /// More rows than one read may give.
    #[error("read the source: more than {max_rows} rows (`max_rows`)")]
    TooManyRows {
        /// The configured limit.
        max_rows: usize,
    },
    /// More bytes than one read may give.
    #[error("read {place}: more than {max_bytes} bytes")]
    TooManyBytes {
        /// What was read.
        place: String,
        /// The limit.
        max_bytes: u64,
    },
    /// Whoever took the rows does no more: the read ends without an answer to give.
    #[error("read the source: nobody takes its rows any more")]
    Stopped,
    /// A column that every frame needs is not there.
    #[error("find the {role} column: expected {expected}; found {}", listed(found))]
    MissingColumn {
        /// What the column is for.
        role: &'static str,
        /// The names that would have been understood.
        expected: &'static str,
        /// The columns that came.
        found: Vec<String>,
    },
    /// A column has a type that cannot be read as what it is for.
    #[error("read column `{column}`: expected {expected}, found {found}")]
    ColumnType {
        /// The column.
        column: String,
        /// What would have been understood.
        expected: &'static str,
        /// The type that came.
        found: String,
    },
    /// No file matches.
    #[error("find files: nothing matches `{pattern}`")]
    NoFile {
        /// The configured path or glob.
        pattern: String,
    },
    /// More files match than one read may name.
    #[error("find files: more than {max_files} match, or far more lie beside them (`max_files`)")]
    TooManyFiles {
        /// The configured limit.
        max_files: usize,
    },
    /// A remote file cannot be listed or read.
    #[error("read `{place}`: {message}")]
    Remote {
        /// Its address, or the glob's.
        place: String,
        /// What its store or the network said.
        message: String,
    },
    /// A file cannot be read.
    #[error("read `{}`", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The bytes are no table at all.
    #[error("read {place}: {problem}; it begins with `{start}`")]
    NotATable {
        /// What was read.
        place: String,
        /// What it looks like instead.
        problem: &'static str,
        /// Its first characters, made safe to print.
        start: String,
    },
    /// The bytes are a damaged table.
    #[error("read {place}: {message}")]
    Decode {
        /// What was read.
        place: String,
        /// What the reader said.
        message: String,
    },
    /// A program cannot be started or read.
    #[error("run `{program}`")]
    Start {
        /// The program.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// A program ended unsuccessfully.
    #[error("run `{program}`: it ended with {status}{}", and_said(stderr))]
    Failed {
        /// The program.
        program: String,
        /// Its exit status in words.
        status: String,
        /// The end of what it wrote to its error output.
        stderr: String,
    },
    /// A program and what it started used more memory than they may.
    #[error("run `{program}`: it used more than {max_memory} bytes of memory (`max_memory`)")]
    TooMuchMemory {
        /// The program.
        program: String,
        /// The configured limit.
        max_memory: usize,
    },
    /// A glob over metric names cannot be read.
    #[error("read the glob `{pattern}`")]
    Glob {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        source: globset::Error,
    },
    /// The computation failed.
    #[error("read the source's rows")]
    Compute(#[from] ComputeError),
}

impl SourceError {
    /// Whether reading again without a change of the configuration cannot succeed.
    pub const fn is_permanent(&self) -> bool {
        match self {
            Self::Template { .. }
            | Self::UnknownDatabase
            | Self::UnknownAddress
            | Self::Forbidden(_)
            | Self::OtherHost { .. }
            | Self::SameName { .. }
            | Self::Glob { .. } => true,
            // The rest of these are for the asker to mend: credentials, address, parameters.
            Self::Status { status, .. } => {
                matches!(status, 400..=499) && !matches!(status, 408 | 425)
            }
            Self::Connect { .. }
            | Self::Query { .. }
            | Self::Request { .. }
            | Self::Throttled { .. }
            | Self::TooManyPages { .. }
            | Self::NothingThere { .. }
            | Self::NoColumn { .. }
            | Self::Timeout { .. }
            | Self::TooManyRows { .. }
            | Self::TooManyBytes { .. }
            | Self::Stopped
            | Self::MissingColumn { .. }
            | Self::ColumnType { .. }
            | Self::NoFile { .. }
            | Self::TooManyFiles { .. }
            | Self::Remote { .. }
            | Self::File { .. }
            | Self::NotATable { .. }
            | Self::Decode { .. }
            | Self::Start { .. }
            | Self::Failed { .. }
            | Self::TooMuchMemory { .. }
            | Self::Compute(_) => false,
        }
    }
}

fn at_line(line: Option<usize>) -> String {
    line.map(|line| format!(", line {line}")).unwrap_or_default()
}

fn at_position(at: Option<Position>) -> String {
    at.map(|at| format!(", {at}")).unwrap_or_default()
}

fn for_long(after: Option<Span>) -> String {
    after.map(|after| format!(" for {after}")).unwrap_or_default()
}

fn and_said(stderr: &str) -> String {
    if stderr.is_empty() { String::new() } else { format!(" and said: {stderr}") }
}

fn listed(found: &[String]) -> String {
    /// Enough to recognise a frame by; a wide one may have thousands.
    const MAX_LISTED: usize = 20;
    if found.is_empty() {
        return "no columns".into();
    }
    let mut text = found.iter().take(MAX_LISTED).map(|c| printable(c)).collect::<Vec<_>>();
    if MAX_LISTED < found.len() {
        text.push(format!("… ({} in all)", found.len()));
    }
    text.join(", ")
}

/// A text from outside in one printable line of at most 80 characters.
pub(super) fn printable(text: &str) -> String {
    line_of_text(text, 80)
}

/// A text from outside in one printable line of at most so many characters.
pub(super) fn line_of_text(text: &str, max_chars: usize) -> String {
    let shown: String = text.chars().take(max_chars).collect();
    let shown = escaped(&shown, &[]);
    if text.chars().nth(max_chars).is_some() { format!("{shown}…") } else { shown }
}

/// Writes out every character that would move, hide or reorder what the reader sees, but those in
/// `kept`.
fn escaped(text: &str, kept: &[char]) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if (c.is_control() || is_format_mark(c)) && !kept.contains(&c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

const fn is_format_mark(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Takes every occurrence of the secrets out of a text, and all that would upset a terminal.
pub(super) fn scrub<'a>(text: &str, secrets: impl IntoIterator<Item = &'a Secret>) -> String {
    /// Shorter secrets would tear ordinary words apart without hiding anything.
    const MIN_BYTES: usize = 4;
    let mut clean = text.to_owned();
    for secret in secrets {
        for part in secret_parts(secret.reveal()) {
            if MIN_BYTES <= part.len() && clean.contains(&part) {
                clean = clean.replace(&part, "[secret]");
            }
        }
    }
    escaped(&clean, &['\n', '\t'])
}

/// Parts of the names of URL parameters that carry a secret.
const SECRET_KEYS: [&str; 5] = ["pass", "token", "key", "secret", "sig"];

/// The whole secret and, where it is a URL, its password and query values as written and decoded.
fn secret_parts(secret: &str) -> Vec<String> {
    let mut parts = vec![secret.to_owned()];
    let Ok(url) = url::Url::parse(secret) else { return parts };
    if let Some(password) = url.password() {
        parts.push(password.to_owned());
        // A query pair is the decoder `url` has; the password may hold no `&` or `+` unescaped.
        let as_pair = password.replace('+', "%2B").replace('&', "%26");
        parts.extend(url::form_urlencoded::parse(as_pair.as_bytes()).map(|(k, _)| k.into_owned()));
    }
    parts.extend(
        url.query_pairs()
            .filter(|(key, _)| SECRET_KEYS.iter().any(|word| key.to_lowercase().contains(word)))
            .map(|(_, value)| value.into_owned()),
    );
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_from_outside_cannot_break_or_reorder_a_line() {
        assert_eq!(printable("a\nb\u{202e}c\0"), "a\\nb\\u{202e}c\\u{0}");
        assert_eq!(printable(&"x".repeat(90)), format!("{}…", "x".repeat(80)));
        assert_eq!(printable("🚀 'ok'"), "🚀 'ok'");
        assert_eq!(scrub("a\n\u{1b}[31mred", []), "a\n\\u{1b}[31mred");
    }

    #[test]
    fn a_password_is_taken_out_as_written_and_decoded() {
        let url = Secret::new("postgres://me:p%40ss+word@db/x?token=tttt".into());
        let text = "failed: p%40ss+word p@ss+word tttt postgres://me:p%40ss+word@db/x?token=tttt";
        assert_eq!(scrub(text, [&url]), "failed: [secret] [secret] [secret] [secret]");
    }
}
