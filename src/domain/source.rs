//! Sources that are asked over HTTP, by a driver or by a program: whom to ask, how, and what to make of
//! the answer.

use std::{collections::BTreeMap, fmt, path::PathBuf, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{
    Location, Secret, Span, StorageAccess,
    run::{UnknownText, text_enum},
};

/// A server and how to introduce oneself to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Endpoint {
    /// `http://…` or `https://…`; may hold a token.
    pub url: Secret,
    /// Further request headers.
    pub headers: BTreeMap<String, Secret>,
    /// How to sign in.
    pub auth: WebAuth,
    /// Whether addresses outside the public internet may be called.
    pub allow_private: bool,
    /// Most bytes all answers of one read may have together.
    pub max_bytes: usize,
    /// A file of PEM certificates that vouch for the server, in place of those the system trusts.
    pub ca_file: Option<PathBuf>,
    /// Files of this side's certificate and of its key, both PEM.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// How far apart requests to the server are kept.
    pub pace: Option<Span>,
}

impl Endpoint {
    /// Every text that must not be quoted from an answer or an error.
    pub fn secrets(&self) -> Vec<&Secret> {
        let auth = match &self.auth {
            WebAuth::None => None,
            WebAuth::Bearer(token) => Some(token),
            WebAuth::Basic { password, .. } => Some(password),
        };
        std::iter::once(&self.url).chain(self.headers.values()).chain(auth).collect()
    }
}

/// How to sign in to a server.
#[derive(Debug, Clone, PartialEq)]
pub enum WebAuth {
    /// Not at all.
    None,
    /// With a token.
    Bearer(Secret),
    /// With a name and a password.
    Basic {
        /// The name.
        user: String,
        /// The password.
        password: Secret,
    },
}

impl WebAuth {
    /// What must not be shown of it.
    pub const fn secret(&self) -> Option<&Secret> {
        match self {
            Self::None => None,
            Self::Bearer(secret) | Self::Basic { password: secret, .. } => Some(secret),
        }
    }
}

/// An address that answers with rows.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpSpec {
    /// Whom to ask.
    pub endpoint: Endpoint,
    /// Added to the address's query; texts are MiniJinja, and one that comes out empty is left out.
    pub params: BTreeMap<String, ParamValue>,
    /// What the answer is; without it, what its content type or its first character says.
    pub format: Option<WebFormat>,
    /// Where the rows stand in a JSON answer.
    pub rows: RowsAt,
    /// Our name of a column by the answer's.
    pub columns: BTreeMap<String, String>,
    /// How an answer leads to the next one.
    pub paging: Option<Paging>,
}

/// Where the rows stand in a JSON answer.
#[derive(Debug, Clone, PartialEq)]
pub enum RowsAt {
    /// At a JSON pointer (RFC 6901); empty for the whole answer.
    Pointer(String),
    /// Where a JSONPath query (RFC 9535) finds them.
    Path(String),
}

impl RowsAt {
    /// Whether it is the whole answer.
    pub const fn is_everything(&self) -> bool {
        matches!(self, Self::Pointer(pointer) if pointer.is_empty())
    }

    /// As it is written in the configuration.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Pointer(text) | Self::Path(text) => text,
        }
    }
}

text_enum! {
    /// What an answer's body is.
    WebFormat {
        /// One JSON document.
        Json = "json",
        /// A header and lines, separated by commas or tabs.
        Csv = "csv",
        /// One JSON object a line.
        Ndjson = "ndjson",
    }
}

/// How an answer leads to the next one.
#[derive(Debug, Clone, PartialEq)]
pub struct Paging {
    /// Where the next page is.
    pub step: PageStep,
    /// More pages are an error, never left out.
    pub max_pages: usize,
}

/// Where the next page is.
#[derive(Debug, Clone, PartialEq)]
pub enum PageStep {
    /// At the address that stands at a JSON pointer; absent, null or empty ends.
    Link {
        /// The pointer.
        pointer: String,
    },
    /// At the same address with the text at a JSON pointer as a parameter.
    Cursor {
        /// The pointer.
        pointer: String,
        /// The parameter.
        param: String,
    },
    /// At the same address with the next number as a parameter; a page without rows ends.
    Number {
        /// The parameter.
        param: String,
        /// Number of the first page.
        first: usize,
    },
}

text_enum! {
    /// What a file's bytes are.
    FileFormat {
        /// A header and lines, separated by commas.
        Csv = "csv",
        /// A header and lines, separated by tabs.
        Tsv = "tsv",
        /// One array of objects.
        Json = "json",
        /// One JSON object a line.
        Ndjson = "ndjson",
        /// Apache Parquet.
        Parquet = "parquet",
        /// Apache Arrow IPC, as a file or as a stream.
        Arrow = "arrow",
    }
}

/// Files to read.
#[derive(Debug, Clone, PartialEq)]
pub struct FileSpec {
    /// Where they are; at least one.
    pub locations: Vec<Location>,
    /// What they are; without it, what each one's first bytes say.
    pub format: Option<FileFormat>,
    /// A query over all of them as the table `files`, and where it was read from.
    pub sql: Option<FileQuery>,
    /// How to reach the remote ones.
    pub access: StorageAccess,
    /// Whether a glob may match nothing.
    pub allow_empty: bool,
    /// Most files one read may name.
    pub max_files: usize,
}

impl FileSpec {
    /// Most files one read names unless it says otherwise.
    pub const DEFAULT_MAX_FILES: usize = 10_000;

    /// Files as the defaults have it.
    pub fn at(locations: Vec<Location>) -> Self {
        Self {
            locations,
            format: None,
            sql: None,
            access: StorageAccess::default(),
            allow_empty: false,
            max_files: Self::DEFAULT_MAX_FILES,
        }
    }
}

/// SQL over files.
#[derive(Debug, Clone, PartialEq)]
pub struct FileQuery {
    /// One `SELECT`.
    pub text: String,
    /// Where it was read from, for errors.
    pub origin: String,
}

/// Rows that are sent here instead of being asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct PushSpec {
    /// A token good for pushing to this batch and nothing else.
    pub token: Option<Secret>,
    /// As [`PrometheusSpec::name`], for series that come by remote write.
    pub name: Option<String>,
    /// Most bytes of a body once it is unpacked.
    pub max_body: usize,
    /// What may wait to be ingested before more is refused.
    pub inbox: InboxSpec,
}

/// Limits on what waits; with any of them reached, senders are asked to come back later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InboxSpec {
    /// Rows.
    pub rows: u64,
    /// Bytes on disk.
    pub bytes: u64,
    /// Time since the first waiting row came.
    pub age: Span,
}

/// A Prometheus query over a window of time.
#[derive(Debug, Clone, PartialEq)]
pub struct PrometheusSpec {
    /// The server; its address without `/api/v1`.
    pub endpoint: Endpoint,
    /// PromQL.
    pub query: String,
    /// Distance of two values; instants are its multiples.
    pub step: Span,
    /// How long before now the window ends.
    pub offset: Span,
    /// How far the first read reaches back.
    pub lookback: Span,
    /// MiniJinja over a series' labels that gives its name; without it, what Prometheus would print.
    pub name: Option<String>,
    /// Sent as `X-Scope-OrgID`.
    pub tenant: Option<String>,
}

/// A query through an ADBC driver, a library that is loaded into this process.
#[derive(Debug, Clone, PartialEq)]
pub struct AdbcSpec {
    /// The library's path, or the name of one the driver manager finds.
    pub driver: String,
    /// The function of the library to begin with, where it is not the usual one.
    pub entrypoint: Option<String>,
    /// The database's address, in whatever form the driver reads.
    pub uri: Option<Secret>,
    /// The driver's other options.
    pub options: BTreeMap<String, Secret>,
    /// MiniJinja text with `now`, `last_timestamp`, `batch`, `params`.
    pub query: String,
    /// Where the query was read from, for errors.
    pub query_origin: String,
    /// Values for `params`.
    pub params: BTreeMap<String, ParamValue>,
}

/// A program that prints CSV or JSON rows.
#[derive(Debug, Clone, PartialEq)]
pub struct CommandSpec {
    /// Program and arguments; no shell. `anomstack` is this program.
    pub argv: Vec<String>,
    /// Extra environment for it.
    pub env: BTreeMap<String, Secret>,
    /// Names of variables it gets from this process, beside the few every program gets.
    pub inherit: Vec<String>,
    /// Most bytes it may print.
    pub max_bytes: usize,
    /// Most bytes of memory it and what it starts may use.
    pub max_memory: usize,
    /// Folder it runs in.
    pub dir: PathBuf,
}

/// A plain value of a parameter table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ParamValue {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// Text.
    Text(String),
}
