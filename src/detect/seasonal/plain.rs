//! The seasonal model as plain values and back.

use chrono_tz::Tz;

use super::baseline::{Baseline, Block, N_LEVEL};
use super::calendar::{Calendar, DAY};
use super::held_out::Evidence;
use super::profile::{Profile, Shape};
use super::views::{N_VIEWS, Windows};
use super::{Law, Seasonal, Seasons};
use crate::detect::artifact::{DecodeError, ensure, float, floats, int, text};
use crate::detect::params::{PERIODS, SeasonalParams};
use crate::domain::{Plain, Span};

/// More than the finest profile has.
pub(super) const MAX_SLOTS: usize = 7 * 96;
/// Ten years, in seconds.
pub(super) const MAX_CYCLE: i64 = 3653 * DAY;

impl Seasonal {
    pub(in crate::detect) fn to_plain(&self) -> Plain {
        let law = match &self.law {
            Law::Constant(value) => ("constant".into(), Plain::Float(*value)),
            Law::Seasons(seasons) => ("seasons".into(), seasons_to_plain(seasons)),
        };
        let mut fields = self.params.to_plain();
        fields.push(law);
        Plain::Dict(fields)
    }

    pub(in crate::detect) fn from_plain(plain: &Plain) -> Result<Self, DecodeError> {
        let law = match plain.get("seasons") {
            Some(seasons) => Law::Seasons(Box::new(seasons_from_plain(seasons)?)),
            None => Law::Constant(float(plain, "constant")?),
        };
        Ok(Self { params: SeasonalParams::from_plain(plain)?, law })
    }
}

impl SeasonalParams {
    pub(in crate::detect) fn to_plain(self) -> Vec<(String, Plain)> {
        let mut fields = vec![("sensitivity".into(), Plain::Float(self.sensitivity))];
        if let Some(period) = self.period {
            fields.push(("period_us".into(), Plain::Int(period.micros())));
        }
        fields
    }

    pub(in crate::detect) fn from_plain(plain: &Plain) -> Result<Self, DecodeError> {
        let period = match plain.get("period_us") {
            Some(_) => Some(Span::from_micros(int(plain, "period_us")?)),
            None => None,
        };
        ensure(period.is_none_or(|period| PERIODS.contains(&period)), "period_us")?;
        Ok(Self { sensitivity: positive(plain, "sensitivity")?, period })
    }
}

fn seasons_to_plain(seasons: &Seasons) -> Plain {
    let Seasons { unit, cadence, baseline, evidence, scale, windows, lines, run_line } = seasons;
    let carried = &baseline.carried;
    let numbers = |of: fn(&Block) -> i64| {
        Plain::List(carried.iter().map(|block| Plain::Int(of(block))).collect())
    };
    let levels: Vec<f64> = carried.iter().map(|block| block.level).collect();
    let mut fields = vec![
        ("unit".into(), Plain::Float(*unit)),
        ("cadence_seconds".into(), Plain::Float(*cadence)),
        ("timezone".into(), Plain::Text(baseline.calendar.zone.name().into())),
        ("shape".into(), Plain::Text(baseline.shape.as_str().into())),
        ("daily".into(), Plain::from_f64s(&baseline.profile.daily)),
        ("weekly".into(), Plain::from_f64s(&baseline.profile.weekly)),
        ("level".into(), Plain::Float(baseline.level)),
        ("block_seconds".into(), Plain::Int(baseline.block)),
        ("block_numbers".into(), numbers(|block| block.number)),
        ("block_rows".into(), numbers(|block| block.n_rows as i64)),
        ("block_levels".into(), Plain::from_f64s(&levels)),
        ("scale".into(), Plain::from_f64s(scale)),
        (
            "windows_seconds".into(),
            Plain::from_f64s(&[windows.short, windows.long, windows.activity]),
        ),
        ("lines".into(), Plain::from_f64s(lines)),
        ("run_line".into(), Plain::Float(*run_line)),
    ];
    fields.extend(rarer_fields(baseline));
    fields.extend(evidence.map(evidence_to_plain));
    Plain::Dict(fields)
}

/// What most models do without.
pub(super) fn rarer_fields(baseline: &Baseline) -> Vec<(String, Plain)> {
    let mut fields = Vec::new();
    if baseline.profile.cycle != DAY {
        fields.push(("cycle_seconds".into(), Plain::Int(baseline.profile.cycle)));
    }
    let holidays = &baseline.calendar.holidays;
    if !holidays.is_empty() {
        let days = holidays.iter().copied().map(Plain::Int).collect();
        fields.push(("holiday_days".into(), Plain::List(days)));
    }
    fields
}

pub(super) fn evidence_to_plain(evidence: Evidence) -> (String, Plain) {
    ("evidence".into(), Plain::from_f32s(&[evidence.strength, evidence.confidence]))
}

pub(super) fn evidence_from_plain(plain: &Plain) -> Result<Option<Evidence>, DecodeError> {
    let Some(evidence) = plain.get("evidence") else { return Ok(None) };
    let shares = evidence.to_f32s().ok_or(DecodeError::Missing { field: "evidence" })?;
    let is_sound = shares.iter().all(|share| (0.0..=1.0).contains(share));
    match shares[..] {
        [strength, confidence] if is_sound => Ok(Some(Evidence { strength, confidence })),
        _ => Err(DecodeError::Inconsistent { field: "evidence" }),
    }
}

pub(super) fn cycle_from_plain(plain: &Plain) -> Result<i64, DecodeError> {
    let Some(_) = plain.get("cycle_seconds") else { return Ok(DAY) };
    let cycle = int(plain, "cycle_seconds")?;
    ensure(0 < cycle && cycle <= MAX_CYCLE, "cycle_seconds")?;
    Ok(cycle)
}

pub(super) fn holidays_from_plain(plain: &Plain) -> Result<Vec<i64>, DecodeError> {
    let Some(_) = plain.get("holiday_days") else { return Ok(Vec::new()) };
    let holidays = ints(plain, "holiday_days")?;
    ensure(holidays.is_sorted(), "holiday_days")?;
    Ok(holidays)
}

fn seasons_from_plain(plain: &Plain) -> Result<Seasons, DecodeError> {
    let shape = Shape::parse(text(plain, "shape")?);
    let shape = shape.ok_or(DecodeError::Inconsistent { field: "shape" })?;
    let zone: Tz = text(plain, "timezone")?
        .parse()
        .map_err(|_| DecodeError::Inconsistent { field: "timezone" })?;
    let profile = Profile {
        cycle: cycle_from_plain(plain)?,
        daily: floats(plain, "daily")?,
        weekly: floats(plain, "weekly")?,
    };
    ensure(profile.daily.len() <= MAX_SLOTS, "daily")?;
    ensure(profile.weekly.len() <= MAX_SLOTS && profile.weekly.len().is_multiple_of(7), "weekly")?;
    let block = int(plain, "block_seconds")?;
    ensure(0 < block, "block_seconds")?;
    let scale = floats(plain, "scale")?;
    ensure(!scale.is_empty() && scale.len() <= MAX_SLOTS, "scale")?;
    ensure(scale.iter().all(|scale| 0.0 < *scale), "scale")?;
    let lines = floats(plain, "lines")?;
    let lines: [f64; N_VIEWS] =
        lines.try_into().map_err(|_| DecodeError::Inconsistent { field: "lines" })?;
    ensure(lines.iter().all(|line| 0.0 < *line), "lines")?;
    let windows = floats(plain, "windows_seconds")?;
    let [short, long, activity] = windows[..] else {
        return Err(DecodeError::Inconsistent { field: "windows_seconds" });
    };
    ensure(windows.iter().all(|window| 0.0 < *window), "windows_seconds")?;
    let level = float(plain, "level")?;
    ensure(shape == Shape::Additive || 0.0 < level, "level")?;
    let carried = blocks_from_plain(plain)?;
    let calendar = Calendar { zone, holidays: holidays_from_plain(plain)? };
    Ok(Seasons {
        unit: positive(plain, "unit")?,
        cadence: positive(plain, "cadence_seconds")?,
        baseline: Baseline { calendar, shape, profile, block, level, carried },
        evidence: evidence_from_plain(plain)?,
        scale,
        windows: Windows { short, long, activity },
        lines,
        run_line: positive(plain, "run_line")?,
    })
}

fn blocks_from_plain(plain: &Plain) -> Result<Vec<Block>, DecodeError> {
    let levels = floats(plain, "block_levels")?;
    let numbers = ints(plain, "block_numbers")?;
    let n_rows = ints(plain, "block_rows")?;
    ensure(!levels.is_empty() && levels.len() <= N_LEVEL, "block_levels")?;
    ensure(numbers.len() == levels.len() && numbers.is_sorted(), "block_numbers")?;
    ensure(n_rows.len() == levels.len(), "block_rows")?;
    numbers
        .into_iter()
        .zip(n_rows)
        .zip(levels)
        .map(|((number, n_rows), level)| {
            let n_rows = usize::try_from(n_rows)
                .map_err(|_| DecodeError::Inconsistent { field: "block_rows" })?;
            Ok(Block { number, level, n_rows })
        })
        .collect()
}

fn ints(plain: &Plain, field: &'static str) -> Result<Vec<i64>, DecodeError> {
    plain
        .get(field)
        .and_then(Plain::as_list)
        .and_then(|items| items.iter().map(Plain::as_int).collect())
        .ok_or(DecodeError::Missing { field })
}

fn positive(plain: &Plain, field: &'static str) -> Result<f64, DecodeError> {
    let value = float(plain, field)?;
    ensure(0.0 < value, field)?;
    Ok(value)
}
