//! Every rule, one line a case.

use super::*;
use crate::domain::{
    Aggregate, ChannelKind, DetectorKind, DetectorRole, Direction, JobKind, MetricName, ParamValue,
    Snooze, SourceKind, Span, Trigger,
};

const FULL_BATCH: &str = r#"
name = "shop"
description = "Orders"
owner = "team-commerce"
timezone = "Europe/Dublin"
enabled = false
tags = { tier = "1" }
[source]
kind = "sql"
url = "sqlite://data/shop.db?mode=ro"
query = "SELECT 1"
params = { limit = 5, name = "x" }
timeout = "90s"
lateness = "0s"
drop_incomplete = true
max_rows = 10
[schedule]
ingest = "every 30s"
train = "never"
missed = "skip"
jitter = "30s"
[history]
retention = "30d"
[features]
resample = "1h"
aggregate = "last"
difference = 1
smooth = 3
lags = 2
[train]
exclude_periods = [{ from = 2026-01-03, to = "2026-01-05T00:00:00Z", reason = "migration" }]
[[detectors]]
kind = "pca"
params = { contamination = 0.01 }
[[detectors]]
kind = "knn"
tag = "near"
role = "challenger"
[alert]
threshold = 1
snooze = 12
direction = "up"
min_change = { absolute = 5 }
[absence]
after = "1h"
[metrics."orders.total"]
display_name = "Orders"
alert = { threshold = 0.5, min_change = { relative = 0.1 } }
"#;

#[test]
fn a_full_batch_is_read_as_written() {
    let spec = batch(FULL_BATCH);
    assert_eq!((spec.name.as_str(), spec.enabled), ("shop", false));
    assert_eq!(spec.timezone, chrono_tz::Europe::Dublin);
    let SourceKind::Sql { url, params, query_origin, .. } = &spec.source.kind else { panic!() };
    assert!(
        url.reveal().starts_with("sqlite:///") && url.reveal().ends_with("/data/shop.db?mode=ro")
    );
    assert_eq!(params["limit"], ParamValue::Int(5));
    assert_eq!(query_origin, "metric_batches/a.toml:11");
    assert_eq!(spec.schedule.triggers[&JobKind::Ingest], Trigger::Every(Span::secs(30)));
    assert_eq!(spec.schedule.triggers[&JobKind::Train], Trigger::Never);
    assert_eq!(spec.schedule.triggers[&JobKind::Alert], Trigger::After(JobKind::Score));
    assert_eq!(
        (spec.features.resample, spec.features.aggregate),
        (Some(Span::hours(1)), Aggregate::Last)
    );
    assert_eq!(spec.train.exclude_periods[0].from.to_string(), "2026-01-03T00:00:00Z");
    let detectors: Vec<_> = spec.detectors.iter().map(|d| (d.kind, d.tag.as_str())).collect();
    assert_eq!(detectors, [(DetectorKind::Pca, "pca"), (DetectorKind::Knn, "near")]);
    let roles: Vec<_> = spec.detectors.iter().map(|one| one.role).collect();
    assert_eq!(roles, [DetectorRole::Champion, DetectorRole::Challenger]);
    let orders = spec.alert_for(&MetricName::parse("orders.total").unwrap());
    assert_eq!((spec.alert.threshold, orders.threshold), (1.0, 0.5));
    assert_eq!((orders.snooze, orders.direction), (Snooze::Points(12), Direction::Up));
    assert_eq!((orders.min_change.absolute, orders.min_change.relative), (5.0, 0.1));
}

#[test]
fn sources_are_checked_by_their_kind() {
    check_batch(
        "[source]\n",
        &[
            "a.toml:1:2: `source.kind` is missing (write one of sql, file, http, prometheus, adbc, command, push)",
        ],
    );
    check_batch(
        "[source]\nkind = \"file\"\n",
        &[
            "a.toml:1:2: `source.path` is missing (write a path, glob or address, as in \"data/*.csv\" or \"s3://bucket/*.parquet\", or a list of them; a path counts from the project folder)",
        ],
    );
    check_batch(
        "[source]\nkind = \"spark\"\nurl = \"http://x\"\n",
        &["a.toml:2:8: `spark` is not one of sql, file, http, prometheus, adbc, command, push"],
    );
    check_batch(
        "[source]\nkind = \"file\"\npath = \"x\"\nurl = \"sqlite://x\"\n",
        &["a.toml:4:1: `url` has no meaning with kind = \"file\""],
    );
    check_batch(
        "[source]\nkind = \"sql\"\nurl = \"oracle://x\"\nquery = \"q\"\n",
        &[
            "a.toml:3:7: this is not the address of a database (it starts with sqlite://, postgres:// or mysql://)",
        ],
    );
    check_batch(
        "[source]\nkind = \"sql\"\nurl = \"sqlite://x\"\nquery = \"q\"\nquery_file = \"q.sql\"\n",
        &["a.toml:5:1: `query` and `query_file` cannot both be given"],
    );
    check_batch(
        "[source]\nkind = \"sql\"\nurl = \"sqlite://x\"\nquery_file = \"q.sql\"\n",
        &[
            "a.toml:4:14: there is no such file (the path counts from the batch file's folder, or from metric_batches/)",
        ],
    );
    check_batch(
        "[source]\nkind = \"command\"\ncommand = []\n",
        &[
            "a.toml:3:1: `command` names no program (write the program and its arguments as a list: [\"python3\", \"read.py\"])",
        ],
    );
    check_batch(
        "[source]\nkind = \"command\"\ncommand = [\"a\", 1]\nmax_bytes = \"1 furlong\"\n",
        &[
            "a.toml:3:17: `command` must be a list of texts, not an integer",
            "a.toml:4:13: `max_bytes` must be a number of bytes, as in \"64MiB\", not text",
        ],
    );
}

#[test]
fn schedules_are_checked() {
    let known = "write a cron expression, \"every 30s\", \"after ingest\" or \"never\"";
    check_batch(
        "[schedule]\ningest = \"0 0 30 2 *\"",
        &[&format!("a.toml:2:10: ingest: no date ever matches this expression ({known})")],
    );
    check_batch(
        "[schedule]\ningest = \"every 10ms\"",
        &["a.toml:2:10: `every 10ms` is too often; once a second is the most"],
    );
    check_batch(
        "[schedule]\ntrain = \"after train\"",
        &["a.toml:2:9: `train` cannot wait for itself"],
    );
    check_batch(
        "[schedule]\ntrain = \"after ingst\"",
        &[
            "a.toml:2:9: `ingst` is not one of ingest, train, score, alert, change (did you mean `ingest`?)",
        ],
    );
    check_batch(
        "[schedule]\ningest = \"after alert\"",
        &[
            "a.toml:2:10: jobs wait for each other: ingest → alert → score → ingest (give one of them a time of its own)",
        ],
    );
    check_batch(
        "[schedule]\nmissed = \"all\"",
        &["a.toml:2:10: `all` is not one of skip, latest (not available in this version)"],
    );
}

#[test]
fn features_and_training_are_checked() {
    check_batch(
        "[features]\nresample = \"0s\"",
        &["a.toml:2:12: `resample` must be longer than nothing"],
    );
    check_batch(
        "[train]\nmin_points = 50\nmax_points = 40",
        &["a.toml:2:1: `min_points` is 50, over `max_points` 40"],
    );
    check_batch(
        "[train]\nexclude = [\"a[\"]",
        &["a.toml:2:12: `a[` is not a glob: unclosed character class; missing ']'"],
    );
    check_batch(
        "[[train.exclude_periods]]\nfrom = \"2026-01-05\"\nto = \"2026-01-03\"",
        &["a.toml:3:6: `to` does not come after `from`"],
    );
}

#[test]
fn challengers_need_a_champion_and_a_tag_of_their_own() {
    check_batch(
        "[[detectors]]\nkind = \"pca\"\n[[detectors]]\nkind = \"pca\"\nrole = \"challenger\"",
        &["a.toml:4:8: two detectors have the tag `pca` (give each a `tag` of its own)"],
    );
    check_batch(
        "[[detectors]]\nkind = \"pca\"\nrole = \"challenger\"",
        &[
            "a.toml:2:8: every detector is a challenger (leave `role` out at one of them: its scores are those that alert)",
        ],
    );
    check_batch(
        "[[detectors]]\nkind = \"pca\"\nrole = \"chalenger\"",
        &[
            "a.toml:3:8: `chalenger` is not one of champion, challenger (did you mean `challenger`?)",
        ],
    );
}

#[test]
fn detectors_alerts_and_the_rest_are_checked() {
    check_batch(
        "detectors = []",
        &[
            "a.toml:1:13: there is no detector in this list (leave the key out to get the default, or name at least one)",
        ],
    );
    check_batch(
        "[[detectors]]\nkind = \"pca\"\n[[detectors]]\nkind = \"pca\"",
        &["a.toml:4:8: two detectors have the tag `pca` (give each a `tag` of its own)"],
    );
    check_batch(
        "[[detectors]]\nkind = \"pcaa\"",
        &[
            "a.toml:2:8: `pcaa` is not one of auto, seasonal, pca, knn, lof, iforest, hbos, ecod, copod, mad, kmeans, zscore, ar (did you mean `pca`?)",
        ],
    );
    check_batch(
        "[[detectors]]\nkind = \"pca\"\nparams = { n = [1] }",
        &["a.toml:3:16: `n` must be a text, a number or true or false, not a list"],
    );
    check_batch(
        "[alert]\nthreshold = nan\nsnooze = \"soon\"",
        &[
            "a.toml:2:13: `threshold` must be a finite number, not a float",
            "a.toml:3:10: `snooze` must be a duration as in \"6h\", or a count of points, not text",
        ],
    );
    check_batch(
        "[alert]\nchannels = [\"logs\"]",
        &["a.toml:2:13: there is no channel `logs` (did you mean `log`?)"],
    );
    check_batch(
        "[history]\nbackend = \"zarr\"",
        &["a.toml:2:11: `zarr` is not `parquet` (not available in this version)"],
    );
    check_batch(
        "[sink]\nkind = \"sql\"",
        &["a.toml:1:2: unknown key `sink` at the top of the file (not available in this version)"],
    );
    check_batch(
        "[absence]",
        &[
            "a.toml:1:2: `absence.after` is missing (write how long a metric may be silent, as in \"1h\")",
        ],
    );
    check_batch("[metrics.\"\"]", &["a.toml:1:10: a name must not be empty"]);
    check_batch(
        "[alert]\nthreshold = 99999999999999999999",
        &["a.toml:2:13: this number does not fit 64 bits"],
    );
}

#[test]
fn a_server_that_others_reach_needs_tokens_that_cannot_be_guessed() {
    check_system(
        "[server]\nhost = \"0.0.0.0\"",
        &[
            "anomstack.toml:2:8: `0.0.0.0` can be reached from outside this machine (say who may use it: [server.tokens.<name>] with a `role` and a `token`; or bind 127.0.0.1 or ::1)",
        ],
    );
    check_system(
        "[server]\nhost = \"0.0.0.0\"\n[server.tokens.a]\nrole = \"boss\"\ntoken = \"short\"",
        &[
            "anomstack.toml:4:8: `boss` is not one of viewer, operator, admin",
            "anomstack.toml:5:9: a token has at least 16 characters, printable ASCII without spaces (make one with `openssl rand -hex 24`)",
        ],
    );
    check_system(
        "[server.tokens.a]\ntoken = \"0123456789abcdef\"",
        &[
            "anomstack.toml:1:16: `server.tokens.a.role` is missing (write viewer (reads), operator (pushes and acts) or admin)",
        ],
    );
}

#[test]
fn the_system_file_is_checked() {
    check_system(
        "[server]\nhost = \"localhost\"",
        &["anomstack.toml:2:8: `localhost` is not an IP address (write 127.0.0.1 or ::1)"],
    );
    check_system(
        "[io]\nchunk_size = 0",
        &["anomstack.toml:2:14: `chunk_size` is 0; it must lie between 1 and 10000000"],
    );
    check_system(
        "[io]\ncompression = 1",
        &["anomstack.toml:2:15: `compression` must be true or false, not an integer"],
    );
    check_system(
        "[log]\nformat = \"jsonl\"",
        &["anomstack.toml:2:10: `jsonl` is not one of text, json (did you mean `json`?)"],
    );
    check_system("[channels]\nx = 1", &["anomstack.toml:2:5: `x` must be a table, not an integer"]);
    check_system(
        "[channels.x]\nkind = \"webhook\"\nurl = \"ftp://x\"\nsecret = \"short\"",
        &[
            "anomstack.toml:3:7: this is not an http:// or https:// address",
            "anomstack.toml:4:10: this is not a signing key (write `whsec_` and 24 to 64 bytes in base64)",
        ],
    );
    check_system(
        "[channels.x]\nkind = \"webhook\"\nurl = \"http://x\"\n\
         previous_secret = \"whsec_YzRuNHJ5YzRuNHJ5YzRuNHJ5YzRuNHJ5\"",
        &["anomstack.toml:4:1: `previous_secret` is the key before `secret`, which is missing"],
    );
    check_system(
        "[channels.x]\nkind = \"webhook\"\nurl = \"http://x\"\ntimeout = \"61s\"",
        &["anomstack.toml:4:11: `timeout` is 1m1s; it must be at most 1m"],
    );
    check_system(
        "[channels.x]\nkind = \"webhook\"\nurl = { file = \"nope\" }",
        &["anomstack.toml:3:16: cannot read this file: No such file or directory (os error 2)"],
    );
}

#[test]
fn paths_count_from_the_project_folder_and_the_log_channel_is_always_there() {
    let system =
        "[storage]\nroot = \"store\"\n[channels.audit]\nkind = \"file\"\npath = \"a.jsonl\"";
    let dir = project(&[(SYSTEM_FILE, system)]);
    let project = load(dir.path(), &Environment::default()).unwrap();
    assert_eq!(project.system.storage.root, dir.path().join("store"));
    let path = dir.path().join("a.jsonl");
    assert_eq!(project.system.channels["audit"].kind, ChannelKind::File { path });
    assert_eq!(project.system.channels["log"].kind, ChannelKind::Log);
}

#[test]
fn a_budget_is_checked() {
    check_batch(
        "[alert]\nthreshold = 0.9\nbudget = \"1/week\"",
        &["a.toml:3:1: `threshold` and `budget` say the same in two ways (leave one of them out)"],
    );
    check_batch(
        "[alert]\nbudget = \"weekly\"",
        &[
            "a.toml:2:10: `weekly` is no budget; write a number and day, week, month or year, as in \"1/week\"",
        ],
    );
}

#[test]
fn a_budget_takes_the_place_of_a_threshold_further_out_and_the_other_way_round() {
    let metrics = "[metrics.a]\nalert = { threshold = 0.95 }\n[metrics.b]\nalert = { smooth = 2 }\n\
                   [metrics.c]\nalert = { budget = \"1/month\" }\n";
    let own = format!("{SOURCE}[alert]\nbudget = \"1/week\"\n{metrics}");
    let defaults = "[alert]\nthreshold = 0.7\n";
    let dir = project(&[("metric_batches/a.toml", &own), (DEFAULTS_FILE, defaults)]);
    let spec = load(dir.path(), &Environment::default()).unwrap().batches.remove(0);
    let of = |name: &str| {
        let alert = spec.alert_for(&MetricName::parse(name).unwrap());
        (alert.budget.map(|budget| budget.to_string()), alert.threshold)
    };
    assert_eq!(of("other"), (Some("1/week".into()), 0.8));
    assert_eq!(of("a"), (None, 0.95));
    assert_eq!(of("b"), (Some("1/week".into()), 0.8));
    assert_eq!(of("c"), (Some("1/month".into()), 0.8));
    assert!(spec.effective.contains("budget = \"1/week\""), "{}", spec.effective);
}

#[test]
fn wrong_ends_and_groups_of_alerts_are_named() {
    check_batch(
        "[alert]\nresolve_after = -1\nresolve_below = 0\nmerge = 5\nremind = \"often\"\ngroup = \"tag:\"\nquiet_holidays = 1",
        &[
            "a.toml:2:17: `resolve_after` is -1; it must lie between 0 and 1000000",
            "a.toml:3:17: `resolve_below` is 0; it must be over 0 and at most 1",
            "a.toml:4:9: `merge` must be a text, not an integer",
            "a.toml:5:10: `often` is not a duration; write a whole number and a unit, as in 90s, 5m, 1h or 7d",
            "a.toml:6:9: `tag:` is neither \"metric\" nor \"batch\" nor \"tag:<key>\"",
            "a.toml:7:18: `quiet_holidays` must be true or false, not an integer",
        ],
    );
}
