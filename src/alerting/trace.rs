//! How one point was judged, gate by gate, with the numbers each gate looked at. The gates are those
//! of [`super::decide()`]; here they only speak.

use serde::Serialize;

use super::{
    Gate, PastAlerts, Policy, Scored,
    gates::{Passage, Walk},
    quiet::Silence,
    usual::Usual,
};
use crate::domain::{
    AlertSpec, Direction, MetricName, MinChange, Snooze, Span, Timestamp, words::number,
};

/// What became of a point at a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// It went through.
    Passed,
    /// It was stopped here.
    Stopped,
    /// The step is not set.
    Off,
    /// An earlier step stopped it.
    NotReached,
    /// The step tells, and stops nothing.
    Told,
}

impl StepState {
    /// The text shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Stopped => "stopped",
            Self::Off => "off",
            Self::NotReached => "not reached",
            Self::Told => "",
        }
    }
}

/// One step on the way from an observation to a message.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// Its name: a [`Gate`]'s, or another word of one line.
    pub gate: &'static str,
    /// What became of the point.
    pub state: StepState,
    /// The numbers, in words.
    pub detail: String,
}

impl Step {
    /// A step.
    pub fn new(gate: &'static str, state: StepState, detail: impl Into<String>) -> Self {
        Self { gate, state, detail: detail.into() }
    }

    /// A step that only tells.
    pub fn told(gate: &'static str, detail: impl Into<String>) -> Self {
        Self::new(gate, StepState::Told, detail)
    }
}

/// How a point was judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// The smoothed score.
    pub score: f64,
    /// The first gate that stopped it; none when it alerts.
    pub stopped_by: Option<Gate>,
    /// From smoothing to snooze.
    pub steps: Vec<Step>,
}

/// Walks a metric's points up to one instant and tells how the point there was judged. `None` when
/// there is no point at that instant, and when alerts are switched off.
///
/// # Shape
/// As in [`super::decide()`]; points after `at` count as newer ones of the same pass.
pub fn trace(
    metric: &MetricName,
    policy: &Policy,
    scored: &[Scored],
    at: Timestamp,
    past: &PastAlerts,
) -> Option<Trace> {
    if !policy.spec.enabled {
        return None;
    }
    let spec = &policy.spec;
    let place = scored.binary_search_by(|point| point.at.cmp(&at)).ok()?;
    let before = at - Span::from_micros(1);
    let mut passage = Walk::new(metric, policy, scored, before, past).nth(place)?;
    let stopped_by = passage.stopped_by(spec);
    if stopped_by == Some(Gate::Threshold) {
        // What the later gates would have looked at.
        passage.usual = Usual::at(scored, place);
    }
    let mut verdict = StepState::Passed;
    let mut steps = vec![smoothing(scored, place, spec, passage.score)];
    for gate in Gate::ALL {
        let (is_off, detail) = describe(gate, &passage, spec);
        let here = match (stopped_by == Some(gate), is_off) {
            (true, _) => StepState::Stopped,
            (false, true) => StepState::Off,
            (false, false) => verdict,
        };
        if here == StepState::Stopped {
            verdict = StepState::NotReached;
        }
        steps.push(Step::new(gate.as_str(), here, detail));
    }
    Some(Trace { score: passage.score, stopped_by, steps })
}

fn smoothing(scored: &[Scored], place: usize, spec: &AlertSpec, score: f64) -> Step {
    let window = &scored[(place + 1).saturating_sub(spec.smooth.max(1))..=place];
    if spec.smooth <= 1 {
        return Step::new("smooth", StepState::Off, format!("the score is {}", number(score)));
    }
    let scores: Vec<String> = window.iter().map(|point| number(point.score)).collect();
    let detail = match scores.len() {
        n if n <= 12 => format!("the mean of {} is {}", scores.join(", "), number(score)),
        n => format!("the mean of {n} scores is {}", number(score)),
    };
    Step::new("smooth", StepState::Told, detail)
}

/// Whether a gate is open to everything, and what it sees.
fn describe(gate: Gate, passage: &Passage<'_>, spec: &AlertSpec) -> (bool, String) {
    match gate {
        Gate::Threshold => {
            let place = match passage.is_stopped_by(gate, spec) {
                true => "under",
                false => "at or over",
            };
            let (score, threshold) = apart(passage.score, spec.threshold);
            (false, format!("the score {score} is {place} the threshold {threshold}"))
        }
        Gate::Excluded => {
            let does = if passage.is_excluded { "matches" } else { "matches none of" };
            (spec.exclude.is_empty(), format!("the name {does} `exclude`"))
        }
        Gate::Direction => (spec.direction == Direction::Both, side(passage, spec.direction)),
        Gate::MinChange => {
            (spec.min_change == MinChange::default(), distance(passage, spec.min_change))
        }
        Gate::Open => {
            let detail = match &passage.open {
                Some(open) => format!("the alert {} is open: it goes on with this point", open.id),
                None => "no alert is open".to_owned(),
            };
            (false, detail)
        }
        Gate::Delay => {
            let detail = format!("{} of the {} consecutive hits", passage.n_hits, spec.delay);
            (spec.delay <= 1, detail)
        }
        Gate::Recent => {
            let (n_newer, recent) = (passage.n_newer, spec.recent);
            let detail =
                format!("{n_newer} newer in the same pass; only the newest {recent} can alert");
            (recent == usize::MAX, detail)
        }
        Gate::Snooze => snooze(passage, spec.snooze),
        Gate::Maintenance | Gate::Holiday | Gate::SnoozedByPerson => quiet(gate, passage),
    }
}

fn quiet(gate: Gate, passage: &Passage<'_>) -> (bool, String) {
    let is_here = passage.silence.as_ref().filter(|silence| silence.gate() == gate);
    let detail = match is_here {
        Some(Silence::Maintenance { reason }) if reason.is_empty() => "in a window".to_owned(),
        Some(Silence::Maintenance { reason }) => format!("in a window: {reason}"),
        Some(Silence::Holiday) => "on a holiday, and those are quiet".to_owned(),
        Some(Silence::Person { until }) => format!("somebody asked for silence until {until}"),
        None => "not now".to_owned(),
    };
    (is_here.is_none(), detail)
}

/// Two numbers with as many digits as it takes to tell them apart.
fn apart(one: f64, other: f64) -> (String, String) {
    let (short, long) = ((number(one), number(other)), (one.to_string(), other.to_string()));
    if short.0 == short.1 && one != other { long } else { short }
}

fn side(passage: &Passage<'_>, direction: Direction) -> String {
    let (value, counts) = (passage.point.value, direction.as_str());
    match passage.usual.value() {
        None => format!("nothing to compare with; `{counts}` counts"),
        Some(usual) => {
            let place = match value.total_cmp(&usual) {
                std::cmp::Ordering::Less => "below",
                std::cmp::Ordering::Equal => "at",
                std::cmp::Ordering::Greater => "above",
            };
            let (value, usual) = apart(value, usual);
            format!("{value} is {place} {usual}; `{counts}` counts")
        }
    }
}

fn distance(passage: &Passage<'_>, least: MinChange) -> String {
    let percent = |share: f64| format!("{} %", number(100.0 * share));
    let asked = format!("at least {} and {}", number(least.absolute), percent(least.relative));
    let Some(usual) = passage.usual.value() else {
        return format!("nothing to compare with; {asked}");
    };
    let distance = (passage.point.value - usual).abs();
    let share = distance / usual.abs();
    let share = if share.is_finite() { format!(" ({})", percent(share)) } else { String::new() };
    format!("{}{share} from {}; {asked}", number(distance), number(usual))
}

fn snooze(passage: &Passage<'_>, snooze: Snooze) -> (bool, String) {
    let (is_off, silent) = match snooze {
        Snooze::Time(span) => (span.micros() <= 0, span.to_string()),
        Snooze::Points(n_points) => (n_points == 0, format!("{n_points} points")),
    };
    let detail = match (passage.last_fired, snooze) {
        (None, _) => format!("no earlier alert; silent for {silent} after one"),
        (Some((fired, _)), Snooze::Time(_)) => {
            let age = passage.point.at - fired;
            format!("the alert before, of {fired}, was {age} earlier; silent for {silent}")
        }
        (Some((fired, n_between)), Snooze::Points(_)) => {
            format!("{n_between} points since the alert before, of {fired}; silent for {silent}")
        }
    };
    (is_off, detail)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{
        decide,
        decide::tests::{hour, orders, series},
        policy::tests::open,
    };
    use super::*;

    fn traced(spec: &AlertSpec, scores: &[f64], n: usize) -> Trace {
        let policy = Policy::compile(spec).unwrap();
        trace(&orders().1, &policy, &series(scores), hour(n), &PastAlerts::default()).unwrap()
    }

    #[track_caller]
    fn check(spec: &AlertSpec, scores: &[f64], gate: Option<Gate>, detail: &str) {
        let trace = traced(spec, scores, scores.len() - 1);
        assert_eq!(trace.stopped_by, gate);
        let told = match gate {
            Some(gate) => trace.steps.iter().find(|step| step.gate == gate.as_str()).unwrap(),
            None => trace.steps.iter().find(|step| step.gate == "snooze").unwrap(),
        };
        assert_eq!(told.detail, detail);
        let order: Vec<StepState> = trace.steps.iter().map(|step| step.state).collect();
        let stopped = order.iter().position(|verdict| *verdict == StepState::Stopped);
        assert_eq!(stopped.is_some(), gate.is_some());
        for (n, verdict) in order.iter().enumerate() {
            let is_behind = stopped.is_some_and(|stopped| stopped < n);
            assert_eq!(*verdict == StepState::NotReached, is_behind && *verdict != StepState::Off);
        }
    }

    #[test]
    fn the_gate_that_stops_a_point_is_told_with_its_numbers() {
        let low = AlertSpec::at(0.8);
        check(&low, &[0.71], Some(Gate::Threshold), "the score 0.71 is under the threshold 0.8");
        let exclude = AlertSpec { exclude: vec!["ord*".into()], ..open() };
        check(&exclude, &[1.0], Some(Gate::Excluded), "the name matches `exclude`");
        let up = AlertSpec { direction: Direction::Up, ..open() };
        check(&up, &[1.0, 1.0], Some(Gate::Direction), "100 is at 100; `up` counts");
        let far = AlertSpec { min_change: MinChange { absolute: 5.0, relative: 0.1 }, ..open() };
        let detail = "0 (0 %) from 100; at least 5 and 10 %";
        check(&far, &[1.0, 1.0], Some(Gate::MinChange), detail);
        let delay = AlertSpec { delay: 3, ..open() };
        check(&delay, &[0.0, 1.0, 1.0], Some(Gate::Delay), "2 of the 3 consecutive hits");
        check(&open(), &[1.0], None, "no earlier alert; silent for 0s after one");
    }

    #[test]
    fn newer_points_of_the_pass_and_the_silence_after_an_alert_stop_too() {
        let recent = traced(&AlertSpec { recent: 1, ..open() }, &[1.0, 0.0, 0.0], 0);
        assert_eq!(recent.stopped_by, Some(Gate::Recent));
        let spec = AlertSpec { snooze: Snooze::Time(Span::hours(6)), ..open() };
        let policy = Policy::compile(&spec).unwrap();
        let past = PastAlerts { last_fired: Some(hour(1)), open: None };
        let scored = series(&[0.0, 1.0, 1.0, 1.0]);
        let trace = trace(&orders().1, &policy, &scored, hour(3), &past).unwrap();
        assert_eq!(trace.stopped_by, Some(Gate::Snooze));
        assert_eq!(
            trace.steps.iter().find(|step| step.gate == "snooze").unwrap().detail,
            "the alert before, of 2026-01-01T01:00:00Z, was 2h earlier; silent for 6h"
        );
    }

    #[test]
    fn numbers_that_would_read_alike_are_told_whole() {
        check(
            &AlertSpec::at(0.8),
            &[0.799_999_9],
            Some(Gate::Threshold),
            "the score 0.7999999 is under the threshold 0.8",
        );
    }

    proptest! {
        #[test]
        fn a_trace_and_a_decision_agree_on_every_point(
            scores in prop::collection::vec(0.0..=1.0_f64, 1..60),
            (smooth, delay, recent) in (1..4_usize, 1..4_usize, 1..40_usize),
            snooze in 0..5_usize,
        ) {
            let snooze = Snooze::Points(snooze);
            let spec = AlertSpec { smooth, delay, recent, snooze, ..AlertSpec::at(0.6) };
            let policy = Policy::compile(&spec).unwrap();
            let scored = series(&scores);
            let past = PastAlerts::default();
            let decision = decide(&orders(), &policy, &scored, Timestamp::MIN, &past);
            for point in &scored {
                let fired = decision.alerts.iter().rev().map(|alert| alert.at);
                let last_fired = fired.clone().find(|at| *at < point.at);
                let past = PastAlerts { last_fired, open: None };
                let trace = trace(&orders().1, &policy, &scored, point.at, &past).unwrap();
                let has_fired = fired.clone().any(|at| at == point.at);
                prop_assert_eq!(trace.stopped_by.is_none(), has_fired, "{:?}", trace);
            }
        }
    }
}
