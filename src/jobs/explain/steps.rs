//! What the steps beside the gates tell.

use crate::{
    alerting::{self, Bar, LimitBook, MEMORY, Step, StepState},
    catalog::{
        alerts::AlertRow,
        feedback,
        outbox::DeliveryState,
        readings::{self, ReadingRow},
        retrace::{self, Told},
    },
    domain::{
        AlertKind, AlertSpec, AlertState, BatchSpec, ChangeSpec, Lasting, Limits, MetricName,
        ModelQuality, ScorePoint, Series, Span, Timestamp, words::number,
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

/// The rule that raised an alert of another kind than anomaly, as it is set today, and the silence
/// there was.
pub(super) async fn of_rule(
    archive: Archive<'_>,
    batch: &BatchSpec,
    row: &AlertRow,
) -> Result<Vec<Step>, JobError> {
    let alert = &row.alert;
    let spec = batch.alert_for(&alert.metric);
    let mut steps = vec![Step::told("rule", rule(batch, row)?)];
    if alert.kind == AlertKind::Threshold {
        let AlertSpec { delay, recent, resolve_after, .. } = spec;
        let detail = format!(
            "alert.delay {delay}, alert.recent {recent}, alert.resolve_after {resolve_after}"
        );
        steps.push(Step::told("course", detail));
    }
    let whose = (&batch.name, &alert.metric);
    let mut reader = archive.catalog.reader().await?;
    let asked = retrace::silence_at(&mut reader, whose, alert.at).await?;
    steps.extend(asked.map(|(until, author)| silence(until, &author)));
    Ok(steps)
}

fn rule(batch: &BatchSpec, row: &AlertRow) -> Result<String, JobError> {
    let rules = &batch.rules;
    let lasting = |key: &str, lasting: Option<Lasting>| match lasting {
        Some(Lasting::Time(span)) => format!("absence.{key} = {span}"),
        Some(Lasting::Points(n)) => format!("absence.{key} = {n} points"),
        None => format!("absence.{key} is not set any more"),
    };
    Ok(match row.alert.kind {
        AlertKind::Threshold => match LimitBook::of(batch)?.limits(&row.alert.metric) {
            Some(limits) => limits_in_words(limits),
            None => "no limit is set any more".to_owned(),
        },
        AlertKind::Change => {
            let ChangeSpec { threshold, points, detect_last, .. } = &rules.change;
            format!(
                "the median of the newest {detect_last} against up to {points} points before, over \
                 {} of their spreads",
                number(*threshold)
            )
        }
        AlertKind::Absence => match &batch.absence {
            Some(absence) => format!("absence.after = {}", absence.after),
            None => "absence.after is not set any more".to_owned(),
        },
        AlertKind::Frozen => lasting("frozen", rules.still.frozen),
        AlertKind::Zeros => lasting("zeros", rules.still.zeros),
        AlertKind::Rows => match rules.still.rows_drop {
            Some(share) => format!("absence.rows_drop = {}", number(share)),
            None => "absence.rows_drop is not set any more".to_owned(),
        },
        AlertKind::Anomaly => "its score is not stored any more".to_owned(),
        AlertKind::Pipeline => "[watch] of the project".to_owned(),
    })
}

fn limits_in_words(limits: &Limits) -> String {
    let Limits { upper, lower, critical_upper, critical_lower } = *limits;
    let set = [
        ("upper", upper),
        ("lower", lower),
        ("critical_upper", critical_upper),
        ("critical_lower", critical_lower),
    ];
    let set = set.into_iter().filter_map(|(key, limit)| Some(format!("{key} {}", number(limit?))));
    set.collect::<Vec<_>>().join(", ")
}

/// The bar that people's words had left over a threshold when a point was judged.
pub(super) async fn bar_at(
    archive: Archive<'_>,
    (batch, metric): (&BatchSpec, &MetricName),
    threshold: f64,
    (at, known): (Timestamp, Option<&AlertRow>),
) -> Result<Option<Bar>, JobError> {
    let mut reader = archive.catalog.reader().await?;
    let judged = match known {
        Some(row) => row.raised_at,
        None => retrace::judged_at(&mut reader, &batch.name, at).await?.unwrap_or(at),
    };
    let said = feedback::newest(&mut reader, &batch.name, judged - MEMORY).await?;
    let own = said.into_iter().filter(|(name, ..)| name == metric);
    let votes: Vec<_> = own.map(|(_, verdict, said_at)| (verdict, said_at)).collect();
    Ok(alerting::bar(threshold, &votes, judged))
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
