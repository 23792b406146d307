//! Two detectors' scores of the same points beside each other: the alerts each would have raised,
//! and how far they agree.

use serde::Serialize;

use super::{PastAlerts, Policy, Scored, decide, decide::smoothed};
use crate::domain::{BatchName, MetricName, Timestamp};

/// One detector's scores of a point beside another's.
pub type Pair = (Scored, Scored);

/// How a challenger compares with the champion on one metric.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Comparison {
    /// Points both have a score for.
    pub points: usize,
    /// Alerts the champion's scores raise.
    pub champion_alerts: usize,
    /// Alerts the challenger's scores raise.
    pub challenger_alerts: usize,
    /// Share of the points whose smoothed scores lie on the same side of the threshold; `None`
    /// without points.
    pub agreement: Option<f64>,
    /// Spearman's rank correlation of the scores; `None` where one of them never changes.
    pub rank_correlation: Option<f64>,
    /// Mean distance of the two scores; `None` without points.
    pub mean_difference: Option<f64>,
}

/// Compares two detectors' scores under one policy, each point judged as if it had just come: only
/// `recent` does not bind.
///
/// # Shape
/// `pairs` is chronological; both of a pair are of one point.
pub fn compare(who: &(BatchName, MetricName), policy: &Policy, pairs: &[Pair]) -> Comparison {
    let mut policy = policy.clone();
    policy.spec.recent = usize::MAX;
    let (champion, challenger): (Vec<Scored>, Vec<Scored>) = pairs.iter().cloned().unzip();
    let n_alerts = |scored: &[Scored]| {
        decide(who, &policy, scored, Timestamp::MIN, &PastAlerts::default()).alerts.len()
    };
    let is_over =
        |scored: &[Scored], i| policy.spec.threshold <= smoothed(scored, i, policy.spec.smooth);
    let n_agreed =
        (0..pairs.len()).filter(|i| is_over(&champion, *i) == is_over(&challenger, *i)).count();
    let distance: f64 = pairs.iter().map(|(one, other)| (one.score - other.score).abs()).sum();
    let mean = |sum: f64| (!pairs.is_empty()).then(|| sum / pairs.len() as f64);
    Comparison {
        points: pairs.len(),
        champion_alerts: n_alerts(&champion),
        challenger_alerts: n_alerts(&challenger),
        agreement: mean(n_agreed as f64),
        rank_correlation: correlation(&ranks(&champion), &ranks(&challenger)),
        mean_difference: mean(distance),
    }
}

/// The place of each score in their order, from 0; equal scores share the mean of their places.
fn ranks(scored: &[Scored]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..scored.len()).collect();
    order.sort_by(|a, b| scored[*a].score.total_cmp(&scored[*b].score));
    let mut ranks = vec![0.0; scored.len()];
    let mut first = 0;
    for tied in order.chunk_by(|a, b| scored[*a].score == scored[*b].score) {
        let shared = first as f64 + (tied.len() - 1) as f64 / 2.0;
        tied.iter().for_each(|place| ranks[*place] = shared);
        first += tied.len();
    }
    ranks
}

/// Pearson's correlation.
fn correlation(one: &[f64], other: &[f64]) -> Option<f64> {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (m, n) = (mean(one), mean(other));
    let (mut both, mut first, mut second) = (0.0, 0.0, 0.0);
    for (x, y) in one.iter().zip(other) {
        both += (x - m) * (y - n);
        first += (x - m).powi(2);
        second += (y - n).powi(2);
    }
    (0.0 < first && 0.0 < second).then(|| both / (first * second).sqrt())
}

#[cfg(test)]
mod tests {
    use super::super::{
        decide::tests::{orders, series},
        policy::tests::open,
    };
    use super::*;
    use crate::domain::{AlertSpec, Snooze};

    fn compared(spec: &AlertSpec, champion: &[f64], challenger: &[f64]) -> Comparison {
        let pairs: Vec<Pair> = series(champion).into_iter().zip(series(challenger)).collect();
        compare(&orders(), &Policy::compile(spec).unwrap(), &pairs)
    }

    #[test]
    fn alerts_agreement_and_distance_are_counted_point_by_point() {
        let found = compared(&open(), &[0.1, 0.95, 0.2, 0.95], &[0.2, 0.9, 0.9, 0.4]);
        assert_eq!((found.points, found.champion_alerts, found.challenger_alerts), (4, 2, 2));
        assert_eq!(found.agreement, Some(0.5));
        assert!((found.mean_difference.unwrap() - 1.4 / 4.0).abs() < 1e-12, "{found:?}");
    }

    #[test]
    fn alerts_are_those_of_the_policy_though_only_recent_ones_would_be_told() {
        let spec = AlertSpec { snooze: Snooze::Points(1), recent: 1, ..open() };
        let found = compared(&spec, &[1.0; 6], &[0.0, 0.0, 0.0, 0.0, 1.0, 1.0]);
        assert_eq!((found.champion_alerts, found.challenger_alerts), (3, 1));
    }

    #[test]
    fn ranks_tell_order_and_not_size() {
        let of = |one: &[f64], other: &[f64]| compared(&open(), one, other).rank_correlation;
        let one = [0.1, 0.2, 0.3, 0.4];
        assert_eq!(of(&one, &[0.0, 0.1, 0.2, 1.0]), Some(1.0));
        assert_eq!(of(&one, &[0.9, 0.8, 0.7, 0.1]), Some(-1.0));
        // By hand: ranks 0 1 2 3 and 0.5 0.5 2 3.
        let tied = of(&one, &[0.1, 0.1, 0.5, 0.6]).unwrap();
        assert!((tied - 4.5 / (5.0_f64 * 4.5).sqrt()).abs() < 1e-12, "{tied}");
        assert_eq!(of(&one, &[0.5; 4]), None);
        assert_eq!(compared(&open(), &[], &[]), Comparison::default());
    }
}
