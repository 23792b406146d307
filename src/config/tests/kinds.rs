//! Rules that need no model: how they are written, and what is said of mistakes in them.

use super::*;
use crate::domain::{JobKind, Lasting, Limits, MetricName, Snooze, Span, Trigger};

#[test]
fn limits_are_read_for_names_patterns_and_one_metric() {
    let spec = batch(&format!(
        "{SOURCE}
[thresholds.\"orders.*\"]
upper = 1000
lower = 0.5
critical_upper = 2000
[metrics.\"orders.total\"]
thresholds = {{ lower = -1 }}
"
    ));
    let limits = Limits {
        upper: Some(1000.0),
        lower: Some(0.5),
        critical_upper: Some(2000.0),
        critical_lower: None,
    };
    assert_eq!(spec.rules.thresholds["orders.*"], limits);
    let own = spec.metrics[&MetricName::parse("orders.total").unwrap()].thresholds;
    assert_eq!(own, Some(Limits { lower: Some(-1.0), ..Limits::default() }));
    assert!(spec.effective.contains("critical_upper = 2000.0"), "{}", spec.effective);
}

#[test]
fn wrong_limits_are_reported() {
    check_batch(
        "[thresholds.\"a[\"]\nupper = 1\n",
        &["a.toml:1:13: `a[` is no name and no glob: unclosed character class; missing ']'"],
    );
    check_batch(
        "[thresholds.orders]\n",
        &[
            "a.toml:1:13: there is no limit in this table (write `upper`, `lower`, `critical_upper` or `critical_lower`)",
        ],
    );
    check_batch(
        "[thresholds.orders]\nupper = 1\nlower = 2\n",
        &["a.toml:1:13: `lower` is 2, over `upper` 1"],
    );
    check_batch(
        "[thresholds.orders]\nupper = 5\ncritical_upper = 2\n",
        &["a.toml:1:13: `upper` is 5, over `critical_upper` 2"],
    );
    check_batch(
        "[thresholds.orders]\nuper = \"high\"\nlower = inf\n",
        &[
            "a.toml:1:13: there is no limit in this table (write `upper`, `lower`, `critical_upper` or `critical_lower`)",
            "a.toml:2:1: unknown key `uper` in [thresholds.orders] (did you mean `upper`?)",
            "a.toml:3:9: `lower` must be a finite number, not a float",
        ],
    );
}

#[test]
fn the_job_of_a_change_runs_after_score_where_it_is_looked_for() {
    let without = batch(SOURCE);
    assert_eq!(without.schedule.triggers.get(&JobKind::Change), None);
    assert!(!without.jobs().contains(&JobKind::Change));
    let with = batch(&format!("{SOURCE}\n[change]\nenabled = true\nsnooze = 12\n"));
    assert_eq!(with.schedule.triggers[&JobKind::Change], Trigger::After(JobKind::Score));
    assert_eq!(with.jobs().last(), Some(&JobKind::Change));
    let change = &with.rules.change;
    assert_eq!((change.threshold, change.points, change.detect_last), (3.5, 250, 1));
    assert_eq!(change.snooze, Snooze::Points(12));
    let nightly = format!("{SOURCE}\n[change]\nenabled = true\n[schedule]\nchange = \"@daily\"\n");
    assert!(matches!(batch(&nightly).schedule.triggers[&JobKind::Change], Trigger::Cron(_)));
}

#[test]
fn a_wrong_change_is_reported() {
    check_batch(
        "[change]\nthreshold = 0\npoints = 5\ndetect_last = 0\nsnooze = \"soon\"\n",
        &[
            "a.toml:2:13: `threshold` is 0; it must be over 0",
            "a.toml:3:10: `points` is 5; it must lie between 20 and 1000000",
            "a.toml:4:15: `detect_last` is 0; it must lie between 1 and 1000000",
            "a.toml:5:10: `snooze` must be a duration as in \"6h\", or a count of points, not text",
        ],
    );
    check_batch(
        "[change]\npoints = 40\ndetect_last = 30\n",
        &["a.toml:2:1: `points` is 40, less than twice `detect_last` 30"],
    );
}

#[test]
fn absence_is_of_rows_values_and_zeros() {
    let text = "[absence]\nafter = \"1h\"\nfrozen = 20\nzeros = \"3h\"\nrows_drop = 0.5\n\
                exclude = [\"test_*\"]\n";
    let spec = batch(&format!("{SOURCE}\n{text}"));
    assert_eq!(spec.absence.unwrap().exclude, ["test_*"]);
    let still = spec.rules.still;
    assert_eq!(still.frozen, Some(Lasting::Points(20)));
    assert_eq!(still.zeros, Some(Lasting::Time(Span::hours(3))));
    assert_eq!((still.rows_drop, still.exclude), (Some(0.5), vec!["test_*".to_owned()]));
    let only = batch(&format!("{SOURCE}\n[absence]\nfrozen = \"6h\"\n"));
    assert!(only.absence.is_none());
    check_batch(
        "[absence]\nfrozen = 1\nzeros = \"0s\"\nrows_drop = 2\n",
        &[
            "a.toml:2:1: `frozen` must be longer than nothing, or at least 2 points",
            "a.toml:3:1: `zeros` must be longer than nothing, or at least 2 points",
            "a.toml:4:13: `rows_drop` is 2; it must be over 0 and at most 1",
        ],
    );
}

#[test]
fn the_watch_and_the_digest_are_read_and_their_mistakes_reported() {
    let dir = project(&[(
        SYSTEM_FILE,
        "[watch]\njob_failures = 5\nmodel_max_age = \"7d\"\n[watch.heartbeat]\n\
         url = \"https://hc.example/x\"\nevery = \"5m\"\n[digest]\nat = \"0 7 * * MON\"\n\
         timezone = \"Europe/Dublin\"\n",
    )]);
    let system = load(dir.path(), &Environment::default()).unwrap().system;
    assert_eq!((system.watch.job_failures, system.watch.disk_low), (5, 1 << 30));
    assert_eq!(system.watch.model_max_age, Some(Span::days(7)));
    assert_eq!(system.watch.heartbeat.unwrap().every, Span::secs(300));
    let digest = system.digest.unwrap();
    assert_eq!((digest.timezone, digest.channels), (chrono_tz::Europe::Dublin, vec!["log".into()]));
    check_system(
        "[watch]\njob_failures = 0\nlate = \"0s\"\nchannels = [\"pager\"]\n[watch.heartbeat]\n\
         every = \"1m\"\n",
        &[
            "anomstack.toml:2:16: `job_failures` is 0; it must lie between 1 and 1000",
            "anomstack.toml:3:8: `late` must be longer than nothing",
            "anomstack.toml:4:13: there is no channel `pager` (the channels are log)",
            "anomstack.toml:5:8: `watch.heartbeat.url` is missing (write the address that is called while the daemon works)",
        ],
    );
    let files = [(SYSTEM_FILE, "[digest]\nat = \"daily\"\n")];
    let found = problems(&files, &Environment::default());
    assert!(found[0].starts_with("anomstack.toml:2:6: "), "{found:?}");
    let files = [(SYSTEM_FILE, "[digest]\nchannels = []\n")];
    let found = problems(&files, &Environment::default());
    assert!(found[0].contains("`channels` names nobody"), "{found:?}");
}

#[test]
fn explanations_are_off_until_an_endpoint_and_a_model_are_named() {
    let explain = |text: &str| {
        let dir = project(&[(SYSTEM_FILE, text)]);
        load(dir.path(), &Environment::default()).unwrap().system.explain
    };
    assert_eq!(explain(""), None);
    let text = "[explain]\nurl = \"https://llm.example/v1\"\nmodel = \"tiny\"\n";
    assert_eq!(explain(text), None);
    let spec = explain(&format!("{text}enabled = true\ntimeout = \"3s\"\n")).unwrap();
    assert_eq!((spec.model.as_str(), spec.timeout), ("tiny", Span::secs(3)));
    assert_eq!((spec.max_tokens, spec.daily_limit, spec.allow_private), (300, 200, false));
    check_system(
        "[explain]\nenabled = true\ntimeout = \"10m\"\nmax_tokens = 0\n",
        &[
            "anomstack.toml:1:2: `explain.model` is missing (write which model is asked)",
            "anomstack.toml:1:2: `explain.url` is missing (write where the endpoint is, as in https://api.example.com/v1)",
            "anomstack.toml:3:11: `timeout` is 10m; it must be at most 1m",
            "anomstack.toml:4:14: `max_tokens` is 0; it must lie between 1 and 4096",
        ],
    );
}
