//! The example's data: three hourly metrics over thirty days with a daily season, a quieter
//! weekend and a little noise, the same on every machine. One incident near the end is there to be
//! found: requests fall away while latency and errors rise.

use std::fmt::Write;

use crate::domain::{Span, Timestamp};

const HOURS: i64 = 30 * 24;
/// The incident, in hours before the end; inside the hours that the example looks at.
const INCIDENT: std::ops::RangeInclusive<i64> = 5..=7;

/// The file's text. The newest row is of the last full hour before `now`.
pub(super) fn csv(now: Timestamp) -> String {
    let newest = now.floor(Span::hours(1));
    let mut text = "metric,timestamp,value\n".to_owned();
    for hours_ago in (0..HOURS).rev() {
        let at = newest - Span::hours(hours_ago);
        for (metric, value) in values(at, hours_ago) {
            // Writing to a String does not fail.
            writeln!(text, "{metric},{at},{value:.2}").unwrap_or_default();
        }
    }
    text
}

fn values(at: Timestamp, hours_ago: i64) -> [(&'static str, f64); 3] {
    let hour = at.secs() / 3_600;
    let day_share = (hour.rem_euclid(24) as f64 - 15.0) / 24.0;
    // 1970-01-01 was a Thursday.
    let is_weekend = matches!((hour.div_euclid(24) + 4).rem_euclid(7), 0 | 6);
    let season = 1.0 + 0.5 * (std::f64::consts::TAU * day_share).cos();
    let load = season * if is_weekend { 0.7 } else { 1.0 };
    let (fewer, slower, more_errors) =
        if INCIDENT.contains(&hours_ago) { (0.15, 4.0, 12.0) } else { (1.0, 1.0, 1.0) };
    [
        ("requests", 2_000.0 * load * fewer * (1.0 + 0.04 * noise(hour, 1))),
        ("latency", (80.0 + 30.0 * load) * slower * (1.0 + 0.03 * noise(hour, 2))),
        ("errors", 0.5 * more_errors * (1.0 + 0.10 * noise(hour, 3))),
    ]
}

/// Between -1 and 1, fixed for an hour and a metric (SplitMix64's finaliser).
fn noise(hour: i64, metric: u64) -> f64 {
    let mut bits = (hour as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(metric << 32);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^= bits >> 31;
    (bits >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_is_the_same_every_time_and_ends_at_the_last_full_hour() {
        let now = Timestamp::parse("2026-03-01T12:34:56Z").unwrap();
        let text = csv(now);
        assert_eq!(text, csv(now));
        assert_eq!(text.lines().count(), 1 + 3 * 720);
        let last = text.lines().last().unwrap();
        assert!(last.starts_with("errors,2026-03-01T12:00:00Z,"), "{last}");
    }

    #[test]
    fn the_incident_stands_out_of_the_same_hour_of_other_days() {
        let now = Timestamp::parse("2026-03-05T12:00:00Z").unwrap();
        let requests = |days: i64| values(now - Span::hours(6 + 24 * days), 6 + 24 * days)[0].1;
        assert!(requests(0) < 0.3 * requests(1), "{} {}", requests(0), requests(1));
    }
}
