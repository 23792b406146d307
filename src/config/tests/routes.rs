//! `[[routes]]`: read as written, and what they cannot say.

use super::*;
use crate::domain::{AlertKind, Day, MessageEvent, RouteSpec, Severity};

const HOOK: &str = "[channels.pager]\nkind = \"log\"\n";

#[test]
fn a_route_is_read_as_written_and_reaches_every_batch() {
    let route = "[[routes]]\nchannels = [\"pager\"]\nbatches = [\"shop*\"]\nmetrics = [\"orders.*\"]\n\
                 tags = { team = \"sales\" }\nseverity = \"critical\"\nkinds = [\"absence\"]\n\
                 events = [\"firing\", \"resolved\"]\nhours = \"22:00-07:00\"\ndays = [\"sat\", \"sun\"]\n\
                 timezone = \"Europe/Dublin\"\nonly = true\n";
    let system = format!("{HOOK}{route}");
    let dir = project(&[(SYSTEM_FILE, &system), ("metric_batches/a.toml", SOURCE)]);
    let project = load(dir.path(), &Environment::default()).unwrap();
    let expected = RouteSpec {
        channels: vec!["pager".into()],
        batches: vec!["shop*".into()],
        metrics: vec!["orders.*".into()],
        tags: BTreeMap::from([("team".into(), "sales".into())]),
        severity: Some(Severity::Critical),
        kinds: vec![AlertKind::Absence],
        events: vec![MessageEvent::Firing, MessageEvent::Resolved],
        hours: Some("22:00-07:00".parse().unwrap()),
        days: vec![Day::Sat, Day::Sun],
        timezone: Some(chrono_tz::Europe::Dublin),
        only: true,
    };
    assert_eq!(*project.batches[0].routes, [expected]);
}

#[test]
fn what_a_route_cannot_say_is_reported_where_it_stands() {
    let with = |line: &str| format!("{HOOK}[[routes]]\nchannels = [\"pager\"]\n{line}\n");
    let nobody = format!("{HOOK}[[routes]]\nseverity = \"critical\"\n");
    let found = problems(&[(SYSTEM_FILE, &nobody)], &Environment::default());
    assert!(found[0].ends_with("`routes.channels` is missing (write who is told)"), "{found:?}");
    check_system(
        &format!("{HOOK}[[routes]]\nchannels = [\"pagr\"]\n"),
        &["anomstack.toml:4:13: there is no channel `pagr` (did you mean `pager`?)"],
    );
    check_system(
        &with("hours = \"at night\""),
        &["anomstack.toml:5:9: `at night` is not a stretch of the day (write from and to, as in \
           22:00-07:00)"],
    );
    check_system(
        &with("days = [\"mon\", \"sut\"]"),
        &[
            "anomstack.toml:5:16: `sut` is not one of mon, tue, wed, thu, fri, sat, sun (did you mean \
           `sat`?)",
        ],
    );
    check_system(
        &with("severity = \"high\""),
        &["anomstack.toml:5:12: `high` is not one of warning, critical"],
    );
    check_system(
        &with("events = [\"fired\"]"),
        &[
            "anomstack.toml:5:11: `fired` is not one of firing, escalated, reminder, resolved, storm, \
           digest, notice, test",
        ],
    );
    check_system(
        &with("metrics = [\"a[\"]"),
        &["anomstack.toml:5:12: `a[` is not a glob: unclosed character class; missing ']'"],
    );
    check_system(
        &with("timezone = \"Mars/Base\""),
        &["anomstack.toml:5:12: `Mars/Base` is not a time zone (write an IANA name, as in \
           Europe/Dublin)"],
    );
}
