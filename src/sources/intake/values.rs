//! A column as numbers. NaN stands for every cell that is none; why it is none is asked only for
//! the rows that are rejected.

use polars::prelude::{Column, DataType, StringChunked};

use super::cells::convert;
use crate::{domain::RejectReason, sources::error::printable};

/// A column's cells as numbers.
pub(super) struct Values {
    /// One a row; NaN where there is no number.
    pub(super) numbers: Vec<f64>,
    texts: Option<StringChunked>,
}

impl Values {
    /// Reads a column; `None` when its type cannot hold numbers.
    pub(super) fn read(column: &Column) -> Option<Self> {
        let series = column.as_materialized_series();
        let numbers = match series.dtype() {
            DataType::Float64 => convert(series.f64().ok()?, f64::NAN, positive_zero),
            // Beyond 2^53 the nearest float is taken, as every database does.
            DataType::Int64 => convert(series.i64().ok()?, f64::NAN, |value| value as f64),
            DataType::String => {
                let texts = series.str().ok()?.rechunk().into_owned();
                let numbers = texts.iter().map(|text| text.map_or(f64::NAN, number)).collect();
                return Some(Self { numbers, texts: Some(texts) });
            }
            DataType::Null => vec![f64::NAN; series.len()],
            dtype if dtype.is_primitive_numeric() || dtype == &DataType::Boolean => {
                let floats = series.cast(&DataType::Float64).ok()?;
                convert(floats.f64().ok()?, f64::NAN, positive_zero)
            }
            _ => return None,
        };
        Some(Self { numbers, texts: None })
    }

    /// Whether a column is meant as numbers: one that is not text, or any of whose cells is one.
    /// Nothing of it tells when it has no text at all.
    pub(super) fn looks_numeric(&self) -> Option<bool> {
        let Some(texts) = &self.texts else { return Some(true) };
        if self.numbers.iter().any(|number| !number.is_nan()) {
            return Some(true);
        }
        let is_text = |text: Option<&str>| text.is_some_and(|text| !text.trim().is_empty());
        texts.iter().any(is_text).then_some(false)
    }

    /// Why the row's cell is not a finite number.
    pub(super) fn why_not(&self, row: usize) -> RejectReason {
        if self.numbers[row].is_infinite() {
            return RejectReason::Infinite;
        }
        match self.text(row).map(str::trim) {
            Some(text) if !text.is_empty() && text.parse::<f64>().is_err() => {
                RejectReason::NotNumeric
            }
            Some(_) | None => RejectReason::NotANumber,
        }
    }

    /// The row's cell in words.
    pub(super) fn shown(&self, row: usize) -> String {
        match self.text(row) {
            Some(text) => format!("`{}`", printable(text)),
            None if self.texts.is_some() => "nothing".into(),
            None => self.numbers[row].to_string(),
        }
    }

    fn text(&self, row: usize) -> Option<&str> {
        self.texts.as_ref().and_then(|texts| texts.get(row))
    }
}

fn number(text: &str) -> f64 {
    text.trim().parse().map_or(f64::NAN, positive_zero)
}

/// Makes `-0.0` into `0.0`: databases disagree on whether they keep the sign.
fn positive_zero(number: f64) -> f64 {
    number + 0.0
}
