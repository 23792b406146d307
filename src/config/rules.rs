//! `[thresholds]`, `[change]` and what `[absence]` says beside `after`: rules that need no model.

use std::collections::BTreeMap;

use crate::domain::{ChangeSpec, Lasting, Limits, RuleSpec, Snooze, Span, StillSpec};

use super::{alert, place::Place, section::Section, values::whole};

/// Series are shorter than this, so a larger count is a typing mistake.
const MOST_POINTS: usize = 1_000_000;
/// Fewer say nothing of a usual level.
const LEAST_REFERENCE: usize = 10;
const ANY: (fn(f64) -> bool, &str) = (|_| true, "a number");

/// Reads `[thresholds]` and `[change]`; `still` comes from `[absence]`.
pub(super) fn read(top: &mut Section<'_>, still: StillSpec) -> RuleSpec {
    let mut thresholds = BTreeMap::new();
    top.named("thresholds", |name, place, section| {
        if let Err(error) = globset::Glob::new(name) {
            let message = format!("`{name}` is no name and no glob: {}", error.kind());
            section.check.problem(place, message);
        }
        thresholds.extend(limits(section, place).map(|limits| (name.to_owned(), limits)));
    });
    RuleSpec { thresholds, change: top.table("change", change), still }
}

/// `thresholds` of one metric.
pub(super) fn of_metric(metric: &mut Section<'_>) -> Option<Limits> {
    let Some(place) = metric.key_place("thresholds") else {
        metric.ignore(&["thresholds"]);
        return None;
    };
    metric.table("thresholds", |section| limits(section, &place))
}

fn limits(section: &mut Section<'_>, place: &Place) -> Option<Limits> {
    let limits = Limits {
        upper: section.optional_number("upper", ANY),
        lower: section.optional_number("lower", ANY),
        critical_upper: section.optional_number("critical_upper", ANY),
        critical_lower: section.optional_number("critical_lower", ANY),
    };
    if limits == Limits::default() {
        let help = "write `upper`, `lower`, `critical_upper` or `critical_lower`";
        section.check.problem_with_help(place, "there is no limit in this table", help);
        return None;
    }
    let Limits { upper, lower, critical_upper, critical_lower } = limits;
    // In this order no limit may be over the next.
    let ordered = [
        ("critical_lower", critical_lower),
        ("lower", lower),
        ("upper", upper),
        ("critical_upper", critical_upper),
    ];
    let written: Vec<(&str, f64)> =
        ordered.into_iter().filter_map(|(key, limit)| Some((key, limit?))).collect();
    for pair in written.windows(2) {
        let [(below, low), (above, high)] = [pair[0], pair[1]];
        if high < low {
            section.check.problem(place, format!("`{below}` is {low}, over `{above}` {high}"));
        }
    }
    Some(limits)
}

fn change(change: &mut Section<'_>) -> ChangeSpec {
    const OVER_ZERO: (fn(f64) -> bool, &str) = (|number| 0.0 < number, "over 0");
    let base = ChangeSpec::default();
    let points_place = change.key_place("points").unwrap_or(change.place.clone());
    let spec = ChangeSpec {
        enabled: change.flag("enabled", base.enabled),
        threshold: change.number("threshold", OVER_ZERO, base.threshold),
        points: change.count("points", 2 * LEAST_REFERENCE..=MOST_POINTS, base.points),
        detect_last: change.count("detect_last", 1..=MOST_POINTS, base.detect_last),
        snooze: alert::snooze(change, base.snooze),
        exclude: change.globs("exclude", &base.exclude),
    };
    if spec.points < spec.detect_last.saturating_mul(2) {
        let message = format!(
            "`points` is {}, less than twice `detect_last` {}",
            spec.points, spec.detect_last
        );
        change.check.problem(&points_place, message);
    }
    spec
}

/// What `[absence]` says of rows that come.
pub(super) fn still(absence: &mut Section<'_>, exclude: Vec<String>) -> StillSpec {
    const SHARE: (fn(f64) -> bool, &str) =
        (|share| 0.0 < share && share <= 1.0, "over 0 and at most 1");
    StillSpec {
        frozen: lasting(absence, "frozen"),
        zeros: lasting(absence, "zeros"),
        rows_drop: absence.optional_number("rows_drop", SHARE),
        exclude,
    }
}

fn lasting(section: &mut Section<'_>, key: &'static str) -> Option<Lasting> {
    let place = section.key_place(key);
    let what = "a duration as in \"6h\", or a count of points";
    let found = section.get(key, what, alert::time_or_points)?.value;
    match found {
        Snooze::Time(span) => section.show(key, span.to_string()),
        Snooze::Points(points) => section.show(key, whole(points)),
    }
    let lasting = match found {
        Snooze::Time(span) if Span::ZERO < span => Some(Lasting::Time(span)),
        Snooze::Points(points) if 2 <= points => Some(Lasting::Points(points)),
        Snooze::Time(_) | Snooze::Points(_) => None,
    };
    if let (None, Some(place)) = (lasting, place) {
        let message = format!("`{key}` must be longer than nothing, or at least 2 points");
        section.check.problem(&place, message);
    }
    lasting
}
