//! What ECOD and COPOD have in common: a sum over the columns of something made of the tails of
//! each number. They differ in what a column adds.

use std::marker::PhantomData;

use super::artifact::DecodeError;
use super::by_row::{Decide, Decider, Learnt};
use super::tails::{Tail, Tails};
use crate::domain::{NoScore, Plain};
use crate::features::Matrix;

/// A trained detector whose decision value is a sum over the columns of what `W` makes of their tails.
#[derive(Debug, Clone, PartialEq)]
pub struct TailSum<W> {
    tails: Tails,
    weigh: PhantomData<W>,
}

/// What a column adds to the decision value.
pub trait Weigh {
    /// Of a value's tails in its column.
    fn weight(tail: Tail) -> f64;
}

/// Fits on the rows of a matrix.
pub(super) fn fit<W: Weigh>(matrix: &Matrix) -> Result<Learnt<TailSum<W>>, NoScore> {
    let model = TailSum { tails: Tails::new(matrix)?, weigh: PhantomData };
    let rows = matrix.values.chunks(matrix.n_columns);
    let decisions = rows.map(|row| model.tails.of_trained(row).map(W::weight).sum()).collect();
    Ok((model, decisions))
}

impl<W: Weigh> Decide for TailSum<W> {
    fn n_columns(&self) -> Option<usize> {
        Some(self.tails.n_columns())
    }

    fn decide<R>(&self, then: impl FnOnce(&mut Decider<'_>) -> R) -> R {
        then(&mut |row| self.tails.of_new(row).map(W::weight).sum())
    }

    fn params(&self) -> Vec<(&'static str, Plain)> {
        Vec::new()
    }

    fn state(&self) -> Vec<(&'static str, Plain)> {
        self.tails.to_plain()
    }

    fn from_plain(plain: &Plain) -> Result<Self, DecodeError> {
        Ok(Self { tails: Tails::from_plain(plain)?, weigh: PhantomData })
    }
}
