//! Order statistics that a minority of wild values cannot move.

/// Makes the median absolute deviation of a normal sample estimate its standard deviation
/// (1 / Φ⁻¹(3/4)).
pub(super) const MAD_TO_SIGMA: f64 = 1.482_602_218_505_602;

/// The value below which a share `q` of the sample lies (nearest rank, no interpolation);
/// reorders the sample. 0 for an empty one.
pub(super) fn quantile(sample: &mut [f64], q: f64) -> f64 {
    if sample.is_empty() {
        return 0.0;
    }
    let rank = ((sample.len() - 1) as f64 * q).round() as usize;
    *sample.select_nth_unstable_by(rank, f64::total_cmp).1
}

/// [`quantile`] at two shares, the lower one first.
pub(super) fn quantiles(sample: &mut [f64], [lower, upper]: [f64; 2]) -> [f64; 2] {
    let rank = sample.len().saturating_sub(1) as f64 * lower;
    [quantile(sample, lower), quantile_from(sample, upper, rank.round() as usize)]
}

/// [`quantile`] of a sample whose numbers from `known` on are its largest already, as those from an
/// earlier, lower rank on are.
pub(super) fn quantile_from(sample: &mut [f64], q: f64, known: usize) -> f64 {
    let Some(last) = sample.len().checked_sub(1) else { return 0.0 };
    let rank = (last as f64 * q).round() as usize;
    let known = if known <= rank { known } else { 0 };
    *sample[known..].select_nth_unstable_by(rank - known, f64::total_cmp).1
}

/// The median; the mean of the middle two for an even count. Reorders the sample; 0 for an
/// empty one.
pub(super) fn median(sample: &mut [f64]) -> f64 {
    if sample.is_empty() {
        return 0.0;
    }
    let middle = sample.len() / 2;
    let is_odd = sample.len() % 2 == 1;
    let (below, upper, _) = sample.select_nth_unstable_by(middle, f64::total_cmp);
    if is_odd {
        return *upper;
    }
    let lower = below.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    lower + (*upper - lower) / 2.0
}

/// Numbers sorted into slots, in one pass.
pub(super) struct Slots {
    /// Where each slot's numbers start in `values`, and where the last one's end.
    starts: Vec<usize>,
    values: Vec<f64>,
}

impl Slots {
    /// `pairs` are slots below `n_slots` and their numbers.
    pub(super) fn new(n_slots: usize, pairs: impl Iterator<Item = (usize, f64)> + Clone) -> Self {
        let mut starts = vec![0; n_slots + 1];
        for (slot, _) in pairs.clone() {
            starts[slot + 1] += 1;
        }
        for slot in 0..n_slots {
            starts[slot + 1] += starts[slot];
        }
        let mut next = starts.clone();
        let mut values = vec![0.0; starts[n_slots]];
        for (slot, value) in pairs {
            values[next[slot]] = value;
            next[slot] += 1;
        }
        Self { starts, values }
    }

    /// The numbers of a slot, in the order they came.
    pub(super) fn of(&self, slot: usize) -> &[f64] {
        &self.values[self.starts[slot]..self.starts[slot + 1]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_odd_even_and_empty_samples() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 9.0]), 3.0);
        assert_eq!(median(&mut []), 0.0);
    }

    #[test]
    fn a_second_quantile_is_what_it_would_be_alone() {
        let numbers: Vec<f64> = (0..97).map(|i| f64::from(i * i * 31 % 89)).collect();
        for upper in [0.5, 0.85, 1.0] {
            let alone = [0.5, upper].map(|share| quantile(&mut numbers.clone(), share));
            assert_eq!(quantiles(&mut numbers.clone(), [0.5, upper]), alone);
        }
        assert_eq!(quantiles(&mut [], [0.1, 0.9]), [0.0, 0.0]);
    }

    #[test]
    fn slots_keep_their_numbers_in_order() {
        let slots = Slots::new(3, [(2, 5.0), (0, 1.0), (2, 4.0)].into_iter());
        assert_eq!([slots.of(0), slots.of(1), slots.of(2)], [&[1.0][..], &[], &[5.0, 4.0]]);
    }

    #[test]
    fn quantiles_are_sample_values() {
        let mut sample = [5.0, 1.0, 4.0, 2.0, 3.0];
        assert_eq!(quantile(&mut sample, 0.0), 1.0);
        assert_eq!(quantile(&mut sample, 1.0), 5.0);
        assert_eq!(quantile(&mut sample, 0.74), 4.0);
    }
}
