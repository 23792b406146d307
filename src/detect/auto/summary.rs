//! Quantiles of the newest couple of thousand numbers from a few points of their distribution.
//!
//! The numbers of the past are the straight lines between quantiles at fixed shares. Every sixteen
//! rows the numbers that came since are added to them, and the quantiles of both together become
//! the new points; older numbers fade. Numbers that come often stay what they are: a share of equal
//! numbers is a step, not a slope.

use super::pack::{Pack, Unpack, kept};

/// Rows that are added at once.
const FRESH: usize = 16;
/// Rows the points stand for at most; older ones fade by `1/e` in so many rows.
const MEMORY: f32 = 1000.0;

/// A summary of numbers; the quantiles at the shares `SHARES` are known.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Summary<const N: usize> {
    shares: &'static [f32; N],
    /// The quantile at each share; empty before the first rows are added.
    points: Vec<f32>,
    /// Rows the points stand for.
    weight: f32,
    fresh: Vec<f32>,
}

impl<const N: usize> Summary<N> {
    /// `shares` ascend from 0 to 1.
    pub(super) fn new(shares: &'static [f32; N]) -> Self {
        Self { shares, points: Vec::new(), weight: 0.0, fresh: Vec::with_capacity(FRESH) }
    }

    pub(super) fn push(&mut self, value: f64) {
        self.fresh.push(kept(value));
        if self.fresh.len() == FRESH {
            self.add();
        }
    }

    /// The quantile at the share with this index; `None` before the first rows are added.
    pub(super) fn at(&self, share: usize) -> Option<f64> {
        self.points.get(share).map(|point| f64::from(*point))
    }

    fn add(&mut self) {
        self.fresh.sort_unstable_by(f32::total_cmp);
        let mut steps = Vec::with_capacity(N + FRESH);
        let (mut known, mut new) = (0, 0);
        while known < self.points.len() || new < self.fresh.len() {
            let value = match (self.points.get(known), self.fresh.get(new)) {
                (Some(a), Some(b)) => a.min(*b),
                (Some(a), None) => *a,
                (None, Some(b)) => *b,
                (None, None) => break,
            };
            let below = self.share_before(known, value) * self.weight + new as f32;
            while self.points.get(known).is_some_and(|point| *point <= value) {
                known += 1;
            }
            while self.fresh.get(new).is_some_and(|fresh| *fresh <= value) {
                new += 1;
            }
            let up_to = self.share_up_to(known, value) * self.weight + new as f32;
            steps.push((value, below, up_to));
        }
        let total = self.weight + self.fresh.len() as f32;
        self.points.clear();
        self.points.extend(self.shares.map(|share| quantile(&steps, share * total)));
        self.weight = total.min(MEMORY - FRESH as f32);
        self.fresh.clear();
    }

    /// The share of the known numbers below a value; `next` is the first point not below it.
    fn share_before(&self, next: usize, value: f32) -> f32 {
        match self.points.get(next) {
            Some(point) if *point == value => self.shares[next],
            _ => self.share_between(next, value),
        }
    }

    /// The share of the known numbers up to a value; `next` is the first point above it.
    fn share_up_to(&self, next: usize, value: f32) -> f32 {
        match next.checked_sub(1).and_then(|last| self.points.get(last)) {
            Some(point) if *point == value => self.shares[next - 1],
            _ => self.share_between(next, value),
        }
    }

    fn share_between(&self, next: usize, value: f32) -> f32 {
        if next == 0 || self.points.is_empty() {
            return 0.0;
        }
        let Some(right) = self.points.get(next) else { return 1.0 };
        let left = self.points[next - 1];
        let part = (value - left) / (right - left);
        self.shares[next - 1] + part * (self.shares[next] - self.shares[next - 1])
    }

    pub(super) fn pack(&self, out: &mut Pack) {
        out.number(self.weight);
        out.list(self.points.iter().copied());
        out.list(self.fresh.iter().copied());
    }

    pub(super) fn unpack(shares: &'static [f32; N], from: &mut Unpack<'_>) -> Option<Self> {
        let weight = from.not_negative().filter(|weight| *weight <= MEMORY)?;
        let points = from.list(N)?;
        let mut fresh = from.list(FRESH - 1)?;
        fresh.reserve(FRESH);
        let is_sound = (points.is_empty() || points.len() == N) && points.is_sorted();
        is_sound.then_some(Self { shares, points, weight, fresh })
    }
}

/// The value with so much weight below it. Each step is a value, what lies below it and what lies
/// below or at it.
fn quantile(steps: &[(f32, f32, f32)], wanted: f32) -> f32 {
    let step = steps.partition_point(|(_, _, up_to)| *up_to < wanted);
    let Some((value, below, _)) = steps.get(step) else {
        return steps.last().map_or(0.0, |(value, ..)| *value);
    };
    if *below <= wanted || step == 0 {
        return *value;
    }
    let (left, _, left_weight) = steps[step - 1];
    left + (value - left) * ((wanted - left_weight) / (below - left_weight)).clamp(0.0, 1.0)
}
