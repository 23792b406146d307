//! Why a source gave nothing. No variant ever carries a connection URL, a password or an
//! environment value: texts from outside go through [`scrub`] first.

use std::{io, path::PathBuf};

use super::position::Position;
use crate::{compute::ComputeError, domain::Span, net::Forbidden};

pub(super) use super::words::{line_of_text, printable, scrub};

/// A read that failed as a whole. Rows that are bad by themselves are not errors: they are counted
/// by `intake`.
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
    #[error("ask the server: it answered {status}{}{}", for_long(*after), and_said(said))]
    Throttled {
        /// Its answer: 429 or 503.
        status: u16,
        /// For how long, where it says so.
        after: Option<Span>,
        /// The first words of its answer, without secrets.
        said: String,
    },
    /// A certificate or key cannot be used.
    #[error("use the certificate `{}`: {message}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// The answer is in an encoding this program does not read.
    #[error("read {place}: it is in the encoding `{encoding}`, which is not read here")]
    Encoding {
        /// What was read.
        place: String,
        /// The encoding, as the server calls it.
        encoding: String,
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
    #[error("read {place}: there is nothing at `{place_in_it}`")]
    NothingThere {
        /// What was read.
        place: String,
        /// The JSON pointer or JSONPath query.
        place_in_it: String,
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
    /// A series is of histograms, of which there is no one value.
    #[error(
        "read the series `{name}`: it holds native histograms; ask for a number of them, as in `histogram_quantile(0.9, …)` or `histogram_count(…)`"
    )]
    NativeHistogram {
        /// Its name.
        name: String,
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
    /// An ADBC driver cannot be loaded.
    #[error("load the driver `{driver}`: {message}")]
    Driver {
        /// Its path or name.
        driver: String,
        /// What the driver or the system said.
        message: String,
    },
    /// A database behind an ADBC driver cannot be reached, or refuses the sign-in.
    #[error("connect through the driver: {message}")]
    Adbc {
        /// What the driver said.
        message: String,
        /// Whether only other settings would help.
        is_permanent: bool,
    },
    /// Drivers did not come back from earlier reads.
    #[error(
        "start the driver: {n_threads} threads are inside drivers already; restart to be rid of those that hang"
    )]
    DriversBusy {
        /// How many are allowed.
        n_threads: usize,
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
            | Self::Certificate { .. }
            | Self::Driver { .. }
            | Self::SameName { .. }
            | Self::NativeHistogram { .. }
            | Self::Glob { .. } => true,
            Self::Adbc { is_permanent, .. } => *is_permanent,
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
            | Self::Encoding { .. }
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
            | Self::DriversBusy { .. }
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
    after.map(|after| format!(" and asks to wait for {after}")).unwrap_or_default()
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
