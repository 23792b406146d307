//! The default detector row by row: trained again on the newest rows as they come, each row scored
//! by the rows before it.

use std::collections::{BTreeMap, VecDeque};

use chrono::NaiveDate;
use chrono_tz::Tz;

use super::super::FitContext;
use super::super::params::{self, Params, SeasonalParams};
use super::super::seasonal::{self, Watch};
use super::{Auto, Verdict, emission::Emission, fit, row_score};
use crate::domain::{Aspect, DetectorKind, NoScore, ParamValue, RowScore, Timestamp};
use crate::features::FeatureFrame;

/// Fewest values that give a score.
const MIN_POINTS: usize = 32;
/// Up to so many rows the walk is begun anew with each training.
const YOUNG: usize = 256;
/// Newest rows that are trained on.
const MOST_ROWS: usize = 4000;
/// Rows between two trainings: a tenth of the rows so far, between these.
const APART: (usize, usize) = (32, 1000);
/// A cadence changed by this factor is a new one.
const NEW_CADENCE: f64 = 1.5;
/// So many rows in a row that are not later than an earlier one show that the earlier one's time
/// was wrong.
const MOST_LATE: u32 = 256;
/// Hours, and fewest and most rows, within which an incident is said once.
const EMISSION_HOURS: f64 = 6.25;
const EMISSION_ROWS: (f64, f64) = (3.0, 400.0);
/// Values beyond this are taken as this, so that no arithmetic overflows.
const MOST_VALUE: f64 = 1e300;

/// Scores a stream of observations, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct Stream {
    zone: Tz,
    /// Local days that are like Sundays.
    holidays: Vec<NaiveDate>,
    params: SeasonalParams,
    at: VecDeque<Timestamp>,
    value: VecDeque<f64>,
    n_rows: usize,
    n_late: u32,
    next_fit: usize,
    live: Option<Live>,
}

/// A model at work.
#[derive(Debug, Clone, PartialEq)]
struct Live {
    model: Auto,
    watch: Watch,
    emission: Emission,
}

impl Stream {
    /// `zone` is that of the metric's day and week, `holidays` are local days that are like Sundays;
    /// `written` the detector's parameters, as [`super::super::validate_params`] takes them (with
    /// others the defaults hold).
    pub fn new(zone: Tz, holidays: &[NaiveDate], written: &BTreeMap<String, ParamValue>) -> Self {
        let params = match params::parse(DetectorKind::Auto, written) {
            Ok(Params::Auto(params)) => params,
            Ok(_) | Err(_) => SeasonalParams::DEFAULT,
        };
        Self::with(zone, holidays.to_vec(), params)
    }

    fn with(zone: Tz, holidays: Vec<NaiveDate>, params: SeasonalParams) -> Self {
        Self {
            zone,
            holidays,
            params,
            at: VecDeque::new(),
            value: VecDeque::new(),
            n_rows: 0,
            n_late: 0,
            next_fit: MIN_POINTS,
            live: None,
        }
    }

    /// Scores the next observation by those before it, and remembers it. One that is not finite
    /// has no score and leaves no trace; one that is earlier than one before it counts as coming
    /// at the same time. An incident is said once, and again when it gets worse.
    pub fn push(&mut self, at: Timestamp, value: f64) -> RowScore {
        if !value.is_finite() {
            return RowScore::without(at, NoScore::OutOfRange);
        }
        let value = value.clamp(-MOST_VALUE, MOST_VALUE);
        let counted_at = self.in_order(at);
        let scored = self.live.as_mut().map(|live| live.step(counted_at, value));
        let have = self.n_rows;
        self.remember(counted_at, value);
        match scored {
            Some(verdict) => row_score(at, verdict),
            None => {
                let reason = NoScore::TooFewPoints { need: MIN_POINTS, have };
                RowScore::without(at, reason)
            }
        }
    }

    fn in_order(&mut self, at: Timestamp) -> Timestamp {
        let Some(newest) = self.at.back().copied() else { return at };
        self.n_late = if at < newest { self.n_late + 1 } else { 0 };
        if MOST_LATE < self.n_late {
            *self = Self::with(self.zone, std::mem::take(&mut self.holidays), self.params);
            return at;
        }
        at.max(newest)
    }

    fn remember(&mut self, at: Timestamp, value: f64) {
        if self.at.len() == MOST_ROWS {
            self.at.pop_front();
            self.value.pop_front();
        }
        self.at.push_back(at);
        self.value.push_back(value);
        self.n_rows += 1;
        if self.next_fit <= self.n_rows {
            self.train();
            self.next_fit = match self.n_rows {
                young if young < YOUNG => 2 * young,
                n_rows => n_rows + (n_rows / 10).clamp(APART.0, APART.1),
            };
        }
    }

    /// Rows that give no model keep the one before.
    fn train(&mut self) {
        if self.has_new_cadence() {
            let n_old = self.at.len().saturating_sub(YOUNG);
            self.at.drain(..n_old);
            self.value.drain(..n_old);
            self.n_rows = self.at.len();
        }
        let at: Vec<Timestamp> = self.at.iter().copied().collect();
        let value: Vec<f64> = self.value.iter().copied().collect();
        let frame = FeatureFrame::of_values(at, value);
        let context = FitContext { holidays: &self.holidays, ..FitContext::new(self.zone, 0) };
        let is_young = self.n_rows <= YOUNG;
        match &mut self.live {
            Some(live) if !is_young => live.learn(&frame, &context),
            live => {
                if let Ok(model) = fit(&frame, self.params, &context) {
                    *live = Some(Live::new(model, &frame));
                }
            }
        }
    }

    fn has_new_cadence(&self) -> bool {
        let Some(live) = &self.live else { return false };
        let newest: Vec<Timestamp> =
            self.at.iter().skip(self.at.len().saturating_sub(YOUNG)).copied().collect();
        let ratio = seasonal::cadence(&newest) / live.model.cadence;
        YOUNG < self.n_rows && !(1.0 / NEW_CADENCE..=NEW_CADENCE).contains(&ratio)
    }
}

impl Live {
    fn new(model: Auto, frame: &FeatureFrame) -> Self {
        let (low, high) = EMISSION_ROWS;
        let width = (EMISSION_HOURS * 3600.0 / model.cadence).round().clamp(low, high);
        let watch = watched(&model, frame);
        Self { model, watch, emission: Emission::new(width as u64) }
    }

    fn step(&mut self, at: Timestamp, value: f64) -> Option<Verdict> {
        let look = self.model.seasonal.look(&mut self.watch, at, value)?;
        let signals = self.model.walk.step(look.told(value), look.expected);
        let mut verdict = Verdict::of(&self.model, &look, &signals);
        let emitted = self.emission.emit(verdict.quotient);
        if emitted < verdict.quotient && 1.0 <= verdict.quotient {
            verdict.aspect = Aspect::Repeated;
        }
        verdict.quotient = emitted;
        Some(verdict)
    }

    /// Learns the season anew; the walk goes on.
    fn learn(&mut self, frame: &FeatureFrame, context: &FitContext<'_>) {
        let Ok(seasonal) = seasonal::fit(frame, self.model.params, context) else { return };
        self.model.seasonal = seasonal.narrowed();
        self.model.days = super::days(&frame.at);
        self.watch = watched(&self.model, frame);
    }
}

fn watched(model: &Auto, frame: &FeatureFrame) -> Watch {
    let mut watch = model.seasonal.watch();
    for (at, value) in frame.at.iter().zip(&frame.raw_value) {
        let _seen = model.seasonal.look(&mut watch, *at, *value);
    }
    watch
}
