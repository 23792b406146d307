//! Tail probabilities of each column: a row scores by how far out its numbers lie among those of
//! the training, whichever side they are on.
//!
//! With the tails `l` and `r` of each number (see [`tails`](super::tails)) the decision value is
//! the sum over the columns of `max(l, r)`, or of `l + r` in a column without skewness.
//!
//! # Source
//! Li, Zhao, Hu, Botta, Ionescu & Chen (2022), as PyOD 2 computes it for one row at a time.

use super::tail_sum::{TailSum, Weigh};
use super::tails::Tail;

/// A trained ECOD detector.
pub type Ecod = TailSum<EcodWeight>;

/// How ECOD weighs a column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EcodWeight;

impl Weigh for EcodWeight {
    fn weight(tail: Tail) -> f64 {
        match tail.skew {
            0 => tail.left + tail.right,
            _ => tail.left.max(tail.right),
        }
    }
}
