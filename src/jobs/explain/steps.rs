//! What the steps beside the gates tell.

use crate::{
    alerting::{Step, StepState},
    catalog::{
        alerts::AlertRow,
        outbox::DeliveryState,
        readings::{self, ReadingRow},
        retrace::{self, Told},
    },
    domain::{
        AlertSpec, AlertState, BatchSpec, MetricName, ModelQuality, ScorePoint, Series, Span,
        Timestamp, words::number,
    },
    jobs::JobError,
};

use super::{Archive, Recomputed};

/// What was observed, and whether that is the instant that was asked for.
pub(super) fn observed(
    batch: &BatchSpec,
    series: &Series,
    (at, asked): (Timestamp, Timestamp),
) -> Step {
    let length = batch.features.resample.unwrap_or(Span::from_micros(1));
    let from = series.at.partition_point(|point| *point < at);
    let to = series.at.partition_point(|point| *point < at + length);
    let detail = match (&series.value[from..to], batch.features.resample) {
        ([], _) => format!("the observation of {at} is not stored any more"),
        ([value], None) => format!("{} at {at}", number(*value)),
        (values, _) => {
            let how = batch.features.aggregate;
            format!("{} observations from {at}, taken together by `{how}`", values.len())
        }
    };
    let is_other = asked.floor(length) != at;
    let note = if is_other { format!(", the newest up to {asked}") } else { String::new() };
    Step::told("observed", detail + &note)
}

/// The stored score, and what came of making it again.
pub(super) fn score(point: &ScorePoint, recomputed: &Recomputed) -> Step {
    let expected = point.band.map(|band| {
        let [expected, lower, upper] = [band.expected, band.lower, band.upper].map(number);
        let place = match point.value {
            value if band.upper < value => format!("it was {} above", number(value - band.upper)),
            value if value < band.lower => format!("it was {} below", number(band.lower - value)),
            _ => "inside".to_owned(),
        };
        format!(", expected {lower} to {upper} ({expected}), {place}:")
    });
    let check = match recomputed {
        Recomputed::Same => "made again bit for bit".to_owned(),
        Recomputed::Other { score: Some(score), why } => format!("{score} today: {why}"),
        Recomputed::Other { score: None, why } => format!("none today: {why}"),
        Recomputed::Impossible { why } => format!("cannot be made again: {why}"),
    };
    let (value, expected) = (number(point.value), expected.unwrap_or_else(|| ":".to_owned()));
    let detail = format!("{value}{expected} {} by model {}; {check}", point.score, point.model);
    Step::told("score", detail)
}

/// The score a point was judged by. A training between may have had it scored again: an alert then
/// tells what its score was, unless that is a mean.
pub(super) fn as_judged(
    point: ScorePoint,
    known: Option<&AlertRow>,
    spec: &AlertSpec,
) -> (ScorePoint, Option<Step>) {
    let Some((row, model)) = known.and_then(|row| Some((row, row.alert.model.clone()?))) else {
        return (point, None);
    };
    if model == point.model {
        return (point, None);
    }
    let detail = format!("since then model {} has made it {}", point.model, point.score);
    let judged = match (row.alert.value, row.alert.score) {
        (Some(value), Some(score)) if spec.smooth <= 1 => {
            ScorePoint { value, score, band: row.alert.band, model, ..point }
        }
        _ => point,
    };
    (judged, Some(Step::told("rescored", detail)))
}

/// Where the threshold comes from.
pub(super) fn origin(
    batch: &BatchSpec,
    metric: &MetricName,
    (threshold, quality): (f64, Option<&ModelQuality>),
) -> String {
    let own = batch.metrics.get(metric).and_then(|spec| spec.alert.as_ref());
    let whose = if own.is_some() { "the metric" } else { "the batch" };
    let spec = batch.alert_for(metric);
    let found = quality.and_then(|quality| quality.calibration.as_ref());
    match (spec.budget, found) {
        (Some(budget), Some(found)) if found.budget == budget && found.threshold == threshold => {
            let (days, doubt) = (found.days, &found.doubt);
            let doubt = doubt.as_ref().map(|doubt| format!("; {doubt}")).unwrap_or_default();
            format!("from the budget {budget} and {days:.1} days of its own scores{doubt}")
        }
        _ if spec.threshold_by(quality) != threshold => "as set when it was judged".to_owned(),
        (Some(budget), _) => format!("until the budget {budget} gives one"),
        (None, _) => format!("set for {whose}"),
    }
}

/// A silence somebody asked for: the alert is stored, nobody is told.
pub(super) fn silence(until: Timestamp, author: &str) -> Step {
    Step::told("silence", format!("{author} asked for silence until {until}"))
}

/// What is known of an alert that no score made, or whose score is gone.
pub(super) fn of_row(row: &AlertRow) -> Vec<Step> {
    let alert = &row.alert;
    let mut steps = vec![Step::told("kind", alert.kind.as_str())];
    steps.extend(alert.value.map(|value| Step::told("observed", number(value))));
    let compared = alert.score.zip(alert.threshold);
    steps.extend(compared.map(|(score, threshold)| {
        Step::new("threshold", StepState::Passed, format!("{score} at the threshold {threshold}"))
    }));
    steps
}

/// What became of an alert: how long it lasted, whom it was told.
pub(super) async fn aftermath(archive: Archive<'_>, row: &AlertRow) -> Result<Vec<Step>, JobError> {
    let episode = &row.episode;
    let lasted = match (episode.state, episode.resolved_at, episode.resolution) {
        (AlertState::Resolved, Some(at), Some(how)) => {
            format!("from {} to {}; resolved at {at}: {how}", row.alert.since, episode.until)
        }
        _ => format!("since {}; goes on, last seen at {}", row.alert.since, episode.until),
    };
    let mut reader = archive.catalog.reader().await?;
    let told = retrace::told(&mut reader, &row.alert.id).await?;
    let reading = readings::of(&mut reader, &row.alert.id).await?;
    let mut steps = vec![Step::told("episode", lasted)];
    steps.extend(reading.map(|reading| Step::told("explanation", said(&reading))));
    if told.is_empty() {
        steps.push(Step::told("delivery", "nobody was to be told"));
    }
    steps.extend(told.iter().map(delivery));
    Ok(steps)
}

/// What a language model said, or why it said nothing.
fn said(reading: &ReadingRow) -> String {
    match (&reading.words, &reading.error) {
        (Some(words), _) => format!("{}: {}", words.label(), words.text),
        (None, Some(error)) => format!("none: {error}"),
        (None, None) => "a language model is being asked".to_owned(),
    }
}

fn delivery(told: &Told) -> Step {
    let Told { event, channel, state, attempts, .. } = told;
    let others = match told.n_alerts {
        0 | 1 => String::new(),
        n => format!(" with {} others", n - 1),
    };
    let when = match (state, told.ended_at) {
        (DeliveryState::Sent, Some(at)) => format!("sent at {at}"),
        (_, Some(at)) => format!("{state} at {at}"),
        (_, None) => format!("{state} since {}", told.first_at),
    };
    let error = told.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
    let detail = format!("{event}{others} to `{channel}`: {when}, {attempts} attempts{error}");
    Step::told("delivery", detail)
}
