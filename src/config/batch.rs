//! A batch's merged tree → [`BatchSpec`]. The built-in defaults are the arguments here;
//! `metric_batches/defaults.toml` as shipped says the same, and a test compares them.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use sha2::{Digest, Sha256};

use crate::domain::{
    AbsenceSpec, Aggregate, AlertSpec, BatchName, BatchSpec, Combine, DetectorKind, DetectorRole,
    DetectorSpec, ExcludedPeriod, FeatureSpec, HistorySpec, MetricName, MetricSpec, ScoreSpec,
    Span, StillSpec, Timestamp, TrainSpec,
};

use super::{
    alert, calendar,
    check::Check,
    document::Table,
    later::did_you_mean,
    place::{Located, Place},
    rules, schedule,
    section::{Section, read_file},
    source,
    values::{Refusal, refuse_word},
};

/// More would not fit in memory beside the series they are made from.
const MOST_LAGS: usize = 1_000;
const MOST_POINTS: usize = 10_000_000;

/// What a batch's file does not say itself.
pub(super) struct BatchContext<'a> {
    /// Its name, checked.
    pub(super) name: BatchName,
    /// Folders its `query_file` is looked for in.
    pub(super) query_dirs: &'a [PathBuf],
    /// The channels there are; unknown when the system file could not be read.
    pub(super) channels: Option<&'a [String]>,
}

/// Reads a whole batch. What it gives is only good when nothing was reported.
pub(super) fn read(
    table: Table,
    place: &Place,
    context: &BatchContext<'_>,
    check: &mut Check,
) -> BatchSpec {
    let (mut batch, shown) = read_file(table, place, check, |top| batch(top, context));
    batch.effective = toml::to_string(&shown).unwrap_or_default();
    // Secrets are hidden in it, so the hash, which is stored and shown, says nothing of them.
    let digest = Sha256::digest(batch.effective.as_bytes());
    batch.config_hash = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    batch
}

fn batch(top: &mut Section<'_>, context: &BatchContext<'_>) -> BatchSpec {
    top.ignore(&["name"]);
    top.show("name", context.name.as_str());
    top.show("description", "");
    let description = top.text("description").map_or(String::new(), |text| text.value.text);
    let owner = top.text("owner").map(|text| text.value.text);
    let timezone = timezone(top);
    let enabled = top.flag("enabled", true);
    let tags = top.labels("tags");
    let source = top.table("source", |section| source::read(section, context.query_dirs));
    let history = top.table("history", history);
    let features = top.table("features", features);
    let calendar = top.table("calendar", |section| calendar::read(section, timezone));
    let train = top.table("train", train);
    let detectors = detectors(top);
    let score = top.table("score", score);
    let alert =
        top.table("alert", |section| alert::read(section, &alert::built_in(), context.channels));
    let (absence, still) = absence(top);
    let rules = rules::read(top, still);
    let schedule = top.table("schedule", |section| schedule::read(section, rules.change.enabled));
    let metrics = metrics(top, &alert, context);
    BatchSpec {
        name: context.name.clone(),
        description,
        owner,
        timezone,
        enabled,
        tags,
        source,
        schedule,
        history,
        features,
        holidays: calendar.holidays,
        maintenance: calendar.maintenance,
        train,
        detectors,
        score,
        alert,
        absence,
        rules,
        metrics,
        routes: [].into(),
        explain: None,
        config_hash: String::new(),
        effective: String::new(),
    }
}

pub(super) fn timezone(top: &mut Section<'_>) -> chrono_tz::Tz {
    let zone = top.parsed("timezone", "a time zone", |text| {
        text.parse::<chrono_tz::Tz>().map_err(|_| Refusal {
            message: format!("`{text}` is not a time zone"),
            help: did_you_mean(text, chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()))
                .or_else(|| Some("write an IANA name, as in Europe/Dublin".into())),
        })
    });
    let zone = zone.map_or(chrono_tz::UTC, |zone| zone.value);
    top.show("timezone", zone.name());
    zone
}

fn history(history: &mut Section<'_>) -> HistorySpec {
    // Only one so far; the key is read so that later ones are told apart from typing mistakes.
    let parquet = |text: &str| match text {
        "parquet" => Ok(()),
        _ => Err(refuse_word(text, "history.backend", &["parquet"])),
    };
    history.parsed("backend", "a history backend", parquet);
    history.show("backend", "parquet");
    HistorySpec { retention: history.positive_span_or("retention", Span::days(365)) }
}

fn features(features: &mut Section<'_>) -> FeatureSpec {
    FeatureSpec {
        resample: features.positive_span("resample").map(|span| span.value),
        aggregate: features.word_or("aggregate", Aggregate::Mean),
        difference: features.count("difference", 0..=MOST_LAGS, 0),
        smooth: features.count("smooth", 0..=MOST_LAGS, 0),
        lags: features.count("lags", 0..=MOST_LAGS, 5),
    }
}

fn train(train: &mut Section<'_>) -> TrainSpec {
    let window = train.positive_span_or("window", Span::days(90));
    let place = train.key_place("min_points").or_else(|| train.key_place("max_points"));
    let min_points = train.count("min_points", 1..=MOST_POINTS, 30);
    let max_points = train.count("max_points", 1..=MOST_POINTS, 2_500);
    if max_points < min_points {
        let message = format!("`min_points` is {min_points}, over `max_points` {max_points}");
        train.check.problem(&place.unwrap_or(train.place.clone()), message);
    }
    let exclude = train.globs("exclude", &[]);
    let exclude_periods = train.tables("exclude_periods", excluded_period);
    let periods = exclude_periods.map_or(Vec::new(), |periods| periods.value);
    let exclude_periods = periods.into_iter().flatten().collect();
    TrainSpec { window, min_points, max_points, exclude, exclude_periods }
}

fn excluded_period(period: &mut Section<'_>) -> Option<ExcludedPeriod> {
    let reason = period.text("reason").map_or(String::new(), |text| text.value.text);
    let (from, to) = from_to(period)?;
    Some(ExcludedPeriod { from, to, reason })
}

/// `from` and `to` of a stretch of time.
pub(super) fn from_to(period: &mut Section<'_>) -> Option<(Timestamp, Timestamp)> {
    for key in ["from", "to"] {
        if !period.has(key) {
            period.missing(key, "write a date or time");
        }
    }
    let (from, to) = (period.instant("from"), period.instant("to"));
    let (from, to) = (from?, to?);
    if to.value <= from.value {
        period.check.problem(&to.place, "`to` does not come after `from`");
        return None;
    }
    Some((from.value, to.value))
}

fn detectors(top: &mut Section<'_>) -> Vec<DetectorSpec> {
    let auto = || DetectorSpec {
        kind: DetectorKind::Auto,
        tag: DetectorKind::Auto.to_string(),
        role: DetectorRole::Champion,
        params: BTreeMap::new(),
    };
    let Some(found) = top.tables("detectors", detector) else {
        let shown = toml::Table::from_iter([
            ("kind".to_owned(), DetectorKind::Auto.as_str().into()),
            ("tag".to_owned(), DetectorKind::Auto.as_str().into()),
            ("role".to_owned(), DetectorRole::Champion.as_str().into()),
        ]);
        top.show("detectors", vec![shown]);
        return vec![auto()];
    };
    if found.value.is_empty() {
        let help = "leave the key out to get the default, or name at least one";
        top.check.problem_with_help(&found.place, "there is no detector in this list", help);
    }
    let is_challenger = |spec: &DetectorSpec| spec.role == DetectorRole::Challenger;
    if let Some(first) = found.value.first()
        && found.value.iter().all(|one| is_challenger(&one.value))
    {
        let help = "leave `role` out at one of them: its scores are those that alert";
        top.check.problem_with_help(&first.place, "every detector is a challenger", help);
    }
    let mut tags = BTreeSet::new();
    for Located { value: spec, place } in &found.value {
        if !tags.insert(spec.tag.clone()) {
            let message = format!("two detectors have the tag `{}`", spec.tag);
            top.check.problem_with_help(place, message, "give each a `tag` of its own");
        }
    }
    found.value.into_iter().map(|found| found.value).collect()
}

fn detector(detector: &mut Section<'_>) -> Located<DetectorSpec> {
    if !detector.has("kind") {
        let kinds: Vec<_> = DetectorKind::ALL.iter().map(|kind| kind.as_str()).collect();
        detector.missing("kind", &format!("write one of {}", kinds.join(", ")));
    }
    let kind = detector.word::<DetectorKind>("kind");
    let tag = detector.parsed("tag", "a tag", |text| match is_tag(text) {
        true => Ok(text.to_owned()),
        false => Err(Refusal {
            message: format!("`{text}` is not a tag"),
            help: Some("a tag is 1 to 64 letters, digits, `_`, `-` or `.`".into()),
        }),
    });
    let role = detector.word_or("role", DetectorRole::Champion);
    let params_place = detector.key_place("params");
    let params = detector.params("params");
    let place = match (&tag, &kind) {
        (Some(tag), _) => tag.place.clone(),
        (None, Some(kind)) => kind.place.clone(),
        (None, None) => detector.place.clone(),
    };
    let kind = kind.map_or(DetectorKind::Auto, |kind| kind.value);
    let params_place = params_place.unwrap_or_else(|| place.clone());
    for problem in (detector.check.params_rule)(kind, &params) {
        detector.check.problem(&params_place, problem);
    }
    let tag = tag.map_or(kind.to_string(), |tag| tag.value);
    detector.show("tag", tag.as_str());
    Located { value: DetectorSpec { kind, tag, role, params }, place }
}

fn is_tag(text: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    (1..=64).contains(&text.len()) && text.chars().all(is_allowed)
}

fn score(score: &mut Section<'_>) -> ScoreSpec {
    ScoreSpec {
        combine: score.word_or("combine", Combine::Mean),
        window: score.positive_span_or("window", Span::days(14)),
        max_points: score.count("max_points", 1..=MOST_POINTS, 25),
        exclude: score.globs("exclude", &[]),
    }
}

fn absence(top: &mut Section<'_>) -> (Option<AbsenceSpec>, StillSpec) {
    if !top.has("absence") {
        top.ignore(&["absence"]);
        return (None, StillSpec::default());
    }
    top.table("absence", |absence| {
        if !["after", "frozen", "zeros", "rows_drop"].iter().any(|key| absence.has(key)) {
            absence.missing("after", "write how long a metric may be silent, as in \"1h\"");
        }
        let after = absence.positive_span("after").map(|after| after.value);
        let exclude = absence.globs("exclude", &[]);
        let still = rules::still(absence, exclude.clone());
        (after.map(|after| AbsenceSpec { after, exclude }), still)
    })
}

fn metrics(
    top: &mut Section<'_>,
    alert: &AlertSpec,
    context: &BatchContext<'_>,
) -> BTreeMap<MetricName, MetricSpec> {
    let mut metrics = BTreeMap::new();
    let shown = top.shown_table("alert");
    top.named("metrics", |name, place, section| {
        let name = MetricName::parse(name)
            .map_err(|error| section.check.problem(place, error.to_string()))
            .ok();
        let spec = MetricSpec {
            display_name: section.text("display_name").map(|text| text.value.text),
            unit: section.text("unit").map(|text| text.value.text),
            tags: section.labels("tags"),
            alert: metric_alert(section, alert, shown.clone(), context),
            thresholds: rules::of_metric(section),
        };
        metrics.extend(name.map(|name| (name, spec)));
    });
    metrics
}

fn metric_alert(
    metric: &mut Section<'_>,
    base: &AlertSpec,
    shown: toml::Table,
    context: &BatchContext<'_>,
) -> Option<AlertSpec> {
    if !metric.has("alert") {
        metric.ignore(&["alert"]);
        return None;
    }
    Some(metric.table("alert", |section| {
        section.inherit(shown);
        alert::read(section, base, context.channels)
    }))
}
