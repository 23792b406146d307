//! The shop without incidents: customers come and go by day, week and holiday, and everything
//! else follows from them with its own chance.

use std::collections::BTreeMap;

use chrono::{Datelike, Timelike, Weekday};

use super::{N_DAYS, N_HOURS, TIMEZONE, local_date, random::Random};
use crate::domain::{Span, Timestamp};

/// Public holidays, in days before the end: far enough back to be over before the incidents.
const HOLIDAYS: [u64; 2] = [70, 44];

/// An hour, as the customers live it.
pub(super) struct Hour {
    pub(super) at: Timestamp,
    /// Hours since local midnight.
    of_day: f64,
    weekday: Weekday,
    is_holiday: bool,
    /// From 0 at the start of the history to 1 at its end.
    progress: f64,
}

/// The hours of the 90 days before `end`.
pub(super) fn calendar(end: Timestamp) -> Vec<Hour> {
    let start = end - Span::days(N_DAYS);
    let holidays = HOLIDAYS.map(|n_days| local_date(end) - chrono::Days::new(n_days));
    (0..N_HOURS)
        .map(|n| {
            let at = start + Span::hours(n as i64);
            let local = at.to_utc().with_timezone(&TIMEZONE);
            Hour {
                at,
                of_day: f64::from(local.hour()) + f64::from(local.minute()) / 60.0,
                weekday: local.weekday(),
                is_holiday: holidays.contains(&local.date_naive()),
                progress: n as f64 / N_HOURS as f64,
            }
        })
        .collect()
}

/// The share of a busy hour's customers that are there.
fn load(hour: &Hour) -> f64 {
    let day = 0.2 + 0.6 * bump(hour.of_day, 13.0, 3.5) + 0.7 * bump(hour.of_day, 20.0, 2.5);
    let week = match hour.weekday {
        Weekday::Mon => 1.0,
        Weekday::Tue => 0.98,
        Weekday::Wed => 0.99,
        Weekday::Thu => 1.02,
        Weekday::Fri => 0.95,
        Weekday::Sat => 0.84,
        Weekday::Sun => 1.1,
    };
    let holiday = if hour.is_holiday { 0.6 } else { 1.0 };
    let trend = 1.0 + 0.1 * hour.progress;
    day * week * holiday * trend
}

/// A bell around an hour of the day that joins up at midnight.
fn bump(of_day: f64, center: f64, width: f64) -> f64 {
    let distance = (of_day - center + 36.0).rem_euclid(24.0) - 12.0;
    (-0.5 * (distance / width).powi(2)).exp()
}

/// Every metric without incidents, not yet rounded.
pub(super) fn undisturbed(hours: &[Hour], seed: u64) -> BTreeMap<&'static str, Vec<f64>> {
    let loads: Vec<f64> = hours.iter().map(load).collect();
    let weather = drift(&mut Random::of(seed, "weather"), 0.02);
    let series = |metric: &'static str, width: f64, mean: &dyn Fn(usize) -> f64| {
        let random = &mut Random::of(seed, metric);
        let own = drift(random, width / 2.0);
        let value = |n: usize| mean(n) * (own[n] + width * random.normal()).exp();
        (metric, (0..N_HOURS).map(value).collect::<Vec<f64>>())
    };
    // A count scatters by the root of its size, however steady its causes.
    let counted = |(metric, mut values): (&'static str, Vec<f64>)| {
        let random = &mut Random::of(seed, &format!("{metric} count"));
        for value in &mut values {
            *value = (*value + value.sqrt() * random.normal()).max(0.0);
        }
        (metric, values)
    };
    let evening = |n: usize| bump(hours[n].of_day, 20.5, 4.0);

    let sessions = counted(series("sessions", 0.02, &|n| 24_000.0 * loads[n] * weather[n].exp()));
    let buyers = series("conversion_rate", 0.025, &|n| 0.026 * (1.0 + 0.5 * evening(n)));
    let orders = counted(series("orders", 0.015, &|n| sessions.1[n] * buyers.1[n]));
    let carts = series("cart_value", 0.015, &|n| 58.0 * (1.0 + 0.12 * evening(n)));
    let fast = series("latency_p50_ms", 0.025, &|n| 70.0 + 45.0 * loads[n].powi(2));
    BTreeMap::from([
        counted(series("page_views", 0.015, &|n| 4.6 * sessions.1[n])),
        counted(series("search_queries", 0.02, &|n| 0.8 * sessions.1[n])),
        counted(series("signups", 0.02, &|n| 0.02 * sessions.1[n])),
        series("revenue", 0.01, &|n| orders.1[n] * carts.1[n]),
        counted(series("refunds", 0.03, &|n| 8.0 + 0.09 * orders.1[n])),
        counted(series("payment_failures", 0.03, &|n| 9.0 + 0.1 * orders.1[n])),
        series("latency_p95_ms", 0.035, &|n| 2.8 * (70.0 + 55.0 * loads[n].powi(2))),
        series("error_rate", 0.07, &|n| 0.004 * (1.0 + 0.5 * loads[n])),
        sessions,
        buyers,
        orders,
        carts,
        fast,
    ])
}

/// Slow chance: an AR(1) walk of this standard deviation, most of it forgotten within a few hours.
fn drift(random: &mut Random, width: f64) -> Vec<f64> {
    const MEMORY: f64 = 0.7;
    let mut level = width * random.normal();
    let step = width * (1.0 - MEMORY * MEMORY).sqrt();
    (0..N_HOURS)
        .map(|_| {
            level = MEMORY * level + step * random.normal();
            level
        })
        .collect()
}
