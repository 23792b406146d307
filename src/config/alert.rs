//! `[alert]` of a batch, and `alert` of a metric, which starts from the batch's.

use crate::domain::{AlertSpec, Direction, MinChange, Snooze, Span};

use super::{
    document::Value,
    later::did_you_mean,
    place::Located,
    section::Section,
    system::LOG_CHANNEL,
    values::{int, whole},
};

/// Series are shorter than this, so a larger count is a typing mistake.
const MOST_POINTS: usize = 1_000_000;

/// What a batch gets that says nothing.
pub(super) fn built_in() -> AlertSpec {
    AlertSpec {
        enabled: true,
        threshold: 0.8,
        smooth: 1,
        recent: 1,
        snooze: Snooze::Time(Span::hours(6)),
        direction: Direction::Both,
        min_change: MinChange::default(),
        delay: 1,
        exclude: Vec::new(),
        channels: vec![LOG_CHANNEL.to_owned()],
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
    AlertSpec {
        enabled: alert.flag("enabled", base.enabled),
        threshold: alert.number("threshold", SHARE, base.threshold),
        smooth: alert.count("smooth", 1..=MOST_POINTS, base.smooth),
        recent: alert.count("recent", 1..=MOST_POINTS, base.recent),
        snooze: snooze(alert, base.snooze),
        direction: alert.word_or("direction", base.direction),
        min_change: alert.table("min_change", |change| min_change(change, base.min_change)),
        delay: alert.count("delay", 1..=MOST_POINTS, base.delay),
        exclude: alert.globs("exclude", &base.exclude),
        channels: channel_names(alert, &base.channels, channels),
    }
}

fn snooze(alert: &mut Section<'_>, base: Snooze) -> Snooze {
    let read = |value: &Value| match value {
        Value::Text(text) | Value::Expanded(text) | Value::Override(text)
            if int(value).is_none() =>
        {
            Span::parse(text).ok().map(Snooze::Time)
        }
        value => usize::try_from(int(value)?).ok().map(Snooze::Points),
    };
    let what = "a duration as in \"6h\", or a count of points";
    let snooze = alert.get("snooze", what, read).map_or(base, |found| found.value);
    match snooze {
        Snooze::Time(span) => alert.show("snooze", span.to_string()),
        Snooze::Points(points) => alert.show("snooze", whole(points)),
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

fn channel_names(
    alert: &mut Section<'_>,
    base: &[String],
    known: Option<&[String]>,
) -> Vec<String> {
    let mut names = Vec::new();
    for Located { value, place } in alert.texts_or("channels", base) {
        if let Some(known) = known
            && !known.contains(&value.text)
        {
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            let message = match value.is_expanded {
                true => "there is no channel of this name".to_owned(),
                false => format!("there is no channel `{}`", value.text),
            };
            let help = did_you_mean(&value.text, known.iter().copied());
            let help = help.unwrap_or_else(|| format!("the channels are {}", known.join(", ")));
            alert.check.problem_with_help(&place, message, help);
        }
        names.push(value.text);
    }
    names
}
