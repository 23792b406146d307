//! `[schedule]` of a batch: what makes each job due.

use std::collections::BTreeMap;

use crate::domain::{CronExpr, JobKind, Missed, ScheduleSpec, Span, Trigger};

use super::{
    later::did_you_mean,
    place::{Located, Place},
    section::Section,
    values::Refusal,
};

/// Each job's key and what it is when the file says nothing.
const JOBS: [(JobKind, &str); 5] = [
    (JobKind::Ingest, "*/5 * * * *"),
    (JobKind::Train, "0 3 * * *"),
    (JobKind::Score, "after ingest"),
    (JobKind::Alert, "after score"),
    (JobKind::Change, "after score"),
];

/// Schedules are kept to the second.
const SHORTEST_SPACING: Span = Span::secs(1);

/// Reads the triggers. Without the rules of a change its job has none.
pub(super) fn read(schedule: &mut Section<'_>, looks_for_change: bool) -> ScheduleSpec {
    let mut triggers = BTreeMap::new();
    let mut places = BTreeMap::new();
    for (job, default) in JOBS {
        let key = job.as_str();
        let found = schedule.parsed(key, "a schedule", |text| trigger(job, text));
        if job == JobKind::Change && !looks_for_change {
            continue;
        }
        if let Some(Located { value, place }) = found {
            triggers.insert(job, value);
            places.insert(job, place);
            continue;
        }
        if let Ok(value) = trigger(job, default) {
            triggers.insert(job, value);
        }
        schedule.show(key, default);
    }
    report_cycle(schedule, &triggers, &places);
    ScheduleSpec {
        triggers,
        missed: schedule.word_or("missed", Missed::Latest),
        jitter: schedule.span_or("jitter", Span::ZERO),
    }
}

fn trigger(job: JobKind, text: &str) -> Result<Trigger, Refusal> {
    let text = text.trim();
    if text == "never" {
        return Ok(Trigger::Never);
    }
    if let Some(spacing) = text.strip_prefix("every ") {
        let spacing = Span::parse(spacing)?;
        if spacing < SHORTEST_SPACING {
            let message = format!("`{text}` is too often; once a second is the most");
            return Err(Refusal { message, help: None });
        }
        return Ok(Trigger::Every(spacing));
    }
    if let Some(earlier) = text.strip_prefix("after ") {
        return after(job, earlier.trim());
    }
    CronExpr::parse(text).map(Trigger::Cron).map_err(|error| {
        let help = "write a cron expression, \"every 30s\", \"after ingest\" or \"never\"";
        Refusal { message: format!("{job}: {error}"), help: Some(help.into()) }
    })
}

fn after(job: JobKind, name: &str) -> Result<Trigger, Refusal> {
    match name.parse::<JobKind>() {
        Ok(earlier) if earlier == job => {
            Err(Refusal { message: format!("`{job}` cannot wait for itself"), help: None })
        }
        Ok(earlier) => Ok(Trigger::After(earlier)),
        Err(error) => Err(Refusal {
            help: did_you_mean(name, JobKind::ALL.iter().map(|job| job.as_str())),
            message: error.to_string(),
        }),
    }
}

/// Says once that jobs wait for each other in a circle, at the last of them that is written.
fn report_cycle(
    schedule: &mut Section<'_>,
    triggers: &BTreeMap<JobKind, Trigger>,
    places: &BTreeMap<JobKind, Place>,
) {
    let next = |job: &JobKind| match triggers.get(job) {
        Some(Trigger::After(earlier)) => Some(*earlier),
        _ => None,
    };
    for (start, _) in JOBS {
        let mut chain = vec![start];
        while let Some(earlier) = chain.last().and_then(next) {
            if earlier == start {
                let names: Vec<&str> = chain.iter().map(|job| job.as_str()).collect();
                let message = format!("jobs wait for each other: {} → {start}", names.join(" → "));
                let written = chain.iter().filter_map(|job| places.get(job));
                let place = written.max_by_key(|place| place.span.start).cloned();
                let place = place.unwrap_or(schedule.place.clone());
                let help = "give one of them a time of its own";
                schedule.check.problem_with_help(&place, message, help);
                return;
            }
            // Another circle that does not come back here; its own start reports it.
            if chain.contains(&earlier) {
                break;
            }
            chain.push(earlier);
        }
    }
}
