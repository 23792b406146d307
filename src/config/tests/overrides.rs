//! Keys set by the environment.

use super::*;
use crate::domain::{Snooze, Span};

const SHOP: (&str, &str) = ("metric_batches/web-shop.toml", SOURCE);

#[track_caller]
fn check(variable: &str, value: &str, expected: &[&str]) {
    let env = Environment::from_pairs([(variable, value)]);
    assert_eq!(problems(&[SHOP], &env), expected);
}

#[test]
fn overrides_are_typed_as_the_key_is() {
    let dir = project(&[SHOP, (SYSTEM_FILE, "[channels.On-Call]\nkind = \"log\"\n")]);
    let env = Environment::from_pairs([
        ("ANOMSTACK__SERVER__PORT", "9000"),
        ("ANOMSTACK__CHANNELS__ON_CALL__KIND", "file"),
        ("ANOMSTACK__CHANNELS__ON_CALL__PATH", "x"),
        ("ANOMSTACK__BATCH__WEB_SHOP__ALERT__THRESHOLD", "0.9"),
        ("ANOMSTACK__BATCH__WEB_SHOP__ALERT__SNOOZE", "12"),
        ("ANOMSTACK__BATCH__WEB_SHOP__ALERT__CHANNELS", "log, On-Call"),
        ("ANOMSTACK__BATCH__WEB_SHOP__ENABLED", "false"),
        ("ANOMSTACK__BATCH__WEB_SHOP__TRAIN__WINDOW", "7d"),
        ("ANOMSTACK__BATCH__WEB_SHOP__DETECTORS", "[{ kind = 'pca' }]"),
        ("ANOMSTACK_TEST_POSTGRES_URL", "unrelated"),
    ]);
    let project = load(dir.path(), &env).unwrap();
    let batch = &project.batches[0];
    assert_eq!((project.system.server.port, batch.enabled), (9000, false));
    assert_eq!((batch.alert.threshold, batch.alert.snooze), (0.9, Snooze::Points(12)));
    assert_eq!(batch.alert.channels, ["log", "On-Call"]);
    assert_eq!((batch.train.window, batch.detectors[0].tag.as_str()), (Span::days(7), "pca"));
    assert!(batch.effective.contains("threshold = 0.9"), "{}", batch.effective);
}

#[test]
fn the_documented_names_hold_and_the_general_one_wins() {
    let env = Environment::from_pairs([
        ("ANOMSTACK_STORAGE_BACKEND", "memory"),
        ("ANOMSTACK_STORAGE_ROOT", "/srv/a"),
        ("ANOMSTACK__STORAGE__ROOT", "/srv/b"),
        ("ANOMSTACK_IO_CHUNK_SIZE", "500"),
        ("ANOMSTACK_IO_COMPRESSION", "false"),
        ("ANOMSTACK_IO_CACHE_TTL", "60"),
    ]);
    let dir = project(&[]);
    let storage = load(dir.path(), &env).unwrap().system.storage;
    assert_eq!((storage.backend.as_str(), storage.root.to_str()), ("memory", Some("/srv/b")));
    assert_eq!((storage.chunk_size, storage.compression), (500, false));
    assert_eq!(storage.cache.ttl, Span::secs(60));
}

#[test]
fn a_bad_override_is_a_problem_that_names_the_variable() {
    let dir = project(&[]);
    let env = Environment::from_pairs([("ANOMSTACK__SERVER__PORT", "many")]);
    let found = load(dir.path(), &env).unwrap_err();
    assert_eq!(
        (found.0[0].file.as_str(), found.0[0].source.as_str()),
        ("environment", "ANOMSTACK__SERVER__PORT")
    );
    check(
        "ANOMSTACK__SERVER__PORT",
        "many",
        &["environment:1:1: `port` must be a whole number, not text"],
    );
    check(
        "ANOMSTACK__SERVER__PROT",
        "1",
        &["environment:1:1: unknown key `prot` in [server] (did you mean `port`?)"],
    );
    check(
        "ANOMSTACK__BATCH__WEBSHOP__ENABLED",
        "1",
        &[
            "environment:1:1: no batch is called WEBSHOP, or the variable names no key of it (did you mean `WEB_SHOP`?)",
        ],
    );
    check(
        "ANOMSTACK__BATCH__WEB_SHOP__SOURCE__PATH__X",
        "1",
        &["environment:1:1: `path` is not a table"],
    );
    check(
        "ANOMSTACK__BATCH__WEB_SHOP__TRAIN__WINDOW",
        "soon",
        &[
            "environment:1:1: `soon` is not a duration; write a whole number and a unit, as in 90s, 5m, 1h or 7d",
        ],
    );
}

#[test]
fn a_text_of_one_variable_is_typed_as_the_key_is_too() {
    let dir = project(&[SHOP, (SYSTEM_FILE, "[server]\nport = \"${PORT:-9000}\"\n")]);
    let port = |env: &Environment| load(dir.path(), env).map(|project| project.system.server.port);
    assert_eq!(port(&Environment::default()).unwrap(), 9_000);
    assert_eq!(port(&Environment::from_pairs([("PORT", "7")])).unwrap(), 7);
    let found = port(&Environment::from_pairs([("PORT", "x")])).unwrap_err();
    assert_eq!(found.0[0].message, "`port` must be a whole number, not text");
}

#[test]
fn two_batches_that_one_variable_may_mean_are_a_problem_and_the_longer_name_is_meant() {
    let files = [("metric_batches/a-b.toml", SOURCE), ("metric_batches/a_b.toml", SOURCE)];
    let env = Environment::from_pairs([("ANOMSTACK__BATCH__A_B__ENABLED", "false")]);
    assert_eq!(
        problems(&files, &env),
        ["environment:1:1: 2 batches are called A_B in a variable's name (rename one, or set \
             the key in its file)"]
    );
    let dir = project(&[("metric_batches/a.toml", SOURCE), ("metric_batches/a__b.toml", SOURCE)]);
    let env = Environment::from_pairs([("ANOMSTACK__BATCH__A__B__ENABLED", "false")]);
    let enabled: Vec<bool> =
        load(dir.path(), &env).unwrap().batches.iter().map(|batch| batch.enabled).collect();
    assert_eq!(enabled, [true, false]);
}

#[test]
fn dotenv_is_read_and_the_process_wins() {
    let dir =
        project(&[SHOP, (".env", "ANOMSTACK__SERVER__PORT=1\nANOMSTACK__LOG__FILTER=debug\n")]);
    let env = Environment::from_pairs([("ANOMSTACK__SERVER__PORT", "2")]);
    let system = load(dir.path(), &env).unwrap().system;
    assert_eq!((system.server.port, system.log.filter.as_str()), (2, "debug"));
}
