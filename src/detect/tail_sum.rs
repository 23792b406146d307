//! What ECOD and COPOD have in common: a sum over the columns of something made of the tails of
//! each number. They differ in what a column adds.

use std::{marker::PhantomData, ops::Range};

use super::artifact::{DecodeError, float};
use super::params::Reader;
use super::scaling::{self, Scaling};
use super::tails::{Tail, Tails};
use crate::domain::{NoScore, Plain, RowScore};
use crate::features::{FeatureFrame, Matrix};

/// Parameters of ECOD and of COPOD, named as in PyOD.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct TailParams {
    /// Share of the training rows taken for outliers; sets the decision threshold only.
    pub(super) contamination: f64,
}

impl TailParams {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self { contamination: reader.contamination() }
    }
}

/// A trained detector whose decision value is a sum over the columns of what `W` makes of their tails.
#[derive(Debug, Clone, PartialEq)]
pub struct TailSum<W> {
    params: TailParams,
    tails: Tails,
    scaling: Scaling,
    weigh: PhantomData<W>,
}

/// What a column adds to the decision value.
pub trait Weigh {
    /// Of a value's tails in its column.
    fn weight(tail: Tail) -> f64;
}

/// Fits on the rows of a matrix.
pub(super) fn fit<W: Weigh>(matrix: &Matrix, params: TailParams) -> Result<TailSum<W>, NoScore> {
    let tails = Tails::new(matrix)?;
    let scaling = Scaling { lowest: 0.0, highest: 0.0 };
    let mut model = TailSum { params, tails, scaling, weigh: PhantomData };
    let rows = matrix.values.chunks(matrix.n_columns);
    let decisions: Vec<f64> = rows.map(|row| model.training_decision(row)).collect();
    model.scaling = Scaling::of(&decisions)?;
    Ok(model)
}

impl<W: Weigh> TailSum<W> {
    /// PyOD's decision value of a training row.
    pub(super) fn training_decision(&self, row: &[f64]) -> f64 {
        self.tails.of_trained(row).map(W::weight).sum()
    }

    /// PyOD's decision value of a new row.
    pub(super) fn decision(&self, row: &[f64]) -> f64 {
        self.tails.of_new(row).map(W::weight).sum()
    }

    pub(super) fn score(&self, frame: &FeatureFrame, rows: Range<usize>) -> Vec<RowScore> {
        let mut columns = vec![0.0; frame.n_columns()];
        rows.map(|row| {
            scaling::score_row(frame, row, &mut columns, self.tails.n_columns(), |columns| {
                self.scaling.score(self.decision(columns))
            })
        })
        .collect()
    }

    /// How decision values become scores.
    #[cfg(test)]
    pub(super) fn scaling(&self) -> Scaling {
        self.scaling
    }

    pub(super) fn params(&self) -> serde_json::Map<String, serde_json::Value> {
        let mut params = serde_json::Map::new();
        params.insert("contamination".into(), self.params.contamination.into());
        params
    }

    pub(super) fn to_plain(&self) -> Plain {
        let mut fields = vec![("contamination".into(), Plain::Float(self.params.contamination))];
        fields.extend(self.tails.to_plain());
        fields.push(("lowest".into(), Plain::Float(self.scaling.lowest)));
        fields.push(("highest".into(), Plain::Float(self.scaling.highest)));
        Plain::Dict(fields)
    }

    pub(super) fn from_plain(plain: &Plain) -> Result<Self, DecodeError> {
        let params = TailParams { contamination: float(plain, "contamination")? };
        let tails = Tails::from_plain(plain)?;
        let scaling = Scaling::from_plain(plain)?;
        Ok(Self { params, tails, scaling, weigh: PhantomData })
    }
}
