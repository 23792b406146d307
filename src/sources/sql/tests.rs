//! The databases against one set of claims. PostgreSQL and MySQL need servers: their tests run when
//! `ANOMSTACK_TEST_POSTGRES_URL` and `ANOMSTACK_TEST_MYSQL_URL` name them, and say so when they do not.

use std::{path::Path, str::FromStr, time::Duration};

use polars::prelude::DataFrame;
use sqlx::{AssertSqlSafe, Connection, sqlite::SqliteConnectOptions};

use super::*;
use crate::{
    domain::{FileSpec, SourceKind, SourceSpec, Span},
    sources::{
        channel, servers,
        stack::stack,
        tests::{batch, gather},
    },
};

async fn ask(url: &str, sql: &str, max_rows: usize) -> Result<DataFrame, SourceError> {
    ask_within(Span::secs(10), url, sql, max_rows).await
}

async fn ask_within(
    timeout: Span,
    url: &str,
    sql: &str,
    max_rows: usize,
) -> Result<DataFrame, SourceError> {
    let kind = SourceKind::File(FileSpec::at(Vec::new()));
    let spec = SourceSpec { max_rows, timeout, ..batch(kind).source };
    let query = Query { text: sql.to_owned(), origin: "shop.sql" };
    let (url, compute) = (Secret::new(url.to_owned()), Compute::new(1).unwrap());
    let (out, chunks) = channel(&spec);
    let read = read(&url, query, spec.timeout, &compute, out);
    let (_, frames) = tokio::try_join!(read, gather(chunks))?;
    Ok(stack(frames).unwrap())
}

async fn shop(dir: &Path) -> String {
    let path = dir.join("shop.db");
    let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let mut connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
    let fill = "CREATE TABLE t (ts TEXT, name TEXT, value);
        INSERT INTO t VALUES ('2026-01-01', 'a', 1), ('2026-01-01', 'b', 0.5),
            ('2026-01-02', 'it''s 100%', 'x'), ('2026-01-02', 'c', NULL),
            ('2026-01-03', 'd', 9e999), ('2026-01-03', 'e', 9007199254740993)";
    sqlx::raw_sql(fill).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    format!("sqlite://{}", path.display())
}

fn texts(frame: &DataFrame, column: &str) -> Vec<String> {
    let column = frame.column(column).unwrap();
    (0..column.len()).map(|row| column.get(row).unwrap().str_value().into_owned()).collect()
}

#[tokio::test]
async fn sqlite_cells_come_as_they_are_typed() {
    let dir = tempfile::tempdir().unwrap();
    let frame = ask(&shop(dir.path()).await, "SELECT * FROM t", 100).await.unwrap();
    assert_eq!(texts(&frame, "value"), ["1", "0.5", "x", "null", "inf", "9007199254740993"]);
    assert_eq!(texts(&frame, "name")[2], "it's 100%");
}

#[tokio::test]
async fn sqlite_cannot_be_written_through_a_query() {
    let dir = tempfile::tempdir().unwrap();
    let url = shop(dir.path()).await;
    let before = std::fs::read(dir.path().join("shop.db")).unwrap();
    for sql in [
        "DELETE FROM t",
        "PRAGMA query_only = OFF; DELETE FROM t",
        "SELECT 1; DROP TABLE t",
        "CREATE TABLE u (x)",
        "PRAGMA user_version = 7",
        "ATTACH 'other.db' AS other; CREATE TABLE other.u (x)",
    ] {
        let refused = ask(&url, sql, 100).await;
        assert!(matches!(refused, Err(SourceError::Query { .. })), "{sql}: {refused:?}");
    }
    assert_eq!(std::fs::read(dir.path().join("shop.db")).unwrap(), before);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn a_sqlite_query_cannot_change_the_process_or_open_another_file() {
    let dir = tempfile::tempdir().unwrap();
    let url = shop(dir.path()).await;
    for sql in [
        "PRAGMA hard_heap_limit = 1000000000000",
        "PRAGMA Soft_Heap_Limit(1000000000000)",
        "PRAGMA temp_store_directory = '/'",
        "PRAGMA user_version = 7",
        "ATTACH 'other.db' AS other",
    ] {
        let error = ask(&url, sql, 100).await.unwrap_err().to_string();
        let expected = "run shop.sql: it may not use ATTACH, DETACH, or a PRAGMA that does more \
                        than describe the file's tables";
        assert_eq!(error, expected, "{sql}");
    }
    for (sql, n_rows) in [
        ("PRAGMA table_info(t)", 3),
        ("SELECT * FROM pragma_table_info('t')", 3),
        ("PRAGMA user_version", 1),
    ] {
        assert_eq!(ask(&url, sql, 100).await.unwrap().height(), n_rows, "{sql}");
    }
}

#[tokio::test]
async fn sqlite_cells_and_rows_stay_below_the_limit_of_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let url = Secret::new(shop(dir.path()).await);
    let ask = async |sql: &str| {
        let kind = SourceKind::File(FileSpec::at(Vec::new()));
        let spec = SourceSpec { max_bytes: 2 << 20, ..batch(kind).source };
        let query = Query { text: sql.to_owned(), origin: "shop.sql" };
        let (out, chunks) = channel(&spec);
        let compute = Compute::new(1).unwrap();
        let read = read(&url, query, spec.timeout, &compute, out);
        tokio::try_join!(read, gather(chunks)).map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(ask("SELECT hex(zeroblob(1000000))").await, Ok(()));
    assert_eq!(
        ask("SELECT hex(zeroblob(20000000))").await.unwrap_err(),
        "read one cell of the database: more than 2097152 bytes"
    );
    let row = "SELECT hex(zeroblob(1000000)), hex(zeroblob(1000000))";
    assert_eq!(ask(row).await.unwrap_err(), "read the source's rows: more than 2097152 bytes");
}

#[tokio::test]
async fn no_rows_still_have_their_columns() {
    let dir = tempfile::tempdir().unwrap();
    let sql = "SELECT ts, name, value FROM t WHERE 0";
    let frame = ask(&shop(dir.path()).await, sql, 100).await.unwrap();
    assert_eq!(frame.shape(), (0, 3));
    assert_eq!(frame.get_column_names(), ["ts", "name", "value"]);
}

#[tokio::test]
async fn the_row_limit_holds_at_one_under_at_and_one_over() {
    let dir = tempfile::tempdir().unwrap();
    let url = shop(dir.path()).await;
    for max_rows in [7, 6] {
        assert_eq!(ask(&url, "SELECT * FROM t", max_rows).await.unwrap().height(), 6);
    }
    let over = ask(&url, "SELECT * FROM t", 5).await;
    assert!(matches!(over, Err(SourceError::TooManyRows { max_rows: 5 })));
}

#[tokio::test]
async fn an_endless_sqlite_query_ends_with_the_read_that_asked_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let url = shop(dir.path()).await;
    let endless =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i FROM n) SELECT count(*) FROM n, t";
    let read = tokio::time::timeout(Duration::from_millis(100), ask(&url, endless, 10));
    assert!(read.await.is_err());
    // While the query reads the table nobody else can have the file alone.
    let alone = SqliteConnectOptions::from_str(&url).unwrap().busy_timeout(Duration::from_secs(10));
    let mut connection = sqlx::SqliteConnection::connect_with(&alone).await.unwrap();
    let locked = sqlx::raw_sql("BEGIN EXCLUSIVE").execute(&mut connection).await;
    locked.expect("the query still runs");
}

#[tokio::test]
async fn errors_say_what_and_where_but_never_the_url() {
    let no_file =
        ask("sqlite:///nowhere/canary-4711.db?mode=rwc", "SELECT 1", 1).await.unwrap_err();
    assert_eq!(no_file.to_string(), "connect to SQLite: unable to open database file");
    let dir = tempfile::tempdir().unwrap();
    let url = shop(dir.path()).await;
    let no_table = ask(&url, "SELECT * FROM nope", 1).await.unwrap_err();
    assert_eq!(no_table.to_string(), "run shop.sql: no such table: nope");
    let no_column = ask(&url, "SELECT 'é',\n  nope FROM t", 1).await.unwrap_err();
    assert_eq!(no_column.to_string(), "run shop.sql, line 2, column 3: no such column: nope");
    for url in [
        "postgres://me:canary-4711@127.0.0.1:1/x",
        "postgres://me:canary-4711@127.0.0.1:99999/x",
        "postgres://me:canary-4711@[::bad/x",
        "sqlite://x?canary-4711=1",
        "mysql://me:canary-4711@127.0.0.1:1/x",
        "oracle://me:canary-4711@h/x",
        "canary-4711",
    ] {
        let error = ask(url, "SELECT 1", 1).await.unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("canary-4711"), "{shown}");
    }
}

fn postgres() -> Option<String> {
    servers::url("ANOMSTACK_TEST_POSTGRES_URL")
}

#[tokio::test]
async fn postgres_cells_of_every_type_come_through() {
    let Some(url) = postgres() else { return };
    let sql = "SELECT * FROM (VALUES
        (1::int2, 2::int8, 0.5::float4, 1.25::numeric, true, 'a'::text, DATE '2026-01-02',
         TIMESTAMP '2026-01-02 03:04:05.5', TIMESTAMPTZ '2026-01-02 03:04:05+02'),
        (NULL, 9007199254740993, 'NaN', 'Infinity', NULL, 'it''s 100%', NULL, NULL, NULL))
        AS t (i2, i8, f4, n, b, t, d, ts, tz)";
    let frame = ask(&url, sql, 10).await.unwrap();
    let row = |row: usize| -> Vec<String> {
        frame.columns().iter().map(|c| c.get(row).unwrap().str_value().into_owned()).collect()
    };
    assert_eq!(
        row(0),
        [
            "1",
            "2",
            "0.5",
            "1.25",
            "1",
            "a",
            "2026-01-02",
            "2026-01-02 03:04:05.5",
            "2026-01-02 01:04:05+00"
        ]
    );
    assert_eq!(
        row(1),
        ["null", "9007199254740993", "NaN", "inf", "null", "it's 100%", "null", "null", "null"]
    );
}

#[tokio::test]
async fn postgres_cannot_be_written_and_says_where_a_query_is_wrong() {
    let Some(url) = postgres() else { return };
    for sql in [
        "CREATE TABLE anomstack_probe (x int)",
        "SELECT 1; COMMIT; CREATE TABLE anomstack_probe (x int)",
        "WITH x AS (SELECT set_config('transaction_read_only', 'off', false)) SELECT * FROM x",
        "DO $$ BEGIN COMMIT; CREATE TABLE anomstack_probe (x int); END $$",
    ] {
        let refused = ask(&url, sql, 10).await;
        assert!(matches!(refused, Err(SourceError::Query { .. })), "{sql}: {refused:?}");
    }
    let left = ask(&url, "SELECT 1 FROM pg_class WHERE relname = 'anomstack_probe'", 10).await;
    assert_eq!(left.unwrap().shape(), (0, 1));
    let wrong = ask(&url, "SELECT 1,\n  'é',\n  nope", 10).await.unwrap_err();
    assert_eq!(wrong.to_string(), "run shop.sql, line 3, column 3: column \"nope\" does not exist");
}

#[tokio::test]
async fn postgres_stops_a_slow_statement_by_itself() {
    let Some(url) = postgres() else { return };
    let limit = Span::from_micros(200_000);
    let read = ask_within(limit, &url, "SELECT pg_sleep(60)", 1);
    let read = tokio::time::timeout(Duration::from_secs(10), read).await;
    assert!(matches!(read, Ok(Err(SourceError::Query { .. }))), "{read:?}");
}

#[tokio::test]
async fn postgres_gives_no_part_of_an_answer_that_was_cut_off() {
    let Some(url) = postgres() else { return };
    // The server ends the connection in the middle of the answer, after many rows have been sent.
    let sql = "SELECT now() AS ts, n AS value, CASE WHEN n = 300000 THEN \
               pg_terminate_backend(pg_backend_pid()) END AS cut FROM generate_series(1, 400000) n";
    let query = Query { text: sql.into(), origin: "shop.sql" };
    let kind = SourceKind::File(FileSpec::at(Vec::new()));
    let spec = SourceSpec { max_rows: usize::MAX, ..batch(kind).source };
    let (url, compute) = (Secret::new(url), Compute::new(1).unwrap());
    let (out, mut chunks) = channel(&spec);
    let take = async {
        let mut n_rows = 0;
        while let Some(frame) = chunks.next().await {
            n_rows += frame.height();
        }
        n_rows
    };
    let (read, n_rows) = tokio::join!(read(&url, query, spec.timeout, &compute, out), take);
    let error = read.unwrap_err();
    assert!(!error.is_permanent(), "{error}");
    assert!(0 < n_rows && n_rows < 400_000, "rows were on their way: {n_rows}");
}

#[tokio::test]
async fn postgres_is_spoken_to_in_secret_where_the_url_asks_for_it() {
    let Some(url) = postgres() else { return };
    let has_tls = ask(&url, "SHOW ssl", 1).await.unwrap();
    if texts(&has_tls, "ssl") != ["on"] {
        eprintln!("not tested: the server has no TLS");
        return;
    }
    let with =
        |options: &str| format!("{url}{}{options}", if url.contains('?') { '&' } else { '?' });
    let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    for (options, expected) in [("sslmode=require", "1"), ("sslmode=disable", "0")] {
        assert_eq!(texts(&ask(&with(options), sql, 1).await.unwrap(), "ssl"), [expected]);
    }
    // The server's certificate is for another name, whoever signed it.
    let stranger = ask(&with("sslmode=verify-full"), sql, 1).await.unwrap_err();
    assert!(matches!(stranger, SourceError::Connect { .. }), "{stranger}");
    let no_file = with("sslmode=verify-ca&sslrootcert=/nowhere/ca.pem");
    assert!(matches!(ask(&no_file, sql, 1).await, Err(SourceError::Connect { .. })));
}

fn mysql() -> Option<String> {
    servers::url("ANOMSTACK_TEST_MYSQL_URL")
}

#[tokio::test]
async fn mysql_cells_of_every_type_come_through() {
    let Some(url) = mysql() else { return };
    let sql = "SELECT CAST(1 AS SIGNED) AS i, 9007199254740993 AS big,
        CAST(18446744073709551615 AS UNSIGNED) AS huge, 1.25 AS d, 5e-1 AS f, TRUE AS b,
        b'101' + 0 AS bits, 'it''s 100% é' AS t, DATE '2026-01-02' AS day,
        TIMESTAMP '2026-01-02 03:04:05.5' AS civil, FROM_UNIXTIME(1767323045) AS at, NULL AS n";
    let frame = ask(&url, sql, 10).await.unwrap();
    let cells = frame.columns().iter().map(|c| c.get(0).unwrap().str_value().into_owned());
    let cells: Vec<String> = cells.collect();
    assert_eq!(cells[..2], ["1", "9007199254740993"]);
    let huge = frame.column("huge").unwrap().get(0).unwrap().try_extract::<f64>();
    assert_eq!(huge.unwrap(), 2_f64.powi(64));
    assert_eq!(
        cells[3..],
        [
            "1.25",
            "0.5",
            "1",
            "5",
            "it's 100% é",
            "2026-01-02",
            "2026-01-02 03:04:05.5",
            "2026-01-02 03:04:05",
            "null"
        ]
    );
    let none = ask(&url, "SELECT 1 AS ts, 2 AS value LIMIT 0", 10).await.unwrap();
    assert_eq!((none.shape(), none.get_column_names()[1].as_str()), ((0, 2), "value"));
    let over = ask(&url, "SELECT 1 UNION ALL SELECT 2", 1).await;
    assert!(matches!(over, Err(SourceError::TooManyRows { max_rows: 1 })));
}

#[tokio::test]
async fn mysql_instants_carry_their_zone_and_civil_times_do_not() {
    let Some(url) = mysql() else { return };
    let table = format!("anomstack_zones_{}", std::process::id());
    let mut connection = sqlx::MySqlConnection::connect(&url).await.unwrap();
    let fill = format!(
        "CREATE OR REPLACE TABLE {table} (at TIMESTAMP(3), civil DATETIME(3));
         SET time_zone = '+02:00';
         INSERT INTO {table} VALUES ('2026-01-02 03:04:05.5', '2026-01-02 03:04:05.5')"
    );
    sqlx::raw_sql(AssertSqlSafe(fill)).execute(&mut connection).await.unwrap();
    let frame = ask(&url, &format!("SELECT * FROM {table}"), 9).await;
    let drop = format!("DROP TABLE {table}");
    sqlx::raw_sql(AssertSqlSafe(drop)).execute(&mut connection).await.unwrap();
    let frame = frame.unwrap();
    assert_eq!(texts(&frame, "at"), ["2026-01-02 01:04:05.500+00:00"]);
    assert_eq!(texts(&frame, "civil"), ["2026-01-02 03:04:05.500"]);
}

#[tokio::test]
async fn mysql_cannot_be_written_and_says_where_a_query_is_wrong() {
    let Some(url) = mysql() else { return };
    let file = tempfile::tempdir().unwrap().path().join("x");
    let outfile = format!("SELECT 1 INTO OUTFILE '{}'", file.display());
    for sql in [
        "CREATE TABLE anomstack_probe (x int)",
        "CREATE TABLE anomstack_probe AS SELECT 1 AS x",
        "SELECT 1; COMMIT; CREATE TABLE anomstack_probe (x int)",
        "COMMIT",
        "SET SESSION TRANSACTION READ WRITE",
        "BEGIN NOT ATOMIC COMMIT; SET SESSION TRANSACTION READ WRITE; \
         CREATE TABLE anomstack_probe (x int); END",
        "DO SLEEP(0)",
        "SELECT 1 INTO @x",
        &outfile,
    ] {
        let refused = ask(&url, sql, 10).await;
        assert!(matches!(refused, Err(SourceError::Query { .. })), "{sql}: {refused:?}");
    }
    let sql = "SELECT 1 FROM information_schema.tables WHERE table_name = 'anomstack_probe'";
    assert_eq!(ask(&url, sql, 10).await.unwrap().shape(), (0, 1));
    assert!(!file.exists());
    let wrong = ask(&url, "SELECT 1,\n  'é',\n  FROM x y z", 10).await.unwrap_err();
    let SourceError::Query { at: Some(Position { line: 3, .. }), .. } = &wrong else {
        panic!("{wrong}")
    };
    let wrong = ask(&url, "SELECT nope", 10).await.unwrap_err().to_string();
    assert!(wrong.starts_with("run shop.sql: Unknown column 'nope'"), "{wrong}");
}

#[tokio::test]
async fn mysql_stops_a_slow_statement_by_itself() {
    let Some(url) = mysql() else { return };
    let sql = "SELECT count(*) FROM information_schema.columns a, information_schema.columns b, \
               information_schema.columns c WHERE sleep(0.01) = 0";
    let read = ask_within(Span::from_micros(200_000), &url, sql, 1);
    let read = tokio::time::timeout(Duration::from_secs(10), read).await;
    assert!(matches!(read, Ok(Err(SourceError::Query { .. }))), "{read:?}");
}
