//! Rows as text, and every way of them into the program.

use std::fmt::Write;

use super::servers::{Answer, Server};
use crate::support::Project;

/// A row before any source carried it: everything is text.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) at: String,
    pub(super) name: String,
    pub(super) value: String,
}

/// A way for rows to reach the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carrier {
    Csv,
    Tsv,
    Ndjson,
    Json,
    CommandCsv,
    CommandJson,
    HttpCsv,
    HttpJson,
    Sqlite,
}

impl Carrier {
    pub(super) const ALL: &[Self] = &[
        Self::Csv,
        Self::Tsv,
        Self::Ndjson,
        Self::Json,
        Self::CommandCsv,
        Self::CommandJson,
        Self::HttpCsv,
        Self::HttpJson,
        Self::Sqlite,
    ];
}

/// A project whose batch `bad` has these rows; the server lives as long as what is given.
pub(super) fn project(rows: &[Row], carrier: Carrier) -> (Project, Option<Server>) {
    project_with(rows, carrier, "")
}

/// As [`project`], with more lines in `[source]`.
pub(super) fn project_with(
    rows: &[Row],
    carrier: Carrier,
    more: &str,
) -> (Project, Option<Server>) {
    let project = Project::empty();
    let mut server = None;
    let source = match carrier {
        Carrier::Csv => file(&project, "rows.csv", &csv(rows, ',')),
        Carrier::Tsv => file(&project, "rows.tsv", &csv(rows, '\t')),
        Carrier::Ndjson => file(&project, "rows.ndjson", &ndjson(rows)),
        Carrier::Json => file(&project, "rows.json", &json(rows)),
        Carrier::CommandCsv => command(&project, &csv(rows, ',')),
        Carrier::CommandJson => command(&project, &ndjson(rows)),
        Carrier::HttpCsv => http(&mut server, "text/csv", csv(rows, ',')),
        Carrier::HttpJson => http(&mut server, "application/json", json(rows)),
        Carrier::Sqlite => sqlite(&project, rows),
    };
    project.batch("bad", &format!("[source]\n{source}\n{more}\n"));
    (project, server)
}

fn file(project: &Project, name: &str, text: &str) -> String {
    project.write(name, text);
    format!("kind = \"file\"\npath = \"{name}\"")
}

fn command(project: &Project, text: &str) -> String {
    project.write("rows.txt", text);
    "kind = \"command\"\ncommand = [\"cat\", \"rows.txt\"]".into()
}

fn http(server: &mut Option<Server>, kind: &str, body: String) -> String {
    let answering = Server::start(vec![Answer::ok(kind, &body)]);
    let source = answering.source("");
    *server = Some(answering);
    source
}

fn sqlite(project: &Project, rows: &[Row]) -> String {
    let path = project.path().join("rows.db");
    let mut database = rusqlite::Connection::open(path).unwrap();
    database.execute_batch("CREATE TABLE rows (ts TEXT, metric TEXT, value TEXT)").unwrap();
    let all = database.transaction().unwrap();
    for row in rows {
        let row = (&row.at, &row.name, &row.value);
        all.execute("INSERT INTO rows VALUES (?, ?, ?)", row).unwrap();
    }
    all.commit().unwrap();
    "kind = \"sql\"\nurl = \"sqlite://rows.db\"\nquery = \"SELECT * FROM rows\"".into()
}

fn csv(rows: &[Row], separator: char) -> String {
    let mut text = format!("ts{separator}metric{separator}value\n");
    let quoted = |cell: &str| format!("\"{}\"", cell.replace('"', "\"\""));
    for row in rows {
        let cells = [&row.at, &row.name, &row.value].map(|cell| quoted(cell));
        writeln!(text, "{}", cells.join(&separator.to_string())).unwrap();
    }
    text
}

fn object(row: &Row) -> serde_json::Value {
    serde_json::json!({ "ts": row.at, "metric": row.name, "value": row.value })
}

fn ndjson(rows: &[Row]) -> String {
    rows.iter().map(|row| format!("{}\n", object(row))).collect()
}

fn json(rows: &[Row]) -> String {
    serde_json::Value::Array(rows.iter().map(object).collect()).to_string()
}
