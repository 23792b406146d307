//! `[[routes]]` of the system's file: who is told beside the channels that batches name.

use std::{collections::BTreeMap, str::FromStr};

use crate::domain::{ChannelSpec, Hours, RouteSpec, Severity, UnknownText};

use super::{
    channels::check_name,
    section::Section,
    values::{Refusal, refuse_word},
};

/// Reads every route; `channels` are those there are.
pub(super) fn read(
    section: &mut Section<'_>,
    channels: &BTreeMap<String, ChannelSpec>,
) -> Vec<RouteSpec> {
    let known: Vec<&str> = channels.keys().map(String::as_str).collect();
    section.tables("routes", |route| one(route, &known)).map_or_else(Vec::new, |all| all.value)
}

fn one(route: &mut Section<'_>, known: &[&str]) -> RouteSpec {
    if !route.has("channels") {
        route.missing("channels", "write who is told");
    }
    let names = route.texts_or("channels", &[]);
    for name in &names {
        check_name(route.check, name, known);
    }
    RouteSpec {
        channels: names.into_iter().map(|name| name.value.text).collect(),
        batches: route.globs("batches", &[]),
        metrics: route.globs("metrics", &[]),
        tags: route.labels("tags"),
        severity: route.word::<Severity>("severity").map(|found| found.value),
        kinds: words(route, "kinds"),
        events: words(route, "events"),
        hours: hours(route),
        days: words(route, "days"),
        timezone: route.has("timezone").then(|| super::batch::timezone(route)),
        only: route.flag("only", false),
    }
}

fn words<T: FromStr<Err = UnknownText>>(route: &mut Section<'_>, key: &'static str) -> Vec<T> {
    let path = route.general_path(key);
    let mut words = Vec::new();
    for word in route.texts_or(key, &[]) {
        match word.value.text.parse() {
            Ok(word) => words.push(word),
            Err(UnknownText { expected, .. }) => {
                let expected: Vec<&str> = expected.split(", ").collect();
                let Refusal { message, help } = refuse_word(&word.value.text, &path, &expected);
                match help {
                    _ if word.value.is_expanded => {
                        route.check.problem(&word.place, "this is not a known word");
                    }
                    Some(help) => route.check.problem_with_help(&word.place, message, help),
                    None => route.check.problem(&word.place, message),
                }
            }
        }
    }
    words
}

fn hours(route: &mut Section<'_>) -> Option<Hours> {
    let found = route.parsed("hours", "a stretch of the day", |text| {
        text.parse::<Hours>().map_err(|error| Refusal {
            message: error.to_string(),
            help: Some("write from and to, as in 22:00-07:00".into()),
        })
    });
    found.map(|found| found.value)
}
