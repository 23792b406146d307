//! `anomstack init`: a folder that checks, runs and finds the incident it ships; with `--from`, a
//! batch that does so on the user's own data.

use std::{fs, path::Path};

use crate::support::{Ran, files_below, program};

#[test]
fn a_new_project_checks_runs_and_finds_the_incident_in_its_example() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("project");
    let run = |arguments: &[&str]| Ran::of(program().arg("--config").arg(&dir).args(arguments));
    Ran::of(program().arg("init").arg(&dir)).succeeded();
    run(&["check"]).succeeded();
    run(&["run", "--all"]).succeeded();
    let listed = run(&["alerts", "list", "--batch", "web", "--json"]);
    listed.succeeded();
    let alerts: Vec<serde_json::Value> = serde_json::from_str(&listed.stdout).unwrap();
    assert!(!alerts.is_empty(), "the example holds an incident");
    let hosts = run(&["metrics", "list", "host", "--json"]);
    let hosts: Vec<serde_json::Value> = serde_json::from_str(&hosts.stdout).unwrap();
    assert!(5 <= hosts.len(), "this machine's own metrics: {hosts:?}");
}

#[test]
fn a_second_init_refuses_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    Ran::of(program().arg("init").arg(dir)).succeeded();
    fs::write(dir.join("metric_batches/web.toml"), "mine").unwrap();
    let before = contents(dir);
    let ran = Ran::of(program().arg("init").arg(dir));
    ran.exited(2);
    assert!(ran.stderr.contains("refuse to overwrite"), "{}", ran.stderr);
    assert_eq!(contents(dir), before);
}

/// Every file with its bytes.
fn contents(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let files = files_below(dir);
    files.into_iter().map(|name| (name.clone(), fs::read(dir.join(&name)).unwrap())).collect()
}

/// Hourly readings of two sensors, and orders that come when they like, up to the last full hour.
/// One sensor leaps in the last hours. `at` writes an instant of so many seconds ago.
fn statements(at: impl Fn(i64) -> String) -> Vec<String> {
    let mut statements = Vec::new();
    for hour in (1..600_i64).rev() {
        let season = f64::from(u8::try_from(hour % 24).unwrap());
        let leap = if (2..=3).contains(&hour) { 900.0 } else { 0.0 };
        let noise = ((hour * 7_919) % 101) as f64 / 50.0;
        statements.push(format!(
            "INSERT INTO readings VALUES ({at}, 'oven', {oven}), ({at}, 'fridge', {fridge})",
            at = at(hour * 3_600),
            oven = 100.0 + season + noise + leap,
            fridge = 4.0 + noise / 10.0,
        ));
        for n in 0..12 {
            let ago = hour * 3_600 - n * 290 - (hour * n * 31) % 240;
            let amount = 10 + (hour * n) % 17;
            statements.push(format!("INSERT INTO orders VALUES ({n}, {}, {amount})", at(ago)));
        }
    }
    statements
}

/// `init --from` on a database with both tables writes batches that check, run and alert, and keeps
/// the password to `.env`.
#[track_caller]
fn check_database(url: &str, secret: Option<&str>) {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("mine");
    let init =
        |more: &[&str]| Ran::of(program().arg("init").arg(&dir).args(["--from", url]).args(more));
    let first = init(&[]);
    first.succeeded();
    assert!(first.stdout.contains("`sensor` names the metric, `value` is its value"), "{first:?}");
    assert!(first.stdout.contains("2 metrics") && first.stdout.contains("orders"), "{first:?}");
    let second = init(&["--table", "orders"]);
    second.succeeded();
    assert!(second.stdout.contains("one row an event: counted, amount"), "{second:?}");
    assert!(second.stdout.contains("3 metrics"), "{second:?}");
    let again = init(&[]);
    again.exited(2);
    assert!(again.stderr.contains("refuse to overwrite"), "{again:?}");
    init(&["--force"]).succeeded();
    let run = |arguments: &[&str]| Ran::of(program().arg("--config").arg(&dir).args(arguments));
    run(&["check"]).succeeded();
    run(&["run", "--all"]).succeeded();
    let listed = run(&["alerts", "list", "--batch", "readings", "--json"]);
    let alerts: Vec<serde_json::Value> = serde_json::from_str(&listed.stdout).unwrap();
    assert!(alerts.iter().any(|alert| alert["metric"] == "oven"), "{alerts:?}");
    let again = run(&["run", "readings", "--job", "ingest"]);
    assert!(again.stderr.contains(" 0 stored"), "a later read stores nothing twice: {again:?}");
    let Some(secret) = secret else { return };
    // A quoted value of `.env` escapes what a shell would expand.
    let quoted = secret.replace('$', "\\$");
    for (name, bytes) in contents(&dir) {
        let text = String::from_utf8_lossy(&bytes);
        let is_there = text.contains(secret) || text.contains(&quoted);
        assert_eq!(is_there, name == ".env", "{name}");
    }
}

fn now() -> i64 {
    let since_1970 = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    i64::try_from(since_1970).unwrap() / 3_600 * 3_600
}

#[test]
fn a_batch_written_from_sqlite_runs_and_alerts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own data.db");
    let database = rusqlite::Connection::open(&path).unwrap();
    let at = |ago: i64| format!("datetime({}, 'unixepoch')", now() - ago);
    let sql = format!(
        "BEGIN; CREATE TABLE readings (measured_at TEXT, sensor TEXT, value REAL); \
         CREATE TABLE orders (id INTEGER, created_at TEXT, amount INTEGER); {}; COMMIT",
        statements(at).join(";")
    );
    database.execute_batch(&sql).unwrap();
    drop(database);
    check_database(path.to_str().unwrap(), None);
}

#[test]
fn a_batch_written_from_csv_renames_the_time_and_says_the_step() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let rows: String =
        (1..50).map(|hour| format!("{},{}\n", now() - hour * 300, hour % 7)).collect();
    fs::write(dir.join("load.csv"), format!("time,load\n{rows}")).unwrap();
    let ran = Ran::of(program().current_dir(dir).args(["init", "--from", "load.csv"]));
    ran.succeeded();
    assert!(ran.stdout.contains("values come every 5m"), "{}", ran.stdout);
    let toml = fs::read_to_string(dir.join("metric_batches/load.toml")).unwrap();
    assert!(toml.contains("path = \"load.csv\"") && toml.contains("resample = \"5m\""), "{toml}");
    Ran::of(program().current_dir(dir).args(["run", "load"])).succeeded();
}

#[test]
fn what_cannot_be_read_is_said_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("new");
    let check = |from: &str, expected: &str| {
        let ran = Ran::of(program().arg("init").arg(&dir).args(["--from", from]));
        ran.exited(2);
        assert!(ran.stderr.contains(expected), "{from}: {}", ran.stderr);
        assert!(!dir.exists(), "{from}");
    };
    check("sqlite://nowhere.db", "there is no file nowhere.db");
    check("nowhere/*.csv", "nothing matches");
    check("postgres://u:hunter2@127.0.0.1:1/db", "connect to PostgreSQL");
    check("http://127.0.0.1:1", "ask the server");
    let empty = folder.path().join("empty.db");
    rusqlite::Connection::open(&empty).unwrap().execute_batch("CREATE TABLE a (x TEXT)").unwrap();
    check(empty.to_str().unwrap(), "no table has a column of times and enough rows; there are: a");
}

const PASSWORD: &str = "it's 5% of $x";
/// [`PASSWORD`] as an address writes it.
const ENCODED: &str = "it's%205%25%20of%20$x";

/// Where a server is, when the tests are to use it.
fn variable(name: &str) -> Option<String> {
    std::env::vars().find(|(known, _)| known == name).map(|(_, value)| value)
}

/// A name that no other run of the tests uses.
fn own_name() -> String {
    format!("anomstack_init_{}", std::process::id())
}

/// The address of another user and database on a server.
fn address(server: &str, name: &str) -> String {
    let (scheme, rest) = server.split_once("://").unwrap();
    let host = rest.split('/').next().unwrap().rsplit('@').next().unwrap();
    format!("{scheme}://{name}:{ENCODED}@{host}/{name}")
}

#[tokio::test]
async fn a_batch_written_from_postgres_runs_and_alerts_and_holds_no_password() {
    use sqlx::{AssertSqlSafe, Connection, PgConnection, raw_sql};
    let Some(server) = variable("ANOMSTACK_TEST_POSTGRES_URL") else { return };
    let (name, password) = (own_name(), PASSWORD.replace('\'', "''"));
    let mut admin = PgConnection::connect(&server).await.unwrap();
    for sql in [
        format!("CREATE ROLE {name} LOGIN PASSWORD '{password}'"),
        format!("CREATE DATABASE {name} OWNER {name}"),
    ] {
        raw_sql(AssertSqlSafe(sql)).execute(&mut admin).await.unwrap();
    }
    let url = address(&server, &name);
    let mut own = PgConnection::connect(&url).await.unwrap();
    let tables = "CREATE TABLE readings (measured_at timestamptz, sensor text, value float8); \
                  CREATE TABLE orders (id int, created_at timestamp, amount numeric(9, 2))";
    raw_sql(tables).execute(&mut own).await.unwrap();
    let at = |ago: i64| format!("to_timestamp({}) AT TIME ZONE 'UTC'", now() - ago);
    let fill = format!("SET timezone = 'UTC'; {}; ANALYZE", statements(at).join(";"));
    raw_sql(AssertSqlSafe(fill)).execute(&mut own).await.unwrap();
    own.close().await.unwrap();
    let checked = std::panic::catch_unwind(|| check_database(&url, Some(ENCODED)));
    for sql in [format!("DROP DATABASE {name} WITH (FORCE)"), format!("DROP ROLE {name}")] {
        raw_sql(AssertSqlSafe(sql)).execute(&mut admin).await.unwrap();
    }
    checked.unwrap();
}

#[tokio::test]
async fn a_batch_written_from_mysql_runs_and_alerts_and_holds_no_password() {
    use sqlx::{AssertSqlSafe, Connection, MySqlConnection, raw_sql};
    let Some(server) = variable("ANOMSTACK_TEST_MYSQL_URL") else { return };
    let (name, password) = (own_name(), PASSWORD.replace('\'', "''"));
    let mut admin = MySqlConnection::connect(&server).await.unwrap();
    let at = |ago: i64| format!("FROM_UNIXTIME({})", now() - ago);
    let make = format!(
        "CREATE DATABASE {name}; CREATE USER {name}@'%' IDENTIFIED BY '{password}'; \
         GRANT ALL ON {name}.* TO {name}@'%'; USE {name}; SET time_zone = '+00:00'; \
         CREATE TABLE readings (measured_at TIMESTAMP NULL, sensor VARCHAR(20), value DOUBLE); \
         CREATE TABLE orders (id INT, created_at DATETIME, amount DECIMAL(9, 2)); \
         START TRANSACTION; {}; COMMIT; ANALYZE TABLE readings, orders",
        statements(at).join(";")
    );
    raw_sql(AssertSqlSafe(make)).execute(&mut admin).await.unwrap();
    let url = address(&server, &name);
    let checked = std::panic::catch_unwind(|| check_database(&url, Some(ENCODED)));
    let remove = format!("DROP DATABASE {name}; DROP USER {name}@'%'");
    raw_sql(AssertSqlSafe(remove)).execute(&mut admin).await.unwrap();
    checked.unwrap();
}

#[test]
fn a_batch_written_from_prometheus_runs() {
    let Some(url) = variable("ANOMSTACK_TEST_PROMETHEUS_URL") else { return };
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("mine");
    let ran = Ran::of(program().arg("init").arg(&dir).args(["--from", &url]));
    ran.succeeded();
    assert!(ran.stdout.contains("the query takes up, "), "{}", ran.stdout);
    let run = |arguments: &[&str]| Ran::of(program().arg("--config").arg(&dir).args(arguments));
    run(&["run", "prometheus"]).succeeded();
    let listed = run(&["metrics", "list", "prometheus"]);
    assert!(listed.stdout.contains("up/self"), "{}", listed.stdout);
}
