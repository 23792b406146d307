//! Tail probabilities of each column, the skewed side counting: a row scores by how far out its
//! numbers lie among those of the training, on the side of the longer tail above all.
//!
//! With the tails `l` and `r` of each number (see [`tails`](super::tails)) the decision value is
//! the sum over the columns of `max(t, (l + r) / 2)`, where `t` is `r` in a column skewed to the
//! right, `l` in one skewed to the left and `l + r` in one without skewness.
//!
//! # Source
//! Li, Zhao, Botta, Ionescu & Hu (2020), as PyOD 2 computes it for one row at a time.

use std::ops::Range;

use super::artifact::{DecodeError, float};
use super::params::Reader;
use super::scaling::{self, Scaling};
use super::tails::{Tail, Tails};
use crate::domain::{NoScore, Plain, RowScore};
use crate::features::{FeatureFrame, Matrix};

/// Parameters of the COPOD detector, named as in PyOD.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct CopodParams {
    /// Share of the training rows taken for outliers; sets the decision threshold only.
    pub(super) contamination: f64,
}

impl CopodParams {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self { contamination: reader.contamination() }
    }
}

/// A trained COPOD detector.
#[derive(Debug, Clone, PartialEq)]
pub struct Copod {
    params: CopodParams,
    tails: Tails,
    scaling: Scaling,
}

/// Fits on the rows of a matrix.
pub(super) fn fit(matrix: &Matrix, params: CopodParams) -> Result<Copod, NoScore> {
    let tails = Tails::new(matrix)?;
    let scaling = Scaling { lowest: 0.0, highest: 0.0 };
    let mut model = Copod { params, tails, scaling };
    let rows = matrix.values.chunks(matrix.n_columns);
    let decisions: Vec<f64> = rows.map(|row| model.training_decision(row)).collect();
    model.scaling = Scaling::of(&decisions)?;
    Ok(model)
}

impl Copod {
    /// PyOD's decision value of a training row.
    pub(super) fn training_decision(&self, row: &[f64]) -> f64 {
        self.tails.of_trained(row).map(weight).sum()
    }

    /// PyOD's decision value of a new row.
    pub(super) fn decision(&self, row: &[f64]) -> f64 {
        self.tails.of_new(row).map(weight).sum()
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
        let params = CopodParams { contamination: float(plain, "contamination")? };
        let tails = Tails::from_plain(plain)?;
        Ok(Self { params, tails, scaling: Scaling::from_plain(plain)? })
    }
}

/// What a column adds to the decision value.
fn weight(tail: Tail) -> f64 {
    let skewed = match tail.skew {
        0 => tail.left + tail.right,
        skew if skew < 0 => tail.left,
        _ => tail.right,
    };
    skewed.max((tail.left + tail.right) / 2.0)
}
