//! What goes wrong in the shop, and what is missing.

use chrono::{NaiveDate, TimeZone};

use super::{METRICS, N_HOURS, TIMEZONE, local_date, random::Random, traffic::Hour};
use crate::domain::{Span, Timestamp};

/// Short holes that are no incident.
const N_GAPS: u64 = 12;

/// What happened to a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cli::demo) enum IncidentKind {
    /// Three times as much for two hours.
    Spike,
    /// A fifth for three hours.
    Dip,
    /// 35 % less for three days.
    LevelShift,
    /// Up to 60 % more, growing over three days.
    SlowRamp,
    /// One value repeated for twenty hours.
    FlatLine,
    /// No rows for nine hours.
    MissingData,
    /// Day and night exchanged for a day and a half.
    SeasonBreak,
    /// Noise five times as wide for a day.
    VarianceBurst,
}

/// Something that went wrong, and should be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli::demo) struct Incident {
    /// What happened.
    pub kind: IncidentKind,
    /// To which metric; no two share one.
    pub metric: &'static str,
    /// The first hour concerned.
    pub from: Timestamp,
    /// The first hour after it.
    pub to: Timestamp,
    /// The story behind it.
    pub title: &'static str,
}

/// The incidents: each begins so many local days before the end, at a local hour at which a
/// person would see it.
pub(super) fn planned(end: Timestamp) -> Vec<Incident> {
    use IncidentKind::*;
    let today = local_date(end);
    [
        (27, 15, 2, Spike, "signups", "A bot opens accounts"),
        (25, 8, 72, SlowRamp, "latency_p95_ms", "A connection leak until the next deploy"),
        (20, 11, 3, Dip, "search_queries", "The search index is down"),
        (18, 9, 24, VarianceBurst, "error_rate", "A backend flaps"),
        (15, 6, 36, SeasonBreak, "sessions", "The collector's clock is off by twelve hours"),
        (11, 10, 20, FlatLine, "conversion_rate", "The exporter repeats its last value"),
        (8, 7, 72, LevelShift, "page_views", "A template lost its tracking tag"),
        (3, 9, 9, MissingData, "revenue", "The payment export does not arrive"),
    ]
    .map(|(n_days, of_day, n_hours, kind, metric, title)| {
        let from = local_hour(today - chrono::Days::new(n_days), of_day);
        Incident { kind, metric, from, to: from + Span::hours(n_hours), title }
    })
    .into()
}

fn local_hour(date: NaiveDate, of_day: u32) -> Timestamp {
    let civil = date.and_time(chrono::NaiveTime::MIN) + chrono::TimeDelta::hours(of_day.into());
    // Dublin changes its clocks at one in the morning, so that these hours exist once.
    match TIMEZONE.from_local_datetime(&civil).earliest() {
        Some(local) => local.to_utc().into(),
        None => civil.and_utc().into(),
    }
}

/// Does to a metric what an incident does.
pub(super) fn disturb(values: &mut [f64], hours: &[Hour], incident: &Incident, seed: u64) {
    let from = hours.partition_point(|hour| hour.at < incident.from);
    let to = hours.partition_point(|hour| hour.at < incident.to);
    let before = values.to_vec();
    let random = &mut Random::of(seed, incident.title);
    for n in from..to {
        let share = (n - from) as f64 / (to - from) as f64;
        values[n] = match incident.kind {
            IncidentKind::Spike => 3.0 * before[n],
            IncidentKind::Dip => 0.2 * before[n],
            IncidentKind::LevelShift => 0.65 * before[n],
            IncidentKind::SlowRamp => (1.0 + 0.6 * share) * before[n],
            IncidentKind::FlatLine => before[from],
            IncidentKind::MissingData => before[n],
            IncidentKind::SeasonBreak => before[n - 12],
            // Together with its own 7 % this is about five times as wide.
            IncidentKind::VarianceBurst => before[n] * (0.38 * random.normal()).exp(),
        };
    }
}

/// Where rows are missing: the incident, and a few holes of an hour or two that are none and keep
/// away from the incidents of their metric.
pub(super) fn gaps(
    incidents: &[Incident],
    hours: &[Hour],
    seed: u64,
) -> Vec<(&'static str, Timestamp, Timestamp)> {
    let random = &mut Random::of(seed, "gaps");
    let mut gaps: Vec<(&'static str, Timestamp, Timestamp)> = incidents
        .iter()
        .filter(|incident| incident.kind == IncidentKind::MissingData)
        .map(|incident| (incident.metric, incident.from, incident.to))
        .collect();
    for n in 0..N_GAPS {
        let metric = METRICS[random.below(METRICS.len() as u64) as usize];
        // One in each stretch of the history, so that no two touch.
        let stretch = N_HOURS as u64 / N_GAPS;
        let start = n * stretch + 24 + random.below(stretch - 48);
        let from = hours[start as usize].at;
        let to = from + Span::hours(1 + random.below(2) as i64);
        let margin = Span::hours(48);
        let is_near = incidents.iter().any(|incident| {
            incident.metric == metric && incident.from - margin < to && from < incident.to + margin
        });
        if !is_near {
            gaps.push((metric, from, to));
        }
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::super::traffic::{calendar, undisturbed};
    use super::*;

    /// The values of an incident's hours without and with it.
    fn both(kind: IncidentKind) -> (Vec<f64>, Vec<f64>) {
        let end = Timestamp::parse("2026-03-31T14:00:00Z").unwrap();
        let hours = calendar(end);
        let incident = planned(end).into_iter().find(|incident| incident.kind == kind).unwrap();
        let without = undisturbed(&hours, 1).remove(incident.metric).unwrap();
        let mut with = without.clone();
        disturb(&mut with, &hours, &incident, 1);
        let from = hours.partition_point(|hour| hour.at < incident.from);
        let to = hours.partition_point(|hour| hour.at < incident.to);
        assert_eq!(with[..from], without[..from], "before");
        assert_eq!(with[to..], without[to..], "after");
        (without[from..to].to_vec(), with[from..to].to_vec())
    }

    /// The incident's values as shares of those without it.
    fn shares(kind: IncidentKind) -> Vec<f64> {
        let (without, with) = both(kind);
        with.iter().zip(&without).map(|(with, without)| with / without).collect()
    }

    #[track_caller]
    fn check(kind: IncidentKind, n_hours: usize, share: f64) {
        let shares = shares(kind);
        assert_eq!(shares.len(), n_hours);
        assert!(shares.iter().all(|value| (value - share).abs() < 1e-12), "{shares:?}");
    }

    #[test]
    fn spike_dip_and_shift_are_as_large_as_said() {
        check(IncidentKind::Spike, 2, 3.0);
        check(IncidentKind::Dip, 3, 0.2);
        check(IncidentKind::LevelShift, 72, 0.65);
    }

    #[test]
    fn the_ramp_grows_slowly_from_nothing_to_sixty_percent() {
        let shares = shares(IncidentKind::SlowRamp);
        assert_eq!((shares.len(), shares[0]), (72, 1.0));
        assert!((1.58..1.6).contains(&shares[71]));
        assert!(shares.windows(2).all(|pair| pair[0] < pair[1] && pair[1] < pair[0] + 0.01));
    }

    #[test]
    fn the_flat_line_repeats_a_value_while_the_others_would_have_moved() {
        let (without, with) = both(IncidentKind::FlatLine);
        assert_eq!(with, vec![without[0]; 20]);
        assert!(without.iter().any(|value| 1.3 * without[0] < *value));
    }

    #[test]
    fn the_season_break_turns_night_into_day() {
        let shares = shares(IncidentKind::SeasonBreak);
        assert_eq!(shares.len(), 36);
        assert!(shares.iter().any(|share| 2.0 < *share));
        assert!(shares.iter().any(|share| *share < 0.5));
    }

    #[test]
    fn the_variance_burst_is_about_five_times_as_wide() {
        let own = 0.07_f64;
        let logs: Vec<f64> = shares(IncidentKind::VarianceBurst).iter().map(|s| s.ln()).collect();
        let variance = logs.iter().map(|log| log * log).sum::<f64>() / logs.len() as f64;
        let times = (variance + own * own).sqrt() / own;
        assert!((4.0..7.0).contains(&times), "{times}");
    }

    #[test]
    fn missing_data_is_a_hole_of_nine_hours_and_the_other_holes_are_short_and_elsewhere() {
        let end = Timestamp::parse("2026-03-31T14:00:00Z").unwrap();
        let incidents = planned(end);
        for seed in 0..20 {
            let gaps = gaps(&incidents, &calendar(end), seed);
            let (metric, from, to) = gaps[0];
            assert_eq!((metric, to - from), ("revenue", Span::hours(9)));
            for (metric, from, to) in &gaps[1..] {
                assert!(*to - *from <= Span::hours(2));
                for incident in incidents.iter().filter(|incident| incident.metric == *metric) {
                    assert!(*to < incident.from || incident.to < *from);
                }
            }
        }
    }
}
