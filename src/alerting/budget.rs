//! From a budget of alerts to a threshold, by a metric's own past scores.
//!
//! The alerts a threshold gives are counted as the policy makes them: smoothed, side and distance
//! minded, delayed, one as long as it lasts and one a silence; only quiet times are not known here. The threshold lies where the past had as many as the budget
//! allows: for exchangeable peaks the expected number ahead is the same (the rank argument of
//! conformal prediction). Nothing is assumed about neighbouring scores, but that the time ahead is
//! like the past: where a metric changes its nature, the count is off until the past has caught up.
//! A budget rarer than the past can count is continued from the highest peaks, whose excess on the
//! scale `-ln(1 - score)` is taken to be exponential; that is said.
//!
//! # Source
//! Vovk, Gammerman & Shafer (2005) for ranks; Pickands (1975) for peaks over a threshold.

use super::{
    Scored,
    decide::smoothed,
    episode::{Standing, Stretch},
    usual::Usual,
};
use crate::domain::{
    AlertSpec, Budget, Calibration, Direction, Doubt, MinChange, Snooze, Span, Timestamp,
};

/// Fewer scores give no threshold.
const MIN_SCORES: usize = 200;
/// Alerts in the past from which on counting them says enough.
const COUNTABLE: f64 = 2.0;
/// Peaks a rarer budget is continued from.
const PEAKS: usize = 12;
/// Shares of the budget that are as good as kept.
const LEAST: f64 = 0.7;
const MOST: f64 = 1.3;
const BISECTIONS: usize = 40;
/// Levels at which alerts are counted to find where there are most.
const PLACES: usize = 64;
/// Levels closer than this are one.
const STEP: f64 = 1e-9;
/// `-ln(1 - score)` of the highest score below 1.
const TOP: f64 = 36.0;
/// A gap of more than so many usual steps is no time observed.
const GAP: i64 = 3;

/// The threshold that gives a budget's alerts on scores like these. Points are in order; those
/// that the policy would never let through do not count.
pub fn calibrate(scored: &[Scored], spec: &AlertSpec, budget: Budget) -> Calibration {
    let observed = observed(scored);
    let peaks = Levels::new(scored, spec);
    let wanted = budget.within(observed);
    let outcome = match scored.len() < MIN_SCORES {
        true => Err(Doubt::TooFewScores { need: MIN_SCORES as u64, have: scored.len() as u64 }),
        false => peaks.threshold(wanted, observed),
    };
    let (threshold, doubt) = match outcome {
        Ok(found) => found,
        Err(doubt) => (spec.threshold, Some(doubt)),
    };
    Calibration {
        budget,
        threshold,
        n_scores: scored.len() as u64,
        days: observed.as_secs_f64() / 86_400.0,
        n_alerts: peaks.count(latent(threshold)) as u64,
        doubt,
    }
}

/// The alerts of a pass over all of these points.
#[cfg(test)]
pub(super) fn count(scored: &[Scored], spec: &AlertSpec) -> usize {
    Levels::new(scored, spec).count(latent(spec.threshold))
}

/// Time between points, without gaps.
fn observed(scored: &[Scored]) -> Span {
    let steps: Vec<i64> = scored.windows(2).map(|two| (two[1].at - two[0].at).micros()).collect();
    let mut sorted = steps.clone();
    sorted.sort_unstable();
    let usual = sorted.get(sorted.len() / 2).copied().unwrap_or(0);
    let most = usual.saturating_mul(GAP);
    Span::from_micros(steps.into_iter().map(|step| if step <= most { step } else { usual }).sum())
}

fn latent(score: f64) -> f64 {
    if 1.0 <= score { TOP + 1.0 } else { (-(-score).ln_1p()).min(TOP) }
}

/// A shade lower, so that the score itself is at its own threshold.
fn score_of(latent: f64) -> f64 {
    if TOP < latent { 1.0 } else { -(-latent).exp_m1() * (1.0 - 1e-12) }
}

/// The highest threshold at which each point would be a hit, on the latent scale.
struct Levels<'a> {
    at: Vec<Timestamp>,
    spec: &'a AlertSpec,
    /// Smoothed scores.
    score: Vec<f64>,
    /// Where a point is a hit; 0 where it never is.
    hit: Vec<f64>,
    /// Where it may fire, after as many hits as it takes.
    level: Vec<f64>,
}

impl<'a> Levels<'a> {
    fn new(scored: &[Scored], spec: &'a AlertSpec) -> Self {
        let is_open = spec.direction == Direction::Both && spec.min_change == MinChange::default();
        let score: Vec<f64> = (0..scored.len()).map(|i| smoothed(scored, i, spec.smooth)).collect();
        let hit = |i: usize| {
            let usual = if is_open { Usual::Unknown } else { Usual::at(scored, i) };
            let is_hit = is_open
                || usual.is_on_side(scored[i].value, spec.direction)
                    && usual.is_far_enough(scored[i].value, spec.min_change);
            if is_hit { latent(score[i]) } else { 0.0 }
        };
        let hit: Vec<f64> = (0..scored.len()).map(hit).collect();
        let n_hits = spec.delay.max(1);
        let lowest = |i: usize| {
            let recent = hit.get((i + 1).saturating_sub(n_hits)..=i).unwrap_or(&[]);
            let is_full = recent.len() == n_hits;
            if is_full { recent.iter().copied().fold(f64::INFINITY, f64::min) } else { 0.0 }
        };
        let level = (0..hit.len()).map(lowest).collect();
        Self { at: scored.iter().map(|point| point.at).collect(), spec, score, hit, level }
    }

    /// Alerts at a level.
    fn count(&self, least: f64) -> usize {
        self.episodes(least).len()
    }

    /// The first point of each alert at a level, as the policy would raise and end them.
    fn episodes(&self, least: f64) -> Vec<usize> {
        let quiet_below = self.spec.resolve_below * score_of(least);
        let mut fired: Vec<usize> = Vec::new();
        let mut open: Option<Stretch> = None;
        for (i, level) in self.level.iter().enumerate() {
            let at = self.at[i];
            let is_hit = 0.0 < self.hit[i] && least <= self.hit[i];
            let is_over = least <= latent(self.score[i]);
            let standing = match is_hit {
                true => Standing::Hit,
                false if is_over || self.score[i] < quiet_below => Standing::Quiet,
                false => Standing::Between,
            };
            let known = open.take().filter(|open| !open.is_over_before(at, self.spec));
            let stretch = match known {
                Some(mut stretch) => {
                    stretch.meet(at, standing);
                    stretch
                }
                None if 0.0 < *level && least <= *level && !self.is_silent(&fired, i) => {
                    fired.push(i);
                    Stretch::begun(at)
                }
                None => continue,
            };
            open = Some(stretch).filter(|stretch| !stretch.is_over_at(at, self.spec));
        }
        fired
    }

    /// Whether a point falls into the silence after the newest alert.
    fn is_silent(&self, fired: &[usize], i: usize) -> bool {
        fired.last().is_some_and(|last| match self.spec.snooze {
            Snooze::Time(silence) => self.at[i] - self.at[*last] < silence,
            Snooze::Points(n_points) => i - last <= n_points,
        })
    }

    /// The threshold, and why it may not give what was wanted.
    fn threshold(&self, wanted: f64, observed: Span) -> Result<(f64, Option<Doubt>), Doubt> {
        let per_week = |n: usize| 7.0 * 86_400.0 * n as f64 / observed.as_secs_f64().max(1.0);
        let lowest = self.busiest().ok_or(Doubt::NoTail)?;
        let n_all = self.count(lowest) as f64;
        if n_all < LEAST * wanted {
            let doubt = Doubt::TooQuiet { per_week: per_week(self.count(lowest)) };
            return Ok((score_of(lowest), Some(doubt)));
        }
        if wanted < COUNTABLE {
            let level = self.beyond(wanted, lowest);
            return Ok((score_of(level), Some(Doubt::Rare { n_expected: wanted })));
        }
        let level = self.between(wanted, lowest);
        if self.count(level) as f64 <= MOST * wanted {
            return Ok((score_of(level), None));
        }
        // Many equal scores: all of them or none.
        let at_step = self.next(level).unwrap_or(level);
        if TOP < at_step {
            let doubt = Doubt::TopTooOften { per_week: per_week(self.count(at_step)) };
            return Ok((score_of(at_step), Some(doubt)));
        }
        // Above the highest, half of what is left to 1.
        let above = self.next(at_step + STEP).unwrap_or(at_step + std::f64::consts::LN_2);
        let n_above = self.count(above);
        let is_short = (n_above as f64) < LEAST * wanted;
        let doubt = Doubt::Steps { per_week: per_week(n_above) };
        Ok((score_of(above), is_short.then_some(doubt)))
    }

    /// The level with the most alerts, about: under it alerts run together, over it they grow fewer.
    fn busiest(&self) -> Option<f64> {
        let mut levels: Vec<f64> = self.level.iter().copied().filter(|one| 0.0 < *one).collect();
        levels.sort_by(f64::total_cmp);
        let every = (levels.len() / PLACES).max(1);
        let counted = levels.into_iter().step_by(every).map(|level| (self.count(level), level));
        // Of equals the lowest.
        counted.reduce(|best, next| if best.0 < next.0 { next } else { best }).map(|best| best.1)
    }

    /// The lowest level of a point that is at least this.
    fn next(&self, least: f64) -> Option<f64> {
        let levels = self.level.iter().copied().filter(|level| least <= *level);
        levels.min_by(f64::total_cmp)
    }

    /// Between the levels of the whole numbers of alerts on either side.
    fn between(&self, wanted: f64, lowest: f64) -> f64 {
        let n_alerts = wanted.floor().max(1.0);
        let more = wanted - n_alerts;
        let level = self.level_of(n_alerts as usize, lowest);
        let lower = self.level_of(n_alerts as usize + 1, lowest);
        level + more.max(0.0) * (lower - level)
    }

    /// The highest level with so many alerts; by bisection, for the count falls on the whole.
    fn level_of(&self, n_alerts: usize, lowest: f64) -> f64 {
        let (mut low, mut high) = (lowest, TOP + 1.0);
        for _ in 0..BISECTIONS {
            let middle = f64::midpoint(low, high);
            if n_alerts <= self.count(middle) { low = middle } else { high = middle }
        }
        // Exactly a point's level, not a little under it.
        self.next(low).unwrap_or(low)
    }

    /// What the highest peaks exceed so rarely, if their excess falls off exponentially.
    fn beyond(&self, wanted: f64, lowest: f64) -> f64 {
        let base = self.level_of(PEAKS, lowest);
        let fired = self.episodes(base);
        let ends = fired.iter().skip(1).copied().chain([self.level.len()]);
        let excess = |(first, end): (&usize, usize)| {
            let levels = self.level[*first..end].iter().copied();
            levels.fold(base, f64::max) - base
        };
        let excesses: Vec<f64> = fired.iter().zip(ends).map(excess).collect();
        let n_peaks = excesses.len().max(1) as f64;
        let mean = excesses.iter().sum::<f64>() / n_peaks;
        base + mean * (n_peaks / wanted).max(1.0).ln()
    }
}
