//! Ten kinds of metrics over two simulated years without an anomaly: a budget of alerts is kept on
//! each, and the same score is about equally rare on all.

use std::f64::consts::TAU;

use super::{Setup, Walk};
use crate::{
    alerting::{self, PastAlerts, Policy, Scored},
    detect::Random,
    domain::{
        AlertSpec, BatchName, Budget, DetectorKind, Doubt, MetricName, ModelVersion, Snooze, Span,
        Timestamp,
    },
};

const YEARS_2: usize = 2 * 365 * 24;
/// A threshold is taken from so many days of scores, anew every so many days, as in production.
const WINDOW: i64 = 90;
const EVERY: i64 = 28;

pub(super) const KINDS: [&str; 10] = [
    "daily",
    "weekly",
    "trend",
    "autoregressive",
    "counts",
    "sparse",
    "heavy",
    "bursts",
    "drift",
    "share",
];

struct Draws {
    random: Random,
    ar: f64,
    level: f64,
    n_burst: usize,
}

impl Draws {
    /// Standard normal (Box and Muller 1958).
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.random.unit()).ln()).sqrt();
        radius * (TAU * self.random.unit()).cos()
    }

    /// Knuth (1969).
    fn poisson(&mut self, mean: f64) -> f64 {
        let (limit, mut product, mut n) = ((-mean).exp(), self.random.unit(), 0.0);
        while limit < product {
            product *= self.random.unit();
            n += 1.0;
        }
        n
    }

    fn value(&mut self, kind: &str, hour: f64) -> f64 {
        let daily = (TAU * hour / 24.0).sin();
        let is_weekend = (hour / 24.0).floor() as i64 % 7 >= 5;
        let noise = self.normal();
        self.ar = 0.9 * self.ar + noise;
        match kind {
            "daily" => 100.0 + 20.0 * daily + 3.0 * noise,
            "weekly" => (100.0 + 20.0 * daily) * if is_weekend { 0.6 } else { 1.0 } + 4.0 * noise,
            "trend" => 100.0 + 0.01 * hour + 10.0 * daily + 3.0 * noise,
            "autoregressive" => 50.0 + self.ar,
            "counts" => self.poisson(8.0 + 5.0 * daily),
            "sparse" => match self.random.unit() < 0.03 {
                true => 1.0 + self.poisson(3.0),
                false => 0.0,
            },
            "heavy" => 20.0 + 5.0 * daily + noise / (self.random.unit().max(1e-3)).sqrt(),
            "bursts" => {
                if self.n_burst == 0 && self.random.unit() < 1.0 / 60.0 {
                    self.n_burst = 2 + self.random.below(5);
                }
                self.n_burst = self.n_burst.saturating_sub(1);
                let burst = if self.n_burst > 0 { 30.0 } else { 0.0 };
                10.0 + burst + 2.0 * noise
            }
            "drift" => {
                self.level = 0.998 * self.level + 0.3 * self.normal();
                200.0 + self.level + 10.0 * daily + 3.0 * noise
            }
            _ => (0.02 * (1.0 + 0.5 * daily) * (0.25 * noise).exp()).min(1.0),
        }
    }
}

/// Hourly rows of a kind.
pub(super) fn rows(kind: &str, n: usize, seed: u64) -> Vec<Option<(Timestamp, f64)>> {
    let mut draws = Draws { random: Random::new(seed), ar: 0.0, level: 0.0, n_burst: 0 };
    (0..n)
        .map(|hour| {
            let at = Timestamp::from_secs(1_704_067_200 + 3_600 * hour as i64)?;
            Some((at, draws.value(kind, hour as f64)))
        })
        .collect()
}

fn scored(kind: &str, detector: DetectorKind, n: usize) -> Vec<Scored> {
    let rows = rows(kind, n, 11);
    let setup = Setup::of_kind(detector, None);
    let mut walk = Walk::new(&setup, MetricName::parse(kind).unwrap());
    let scores = walk.score_all(&rows).into_iter().zip(rows);
    scores
        .filter_map(|(row, point)| {
            let (at, value) = point?;
            let row = row?;
            let score = row.score.ok()?;
            Some(Scored {
                at,
                value,
                score,
                band: row.band,
                aspect: row.aspect,
                model: ModelVersion::at(Timestamp::MIN),
            })
        })
        .collect()
}

/// `[alert]` where nothing is set. `recent` does not bind: every point is judged when it is the newest.
fn shipped() -> AlertSpec {
    let snooze = Snooze::Time(Span::hours(6));
    AlertSpec { snooze, resolve_after: 3, resolve_below: 0.9, ..AlertSpec::at(0.8) }
}

/// Every hit at least six hours after the one before alerts.
fn plain() -> AlertSpec {
    AlertSpec { snooze: Snooze::Time(Span::hours(6)), ..AlertSpec::at(0.8) }
}

/// Alerts asked for and got after the first window, and the last word on why they may differ. What
/// lies ahead is judged as the alert job does, by the threshold of the stretch before.
fn asked_and_got(scored: &[Scored], spec: &AlertSpec, budget: Budget) -> (f64, f64, Option<Doubt>) {
    let who = (BatchName::parse("simulated").unwrap(), MetricName::parse("m").unwrap());
    let (first, last) = (scored[0].at, scored[scored.len() - 1].at);
    let mut from = first + Span::days(WINDOW);
    let (start, mut got, mut doubt) = (from, 0.0, None);
    let mut past = PastAlerts::default();
    while from < last {
        let row = |at: Timestamp| scored.partition_point(|point| point.at < at);
        let before = &scored[row(from - Span::days(WINDOW))..row(from)];
        let found = alerting::calibrate(before, spec, budget);
        doubt = found.doubt.or(doubt);
        let policy =
            Policy::compile(&AlertSpec { threshold: found.threshold, ..spec.clone() }).unwrap();
        let ahead = &scored[row(from - Span::days(14))..row(from + Span::days(EVERY))];
        let judged = from - Span::from_micros(1);
        let decision = alerting::decide(&who, &policy, ahead, judged, &past);
        got += decision.alerts.len() as f64;
        let newest = decision.alerts.last().map(|alert| alert.at);
        past.last_fired = newest.or(past.last_fired);
        if let Some(course) = decision.courses.last() {
            past.open = course.over_at.is_none().then(|| course.alert.clone());
        }
        from = from + Span::days(EVERY);
    }
    (budget.within(last - start), got, doubt)
}

#[test]
fn a_budget_is_kept_on_every_kind_of_metric() {
    let mut wrong = Vec::new();
    for kind in KINDS {
        let scored = scored(kind, DetectorKind::Auto, YEARS_2);
        for (name, spec, asked) in [
            ("plain", plain(), "1/day"),
            ("plain", plain(), "1/week"),
            ("shipped", shipped(), "1/day"),
            ("shipped", shipped(), "1/week"),
        ] {
            let (wanted, got, doubt) = asked_and_got(&scored, &spec, asked.parse().unwrap());
            let line = format!(
                "{kind:14} {name:7} {asked:7} asked {wanted:5.0} got {got:5.0} {:.2} {doubt:?}",
                got / wanted
            );
            println!("{line}");
            // Where there are not so many unusual rows at all, that is said.
            let is_said = matches!(doubt, Some(Doubt::TooQuiet { .. })) && got < wanted;
            if !is_said && !(0.7..=1.3).contains(&(got / wanted)) {
                wrong.push(line);
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_score_at_the_usual_line_is_rare_on_every_kind_of_metric() {
    for kind in KINDS {
        let scored = scored(kind, DetectorKind::Auto, YEARS_2 / 2);
        let behind = scored.iter().skip(2000);
        let share = |level: f64| {
            let n_over = behind.clone().filter(|point| level <= point.score).count();
            1000.0 * n_over as f64 / behind.len() as f64
        };
        println!("{kind:14} per 1,000 rows at .5 {:.2}, at .8 {:.2}", share(0.5), share(0.8));
        assert!(share(0.8) <= 2.0, "{kind}: {}", share(0.8));
    }
}
