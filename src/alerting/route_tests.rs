//! Laws of routing, and its conditions one by one.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::route::{Fit, Routed, Router, Saying};
use crate::domain::{
    Alert, AlertId, AlertKind, BatchName, Day, MessageEvent, MetricName, RouteSpec, Severity,
    Timestamp,
};

fn alert(severity: Severity) -> Alert {
    let at = Timestamp::parse("2026-06-01T00:00:00Z").unwrap();
    Alert {
        id: AlertId("a".into()),
        batch: BatchName::parse("shop").unwrap(),
        metric: MetricName::parse("orders.total").unwrap(),
        kind: AlertKind::Anomaly,
        severity,
        at,
        since: at,
        value: None,
        band: None,
        score: None,
        threshold: None,
        model: None,
        reason: "r".into(),
    }
}

/// Monday 2026-06-01, 22:30 in Dublin; told on `own` without routes.
fn routed(routes: &[RouteSpec], severity: Severity) -> Routed {
    let alert = alert(severity);
    let own = ["own".to_owned()];
    let saying = Saying {
        own: &own,
        tags: BTreeMap::from([("team".into(), "sales".into())]),
        timezone: chrono_tz::Europe::Dublin,
        alert: &alert,
        event: MessageEvent::Firing,
        now: Timestamp::parse("2026-06-01T21:30:00Z").unwrap(),
    };
    Router::compile(routes).unwrap().route(&saying)
}

fn to(channel: &str) -> RouteSpec {
    RouteSpec { channels: vec![channel.into()], ..RouteSpec::default() }
}

#[test]
fn a_route_fits_when_every_condition_holds_and_says_which_does_not() {
    let tag = |value: &str| BTreeMap::from([("team".to_owned(), value.to_owned())]);
    let hours = |text: &str| Some(text.parse().unwrap());
    let dublin = Some(chrono_tz::Asia::Tokyo);
    for (route, expected) in [
        (RouteSpec { batches: vec!["sh*".into()], ..to("x") }, Fit::Fits),
        (RouteSpec { batches: vec!["web".into()], ..to("x") }, Fit::Not("batches")),
        (RouteSpec { metrics: vec!["orders.*".into()], ..to("x") }, Fit::Fits),
        (RouteSpec { metrics: vec!["total".into()], ..to("x") }, Fit::Not("metrics")),
        (RouteSpec { tags: tag("sales"), ..to("x") }, Fit::Fits),
        (RouteSpec { tags: tag("money"), ..to("x") }, Fit::Not("tags")),
        (RouteSpec { severity: Some(Severity::Warning), ..to("x") }, Fit::Fits),
        (RouteSpec { severity: Some(Severity::Critical), ..to("x") }, Fit::Not("severity")),
        (RouteSpec { kinds: vec![AlertKind::Absence], ..to("x") }, Fit::Not("kinds")),
        (RouteSpec { events: vec![MessageEvent::Resolved], ..to("x") }, Fit::Not("events")),
        (RouteSpec { hours: hours("22:00-07:00"), ..to("x") }, Fit::Fits),
        (RouteSpec { hours: hours("07:00-22:30"), ..to("x") }, Fit::Not("hours")),
        (RouteSpec { hours: hours("06:00-07:00"), timezone: dublin, ..to("x") }, Fit::Fits),
        (RouteSpec { days: vec![Day::Mon, Day::Sun], ..to("x") }, Fit::Fits),
        (RouteSpec { days: vec![Day::Tue], ..to("x") }, Fit::Not("days")),
        (RouteSpec { days: vec![Day::Tue], timezone: dublin, ..to("x") }, Fit::Fits),
    ] {
        let routed = routed(std::slice::from_ref(&route), Severity::Warning);
        assert_eq!(routed.fits, [expected], "{route:?}");
        assert_eq!(routed.channels.contains("x"), expected == Fit::Fits, "{route:?}");
        assert!(routed.channels.contains("own"), "a route adds");
    }
}

#[test]
fn a_route_that_is_only_takes_the_place_of_the_batchs_channels_and_ends_the_list() {
    let only = RouteSpec { only: true, ..to("b") };
    let routed = routed(&[to("a"), only, to("c")], Severity::Warning);
    assert_eq!(routed.channels.into_iter().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(routed.fits.len(), 2);
}

fn routes() -> impl Strategy<Value = Vec<RouteSpec>> {
    let severities =
        prop_oneof![Just(None), Just(Some(Severity::Warning)), Just(Some(Severity::Critical))];
    let globs = prop_oneof![Just(vec![]), Just(vec!["shop".into()]), Just(vec!["web".into()])];
    let one =
        (0..5_u8, severities, globs, any::<bool>()).prop_map(|(n, severity, batches, only)| {
            RouteSpec { severity, batches, only, ..to(&format!("c{n}")) }
        });
    prop::collection::vec(one, 0..8)
}

proptest! {
    #[test]
    fn somebody_is_always_told(routes in routes()) {
        prop_assert!(!routed(&routes, Severity::Warning).channels.is_empty());
    }

    #[test]
    fn what_is_louder_meets_no_fewer_routes_while_none_is_only(mut routes in routes()) {
        routes.iter_mut().for_each(|route| route.only = false);
        let (quiet, loud) = (routed(&routes, Severity::Warning), routed(&routes, Severity::Critical));
        prop_assert!(quiet.channels.is_subset(&loud.channels));
    }

    #[test]
    fn nobody_is_told_but_those_of_the_batch_and_of_routes_that_fit(routes in routes()) {
        let routed = routed(&routes, Severity::Critical);
        for channel in &routed.channels {
            let of_route = routes.iter().zip(&routed.fits);
            let is_routed = of_route
                .into_iter()
                .any(|(route, fit)| *fit == Fit::Fits && route.channels.contains(channel));
            prop_assert!(is_routed || (channel == "own" && routed.is_own_told));
        }
    }
}
