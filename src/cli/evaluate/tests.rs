//! Data sets in their layouts, from files to figures.

use std::{fmt::Write as _, fs, path::Path};

use super::*;

/// 900 hours with a spike at row 700.
fn hours(labels: bool) -> String {
    let mut text =
        String::from(if labels { "timestamp,value,label\n" } else { "timestamp,value\n" });
    for i in 0..900_i64 {
        let noise = (i * 7_919 % 101) as f64 / 50.0;
        let value = if i == 700 { 300.0 } else { 50.0 + noise };
        write!(text, "{},{value}", 1_771_000_000 + 3_600 * i).unwrap();
        let label = i32::from((698..=710).contains(&i));
        writeln!(text, "{}", if labels { format!(",{label}") } else { String::new() }).unwrap();
    }
    text
}

async fn scored(paths: &[&Path], labels: Option<&Path>) -> anyhow::Result<Vec<Labelled>> {
    scored_in(chrono_tz::Tz::UTC, paths, labels).await
}

async fn scored_in(
    timezone: chrono_tz::Tz,
    paths: &[&Path],
    labels: Option<&Path>,
) -> anyhow::Result<Vec<Labelled>> {
    let paths: Vec<PathBuf> = paths.iter().map(|path| path.to_path_buf()).collect();
    let setup = Setup { timezone, ..Setup::of_kind(DetectorKind::Auto, None) };
    let sources = dataset::find(&paths, labels, setup.timezone)?;
    score_all(&Judge { setup, budget: None }, sources).await
}

fn put(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[tokio::test]
async fn every_layout_gives_the_same_windows_and_scores() {
    let dir = tempfile::tempdir().unwrap();
    let at = |row: i64| format!("\"{}\"", 1_771_000_000 + 3_600 * row);
    let windows = format!("{{\"cat/a.csv\": [[{}, {}]]}}", at(698), at(710));
    let (nab, flat) = (dir.path().join("nab"), dir.path().join("flat"));
    put(&nab.join("data/cat/a.csv"), &hours(false));
    put(&nab.join("labels/combined_windows.json"), &windows);
    put(&flat.join("cat/a.csv"), &hours(false));
    put(&flat.join("windows.json"), &windows);
    let column = dir.path().join("a.csv");
    put(&column, &hours(true));
    let of_nab = scored(&[&nab], None).await.unwrap();
    assert_eq!((of_nab[0].name.as_str(), &of_nab[0].windows), ("cat/a.csv", &vec![(698, 710)]));
    assert_eq!(scored(&[&flat], None).await.unwrap(), of_nab);
    let of_column = scored(&[&column], None).await.unwrap();
    assert_eq!(
        (&of_column[0].windows, &of_column[0].scores),
        (&of_nab[0].windows, &of_nab[0].scores)
    );
    let given = scored(&[&flat.join("cat/a.csv")], Some(&flat.join("windows.json"))).await.unwrap();
    assert_eq!(given[0].windows, of_nab[0].windows);

    let report = Report::of(&of_nab, ALERT_LINE, 1.0);
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["events"][0]["found"], 1);
    assert_eq!(json["events"][0]["median_delay_rows"], 2);
    assert!(80.0 < json["profiles"][0]["at_threshold"].as_f64().unwrap(), "{json}");
}

#[tokio::test]
async fn what_is_no_data_set_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let said = |error: anyhow::Error| format!("{error:#}");
    let empty = said(scored(&[dir.path()], None).await.unwrap_err());
    assert!(empty.contains("there is no CSV file"), "{empty}");
    let file = dir.path().join("a.csv");
    put(&file, &hours(false));
    let unlabelled = said(scored(&[&file], None).await.unwrap_err());
    assert!(unlabelled.contains("--labels"), "{unlabelled}");
    let labels = dir.path().join("labels.json");
    put(&labels, "{\"a.csv\": [\"yesterday\"]}");
    let wrong = said(scored(&[&file], Some(&labels)).await.unwrap_err());
    assert!(wrong.contains("`yesterday` is no time"), "{wrong}");
}

#[tokio::test]
async fn rows_and_labels_without_a_zone_are_of_the_same_zone() {
    let dir = tempfile::tempdir().unwrap();
    let mut text = String::from("timestamp,value\n");
    for i in 0..200 {
        writeln!(text, "2026-01-{:02} {:02}:00:00,{}", 1 + i / 24, i % 24, i % 5).unwrap();
    }
    put(&dir.path().join("a.csv"), &text);
    let window = r#"{"a.csv": [["2026-01-05 04:00:00", "2026-01-05 08:00:00.000000"]]}"#;
    put(&dir.path().join("windows.json"), window);
    for zone in [chrono_tz::Tz::UTC, chrono_tz::Asia::Tokyo, chrono_tz::America::New_York] {
        let corpus = scored_in(zone, &[dir.path()], None).await.unwrap();
        assert_eq!(corpus[0].windows, [(100, 104)], "{zone}");
    }
}
