//! Draws for the detectors that sample. The same seed gives the same draws on every machine and
//! in every version, so a model can be trained again bit for bit.

/// A stream of draws.
///
/// # Source
/// SplitMix64: Steele, Lea & Flood (2014).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// At least 0 and less than 1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Less than `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.next()) * end as u128) >> 64) as usize
    }

    /// Brings `n_wanted` of the items to the front, each choice as likely as any other.
    pub(super) fn choose<T>(&mut self, items: &mut [T], n_wanted: usize) {
        for place in 0..n_wanted.min(items.len()) {
            let other = place + self.below(items.len() - place);
            items.swap(place, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_those_of_the_published_generator() {
        let mut random = Random::new(1_234_567);
        let draws = [random.next(), random.next(), random.next()];
        assert_eq!(
            draws,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn every_item_is_chosen_as_often() {
        let mut random = Random::new(5);
        let mut counts = [0; 7];
        for _ in 0..7_000 {
            let mut items = [0, 1, 2, 3, 4, 5, 6];
            random.choose(&mut items, 3);
            items[..3].iter().for_each(|item| counts[*item] += 1);
        }
        assert!(counts.iter().all(|count| (2_850..3_150).contains(count)), "{counts:?}");
    }
}
