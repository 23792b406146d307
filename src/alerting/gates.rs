//! The gates between a score and an alert, in this order: smoothing → threshold → exclude →
//! direction → minimum change → an alert that is open → delay → recent → snooze → maintenance →
//! holiday → somebody's silence. Whoever judges a metric's points or tells
//! how they were judged walks them through the gates here.

use super::{
    Policy, Scored,
    decide::{PastAlerts, smoothed},
    episode::{Course, OpenAlert, Standing, Underway, severity},
    quiet::Silence,
    usual::Usual,
};
use crate::domain::{AlertSpec, MetricName, Snooze, Timestamp};

/// What can keep a point from alerting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// The smoothed score is under the threshold.
    Threshold,
    /// The metric's name matches `exclude`.
    Excluded,
    /// The value lies on the other side, or its side cannot be told.
    Direction,
    /// The value is not far enough from what was expected, or that cannot be told.
    MinChange,
    /// An alert of the metric is open: the hit belongs to it.
    Open,
    /// Too few consecutive hits so far.
    Delay,
    /// Newer points came in the same pass.
    Recent,
    /// An alert of the same metric was too short a while ago.
    Snooze,
    /// It was observed in a maintenance window.
    Maintenance,
    /// It was observed on a holiday, and those are quiet.
    Holiday,
    /// Somebody asked for silence.
    SnoozedByPerson,
}

impl Gate {
    /// In the order in which a point meets them.
    pub const ALL: [Self; 11] = [
        Self::Threshold,
        Self::Excluded,
        Self::Direction,
        Self::MinChange,
        Self::Open,
        Self::Delay,
        Self::Recent,
        Self::Snooze,
        Self::Maintenance,
        Self::Holiday,
        Self::SnoozedByPerson,
    ];

    /// The gates a point is a hit behind; the others count hits and time.
    const OF_A_HIT: [Self; 4] = [Self::Threshold, Self::Excluded, Self::Direction, Self::MinChange];

    /// The text counted and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Threshold => "threshold",
            Self::Excluded => "excluded",
            Self::Direction => "direction",
            Self::MinChange => "min_change",
            Self::Open => "open",
            Self::Delay => "delay",
            Self::Recent => "recent",
            Self::Snooze => "snooze",
            Self::Maintenance => "maintenance",
            Self::Holiday => "holiday",
            Self::SnoozedByPerson => "snoozed_by_person",
        }
    }
}

/// A point at the gates, with the numbers they look at.
#[derive(Debug, Clone)]
pub(super) struct Passage<'a> {
    pub(super) point: &'a Scored,
    /// The smoothed score.
    pub(super) score: f64,
    /// Since when the smoothed score has been at the threshold; with this point, while it is.
    pub(super) since: Option<Timestamp>,
    /// What the value is compared with. Found out only where the threshold is passed.
    pub(super) usual: Usual,
    pub(super) is_excluded: bool,
    /// Consecutive hits up to this point, itself included.
    pub(super) n_hits: usize,
    /// Points after this one in the same pass.
    pub(super) n_newer: usize,
    /// The alert before this point, and the points between that one and this.
    pub(super) last_fired: Option<(Timestamp, usize)>,
    /// The alert that is open here.
    pub(super) open: Option<OpenAlert>,
    /// Why nothing is said here, whatever is observed.
    pub(super) silence: Option<Silence>,
}

impl Passage<'_> {
    /// Whether a gate stops the point, whatever the others say.
    pub(super) fn is_stopped_by(&self, gate: Gate, spec: &AlertSpec) -> bool {
        let value = self.point.value;
        match gate {
            Gate::Threshold => self.score < spec.threshold,
            Gate::Excluded => self.is_excluded,
            Gate::Direction => !self.usual.is_on_side(value, spec.direction),
            Gate::MinChange => !self.usual.is_far_enough(value, spec.min_change),
            Gate::Open => self.open.is_some(),
            Gate::Delay => self.n_hits < spec.delay,
            Gate::Recent => spec.recent <= self.n_newer,
            Gate::Snooze => self.is_snoozed(spec.snooze),
            Gate::Maintenance | Gate::Holiday | Gate::SnoozedByPerson => {
                self.silence.as_ref().is_some_and(|silence| silence.gate() == gate)
            }
        }
    }

    /// The first gate that stops the point; none when it alerts.
    pub(super) fn stopped_by(&self, spec: &AlertSpec) -> Option<Gate> {
        Gate::ALL.into_iter().find(|gate| self.is_stopped_by(*gate, spec))
    }

    fn is_snoozed(&self, snooze: Snooze) -> bool {
        match (self.last_fired, snooze) {
            (None, _) => false,
            (Some((fired, _)), _) if self.point.at <= fired => true,
            (Some((fired, _)), Snooze::Time(silence)) => self.point.at - fired < silence,
            (Some((_, n_between)), Snooze::Points(n_points)) => n_between < n_points,
        }
    }
}

/// A metric's points on their way through the gates, oldest first.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    policy: &'a Policy,
    scored: &'a [Scored],
    /// Points up to here are context: they end no alert.
    from: Timestamp,
    is_excluded: bool,
    next: usize,
    n_hits: usize,
    since: Option<Timestamp>,
    /// The newest point that alerted.
    last_fired: Option<Timestamp>,
    open: Option<Underway>,
    /// What became of alerts that are over, or were raised.
    courses: Vec<Course>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        metric: &MetricName,
        policy: &'a Policy,
        scored: &'a [Scored],
        from: Timestamp,
        past: &PastAlerts,
    ) -> Self {
        Self {
            is_excluded: policy.excludes(metric),
            policy,
            scored,
            from,
            next: 0,
            n_hits: 0,
            since: None,
            last_fired: past.last_fired,
            open: past.open.as_ref().map(Underway::known),
            courses: Vec::new(),
        }
    }

    /// A point alerts: the alert is open, and the silence after it begins.
    pub(super) fn fire(&mut self, alert: OpenAlert) {
        let at = alert.until;
        self.last_fired = Some(at);
        let raised = Underway::raised(alert);
        match raised.stretch.is_over_at(at, &self.policy.spec) {
            true => self.courses.extend(raised.end(Some(at))),
            false => self.open = Some(raised),
        }
    }

    /// What became of the alerts that the walk touched, oldest first.
    pub(super) fn finish(mut self) -> Vec<Course> {
        self.courses.extend(self.open.and_then(|open| open.end(None)));
        self.courses
    }

    /// Takes a point into the alert that is open; gives that alert as the point finds it.
    fn meet(&mut self, passage: &Passage<'_>, standing: Standing) -> Option<OpenAlert> {
        let (at, spec) = (passage.point.at, &self.policy.spec);
        let mut open = self.open.take()?;
        let is_judged = self.from < at;
        if is_judged && open.stretch.is_over_before(at, spec) {
            self.courses.extend(open.end(Some(at)));
            return None;
        }
        let found = open.alert().clone();
        if standing == Standing::Hit {
            let loud = severity(passage.score, spec.threshold);
            open.extend(at, passage.score, passage.silence.is_none().then_some(loud));
        }
        open.stretch.meet(at, standing);
        match is_judged && open.stretch.is_over_at(at, spec) {
            true => self.courses.extend(open.end(Some(at))),
            false => self.open = Some(open),
        }
        Some(found)
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = Passage<'a>;

    fn next(&mut self) -> Option<Passage<'a>> {
        let (i, spec, scored) = (self.next, &self.policy.spec, self.scored);
        let point = scored.get(i)?;
        self.next += 1;
        let n_between =
            |fired: Timestamp| i.saturating_sub(scored.partition_point(|one| one.at <= fired));
        let mut passage = Passage {
            point,
            score: smoothed(scored, i, spec.smooth),
            since: None,
            usual: Usual::Unknown,
            is_excluded: self.is_excluded,
            n_hits: 0,
            n_newer: scored.len() - 1 - i,
            last_fired: self.last_fired.map(|fired| (fired, n_between(fired))),
            open: None,
            silence: None,
        };
        let is_over = !passage.is_stopped_by(Gate::Threshold, spec);
        let mut is_hit = false;
        if is_over {
            passage.since = Some(*self.since.get_or_insert(point.at));
            passage.usual = Usual::at(scored, i);
            passage.silence = self.policy.quiet.at(point.at, spec.quiet_holidays);
            is_hit = !Gate::OF_A_HIT.into_iter().any(|gate| passage.is_stopped_by(gate, spec));
        } else {
            self.since = None;
        }
        self.n_hits = if is_hit { self.n_hits + 1 } else { 0 };
        passage.n_hits = self.n_hits;
        let standing = match is_hit {
            true => Standing::Hit,
            false if is_over || passage.score < spec.resolve_below * spec.threshold => {
                Standing::Quiet
            }
            false => Standing::Between,
        };
        passage.open = self.meet(&passage, standing);
        Some(passage)
    }
}
