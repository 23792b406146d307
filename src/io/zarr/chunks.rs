//! How an array is cut into chunks: pure functions of its shape.

/// Bytes of a chunk that the adaptive strategy stays within.
pub const TARGET_BYTES: u64 = 16 << 20;

/// How an array is cut into chunks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chunks {
    /// The whole array is one chunk.
    Single,
    /// Chunks of this shape.
    Fixed(Vec<u64>),
    /// The longest axis is halved until a chunk has at most so many bytes.
    Adaptive {
        /// Most bytes of a chunk, before it is compressed.
        target_bytes: u64,
    },
}

impl Default for Chunks {
    fn default() -> Self {
        Self::Adaptive { target_bytes: TARGET_BYTES }
    }
}

impl Chunks {
    /// The shape of the chunks of an array; `None` when a fixed one has another number of
    /// dimensions or a length of 0.
    ///
    /// # Shape
    /// As many lengths as the array has, each at least 1 and, unless fixed, at most the array's.
    pub fn shape(&self, array: &[u64], item_bytes: u64) -> Option<Vec<u64>> {
        match self {
            Self::Single => Some(array.iter().map(|length| (*length).max(1)).collect()),
            Self::Fixed(shape) => {
                let fits = shape.len() == array.len() && shape.iter().all(|length| 0 < *length);
                fits.then(|| shape.clone())
            }
            Self::Adaptive { target_bytes } => Some(adaptive(array, item_bytes, *target_bytes)),
        }
    }
}

fn adaptive(array: &[u64], item_bytes: u64, target_bytes: u64) -> Vec<u64> {
    let mut shape: Vec<u64> = array.iter().map(|length| (*length).max(1)).collect();
    while target_bytes < n_bytes(&shape, item_bytes) {
        // The first of the longest ones.
        let longest = shape.iter_mut().rev().max_by_key(|length| **length);
        match longest {
            Some(length) if 1 < *length => *length = length.div_ceil(2),
            Some(_) | None => break,
        }
    }
    shape
}

/// Bytes of an array of a shape; the most there can be when they are more.
pub(super) fn n_bytes(shape: &[u64], item_bytes: u64) -> u64 {
    shape.iter().fold(item_bytes, |n, length| n.saturating_mul(*length))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(array: &[u64], target_bytes: u64, expected: &[u64]) {
        let chunks = Chunks::Adaptive { target_bytes };
        assert_eq!(chunks.shape(array, 4).unwrap(), expected);
    }

    #[test]
    fn the_longest_axis_is_halved_the_first_among_equals() {
        check(&[100, 10], 4_000, &[100, 10]);
        check(&[100, 10], 3_999, &[50, 10]);
        check(&[8, 8, 8], 1_024, &[4, 8, 8]);
        check(&[8, 8, 8], 1_023, &[4, 4, 8]);
        check(&[7], 8, &[2]);
        check(&[0, 5], 4, &[1, 1]);
        check(&[], 1, &[]);
        check(&[u64::MAX, u64::MAX], 4, &[1, 1]);
    }

    #[test]
    fn a_fixed_shape_has_to_fit() {
        assert_eq!(Chunks::Single.shape(&[3, 0], 8), Some(vec![3, 1]));
        assert_eq!(Chunks::Fixed(vec![9, 2]).shape(&[3, 4], 8), Some(vec![9, 2]));
        assert_eq!(Chunks::Fixed(vec![3]).shape(&[3, 4], 8), None);
        assert_eq!(Chunks::Fixed(vec![3, 0]).shape(&[3, 4], 8), None);
    }

    proptest! {
        #[test]
        fn a_chunk_is_within_the_target_and_more_than_a_quarter_of_it(
            array in prop::collection::vec(1..5_000_u64, 1..4),
            target_bytes in 1_024..1_000_000_u64,
        ) {
            let shape = Chunks::Adaptive { target_bytes }.shape(&array, 8).unwrap();
            prop_assert!(n_bytes(&shape, 8) <= target_bytes);
            prop_assert!(shape.iter().zip(&array).all(|(chunk, whole)| chunk <= whole));
            let is_cut = shape != array;
            prop_assert!(!is_cut || target_bytes / 4 < n_bytes(&shape, 8));
        }
    }
}
