//! How a channel's messages are dealt out: `rate`, `burst`, `on_ambiguous`, `max_age`, `storm`.

use crate::domain::{PaceSpec, Rate, Span};

use super::super::{
    section::Section,
    values::{Refusal, whole},
};

/// What `rate` says for "as many as there are".
const NO_RATE: &str = "none";
const MOST_AT_ONCE: usize = 10_000;
const MOST_WAITING: usize = 1_000_000;

/// Reads the keys on top of what is usual for the kind.
pub(super) fn read(channel: &mut Section<'_>, usual: PaceSpec) -> PaceSpec {
    let rate = rate(channel, usual.rate);
    // Without a burst of its own, a rate that was written brings what it gives in a second.
    let fits = rate.map_or(usual.burst, |rate| {
        let in_a_second = Span::secs(1).micros() / rate.distance().micros().max(1);
        u32::try_from(in_a_second).unwrap_or(u32::MAX).max(1)
    });
    let max_age = channel.span_or("max_age", usual.max_age.unwrap_or(Span::ZERO));
    PaceSpec {
        rate,
        burst: number(channel, "burst", 1, (MOST_AT_ONCE, fits)),
        on_ambiguous: channel.word_or("on_ambiguous", usual.on_ambiguous),
        max_age: (Span::ZERO < max_age).then_some(max_age),
        storm: Some(number(channel, "storm", 0, (MOST_WAITING, usual.storm.unwrap_or(0))))
            .filter(|storm| 0 < *storm),
    }
}

fn rate(channel: &mut Section<'_>, usual: Option<Rate>) -> Option<Rate> {
    let found = channel.parsed("rate", "a rate", |text| match text {
        NO_RATE => Ok(None),
        _ => text.parse::<Rate>().map(Some).map_err(|error| Refusal {
            message: error.to_string(),
            help: Some(format!(
                "write messages in a unit of time, as in 1/s, 30/min or 100/h; or {NO_RATE}"
            )),
        }),
    });
    let rate = found.map_or(usual, |found| found.value);
    channel.show("rate", rate.map_or_else(|| NO_RATE.to_owned(), |rate| rate.to_string()));
    rate
}

fn number(
    channel: &mut Section<'_>,
    key: &'static str,
    least: usize,
    (most, usual): (usize, u32),
) -> u32 {
    let usual = usize::try_from(usual).unwrap_or(most).min(most);
    let number = channel.count(key, least..=most, usual);
    channel.show(key, whole(number));
    u32::try_from(number).unwrap_or(u32::MAX)
}
