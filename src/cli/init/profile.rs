//! What a sample of rows says about a table: how often rows come, and in which form they make
//! metrics. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{Span, Timestamp};

use super::table::{is_called_name, is_called_value};

/// Rows of a table, column by column.
#[derive(Debug, Clone, Default)]
pub(super) struct Sample {
    pub(super) times: Vec<Option<Timestamp>>,
    pub(super) texts: Vec<(String, Vec<Option<String>>)>,
    pub(super) numbers: Vec<String>,
}

/// How rows make metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    /// A row a metric and an instant.
    Long { name: String, value: String },
    /// A row a group and an instant, with several measurements.
    Groups { group: String, values: Vec<String> },
    /// A row an instant, a metric a column.
    Wide { values: Vec<String> },
    /// A row an event: they are counted, and their numbers summed up and averaged, by the step.
    Events { values: Vec<String> },
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Profile {
    pub(super) shape: Shape,
    /// Distance of two values of a metric.
    pub(super) step: Span,
    pub(super) newest: Timestamp,
    pub(super) n_times: usize,
}

/// Distances that people choose, in seconds.
const STEPS: &[i64] = &[
    1, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 14_400, 21_600,
    43_200, 86_400, 604_800,
];
/// Buckets for events, in seconds.
const EVENT_STEPS: &[i64] = &[60, 300, 900, 3_600, 86_400];
/// Fewer events than this in a bucket are mostly noise.
const EVENTS_A_BUCKET: f64 = 10.0;
/// A model wants at least this many buckets.
const MIN_BUCKETS: f64 = 60.0;
const MAX_GROUPS: usize = 200;
const MAX_VALUES: usize = 12;

/// Reads a sample; `None` when it holds fewer than two instants.
pub(super) fn profile(sample: &Sample) -> Option<Profile> {
    let all: BTreeSet<Timestamp> = sample.times.iter().flatten().copied().collect();
    let (oldest, newest) = (*all.first()?, *all.last()?);
    if oldest == newest {
        return None;
    }
    let cadence = cadence(&all);
    let (shape, step) = form(sample, &all, cadence);
    let span = (newest - oldest).as_secs_f64();
    let step = step.unwrap_or_else(|| event_step(sample.times.len() as f64, span));
    Some(Profile { shape, step, newest, n_times: all.len() })
}

/// The form, and the step where the rows have one by themselves.
fn form(
    sample: &Sample,
    all: &BTreeSet<Timestamp>,
    cadence: Option<Span>,
) -> (Shape, Option<Span>) {
    let mut values: Vec<String> = sample.numbers.clone();
    values.truncate(MAX_VALUES);
    let called_value = values.iter().find(|name| is_called_value(name)).cloned();
    let called_name = sample.texts.iter().find(|(name, _)| is_called_name(name));
    if let (Some((name, names)), Some(value)) = (called_name, &called_value) {
        let step = cadence.or_else(|| group_cadence(sample, names));
        return (Shape::Long { name: name.clone(), value: value.clone() }, step);
    }
    if !values.is_empty() {
        let n_rows = sample.times.len() as f64;
        if cadence.is_some() && n_rows <= all.len() as f64 * 1.02 {
            return (Shape::Wide { values }, cadence);
        }
        if let Some((group, step)) = group(sample, cadence) {
            let value = called_value.or_else(|| (values.len() == 1).then(|| values[0].clone()));
            let shape = match value {
                Some(value) => Shape::Long { name: group, value },
                None => Shape::Groups { group, values },
            };
            return (shape, Some(step));
        }
    }
    (Shape::Events { values }, None)
}

/// A text column that tells rows of one instant apart, each of its values coming regularly.
fn group(sample: &Sample, cadence: Option<Span>) -> Option<(String, Span)> {
    let mut candidates: Vec<_> = sample.texts.iter().collect();
    candidates.sort_by_key(|(name, _)| !is_called_name(name));
    candidates.into_iter().find_map(|(name, cells)| {
        let groups: BTreeSet<&Option<String>> = cells.iter().collect();
        let pairs: BTreeSet<_> = sample.times.iter().zip(cells).collect();
        let is_key = 0.95 * cells.len() as f64 <= pairs.len() as f64;
        let is_short = (2..=MAX_GROUPS).contains(&groups.len()) && 4 * groups.len() <= cells.len();
        let step = cadence.or_else(|| group_cadence(sample, cells));
        (is_key && is_short).then_some(())?;
        Some((name.clone(), step?))
    })
}

/// The distance of the rows of the most frequent group.
fn group_cadence(sample: &Sample, cells: &[Option<String>]) -> Option<Span> {
    let mut groups: BTreeMap<&Option<String>, BTreeSet<Timestamp>> = BTreeMap::new();
    for (at, cell) in sample.times.iter().zip(cells) {
        groups.entry(cell).or_default().extend(*at);
    }
    cadence(groups.values().max_by_key(|times| times.len())?)
}

/// The usual distance of two instants, when most of them keep it.
pub(super) fn cadence(times: &BTreeSet<Timestamp>) -> Option<Span> {
    let pairs = times.iter().zip(times.iter().skip(1));
    let mut gaps: Vec<f64> = pairs.map(|(a, b)| (*b - *a).as_secs_f64()).collect();
    gaps.sort_by(f64::total_cmp);
    let median = *gaps.get(gaps.len() / 2)?;
    let step = *STEPS.iter().find(|step| is_near(median, **step as f64))?;
    let n_near = gaps.iter().filter(|gap| is_near(**gap, step as f64)).count();
    (0.6 * gaps.len() as f64 <= n_near as f64).then_some(Span::secs(step))
}

fn is_near(gap: f64, step: f64) -> bool {
    (gap - step).abs() <= 0.1 * step
}

/// The shortest bucket with enough events in it, as long as there are enough buckets.
fn event_step(n_rows: f64, span: f64) -> Span {
    let wanted = EVENT_STEPS.iter().find(|step| EVENTS_A_BUCKET <= n_rows / span * **step as f64);
    let longest = EVENT_STEPS.iter().rev().find(|step| MIN_BUCKETS <= span / **step as f64);
    let (wanted, longest) = (*wanted.unwrap_or(&86_400), *longest.unwrap_or(&60));
    Span::secs(wanted.min(longest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows as (seconds, text of `who`).
    fn sample(rows: &[(i64, &str)], numbers: &[&str]) -> Sample {
        Sample {
            times: rows
                .iter()
                .map(|(secs, _)| Timestamp::from_secs(1_700_000_000 + secs))
                .collect(),
            texts: vec![("who".into(), rows.iter().map(|(_, who)| Some((*who).into())).collect())],
            numbers: numbers.iter().map(|name| (*name).into()).collect(),
        }
    }

    fn check(rows: &[(i64, &str)], numbers: &[&str]) -> (Shape, i64) {
        let found = profile(&sample(rows, numbers)).unwrap();
        (found.shape, found.step.micros() / 1_000_000)
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn one_row_an_hour_is_wide_even_with_a_gap() {
        let rows: Vec<(i64, &str)> =
            (0..50).filter(|i| i % 9 != 4).map(|i| (i * 3_600, "x")).collect();
        assert_eq!(check(&rows, &["a", "b"]), (Shape::Wide { values: names(&["a", "b"]) }, 3_600));
    }

    #[test]
    fn several_groups_an_instant_are_told_apart_by_their_text() {
        let rows: Vec<(i64, &str)> =
            (0..60).map(|i| (i / 3 * 60, ["eu", "us", "asia"][i as usize % 3])).collect();
        let one = Shape::Long { name: "who".into(), value: "load".into() };
        assert_eq!(check(&rows, &["load"]), (one, 60));
        let two = Shape::Groups { group: "who".into(), values: names(&["a", "b"]) };
        assert_eq!(check(&rows, &["a", "b"]), (two, 60));
    }

    #[test]
    fn rows_that_come_when_they_like_are_events_by_their_rate() {
        // Some 30 an hour, at no fixed distance.
        let rows: Vec<(i64, &str)> = (0_i64..4_000)
            .map(|i| (i * 120 + (i * i * 7_919) % 113, ["new", "paid"][i as usize % 2]))
            .collect();
        assert_eq!(
            check(&rows, &["amount"]),
            (Shape::Events { values: names(&["amount"]) }, 3_600)
        );
        let few: Vec<(i64, &str)> =
            (0_i64..40).map(|i| (i * 9_000 + (i * i * 7_919) % 4_001, "x")).collect();
        assert_eq!(check(&few, &[]).1, 3_600, "days would leave too few buckets");
    }

    #[test]
    fn one_instant_says_nothing() {
        assert_eq!(profile(&sample(&[(0, "a"), (0, "b")], &["n"])), None);
    }
}
