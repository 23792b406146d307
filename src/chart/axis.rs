//! Where an instant lies across, where a value lies down, and which ones get a label.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveDateTime, TimeDelta, TimeZone};
use chrono_tz::Tz;

use crate::domain::{Band, Span, Timestamp, words};

/// Points shown before and after an alert.
const N_BEFORE: i64 = 168;
const N_AFTER: i64 = 48;
/// An alert's chart reaches no further to either side.
pub(crate) const AROUND: Span = Span::days(14);

/// A stretch of time, first instant included, last not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
}

impl Window {
    /// The same window, begun at the first point where that leaves more than half of it empty: a
    /// young history would be a dot at the edge.
    pub(crate) fn fitted(self, first: Option<Timestamp>) -> Self {
        let half = Span::from_micros((self.to - self.from).micros() / 2);
        match first.filter(|first| self.from + half < *first && *first < self.to) {
            None => self,
            Some(first) => {
                let air = Span::from_micros((self.to - first).micros() / 20).max(Span::secs(30));
                Self { from: first - air, to: self.to }
            }
        }
    }

    /// The last so long until now, or until the newest point where that is longer ago: an empty
    /// chart tells nobody anything.
    pub(crate) fn ending(length: Span, now: Timestamp, newest: Option<Timestamp>) -> Self {
        let after = newest.map(|newest| newest + Span::from_micros(1));
        let to = match after {
            Some(after) if after <= now - length || now < after => after,
            _ => now,
        };
        Self { from: to - length, to }
    }

    /// Around a stretch of unusual points: so many usual distances before and after it as make a
    /// chart, at most [`AROUND`], and not beyond `now`.
    pub(crate) fn around(
        (since, until): (Timestamp, Timestamp),
        spacing: Span,
        now: Timestamp,
    ) -> Self {
        let times = |n: i64| Span::from_micros(spacing.micros().saturating_mul(n)).min(AROUND);
        let end = now.max(until + spacing);
        Self { from: since - times(N_BEFORE), to: (until + times(N_AFTER)).min(end) }
    }

    /// How far along an instant lies: 0 at the start, 1 at the end.
    pub(super) fn share(&self, at: Timestamp) -> f64 {
        let length = (self.to - self.from).micros().max(1) as f64;
        (at - self.from).micros() as f64 / length
    }

    pub(crate) fn holds(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.to
    }
}

/// The values a plot covers; `low < high`, both finite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    /// Covers every value with a little air; a flat or empty series gets a range around it.
    pub(super) fn around(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = values
            .filter(|value| value.is_finite())
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
        if high < low {
            return Self { low: 0.0, high: 1.0 };
        }
        // Halves: the distance between two doubles may not fit a double.
        let air = match high / 2.0 - low / 2.0 {
            0.0 if low == 0.0 => 1.0,
            0.0 => low.abs() * 0.1,
            half => half * 0.12,
        };
        Self { low: (low - air).max(f64::MIN), high: (high + air).min(f64::MAX) }
    }

    /// Covers what was seen, widened towards what was expected; where nothing was seen, what was
    /// expected alone.
    pub(super) fn of(
        seen: impl Iterator<Item = f64>,
        bands: &[(Timestamp, Band)],
        has_values: bool,
    ) -> Self {
        let expected = Self::around(bands.iter().flat_map(|(_, band)| [band.lower, band.upper]));
        match (has_values, bands.is_empty()) {
            (false, _) => expected,
            (true, true) => Self::around(seen),
            (true, false) => Self::around(seen).widened(expected),
        }
    }

    /// As it is, or larger by at most half its height to each side so that limits which lie no
    /// further away are on it; and those. One far away would flatten the values.
    pub(super) fn with_limits(self, limits: &[f64]) -> (Self, Vec<f64>) {
        let wide = self.widened(Self { low: f64::MIN, high: f64::MAX });
        let is_near = |limit: &f64| wide.low <= *limit && *limit <= wide.high;
        let near: Vec<f64> = limits.iter().copied().filter(is_near).collect();
        let widest = near.iter().fold(self, |scale, limit| Self {
            low: scale.low.min(*limit),
            high: scale.high.max(*limit),
        });
        (widest, near)
    }

    /// Exactly from 0 to 1.
    pub(super) const fn unit() -> Self {
        Self { low: 0.0, high: 1.0 }
    }

    /// Widens a scale by at most half its height to each side, so that a wild band cannot flatten
    /// the values.
    pub(super) fn widened(self, other: Self) -> Self {
        let reach = self.high / 2.0 - self.low / 2.0;
        Self {
            low: other.low.clamp((self.low - reach).max(f64::MIN), self.low),
            high: other.high.clamp(self.high, (self.high + reach).min(f64::MAX)),
        }
    }

    /// The distance from the top of a plot of this height.
    pub(super) fn down(&self, value: f64, height: f64) -> f64 {
        let share = (value / 2.0 - self.low / 2.0) / (self.high / 2.0 - self.low / 2.0);
        height * (1.0 - share.clamp(0.0, 1.0))
    }

    /// About `target` round values with their labels.
    pub(super) fn ticks(&self, target: usize) -> Vec<(f64, String)> {
        let rough = (self.high - self.low) / target as f64;
        if !rough.is_finite() || rough <= 0.0 {
            return vec![
                (self.low, words::number(self.low)),
                (self.high, words::number(self.high)),
            ];
        }
        let magnitude = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0]
            .into_iter()
            .map(|factor| factor * magnitude)
            .find(|step| rough <= *step)
            .unwrap_or(rough);
        let first = (self.low / step).ceil();
        let size = self.low.abs().max(self.high.abs());
        (0..=target * 2)
            .map(|n| (first + n as f64) * step)
            .take_while(|value| *value <= self.high)
            .map(|value| (value, tick_label(value, step, size)))
            .collect()
    }
}

/// A round value as short as its neighbours allow: `250`, `15k`, `0.02`. `size` is the largest
/// value of the axis, so that all its labels share a unit.
fn tick_label(value: f64, step: f64, size: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    if step < 1e-6 || 1e15 <= size {
        return words::number(value);
    }
    let units = [(1e12, 1e12, "T"), (1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k")];
    let (_, unit, name) =
        units.into_iter().find(|(least, _, _)| *least <= size).unwrap_or((0.0, 1.0, ""));
    let in_unit = step / unit;
    let n_decimals = (0_u8..9).find(|n| is_whole(in_unit * 10_f64.powi((*n).into()))).unwrap_or(9);
    format!("{:.*}{name}", usize::from(n_decimals), value / unit)
}

fn is_whole(number: f64) -> bool {
    (number - number.round()).abs() < 1e-6
}

/// How far apart time labels are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Minutes(i64),
    Days(u64),
    Months(u32),
}

impl Step {
    const ALL: &[Self] = &[
        Self::Minutes(1),
        Self::Minutes(5),
        Self::Minutes(15),
        Self::Minutes(30),
        Self::Minutes(60),
        Self::Minutes(180),
        Self::Minutes(360),
        Self::Minutes(720),
        Self::Days(1),
        Self::Days(2),
        Self::Days(7),
        Self::Days(14),
        Self::Months(1),
        Self::Months(3),
        Self::Months(12),
        Self::Months(60),
        Self::Months(1_200),
    ];

    const fn minutes(self) -> i64 {
        match self {
            Self::Minutes(n) => n,
            Self::Days(n) => n as i64 * 1_440,
            Self::Months(n) => n as i64 * 43_800,
        }
    }

    /// The round civil time at or before another.
    fn floor(self, at: NaiveDateTime) -> Option<NaiveDateTime> {
        let midnight = at.date().and_hms_opt(0, 0, 0)?;
        match self {
            Self::Minutes(n) => {
                let since = (at - midnight).num_minutes();
                midnight.checked_add_signed(TimeDelta::minutes(since - since % n))
            }
            Self::Days(7 | 14) => {
                let past_monday = u64::from(at.weekday().num_days_from_monday());
                midnight.checked_sub_days(Days::new(past_monday))
            }
            Self::Days(n) => {
                let past = u64::from(at.day0()) % n;
                midnight.checked_sub_days(Days::new(past))
            }
            Self::Months(n) => {
                let month = at.year().checked_mul(12)? + i32::try_from(at.month0()).ok()?;
                let month = month - month.rem_euclid(i32::try_from(n).ok()?);
                let first = u32::try_from(month.rem_euclid(12)).ok()? + 1;
                NaiveDate::from_ymd_opt(month.div_euclid(12), first, 1)?.and_hms_opt(0, 0, 0)
            }
        }
    }

    fn next(self, at: NaiveDateTime) -> Option<NaiveDateTime> {
        match self {
            Self::Minutes(n) => at.checked_add_signed(TimeDelta::minutes(n)),
            Self::Days(n) => at.checked_add_days(Days::new(n)),
            Self::Months(n) => at.checked_add_months(Months::new(n)),
        }
    }

    fn label(self, at: NaiveDateTime) -> String {
        let is_midnight = at.time() == chrono::NaiveTime::MIN;
        let format = match self {
            Self::Minutes(_) if !is_midnight => "%H:%M",
            Self::Minutes(_) | Self::Days(_) => "%-d %b",
            Self::Months(12..) => "%Y",
            Self::Months(_) => "%b %Y",
        };
        at.format(format).to_string()
    }
}

/// Round civil times of the zone inside a window, at most `target` of them, with labels.
pub(super) fn time_ticks(window: &Window, tz: Tz, target: i64) -> Vec<(Timestamp, String)> {
    let length = (window.to - window.from).micros() / 60_000_000;
    let fits = |step: &&Step| length <= step.minutes() * target;
    let step = Step::ALL.iter().find(fits).copied().unwrap_or(Step::Months(1_200));
    let start = window.from.to_utc().with_timezone(&tz).naive_local();
    let mut ticks = Vec::new();
    let mut at = step.floor(start);
    // One more than fits on either side; a guard against a zone that never reaches the end.
    for _ in 0..target * 2 + 4 {
        let Some(civil) = at else { break };
        // A civil time inside a spring-forward gap does not exist and gets no label.
        let instant: Option<DateTime<Tz>> = tz.from_local_datetime(&civil).earliest();
        if let Some(instant) = instant.map(|instant| Timestamp::from(instant.to_utc())) {
            if window.to <= instant {
                break;
            }
            if window.holds(instant) {
                ticks.push((instant, step.label(civil)));
            }
        }
        at = step.next(civil);
    }
    ticks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(from: &str, to: &str) -> Window {
        Window { from: Timestamp::parse(from).unwrap(), to: Timestamp::parse(to).unwrap() }
    }

    #[test]
    fn a_young_history_fills_its_window() {
        let week = window("2026-01-01", "2026-01-08");
        let at = |text| Some(Timestamp::parse(text).unwrap());
        assert_eq!(week.fitted(at("2026-01-03")), week);
        assert_eq!(week.fitted(None), week);
        let young = week.fitted(at("2026-01-07T04:00:00Z"));
        assert_eq!(young, window("2026-01-07T03:00:00Z", "2026-01-08"));
    }

    #[track_caller]
    fn check_ticks(low: f64, high: f64, expected: &[&str]) {
        let labels: Vec<String> =
            Scale { low, high }.ticks(4).into_iter().map(|(_, label)| label).collect();
        assert_eq!(labels, expected);
    }

    #[test]
    fn value_labels_are_round_and_short() {
        check_ticks(0.0, 1.0, &["0", "0.5", "1.0"]);
        check_ticks(0.0, 4_000.0, &["0", "1000", "2000", "3000", "4000"]);
        check_ticks(3.0, 98.0, &["50"]);
        check_ticks(-10.0, 10.0, &["-10", "-5", "0", "5", "10"]);
        check_ticks(0.0, 20_000.0, &["0", "5k", "10k", "15k", "20k"]);
        check_ticks(0.0, 2e9, &["0", "0.5G", "1.0G", "1.5G", "2.0G"]);
        check_ticks(0.000_008, 0.000_03, &["0.00001", "0.00002", "0.00003"]);
    }

    #[test]
    fn the_widest_range_of_doubles_still_has_a_scale() {
        let scale = Scale::around([f64::MIN, 0.0, f64::MAX, f64::NAN].into_iter());
        assert_eq!(scale.down(0.0, 100.0), 50.0);
        assert_eq!(scale.ticks(4).len(), 2);
        assert_eq!(Scale::around([5.0].into_iter()).down(5.0, 100.0), 50.0);
        assert_eq!(Scale::around(std::iter::empty()), Scale::unit());
    }

    #[track_caller]
    fn check_times(from: &str, to: &str, tz: Tz, expected: &[&str]) {
        let labels: Vec<String> =
            time_ticks(&window(from, to), tz, 8).into_iter().map(|(_, label)| label).collect();
        assert_eq!(labels, expected);
    }

    #[test]
    fn times_are_labelled_in_the_zone_of_the_batch() {
        check_times(
            "2026-01-01T22:00:00Z",
            "2026-01-02T22:00:00Z",
            chrono_tz::Europe::Berlin,
            &["2 Jan", "03:00", "06:00", "09:00", "12:00", "15:00", "18:00", "21:00"],
        );
        check_times(
            "2026-01-05T00:00:00Z",
            "2026-01-12T00:00:00Z",
            Tz::UTC,
            &["5 Jan", "6 Jan", "7 Jan", "8 Jan", "9 Jan", "10 Jan", "11 Jan"],
        );
        check_times(
            "2025-11-20T00:00:00Z",
            "2026-02-20T00:00:00Z",
            Tz::UTC,
            &["1 Dec", "15 Dec", "29 Dec", "12 Jan", "26 Jan", "9 Feb"],
        );
    }

    #[test]
    fn a_clock_change_neither_loses_nor_moves_the_later_labels() {
        check_times(
            "2026-03-28T23:00:00Z",
            "2026-03-29T22:00:00Z",
            chrono_tz::Europe::Berlin,
            &["29 Mar", "03:00", "06:00", "09:00", "12:00", "15:00", "18:00", "21:00"],
        );
    }
}
