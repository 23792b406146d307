//! The values of the past as a few stretches of the number line: enough to say how far a new one
//! is from anything seen before.

use super::pack::{MOST_COUNT, Pack, Unpack, kept};

/// Rows after which a new set of stretches is begun; the set before is still looked at, the one
/// before that forgotten.
const GENERATION: u32 = 8000;
/// Most stretches of a set. With one too many, the two with the smallest gap become one.
const MOST_STRETCHES: usize = 16;
/// Fewest remembered values that a distance is taken to.
const ENOUGH: u32 = 20;

/// What was seen lately.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Seen {
    young: Stretches,
    old: Stretches,
    n_young: u32,
    n_old: u32,
}

impl Seen {
    pub(super) fn push(&mut self, value: f64) {
        if self.n_young == GENERATION {
            self.old = std::mem::take(&mut self.young);
            (self.n_old, self.n_young) = (self.n_young, 0);
        }
        self.young.insert(kept(value));
        self.n_young += 1;
    }

    /// The distance to the nearest value seen; 0 until there are enough.
    pub(super) fn distance(&self, value: f64) -> f64 {
        if self.n_young + self.n_old < ENOUGH {
            return 0.0;
        }
        let value = kept(value);
        let nearest = self.young.distance(value).min(self.old.distance(value));
        if nearest.is_finite() { f64::from(nearest) } else { 0.0 }
    }

    /// The largest less the smallest value seen.
    pub(super) fn range(&self) -> f64 {
        let (low, high) = (self.young.ends().0, self.young.ends().1);
        let (low, high) = (low.min(self.old.ends().0), high.max(self.old.ends().1));
        if low <= high { f64::from(high) - f64::from(low) } else { 0.0 }
    }

    pub(super) fn pack(&self, out: &mut Pack) {
        out.count(self.n_young);
        out.count(self.n_old);
        for stretches in [&self.young, &self.old] {
            out.list(stretches.0.as_flattened().iter().copied());
        }
    }

    pub(super) fn unpack(from: &mut Unpack<'_>) -> Option<Self> {
        let (n_young, n_old) = (from.count(GENERATION)?, from.count(MOST_COUNT)?);
        let young = Stretches::unpack(from)?;
        let old = Stretches::unpack(from)?;
        Some(Self { young, old, n_young, n_old: n_old.min(GENERATION) })
    }
}

/// Stretches from low to high, in order, none touching another.
#[derive(Debug, Clone, PartialEq, Default)]
struct Stretches(Vec<[f32; 2]>);

impl Stretches {
    fn insert(&mut self, value: f32) {
        let place = self.0.partition_point(|stretch| stretch[1] < value);
        if self.0.get(place).is_some_and(|stretch| stretch[0] <= value) {
            return;
        }
        self.0.insert(place, [value, value]);
        if self.0.len() <= MOST_STRETCHES {
            return;
        }
        let gap = |pair: &[[f32; 2]]| pair[1][0] - pair[0][1];
        let mut narrowest = (0, f32::INFINITY);
        for (place, pair) in self.0.windows(2).enumerate() {
            if gap(pair) < narrowest.1 {
                narrowest = (place, gap(pair));
            }
        }
        let upper = self.0.remove(narrowest.0 + 1);
        self.0[narrowest.0][1] = upper[1];
    }

    fn distance(&self, value: f32) -> f32 {
        let place = self.0.partition_point(|stretch| stretch[1] < value);
        let right = self.0.get(place).map_or(f32::INFINITY, |next| (next[0] - value).max(0.0));
        let left = match place {
            0 => f32::INFINITY,
            place => value - self.0[place - 1][1],
        };
        right.min(left)
    }

    fn ends(&self) -> (f32, f32) {
        let first = self.0.first().map_or(f32::INFINITY, |stretch| stretch[0]);
        let last = self.0.last().map_or(f32::NEG_INFINITY, |stretch| stretch[1]);
        (first, last)
    }

    fn unpack(from: &mut Unpack<'_>) -> Option<Self> {
        let ends = from.list(2 * MOST_STRETCHES)?;
        let (stretches, rest) = ends.as_chunks::<2>();
        let is_sound = rest.is_empty() && ends.is_sorted();
        is_sound.then(|| Self(stretches.to_vec()))
    }
}
