//! Bad input through every source alike: what one source rejects, all reject, for the same reason;
//! what fails as a whole stores nothing and harms no other batch.

/// The same rows through every kind of source.
mod carriers;

/// Sources that fail as a whole.
mod failing;

/// Web servers that misbehave.
mod servers;

use serde_json::{Value, json};

use self::carriers::{Carrier, Row, project};
use crate::support::{Contents, END, hours_before_end};

/// One row.
fn row(at: &str, name: &str, value: &str) -> Row {
    Row { at: at.into(), name: name.into(), value: value.into() }
}

/// Points of an ingested batch: metric, microseconds, value.
fn points(rows: &[Row], carrier: Carrier) -> (Vec<(String, i64, f64)>, Value) {
    let (project, _server) = project(rows, carrier);
    let ran = project.run(&["run", "bad", "--job", "ingest", "--at", END]);
    assert_eq!(ran.code, Some(0), "{carrier:?}: {}{}", ran.stdout, ran.stderr);
    let report = project.newest_run("bad", "ingest")["report"].clone();
    let points = Contents::of(&project, "bad").points;
    let point = |(name, at, bits): (String, anomstack::domain::Timestamp, u64)| {
        (name, at.micros(), f64::from_bits(bits))
    };
    (points.into_iter().map(point).collect(), report)
}

/// S4, S5, S6 and S11 of the list of faults: numbers that are none, doubles, times of every form.
fn numeric_and_time_corpus() -> (Vec<Row>, Value) {
    let at = hours_before_end;
    let mut rows = Vec::new();
    let values = [
        "NaN",
        "nan",
        "inf",
        "-inf",
        "Infinity",
        "1e999",
        "-1e999",
        "",
        "twelve",
        "12 EUR",
        "1,5",
        "0x1F",
        "-0.0",
        "9007199254740993",
        "5e-324",
        "0.1234567890123456789",
        "1.7976931348623157e308",
    ];
    for (i, value) in (1..).zip(values) {
        rows.push(row(&at(i), "values", value));
    }
    for time in [
        "1769900400",
        "1769904000000",
        "1769907600000000",
        "2026-01-31 22:00:00",
        "2026-01-31T22:30:00+01:00",
        "2026-01-31T14:00:00.5-08:00",
    ] {
        rows.push(row(time, "times", "1"));
    }
    for time in
        ["yesterday", "2026-02-30T00:00:00Z", "", "99999999999999999999", "2031-01-01T00:00:00Z"]
    {
        rows.push(row(time, "bad times", "1"));
    }
    for value in ["1", "2", "3"] {
        rows.push(row(&at(700), "late and double", value));
    }
    rows.push(row(&at(1), "", "1"));
    let rejected = json!({
        "not_a_number": 3, "infinite": 5, "not_numeric": 4, "bad_timestamp": 3, "future": 2,
        "duplicate": 2, "bad_name": 1,
    });
    (rows, rejected)
}

#[test]
fn every_source_rejects_the_same_rows_for_the_same_reasons_and_keeps_the_same_points() {
    let (rows, rejected) = numeric_and_time_corpus();
    let (expected, report) = points(&rows, Carrier::Csv);
    assert_eq!(report["rejected"], rejected, "{report:#}");
    let values: Vec<f64> =
        expected.iter().filter(|(name, ..)| name == "values").map(|(_, _, value)| *value).collect();
    let numbers = [f64::MAX, 0.123_456_789_012_345_68, 5e-324, 9_007_199_254_740_992.0, 0.0];
    assert_eq!(values, numbers, "oldest first");
    assert!(values[4].is_sign_positive());
    assert!(expected.contains(&("late and double".into(), expected[0].1, 3.0)), "{expected:?}");
    for carrier in Carrier::ALL {
        let (found, report) = points(&rows, *carrier);
        assert_eq!(report["rejected"], rejected, "{carrier:?}: {report:#}");
        assert_eq!(found, expected, "{carrier:?}");
    }
}

#[test]
fn the_order_of_the_rows_makes_no_difference() {
    let in_order: Vec<Row> = (1..60)
        .flat_map(|hour| {
            ["a", "b"].map(|name| row(&hours_before_end(hour), name, &hour.to_string()))
        })
        .collect();
    let (expected, _) = points(&in_order, Carrier::Csv);
    assert_eq!(expected.len(), 118);
    let mut state = 7_u64;
    for carrier in Carrier::ALL {
        for _ in 0..4 {
            let mut rows = in_order.clone();
            for i in (1..rows.len()).rev() {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                rows.swap(i, (state >> 33) as usize % (i + 1));
            }
            assert_eq!(points(&rows, *carrier).0, expected, "{carrier:?}");
        }
    }
}

#[test]
fn a_read_may_have_as_many_rows_as_the_cap_and_not_one_more() {
    for carrier in Carrier::ALL {
        for (n_rows, is_fine) in [(9, true), (10, true), (11, false), (100, false)] {
            let rows: Vec<Row> =
                (0..n_rows).map(|i| row(&(1_769_000_000 + i).to_string(), "a", "1")).collect();
            let (project, _server) = carriers::project_with(&rows, *carrier, "max_rows = 10");
            let ran = project.run(&["run", "bad", "--job", "ingest", "--at", END]);
            assert_eq!(ran.code == Some(0), is_fine, "{carrier:?} {n_rows}: {}", ran.stderr);
            let metrics = project.list(&["metrics", "list"]);
            assert_eq!(metrics.len(), usize::from(is_fine), "{carrier:?} {n_rows}");
            if !is_fine {
                assert!(
                    ran.stderr.contains("more than 10 rows (`max_rows`)"),
                    "{carrier:?}: {}",
                    ran.stderr
                );
            }
        }
    }
}

/// Names that try to be more than data.
const HOSTILE: &[&str] = &[
    "../../x",
    "..",
    ".",
    "/etc/passwd",
    "c:\\x",
    "a/b",
    "a\\b",
    "a%2Fb",
    "%2e%2e",
    "%00",
    "'; DROP TABLE runs;--",
    "\" OR 1=1",
    "{{7*7}}",
    "{% for %}",
    "${HOME}",
    "$(id)",
    "`id`",
    "<script>alert(1)</script>",
    "<!--",
    "]]>",
    "=cmd()",
    "+1",
    "-1",
    "@x",
    "con",
    "nul",
    "a b",
    "🚀",
    "größe",
    "e\u{301}",
    "\u{e9}",
    "\u{202e}gpj",
    "\u{feff}",
    "\u{200b}",
    "ﬀ",
    "İ",
    "ẞ",
    "ǅ",
    "\u{1f468}\u{200d}\u{1f469}",
    "a|b",
    "a;b",
    "a&b",
    "a?b",
    "a#b",
    "a~b",
    "a*b",
    "\\x00",
    "\\N",
    "null",
    "NaN",
    "true",
    "[x]",
    "{x}",
    "(x)",
    "%s%n",
    "^",
    "!",
    "\u{a0}x",
];

/// Over three hundred names out of them.
fn hostile_names() -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for seed in HOSTILE {
        for form in [
            (*seed).to_owned(),
            format!("x{seed}"),
            format!("{seed}.y"),
            seed.to_uppercase(),
            seed.repeat(9),
            format!("{seed}{seed}z"),
        ] {
            if !names.contains(&form) {
                names.push(form);
            }
        }
    }
    names.push("n".repeat(1_024));
    names
}

#[test]
fn three_hundred_hostile_names_come_through_every_source_as_they_are() {
    let names = hostile_names();
    assert!(300 <= names.len(), "{}", names.len());
    let rows: Vec<Row> = names.iter().map(|name| row(&hours_before_end(1), name, "1")).collect();
    let mut expected = names;
    expected.sort();
    for carrier in Carrier::ALL {
        let (found, report) = points(&rows, *carrier);
        let mut found: Vec<String> = found.into_iter().map(|(name, ..)| name).collect();
        found.sort();
        assert_eq!(found, expected, "{carrier:?}: {report:#}");
    }
    let bad = ["", " ", "\t", &"n".repeat(1_025)].map(|name| row(&hours_before_end(1), name, "1"));
    for carrier in Carrier::ALL {
        let (found, report) = points(&bad, *carrier);
        assert!(found.is_empty(), "{carrier:?}: {found:?}");
        assert_eq!(report["rejected"]["bad_name"], 4, "{carrier:?}: {report:#}");
    }
}
