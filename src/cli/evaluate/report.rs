//! What `evaluate` prints.

use serde::Serialize;

use crate::{
    domain::words,
    evaluate::{Board, Counts, Labelled, PROFILES, counts},
};

use super::super::{Global, Outcome, listing};

/// All figures.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    files: usize,
    rows: usize,
    windows: usize,
    seconds: f64,
    profiles: Vec<ProfileScores>,
    events: Vec<Events>,
    per_file: Vec<FileScores>,
}

#[derive(Debug, Serialize)]
struct ProfileScores {
    profile: &'static str,
    at_threshold: Option<f64>,
    best: Option<f64>,
    /// `None` where saying nothing is best.
    best_threshold: Option<f64>,
}

#[derive(Debug, Serialize)]
struct Events {
    #[serde(skip)]
    title: &'static str,
    threshold: f64,
    windows: usize,
    found: usize,
    false_episodes: usize,
    precision: Option<f64>,
    recall: Option<f64>,
    f1: Option<f64>,
    median_delay_seconds: Option<f64>,
    median_delay_rows: Option<usize>,
    false_per_day: Option<f64>,
    false_per_1000: Option<f64>,
    false_rows_per_1000: Option<f64>,
}

#[derive(Debug, Serialize)]
struct FileScores {
    file: String,
    rows: usize,
    windows: usize,
    found: usize,
    false_episodes: usize,
    median_delay_seconds: Option<f64>,
    standard: Option<f64>,
}

impl Report {
    pub(super) fn of(corpus: &[Labelled], threshold: f64, seconds: f64) -> Self {
        let board = Board::new(corpus);
        let profiles: Vec<ProfileScores> = PROFILES
            .iter()
            .map(|profile| {
                let best = board.best(profile);
                ProfileScores {
                    profile: profile.name,
                    at_threshold: board.at(profile, threshold),
                    best: best.map(|best| best.score),
                    best_threshold: best.map(|best| best.threshold).filter(|at| at.is_finite()),
                }
            })
            .collect();
        let mut events = vec![Events::of("shipped", threshold, &counts(corpus, threshold))];
        if let Some(best) = profiles[0].best_threshold {
            events.push(Events::of("best standard", best, &counts(corpus, best)));
        }
        Self {
            files: corpus.len(),
            rows: corpus.iter().map(|file| file.at.len()).sum(),
            windows: corpus.iter().map(|file| file.windows.len()).sum(),
            seconds,
            profiles,
            events,
            per_file: corpus.iter().map(|file| FileScores::of(file, threshold)).collect(),
        }
    }

    pub(super) fn print(&self, global: &Global, per_file: bool) -> anyhow::Result<Outcome> {
        if global.json {
            return listing::print_one(global, self, &[]);
        }
        let count = |n: usize| words::count(n as u64);
        println!(
            "{} files, {} windows, {} rows in {:.1} s",
            count(self.files),
            count(self.windows),
            count(self.rows),
            self.seconds
        );
        if per_file {
            println!("\n{}", self.file_table());
        }
        println!("\n{}\n\n{}", self.profile_table(), self.event_table());
        Ok(Outcome::Done)
    }

    fn file_table(&self) -> comfy_table::Table {
        let header = ["FILE", "ROWS", "WINDOWS", "FOUND", "FALSE", "DELAY", "NAB STANDARD"];
        let row = |file: &FileScores| {
            vec![
                file.file.clone(),
                file.rows.to_string(),
                file.windows.to_string(),
                file.found.to_string(),
                file.false_episodes.to_string(),
                listing::or_dash(file.median_delay_seconds, duration),
                shown(file.standard, 1),
            ]
        };
        listing::table(&header, self.per_file.iter().map(row).collect())
    }

    fn profile_table(&self) -> comfy_table::Table {
        let at = format!("AT {}", self.events[0].threshold);
        let header = ["NAB PROFILE", &at, "BEST", "BEST AT"];
        let row = |one: &ProfileScores| {
            let best_at = shown(one.best_threshold, 4);
            vec![one.profile.to_owned(), shown(one.at_threshold, 2), shown(one.best, 2), best_at]
        };
        listing::table(&header, self.profiles.iter().map(row).collect())
    }

    fn event_table(&self) -> comfy_table::Table {
        let header = [
            "THRESHOLD",
            "",
            "FOUND",
            "FALSE",
            "PRECISION",
            "RECALL",
            "F1",
            "MEDIAN DELAY",
            "FALSE/DAY",
            "FALSE/1,000 ROWS",
        ];
        let row = |one: &Events| {
            vec![
                one.title.to_owned(),
                format!("{:.4}", one.threshold),
                format!("{} of {}", one.found, one.windows),
                one.false_episodes.to_string(),
                shown(one.precision, 3),
                shown(one.recall, 3),
                shown(one.f1, 3),
                listing::or_dash(one.median_delay_seconds, duration),
                shown(one.false_per_day, 3),
                shown(one.false_per_1000, 3),
            ]
        };
        listing::table(&header, self.events.iter().map(row).collect())
    }
}

impl Events {
    fn of(title: &'static str, threshold: f64, counts: &Counts) -> Self {
        let rows = counts.n_rows.max(1) as f64;
        Self {
            title,
            threshold,
            windows: counts.n_windows,
            found: counts.n_found,
            false_episodes: counts.n_false,
            precision: counts.precision(),
            recall: counts.recall(),
            f1: counts.f1(),
            median_delay_seconds: counts.median_delay().map(|delay| delay.as_secs_f64()),
            median_delay_rows: counts.median_delay_rows(),
            false_per_day: counts.false_per_day(),
            false_per_1000: counts.false_per_1000(),
            false_rows_per_1000: Some(1000.0 * counts.n_false_rows as f64 / rows),
        }
    }
}

impl FileScores {
    fn of(file: &Labelled, threshold: f64) -> Self {
        let counts = counts([file], threshold);
        Self {
            file: file.name.clone(),
            rows: file.at.len(),
            windows: counts.n_windows,
            found: counts.n_found,
            false_episodes: counts.n_false,
            median_delay_seconds: counts.median_delay().map(|delay| delay.as_secs_f64()),
            standard: Board::new([file]).at(&PROFILES[0], threshold),
        }
    }
}

fn shown(number: Option<f64>, decimals: usize) -> String {
    listing::or_dash(number, |number| format!("{number:.decimals$}"))
}

fn duration(secs: f64) -> String {
    match secs {
        _ if secs < 90.0 => format!("{secs:.0} s"),
        _ if secs < 5_400.0 => format!("{:.0} min", secs / 60.0),
        _ => format!("{:.1} h", secs / 3_600.0),
    }
}
