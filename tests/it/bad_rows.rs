//! Rows that are hard to score, through the program: what `detect` and `evaluate` do with each.

use std::{
    fmt::Write as _,
    io::Write as _,
    process::{Child, Stdio},
};

use crate::support::{Project, Ran, program};

/// Hours from 2026 on.
fn hour(n: usize) -> i64 {
    1_767_225_600 + 3_600 * n as i64
}

fn table(rows: impl IntoIterator<Item = (String, String)>) -> String {
    let mut text = String::from("timestamp,value\n");
    rows.into_iter().for_each(|(at, value)| writeln!(text, "{at},{value}").unwrap());
    text
}

/// So many hours with these values.
fn hours(n: usize, value: impl Fn(usize) -> String) -> String {
    table((0..n).map(|i| (hour(i).to_string(), value(i))))
}

fn usual(i: usize) -> String {
    (50.0
        + 10.0 * (i as f64 / 24.0 * std::f64::consts::TAU).sin()
        + (i * 7_919 % 101) as f64 / 50.0)
        .to_string()
}

fn piped(arguments: &[&str], text: &str) -> Ran {
    let mut command = program();
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child: Child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let text = text.to_owned();
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let output = child.wait_with_output().unwrap();
    // It may stop reading early.
    let _written = writer.join().unwrap();
    Ran {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Every row comes back, every number is finite and in range, and the exit code is this.
#[track_caller]
fn check(what: &str, text: &str, code: i32, said: &str) -> Vec<Vec<String>> {
    let n_rows = text.lines().count() - 1;
    let mut first = Vec::new();
    for detector in ["auto", "seasonal", "knn"] {
        let ran = piped(&["detect", "-", "--detector", detector], text);
        assert_eq!(ran.code, Some(code), "{what} {detector}: {}", ran.stderr);
        assert!(ran.stderr.contains(said), "{what} {detector}: {}", ran.stderr);
        let rows: Vec<Vec<String>> = ran
            .stdout
            .lines()
            .skip(1)
            .map(|line| line.split(',').map(str::to_owned).collect())
            .collect();
        assert_eq!(rows.len(), n_rows, "{what} {detector}");
        for row in &rows {
            assert_eq!(row.len(), 7, "{what} {detector}: {row:?}");
            for field in row[2..6].iter().filter(|field| !field.is_empty()) {
                let number: f64 = field.parse().unwrap();
                assert!(number.is_finite(), "{what} {detector}: {row:?}");
            }
            let score = row[2].parse().unwrap_or(0.0);
            assert!((0.0..=1.0).contains(&score), "{what} {detector}: {row:?}");
            assert_eq!(row[2].is_empty(), row[6].is_empty(), "{what} {detector}: {row:?}");
        }
        if detector == "auto" {
            first = rows;
        }
    }
    first
}

fn n_scored(rows: &[Vec<String>]) -> usize {
    rows.iter().filter(|row| !row[2].is_empty()).count()
}

#[test]
fn times_out_of_order_twice_with_gaps_and_in_several_zones_are_scored() {
    let swapped = |i: usize| {
        if i % 10 == 3 {
            i + 1
        } else if i % 10 == 4 {
            i - 1
        } else {
            i
        }
    };
    let unsorted = table((0..300).map(|i| (hour(swapped(i)).to_string(), usual(i))));
    assert_eq!(n_scored(&check("unsorted", &unsorted, 0, "not later")), 268);
    let doubled = table((0..300).map(|i| (hour(i / 2).to_string(), usual(i / 2))));
    assert_eq!(n_scored(&check("duplicated", &doubled, 0, "not later")), 268);
    let gaps = (0..300).map(|i| (hour(if i < 150 { i } else { i + 5_000 }).to_string(), usual(i)));
    assert_eq!(n_scored(&check("gaps", &table(gaps), 0, "")), 268);
    let zoned = |i: usize| match i % 3 {
        0 => format!("2026-01-{:02}T{:02}:00:00Z", 1 + i / 24, i % 24),
        1 => format!("2026-01-{:02}T{:02}:30:00+00:30", 1 + i / 24, i % 24),
        _ => format!("2026-01-{:02} {:02}:00:00", 1 + i / 24, i % 24),
    };
    let mixed = check("mixed zones", &table((0..300).map(|i| (zoned(i), usual(i)))), 0, "");
    let plain = check("one zone", &hours(300, usual), 0, "");
    let scores = |rows: &[Vec<String>]| rows.iter().map(|row| row[2].clone()).collect::<Vec<_>>();
    assert_eq!(scores(&mixed), scores(&plain));
}

#[test]
fn values_at_the_ends_of_what_a_number_holds_are_scored_or_have_no_score() {
    let every_tenth = |odd: &'static str| {
        hours(300, move |i| if i % 10 == 7 { odd.to_owned() } else { usual(i) })
    };
    for odd in ["NaN", "", "inf", "-inf", "null"] {
        let rows = check(odd, &every_tenth(odd), 0, "");
        assert!(rows.iter().skip(7).step_by(10).all(|row| row[2].is_empty()), "{odd}");
        assert_eq!(n_scored(&rows), 300 - 30 - 32, "{odd}");
    }
    for odd in ["1e308", "-1.7e308", "5e-324", "1e400"] {
        check(odd, &every_tenth(odd), 0, "");
    }
    check("all huge", &hours(300, |i| format!("{}e306", i % 170)), 0, "");
    check("all tiny", &hours(300, |i| format!("{}e-320", i % 17)), 0, "");
    check("whole numbers", &hours(300, |i| (i % 7).to_string()), 0, "");
    check("two values", &hours(300, |i| (i % 2).to_string()), 0, "");
    let equal = check("all equal", &hours(300, |_| "7".into()), 0, "");
    assert!(equal.iter().all(|row| row[6] != "true"));
    let mut wrong = check("words", &every_tenth("many"), 1, "error: 30 of 300 rows have no score");
    wrong.retain(|row| row[1] == "many" && row[2].is_empty());
    assert_eq!(wrong.len(), 30);
}

#[test]
fn few_rows_have_no_score_and_no_header_is_no_start() {
    for n in [0, 1, 2, 14] {
        assert_eq!(n_scored(&check("few", &hours(n, usual), 0, "")), 0);
    }
    for (text, said) in [("", "it is empty"), ("a,b\n1,2\n", "time"), ("timestamp\n1\n", "value")] {
        let ran = piped(&["detect", "-"], text);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{text:?}");
        assert!(ran.stderr.contains(said), "{text:?}: {}", ran.stderr);
    }
}

#[test]
fn the_zone_and_holidays_of_a_table_can_be_said() {
    let text = hours(300, usual);
    let refused = piped(&["detect", "-", "--holidays", "UK"], &text);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(refused.stderr.contains("did you mean GB?"), "{}", refused.stderr);
    let refused = piped(&["detect", "-", "--timezone", "Dublin"], &text);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    let time = |i: usize| format!("2026-06-{:02}T{:02}:00:00", 1 + i / 24, i % 24);
    let scores = |offset: &str, flags: &[&str]| {
        let text = table((0..300).map(|i| (time(i) + offset, usual(i))));
        let ran = piped(&[&["detect", "-"], flags].concat(), &text);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let rows = ran.stdout.lines().map(|line| line.split_once(',').unwrap().1.to_owned());
        rows.collect::<Vec<_>>()
    };
    let dublin = ["--timezone", "Europe/Dublin"];
    assert_eq!(scores("", &dublin), scores("+01:00", &dublin));
    assert_ne!(scores("", &dublin), scores("Z", &dublin));
    // 2026 begins on a Thursday; the first Monday of February is a holiday in Ireland.
    let quiet = |i: usize| if 5 <= (i / 24 + 3) % 7 { "20" } else { "80" }.to_owned();
    let weeks = hours(1_000, |i| quiet(i) + &format!(".{}", i * 7_919 % 101));
    let plain = piped(&["detect", "-"], &weeks);
    let irish = piped(&["detect", "-", "--holidays", "IE,GB"], &weeks);
    assert_eq!((plain.code, irish.code), (Some(0), Some(0)), "{}", irish.stderr);
    assert!(plain.stdout != irish.stdout);
}

#[test]
fn a_table_that_cannot_be_judged_is_named_and_an_odd_one_has_finite_figures() {
    let project = Project::bare();
    let labelled = |n: usize, value: &dyn Fn(usize) -> String| {
        let mut text = String::from("timestamp,value,label\n");
        for i in 0..n {
            writeln!(text, "{},{},{}", hour(i), value(i), u8::from(i == 250)).unwrap();
        }
        text
    };
    project.write("odd.csv", &labelled(300, &|i| if i % 9 == 0 { "NaN".into() } else { usual(i) }));
    project
        .write("huge.csv", &labelled(300, &|i| if i == 250 { "1e308".into() } else { usual(i) }));
    project.write("short.csv", &labelled(2, &usual));
    project.write("none.csv", "timestamp,value,label\n");
    project.write("plain.csv", &hours(300, usual));
    let path = |name: &str| project.path().join(name).display().to_string();
    let [odd, huge, short, none] = ["odd.csv", "huge.csv", "short.csv", "none.csv"].map(path);
    let ran = Ran::of(program().args(["evaluate", &odd, &huge, &short, &none, "--json"]));
    ran.succeeded();
    assert!(!ran.stdout.contains("NaN") && !ran.stdout.contains("inf"), "{}", ran.stdout);
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&report["files"], &report["windows"]), (&4.into(), &2.into()));
    let unlabelled = Ran::of(program().args(["evaluate", &path("plain.csv")]));
    assert_eq!(unlabelled.code, Some(2), "{}", unlabelled.stderr);
    assert!(unlabelled.stderr.contains("no column `label`"), "{}", unlabelled.stderr);
}

#[cfg(target_os = "linux")]
#[test]
fn a_long_pipe_is_scored_in_bounded_memory() {
    let n_rows = 60_000;
    let mut command = program();
    command.args(["detect", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let (mut input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let status = format!("/proc/{}/status", child.id());
    let peak = move || -> u64 {
        let text = std::fs::read_to_string(&status).unwrap();
        let line = text.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    let reader = std::thread::spawn(move || {
        std::io::BufRead::lines(std::io::BufReader::new(output)).count()
    });
    writeln!(input, "timestamp,value").unwrap();
    let mut early = 0;
    for i in 0..n_rows {
        writeln!(input, "{},{}", hour(i), usual(i)).unwrap();
        if i == n_rows / 3 {
            early = peak();
        }
    }
    let late = peak();
    drop(input);
    assert_eq!((child.wait().unwrap().code(), reader.join().unwrap()), (Some(0), n_rows + 1));
    assert!(late < early + 8_192, "KiB: {early} {late}");
}
