//! One metric's detectors, fitted: the champions, which make the model, and the challengers beside
//! them.

use crate::{
    detect::{self, FitContext, Fitted},
    domain::{BatchSpec, DetectorCard, DetectorRole, LeftOut, ModelVersion, NoScore, Series},
    features::FeatureFrame,
};

use super::{model_file::Model, rows};

/// Detectors draw from this; the same data give the same model.
const SEED: u64 = 0x5eed;

/// The model of one metric's rows, without challengers, and which detectors are not in it.
pub(super) fn model(
    series: &Series,
    version: ModelVersion,
    batch: &BatchSpec,
) -> Result<(Model, Vec<LeftOut>), NoScore> {
    let frame = rows::frame(series, batch);
    let (detectors, left_out) = detectors(batch, DetectorRole::Champion, &frame);
    if let Some(first) = left_out.first()
        && detectors.is_empty()
    {
        return Err(first.reason.clone());
    }
    let (batch, metric) = (batch.name.clone(), series.metric.clone());
    Ok((Model { batch, metric, version, detectors, challengers: Vec::new() }, left_out))
}

/// Fits the challengers to the series a model was made of; gives those that could not be.
pub(super) fn add_challengers(
    model: &mut Model,
    series: &Series,
    batch: &BatchSpec,
) -> Vec<LeftOut> {
    if batch.detectors_as(DetectorRole::Challenger).next().is_none() {
        return Vec::new();
    }
    let frame = rows::frame(series, batch);
    let (challengers, left_out) = detectors(batch, DetectorRole::Challenger, &frame);
    model.challengers = challengers;
    left_out
}

/// What a card says of a fitted detector.
pub(super) fn describe((tag, fitted): &(String, Fitted)) -> DetectorCard {
    DetectorCard {
        tag: tag.clone(),
        kind: fitted.kind().to_string(),
        params: fitted.params(),
        threshold: fitted.threshold(),
    }
}

/// Fits those of a role that can be trained on the frame.
fn detectors(
    batch: &BatchSpec,
    role: DetectorRole,
    frame: &FeatureFrame,
) -> (Vec<(String, Fitted)>, Vec<LeftOut>) {
    let held = batch.score.max_points;
    let holidays = &batch.holidays;
    let fitting = FitContext { held, holidays, ..FitContext::new(batch.timezone, SEED) };
    let (mut fitted, mut left_out) = (Vec::new(), Vec::new());
    for spec in batch.detectors_as(role) {
        match detect::fit(spec, frame, &fitting) {
            Ok(detector) => fitted.push((spec.tag.clone(), detector)),
            Err(reason) => left_out.push(LeftOut { tag: spec.tag.clone(), reason }),
        }
    }
    (fitted, left_out)
}
