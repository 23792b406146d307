//! Arrow record batches as frames, column by column. Numbers keep their value, times their unit and
//! instant; what is neither number, time nor text (lists, bytes) becomes its type's name, which no
//! reader takes for a value.

use arrow_array::{
    Array, ArrowPrimitiveType, RecordBatch,
    cast::AsArray,
    types::{
        Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type,
        DecimalType, DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType,
        DurationSecondType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
        Int64Type, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
        TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
    },
};
use arrow_schema::{DataType as Arrow, TimeUnit as ArrowUnit};
use polars::prelude::{
    Column, DataFrame, DataType, IdxCa, IntoColumn, NamedFrom, PlSmallStr, PolarsResult, Series,
    TimeUnit, TimeZone,
};

/// A record batch as a frame. A repeated column name gets a number, so that none hides another.
pub(super) fn frame(batch: &RecordBatch) -> PolarsResult<DataFrame> {
    let mut columns: Vec<Column> = Vec::with_capacity(batch.num_columns());
    for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        let mut name = PlSmallStr::from_str(field.name());
        let mut n_before = 0;
        while columns.iter().any(|column| *column.name() == name) {
            n_before += 1;
            name = format!("{}_{n_before}", field.name()).into();
        }
        columns.push(series(array.as_ref())?.with_name(name).into_column());
    }
    DataFrame::new(batch.num_rows(), columns)
}

fn series(array: &dyn Array) -> PolarsResult<Series> {
    Ok(match array.data_type() {
        Arrow::Null => Series::new_null(PlSmallStr::EMPTY, array.len()),
        Arrow::Boolean => named(array.as_boolean().iter().collect::<Vec<_>>()),
        Arrow::Int8 => whole::<Int8Type>(array),
        Arrow::Int16 => whole::<Int16Type>(array),
        Arrow::Int32 => whole::<Int32Type>(array),
        Arrow::Int64 => whole::<Int64Type>(array),
        Arrow::UInt8 => whole::<UInt8Type>(array),
        Arrow::UInt16 => whole::<UInt16Type>(array),
        Arrow::UInt32 => whole::<UInt32Type>(array),
        Arrow::UInt64 => named(cells::<UInt64Type, _>(array, Some)),
        Arrow::Float16 => named(cells::<Float16Type, _>(array, |value| Some(value.to_f64()))),
        Arrow::Float32 => float::<Float32Type>(array),
        Arrow::Float64 => float::<Float64Type>(array),
        Arrow::Decimal32(_, scale) => decimal::<Decimal32Type>(array, *scale),
        Arrow::Decimal64(_, scale) => decimal::<Decimal64Type>(array, *scale),
        Arrow::Decimal128(_, scale) => decimal::<Decimal128Type>(array, *scale),
        Arrow::Decimal256(_, scale) => decimal::<Decimal256Type>(array, *scale),
        Arrow::Utf8 => named(array.as_string::<i32>().iter().collect::<Vec<_>>()),
        Arrow::LargeUtf8 => named(array.as_string::<i64>().iter().collect::<Vec<_>>()),
        Arrow::Utf8View => named(array.as_string_view().iter().collect::<Vec<_>>()),
        Arrow::Timestamp(unit, zone) => instants(array, *unit, zone.is_some())?,
        Arrow::Date32 => named(cells::<Date32Type, _>(array, Some)).cast(&DataType::Date)?,
        Arrow::Date64 => {
            let millis = named(cells::<Date64Type, _>(array, Some));
            millis.cast(&DataType::Datetime(TimeUnit::Milliseconds, None))?
        }
        Arrow::Duration(unit) => seconds(array, *unit),
        Arrow::Dictionary(..) => dictionary(array)?,
        other => {
            let shown = format!("<{other}>");
            let cell = |row| (!array.is_null(row)).then(|| shown.clone());
            named((0..array.len()).map(cell).collect::<Vec<_>>())
        }
    })
}

fn named<T>(cells: Vec<Option<T>>) -> Series
where
    Series: NamedFrom<Vec<Option<T>>, [Option<T>]>,
{
    Series::new(PlSmallStr::EMPTY, cells)
}

fn cells<T: ArrowPrimitiveType, V>(
    array: &dyn Array,
    read: impl Fn(T::Native) -> Option<V>,
) -> Vec<Option<V>> {
    array.as_primitive::<T>().iter().map(|cell| cell.and_then(&read)).collect()
}

fn whole<T: ArrowPrimitiveType<Native: Into<i64>>>(array: &dyn Array) -> Series {
    named(cells::<T, i64>(array, |value| Some(value.into())))
}

fn float<T: ArrowPrimitiveType<Native: Into<f64>>>(array: &dyn Array) -> Series {
    named(cells::<T, f64>(array, |value| Some(value.into())))
}

/// By way of its text, which gives the nearest float.
fn decimal<T: DecimalType + ArrowPrimitiveType>(array: &dyn Array, scale: i8) -> Series {
    // The number of digits matters only for how many are allowed, which the driver has seen to.
    let text = |value| T::format_decimal(value, T::MAX_PRECISION, scale);
    named(cells::<T, f64>(array, |value| text(value).parse().ok()))
}

/// With a zone these are instants, whichever zone it is; without, civil times.
fn instants(array: &dyn Array, unit: ArrowUnit, is_zoned: bool) -> PolarsResult<Series> {
    let (counts, unit) = match unit {
        ArrowUnit::Second => {
            let millis = |seconds: i64| seconds.checked_mul(1_000);
            (cells::<TimestampSecondType, _>(array, millis), TimeUnit::Milliseconds)
        }
        ArrowUnit::Millisecond => {
            (cells::<TimestampMillisecondType, _>(array, Some), TimeUnit::Milliseconds)
        }
        ArrowUnit::Microsecond => {
            (cells::<TimestampMicrosecondType, _>(array, Some), TimeUnit::Microseconds)
        }
        ArrowUnit::Nanosecond => {
            (cells::<TimestampNanosecondType, _>(array, Some), TimeUnit::Nanoseconds)
        }
    };
    let zone = is_zoned.then_some(TimeZone::UTC);
    named(counts).cast(&DataType::Datetime(unit, zone))
}

/// A length of time as a number of seconds, which is what a metric of it is.
fn seconds(array: &dyn Array, unit: ArrowUnit) -> Series {
    fn of<T: ArrowPrimitiveType<Native = i64>>(array: &dyn Array, per_second: f64) -> Series {
        named(cells::<T, f64>(array, |count| Some(count as f64 / per_second)))
    }
    match unit {
        ArrowUnit::Second => of::<DurationSecondType>(array, 1.0),
        ArrowUnit::Millisecond => of::<DurationMillisecondType>(array, 1e3),
        ArrowUnit::Microsecond => of::<DurationMicrosecondType>(array, 1e6),
        ArrowUnit::Nanosecond => of::<DurationNanosecondType>(array, 1e9),
    }
}

fn dictionary(array: &dyn Array) -> PolarsResult<Series> {
    let dictionary = array.as_any_dictionary();
    let places = dictionary.normalized_keys();
    let place = |row: usize| {
        let place = u32::try_from(places[row]).ok();
        place.filter(|_| !dictionary.keys().is_null(row))
    };
    let places: IdxCa = (0..array.len()).map(place).collect();
    series(dictionary.values().as_ref())?.take(&places)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{
        ArrayRef, BinaryArray, BooleanArray, Date32Array, Date64Array, Decimal128Array,
        DictionaryArray, DurationMillisecondArray, Float32Array, Int8Array, Int32Array,
        LargeStringArray, NullArray, StringArray, StringViewArray, TimestampMicrosecondArray,
        TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray, UInt64Array,
    };
    use chrono_tz::Tz;

    use super::*;

    #[track_caller]
    fn check(array: impl Array + 'static, expected: [&str; 2], dtype: DataType) {
        let array: ArrayRef = Arc::new(array);
        let what = format!("{:?}", array.data_type());
        let batch = RecordBatch::try_from_iter_with_nullable([("x", array, true)]).unwrap();
        let frame = frame(&batch).unwrap();
        let column = frame.column("x").unwrap();
        assert_eq!(column.dtype(), &dtype, "{what}");
        let shown = [0, 1].map(|row| column.get(row).unwrap().str_value().into_owned());
        assert_eq!(shown, expected, "{what}");
    }

    #[test]
    fn every_type_keeps_its_values() {
        use DataType::{Boolean, Date, Float64, Int64, Null, String, UInt64};
        check(BooleanArray::from(vec![Some(true), None]), ["true", "null"], Boolean);
        check(Int8Array::from(vec![Some(-128), None]), ["-128", "null"], Int64);
        check(UInt64Array::from(vec![u64::MAX, 1]), ["18446744073709551615", "1"], UInt64);
        check(Float32Array::from(vec![Some(0.5), None]), ["0.5", "null"], Float64);
        let money = Decimal128Array::from(vec![Some(12_345), Some(-5)]);
        let money = money.with_precision_and_scale(10, 2).unwrap();
        check(money, ["123.45", "-0.05"], Float64);
        check(StringArray::from(vec![Some("é"), None]), ["é", "null"], String);
        check(LargeStringArray::from(vec!["a", ""]), ["a", ""], String);
        check(
            StringViewArray::from(vec!["a", "longer than twelve bytes"]),
            ["a", "longer than twelve bytes"],
            String,
        );
        let words: DictionaryArray<Int32Type> = vec![Some("a"), None].into_iter().collect();
        check(words, ["a", "null"], String);
        check(Date32Array::from(vec![20_454, 0]), ["2026-01-01", "1970-01-01"], Date);
        check(DurationMillisecondArray::from(vec![1_500, 0]), ["1.5", "0.0"], Float64);
        check(NullArray::new(2), ["null", "null"], Null);
        check(BinaryArray::from(vec![Some(&b"x"[..]), None]), ["<Binary>", "null"], String);
        check(Int32Array::from(vec![1, 2]), ["1", "2"], Int64);
    }

    #[test]
    fn times_of_every_unit_are_the_same_instant_with_a_zone_and_civil_without() {
        const SECS: i64 = 1_767_225_600;
        let arrays = |zone: Option<&str>| -> [ArrayRef; 4] {
            let zone: Option<Arc<str>> = zone.map(Into::into);
            [
                Arc::new(TimestampSecondArray::from(vec![SECS]).with_timezone_opt(zone.clone())),
                Arc::new(
                    TimestampMillisecondArray::from(vec![SECS * 1_000])
                        .with_timezone_opt(zone.clone()),
                ),
                Arc::new(
                    TimestampMicrosecondArray::from(vec![SECS * 1_000_000])
                        .with_timezone_opt(zone.clone()),
                ),
                Arc::new(
                    TimestampNanosecondArray::from(vec![SECS * 1_000_000_000])
                        .with_timezone_opt(zone),
                ),
            ]
        };
        let now = crate::domain::Timestamp::parse("2026-01-02").unwrap();
        let batch = crate::sources::tests::command("");
        let rules = crate::sources::IntakeRules {
            drop_incomplete_bucket: None,
            ..crate::sources::IntakeRules::of(&batch, now)
        };
        for (zone, expected) in [
            (None, "2025-12-31T23:00:00Z"),
            (Some("+00:00"), "2026-01-01T00:00:00Z"),
            (Some("America/New_York"), "2026-01-01T00:00:00Z"),
        ] {
            for array in arrays(zone) {
                let what = format!("{:?}", array.data_type());
                let value: ArrayRef = Arc::new(Int32Array::from(vec![1]));
                let batch = RecordBatch::try_from_iter([("ts", array), ("v", value)]).unwrap();
                let frame = frame(&batch).unwrap();
                let mut rules = rules.clone();
                rules.timezone = Tz::Europe__Paris;
                let intake = crate::sources::intake::intake(&frame, &rules).unwrap();
                let at: Vec<_> = intake.points.iter().map(|point| point.at).collect();
                assert_eq!(at, [crate::domain::Timestamp::parse(expected).unwrap()], "{what}");
            }
        }
        let civil = Date64Array::from(vec![SECS * 1_000]);
        let batch = RecordBatch::try_from_iter([("ts", Arc::new(civil) as ArrayRef)]).unwrap();
        let dtype = frame(&batch).unwrap().column("ts").unwrap().dtype().clone();
        assert_eq!(dtype, DataType::Datetime(TimeUnit::Milliseconds, None));
    }
}
