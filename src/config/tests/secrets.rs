//! A canary in every place a secret can be, and no way out for it.

use super::*;
use crate::domain::{ChannelKind, CommandSpec, Secret, SourceKind};

const CANARY: &str = "c4n4ry";

fn env() -> Environment {
    Environment::from_pairs([("CANARY", CANARY), ("HALF", "c4n4ry-5m")])
}

#[track_caller]
fn assert_hidden(shown: &str) {
    assert!(!shown.contains(CANARY), "{shown}");
}

#[test]
fn secrets_reach_the_program_and_nothing_that_is_shown() {
    const BEFORE: &str = "whsec_YzRuNHJ5eHh4eHh4eHh4eHh4eHh4eHh4";
    let key = "whsec_YzRuNHJ5YzRuNHJ5YzRuNHJ5YzRuNHJ5";
    let dir = project(&[
        (
            SYSTEM_FILE,
            "[channels.hook]\nkind = \"webhook\"\nurl = \"https://x/${CANARY}\"\n\
             secret = { file = \"key\" }\nprevious_secret = { file = \"before\" }\n",
        ),
        ("key", &format!("{key}\n")),
        ("before", BEFORE),
        (
            "metric_batches/a.toml",
            "description = \"${CANARY}\"\ntags = { t = \"${CANARY}\" }\n\
             [source]\nkind = \"sql\"\nurl = \"postgres://u:c4n4ry@db/x\"\n\
             query = \"SELECT '${CANARY}'\"\n\
             [alert]\nexclude = [\"${CANARY}\"]\n[metrics.m]\nalert = { delay = 2 }\n",
        ),
        (
            "metric_batches/b.toml",
            "[source]\nkind = \"command\"\ncommand = [\"x\", \"${CANARY}\"]\nenv = { T = \"c4n4ry\" }\n",
        ),
    ]);
    let project = load(dir.path(), &env()).unwrap();
    let ChannelKind::Webhook { url, keys } = &project.system.channels["hook"].kind else {
        panic!("no webhook")
    };
    assert_eq!(url.reveal(), "https://x/c4n4ry");
    assert_eq!(keys.iter().map(Secret::reveal).collect::<Vec<_>>(), [key, BEFORE]);
    let SourceKind::Sql { url, query, .. } = &project.batches[0].source.kind else { panic!("sql") };
    assert_eq!((url.reveal(), query.as_str()), ("postgres://u:c4n4ry@db/x", "SELECT 'c4n4ry'"));
    let SourceKind::Command(CommandSpec { env, .. }) = &project.batches[1].source.kind else {
        panic!("command")
    };
    assert_eq!(env["T"].reveal(), CANARY);
    for batch in &project.batches {
        assert_hidden(&batch.effective);
    }
    assert_hidden(&format!("{:?} {env:?}", project.system));
    assert_hidden(&format!("{url:?}"));
}

#[test]
fn problems_beside_a_secret_do_not_show_it() {
    let files = [
        (
            SYSTEM_FILE,
            "[channels]\nx = { kind = \"webhook\", url = \"ftp://c4n4ry\", secret = \"c4n4ry\", a = 1 }\n",
        ),
        (DEFAULTS_FILE, "[source]\nulr = \"c4n4ry\"\nurl = \"sqlite://c4n4ry/${NOPE}\"\n"),
        ("metric_batches/a.toml", "[source]\nkind = \"sql\"\nurl = \"postgres://c4n4ry\n"),
        (
            "metric_batches/b.toml",
            "[source]\nkind = \"command\"\ncommand = [\"x\"]\nenv = { A = \"c4n4ry\", B = 1 }\ntoken = \"c4n4ry\"\ntimeout = \"${HALF}\"\n",
        ),
        (
            "metric_batches/c.toml",
            "timezone = \"${CANARY}\"\n[source]\nkind = \"${CANARY}\"\n[alert]\nchannels = [\"${CANARY}\"]\n[train]\nexclude = [\"[${CANARY}\"]\nexclude_periods = [{ from = \"${CANARY}\", to = \"2026-01-01\" }]\n",
        ),
        (
            "metric_batches/d.toml",
            "x = \n[source]\nkind = \"nope\"\nenv = { A = \"c4n4ry\", B = \"${NOPE}\" }\n",
        ),
        ("metric_batches/e.toml", "[source.env]\nA = \"c4n4ry\nB = \"c4n4ry\"\n[source\n"),
        (".env", "c4n4ry is no pair\n"),
    ];
    let dir = project(&files);
    let found = load(dir.path(), &env()).unwrap_err();
    assert!(12 < found.0.len(), "{found}");
    assert_hidden(&found.to_string());
    assert_hidden(&serde_json::to_string(&found).unwrap());
}
