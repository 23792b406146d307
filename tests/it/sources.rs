//! Sources that fail as a whole, and rows that are bad by themselves.

use std::fs;

use crate::support::{Contents, Csv, END, Project, hours_before_end, usual};

/// The error of `run` on a batch whose source is this program text for `sh`.
#[track_caller]
fn failed_command(script: &str, limits: &str) -> (Project, String) {
    let project = Project::empty();
    project.write("source.sh", script);
    let source =
        format!("[source]\nkind = \"command\"\ncommand = [\"sh\", \"source.sh\"]\n{limits}\n");
    project.batch("shop", &source);
    let ran = project.run(&["run", "shop", "--at", END]);
    ran.exited(1);
    let run = project.newest_run("shop", "ingest");
    assert_eq!(run["state"], "dead");
    let error = run["error"].as_str().unwrap().to_owned();
    assert!(error.starts_with("read the source: "), "{error}");
    assert!(ran.stderr.contains(&error), "{}", ran.stderr);
    assert_eq!(project.list(&["runs", "list"]).len(), 1, "later jobs must not run");
    assert!(project.list(&["metrics", "list"]).is_empty());
    (project, error)
}

#[test]
fn a_program_that_hangs_is_ended_with_everything_it_started() {
    // A number no other process sleeps for.
    let nap = "sleep 7331.25";
    let (_, error) = failed_command(&format!("{nap}\necho done\n"), "timeout = \"1s\"");
    assert!(error.ends_with("read the command source: no answer within 1s"), "{error}");
    let command_line = |entry: std::io::Result<fs::DirEntry>| {
        let line = fs::read(entry.unwrap().path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).replace('\0', " ").trim_end().to_owned()
    };
    let mut running = fs::read_dir("/proc").unwrap().map(command_line);
    assert!(running.all(|line| line != nap), "what the program started still runs");
}

#[test]
fn what_a_program_prints_instead_of_rows_is_quoted_in_the_error() {
    let (_, error) = failed_command("echo '<!DOCTYPE html><h1>502 Bad Gateway</h1>'", "");
    assert!(error.contains("it looks like HTML or XML; it begins with `<!DOCTYPE"), "{error}");
    let (_, error) = failed_command("true", "");
    assert!(error.contains("it is empty, without even a header"), "{error}");
    let (_, error) = failed_command("echo timestamp,metric; echo 2026-02-01T00:00:00Z,orders", "");
    assert!(error.contains("value") && error.contains("timestamp, metric"), "{error}");
    let (_, error) = failed_command("echo oh dear >&2; exit 3", "");
    assert!(error.ends_with("it ended with code 3 and said: oh dear"), "{error}");
    let (_, error) = failed_command("yes 2026-02-01,orders,1", "max_bytes = \"64KiB\"");
    assert!(error.ends_with("more than 65536 bytes"), "{error}");
    let (_, error) =
        failed_command("echo timestamp,metric,value; yes 1,a,1 | head -50", "max_rows = 49");
    assert!(error.ends_with("more than 49 rows (`max_rows`)"), "{error}");
}

#[test]
fn a_source_that_lost_a_column_keeps_what_was_stored_and_recovers() {
    let project = Project::shop();
    project.pass();
    let before = Contents::of(&project, "shop");
    let whole = project.read("data/shop.csv");
    project.write("data/shop.csv", &whole.replace("timestamp,metric,value", "timestamp,metric,x"));
    project.run(&["run", "shop", "--at", END]).exited(1);
    assert_eq!(project.newest_run("shop", "ingest")["state"], "dead");
    assert_eq!(Contents::of(&project, "shop"), before);
    project.write("data/shop.csv", &whole);
    project.pass();
    assert_eq!(project.newest_run("shop", "ingest")["state"], "succeeded");
    Contents::of(&project, "shop").essence().assert_is(&before.essence(), "recovered");
}

#[test]
fn bad_rows_are_counted_by_reason_and_the_good_ones_stored() {
    let project = Project::shop();
    let at = hours_before_end;
    let csv = Csv::new()
        .metric("orders", usual)
        .row(&at(1), "bad", "NaN")
        .row(&at(2), "bad", "")
        .row(&at(1), "bad", "inf")
        .row(&at(2), "bad", "-inf")
        .row(&at(3), "bad", "1e999")
        .row(&at(1), "bad", "twelve")
        .row(&at(2), "bad", "12 EUR")
        .row(&at(3), "bad", "0x1F")
        .row(&at(4), "bad", "1,5")
        .row(&at(1), "", "1")
        .row(&at(1), "   ", "1")
        .row(&at(1), &"x".repeat(1_025), "1")
        .row("yesterday", "bad", "1")
        .row("2026-02-30T00:00:00Z", "bad", "1")
        .row("", "bad", "1")
        .row("9999999-01-01T00:00:00Z", "bad", "1")
        .row("2030-01-01T00:00:00Z", "bad", "1")
        .row(&at(5), "late", "1")
        .row(&at(5), "late", "2")
        .row(&at(5), "late", "3");
    project.write("data/shop.csv", &csv.text());
    project.run(&["run", "shop", "--job", "ingest", "--at", END]).succeeded();
    let report = &project.newest_run("shop", "ingest")["report"];
    assert_eq!(
        report["rejected"],
        serde_json::json!({
            "not_a_number": 2, "infinite": 3, "not_numeric": 4, "bad_name": 3,
            "bad_timestamp": 4, "future": 1, "duplicate": 2,
        })
    );
    assert_eq!((&report["rows_read"], &report["rows_stored"]), (&500.into(), &481.into()));
    let examples = report["rejected_examples"].as_array().unwrap();
    assert!(!examples.is_empty() && examples.len() <= 10, "{examples:?}");
    let names: Vec<_> = project.list(&["metrics", "list", "shop"]);
    let names: Vec<&str> = names.iter().map(|row| row["metric"].as_str().unwrap()).collect();
    assert_eq!(names, ["late", "orders"]);
    assert_eq!(project.json(&["metrics", "show", "shop", "late"])["newest_value"], 3.0);
}

#[test]
fn a_failing_batch_keeps_no_other_from_its_pass() {
    let project = Project::shop();
    project.batch("a-broken", "[source]\nkind = \"command\"\ncommand = [\"false\"]\n");
    project.batch("z-missing", "[source]\nkind = \"file\"\npath = \"nowhere/*.csv\"\n");
    project.run(&["run", "--all", "--at", END]).exited(1);
    assert_eq!(project.alerts("shop").len(), 1);
    for batch in ["a-broken", "z-missing"] {
        let run = project.newest_run(batch, "ingest");
        assert_eq!(run["state"], "dead");
        assert!(run["error"].as_str().unwrap().starts_with("read the source: "), "{run}");
    }
}

#[test]
fn a_batch_that_is_not_there_is_said_with_those_that_are() {
    let ran = Project::shop().run(&["run", "shopp"]);
    ran.exited(2);
    assert!(ran.stderr.contains("no batch `shopp`; there are: shop"), "{}", ran.stderr);
}
