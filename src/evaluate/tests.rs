//! The scorer against figures of another one, written by `tests/golden/nab/make.py`, and against
//! that other one itself on real series where it is there.

use std::path::Path;

use serde_json::Value;

use super::{Board, Labelled, PROFILES, counts};
use crate::domain::Timestamp;

/// 5-minute rows with draws for scores, higher ones inside the windows: as in `make.py`.
fn file(salt: u64, name: &str, n_rows: usize, windows: &[(usize, usize)]) -> Labelled {
    let score = |row: usize| {
        let mixed = (row as u64 * 7919 + salt * 104_729) * 2_654_435_761 % (1 << 32);
        let draw = mixed as f64 / (1_u64 << 32) as f64;
        let is_inside = windows.iter().any(|(first, last)| (*first..=*last).contains(&row));
        let score = if is_inside { draw } else { draw.powi(3) };
        (score * 1000.0).round() / 1000.0
    };
    Labelled {
        name: name.into(),
        at: (0..n_rows as i64).map(|row| Timestamp::from_secs(1_767_225_600 + 300 * row)).collect(),
        windows: windows.to_vec(),
        scores: (0..n_rows).map(score).collect(),
    }
}

fn corpus() -> [Labelled; 3] {
    [
        file(0, "a", 1000, &[(300, 349), (700, 760)]),
        file(1, "b", 6000, &[(10, 90), (800, 801), (4000, 4399)]),
        file(2, "c", 400, &[]),
    ]
}

#[track_caller]
fn close(found: f64, expected: &Value, what: &str) {
    let expected = expected.as_f64().unwrap();
    assert!(
        (found - expected).abs() <= 1e-9 * expected.abs().max(1.0),
        "{what}: {found} {expected}"
    );
}

#[test]
fn scores_and_counts_are_those_of_another_scorer() {
    let text = include_str!("../../tests/golden/nab/expected.json");
    let expected: Value = serde_json::from_str(text).unwrap();
    let corpus = corpus();
    let board = Board::new(&corpus);
    for profile in &PROFILES {
        let best = board.best(profile).unwrap();
        close(best.score, &expected["best"][profile.name]["score"], profile.name);
        close(best.threshold, &expected["best"][profile.name]["threshold"], profile.name);
    }
    for at in expected["at"].as_array().unwrap() {
        let threshold = at["threshold"].as_f64().unwrap();
        for profile in &PROFILES {
            let score = board.at(profile, threshold).unwrap();
            close(score, &at["profiles"][profile.name], &format!("{} {threshold}", profile.name));
        }
        let counts = counts(&corpus, threshold);
        let numbers = [
            ("win", counts.n_windows),
            ("hit", counts.n_found),
            ("fp_ep", counts.n_false),
            ("rows", counts.n_rows),
            ("alert", counts.n_alert_rows),
            ("fp_rows", counts.n_false_rows),
        ];
        for (name, number) in numbers {
            assert_eq!(Value::from(number), at["counts"][name], "{name} at {threshold}");
        }
        close(counts.days, &at["counts"]["days"], "days");
    }
}

#[test]
fn saying_nothing_is_worth_0_and_a_first_row_alert_in_each_window_is_worth_100() {
    let mut corpus = corpus();
    for file in &mut corpus {
        let probation = file.probation();
        file.scores.fill(0.0);
        for (first, _) in file.windows.iter().filter(|window| probation <= window.0) {
            file.scores[*first] = 1.0;
        }
    }
    let board = Board::new(&corpus);
    for profile in &PROFILES {
        assert!(board.at(profile, 1.1).unwrap().abs() < 1e-9);
        assert!((board.at(profile, 1.0).unwrap() - 100.0).abs() < 1e-9, "{}", profile.name);
    }
    let counts = counts(&corpus, 1.0);
    assert_eq!(
        (counts.recall(), counts.precision(), counts.f1()),
        (Some(1.0), Some(1.0), Some(1.0))
    );
    assert_eq!(counts.median_delay_rows(), Some(0));
}

#[test]
fn a_corpus_without_windows_has_no_score_and_no_recall() {
    let corpus = [file(2, "c", 400, &[])];
    assert_eq!(Board::new(&corpus).best(&PROFILES[0]), None);
    let counts = counts(&corpus, 0.5);
    assert_eq!((counts.recall(), counts.f1(), counts.median_delay()), (None, Some(0.0), None));
    assert!(0 < counts.n_false);
}

#[test]
fn the_delay_is_from_the_window_start_to_its_first_alert() {
    let mut one = file(0, "a", 1000, &[(300, 349), (700, 760)]);
    one.scores.fill(0.0);
    one.scores[310] = 0.9;
    one.scores[320] = 0.9;
    let counts = counts([&one], 0.9);
    assert_eq!((counts.n_found, counts.n_windows, counts.n_false), (1, 2, 0));
    assert_eq!(counts.median_delay().unwrap().as_secs_f64(), 3000.0);
}

/// Needs the benchmark's data beside the project and a `python3` with numpy; says so otherwise.
#[test]
fn real_series_score_as_another_scorer_says() {
    let scorer = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/accuracy");
    if !scorer.join("nab_score.py").is_file() {
        eprintln!("not checked: {} is missing", scorer.display());
        return;
    }
    let script = "import json, nab_score as n
corpus = n.load_nab()
scores = {k: [(i * 7919 * 2654435761 % 2**32) / 2**32 for i in range(len(s.value))]
          for k, s in corpus.items()}
json.dump({'best': n.nab_scores(corpus, scores),
           'files': {k: [len(s.value), s.windows] for k, s in corpus.items()}}, __import__('sys').stdout)";
    let mut python = std::process::Command::new("python3");
    let output = python.args(["-B", "-c", script]).current_dir(&scorer).output();
    let Some(output) = output.ok().filter(|output| output.status.success()) else {
        eprintln!("not checked: python3 with numpy is missing");
        return;
    };
    let expected: Value = serde_json::from_slice(&output.stdout).unwrap();
    let files = expected["files"].as_object().unwrap();
    let corpus: Vec<Labelled> = files
        .iter()
        .map(|(name, file)| {
            let n_rows = file[0].as_u64().unwrap() as usize;
            let windows: Vec<(usize, usize)> = serde_json::from_value(file[1].clone()).unwrap();
            let draw = |row: u64| (row * 7919 * 2_654_435_761 % (1 << 32)) as f64 / 4_294_967_296.0;
            let scores = (0..n_rows as u64).map(draw).collect();
            Labelled { name: name.clone(), at: vec![None; n_rows], windows, scores }
        })
        .collect();
    assert!(30 < corpus.len(), "{}", corpus.len());
    let board = Board::new(&corpus);
    for profile in &PROFILES {
        let best = board.best(profile).unwrap();
        close(best.score, &expected["best"][profile.name]["score"], profile.name);
        close(best.threshold, &expected["best"][profile.name]["threshold"], profile.name);
    }
}
