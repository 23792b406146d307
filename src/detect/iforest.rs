//! Isolation forest: a row scores by how few random cuts set it apart from the training rows.
//!
//! Each of `n_estimators` trees is grown on `max_samples` rows: a node draws one of the columns
//! its rows differ in, and a bound evenly between their smallest and largest number in it, until a
//! row is alone, the rows are the same or the depth is `⌈log2(max_samples)⌉`. With the depth `h` a
//! row reaches, plus `c(m)` where `m` rows were left, the decision value is
//! `2 ^ (-mean(h) / c(max_samples))`, where `c(m) = 2 (ln(m - 1) + γ) - 2 (m - 1) / m` is the mean
//! depth of a random search tree (`c(2) = 1`, `c(1) = 0`); from it is subtracted the value of the
//! training rows that `contamination` asks for, so that PyOD's threshold is 0.
//!
//! Rows are drawn in an order of their own, so the model depends on the seed and the rows only.
//!
//! # Source
//! Liu, Ting & Zhou (2008), as scikit-learn and PyOD 2 compute it; other draws, same distribution.

use super::artifact::{DecodeError, count, ensure, flag, float, optional_count, optional_to_plain};
use super::by_row::{Decide, Decider, Learnt};
use super::params::Reader;
use super::random::Random;
use super::rows;
use super::scaling;
use super::trees::{self, Trees};
use crate::domain::{NoScore, ParamValue, Plain};
use crate::features::Matrix;

/// Parameters of the isolation forest, named as in PyOD.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct IForestParams {
    /// How many trees.
    pub(super) n_estimators: usize,
    /// Rows a tree is grown on.
    pub(super) max_samples: Samples,
    /// Columns a tree is grown on.
    pub(super) max_features: Features,
    /// Whether a row can be drawn twice for a tree.
    pub(super) bootstrap: bool,
    /// What rows and cuts are drawn from; the program's own where `None`.
    pub(super) random_state: Option<usize>,
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

/// How many columns a tree is grown on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Features {
    /// So many; no more than there are.
    Count(usize),
    /// A share of them, at least one.
    Share(f64),
}

impl Features {
    fn of(self, n_columns: usize) -> usize {
        match self {
            Self::Count(n_chosen) => n_chosen.clamp(1, n_columns),
            Self::Share(share) => ((share * n_columns as f64) as usize).max(1),
        }
    }

    fn read(reader: &mut Reader<'_>) -> Self {
        const EXPECTED: &str = "a whole number from 1 to 512 or a share of the columns up to 1.0";
        match reader.get("max_features") {
            None => Self::Share(1.0),
            Some(ParamValue::Int(n)) if (1..=512).contains(&n) => Self::Count(n as usize),
            Some(ParamValue::Float(share)) if 0.0 < share && share <= 1.0 => Self::Share(share),
            Some(found) => {
                reader.wrong("max_features", EXPECTED, &found);
                Self::Share(1.0)
            }
        }
    }

    fn to_plain(self) -> Plain {
        match self {
            Self::Count(n_chosen) => Plain::Int(n_chosen as i64),
            Self::Share(share) => Plain::Float(share),
        }
    }

    fn from_plain(plain: &Plain) -> Result<Self, DecodeError> {
        const FIELD: &str = "max_features";
        match plain.get(FIELD) {
            Some(Plain::Int(_)) => Ok(Self::Count(count(plain, FIELD)?)),
            _ => Ok(Self::Share(float(plain, FIELD)?)),
        }
    }
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
        reader.without_effect(&["n_jobs", "behaviour", "verbose"]);
        Self {
            n_estimators: reader.int("n_estimators", 100, (1, 1_000)),
            max_samples: Samples::read(reader),
            max_features: Features::read(reader),
            bootstrap: reader.bool("bootstrap", false),
            random_state: reader.optional_int("random_state", (0, u32::MAX as usize)),
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
    /// Subtracted from the decision values.
    offset: f64,
}

/// Fits on the rows of a matrix.
pub(super) fn fit(
    matrix: &Matrix,
    params: IForestParams,
    contamination: f64,
    seed: u64,
) -> Result<Learnt<IForest>, NoScore> {
    rows::check(matrix, 2)?;
    let n_samples = params.max_samples.of(matrix.n_rows());
    let seed = params.random_state.map_or(seed, |state| state as u64);
    let trees = grow(matrix, params, n_samples, seed)?;
    let mut model = IForest { params, n_columns: matrix.n_columns, n_samples, trees, offset: 0.0 };
    let rows = matrix.values.chunks(matrix.n_columns);
    let mut decisions: Vec<f64> = rows.map(|row| model.decision(row)).collect();
    let mut sorted = decisions.clone();
    sorted.sort_unstable_by(f64::total_cmp);
    model.offset = scaling::percentile(&sorted, 1.0 - contamination);
    decisions.iter_mut().for_each(|decision| *decision -= model.offset);
    Ok((model, decisions))
}

fn grow(
    matrix: &Matrix,
    params: IForestParams,
    n_samples: usize,
    seed: u64,
) -> Result<Trees, NoScore> {
    let (n_rows, n_columns) = (matrix.n_rows(), matrix.n_columns);
    let order = rows::own_order(&matrix.values, n_columns);
    let rows = rows::arranged(&matrix.values, n_columns, &order);
    let n_chosen = params.max_features.of(n_columns);
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
    grower.finish().ok_or(NoScore::OutOfRange)
}

impl IForest {
    /// PyOD's decision value of a row, trained on or not.
    fn decision(&self, row: &[f64]) -> f64 {
        let depth = self.trees.mean_depth(row) / trees::mean_search_depth(self.n_samples);
        (-depth).exp2() - self.offset
    }
}

impl Decide for IForest {
    fn n_columns(&self) -> Option<usize> {
        Some(self.n_columns)
    }

    fn decide<R>(&self, then: impl FnOnce(&mut Decider<'_>) -> R) -> R {
        then(&mut |row| self.decision(row))
    }

    fn params(&self) -> Vec<(&'static str, Plain)> {
        let IForestParams { n_estimators, max_samples, max_features, bootstrap, random_state } =
            self.params;
        vec![
            ("n_estimators", Plain::Int(n_estimators as i64)),
            ("max_samples", max_samples.to_plain()),
            ("max_features", max_features.to_plain()),
            ("bootstrap", Plain::Bool(bootstrap)),
            ("random_state", optional_to_plain(random_state)),
        ]
    }

    fn state(&self) -> Vec<(&'static str, Plain)> {
        let (codes, bounds) = self.trees.to_plain();
        vec![
            ("n_columns", Plain::Int(self.n_columns as i64)),
            ("n_samples", Plain::Int(self.n_samples as i64)),
            ("offset", Plain::Float(self.offset)),
            ("codes", codes),
            ("bounds", bounds),
        ]
    }

    fn from_plain(plain: &Plain) -> Result<Self, DecodeError> {
        let params = IForestParams {
            n_estimators: count(plain, "n_estimators")?,
            max_samples: Samples::from_plain(plain)?,
            max_features: Features::from_plain(plain)?,
            bootstrap: flag(plain, "bootstrap")?,
            random_state: optional_count(plain, "random_state")?,
        };
        let (n_columns, n_samples) = (count(plain, "n_columns")?, count(plain, "n_samples")?);
        ensure(0 < n_columns, "n_columns")?;
        ensure(2 <= n_samples, "n_samples")?;
        // Format 1 had none.
        let offset = if plain.get("offset").is_some() { float(plain, "offset")? } else { 0.0 };
        let trees = Trees::from_plain(plain, n_columns)?;
        ensure(trees.n_trees() == params.n_estimators, "n_estimators")?;
        Ok(Self { params, n_columns, n_samples, trees, offset })
    }
}
