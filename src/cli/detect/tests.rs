//! The command's promises, on text in memory.

use std::fmt::Write as _;

use super::*;

fn run(kind: DetectorKind, text: &str) -> anyhow::Result<(Vec<String>, Tally)> {
    run_with(kind, text, false)
}

fn run_with(
    kind: DetectorKind,
    text: &str,
    has_reasons: bool,
) -> anyhow::Result<(Vec<String>, Tally)> {
    let mut input = BufReader::new(text.as_bytes());
    let layout = Layout::read(&mut input, Tz::UTC)?;
    let walk = Walk::new(&setup_of(kind, Pattern::Auto)?, MetricName::parse("value")?);
    let line = line_of(ALERT_LINE, None)?;
    let bar = ProgressBar::hidden();
    let mut pass = Pass { walk, bar, line, sketch: None, has_reasons, tally: Tally::default() };
    let mut out = Vec::new();
    pass.run(input, layout, &mut out)?;
    let lines = String::from_utf8(out)?.lines().map(str::to_owned).collect();
    Ok((lines, pass.tally))
}

/// So many hours with a spike at one of them.
fn hours(n: usize, spike: usize) -> String {
    let mut text = String::from("timestamp,value\n");
    for i in 0..n {
        let noise = (i * 7_919 % 101) as f64 / 50.0;
        let daily = 10.0 * (i as f64 / 24.0 * std::f64::consts::TAU).sin();
        let value = if i == spike { 300.0 } else { 50.0 + daily + noise };
        writeln!(text, "{},{value}", 1_771_000_000 + 3_600 * i).unwrap();
    }
    text
}

#[test]
fn every_detector_finds_a_spike_and_no_score_depends_on_later_rows() {
    for kind in [DetectorKind::Auto, DetectorKind::Seasonal, DetectorKind::Pca, DetectorKind::Knn] {
        let text = hours(900, 700);
        let (lines, tally) = run(kind, &text).unwrap();
        assert_eq!((lines.len(), tally.n_unreadable), (901, 0));
        assert!(lines[701].ends_with(",true"), "{kind} {}", lines[701]);
        for n in [1, 40, 333, 701, 850] {
            let prefix: Vec<&str> = text.lines().take(n).collect();
            let (shorter, _) = run(kind, &prefix.join("\n")).unwrap();
            assert_eq!(shorter[..], lines[..n], "{kind} {n}");
        }
    }
}

#[test]
fn rows_without_a_value_stay_and_have_no_score() {
    let text =
        "time;metric_value;x\n2026-01-01;1;a\n2026-01-02;;b\n2026-01-03;NaN;\n\n2026-01-04;2";
    let (lines, tally) = run(DetectorKind::Auto, text).unwrap();
    assert_eq!(lines[2..], ["2026-01-02,,,,,,", "2026-01-03,NaN,,,,,", "2026-01-04,2,,,,,"]);
    assert_eq!((tally.n_rows, tally.n_unreadable, tally.n_not_later), (4, 0, 0));
}

#[test]
fn unreadable_rows_stay_and_are_counted() {
    let text = "timestamp,value\nyesterday,1\n2026-01-01,many\n2026-01-01,\"1,5\"\n2025-01-01,1\n";
    let (lines, tally) = run(DetectorKind::Auto, text).unwrap();
    assert_eq!(lines[1..3], ["yesterday,1,,,,,", "2026-01-01,many,,,,,"]);
    assert_eq!(lines[3], "2026-01-01,\"1,5\",,,,,");
    assert_eq!(tally.examples[0], "line 2: `yesterday` is no time");
    assert_eq!((tally.n_unreadable, tally.n_not_later), (3, 2));
    assert_eq!(tally.report(), Outcome::Problems);
}

#[test]
fn what_is_no_table_is_said() {
    let said = |text: &str| run(DetectorKind::Auto, text).unwrap_err().to_string();
    assert_eq!(said(""), "it is empty, without even a header");
    assert!(said("a,b\n1,2").contains("timestamp, metric_timestamp"), "{}", said("a,b"));
    let long = format!("timestamp,value\n1,{}", "9".repeat(70_000));
    assert_eq!(said(&long), "line 2 is longer than 65536 bytes");
    assert_eq!(run(DetectorKind::Auto, "ts,load").unwrap().0.len(), 1);
}

#[test]
fn reasons_are_a_last_column_beside_the_same_scores() {
    let (kind, text) = (DetectorKind::Auto, hours(900, 700));
    let (with, _) = run_with(kind, &text, true).unwrap();
    let (without, _) = run(kind, &text).unwrap();
    assert!(with[0].ends_with(",alert,reason"));
    for (with, without) in with.iter().zip(&without) {
        assert!(with.starts_with(without), "{with}");
    }
    let reason = |row: usize| with[row].split('"').nth(1).unwrap();
    assert_eq!(reason(1), "warming up: 0 of the 32 points a model needs");
    assert_eq!(reason(32), "warming up: 31 of the 32 points a model needs");
    assert!(reason(690).starts_with("usual: ") && reason(690).ends_with("inside that range"));
    let spike = reason(701);
    assert!(spike.starts_with("very unusual: 300, expected "), "{spike}");
    assert!(spike.ends_with("no value like it was seen before"), "{spike}");
}

fn command(file: PathBuf) -> Detect {
    Detect {
        days: Days::default(),
        file,
        detector: DetectorKind::Auto,
        period: Pattern::Auto,
        threshold: ALERT_LINE,
        budget: None,
        plot: None,
        reasons: false,
        out: None,
    }
}

#[test]
fn the_input_is_not_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.csv");
    std::fs::write(&file, "timestamp,value\n").unwrap();
    let out = Some(dir.path().join(".").join("a.csv"));
    let command = Detect { out, ..command(file.clone()) };
    assert!(detect(&command).unwrap_err().to_string().contains("write to another file"));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "timestamp,value\n");
}

#[test]
fn more_fields_than_columns_are_no_value() {
    let text = "timestamp,value\n2026-01-01 00:00,12,5\n2026-01-01 01:00,12,\n";
    let (lines, tally) = run(DetectorKind::Auto, text).unwrap();
    assert_eq!(lines.len(), 3);
    assert_eq!((tally.n_rows, tally.n_unreadable), (2, 1));
    let said = &tally.examples[0];
    assert!(said.starts_with("line 2: 3 fields under 2 columns"), "{said}");
    let mut input = BufReader::new("timestamp,value\n1,12,5\n".as_bytes());
    let layout = Layout::read(&mut input, Tz::UTC).unwrap();
    let row = Lines::new(input, layout).next_row().unwrap().unwrap();
    assert_eq!(row.point(), None);
}

#[test]
fn rows_and_chart_need_two_files() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.csv");
    fs::write(&file, hours(50, 40)).unwrap();
    let [plot, out] = ["x.svg", "./x.svg"].map(|name| Some(dir.path().join(name)));
    let refused = detect(&Detect { plot, out, ..command(file) }).unwrap_err();
    assert!(refused.to_string().contains("the same file"), "{refused}");
    assert!(!dir.path().join("x.svg").exists());
}

#[test]
fn holidays_need_a_detector_that_knows_days() {
    let days = || Days { holidays: vec!["IE".into()], ..Days::default() };
    for kind in [DetectorKind::Auto, DetectorKind::Seasonal] {
        assert!(!days().of(setup_of(kind, Pattern::Auto).unwrap()).unwrap().holidays.is_empty());
    }
    let refused = days().of(setup_of(DetectorKind::Knn, Pattern::Auto).unwrap()).unwrap_err();
    assert!(refused.to_string().contains("auto and seasonal only"), "{refused}");
}

#[test]
fn input_that_breaks_off_leaves_the_old_file() {
    let dir = tempfile::tempdir().unwrap();
    let [file, out] = ["a.csv", "out.csv"].map(|name| dir.path().join(name));
    fs::write(&out, "old").unwrap();
    fs::write(&file, [hours(500, 40).as_bytes(), b"2026-01-01,\xff\n"].concat()).unwrap();
    let whole = Detect { out: Some(out.clone()), ..command(file.clone()) };
    assert!(detect(&whole).is_err());
    assert_eq!(fs::read_to_string(&out).unwrap(), "old");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "nothing is left beside it");
    fs::write(&file, hours(500, 40)).unwrap();
    detect(&whole).unwrap();
    assert_eq!(fs::read_to_string(&out).unwrap().lines().count(), 501);
}
