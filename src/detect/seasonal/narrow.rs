//! The seasonal model in fewer bytes, as part of the default detector: patterns as short whole
//! numbers times a power of two, everything else in single precision. A model is rounded to this
//! before it is used, so that what is written down is exactly what has scored.

use chrono_tz::Tz;

use super::baseline::{Baseline, Block, N_LEVEL};
use super::calendar::Calendar;
use super::plain::{
    MAX_SLOTS, cycle_from_plain, evidence_from_plain, evidence_to_plain, holidays_from_plain,
    rarer_fields,
};
use super::profile::{Profile, Shape};
use super::views::{N_VIEWS, Windows};
use super::{Law, Seasonal, Seasons};
use crate::detect::artifact::{DecodeError, ensure, float, int, text};
use crate::detect::params::SeasonalParams;
use crate::domain::Plain;

/// Sizes are kept between these, far inside what single precision holds.
const LEAST: f64 = 1e-30;
const MOST: f64 = 1e30;

impl Seasonal {
    /// The model, rounded to what [`Self::to_narrow`] writes.
    pub(in crate::detect) fn narrowed(mut self) -> Self {
        let Law::Seasons(seasons) = &mut self.law else { return self };
        let Seasons { baseline, scale, windows, lines, run_line, .. } = &mut **seasons;
        for pattern in [&mut baseline.profile.daily, &mut baseline.profile.weekly] {
            let exponent = exponent_of(pattern);
            let step = 2_f64.powi(exponent);
            pattern.iter_mut().for_each(|value| *value = f64::from(short(*value, step)) * step);
        }
        let levels = baseline.carried.iter_mut().map(|block| &mut block.level);
        levels.for_each(|level| *level = f64::from(single(*level)));
        baseline.level = f64::from(single(baseline.level));
        let Windows { short, long, activity } = windows;
        let sizes = [short, long, activity, run_line];
        for size in sizes.into_iter().chain(scale).chain(lines) {
            *size = f64::from(single(size.max(LEAST)));
        }
        self
    }

    /// A narrowed model as plain values.
    pub(in crate::detect) fn to_narrow(&self) -> Plain {
        match &self.law {
            Law::Constant(value) => Plain::Dict(vec![("constant".into(), Plain::Float(*value))]),
            Law::Seasons(seasons) => seasons_to_narrow(seasons),
        }
    }

    /// The model back from [`Self::to_narrow`]; `cadence` is the usual seconds between rows.
    pub(in crate::detect) fn from_narrow(plain: &Plain, cadence: f64) -> Result<Self, DecodeError> {
        let law = match plain.get("constant") {
            Some(_) => Law::Constant(float(plain, "constant")?),
            None => Law::Seasons(Box::new(seasons_from_narrow(plain, cadence)?)),
        };
        Ok(Self { params: SeasonalParams::DEFAULT, law })
    }
}

fn single(value: f64) -> f32 {
    value.clamp(-MOST, MOST) as f32
}

/// The power of two that turns the largest number into one of fifteen bits.
fn exponent_of(values: &[f64]) -> i32 {
    let largest = values.iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
    if largest < LEAST {
        return 0;
    }
    // The largest number is in [0.5, 1) times 2 to the power of `exponent`.
    let exponent = ((largest.to_bits() >> 52) & 0x7ff) as i32 - 1022;
    exponent - 15
}

fn short(value: f64, step: f64) -> i16 {
    let most = f64::from(i16::MAX);
    (value / step).round().clamp(-most, most) as i16
}

fn pattern_to_plain(values: &[f64]) -> (Plain, Plain) {
    let exponent = exponent_of(values);
    let step = 2_f64.powi(exponent);
    let shorts: Vec<i16> = values.iter().map(|value| short(*value, step)).collect();
    (Plain::from_i16s(&shorts).bare(), Plain::Int(exponent.into()))
}

fn pattern_from_plain(
    plain: &Plain,
    field: &'static str,
    exponent: &'static str,
) -> Result<Vec<f64>, DecodeError> {
    let shorts = plain.get(field).and_then(Plain::to_i16s).ok_or(DecodeError::Missing { field })?;
    ensure(shorts.len() <= MAX_SLOTS, field)?;
    let exponent_value = int(plain, exponent)?;
    ensure((-1100..=1000).contains(&exponent_value), exponent)?;
    let step = 2_f64.powi(exponent_value as i32);
    Ok(shorts.into_iter().map(|short| f64::from(short) * step).collect())
}

fn seasons_to_narrow(seasons: &Seasons) -> Plain {
    // The cadence is known to whoever asks.
    let Seasons { unit, cadence: _, baseline, evidence, scale, windows, lines, run_line } = seasons;
    let (daily, daily_exponent) = pattern_to_plain(&baseline.profile.daily);
    let (weekly, weekly_exponent) = pattern_to_plain(&baseline.profile.weekly);
    let carried = &baseline.carried;
    let first = carried.first().map_or(0, |block| block.number);
    let levels = carried.iter().map(|block| block.level);
    let sizes = [windows.short, windows.long, windows.activity, *run_line, baseline.level];
    let numbers: Vec<f32> =
        sizes.into_iter().chain(*lines).chain(levels).chain(scale.clone()).map(single).collect();
    let blocks = carried
        .iter()
        .flat_map(|block| [block.number - first, block.n_rows as i64].map(Plain::Int));
    let mut fields = vec![
        ("unit".into(), Plain::Float(*unit)),
        ("timezone".into(), Plain::Text(baseline.calendar.zone.name().into())),
        ("shape".into(), Plain::Text(baseline.shape.as_str().into())),
        ("daily".into(), daily),
        ("daily_exponent".into(), daily_exponent),
        ("weekly".into(), weekly),
        ("weekly_exponent".into(), weekly_exponent),
        ("block_seconds".into(), Plain::Int(baseline.block)),
        ("first_block".into(), Plain::Int(first)),
        ("blocks".into(), Plain::List(blocks.collect())),
        ("numbers".into(), Plain::from_f32s(&numbers).bare()),
    ];
    fields.extend(rarer_fields(baseline));
    let evidence = evidence.map(evidence_to_plain);
    fields.extend(evidence.map(|(key, shares)| (key, shares.bare())));
    Plain::Dict(fields)
}

fn seasons_from_narrow(plain: &Plain, cadence: f64) -> Result<Seasons, DecodeError> {
    let shape = Shape::parse(text(plain, "shape")?);
    let shape = shape.ok_or(DecodeError::Inconsistent { field: "shape" })?;
    let zone: Tz = text(plain, "timezone")?
        .parse()
        .map_err(|_| DecodeError::Inconsistent { field: "timezone" })?;
    let daily = pattern_from_plain(plain, "daily", "daily_exponent")?;
    let weekly = pattern_from_plain(plain, "weekly", "weekly_exponent")?;
    ensure(weekly.len().is_multiple_of(7), "weekly")?;
    let block = int(plain, "block_seconds")?;
    ensure(0 < block, "block_seconds")?;
    let unit = float(plain, "unit")?;
    ensure(0.0 < unit, "unit")?;
    let numbers = plain.get("numbers").and_then(Plain::to_f32s);
    let numbers = numbers.ok_or(DecodeError::Missing { field: "numbers" })?;
    ensure(numbers.iter().all(|number| number.is_finite()), "numbers")?;
    let mut numbers = numbers.into_iter().map(f64::from);
    let mut carried = blocks_from_plain(plain)?;
    let mut next = || numbers.next().ok_or(DecodeError::Inconsistent { field: "numbers" });
    let windows = Windows { short: next()?, long: next()?, activity: next()? };
    let (run_line, level) = (next()?, next()?);
    let mut lines = [0.0; N_VIEWS];
    for line in &mut lines {
        *line = next()?;
    }
    for block in &mut carried {
        block.level = next()?;
    }
    let scale: Vec<f64> = numbers.collect();
    ensure(!scale.is_empty() && scale.len() <= MAX_SLOTS, "numbers")?;
    let sizes = [windows.short, windows.long, windows.activity, run_line];
    let is_sound = sizes.iter().chain(&lines).chain(&scale).all(|size| 0.0 < *size);
    ensure(is_sound && (shape == Shape::Additive || 0.0 < level), "numbers")?;
    let profile = Profile { cycle: cycle_from_plain(plain)?, daily, weekly };
    let calendar = Calendar { zone, holidays: holidays_from_plain(plain)? };
    let baseline = Baseline { calendar, shape, profile, block, level, carried };
    let evidence = evidence_from_plain(plain)?;
    Ok(Seasons { unit, cadence, baseline, evidence, scale, windows, lines, run_line })
}

/// The blocks without their levels.
fn blocks_from_plain(plain: &Plain) -> Result<Vec<Block>, DecodeError> {
    let torn = DecodeError::Inconsistent { field: "blocks" };
    let items = plain.get("blocks").and_then(Plain::as_list);
    let items = items.ok_or(DecodeError::Missing { field: "blocks" })?;
    let numbers: Option<Vec<i64>> = items.iter().map(Plain::as_int).collect();
    let numbers = numbers.ok_or_else(|| torn.clone())?;
    let (pairs, rest) = numbers.as_chunks::<2>();
    ensure(rest.is_empty() && !pairs.is_empty() && pairs.len() <= N_LEVEL, "blocks")?;
    ensure(pairs.is_sorted_by_key(|[offset, _]| *offset), "blocks")?;
    let first = int(plain, "first_block")?;
    let block = |[offset, n_rows]: &[i64; 2]| {
        let number = first.checked_add(*offset)?;
        Some(Block { number, level: 0.0, n_rows: usize::try_from(*n_rows).ok()? })
    };
    pairs.iter().map(block).collect::<Option<Vec<Block>>>().ok_or(torn)
}
