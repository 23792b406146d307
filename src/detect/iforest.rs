//! Isolation forest: a row scores by how few random cuts set it apart from the training rows.
//!
//! Each of `n_estimators` trees is grown on `max_samples` rows: a node draws one of the columns
//! its rows differ in, and a bound evenly between their smallest and largest number in it, until a
//! row is alone, the rows are the same or the depth is `⌈log2(max_samples)⌉`. With the depth `h` a
//! row reaches, plus `c(m)` where `m` rows were left, the decision value is
//! `2 ^ (-mean(h) / c(max_samples))`, where `c(m) = 2 (ln(m - 1) + γ) - 2 (m - 1) / m` is the mean
//! depth of a random search tree (`c(2) = 1`, `c(1) = 0`). PyOD subtracts from it the quantile
//! `contamination` asks for, which changes no score.
//!
//! Rows are drawn in an order of their own, so the model depends on the seed and the rows only.
//!
//! # Source
//! Liu, Ting & Zhou (2008), as scikit-learn and PyOD 2 compute it; other draws, same distribution.

use std::ops::Range;

use super::artifact::{DecodeError, count, ensure, flag, float};
use super::params::Reader;
use super::random::Random;
use super::rows;
use super::scaling::{self, Scaling};
use super::trees::{self, Trees};
use crate::domain::{NoScore, ParamValue, Plain, RowScore};
use crate::features::{FeatureFrame, Matrix};

/// Parameters of the isolation forest, named as in PyOD.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct IForestParams {
    /// Share of the training rows taken for outliers; sets the decision threshold only.
    pub(super) contamination: f64,
    /// How many trees.
    pub(super) n_estimators: usize,
    /// Rows a tree is grown on.
    pub(super) max_samples: Samples,
    /// Share of the columns a tree is grown on, at least one.
    pub(super) max_features: f64,
    /// Whether a row can be drawn twice for a tree.
    pub(super) bootstrap: bool,
}

/// How many rows a tree is grown on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Samples {
    /// 256, or all when there are fewer.
    Auto,
    /// So many, or all when there are fewer.
    Count(usize),
    /// A share of them.
    Share(f64),
}

/// The most rows a tree is grown on: a larger one isolates no better.
const MOST_SAMPLES: usize = 4_096;

impl Samples {
    fn of(self, n_rows: usize) -> usize {
        let n_samples = match self {
            Self::Auto => 256,
            Self::Count(n_samples) => n_samples,
            Self::Share(share) => (share * n_rows as f64) as usize,
        };
        n_samples.clamp(2, MOST_SAMPLES).min(n_rows)
    }

    fn read(reader: &mut Reader<'_>) -> Self {
        match reader.get("max_samples") {
            None => Self::Auto,
            Some(ParamValue::Text(text)) if text == "auto" => Self::Auto,
            Some(ParamValue::Int(n)) if (2..=MOST_SAMPLES as i64).contains(&n) => {
                Self::Count(n as usize)
            }
            Some(ParamValue::Float(share)) if 0.0 < share && share <= 1.0 => Self::Share(share),
            Some(found) => {
                let expected = format!(
                    "\"auto\", a whole number from 2 to {MOST_SAMPLES} or a share of the rows up to 1.0"
                );
                reader.wrong("max_samples", &expected, &found);
                Self::Auto
            }
        }
    }

    fn to_plain(self) -> Plain {
        match self {
            Self::Auto => Plain::Text("auto".into()),
            Self::Count(n_samples) => Plain::Int(n_samples as i64),
            Self::Share(share) => Plain::Float(share),
        }
    }

    fn from_plain(plain: &Plain) -> Result<Self, DecodeError> {
        const FIELD: &str = "max_samples";
        match plain.get(FIELD) {
            Some(Plain::Text(text)) if text == "auto" => Ok(Self::Auto),
            Some(Plain::Int(_)) => Ok(Self::Count(count(plain, FIELD)?)),
            Some(Plain::Float(_)) => Ok(Self::Share(float(plain, FIELD)?)),
            _ => Err(DecodeError::Missing { field: FIELD }),
        }
    }
}

impl IForestParams {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            contamination: reader.contamination(),
            n_estimators: reader.int("n_estimators", 100, (1, 1_000)),
            max_samples: Samples::read(reader),
            max_features: reader.float("max_features", 1.0, (1e-9, 1.0)),
            bootstrap: reader.bool("bootstrap", false),
        }
    }
}

/// A trained isolation forest.
#[derive(Debug, Clone, PartialEq)]
pub struct IForest {
    params: IForestParams,
    n_columns: usize,
    /// Rows each tree was grown on; at least 2.
    n_samples: usize,
    trees: Trees,
    scaling: Scaling,
}

/// Fits on the rows of a matrix.
pub(super) fn fit(matrix: &Matrix, params: IForestParams, seed: u64) -> Result<IForest, NoScore> {
    rows::check(matrix, 2)?;
    let (n_rows, n_columns) = (matrix.n_rows(), matrix.n_columns);
    let order = rows::own_order(&matrix.values, n_columns);
    let rows = rows::arranged(&matrix.values, n_columns, &order);
    let n_samples = params.max_samples.of(n_rows);
    let n_chosen = ((params.max_features * n_columns as f64) as usize).max(1);
    let mut columns: Vec<usize> = (0..n_columns).collect();
    let mut indices: Vec<usize> = (0..n_rows).collect();
    let mut sample = vec![0; n_samples];
    let mut grower = trees::Grower::new(&rows, n_columns, n_samples, Random::new(seed));
    for _ in 0..params.n_estimators {
        if params.bootstrap {
            sample.fill_with(|| grower.random.below(n_rows));
        } else {
            grower.random.choose(&mut indices, n_samples);
            sample.copy_from_slice(&indices[..n_samples]);
        }
        grower.random.choose(&mut columns, n_chosen);
        grower.grow(&mut sample, &columns[..n_chosen]);
    }
    // The grower only makes whole trees.
    let trees = grower.finish().ok_or(NoScore::OutOfRange)?;
    let scaling = Scaling { lowest: 0.0, highest: 0.0 };
    let mut model = IForest { params, n_columns, n_samples, trees, scaling };
    let decisions: Vec<f64> = rows.chunks(n_columns).map(|row| model.decision(row)).collect();
    model.scaling = Scaling::of(&decisions)?;
    Ok(model)
}

impl IForest {
    /// The decision value of a row, trained on or not: what scikit-learn's `score_samples` negates.
    pub(super) fn decision(&self, row: &[f64]) -> f64 {
        (-self.trees.mean_depth(row) / trees::mean_search_depth(self.n_samples)).exp2()
    }

    pub(super) fn score(&self, frame: &FeatureFrame, rows: Range<usize>) -> Vec<RowScore> {
        let mut columns = vec![0.0; frame.n_columns()];
        rows.map(|row| {
            scaling::score_row(frame, row, &mut columns, self.n_columns, |columns| {
                self.scaling.score(self.decision(columns))
            })
        })
        .collect()
    }

    pub(super) fn params(&self) -> serde_json::Map<String, serde_json::Value> {
        let IForestParams { contamination, n_estimators, max_samples, max_features, bootstrap } =
            self.params;
        let max_samples = match max_samples {
            Samples::Auto => "auto".into(),
            Samples::Count(n_samples) => n_samples.into(),
            Samples::Share(share) => share.into(),
        };
        let mut params = serde_json::Map::new();
        params.insert("contamination".into(), contamination.into());
        params.insert("n_estimators".into(), n_estimators.into());
        params.insert("max_samples".into(), max_samples);
        params.insert("max_features".into(), max_features.into());
        params.insert("bootstrap".into(), bootstrap.into());
        params
    }

    pub(super) fn to_plain(&self) -> Plain {
        let (codes, bounds) = self.trees.to_plain();
        Plain::Dict(vec![
            ("contamination".into(), Plain::Float(self.params.contamination)),
            ("n_estimators".into(), Plain::Int(self.params.n_estimators as i64)),
            ("max_samples".into(), self.params.max_samples.to_plain()),
            ("max_features".into(), Plain::Float(self.params.max_features)),
            ("bootstrap".into(), Plain::Bool(self.params.bootstrap)),
            ("n_columns".into(), Plain::Int(self.n_columns as i64)),
            ("n_samples".into(), Plain::Int(self.n_samples as i64)),
            ("codes".into(), codes),
            ("bounds".into(), bounds),
            ("lowest".into(), Plain::Float(self.scaling.lowest)),
            ("highest".into(), Plain::Float(self.scaling.highest)),
        ])
    }

    pub(super) fn from_plain(plain: &Plain) -> Result<Self, DecodeError> {
        let params = IForestParams {
            contamination: float(plain, "contamination")?,
            n_estimators: count(plain, "n_estimators")?,
            max_samples: Samples::from_plain(plain)?,
            max_features: float(plain, "max_features")?,
            bootstrap: flag(plain, "bootstrap")?,
        };
        let (n_columns, n_samples) = (count(plain, "n_columns")?, count(plain, "n_samples")?);
        ensure(0 < n_columns, "n_columns")?;
        ensure(2 <= n_samples, "n_samples")?;
        let trees = Trees::from_plain(plain, n_columns)?;
        ensure(trees.n_trees() == params.n_estimators, "n_estimators")?;
        let scaling = Scaling::from_plain(plain)?;
        Ok(Self { params, n_columns, n_samples, trees, scaling })
    }
}
