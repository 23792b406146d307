//! The demo's web shop: 90 days of hourly metrics with eight known incidents. Everything follows
//! from the end and a seed, so that what the demo claims to find can be checked.

mod incidents;
mod random;
mod traffic;

use chrono::NaiveDate;
use chrono_tz::Tz;

pub(super) use incidents::Incident;

use crate::domain::Timestamp;

/// Where the shop's customers live: days and weeks have this zone's hours, also over a change of
/// the clocks.
pub(super) const TIMEZONE: Tz = Tz::Europe__Dublin;

/// The metrics, in the order they are written.
pub(super) const METRICS: [&str; 13] = [
    "cart_value",
    "conversion_rate",
    "error_rate",
    "latency_p50_ms",
    "latency_p95_ms",
    "orders",
    "page_views",
    "payment_failures",
    "refunds",
    "revenue",
    "search_queries",
    "sessions",
    "signups",
];

const N_DAYS: i64 = 90;
const N_HOURS: usize = 24 * N_DAYS as usize;

/// The shop's past.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ShopHistory {
    /// Metric, start of the hour, value; by time, then by metric.
    pub rows: Vec<(&'static str, Timestamp, f64)>,
    /// Oldest first.
    pub incidents: Vec<Incident>,
}

/// The 90 days before `end`, an hour's start. The same arguments give the same rows.
pub(super) fn generate(end: Timestamp, seed: u64) -> ShopHistory {
    let hours = traffic::calendar(end);
    let incidents = incidents::planned(end);
    let mut metrics = traffic::undisturbed(&hours, seed);
    for incident in &incidents {
        if let Some(values) = metrics.get_mut(incident.metric) {
            incidents::disturb(values, &hours, incident, seed);
        }
    }
    let holes = incidents::gaps(&incidents, &hours, seed);
    let mut rows = Vec::with_capacity(N_HOURS * METRICS.len());
    for (n, hour) in hours.iter().enumerate() {
        for (metric, values) in &metrics {
            let is_missing = |(hole_in, from, to): &(&str, Timestamp, Timestamp)| {
                hole_in == metric && *from <= hour.at && hour.at < *to
            };
            if !holes.iter().any(is_missing) {
                rows.push((*metric, hour.at, rounded(metric, values[n])));
            }
        }
    }
    ShopHistory { rows, incidents }
}

fn local_date(at: Timestamp) -> NaiveDate {
    at.to_utc().with_timezone(&TIMEZONE).date_naive()
}

/// As many digits as the shop's own systems would report.
fn rounded(metric: &str, value: f64) -> f64 {
    let digits = match metric {
        "conversion_rate" | "error_rate" => 1e5,
        "cart_value" | "revenue" => 1e2,
        "latency_p50_ms" | "latency_p95_ms" => 1e1,
        _ => 1.0,
    };
    (value * digits).round() / digits
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use sha2::{Digest, Sha256};

    use super::*;
    use crate::domain::Span;

    fn end() -> Timestamp {
        Timestamp::parse("2026-03-31T14:00:00Z").unwrap()
    }

    fn hash(history: &ShopHistory) -> String {
        let mut hash = Sha256::new();
        for (metric, at, value) in &history.rows {
            hash.update(format!("{metric},{at},{value:.6}\n"));
        }
        hash.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn columns(history: &ShopHistory) -> BTreeMap<&'static str, BTreeMap<Timestamp, f64>> {
        let mut columns: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
        for (metric, at, value) in &history.rows {
            columns.entry(*metric).or_default().insert(*at, *value);
        }
        columns
    }

    #[test]
    fn the_same_seed_gives_the_same_rows_on_every_machine() {
        let history = generate(end(), 1);
        assert_eq!(hash(&history), "d9437e537f7883e8");
        assert_eq!(hash(&generate(end(), 1)), hash(&history));
        assert_ne!(hash(&generate(end(), 2)), hash(&history));
    }

    #[test]
    fn every_metric_has_ninety_days_with_a_few_short_gaps() {
        for (seed, end) in [(1, end()), (2, end() + Span::days(215)), (3, end() + Span::hours(7))] {
            let history = generate(end, seed);
            let columns = columns(&history);
            assert_eq!(columns.keys().copied().collect::<Vec<_>>(), METRICS);
            let expected = N_HOURS * METRICS.len() - 9;
            assert!((expected - 24..expected - 3).contains(&history.rows.len()));
            for (metric, values) in columns {
                assert!(values.values().all(|value| value.is_finite() && 0.0 <= *value));
                let times: Vec<Timestamp> = values.keys().copied().collect();
                assert!(end - Span::days(N_DAYS) <= times[0] && times[times.len() - 1] < end);
                let longest = times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
                let allowed = if metric == "revenue" { Span::hours(10) } else { Span::hours(3) };
                assert!(longest <= allowed, "{metric} {longest}");
            }
        }
    }

    #[test]
    fn the_incidents_are_eight_apart_and_in_the_last_thirty_days() {
        for n in 0..48 {
            let end = end() + Span::days(7 * n) + Span::hours(n);
            let incidents = generate(end, 1).incidents;
            assert_eq!(incidents.len(), 8);
            let kinds: BTreeSet<_> = incidents.iter().map(|incident| incident.kind).collect();
            let metrics: BTreeSet<_> = incidents.iter().map(|incident| incident.metric).collect();
            assert_eq!((kinds.len(), metrics.len()), (8, 8));
            assert!(end - Span::days(30) < incidents[0].from);
            assert!(incidents[7].to <= end - Span::hours(12));
            for pair in incidents.windows(2) {
                assert!(pair[0].to + Span::hours(24) <= pair[1].from, "{pair:?}");
            }
        }
    }

    #[test]
    fn days_and_weeks_follow_the_customers_clocks() {
        // The clocks go forward in the night of 29 March.
        let sessions = &columns(&generate(end(), 1))["sessions"];
        let share = |low: &str, high: &str| {
            let at = |text| sessions[&Timestamp::parse(text).unwrap()];
            at(low) / at(high)
        };
        for (night, evening) in [
            ("2026-03-25T04:00:00Z", "2026-03-25T20:00:00Z"),
            ("2026-03-30T03:00:00Z", "2026-03-30T19:00:00Z"),
        ] {
            assert!((0.15..0.35).contains(&share(night, evening)), "{night}");
        }
        let sunday = share("2026-03-22T20:00:00Z", "2026-03-21T20:00:00Z");
        assert!((1.15..1.5).contains(&sunday), "{sunday}");
    }
}
