//! Alerts that would not have fired, had rows not come late.

use super::{Policy, Scored, decide::smoothed, usual::Usual};
use crate::domain::{Alert, Timestamp};

/// Whether the points under an alert have been revised so that none of them is a hit any more. A
/// model or a threshold that is another by now says nothing: the alert's own threshold counts, and
/// the point that fired has to have another value, or another score by the same model.
///
/// # Shape
/// `scored` is chronological and holds what the alert's smoothed score was made of; `until` is the
/// alert's newest hit.
pub fn is_unfounded(policy: &Policy, scored: &[Scored], alert: &Alert, until: Timestamp) -> bool {
    let (Some(value), Some(score), Some(threshold)) = (alert.value, alert.score, alert.threshold)
    else {
        return false;
    };
    let Ok(fired) = scored.binary_search_by(|point| point.at.cmp(&alert.at)) else { return false };
    let spec = &policy.spec;
    let by_same_model = alert.model.as_ref() == Some(&scored[fired].model);
    let is_rescored = by_same_model && smoothed(scored, fired, spec.smooth) != score;
    if scored[fired].value == value && !is_rescored {
        return false;
    }
    let is_hit = |i: usize| {
        let (point, usual) = (&scored[i], Usual::at(scored, i));
        threshold <= smoothed(scored, i, spec.smooth)
            && usual.is_on_side(point.value, spec.direction)
            && usual.is_far_enough(point.value, spec.min_change)
    };
    let n_known = scored.partition_point(|point| point.at <= until);
    !(fired..n_known).any(is_hit)
}

#[cfg(test)]
mod tests {
    use super::super::{
        PastAlerts, decide,
        decide::tests::{hour, orders, series},
        policy::tests::open,
    };
    use super::*;
    use crate::domain::ModelVersion;

    fn raised(policy: &Policy, scored: &[Scored]) -> Alert {
        let none = PastAlerts::default();
        decide(&orders(), policy, scored, Timestamp::MIN, &none).alerts.remove(0)
    }

    #[test]
    fn an_alert_whose_points_were_revised_below_the_threshold_is_unfounded() {
        let policy = Policy::compile(&open()).unwrap();
        let alert = raised(&policy, &series(&[0.0, 1.0, 0.0]));
        let mut revised = series(&[0.0, 0.2, 0.0]);
        assert!(is_unfounded(&policy, &revised, &alert, hour(1)), "another score, same model");
        revised[1].model = ModelVersion::at(hour(9));
        assert!(!is_unfounded(&policy, &revised, &alert, hour(1)), "another model judges alike");
        revised[1].value = 90.0;
        assert!(is_unfounded(&policy, &revised, &alert, hour(1)), "another value");
        assert!(!is_unfounded(&policy, &revised[..1], &alert, hour(1)), "nothing to judge by");
    }

    #[test]
    fn an_alert_with_a_hit_left_stands() {
        let policy = Policy::compile(&open()).unwrap();
        let alert = raised(&policy, &series(&[0.0, 1.0, 1.0]));
        let revised = series(&[0.0, 0.2, 1.0]);
        assert!(!is_unfounded(&policy, &revised, &alert, hour(2)));
        assert!(is_unfounded(&policy, &revised, &alert, hour(1)), "its newest hit is the first");
    }
}
