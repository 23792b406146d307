//! Limits: values that are not to be passed, whatever a metric's past.
//!
//! Points are judged as they are stored, once each. Points in time order make streaks, which `delay`
//! and `resolve_after` count, over as many passes as it takes. A point that comes late counts for
//! itself: it fires where it passed a limit, and belongs to no streak. In quiet times nothing fires; streaks go on,
//! so that what outlives them fires at its next point.

use std::collections::BTreeMap;

use globset::{Glob, GlobMatcher};

use super::{
    Gate, Policy, PolicyError,
    turn::{self, Open, Turn},
};
use crate::domain::{
    AlertKind, BatchName, BatchSpec, LimitState, Limits, MetricName, MetricSpec, Resolution,
    Snooze, Timestamp, words,
};

/// A batch's limits, ready to be looked up.
#[derive(Debug, Clone)]
pub struct LimitBook {
    own: BTreeMap<MetricName, Limits>,
    exact: BTreeMap<String, Limits>,
    /// The longest pattern first.
    globs: Vec<(GlobMatcher, Limits)>,
}

impl LimitBook {
    /// Reads a batch's limits.
    ///
    /// # Errors
    /// [`PolicyError`] when a name is no glob.
    pub fn of(batch: &BatchSpec) -> Result<Self, PolicyError> {
        let own =
            |(name, metric): (&MetricName, &MetricSpec)| Some((name.clone(), metric.thresholds?));
        let mut globs = Vec::new();
        for (name, limits) in &batch.rules.thresholds {
            let wrong = |source| PolicyError { pattern: name.clone(), source };
            globs.push((Glob::new(name).map_err(wrong)?.compile_matcher(), *limits));
        }
        globs.sort_by_key(|(matcher, _)| std::cmp::Reverse(matcher.glob().glob().len()));
        let own = batch.metrics.iter().filter_map(own).collect();
        Ok(Self { own, exact: batch.rules.thresholds.clone(), globs })
    }

    /// Whether there is no limit at all.
    pub fn is_empty(&self) -> bool {
        self.own.is_empty() && self.exact.is_empty()
    }

    /// The limits of a metric: its own, else those under its name, else those of the longest
    /// pattern it matches.
    pub fn limits(&self, metric: &MetricName) -> Option<&Limits> {
        let named = self.own.get(metric).or_else(|| self.exact.get(metric.as_str()));
        let matching = || self.globs.iter().find(|(glob, _)| glob.is_match(metric.as_str()));
        named.or_else(|| matching().map(|(_, limits)| limits))
    }
}

/// What is known of a metric before a pass.
#[derive(Debug, Clone, Default)]
pub struct LimitPast {
    /// How far its points were judged.
    pub state: LimitState,
    /// Its alert that is not over.
    pub open: Option<Open>,
    /// The observation of its newest alert.
    pub last_fired: Option<Timestamp>,
}

/// What a pass led to.
#[derive(Debug, Clone, Default)]
pub struct LimitPass {
    /// In the order they happened.
    pub turns: Vec<Turn>,
    /// How far the metric's points are judged now.
    pub state: LimitState,
    /// Points beyond a limit that raised nothing, by the gate that stopped them.
    pub suppressed: BTreeMap<String, u64>,
}

/// Holds new points of a metric against its limits.
///
/// # Shape
/// `points` are in time order and were not judged before; some may be older than what was.
pub fn hold(
    who: &(BatchName, MetricName),
    limits: &Limits,
    policy: &Policy,
    points: &[(Timestamp, f64)],
    past: LimitPast,
) -> LimitPass {
    let mut walk = Walk { who, policy, past, pass: LimitPass::default() };
    let n_old = points.len().saturating_sub(policy.spec.recent);
    for (n, (at, value)) in points.iter().enumerate() {
        walk.point(limits, *at, *value, n < n_old);
    }
    LimitPass { state: walk.past.state, ..walk.pass }
}

struct Walk<'a> {
    who: &'a (BatchName, MetricName),
    policy: &'a Policy,
    past: LimitPast,
    pass: LimitPass,
}

impl Walk<'_> {
    fn point(&mut self, limits: &Limits, at: Timestamp, value: f64, is_old: bool) {
        let passed = limits.passed_by(value);
        let state = &mut self.past.state;
        let is_late = at <= state.judged;
        if !is_late {
            state.judged = at;
            state.n_since = state.n_since.map(|n| n.saturating_add(1));
            (state.n_beyond, state.n_within) = match passed {
                Some(_) => (state.n_beyond.saturating_add(1), 0),
                None => (0, state.n_within.saturating_add(1)),
            };
        }
        let Some((severity, limit)) = passed else {
            let is_quiet = self.is_quiet(is_late);
            if let Some(open) = self.past.open.take_if(|_| is_quiet) {
                self.pass.turns.push(Turn::Resolve(open.id, at, Resolution::Recovered));
            }
            return;
        };
        let reason = reason(&self.who.1, value, limit);
        if let Some(open) = &mut self.past.open {
            let id = open.id.clone();
            // In a quiet time it goes on as loud as it was; a hit after it says that it is worse.
            let is_worse = open.severity < severity && self.policy.silenced(at).is_none();
            self.pass.turns.push(match is_worse {
                true => Turn::Escalate(id, at, reason),
                false => Turn::Extend(id, at),
            });
            if is_worse {
                open.severity = severity;
            }
            return;
        }
        let streak = if is_late { 1 } else { self.past.state.n_beyond };
        let stopped = match () {
            () if streak < self.policy.spec.delay => Some(Gate::Delay),
            () if is_old => Some(Gate::Recent),
            () if self.is_snoozed(at) => Some(Gate::Snooze),
            () => self.policy.silenced(at),
        };
        if let Some(gate) = stopped {
            *self.pass.suppressed.entry(gate.as_str().to_owned()).or_default() += 1;
            return;
        }
        let mut alert =
            turn::alert(self.who, (AlertKind::Threshold, severity), (at, at), Some(value), reason);
        alert.threshold = Some(limit);
        self.past.open = Some(Open::begun(&alert));
        self.past.last_fired = self.past.last_fired.max(Some(at));
        self.past.state.n_since = Some(0);
        self.pass.turns.push(Turn::Raise(Box::new(alert)));
    }

    fn is_quiet(&self, is_late: bool) -> bool {
        !is_late && self.policy.spec.resolve_after.max(1) <= self.past.state.n_within
    }

    fn is_snoozed(&self, at: Timestamp) -> bool {
        match self.policy.spec.snooze {
            Snooze::Time(span) => self.past.last_fired.is_some_and(|fired| at - fired < span),
            Snooze::Points(n_points) => self.past.state.n_since.is_some_and(|n| n <= n_points),
        }
    }
}

/// `orders was 812, over its limit of 700`.
fn reason(metric: &MetricName, value: f64, limit: f64) -> String {
    let name = words::shown(metric.as_str());
    let side = if limit < value { "over" } else { "under" };
    let (value, limit) = (words::number(value), words::number(limit));
    format!("{name} was {value}, {side} its limit of {limit}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{AlertSpec, Severity, Span};

    const LIMITS: Limits = Limits {
        upper: Some(10.0),
        lower: Some(0.0),
        critical_upper: Some(100.0),
        critical_lower: None,
    };

    fn hour(n: i64) -> Timestamp {
        Timestamp::from_secs(1_767_225_600 + 3_600 * n).unwrap()
    }

    fn who() -> (BatchName, MetricName) {
        (BatchName::parse("shop").unwrap(), MetricName::parse("orders").unwrap())
    }

    fn spec() -> AlertSpec {
        AlertSpec { resolve_after: 2, ..AlertSpec::at(0.9) }
    }

    /// Runs passes over the points of each run (hour, value), as ingests do; gives what happened.
    fn passes(spec: &AlertSpec, runs: &[&[(i64, f64)]]) -> (Vec<String>, BTreeMap<String, u64>) {
        let (mut past, mut told) = (LimitPast::default(), Vec::new());
        let mut suppressed = BTreeMap::<String, u64>::new();
        let policy = Policy::compile(spec).unwrap();
        for run in runs {
            let points: Vec<_> = run.iter().map(|(n, value)| (hour(*n), *value)).collect();
            let pass = hold(&who(), &LIMITS, &policy, &points, past.clone());
            past.state = pass.state;
            for (gate, n) in pass.suppressed {
                *suppressed.entry(gate).or_default() += n;
            }
            for turn in pass.turns {
                let hours = |at: Timestamp| (at - hour(0)).micros() / 3_600_000_000;
                told.push(match turn {
                    Turn::Raise(alert) => {
                        past.open = Some(Open::begun(&alert));
                        past.last_fired = past.last_fired.max(Some(alert.at));
                        format!("{} {}", alert.severity, hours(alert.at))
                    }
                    Turn::Extend(_, at) => format!("on {}", hours(at)),
                    Turn::Escalate(_, at, _) => {
                        past.open.as_mut().unwrap().severity = Severity::Critical;
                        format!("worse {}", hours(at))
                    }
                    Turn::Resolve(_, at, _) => {
                        past.open = None;
                        format!("over {}", hours(at))
                    }
                });
            }
        }
        (told, suppressed)
    }

    #[track_caller]
    fn check(spec: &AlertSpec, runs: &[&[(i64, f64)]], expected: &[&str]) {
        assert_eq!(passes(spec, runs).0, expected);
    }

    #[test]
    fn a_value_beyond_a_limit_fires_once_goes_on_and_is_over_after_quiet_points() {
        let runs: &[&[(i64, f64)]] =
            &[&[(0, 5.0)], &[(1, 11.0)], &[(2, 12.0)], &[(3, 5.0)], &[(4, 10.0)], &[(5, 5.0)]];
        check(&spec(), runs, &["warning 1", "on 2", "over 4"]);
    }

    #[test]
    fn one_pass_and_many_passes_say_the_same() {
        let points: Vec<(i64, f64)> =
            (0..60).map(|n| (n, f64::from((n * 37 % 23) as i32) - 3.0)).collect();
        let spec = AlertSpec { delay: 2, snooze: Snooze::Points(4), ..spec() };
        let one_by_one: Vec<&[(i64, f64)]> = points.chunks(1).collect();
        let in_sevens: Vec<&[(i64, f64)]> = points.chunks(7).collect();
        let whole = passes(&spec, &[&points]);
        assert!(!whole.0.is_empty());
        assert_eq!(passes(&spec, &one_by_one), whole);
        assert_eq!(passes(&spec, &in_sevens), whole);
    }

    #[test]
    fn the_snooze_spans_runs() {
        let spec = AlertSpec { snooze: Snooze::Time(Span::hours(6)), resolve_after: 1, ..spec() };
        let runs: &[&[(i64, f64)]] =
            &[&[(0, 11.0)], &[(1, 5.0)], &[(2, 11.0)], &[(3, 5.0)], &[(7, 11.0)]];
        check(&spec, runs, &["warning 0", "over 1", "warning 7"]);
        assert_eq!(passes(&spec, runs).1, BTreeMap::from([("snooze".to_owned(), 1)]));
        let spec = AlertSpec { snooze: Snooze::Points(3), ..spec };
        check(&spec, runs, &["warning 0", "over 1", "warning 7"]);
    }

    #[test]
    fn the_delay_counts_points_of_several_runs() {
        let spec = AlertSpec { delay: 3, ..spec() };
        let runs: &[&[(i64, f64)]] =
            &[&[(0, 11.0)], &[(1, 11.0)], &[(2, 5.0)], &[(3, -1.0)], &[(4, 11.0), (5, 11.0)]];
        check(&spec, runs, &["warning 5"]);
    }

    #[test]
    fn a_louder_limit_is_said_once() {
        let runs: &[&[(i64, f64)]] = &[&[(0, 11.0)], &[(1, 101.0)], &[(2, 102.0)], &[(3, 11.0)]];
        check(&spec(), runs, &["warning 0", "worse 1", "on 2", "on 3"]);
        check(&spec(), &[&[(0, 101.0)]], &["critical 0"]);
    }

    #[test]
    fn what_gets_worse_in_a_quiet_time_is_said_by_the_first_hit_after_it() {
        let mut policy = Policy::compile(&spec()).unwrap();
        let pass = hold(&who(), &LIMITS, &policy, &[(hour(0), 11.0)], LimitPast::default());
        let Some(Turn::Raise(alert)) = pass.turns.first() else { panic!("{pass:?}") };
        let past = LimitPast {
            state: pass.state,
            open: Some(Open::begun(alert)),
            last_fired: Some(alert.at),
        };
        policy.quiet = policy.quiet.snoozed(Some(hour(3)));
        let points: Vec<_> = (1..5).map(|n| (hour(n), 101.0)).collect();
        let pass = hold(&who(), &LIMITS, &policy, &points, past);
        let worse = pass.turns.iter().map(|turn| matches!(turn, Turn::Escalate(..)));
        assert_eq!(worse.collect::<Vec<_>>(), [false, false, true, false], "{pass:?}");
    }

    #[test]
    fn a_late_point_fires_and_makes_no_streak() {
        check(&spec(), &[&[(5, 5.0)], &[(2, 11.0)], &[(6, 5.0)]], &["warning 2", "over 6"]);
        // It is not the second in a row.
        let delayed = AlertSpec { delay: 2, ..spec() };
        check(&delayed, &[&[(5, 11.0)], &[(2, 11.0)]], &[]);
    }

    #[test]
    fn of_many_new_points_only_the_recent_ones_fire() {
        let spec = AlertSpec { recent: 1, ..spec() };
        check(&spec, &[&[(0, 11.0), (1, 5.0)]], &[]);
        check(&spec, &[&[(0, 11.0), (1, 12.0)]], &["warning 1"]);
    }

    #[test]
    fn the_reason_names_value_and_limit() {
        let policy = Policy::compile(&spec()).unwrap();
        let pass = hold(&who(), &LIMITS, &policy, &[(hour(0), -2.5)], LimitPast::default());
        let Some(Turn::Raise(alert)) = pass.turns.first() else { panic!("{pass:?}") };
        assert_eq!(alert.reason, "orders was -2.5, under its limit of 0");
        assert_eq!((alert.value, alert.threshold), (Some(-2.5), Some(0.0)));
    }
}
