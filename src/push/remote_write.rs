//! Prometheus remote write, version 1: a `WriteRequest` of series with labels and samples. Only
//! samples are decoded into messages; the lists around them are walked in place, because an empty
//! element takes two bytes on the wire and a hundred in memory, and labels are read where they lie.

use bytes::Buf;
use polars::prelude::{Column, DataFrame, DataType, NamedFrom, Series, TimeUnit, TimeZone};
use prost::{
    Message,
    encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field},
};

use super::Refusal;
use crate::sources::SeriesNames;

/// The value by which Prometheus says that a series has ended: a NaN of these bits.
const STALE: u64 = 0x7ff0_0000_0000_0002;
/// Labels of one series.
const MAX_LABELS: usize = 256;

/// `WriteRequest.timeseries`, `TimeSeries.labels`, `Label.name`.
const FIRST: u32 = 1;
/// `TimeSeries.samples`, `Label.value`.
const SECOND: u32 = 2;

#[derive(Clone, PartialEq, Message)]
struct Sample {
    #[prost(double, tag = "1")]
    value: f64,
    /// Milliseconds since 1970.
    #[prost(int64, tag = "2")]
    timestamp: i64,
}

/// The samples of a request as rows. Marks of an ended series, exemplars, metadata and native
/// histograms, which have no one value, are passed over.
pub(super) fn read(
    bytes: &[u8],
    names: &SeriesNames<'_>,
    max_rows: usize,
) -> Result<DataFrame, Refusal> {
    let mut rows = Rows::default();
    let mut labels = Vec::new();
    each_field(bytes, &mut |tag, series| match tag {
        FIRST => {
            labels.clear();
            rows.series(series, &mut labels, names, max_rows)
        }
        _ => Ok(()),
    })?;
    rows.frame()
}

#[derive(Default)]
struct Rows {
    names: Vec<String>,
    /// For each row its name's place.
    of: Vec<u32>,
    millis: Vec<i64>,
    values: Vec<f64>,
}

impl Rows {
    fn series<'b>(
        &mut self,
        bytes: &'b [u8],
        labels: &mut Vec<(&'b str, &'b str)>,
        names: &SeriesNames<'_>,
        max_rows: usize,
    ) -> Result<(), Refusal> {
        let place = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        let n_before = self.of.len();
        each_field(bytes, &mut |tag, field| {
            match tag {
                FIRST if labels.len() == MAX_LABELS => {
                    return Err(wrong(&format!("a series has more than {MAX_LABELS} labels")));
                }
                FIRST => labels.push(label(field)?),
                SECOND => self.sample(place, field, max_rows)?,
                _ => {}
            }
            Ok(())
        })?;
        if n_before < self.of.len() {
            labels.sort_unstable();
            self.names.push(names.of(labels).map_err(|error| super::malformed(&error))?);
        }
        Ok(())
    }

    fn sample(&mut self, place: u32, field: &[u8], max_rows: usize) -> Result<(), Refusal> {
        let sample = Sample::decode(field).map_err(|error| wrong(&error))?;
        if sample.value.to_bits() == STALE {
            return Ok(());
        }
        if self.of.len() == max_rows {
            let message = format!("a request may hold {max_rows} samples; send several");
            return Err(Refusal::TooLarge(message));
        }
        self.of.push(place);
        self.millis.push(sample.timestamp);
        self.values.push(sample.value);
        Ok(())
    }

    fn frame(self) -> Result<DataFrame, Refusal> {
        let name = |place: &u32| self.names.get(*place as usize).map(String::as_str);
        let metric: Vec<Option<&str>> = self.of.iter().map(name).collect();
        let instant = DataType::Datetime(TimeUnit::Milliseconds, Some(TimeZone::UTC));
        let at = Series::new("timestamp".into(), self.millis).cast(&instant);
        let columns = vec![
            Column::new("metric".into(), metric),
            at.map_err(|error| wrong(&error))?.into(),
            Column::new("value".into(), self.values),
        ];
        DataFrame::new_infer_height(columns).map_err(|error| wrong(&error))
    }
}

fn label(bytes: &[u8]) -> Result<(&str, &str), Refusal> {
    let (mut name, mut value) = ("", "");
    each_field(bytes, &mut |tag, field| {
        let text = || std::str::from_utf8(field).map_err(|_| wrong(&"a label is not UTF-8"));
        match tag {
            FIRST => name = text()?,
            SECOND => value = text()?,
            _ => {}
        }
        Ok(())
    })?;
    Ok((name, value))
}

/// Calls `each` with the tag and the bytes of every length-delimited field of a message.
fn each_field<'b>(
    mut message: &'b [u8],
    each: &mut impl FnMut(u32, &'b [u8]) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    while message.has_remaining() {
        let (tag, wire) = decode_key(&mut message).map_err(|error| wrong(&error))?;
        if wire != WireType::LengthDelimited {
            let skipped = skip_field(wire, tag, &mut message, DecodeContext::default());
            skipped.map_err(|error| wrong(&error))?;
            continue;
        }
        let length = decode_varint(&mut message).map_err(|error| wrong(&error))?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let Some((field, rest)) = message.split_at_checked(length) else {
            return Err(wrong(&"a field is longer than the message"));
        };
        message = rest;
        each(tag, field)?;
    }
    Ok(())
}

fn wrong(error: &dyn std::fmt::Display) -> Refusal {
    Refusal::Malformed(format!("read the remote write request: {error}"))
}
