//! Decision values of the matrix detectors made scores, as PyOD's linear `predict_proba` does.

use super::artifact::{DecodeError, ensure, float};
use crate::domain::{NoScore, Plain, RowScore};
use crate::features::FeatureFrame;

/// The range of the training's decision values; finite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scaling {
    pub(super) lowest: f64,
    pub(super) highest: f64,
}

impl Scaling {
    pub(super) fn of(decisions: &[f64]) -> Result<Self, NoScore> {
        let lowest = decisions.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = decisions.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let is_finite = decisions.iter().all(|decision| decision.is_finite());
        if is_finite && lowest.is_finite() && (highest - lowest).is_finite() {
            Ok(Self { lowest, highest })
        } else {
            Err(NoScore::OutOfRange)
        }
    }

    /// In [0, 1]: where the decision value lies in the training's range. With no range, 0 at or
    /// below it and 1 above.
    pub(super) fn score(self, decision: f64) -> Result<f64, NoScore> {
        if decision.is_nan() {
            return Err(NoScore::OutOfRange);
        }
        let range = self.highest - self.lowest;
        if range <= 0.0 {
            return Ok(if decision <= self.highest { 0.0 } else { 1.0 });
        }
        // An infinite decision value comes from a finite row too far away to measure.
        Ok(((decision - self.lowest) / range).clamp(0.0, 1.0))
    }

    pub(super) fn from_plain(plain: &Plain) -> Result<Self, DecodeError> {
        let (lowest, highest) = (float(plain, "lowest")?, float(plain, "highest")?);
        ensure(lowest <= highest, "highest")?;
        Ok(Self { lowest, highest })
    }
}

/// Scores one row of a frame from its columns, where all of them are there.
pub(super) fn score_row(
    frame: &FeatureFrame,
    row: usize,
    columns: &mut [f64],
    n_expected: usize,
    score: impl FnOnce(&mut [f64]) -> Result<f64, NoScore>,
) -> RowScore {
    let score = if columns.len() != n_expected {
        let message = format!("the model has {n_expected} columns, the rows {}", columns.len());
        Err(NoScore::BadParameter { message })
    } else if !frame.fill_row(row, columns) {
        Err(NoScore::NotEnoughPast)
    } else if columns.iter().any(|value| !value.is_finite()) {
        Err(NoScore::OutOfRange)
    } else {
        score(columns)
    };
    RowScore { at: frame.at[row], score, band: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_places_in_the_training_range() {
        let scaling = Scaling::of(&[2.0, 6.0, 3.0]).unwrap();
        let scores = [1.0, 2.0, 4.0, 7.0, f64::INFINITY].map(|d| scaling.score(d).unwrap());
        assert_eq!(scores, [0.0, 0.0, 0.5, 1.0, 1.0]);
        assert_eq!(scaling.score(f64::NAN), Err(NoScore::OutOfRange));
    }

    #[test]
    fn without_a_range_only_more_than_ever_counts() {
        let scaling = Scaling::of(&[2.0, 2.0]).unwrap();
        assert_eq!([1.0, 2.0, 2.1].map(|d| scaling.score(d).unwrap()), [0.0, 0.0, 1.0]);
    }
}
