//! Tail probabilities of each column, the skewed side counting: a row scores by how far out its
//! numbers lie among those of the training, on the side of the longer tail above all.
//!
//! With the tails `l` and `r` of each number (see [`tails`](super::tails)) the decision value is
//! the sum over the columns of `max(t, (l + r) / 2)`, where `t` is `r` in a column skewed to the
//! right, `l` in one skewed to the left and `l + r` in one without skewness.
//!
//! # Source
//! Li, Zhao, Botta, Ionescu & Hu (2020), as PyOD 2 computes it for one row at a time.

use super::tail_sum::{TailSum, Weigh};
use super::tails::Tail;

/// A trained COPOD detector.
pub type Copod = TailSum<CopodWeight>;

/// How COPOD weighs a column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CopodWeight;

impl Weigh for CopodWeight {
    fn weight(tail: Tail) -> f64 {
        let skewed = match tail.skew {
            0 => tail.left + tail.right,
            skew if skew < 0 => tail.left,
            _ => tail.right,
        };
        skewed.max((tail.left + tail.right) / 2.0)
    }
}
