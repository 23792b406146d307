//! `[source]` of an imported batch: the query on the database that Anomstack read, or the program
//! that runs the user's own function.

use crate::config::BATCH_DIR;

use super::{
    Written,
    folder::{Folder, Found},
    keys, python,
    report::{Report, Verdict},
    sql,
    tables::{Tables, Toml},
};

/// A database that Anomstack read, reached by Anomstack's own variables.
struct Database {
    name: &'static str,
    becomes: &'static str,
    lines: &'static [&'static str],
}

const DATABASES: &[Database] = &[
    Database {
        name: "sqlite",
        becomes: "kind = \"sql\"",
        lines: &[
            r#"kind = "sql""#,
            r#"url = "sqlite://${ANOMSTACK_SQLITE_PATH:-tmpdata/anomstack-sqlite.db}""#,
        ],
    },
    Database {
        name: "duckdb",
        becomes: "kind = \"adbc\", driver = \"duckdb\"",
        lines: &[
            r#"kind = "adbc""#,
            r#"driver = "duckdb""#,
            r#"entrypoint = "duckdb_adbc_init""#,
            r#"options = { path = "${ANOMSTACK_DUCKDB_PATH:-tmpdata/anomstack-duckdb.db}" }"#,
        ],
    },
    Database {
        name: "bigquery",
        becomes: "kind = \"adbc\", driver = \"adbc_driver_bigquery\"",
        lines: &[
            r#"kind = "adbc""#,
            r#"driver = "adbc_driver_bigquery""#,
            r#"options = { "adbc.bigquery.sql.project_id" = "${ANOMSTACK_GCP_PROJECT_ID:-}" }"#,
        ],
    },
    Database {
        name: "snowflake",
        becomes: "kind = \"adbc\", driver = \"adbc_driver_snowflake\"",
        lines: &[
            r#"kind = "adbc""#,
            r#"driver = "adbc_driver_snowflake""#,
            r#"options = { username = "${ANOMSTACK_SNOWFLAKE_USER:-}", password = "${ANOMSTACK_SNOWFLAKE_PASSWORD:-}", "adbc.snowflake.sql.account" = "${ANOMSTACK_SNOWFLAKE_ACCOUNT:-}", "adbc.snowflake.sql.warehouse" = "${ANOMSTACK_SNOWFLAKE_WAREHOUSE:-}" }"#,
        ],
    },
    Database {
        name: "clickhouse",
        becomes: "kind = \"http\" (ClickHouse's own interface)",
        lines: &[
            r#"kind = "http""#,
            r#"url = "http://${ANOMSTACK_CLICKHOUSE_HOST:-localhost}:${ANOMSTACK_CLICKHOUSE_PORT:-8123}/?default_format=JSONEachRow""#,
            r#"format = "ndjson""#,
            "allow_private = true",
            r#"headers = { X-ClickHouse-User = "${ANOMSTACK_CLICKHOUSE_USER:-anomstack}", X-ClickHouse-Key = "${ANOMSTACK_CLICKHOUSE_PASSWORD:-anomstack}", X-ClickHouse-Database = "${ANOMSTACK_CLICKHOUSE_DATABASE:-default}" }"#,
        ],
    },
];

/// Writes the source, and gives the files that it needs.
pub(super) fn write(
    folder: &Folder,
    found: &Found,
    stem: &str,
    tables: &mut Tables,
    report: &mut Report,
) -> Vec<Written> {
    let context = folder.merged(found);
    let batch = found.name.as_str();
    let query = folder.value(found, "ingest_sql").map(keys::text);
    let function = folder.value(found, "ingest_fn").map(keys::text);
    if let Some(template) = query.as_ref().or(function.as_ref()) {
        own_variables(folder, found, &sql::translate(&folder.dir, template, &context), report);
    }
    match (query, function) {
        (Some(query), _) => {
            let db = folder.value(found, "db").map_or_else(|| "duckdb".to_owned(), keys::text);
            database(batch, &db, tables, report);
            match db.as_str() {
                "clickhouse" => {
                    let query = sql::rendered(&folder.dir, &query, &context);
                    in_place(batch, query, tables, report);
                    Vec::new()
                }
                _ => {
                    let query = sql::translate(&folder.dir, &query, &context);
                    vec![beside((batch, stem), query, tables, report)]
                }
            }
        }
        (None, Some(function)) => {
            let text = sql::rendered(&folder.dir, &function, &context);
            python::write((batch, stem), text, tables, report)
        }
        (None, None) => {
            let note = "the batch has neither `ingest_sql` nor `ingest_fn`; a source has to be written by hand";
            report.add((batch, "ingest_sql"), Verdict::Cannot, "", note);
            tables.put("", "enabled", false);
            tables.put("source", "kind", "command");
            tables.put("source", "command", vec!["false".to_owned()]);
            Vec::new()
        }
    }
}

/// Keys of the user's own that the template uses.
fn own_variables(folder: &Folder, found: &Found, query: &sql::Query, report: &mut Report) {
    for (name, _) in &query.params {
        if found.keys.contains_key(name) && !folder.defaults.contains_key(name) {
            report.add((&found.name, name), Verdict::Maps, "the template's variable", "");
        }
    }
}

/// How to reach the database.
fn database(batch: &str, db: &str, tables: &mut Tables, report: &mut Report) {
    let Some(database) = DATABASES.iter().find(|database| database.name == db) else {
        let note = format!("Anomstack could not read `{db}` either; set [source] by hand");
        report.add((batch, "db"), Verdict::Cannot, "", &note);
        tables.put("source", "kind", "sql");
        tables.put("source", "url", "sqlite://replace-me.db");
        return;
    };
    for line in database.lines {
        tables.line("source", (*line).to_owned());
    }
    let (verdict, note) = match database.becomes.contains("adbc") {
        true => (
            Verdict::Changes,
            "it is read through the database's ADBC driver, whose library has to be installed (docs/sources.md)",
        ),
        false => (Verdict::Maps, ""),
    };
    report.add((batch, "db"), verdict, database.becomes, note);
}

/// A query in a file of its own, still a template.
fn beside(
    (batch, stem): (&str, &str),
    query: sql::Query,
    tables: &mut Tables,
    report: &mut Report,
) -> Written {
    for problem in &query.problems {
        report.add((batch, "ingest_sql"), Verdict::Cannot, "", problem);
    }
    let becomes = format!("query_file = \"{stem}.sql\"");
    let note = "it is sent as it stands: Anomstack rewrote it for the database and quoted every name. \
                It reads everything each time; `{% if last_timestamp %}` makes it read what is new";
    report.add((batch, "ingest_sql"), Verdict::Changes, &becomes, note);
    tables.put("source", "query_file", format!("{stem}.sql").as_str());
    if !query.params.is_empty() {
        let param =
            |(name, value): &(String, String)| format!("{name} = {}", Toml::from(value.as_str()).0);
        let params: Vec<String> = query.params.iter().map(param).collect();
        tables.line("source", format!("params = {{ {} }}", params.join(", ")));
    }
    Written { path: format!("{BATCH_DIR}/{stem}.sql"), text: query.text }
}

/// A query as a parameter of a web address, where templates are not filled in.
fn in_place(batch: &str, query: Result<String, String>, tables: &mut Tables, report: &mut Report) {
    match query {
        Ok(query) => {
            let query = query.trim().trim_end_matches(';');
            tables.line("source", format!("params = {{ query = {} }}", Toml::from(query).0));
            let note = "the template was filled in once; the query reads everything each time";
            report.add((batch, "ingest_sql"), Verdict::Changes, "params.query", note);
        }
        Err(problem) => report.add((batch, "ingest_sql"), Verdict::Cannot, "", &problem),
    }
}
