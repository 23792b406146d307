//! `[calendar]`: countries, files, and what is said of wrong ones.

use super::*;
use crate::{config::read, domain::Timestamp};

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
        "[calendar]\nholidays = [\"ie\", \"IX\", \"no.ics\", 3]\nworkdays = []",
        &[
            "a.toml:2:13: `ie` is not the code of a country whose holidays are known (did you mean `IE`?)",
            "a.toml:2:19: `IX` is not the code of a country whose holidays are known (the nearest codes are ID, IE, IS, IT; or name an .ics file)",
            "a.toml:2:25: there is no such file (the path of an .ics file counts from the project folder)",
            "a.toml:2:35: `holidays` must be a list of texts, not an integer",
            "a.toml:3:1: unknown key `workdays` in [calendar] (the keys in [calendar] are holidays, maintenance)",
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

#[test]
fn maintenance_is_read_from_slots_stretches_and_files() {
    let timed = FILE
        .replace("DTSTART;VALUE=DATE:20260612", "DTSTART:20260612T100000Z\nDTEND:20260612T113000Z");
    let text = format!(
        "timezone = \"Europe/Dublin\"\n{SOURCE}[calendar]\nmaintenance = [\n\
         {{ cron = \"0 2 * * SUN\", duration = \"2h\", reason = \"backup\" }},\n\
         {{ from = 2026-07-01T20:00:00Z, to = 2026-07-02 }},\n\
         {{ ics = \"days/own.ics\" }},\n]\n"
    );
    let dir = project(&[("metric_batches/a.toml", &text), ("days/own.ics", &timed)]);
    let batch = load(dir.path(), &Environment::default()).unwrap().batches.remove(0);
    assert_eq!(batch.maintenance.len(), 3);
    assert_eq!(batch.maintenance[0].reason, "backup");
    for (at, expected) in [
        // Two o'clock in Dublin's summer.
        ("2026-06-07T01:30:00Z", true),
        ("2026-06-07T00:30:00Z", false),
        ("2026-07-01T23:00:00Z", true),
        ("2026-06-12T10:00:00Z", true),
        ("2026-06-12T11:30:00Z", false),
    ] {
        let at = Timestamp::parse(at).unwrap();
        let holds = batch.maintenance.iter().any(|one| one.when.holds(at, batch.timezone));
        assert_eq!(holds, expected, "{at}");
    }
}

#[test]
fn wrong_maintenance_is_a_problem_at_its_place() {
    check_batch(
        "[[calendar.maintenance]]\ncron = \"61 * * * *\"\nduration = \"1h\"\n\
         [[calendar.maintenance]]\ncron = \"@daily\"\n\
         [[calendar.maintenance]]\nfrom = 2026-07-02\nto = 2026-07-01\n\
         [[calendar.maintenance]]\nreason = \"never\"\n\
         [[calendar.maintenance]]\nics = \"no.ics\"\n\
         [[calendar.maintenance]]\ncron = \"@daily\"\nduration = \"90d\"",
        &[
            "a.toml:2:8: `61` is not a valid minute",
            "a.toml:4:1: `calendar.maintenance.duration` is missing (write how long it lasts, as in \"2h\")",
            "a.toml:8:6: `to` does not come after `from`",
            "a.toml:9:1: this names no time, or more than one (write `cron` and `duration`, or `from` and `to`, or `ics`)",
            "a.toml:12:7: there is no such file (the path of an .ics file counts from the project folder)",
            "a.toml:15:12: `duration` is longer than 31d",
        ],
    );
}
