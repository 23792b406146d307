//! What scores the rows: the streaming detector, or a trained one that is trained again on the past
//! as the past grows.

use chrono_tz::Tz;

use crate::{
    detect::{self, FitContext, Fitted, Stream},
    domain::{
        Aggregate, DetectorKind, DetectorSpec, FeatureSpec, MetricName, RowScore, Series, Span,
        Timestamp,
    },
    features,
};

use super::table::Row;

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

/// Scores rows in order.
pub(super) enum Engine {
    /// One pass.
    Stream(Box<Stream>),
    /// Trained on the past, again and again.
    Trained(Box<Trained>),
}

impl Engine {
    pub(super) fn new(kind: DetectorKind, period: Span) -> anyhow::Result<Self> {
        if kind == DetectorKind::Auto {
            anyhow::ensure!(Span::ZERO < period, "`--period` must be longer than nothing");
            return Ok(Self::Stream(Box::new(Stream::new(period))));
        }
        anyhow::ensure!(period == Span::days(1), "`--period` is for the detector auto only");
        Ok(Self::Trained(Box::new(Trained::new(kind)?)))
    }

    /// Rows it takes at once.
    pub(super) fn chunk(&self) -> usize {
        match self {
            Self::Stream(_) => 1,
            Self::Trained(trained) => (trained.past.len() / 8).clamp(CHUNK.0, CHUNK.1),
        }
    }

    /// One result a row; `None` where there is nothing to score.
    pub(super) fn score(&mut self, rows: &[Row]) -> Vec<Option<RowScore>> {
        match self {
            Self::Stream(stream) => rows
                .iter()
                .map(|row| row.point().map(|(at, value)| stream.push(at, value)))
                .collect(),
            Self::Trained(trained) => trained.score(rows),
        }
    }
}

/// A detector that is trained on the past.
pub(super) struct Trained {
    spec: DetectorSpec,
    features: FeatureSpec,
    past: Series,
    model: Option<Fitted>,
    n_rows: usize,
    next_training: usize,
}

impl Trained {
    fn new(kind: DetectorKind) -> anyhow::Result<Self> {
        let lags = if kind == DetectorKind::Seasonal { 0 } else { LAGS };
        Ok(Self {
            spec: DetectorSpec { kind, tag: kind.to_string(), params: Default::default() },
            features: FeatureSpec {
                resample: None,
                aggregate: Aggregate::Mean,
                difference: 0,
                smooth: 0,
                lags,
            },
            past: Series::empty(MetricName::parse("value")?),
            model: None,
            n_rows: 0,
            next_training: APART.0,
        })
    }

    fn score(&mut self, rows: &[Row]) -> Vec<Option<RowScore>> {
        if self.next_training <= self.n_rows {
            self.train();
        }
        let first = self.past.len();
        // Rows that are not later than one before them are not scored: a detector's past is in
        // order.
        let places: Vec<Option<usize>> =
            rows.iter().map(|row| row.point().and_then(|point| self.remember(point))).collect();
        self.n_rows += self.past.len() - first;
        let Some(model) = &self.model else { return vec![None; rows.len()] };
        let frame = features::build(&self.past, &self.features);
        let scores = model.score(&frame, first..frame.len());
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

    /// A past that gives no model keeps the one before.
    fn train(&mut self) {
        let frame = features::build(&self.past, &self.features);
        let context = FitContext { timezone: Tz::UTC, seed: SEED };
        if let Ok(model) = detect::fit(&self.spec, &frame, &context) {
            self.model = Some(model);
        }
        self.next_training = self.n_rows + (self.n_rows / 10).clamp(APART.0, APART.1);
    }
}
