//! `[alert]` of a batch, and `alert` of a metric, which starts from the batch's.

use std::cmp::Ordering;

use crate::domain::{AlertSpec, Budget, Direction, Grouping, MinChange, Snooze, Span};

use super::{
    DEFAULTS_FILE,
    channels::{LOG_CHANNEL, check_name},
    document::Value,
    place::Place,
    section::Section,
    values::{Refusal, int, whole},
};

/// Series are shorter than this, so a larger count is a typing mistake.
const MOST_POINTS: usize = 1_000_000;
/// Whoever waits for longer wants a digest.
const LONGEST_GROUP_WAIT: Span = Span::hours(1);

/// What a batch gets that says nothing.
pub(super) fn built_in() -> AlertSpec {
    AlertSpec {
        enabled: true,
        threshold: 0.8,
        budget: None,
        smooth: 1,
        recent: 1,
        snooze: Snooze::Time(Span::hours(6)),
        direction: Direction::Both,
        min_change: MinChange::default(),
        delay: 1,
        exclude: Vec::new(),
        channels: vec![LOG_CHANNEL.to_owned()],
        resolve_after: 3,
        resolve_below: 0.9,
        merge: Span::ZERO,
        remind: None,
        group: Grouping::Batch,
        group_wait: Span::ZERO,
        quiet_holidays: false,
    }
}

/// Reads alert settings on top of others. `channels` are the names there are; without them, any
/// name is taken.
pub(super) fn read(
    alert: &mut Section<'_>,
    base: &AlertSpec,
    channels: Option<&[String]>,
) -> AlertSpec {
    const SHARE: (fn(f64) -> bool, &str) =
        (|share| 0.0 < share && share <= 1.0, "over 0 and at most 1");
    let written = which(alert);
    let (threshold, budget) = match written {
        Written::Budget => {
            alert.hide("threshold");
            (base.threshold, budget(alert))
        }
        Written::Threshold => {
            alert.hide("budget");
            (alert.number("threshold", SHARE, base.threshold), None)
        }
        Written::Neither if base.budget.is_some() => (base.threshold, base.budget),
        Written::Neither => (alert.number("threshold", SHARE, base.threshold), None),
    };
    AlertSpec {
        enabled: alert.flag("enabled", base.enabled),
        threshold,
        budget,
        smooth: alert.count("smooth", 1..=MOST_POINTS, base.smooth),
        recent: alert.count("recent", 1..=MOST_POINTS, base.recent),
        snooze: snooze(alert, base.snooze),
        direction: alert.word_or("direction", base.direction),
        min_change: alert.table("min_change", |change| min_change(change, base.min_change)),
        delay: alert.count("delay", 1..=MOST_POINTS, base.delay),
        exclude: alert.globs("exclude", &base.exclude),
        channels: channel_names(alert, &base.channels, channels),
        resolve_after: alert.count("resolve_after", 0..=MOST_POINTS, base.resolve_after),
        resolve_below: alert.number("resolve_below", SHARE, base.resolve_below),
        merge: alert.span_or("merge", base.merge),
        remind: Some(alert.span_or("remind", base.remind.unwrap_or(Span::ZERO)))
            .filter(|every| Span::ZERO < *every),
        group: grouping(alert, &base.group),
        group_wait: group_wait(alert, base.group_wait),
        quiet_holidays: alert.flag("quiet_holidays", base.quiet_holidays),
    }
}

/// Which of two keys that say the same in different ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    Threshold,
    Budget,
    Neither,
}

/// The environment counts more than the batch's file, and that more than the defaults; at one level
/// only one of them may be written.
fn which(alert: &mut Section<'_>) -> Written {
    let level = |place: &Place| match place.file.name.as_str() {
        DEFAULTS_FILE => 0,
        name if name.ends_with(".toml") => 1,
        _ => 2,
    };
    match (alert.key_place("threshold"), alert.key_place("budget")) {
        (None, None) => Written::Neither,
        (Some(_), None) => Written::Threshold,
        (None, Some(_)) => Written::Budget,
        (Some(threshold), Some(budget)) => match level(&threshold).cmp(&level(&budget)) {
            Ordering::Less => Written::Budget,
            Ordering::Greater => Written::Threshold,
            Ordering::Equal => {
                let message = "`threshold` and `budget` say the same in two ways";
                alert.check.problem_with_help(&budget, message, "leave one of them out");
                Written::Budget
            }
        },
    }
}

fn budget(alert: &mut Section<'_>) -> Option<Budget> {
    let found = alert.parsed("budget", "a budget of alerts", |text| {
        text.parse::<Budget>().map_err(|error| Refusal { message: error.to_string(), help: None })
    });
    let budget = found.map(|found| found.value)?;
    alert.show("budget", budget.to_string());
    Some(budget)
}

fn group_wait(alert: &mut Section<'_>, base: Span) -> Span {
    let place = alert.key_place("group_wait");
    let wait = alert.span_or("group_wait", base);
    match place.filter(|_| LONGEST_GROUP_WAIT < wait) {
        Some(place) => {
            let message =
                format!("`group_wait` is {wait}; it must be at most {LONGEST_GROUP_WAIT}");
            alert.check.problem(&place, message);
            base
        }
        None => wait,
    }
}

fn grouping(alert: &mut Section<'_>, base: &Grouping) -> Grouping {
    let found = alert.parsed("group", "a way of grouping", |text| {
        text.parse::<Grouping>().map_err(|error| Refusal { message: error.to_string(), help: None })
    });
    let group = found.map_or_else(|| base.clone(), |found| found.value);
    alert.show("group", group.to_string());
    group
}

/// A duration, or a count of points.
pub(super) fn time_or_points(value: &Value) -> Option<Snooze> {
    match value {
        Value::Text(text) | Value::Expanded(text) | Value::Override(text)
            if int(value).is_none() =>
        {
            Span::parse(text).ok().map(Snooze::Time)
        }
        value => usize::try_from(int(value)?).ok().map(Snooze::Points),
    }
}

/// `snooze`, which `[change]` has too.
pub(super) fn snooze(section: &mut Section<'_>, base: Snooze) -> Snooze {
    let what = "a duration as in \"6h\", or a count of points";
    let snooze = section.get("snooze", what, time_or_points).map_or(base, |found| found.value);
    match snooze {
        Snooze::Time(span) => section.show("snooze", span.to_string()),
        Snooze::Points(points) => section.show("snooze", whole(points)),
    }
    snooze
}

fn min_change(change: &mut Section<'_>, base: MinChange) -> MinChange {
    const SIZE: (fn(f64) -> bool, &str) = (|size| 0.0 <= size, "0 or more");
    MinChange {
        absolute: change.number("absolute", SIZE, base.absolute),
        relative: change.number("relative", SIZE, base.relative),
    }
}

/// Names of channels. `known` are those there are; without them, any name is taken.
pub(super) fn channel_names(
    alert: &mut Section<'_>,
    base: &[String],
    known: Option<&[String]>,
) -> Vec<String> {
    let mut names = Vec::new();
    for name in alert.texts_or("channels", base) {
        if let Some(known) = known {
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            check_name(alert.check, &name, &known);
        }
        names.push(name.value.text);
    }
    names
}
