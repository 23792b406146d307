//! What the time of day, or of the week, foretells: the median of the values around the same time
//! of earlier periods, whichever of the two has foretold better lately.

use std::collections::VecDeque;

use super::super::robust;

/// Periods (days) looked back on.
const PERIODS: i64 = 14;
/// Places before and after the same time of an earlier period that count too.
const AROUND: i64 = 1;
/// Fewest values that make a period's median; with less the newest values stand in.
const ENOUGH: usize = 6;
/// The newest values that stand in.
const RECENT: usize = 64;
/// Periods of a week, weeks looked back on, places around, fewest values.
const WEEK: i64 = 7;
const WEEKS: i64 = 4;
const AROUND_WEEK: i64 = 2;
const ENOUGH_WEEK: usize = 10;
/// Rows over which the two are compared.
const MEMORY: f64 = 2000.0;
/// The week must have erred by so much less than the day.
const WORTH_A_WEEK: f64 = 0.9;
/// An error counts for at most so many usual ones.
const MOST: f64 = 5.0;
/// Rows before errors are limited.
const SETTLED: f64 = 80.0;
/// Most places kept; with shorter steps than 37 seconds fewer weeks are looked back on.
const MOST_PLACES: f64 = 65_536.0;

/// The values of the last weeks by their place on the grid of steps.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Season {
    /// Value by place, NaN where there is none.
    ring: Vec<f64>,
    /// Place of the newest value.
    newest: Option<i64>,
    /// Steps in a period; not always whole.
    period: f64,
    recent: VecDeque<f64>,
    /// Faded sums of the errors of the day and the week, and their weight.
    errors: [f64; 2],
    weight: f64,
    pool: Vec<f64>,
}

/// What both foretell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Forecast {
    both: [f64; 2],
    /// By the better one.
    pub(super) expected: f64,
}

impl Season {
    /// `period` in steps, at least 1.
    pub(super) fn new(period: f64) -> Self {
        let wanted = (WEEKS * WEEK) as f64 * period + 8.0;
        let n_places = wanted.min(MOST_PLACES) as usize;
        Self {
            ring: vec![f64::NAN; n_places],
            newest: None,
            period,
            recent: VecDeque::with_capacity(RECENT),
            errors: [0.0; 2],
            weight: 0.0,
            pool: Vec::with_capacity(RECENT),
        }
    }

    /// What is expected at a place no earlier than the newest; `None` before the first value.
    pub(super) fn forecast(&mut self, place: i64) -> Option<Forecast> {
        if self.recent.is_empty() {
            return None;
        }
        let day = match self.median_around(place, (PERIODS, 1, AROUND), ENOUGH) {
            Some(day) => day,
            None => {
                self.pool.clear();
                self.pool.extend(&self.recent);
                robust::median(&mut self.pool)
            }
        };
        let week = self.median_around(place, (WEEKS, WEEK, AROUND_WEEK), ENOUGH_WEEK);
        let both = [day, week.unwrap_or(day)];
        let is_weekly = self.errors[1] < WORTH_A_WEEK * self.errors[0];
        Some(Forecast { both, expected: if is_weekly { both[1] } else { day } })
    }

    /// Takes the value at a place no earlier than the newest.
    pub(super) fn learn(&mut self, place: i64, value: f64, forecast: Option<Forecast>) {
        if let Some(forecast) = forecast {
            self.compare(value, forecast);
        }
        let n_places = self.ring.len() as i64;
        let first_skipped = self.newest.map_or(place, |newest| newest + 1);
        for skipped in first_skipped.max(place - n_places)..place {
            self.ring[skipped.rem_euclid(n_places) as usize] = f64::NAN;
        }
        self.ring[place.rem_euclid(n_places) as usize] = value;
        self.newest = Some(place);
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(value);
    }

    fn compare(&mut self, value: f64, forecast: Forecast) {
        let usual = self.errors[0].min(self.errors[1]) / self.weight.max(1e-9);
        let most = if self.weight < SETTLED { f64::INFINITY } else { MOST * usual.max(1e-9) };
        let kept = (-1.0 / MEMORY).exp();
        self.weight = self.weight * kept + 1.0;
        for (error, foretold) in self.errors.iter_mut().zip(forecast.both) {
            *error = *error * kept + (value - foretold).abs().min(most);
        }
    }

    /// Of the values `around` the same place `every`, twice `every`, … periods earlier.
    fn median_around(
        &mut self,
        place: i64,
        (n, every, around): (i64, i64, i64),
        enough: usize,
    ) -> Option<f64> {
        let mut pool = std::mem::take(&mut self.pool);
        pool.clear();
        for earlier in 1..=n {
            let middle = place - ((earlier * every) as f64 * self.period).round() as i64;
            let values = (middle - around..=middle + around).filter_map(|p| self.known(p, place));
            pool.extend(values);
        }
        let median = (enough <= pool.len()).then(|| robust::median(&mut pool));
        self.pool = pool;
        median
    }

    fn known(&self, place: i64, now: i64) -> Option<f64> {
        let newest = self.newest?;
        let n_places = self.ring.len() as i64;
        if now <= place || newest < place || place <= newest - n_places {
            return None;
        }
        let value = self.ring[place.rem_euclid(n_places) as usize];
        (!value.is_nan()).then_some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(period: f64, values: impl Iterator<Item = (i64, f64)>) -> Season {
        let mut season = Season::new(period);
        for (place, value) in values {
            let forecast = season.forecast(place);
            season.learn(place, value, forecast);
        }
        season
    }

    #[test]
    fn the_same_time_of_earlier_days_is_expected() {
        let mut season = walk(24.0, (0..240).map(|hour| (hour, (hour % 24) as f64)));
        assert_eq!(season.forecast(240 + 12).unwrap().expected, 12.0);
    }

    #[test]
    fn weekends_are_learnt_from_weekends() {
        let value = |hour: i64| if 5 <= hour / 24 % 7 { 1.0 } else { 10.0 };
        let mut season = walk(24.0, (0..8 * 168).map(|hour| (hour, value(hour))));
        assert_eq!(season.forecast(8 * 168 + 5 * 24 + 12).unwrap().expected, 1.0);
    }

    #[test]
    fn what_a_gap_skips_is_not_taken_for_older_values() {
        let hours = (0..700).chain(1_500..1_501).map(|hour| (hour, 5.0));
        let mut season = walk(24.0, hours);
        assert_eq!(season.known(1_500 - 24, 1_501), None);
        assert_eq!(season.forecast(1_501).unwrap().expected, 5.0);
    }
}
