//! The detectors: each is fitted on one metric's past and then says of any row, in [0, 1], how
//! unusual it is among that past. The set is closed; a new one is a file here and a variant of
//! [`Fitted`]. Training is deterministic.

mod ar;
mod artifact;
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
mod robust;
mod rows;
mod scaling;
mod seasonal;
mod tail_sum;
mod tails;
mod trees;
mod zscore;
mod stream;

use std::ops::Range;

use chrono_tz::Tz;

pub use ar::Ar;
pub use artifact::DecodeError;
pub use combine::combine;
pub use copod::Copod;
pub use ecod::Ecod;
pub use hbos::Hbos;
pub use iforest::IForest;
pub use kmeans::KMeans;
pub use knn::Knn;
pub use lof::Lof;
pub use mad::Mad;
pub use params::validate_params;
pub use pca::Pca;
pub use seasonal::Seasonal;
pub use stream::Stream;
pub use zscore::Zscore;

use crate::domain::{DetectorKind, DetectorSpec, NoScore, Plain, RowScore};
use crate::features::FeatureFrame;
use params::Params;

/// What a training needs beside the frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FitContext {
    /// Zone of the metric's day and week.
    pub timezone: Tz,
    /// For detectors that draw; the same seed gives the same model.
    pub seed: u64,
}

/// A trained detector.
#[derive(Debug, Clone, PartialEq)]
pub enum Fitted {
    /// Robust distance from what the time of day and week usually looks like.
    Seasonal(Seasonal),
    /// Principal components.
    Pca(Pca),
    /// Nearest neighbours.
    Knn(Knn),
    /// Local outlier factor.
    Lof(Lof),
    /// Isolation forest.
    IForest(IForest),
    /// A histogram of each column.
    Hbos(Hbos),
    /// Tail probabilities of each column.
    Ecod(Ecod),
    /// Tail probabilities of each column, the skewed side counting.
    Copod(Copod),
    /// Distance from the median.
    Mad(Mad),
    /// Distance to the nearest cluster centre.
    KMeans(KMeans),
    /// Distance from the mean.
    Zscore(Zscore),
    /// Distance from what the values before say.
    Ar(Ar),
}

/// Trains a detector on all rows of a frame.
///
/// # Errors
/// The reason the frame gives no model.
pub fn fit(
    spec: &DetectorSpec,
    frame: &FeatureFrame,
    context: &FitContext,
) -> Result<Fitted, NoScore> {
    let params = params::parse(spec.kind, &spec.params)
        .map_err(|problems| NoScore::BadParameter { message: problems.join("; ") })?;
    match params {
        Params::Seasonal(params) => {
            seasonal::fit(frame, params, context.timezone).map(Fitted::Seasonal)
        }
        Params::Pca(params) => pca::fit(&frame.matrix(), params).map(Fitted::Pca),
        Params::Knn(params) => knn::fit(&frame.matrix(), params).map(Fitted::Knn),
        Params::Lof(params) => lof::fit(&frame.matrix(), params).map(Fitted::Lof),
        Params::IForest(params) => {
            iforest::fit(&frame.matrix(), params, context.seed).map(Fitted::IForest)
        }
        Params::Hbos(params) => hbos::fit(&frame.matrix(), params).map(Fitted::Hbos),
        Params::Ecod(params) => ecod::fit(&frame.matrix(), params).map(Fitted::Ecod),
        Params::Copod(params) => copod::fit(&frame.matrix(), params).map(Fitted::Copod),
        Params::Mad(params) => mad::fit(&frame.matrix(), params).map(Fitted::Mad),
        Params::KMeans(params) => {
            kmeans::fit(&frame.matrix(), params, context.seed).map(Fitted::KMeans)
        }
        Params::Ar(params) => ar::fit(&frame.matrix(), params).map(Fitted::Ar),
        Params::Zscore(params) => zscore::fit(&frame.matrix(), params).map(Fitted::Zscore),
    }
}

impl Fitted {
    /// Scores rows of a frame, one result a row. A row's score depends on the model and on the
    /// frame's rows up to it, never on later ones or on which others are asked for.
    ///
    /// # Panics
    /// When `rows` reaches past the frame.
    pub fn score(&self, frame: &FeatureFrame, rows: Range<usize>) -> Vec<RowScore> {
        match self {
            Self::Seasonal(model) => model.score(frame, rows),
            Self::Pca(model) => model.score(frame, rows),
            Self::Knn(model) => model.score(frame, rows),
            Self::Lof(model) => model.score(frame, rows),
            Self::IForest(model) => model.score(frame, rows),
            Self::Hbos(model) => model.score(frame, rows),
            Self::Ecod(model) => model.score(frame, rows),
            Self::Copod(model) => model.score(frame, rows),
            Self::Mad(model) => model.score(frame, rows),
            Self::KMeans(model) => model.score(frame, rows),
            Self::Zscore(model) => model.score(frame, rows),
            Self::Ar(model) => model.score(frame, rows),
        }
    }

    /// The algorithm.
    pub fn kind(&self) -> DetectorKind {
        match self {
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
        match self {
            Self::Seasonal(model) => model.params(),
            Self::Pca(model) => model.params(),
            Self::Knn(model) => model.params(),
            Self::Lof(model) => model.params(),
            Self::IForest(model) => model.params(),
            Self::Hbos(model) => model.params(),
            Self::Ecod(model) => model.params(),
            Self::Copod(model) => model.params(),
            Self::Mad(model) => model.params(),
            Self::KMeans(model) => model.params(),
            Self::Zscore(model) => model.params(),
            Self::Ar(model) => model.params(),
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
