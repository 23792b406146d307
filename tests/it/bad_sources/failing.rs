//! What fails as a whole, beside a batch that is well.

use super::servers::{Answer, Server};
use crate::support::{Contents, END, Project};

/// A project with the healthy batch `shop` and the batch `bad` with this source.
fn beside_shop(source: &str) -> Project {
    let project = Project::shop();
    project.batch("bad", &format!("[source]\n{source}\n"));
    project
}

/// Everything is run: `bad` fails for this reason and stores nothing, `shop` is as if alone.
#[track_caller]
fn check(project: &Project, expected: &str) {
    let ran = project.run(&["run", "--all", "--at", END]);
    ran.exited(1);
    let run = project.newest_run("bad", "ingest");
    let error = run["error"].as_str().unwrap_or_default();
    assert!(error.contains(expected), "expected `{expected}` in: {error}");
    let metrics = project.list(&["metrics", "list", "bad"]);
    assert!(metrics.is_empty(), "{metrics:?}");
    assert_eq!(project.newest_run("shop", "alert")["state"], "succeeded");
    assert_eq!(project.alerts("shop").len(), 1);
}

#[test]
fn a_server_that_never_answers_ends_with_the_time_limit_and_holds_up_nobody() {
    for start in [
        "",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nts,metric,value\n1,a,",
    ] {
        let server = Server::start(vec![Answer::Hang(start.as_bytes().to_vec())]);
        let project = beside_shop(&server.source("timeout = \"500ms\""));
        check(&project, "no answer within");
    }
    let server = Server::start(vec![Answer::Hang(Vec::new())]);
    let address = server.url();
    let prometheus = format!(
        "kind = \"prometheus\"\nurl = \"{address}\"\nquery = \"up\"\nallow_private = true\ntimeout = \"500ms\""
    );
    check(&beside_shop(&prometheus), "no answer within");
    for scheme in ["postgres", "mysql"] {
        let url = address.replace("http", scheme);
        let sql =
            format!("kind = \"sql\"\nurl = \"{url}/x\"\nquery = \"SELECT 1\"\ntimeout = \"500ms\"");
        check(&beside_shop(&sql), "no answer within");
    }
    let stubborn = "trap '' TERM INT HUP; while :; do sleep 7331.5; done";
    let command = format!(
        "kind = \"command\"\ncommand = [\"sh\", \"-c\", \"{stubborn}\"]\ntimeout = \"500ms\""
    );
    check(&beside_shop(&command), "no answer within");
}

#[test]
fn an_answer_that_breaks_off_is_no_answer() {
    let body = "ts,metric,value\n2026-01-31T00:00:00Z,a,1\n";
    let server = Server::start(vec![Answer::with("200 OK", "text/csv", body, body.len() + 40)]);
    check(&beside_shop(&server.source("")), "ask the server: ");
    let half =
        "[{\"ts\": \"2026-01-31T00:00:00Z\", \"metric\": \"a\", \"value\": 1}, {\"ts\": \"20";
    let server = Server::start(vec![Answer::ok("application/json", half)]);
    check(&beside_shop(&server.source("")), "of the answer");
    let project = beside_shop("kind = \"file\"\npath = \"half.json\"");
    project.write("half.json", half);
    check(&project, "half.json");
    let project = beside_shop("kind = \"file\"\npath = \"half.parquet\"");
    project.write("half.parquet", "PAR1\u{15}\u{4}");
    check(&project, "half.parquet");
}

#[test]
fn garbage_in_the_place_of_rows_is_quoted_and_nothing_is_stored() {
    let page = "<!DOCTYPE html><h1>502 Bad Gateway</h1>";
    let binary = "\u{0}\u{1}\u{2}\u{fffd}\u{7f}";
    for (kind, body) in [
        ("text/html", page),
        ("application/json", page),
        ("text/csv", page),
        ("application/json", "null"),
        ("application/json", "42"),
        ("application/json", "{\"error\": \"no\"}"),
        ("application/json", binary),
        ("application/json", "[[[[[[[["),
        ("application/x-ndjson", "{\"ts\": 1}\n{"),
    ] {
        let server = Server::start(vec![Answer::ok(kind, body)]);
        check(&beside_shop(&server.source("")), "");
        let project = beside_shop("kind = \"command\"\ncommand = [\"cat\", \"garbage\"]");
        project.write("garbage", body);
        check(&project, "");
    }
}

#[test]
fn a_sign_in_that_expires_between_pages_fails_the_read_as_a_whole_and_once() {
    let page = |n: u32, next: bool| {
        let next = if next { format!("\"/rows?page={}\"", n + 1) } else { "null".into() };
        let row =
            format!("{{\"ts\": \"2026-01-31T0{n}:00:00Z\", \"metric\": \"m{n}\", \"value\": 1}}");
        Answer::ok("application/json", &format!("{{\"rows\": [{row}], \"next\": {next}}}"))
    };
    let expired =
        Answer::with("401 Unauthorized", "application/json", "{\"error\": \"token expired\"}", 26);
    let answers = vec![page(1, true), page(2, true), page(3, true), expired];
    let more =
        "pointer = \"/rows\"\npaging = { next = \"/next\" }\nauth = { bearer = \"hunter2\" }";
    let server = Server::start(answers);
    let project = beside_shop(&server.source(more));
    check(&project, "401");
    assert_eq!(server.n_asked(), 4, "it is not asked again and again");
    let run = project.newest_run("bad", "ingest").to_string();
    assert!(run.contains("token expired") && !run.contains("hunter2"), "{run}");
}

#[test]
fn a_row_that_moves_to_the_next_page_meanwhile_is_neither_lost_nor_doubled() {
    let row = |hour: u32| {
        format!("{{\"ts\": \"2026-01-31T{hour:02}:00:00Z\", \"metric\": \"a\", \"value\": {hour}}}")
    };
    let page = |hours: std::ops::Range<u32>| {
        let rows: Vec<String> = hours.map(row).collect();
        Answer::ok("application/json", &format!("[{}]", rows.join(",")))
    };
    // A row was inserted before the second page was asked for: the third comes twice.
    let server = Server::start(vec![page(0..3), page(2..5), page(5..5)]);
    let project = Project::empty();
    project.batch("bad", &format!("[source]\n{}\n", server.source("paging = { page = \"page\" }")));
    project.run(&["run", "bad", "--job", "ingest", "--at", END]).succeeded();
    let report = &project.newest_run("bad", "ingest")["report"];
    assert_eq!((&report["rows_stored"], &report["rejected"]["duplicate"]), (&5.into(), &1.into()));
    assert_eq!(Contents::of(&project, "bad").points.len(), 5);
}

#[test]
fn columns_that_drift_fail_the_read_or_are_said_and_never_guessed() {
    let source = "kind = \"file\"\npath = \"rows.csv\"";
    let project = beside_shop(source);
    let rows = |header: &str, row: &str| format!("{header}\n{row}\n{row}\n");
    for (header, row) in [
        ("metric,value", "a,1"),
        ("when,metric,value", "2026-01-31,a,1"),
        ("timestamp,metric", "2026-01-31,a"),
        ("timestamp,metric,worth", "2026-01-31,a,1"),
        ("timestamp,label", "2026-01-31,a"),
        ("timestamp", "2026-01-31"),
        ("x", "1"),
    ] {
        project.write("rows.csv", &rows(header, row));
        check_drift(&project, "find the ");
    }
    project.write("rows.csv", &rows("timestamp,metric,value,extra,more", "2026-01-31,a,1,x,2"));
    project.run(&["run", "bad", "--job", "ingest", "--at", END]).succeeded();
    let report = &project.newest_run("bad", "ingest")["report"];
    assert_eq!(report["ignored_columns"], serde_json::json!(["extra", "more"]));
}

#[track_caller]
fn check_drift(project: &Project, expected: &str) {
    project.run(&["run", "bad", "--job", "ingest", "--at", END]).exited(1);
    let run = project.newest_run("bad", "ingest");
    assert!(run["error"].as_str().unwrap().contains(expected), "{run}");
    assert!(project.list(&["metrics", "list", "bad"]).is_empty());
}

#[test]
fn sql_that_writes_or_is_two_statements_or_a_template_without_end_is_refused() {
    let sql = |query: &str| {
        let project = beside_shop(&format!(
            "kind = \"sql\"\nurl = \"sqlite://own.db\"\nquery = '''{query}'''\ntimeout = \"5s\""
        ));
        let database = rusqlite::Connection::open(project.path().join("own.db")).unwrap();
        database.execute_batch("CREATE TABLE t (x INTEGER); INSERT INTO t VALUES (1)").unwrap();
        drop(database);
        project
    };
    for query in [
        "DELETE FROM t",
        "INSERT INTO t VALUES (2) RETURNING 1 AS ts, 1 AS value",
        "CREATE TABLE u AS SELECT 1 AS x",
        "SELECT 1 AS ts, 2 AS value; DELETE FROM t",
        "WITH a AS (SELECT 1) UPDATE t SET x = 2",
        "ATTACH 'other.db' AS other",
        "VACUUM INTO 'copy.db'",
        "PRAGMA journal_mode = WAL",
        "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}SELECT 1",
        "SELECT {{ 'x' * 99999999 }}",
        "SELECT {{ nothing }}",
    ] {
        let project = sql(query);
        check(&project, "");
        let database = rusqlite::Connection::open(project.path().join("own.db")).unwrap();
        let kept: (i64, i64) = database
            .query_row("SELECT count(*), max(x) FROM t", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        assert_eq!(kept, (1, 1), "{query}");
        for file in ["other.db", "copy.db", "own.db-wal"] {
            assert!(!project.path().join(file).exists(), "{query} made {file}");
        }
    }
}

#[test]
fn a_program_that_prints_without_end_or_forks_is_ended() {
    let command = |script: &str, more: &str| {
        let project =
            beside_shop(&format!("kind = \"command\"\ncommand = [\"sh\", \"source.sh\"]\n{more}"));
        project.write("source.sh", script);
        project
    };
    check(&command("yes 2026-01-31,orders,1", "max_bytes = \"256KiB\""), "more than 262144 bytes");
    check(
        &command("head -c 10000000000 /dev/zero", "max_bytes = \"1MiB\""),
        "more than 1048576 bytes",
    );
    // Children that keep the pipe open must not keep the read open.
    check(
        &command("for i in 1 2 3 4 5; do sleep 7331.75 & done; wait", "timeout = \"500ms\""),
        "no answer within",
    );
    check(&command("kill -9 $$", ""), "");
    check(&command("exit 3", ""), "code 3");
}
