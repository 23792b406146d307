//! What the detectors of rows have in common: how a row is asked about, how its decision value
//! becomes a score, what `contamination` means, and how a model is kept. They differ in the
//! decision values, which is all that [`Decide`] asks of them.
//!
//! `contamination` is the share of the training rows taken for outliers: it sets the decision value
//! above which PyOD's `predict` calls a row one, and no score. It is kept as the model's threshold.

use std::ops::Range;

use super::artifact::{DecodeError, float};
use super::params::Reader;
use super::scaling::{self, Proba, Scaling};
use crate::domain::{Aspect, NoScore, Plain, RowScore};
use crate::features::FeatureFrame;

/// Parameters every detector of rows has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Common {
    /// Share of the training rows taken for outliers.
    pub(super) contamination: f64,
    /// How decision values become scores.
    pub(super) proba: Proba,
}

impl Common {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            contamination: reader.float("contamination", 0.1, (1e-9, 0.5)),
            proba: Proba::read(reader),
        }
    }
}

/// Decides on one row after the other; may use a row as room to work in.
pub(super) type Decider<'a> = dyn FnMut(&mut [f64]) -> f64 + 'a;

/// What a detector of rows has learnt.
pub trait Decide: Sized {
    /// Columns of a row; `None` where only the first counts.
    fn n_columns(&self) -> Option<usize>;

    /// Makes ready for many rows and hands out what decides on each of them.
    fn decide<R>(&self, then: impl FnOnce(&mut Decider<'_>) -> R) -> R;

    /// The threshold, where it is no matter of `contamination`.
    fn own_threshold(&self) -> Option<f64> {
        None
    }

    /// Its parameters as used, defaults included.
    fn params(&self) -> Vec<(&'static str, Plain)>;

    /// All else it is made of, as model fields.
    fn state(&self) -> Vec<(&'static str, Plain)>;

    /// From the model fields of [`Self::params`] and [`Self::state`].
    fn from_plain(plain: &Plain) -> Result<Self, DecodeError>;
}

/// A model and the training's decision values, in the order of the rows.
pub(super) type Learnt<M> = (M, Vec<f64>);

/// A trained detector of rows.
#[derive(Debug, Clone, PartialEq)]
pub struct ByRow<M> {
    model: M,
    contamination: f64,
    scaling: Scaling,
    /// The decision value above which PyOD calls a row an outlier; format 1 had none.
    threshold: Option<f64>,
}

impl<M: Decide> ByRow<M> {
    pub(super) fn new(common: Common, model: M, decisions: &[f64]) -> Result<Self, NoScore> {
        let mut sorted = decisions.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let scaling = Scaling::of(&sorted, common.proba)?;
        let contamination = common.contamination;
        let by_share = || scaling::percentile(&sorted, 1.0 - contamination);
        let threshold = Some(model.own_threshold().unwrap_or_else(by_share));
        Ok(Self { model, contamination, scaling, threshold })
    }

    pub(super) fn score(&self, frame: &FeatureFrame, rows: Range<usize>) -> Vec<RowScore> {
        let mut columns = vec![0.0; frame.n_columns()];
        let n_expected = self.model.n_columns().unwrap_or(columns.len());
        let aspect = match self.model.n_columns() {
            None | Some(1) => Aspect::Value,
            Some(_) => Aspect::Course,
        };
        self.model.decide(|decide| {
            let score = |row| RowScore {
                at: frame.at[row],
                score: readable(frame, row, &mut columns, n_expected)
                    .and_then(|()| self.scaling.score(decide(&mut columns))),
                band: None,
                aspect: Some(aspect),
            };
            rows.map(score).collect()
        })
    }

    /// The decision value above which PyOD calls a row an outlier.
    pub(super) fn threshold(&self) -> Option<f64> {
        self.threshold
    }

    /// Decision values of new rows, and their scores.
    #[cfg(test)]
    pub(super) fn decisions(&self, rows: &[f64], n_columns: usize) -> (Vec<f64>, Vec<f64>) {
        let mut rows = rows.to_vec();
        let decisions: Vec<f64> =
            self.model.decide(|decide| rows.chunks_mut(n_columns).map(decide).collect());
        let scores = decisions.iter().map(|decision| self.scaling.score(*decision).unwrap());
        (decisions.clone(), scores.collect())
    }

    pub(super) fn params(&self) -> serde_json::Map<String, serde_json::Value> {
        let mut params = serde_json::Map::new();
        params.insert("contamination".into(), self.contamination.into());
        params.insert("proba".into(), self.scaling.proba().as_str().into());
        params
            .extend(self.model.params().iter().map(|(name, value)| ((*name).into(), json(value))));
        params
    }

    pub(super) fn to_plain(&self) -> Plain {
        let threshold = self.threshold.map_or(Plain::None, Plain::Float);
        let mut fields = vec![("contamination", Plain::Float(self.contamination))];
        fields.extend(self.scaling.to_plain());
        fields.push(("threshold_decision", threshold));
        fields.extend(self.model.params());
        fields.extend(self.model.state());
        Plain::Dict(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    pub(super) fn from_plain(plain: &Plain, format: i64) -> Result<Self, DecodeError> {
        const THRESHOLD: &str = "threshold_decision";
        let (scaling, threshold) = match format {
            1 => (Scaling::linear_from_plain(plain)?, None),
            _ => {
                let threshold = match plain.get(THRESHOLD) {
                    Some(Plain::None) => None,
                    _ => Some(float(plain, THRESHOLD)?),
                };
                (Scaling::from_plain(plain)?, threshold)
            }
        };
        let contamination = float(plain, "contamination")?;
        Ok(Self { model: M::from_plain(plain)?, contamination, scaling, threshold })
    }
}

/// Fills the columns of a row of the frame, where all of them are there.
fn readable(
    frame: &FeatureFrame,
    row: usize,
    columns: &mut [f64],
    n_expected: usize,
) -> Result<(), NoScore> {
    if columns.len() != n_expected {
        let message = format!("the model has {n_expected} columns, the rows {}", columns.len());
        Err(NoScore::BadParameter { message })
    } else if !frame.fill_row(row, columns) {
        Err(NoScore::NotEnoughPast)
    } else if columns.iter().any(|value| !value.is_finite()) {
        Err(NoScore::OutOfRange)
    } else {
        Ok(())
    }
}

/// A parameter as a card shows it.
fn json(value: &Plain) -> serde_json::Value {
    match value {
        Plain::Bool(value) => (*value).into(),
        Plain::Int(value) => (*value).into(),
        Plain::Float(value) => (*value).into(),
        Plain::Text(value) => value.as_str().into(),
        Plain::None | Plain::Bytes(_) | Plain::List(_) | Plain::Dict(_) => serde_json::Value::Null,
    }
}
