//! Reads through real drivers, where `ANOMSTACK_TEST_ADBC_DIR` names a folder with their libraries:
//! `libadbc_driver_sqlite.so`, `libadbc_driver_postgresql.so` and `libduckdb.so`.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use adbc_core::{Connection, Database, Driver, LOAD_FLAG_DEFAULT, Statement, options::AdbcVersion};
use adbc_driver_manager::ManagedDriver;
use polars::prelude::DataFrame;

use crate::{
    domain::{AdbcSpec, ParamValue, Secret, SourceKind, Span},
    sources::{
        SourceError,
        tests::{batch, read_at},
    },
};

/// The library to test with, as known when the test was built, or nothing and a word about it.
fn library(name: &str) -> Option<PathBuf> {
    let folder = option_env!("ANOMSTACK_TEST_ADBC_DIR");
    if folder.is_none() {
        eprintln!("not tested with {name}: ANOMSTACK_TEST_ADBC_DIR is not set");
    }
    folder.map(|folder| Path::new(folder).join(name))
}

fn spec(driver: &Path, query: &str) -> AdbcSpec {
    AdbcSpec {
        driver: driver.display().to_string(),
        entrypoint: driver.ends_with("libduckdb.so").then(|| "duckdb_adbc_init".to_owned()),
        uri: None,
        options: BTreeMap::new(),
        query: query.to_owned(),
        query_origin: "shop.sql".to_owned(),
        params: BTreeMap::from([("least".to_owned(), ParamValue::Int(2))]),
    }
}

fn option(key: &str, value: impl Into<String>) -> (String, Secret) {
    (key.to_owned(), Secret::new(value.into()))
}

async fn read(spec: AdbcSpec) -> Result<DataFrame, SourceError> {
    read_at(&batch(SourceKind::Adbc(spec)), None).await
}

fn shown(frame: &DataFrame) -> Vec<String> {
    let row = |row| {
        let cells = frame.columns().iter().map(|c| c.get(row).unwrap().str_value().into_owned());
        cells.collect::<Vec<_>>().join(",")
    };
    (0..frame.height()).map(row).collect()
}

/// Runs statements that write, as a user would beforehand.
fn fill(driver: &Path, (key, value): (&str, &str), statements: &[&str]) {
    let entrypoint = driver.ends_with("libduckdb.so").then_some(&b"duckdb_adbc_init"[..]);
    let version = AdbcVersion::V100;
    let mut driver =
        ManagedDriver::load_from_name(driver, entrypoint, version, LOAD_FLAG_DEFAULT, None)
            .unwrap();
    let database = driver.new_database_with_opts([(key.into(), value.into())]).unwrap();
    let mut connection = database.new_connection().unwrap();
    for sql in statements {
        let mut statement = connection.new_statement().unwrap();
        statement.set_sql_query(sql).unwrap();
        statement.execute_update().unwrap();
    }
}

const TABLE: [&str; 2] = [
    "CREATE TABLE points (ts BIGINT, metric TEXT, value DOUBLE PRECISION)",
    "INSERT INTO points VALUES (1767225600, 'a', 0.1), (1767225660, 'é', 2.5), (1767225720, 'b', NULL)",
];
const QUERY: &str =
    "SELECT * FROM points WHERE value >= {{ params.least }} OR value IS NULL ORDER BY ts";
const ROWS: [&str; 2] = ["1767225660,é,2.5", "1767225720,b,null"];

#[tokio::test]
async fn sqlite_s_driver_reads_a_file_and_cannot_write() {
    let Some(driver) = library("libadbc_driver_sqlite.so") else { return };
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("shop.db");
    fill(&driver, ("uri", file.to_str().unwrap()), &TABLE);
    let of = |query: &str| AdbcSpec {
        uri: Some(Secret::new(file.display().to_string())),
        ..spec(&driver, query)
    };
    assert_eq!(shown(&read(of(QUERY)).await.unwrap()), ROWS);
    let empty = read(of("SELECT ts, value FROM points WHERE ts < 0")).await.unwrap();
    assert_eq!(
        (empty.height(), empty.get_column_names()),
        (0, ["ts", "value"].map(|n| n.into()).iter().collect())
    );
    let error = read(of("SELECT * FROM nowhere")).await.unwrap_err().to_string();
    assert!(error.starts_with("run shop.sql: ") && error.contains("no such table"), "{error}");
    let many = of(
        "WITH RECURSIVE n(ts) AS (SELECT 1 UNION ALL SELECT ts + 1 FROM n) SELECT ts, ts AS value FROM n",
    );
    let error = read(many).await.unwrap_err();
    assert!(matches!(error, SourceError::TooManyRows { max_rows: 1_000 }), "{error}");
    let endless = of(
        "WITH RECURSIVE n(ts) AS (SELECT 1 UNION ALL SELECT ts + 1 FROM n) SELECT max(ts) FROM n",
    );
    let mut endless = batch(SourceKind::Adbc(endless));
    endless.source.timeout = Span::from_micros(300_000);
    let error = read_at(&endless, None).await.unwrap_err().to_string();
    assert_eq!(error, "read the adbc source: no answer within 300ms");
}

#[tokio::test]
async fn duckdb_s_library_reads_a_file_beside_who_reads_it_too_and_cannot_write() {
    let Some(driver) = library("libduckdb.so") else { return };
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("shop.duckdb");
    fill(&driver, ("path", file.to_str().unwrap()), &TABLE);
    let of = |query: &str| {
        let mut spec = spec(&driver, query);
        spec.options.extend([option("path", file.display().to_string())]);
        spec
    };
    assert_eq!(shown(&read(of(QUERY)).await.unwrap()), ROWS);
    let typed = "SELECT TIMESTAMPTZ '2026-01-01 01:00:00+01' AS ts, 12.50::DECIMAL(9,2) AS value,
        INTERVAL 1 SECOND AS i, DATE '2026-01-01' AS d, 'a'::ENUM('a', 'b') AS e, 7::UTINYINT AS n,
        [1, 2] AS l, true AS b, NULL AS nothing";
    let frame = read(of(typed)).await.unwrap();
    let cells = shown(&frame).remove(0);
    assert!(cells.starts_with("2026-01-01 00:00:00 UTC,12.5,"), "{cells}");
    assert!(cells.contains(",2026-01-01,a,7,<List"), "{cells}");
    let error = read(of("SELECT * FROM nowhere")).await.unwrap_err().to_string();
    assert!(error.starts_with("run shop.sql: "), "{error}");
}

#[tokio::test]
async fn postgresql_s_driver_reads_and_cannot_write() {
    let (Some(driver), Some(url)) =
        (library("libadbc_driver_postgresql.so"), option_env!("ANOMSTACK_TEST_POSTGRES_URL"))
    else {
        return;
    };
    let of =
        |query: &str| AdbcSpec { uri: Some(Secret::new(url.to_owned())), ..spec(&driver, query) };
    let typed = "SELECT TIMESTAMPTZ '2026-01-01 01:00:00+01' AS ts, 12.50::numeric AS value,
        2::smallint AS n, 'é'::text AS metric, true AS b, NULL::float8 AS nothing";
    let cells = shown(&read(of(typed)).await.unwrap()).remove(0);
    assert_eq!(cells, "2026-01-01 00:00:00 UTC,12.50,2,é,true,null");
    // What the words do not show, the server refuses.
    let sealed = read(of("SELECT current_setting('transaction_read_only')")).await.unwrap();
    assert_eq!(shown(&sealed), ["on"]);
    let error = read(of("SELECT * FROM nowhere")).await.unwrap_err().to_string();
    assert!(error.starts_with("run shop.sql: ") && error.contains("(SQLSTATE 42P01)"), "{error}");
    let mut wrong = of("SELECT 1");
    wrong.uri = Some(Secret::new("postgres://nobody:canary-4711@127.0.0.1:1/x".into()));
    let error = read(wrong).await.unwrap_err();
    assert!(error.to_string().starts_with("connect through the driver: "), "{error}");
    assert!(!format!("{error:?}").contains("4711"), "{error:?}");
}

#[tokio::test]
async fn a_library_that_is_none_is_an_error_and_writing_is_refused_before_it_is_loaded() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("driver.so");
    std::fs::write(&path, "no library").unwrap();
    let error = read(spec(&path, "SELECT 1")).await.unwrap_err();
    let start = format!("load the driver `{}`: ", path.display());
    assert!(error.to_string().starts_with(&start), "{error}");
    assert!(error.is_permanent());
    let error = read(spec(&path, "DROP TABLE points")).await.unwrap_err().to_string();
    assert_eq!(error, "run shop.sql: it begins with `DROP`; only queries are run");
}
