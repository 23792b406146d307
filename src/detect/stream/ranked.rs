//! The newest values of a stream, in order of size.

use std::collections::VecDeque;

/// Most values of a block. Splitting the order into blocks keeps an insertion to one short move.
const BLOCK: usize = 128;

/// A sliding window of numbers that knows their order.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ranked {
    capacity: usize,
    arrived: VecDeque<f64>,
    /// The same values, ascending; no block is empty.
    blocks: Vec<Vec<f64>>,
}

impl Ranked {
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, arrived: VecDeque::new(), blocks: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.arrived.len()
    }

    /// Takes the newest value and forgets the oldest one when full. `value` is finite.
    pub(super) fn push(&mut self, value: f64) {
        if self.arrived.len() == self.capacity
            && let Some(oldest) = self.arrived.pop_front()
        {
            self.remove(oldest);
        }
        self.arrived.push_back(value);
        self.insert(value);
    }

    /// The smallest and the largest value.
    pub(super) fn extremes(&self) -> Option<(f64, f64)> {
        Some((*self.blocks.first()?.first()?, *self.blocks.last()?.last()?))
    }

    /// The value below which a share `q` of the window lies; 0 when there is none.
    pub(super) fn quantile(&self, q: f64) -> f64 {
        let last = self.len().saturating_sub(1);
        let mut rank = ((q * self.len() as f64) as usize).min(last);
        for block in &self.blocks {
            if rank < block.len() {
                return block[rank];
            }
            rank -= block.len();
        }
        0.0
    }

    /// The distance to the nearest value of the window.
    pub(super) fn nearest(&self, value: f64) -> Option<f64> {
        let above = self.first_not_below(value);
        let right = above.map(|(block, place)| self.blocks[block][place] - value);
        let left = match above {
            Some((0, 0)) => None,
            Some((block, 0)) => self.blocks[block - 1].last(),
            Some((block, place)) => self.blocks[block].get(place - 1),
            None => self.blocks.last().and_then(|block| block.last()),
        };
        let left = left.map(|left| value - left);
        [left, right].into_iter().flatten().reduce(f64::min)
    }

    fn first_not_below(&self, value: f64) -> Option<(usize, usize)> {
        let is_below = |block: &Vec<f64>| block.last().is_some_and(|last| *last < value);
        let block = self.blocks.partition_point(is_below);
        let place = self.blocks.get(block)?.partition_point(|other| *other < value);
        Some((block, place))
    }

    fn insert(&mut self, value: f64) {
        let Some((block, place)) = self.first_not_below(value) else {
            match self.blocks.last_mut() {
                Some(last) => last.push(value),
                None => self.blocks.push(vec![value]),
            }
            return self.split(self.blocks.len() - 1);
        };
        self.blocks[block].insert(place, value);
        self.split(block);
    }

    fn split(&mut self, block: usize) {
        if BLOCK < self.blocks[block].len() {
            let upper = self.blocks[block].split_off(BLOCK / 2);
            self.blocks.insert(block + 1, upper);
        }
    }

    fn remove(&mut self, value: f64) {
        let Some((block, place)) = self.first_not_below(value) else { return };
        self.blocks[block].remove(place);
        if self.blocks[block].is_empty() {
            self.blocks.remove(block);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_window_equals_a_sorted_list_of_the_newest(
            values in proptest::collection::vec(-40_i32..40, 1..700),
            capacity in 1_usize..400,
            probe in -50_i32..50,
        ) {
            let mut ranked = Ranked::new(capacity);
            prop_assert_eq!(ranked.nearest(1.0), None);
            for value in &values {
                ranked.push(f64::from(*value));
            }
            let newest = &values[values.len().saturating_sub(capacity)..];
            let mut sorted: Vec<f64> = newest.iter().copied().map(f64::from).collect();
            sorted.sort_by(f64::total_cmp);
            prop_assert_eq!(ranked.blocks.concat(), sorted.clone());
            prop_assert!(ranked.blocks.iter().all(|block| !block.is_empty()));
            prop_assert_eq!(ranked.extremes(), Some((sorted[0], sorted[sorted.len() - 1])));
            prop_assert_eq!(ranked.quantile(0.5), sorted[sorted.len() / 2]);
            let probe = f64::from(probe);
            let nearest = sorted.iter().map(|value| (value - probe).abs()).reduce(f64::min);
            prop_assert_eq!(ranked.nearest(probe), nearest);
        }
    }
}
