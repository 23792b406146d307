//! A causal walk over rows: the streaming detector, or trained ones that are trained again on the
//! past as the past grows.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use chrono_tz::Tz;

use crate::{
    detect::{self, FitContext, Fitted, Stream},
    domain::{
        Aggregate, BatchSpec, Combine, DetectorKind, DetectorRole, DetectorSpec, FeatureSpec,
        MetricName, ParamValue, RowScore, Series, Span, Timestamp,
    },
    features,
};

/// Newest rows a trained detector learns from and looks back on.
const MOST_PAST: usize = 4000;
/// Rows scored by one model at once: an eighth of the past, between these.
const CHUNK: (usize, usize) = (32, 256);
/// Rows between two trainings: a tenth of the past, between these.
const APART: (usize, usize) = (32, 1000);
/// Earlier values a row holds for the detectors on a matrix, as in a project's defaults.
const LAGS: usize = 5;
/// Detectors draw from this; the same rows give the same scores.
const SEED: u64 = 0x5eed;

/// What scores, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Setup {
    /// At least one.
    pub detectors: Vec<DetectorSpec>,
    /// What the detectors on a matrix see.
    pub features: FeatureSpec,
    /// How several detectors' scores become one.
    pub combine: Combine,
    /// Zone of the day and week.
    pub timezone: Tz,
    /// Local days that are like Sundays.
    pub holidays: Vec<NaiveDate>,
}

impl Setup {
    /// One detector with its default parameters, but for the length of the pattern.
    pub fn of_kind(kind: DetectorKind, period: Option<Span>) -> Self {
        let lags = if kind == DetectorKind::Seasonal { 0 } else { LAGS };
        let params = period.map(|period| ("period".into(), ParamValue::Text(period.to_string())));
        let params = BTreeMap::from_iter(params);
        Self {
            detectors: vec![DetectorSpec {
                kind,
                tag: kind.to_string(),
                role: DetectorRole::Champion,
                params,
            }],
            features: FeatureSpec {
                resample: None,
                aggregate: Aggregate::Mean,
                difference: 0,
                smooth: 0,
                lags,
            },
            combine: Combine::Mean,
            timezone: Tz::UTC,
            holidays: Vec::new(),
        }
    }

    /// A batch's champions on its features, but without resampling: every row has a score.
    pub fn of_batch(batch: &BatchSpec) -> Self {
        Self {
            detectors: batch.detectors_as(DetectorRole::Champion).cloned().collect(),
            features: FeatureSpec { resample: None, ..batch.features.clone() },
            combine: batch.score.combine,
            timezone: batch.timezone,
            holidays: batch.holidays.clone(),
        }
    }

    /// The default detector's settings, if it is that one alone.
    fn stream(&self) -> Option<&DetectorSpec> {
        match self.detectors.as_slice() {
            [one] if one.kind == DetectorKind::Auto => Some(one),
            _ => None,
        }
    }
}

/// Scores rows in order, each by the rows up to it.
#[derive(Debug)]
pub enum Walk {
    /// One pass.
    Stream(Box<Stream>),
    /// Trained on the past, again and again.
    Trained(Box<Trained>),
}

impl Walk {
    /// Begins with no past.
    pub fn new(setup: &Setup, metric: MetricName) -> Self {
        match setup.stream() {
            Some(spec) => {
                let stream = Stream::new(setup.timezone, &setup.holidays, &spec.params);
                Self::Stream(Box::new(stream))
            }
            None => Self::Trained(Box::new(Trained::new(setup.clone(), metric))),
        }
    }

    /// Rows it takes at once.
    pub fn chunk(&self) -> usize {
        match self {
            Self::Stream(_) => 1,
            Self::Trained(trained) => (trained.past.len() / 8).clamp(CHUNK.0, CHUNK.1),
        }
    }

    /// One result a row; `None` where there is nothing to score.
    pub fn score(&mut self, rows: &[Option<(Timestamp, f64)>]) -> Vec<Option<RowScore>> {
        match self {
            Self::Stream(stream) => {
                rows.iter().map(|row| row.map(|(at, value)| stream.push(at, value))).collect()
            }
            Self::Trained(trained) => trained.score(rows),
        }
    }

    /// [`Self::score`] of all rows there are, chunk by chunk.
    pub fn score_all(&mut self, rows: &[Option<(Timestamp, f64)>]) -> Vec<Option<RowScore>> {
        let mut scores = Vec::with_capacity(rows.len());
        while scores.len() < rows.len() {
            let end = (scores.len() + self.chunk()).min(rows.len());
            scores.extend(self.score(&rows[scores.len()..end]));
        }
        scores
    }
}

/// Detectors that are trained on the past.
#[derive(Debug)]
pub struct Trained {
    setup: Setup,
    past: Series,
    models: Vec<Fitted>,
    n_rows: usize,
    next_training: usize,
}

impl Trained {
    fn new(setup: Setup, metric: MetricName) -> Self {
        let past = Series::empty(metric);
        Self { setup, past, models: Vec::new(), n_rows: 0, next_training: APART.0 }
    }

    fn score(&mut self, rows: &[Option<(Timestamp, f64)>]) -> Vec<Option<RowScore>> {
        if self.next_training <= self.n_rows {
            self.train();
        }
        let first = self.past.len();
        // Rows that are not later than one before them are not scored: a detector's past is in
        // order.
        let places: Vec<Option<usize>> =
            rows.iter().map(|row| row.and_then(|point| self.remember(point))).collect();
        self.n_rows += self.past.len() - first;
        if self.models.is_empty() {
            return vec![None; rows.len()];
        }
        let frame = features::build(&self.past, &self.setup.features);
        let parts: Vec<Vec<RowScore>> =
            self.models.iter().map(|model| model.score(&frame, first..frame.len())).collect();
        let scores = detect::combine(self.setup.combine, &parts);
        let verdicts = places.iter().map(|p| p.and_then(|p| scores.get(p - first).cloned()));
        let verdicts = verdicts.collect();
        self.past = self.past.newest(MOST_PAST);
        verdicts
    }

    fn remember(&mut self, (at, value): (Timestamp, f64)) -> Option<usize> {
        if self.past.at.last().is_some_and(|newest| at <= *newest) {
            return None;
        }
        self.past.at.push(at);
        self.past.value.push(value);
        Some(self.past.len() - 1)
    }

    /// Detectors that the past gives no model are left out; where it gives none, the ones before
    /// are kept.
    fn train(&mut self) {
        let frame = features::build(&self.past, &self.setup.features);
        let Setup { timezone, holidays, .. } = &self.setup;
        let context = FitContext { holidays, ..FitContext::new(*timezone, SEED) };
        let fits = self.setup.detectors.iter().map(|spec| detect::fit(spec, &frame, &context));
        let models: Vec<Fitted> = fits.filter_map(Result::ok).collect();
        if !models.is_empty() {
            self.models = models;
        }
        self.next_training = self.n_rows + (self.n_rows / 10).clamp(APART.0, APART.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_detector_that_cannot_be_fitted_is_left_out() {
        let of_kind = |kind| Setup::of_kind(kind, None).detectors.remove(0);
        let mad = of_kind(DetectorKind::Mad);
        let mut wide = of_kind(DetectorKind::Knn);
        wide.params.insert("n_neighbors".into(), ParamValue::Int(400));
        let scored = |detectors: &[&DetectorSpec]| {
            let detectors = detectors.iter().copied().cloned().collect();
            let setup = Setup { detectors, ..Setup::of_kind(DetectorKind::Mad, None) };
            let at = |row: i64| Timestamp::from_secs(3_600 * row).unwrap();
            let rows: Vec<_> =
                (0..200).map(|row| Some((at(row), (row * 7_919 % 101) as f64))).collect();
            let mut walk = Walk::new(&setup, MetricName::parse("m").unwrap());
            walk.score_all(&rows).into_iter().flatten().filter(|row| row.score.is_ok()).count()
        };
        assert_eq!(scored(&[&wide]), 0, "more neighbours than rows");
        let alone = scored(&[&mad]);
        assert!(100 < alone);
        assert_eq!(scored(&[&mad, &wide]), alone);
    }
}
