//! Reports over several files, and files that are hardly any.

use proptest::prelude::*;

use super::*;

const BAD_SYSTEM: &str =
    "[server]\nport = 99999\nhsot = \"127.0.0.1\"\n\n[channels.oncall]\nkind = \"pager\"\n";
const BAD_DEFAULTS: &str = "[alert]\nthreshold = 80\n\n[features]\nlags = \"five\"\n";
const BAD_BATCH: &str = "\
name = \"shop\"
timezone = \"Europe/Dubln\"

[source]
kind = \"sql\"
url = \"${SHOP_URL}\"
query = \"SELECT 1\"
timeout = \"1 minute\"

[schedule]
ingest = \"61 * * * *\"
score = \"after scoring\"

[alert]
channels = [\"on-call\"]
group = \"team\"
";

#[test]
fn twelve_mistakes_in_three_files_are_reported_at_once() {
    let dir = project(&[
        (SYSTEM_FILE, BAD_SYSTEM),
        (DEFAULTS_FILE, BAD_DEFAULTS),
        ("metric_batches/shop.toml", BAD_BATCH),
    ]);
    let found = load(dir.path(), &Environment::default()).unwrap_err();
    assert_eq!(found.0.len(), 12);
    let expected = include_str!("twelve_problems.txt");
    assert_eq!(found.render(Color::Never), expected.trim_end());
}

#[test]
fn a_mistake_in_a_default_is_reported_once_and_where_it_is() {
    let defaults = "[train]\nwindow = \"soon\"\n[alert]\nchannels = [\"oncall\"]\n";
    let own = format!("{SOURCE}[train]\nwindow = \"1d\"\n");
    let files = [
        (DEFAULTS_FILE, defaults),
        ("metric_batches/a.toml", SOURCE),
        ("metric_batches/b.toml", own.as_str()),
    ];
    assert_eq!(
        problems(&files, &Environment::default()),
        [
            "defaults.toml:2:10: `soon` is not a duration; write a whole number and a unit, as in \
             90s, 5m, 1h or 7d",
            "defaults.toml:4:13: there is no channel `oncall` (the channels are log)",
        ]
    );
}

#[test]
fn a_default_is_checked_also_where_no_batch_uses_it() {
    let files = [(DEFAULTS_FILE, "name = \"x\"\n[trian]\n")];
    assert_eq!(
        problems(&files, &Environment::default()),
        [
            "defaults.toml:1:1: a name belongs in a batch's own file",
            "defaults.toml:2:2: unknown key `trian` at the top of the file (did you mean `train`?)",
        ]
    );
}

#[test]
fn a_default_for_another_kind_of_source_is_no_mistake() {
    let dir = project(&[
        (DEFAULTS_FILE, "[source]\nurl = \"sqlite://x.db\"\ntimeout = \"5s\"\n"),
        ("metric_batches/a.toml", SOURCE),
    ]);
    let project = load(dir.path(), &Environment::default()).unwrap();
    assert_eq!(project.batches[0].source.timeout, crate::domain::Span::secs(5));
}

#[test]
fn two_batches_of_one_name_are_refused_also_in_sub_folders() {
    let named = format!("name = \"b\"\n{SOURCE}");
    let files = [("metric_batches/eu/b.toml", SOURCE), ("metric_batches/z.toml", named.as_str())];
    assert_eq!(
        problems(&files, &Environment::default()),
        ["z.toml:1:8: two batches are called `b` (the other one is metric_batches/eu/b.toml:1)"]
    );
}

#[test]
fn a_syntax_error_has_its_place_and_other_files_are_still_checked() {
    let files = [
        (SYSTEM_FILE, "[server\nport = 1\n"),
        ("metric_batches/a.toml", "x = 1\n[source]\nkind = \"file\"\npath = x\n"),
    ];
    assert_eq!(
        problems(&files, &Environment::default()),
        [
            "anomstack.toml:1:8: unclosed table, expected `]`",
            "a.toml:1:1: unknown key `x` at the top of the file (the keys at the top of the file \
             are name, description, owner, timezone, enabled, tags, source, history, \
             features, calendar, train, detectors, score, alert, absence, thresholds, change, schedule, metrics)",
            "a.toml:4:8: string values must be quoted, expected literal string",
        ]
    );
}

#[test]
fn what_may_be_in_an_unreadable_default_is_not_missing() {
    let files = [(DEFAULTS_FILE, "[source\n"), ("metric_batches/a.toml", "[source]\n")];
    assert_eq!(
        problems(&files, &Environment::default()),
        ["defaults.toml:1:8: unclosed table, expected `]`"]
    );
}

#[test]
fn this_repository_is_a_project_without_problems() {
    let project = load(Path::new(env!("CARGO_MANIFEST_DIR")), &Environment::default()).unwrap();
    let enabled = project.batches.iter().filter(|batch| batch.enabled);
    let names: Vec<&str> = enabled.map(|batch| batch.name.as_str()).collect();
    assert_eq!(names, ["host", "web"], "examples are read and checked, and do not run");
}

#[test]
fn a_folder_that_is_no_project_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let found = load(dir.path(), &Environment::default()).unwrap_err();
    assert!(found.to_string().contains("is not a project folder"), "{found}");
    assert!(found.to_string().contains("anomstack init DIR"), "{found}");
}

#[test]
fn a_query_file_is_found_beside_the_batch_and_changes_the_hash() {
    let text = "[source]\nkind = \"sql\"\nurl = \"sqlite://x\"\nquery_file = \"a.sql\"\n";
    let hash = |query| {
        let dir =
            project(&[("metric_batches/eu/a.toml", text), ("metric_batches/eu/a.sql", query)]);
        let batch = load(dir.path(), &Environment::default()).unwrap().batches.remove(0);
        let crate::domain::SourceKind::Sql { query_origin, .. } = &batch.source.kind else {
            panic!("not sql")
        };
        assert_eq!(query_origin, "metric_batches/eu/a.sql");
        batch.config_hash
    };
    assert_eq!(hash("SELECT 1"), hash("SELECT 1"));
    assert_ne!(hash("SELECT 1"), hash("SELECT 2"));
}

#[test]
fn problems_are_json_with_place_and_help() {
    let dir = project(&[(SYSTEM_FILE, "[server]\nprot = 1\n")]);
    let found = load(dir.path(), &Environment::default()).unwrap_err();
    let json = serde_json::to_value(&found).unwrap();
    assert_eq!(
        json,
        serde_json::json!([{
            "file": "config/anomstack.toml", "line": 2, "column": 1, "width": 4,
            "message": "unknown key `prot` in [server]", "help": "did you mean `port`?",
            "source": "prot = 1",
        }])
    );
}

#[test]
fn the_effective_text_reads_back_as_the_same_batch() {
    let text = format!(
        "{SOURCE}[alert]\nthreshold = 0.5\nmin_change = {{ absolute = 1 }}\n\
         [metrics.\"a b\"]\nalert = {{ delay = 2 }}\n"
    );
    let first = batch(&text);
    let second = batch(&first.effective);
    assert_eq!((&first.alert, &first.metrics), (&second.alert, &second.metrics));
    assert_eq!(first.effective, second.effective);
}

/// Pieces that make text which is nearly a configuration.
fn near_toml() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("[source]\n".to_owned()),
        Just("[[detectors]]\n".to_owned()),
        Just("[metrics.\"a\"]\n".to_owned()),
        Just("[channels.x]\n".to_owned()),
        ("(kind|url|query|path|env|after|channels|threshold|snooze|ingest|file|timezone)",
         "( = )(1|-1|1e999|nan|\"\\$\\{A\"|\"sql\"|\"webhook\"|\"é\"|\\[\"x\"\\]|\\{ file = \"é\" \\}|[ -~]{0,12})\n?")
            .prop_map(|(key, value)| key + &value),
        "\\PC{0,20}",
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_text_panics_the_loader(text in near_toml(), any in "(?s).{0,60}") {
        let dir = project(&[
            (SYSTEM_FILE, &text),
            (DEFAULTS_FILE, &any),
            ("metric_batches/a.toml", &text),
            (".env", &any),
        ]);
        if let Err(problems) = load(dir.path(), &Environment::default()) {
            prop_assert!(!problems.0.is_empty());
            prop_assert!(problems.render(Color::Always).contains(&problems.summary()));
        }
    }
}
