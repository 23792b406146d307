//! `[calendar]`: countries, files, and what is said of wrong ones.

use super::*;
use crate::config::read;

const FILE: &str = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:a\nDTSTART;VALUE=DATE:20260612\nEND:VEVENT\nEND:VCALENDAR\n";

fn holidays(list: &str, ics: &str) -> (TempDir, String) {
    let text = format!("{SOURCE}[calendar]\nholidays = {list}\n");
    (project(&[("metric_batches/a.toml", &text), ("days/own.ics", ics)]), text)
}

#[test]
fn countries_and_files_become_one_list_of_days_in_order() {
    let (dir, _) = holidays("[\"IE\", \"days/own.ics\", \"GB\"]", FILE);
    let batch = load(dir.path(), &Environment::default()).unwrap().batches.remove(0);
    assert!(batch.holidays.is_sorted_by(|one, other| one < other));
    let days: Vec<String> = batch.holidays.iter().map(ToString::to_string).collect();
    for day in ["2026-03-17", "2026-06-12", "2026-12-28"] {
        assert!(days.iter().any(|known| known == day), "{day}");
    }
    assert!(batch.effective.contains("holidays = [\"IE\", \"days/own.ics\", \"GB\"]"));
}

#[test]
fn without_a_calendar_there_are_no_holidays() {
    assert!(super::batch(SOURCE).holidays.is_empty());
}

#[test]
fn a_changed_file_is_seen_and_changes_the_hash() {
    let (dir, _) = holidays("[\"days/own.ics\"]", FILE);
    let look = || read(dir.path(), &Environment::default(), |_, _| Vec::new());
    let first = look();
    assert_eq!(first.snapshot.again(dir.path()), first.snapshot);
    fs::write(dir.path().join("days/own.ics"), FILE.replace("0612", "0613")).unwrap();
    assert_ne!(first.snapshot.again(dir.path()), first.snapshot);
    let (before, after) =
        (first.outcome.unwrap().batches.remove(0), look().outcome.unwrap().batches.remove(0));
    assert_ne!(before.config_hash, after.config_hash);
    assert_ne!(before.holidays, after.holidays);
}

#[test]
fn a_file_that_comes_later_is_waited_for() {
    let (dir, _) = holidays("[\"late.ics\"]", FILE);
    let first = read(dir.path(), &Environment::default(), |_, _| Vec::new());
    assert!(first.outcome.is_err());
    fs::write(dir.path().join("late.ics"), FILE).unwrap();
    assert_ne!(first.snapshot.again(dir.path()), first.snapshot);
}

#[test]
fn a_wrong_holiday_is_a_problem_at_its_place() {
    check_batch(
        "[calendar]\nholidays = [\"ie\", \"IX\", \"no.ics\", 3]\nmaintenance = []",
        &[
            "a.toml:2:13: `ie` is not the code of a country whose holidays are known (did you mean `IE`?)",
            "a.toml:2:19: `IX` is not the code of a country whose holidays are known (the nearest codes are ID, IE, IS, IT; or name an .ics file)",
            "a.toml:2:25: there is no such file (the path of an .ics file counts from the project folder)",
            "a.toml:2:35: `holidays` must be a list of texts, not an integer",
            "a.toml:3:1: unknown key `maintenance` in [calendar] (not available in this version)",
        ],
    );
}

#[test]
fn a_broken_file_is_a_problem_at_its_line_and_a_huge_one_at_the_key() {
    let said = |ics: &str| {
        let (_, text) = holidays("[\"days/own.ics\"]", "");
        problems(
            &[("metric_batches/a.toml", &text), ("days/own.ics", ics)],
            &Environment::default(),
        )
    };
    assert_eq!(
        said(&FILE.replace("20260612", "tomorrow")),
        ["own.ics:2:1: DTSTART: this cannot be read"]
    );
    let huge = said(&"X".repeat((1 << 20) + 1));
    assert!(huge[0].starts_with("a.toml:5:13: this file is larger than 1 MiB"), "{huge:?}");
}
