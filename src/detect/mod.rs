//! The detectors: each is fitted on one metric's past and then says of any row, in [0, 1], how
//! unusual it is among that past. The set is closed; a new one is a file here and a variant of
//! [`Fitted`]. Training is deterministic.

mod ar;
mod artifact;
mod auto;
mod by_row;
mod combine;
mod copod;
mod ecod;
mod hbos;
mod iforest;
mod kmeans;
mod knn;
mod lof;
mod mad;
mod neighbours;
mod params;
mod pca;
mod random;
mod ranks;
mod robust;
mod rows;
mod scaling;
mod seasonal;
pub mod siblings;
mod tail_sum;
mod tails;
mod trees;
mod zscore;

use std::ops::Range;

use chrono::NaiveDate;
use chrono_tz::Tz;

pub use ar::Ar;
pub use artifact::DecodeError;
pub use auto::{Auto, Stream};
pub use combine::combine;
pub use copod::Copod;
pub use ecod::Ecod;
pub use hbos::Hbos;
pub use iforest::IForest;
pub use kmeans::KMeans;
pub use knn::Knn;
pub use lof::Lof;
pub use mad::Mad;
pub use params::{PERIODS, validate_params};
pub use pca::Pca;
pub use seasonal::Seasonal;
pub use zscore::Zscore;

#[cfg(test)]
pub(crate) use random::Random;

use crate::domain::{DetectorKind, DetectorSpec, NoScore, Period, Plain, RowScore};
use crate::features::{FeatureFrame, Matrix};
use by_row::{ByRow, Common, Decide, Learnt};
use params::{ByRowParams, Params};

/// What a training needs beside the frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FitContext<'a> {
    /// Zone of the metric's day and week.
    pub timezone: Tz,
    /// For detectors that draw; the same seed gives the same model.
    pub seed: u64,
    /// Local days that are like Sundays.
    pub holidays: &'a [NaiveDate],
    /// How many of the newest rows will be scored by the model itself. A detector that walks
    /// remembers the rows before them, so that these are judged by what came before, too.
    pub held: usize,
}

impl FitContext<'_> {
    /// Without holidays, and for rows newer than the frame's.
    pub const fn new(timezone: Tz, seed: u64) -> Self {
        Self { timezone, seed, holidays: &[], held: 0 }
    }
}

/// A trained detector.
#[derive(Debug, Clone, PartialEq)]
pub enum Fitted {
    /// The default.
    Auto(Box<Auto>),
    /// Robust distance from what the time of day and week usually looks like.
    Seasonal(Seasonal),
    /// Principal components.
    Pca(ByRow<Pca>),
    /// Nearest neighbours.
    Knn(ByRow<Knn>),
    /// Local outlier factor.
    Lof(ByRow<Lof>),
    /// Isolation forest.
    IForest(ByRow<IForest>),
    /// A histogram of each column.
    Hbos(ByRow<Hbos>),
    /// Tail probabilities of each column.
    Ecod(ByRow<Ecod>),
    /// Tail probabilities of each column, the skewed side counting.
    Copod(ByRow<Copod>),
    /// Distance from the median.
    Mad(ByRow<Mad>),
    /// Distance to the nearest cluster centre.
    KMeans(ByRow<KMeans>),
    /// Distance from the mean.
    Zscore(ByRow<Zscore>),
    /// Distance from what the values before say.
    Ar(ByRow<Ar>),
}

/// Trains a detector on all rows of a frame.
///
/// # Errors
/// The reason the frame gives no model.
pub fn fit(
    spec: &DetectorSpec,
    frame: &FeatureFrame,
    context: &FitContext<'_>,
) -> Result<Fitted, NoScore> {
    let params = params::parse(spec.kind, &spec.params)
        .map_err(|problems| NoScore::BadParameter { message: problems.join("; ") })?;
    match params {
        Params::Auto(params) => {
            auto::fit(frame, params, context).map(|model| Fitted::Auto(Box::new(model)))
        }
        Params::Seasonal(params) => seasonal::fit(frame, params, context).map(Fitted::Seasonal),
        Params::ByRow(common, params) => {
            fit_rows(&frame.matrix(), common, params, context.seed).map(|(fitted, _)| fitted)
        }
    }
}

/// Trains a detector of rows on a matrix; beside it the decision values of its rows.
fn fit_rows(
    matrix: &Matrix,
    common: Common,
    params: ByRowParams,
    seed: u64,
) -> Result<Learnt<Fitted>, NoScore> {
    fn keep<M: Decide>(
        common: Common,
        (model, decisions): Learnt<M>,
        wrap: fn(ByRow<M>) -> Fitted,
    ) -> Result<Learnt<Fitted>, NoScore> {
        Ok((wrap(ByRow::new(common, model, &decisions)?), decisions))
    }
    match params {
        ByRowParams::Pca(params) => keep(common, pca::fit(matrix, params)?, Fitted::Pca),
        ByRowParams::Knn(params) => keep(common, knn::fit(matrix, params)?, Fitted::Knn),
        ByRowParams::Lof(params) => keep(common, lof::fit(matrix, params)?, Fitted::Lof),
        ByRowParams::IForest(params) => {
            let learnt = iforest::fit(matrix, params, common.contamination, seed)?;
            keep(common, learnt, Fitted::IForest)
        }
        ByRowParams::Hbos(params) => keep(common, hbos::fit(matrix, params)?, Fitted::Hbos),
        ByRowParams::Ecod => keep(common, tail_sum::fit(matrix)?, Fitted::Ecod),
        ByRowParams::Copod => keep(common, tail_sum::fit(matrix)?, Fitted::Copod),
        ByRowParams::Mad(params) => keep(common, mad::fit(matrix, params)?, Fitted::Mad),
        ByRowParams::KMeans(params) => {
            keep(common, kmeans::fit(matrix, params, seed)?, Fitted::KMeans)
        }
        ByRowParams::Zscore => keep(common, zscore::fit(matrix)?, Fitted::Zscore),
        ByRowParams::Ar => keep(common, ar::fit(matrix)?, Fitted::Ar),
    }
}

/// The same of a model, whichever detector it is.
macro_rules! each {
    ($fitted:expr, $model:ident => $what:expr) => {
        match $fitted {
            Fitted::Auto($model) => $what,
            Fitted::Seasonal($model) => $what,
            Fitted::Pca($model) => $what,
            Fitted::Knn($model) => $what,
            Fitted::Lof($model) => $what,
            Fitted::IForest($model) => $what,
            Fitted::Hbos($model) => $what,
            Fitted::Ecod($model) => $what,
            Fitted::Copod($model) => $what,
            Fitted::Mad($model) => $what,
            Fitted::KMeans($model) => $what,
            Fitted::Zscore($model) => $what,
            Fitted::Ar($model) => $what,
        }
    };
}

impl Fitted {
    /// Scores rows of a frame, one result a row. A row's score depends on the model and on the
    /// frame's rows up to it, never on later ones or on which others are asked for.
    ///
    /// # Panics
    /// When `rows` reaches past the frame.
    pub fn score(&self, frame: &FeatureFrame, rows: Range<usize>) -> Vec<RowScore> {
        each!(self, model => model.score(frame, rows))
    }

    /// The algorithm.
    pub fn kind(&self) -> DetectorKind {
        match self {
            Self::Auto(_) => DetectorKind::Auto,
            Self::Seasonal(_) => DetectorKind::Seasonal,
            Self::Pca(_) => DetectorKind::Pca,
            Self::Knn(_) => DetectorKind::Knn,
            Self::Lof(_) => DetectorKind::Lof,
            Self::IForest(_) => DetectorKind::IForest,
            Self::Hbos(_) => DetectorKind::Hbos,
            Self::Ecod(_) => DetectorKind::Ecod,
            Self::Copod(_) => DetectorKind::Copod,
            Self::Mad(_) => DetectorKind::Mad,
            Self::KMeans(_) => DetectorKind::KMeans,
            Self::Zscore(_) => DetectorKind::Zscore,
            Self::Ar(_) => DetectorKind::Ar,
        }
    }

    /// The parameters as used, defaults included.
    pub fn params(&self) -> serde_json::Map<String, serde_json::Value> {
        each!(self, model => model.params())
    }

    /// The decision value above which PyOD's `predict` calls a row an outlier; `None` for detectors
    /// that have none, and for models of the first format.
    pub fn threshold(&self) -> Option<f64> {
        each!(self, model => model.threshold())
    }

    /// The repetition the model follows, if it follows one, and the share of the variance around
    /// the level, 0 to 1, that it explains on cycles it was not learnt from. `None` for detectors
    /// that know no pattern, and for models that did not say yet.
    pub fn season(&self) -> Option<(Option<Period>, f64)> {
        match self {
            Self::Auto(model) => model.season(),
            Self::Seasonal(model) => model.season(),
            _ => None,
        }
    }

    fn body(&self) -> Plain {
        each!(self, model => model.to_plain())
    }

    fn of_body(kind: DetectorKind, body: &Plain, format: i64) -> Result<Self, DecodeError> {
        match kind {
            DetectorKind::Auto => Auto::from_plain(body).map(|model| Self::Auto(Box::new(model))),
            DetectorKind::Seasonal => Seasonal::from_plain(body).map(Self::Seasonal),
            DetectorKind::Pca => ByRow::from_plain(body, format).map(Self::Pca),
            DetectorKind::Knn => ByRow::from_plain(body, format).map(Self::Knn),
            DetectorKind::Lof => ByRow::from_plain(body, format).map(Self::Lof),
            DetectorKind::IForest => ByRow::from_plain(body, format).map(Self::IForest),
            DetectorKind::Hbos => ByRow::from_plain(body, format).map(Self::Hbos),
            DetectorKind::Ecod => ByRow::from_plain(body, format).map(Self::Ecod),
            DetectorKind::Copod => ByRow::from_plain(body, format).map(Self::Copod),
            DetectorKind::Mad => ByRow::from_plain(body, format).map(Self::Mad),
            DetectorKind::KMeans => ByRow::from_plain(body, format).map(Self::KMeans),
            DetectorKind::Zscore => ByRow::from_plain(body, format).map(Self::Zscore),
            DetectorKind::Ar => ByRow::from_plain(body, format).map(Self::Ar),
        }
    }

    /// The model as plain values, bit for bit.
    pub fn to_plain(&self) -> Plain {
        artifact::to_plain(self)
    }

    /// The model back from [`Self::to_plain`].
    ///
    /// # Errors
    /// [`DecodeError`], naming the field that is missing or makes no sense.
    pub fn from_plain(plain: &Plain) -> Result<Self, DecodeError> {
        artifact::from_plain(plain)
    }
}

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod invariance;
