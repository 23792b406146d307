//! A stored score made again from the stored model and the stored points.

use serde::Serialize;

use crate::{
    domain::{BatchSpec, NoScore, RowScore, ScorePoint, Series, Span, Timestamp},
    features,
    jobs::{model_file::Model, score::CONTEXT, verify},
};

/// What came of scoring a point again.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Recomputed {
    /// Value and score are the stored ones, bit for bit.
    Same,
    /// The stored model gives another score today.
    Other {
        /// Today's score; none where there is none today.
        score: Option<f64>,
        /// Why they differ, as far as can be told.
        why: String,
    },
    /// It cannot be scored again.
    Impossible {
        /// Why not.
        why: String,
    },
}

/// Scores the row at an instant with what a score run saw of the series when `end` was its newest
/// observation but one.
pub(super) fn score_at(
    model: &Model,
    series: &Series,
    batch: &BatchSpec,
    (at, end): (Timestamp, usize),
) -> Option<(f64, Result<f64, NoScore>)> {
    let n_rows = batch.score.max_points;
    let seen = Series {
        metric: series.metric.clone(),
        at: series.at[..end].to_vec(),
        value: series.value[..end].to_vec(),
    };
    let seen = features::resampled(seen, &batch.features).newest(n_rows + CONTEXT);
    let (rows, values) = verify::score_newest(&model.detectors, &seen, batch, n_rows);
    let is_it = |(row, _): &(RowScore, f64)| row.at == at;
    rows.into_iter().zip(values).find(is_it).map(|(row, value)| (value, row.score))
}

/// Makes a stored score again. The run that made it may have seen newer points than the scored
/// one, which moves the start of what it saw; each such end is tried.
///
/// # Shape
/// `series` holds the metric's points around the scored one, all that are stored.
pub(super) fn again(
    model: &Model,
    series: &Series,
    batch: &BatchSpec,
    stored: &ScorePoint,
) -> Recomputed {
    let mut newest = None;
    for end in ends(series, batch, stored.at) {
        let Some((value, score)) = score_at(model, series, batch, (stored.at, end)) else { break };
        let is_same = value.to_bits() == stored.value.to_bits()
            && score.as_ref().is_ok_and(|score| score.to_bits() == stored.score.to_bits());
        if is_same {
            return Recomputed::Same;
        }
        newest.get_or_insert((value, score));
    }
    let Some((value, score)) = newest else {
        let why = "the observation is not stored any more".to_owned();
        return Recomputed::Impossible { why };
    };
    let why = match (&score, value == stored.value) {
        (_, false) => format!("the value was {} then and is {value} now", stored.value),
        (Err(reason), true) => format!("today {reason}"),
        (Ok(_), true) => "points before it came, changed or were removed since".to_owned(),
    };
    Recomputed::Other { score: score.ok(), why }
}

/// How many of the points a run had seen that scored the row at `at`: those up to the row, or
/// whole rows more.
fn ends(series: &Series, batch: &BatchSpec, at: Timestamp) -> Vec<usize> {
    let length = batch.features.resample.unwrap_or(Span::from_micros(1));
    let row_of = |n: usize| series.at[n].floor(length);
    let first = series.at.partition_point(|point| *point < at + length);
    let is_end = |end: &usize| *end == series.len() || row_of(*end) != row_of(*end - 1);
    (first.max(1)..=series.len()).filter(is_end).take(batch.score.max_points).collect()
}
