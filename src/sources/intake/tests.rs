//! Intake against the corpora of bad rows.

use polars::prelude::{Column, DataFrame, DataType, IntoColumn, NamedFrom, Series, TimeUnit};
use proptest::prelude::*;

use super::*;

const HOUR: i64 = 3_600;
/// 2026-01-01T00:00:00Z.
const START: i64 = 1_767_225_600;

fn rules() -> IntakeRules {
    let now = Timestamp::from_secs(START + 48 * HOUR + 60).unwrap();
    IntakeRules {
        now,
        newest: now + MAX_AHEAD,
        timezone: Tz::UTC,
        drop_incomplete_bucket: None,
        naming: Naming::default(),
    }
}

fn frame(columns: Vec<Column>) -> DataFrame {
    let height = columns.first().map_or(0, Column::len);
    DataFrame::new(height, columns).unwrap()
}

fn column<T, P: ?Sized>(name: &str, values: T) -> Column
where
    Series: NamedFrom<T, P>,
{
    Series::new(name.into(), values).into_column()
}

fn long(rows: &[(&str, &str, &str)]) -> DataFrame {
    frame(vec![
        column("timestamp", rows.iter().map(|row| row.0).collect::<Vec<_>>()),
        column("name", rows.iter().map(|row| row.1).collect::<Vec<_>>()),
        column("value", rows.iter().map(|row| row.2).collect::<Vec<_>>()),
    ])
}

fn rejected(intake: &Taken) -> Vec<(&'static str, u64)> {
    intake.report.rejected.iter().map(|(reason, n)| (reason.as_str(), *n)).collect()
}

fn values(intake: &Taken) -> Vec<f64> {
    intake.points.iter().map(|point| point.value).collect()
}

#[test]
fn a_long_frame_becomes_sorted_points() {
    let frame = long(&[
        ("2026-01-01T01:00:00Z", "b", "2"),
        ("2026-01-01T00:00:00Z", "b", "1"),
        ("2026-01-01T00:00:00Z", "a", "3"),
    ]);
    let intake = intake(&frame, &rules()).unwrap();
    let shown: Vec<String> =
        intake.points.iter().map(|p| format!("{} {} {}", p.metric, p.at, p.value)).collect();
    assert_eq!(
        shown,
        ["a 2026-01-01T00:00:00Z 3", "b 2026-01-01T00:00:00Z 1", "b 2026-01-01T01:00:00Z 2"]
    );
    assert_eq!((intake.report.rows_read, intake.report.n_metrics), (3, 2));
    assert_eq!(intake.report.newest, Timestamp::from_secs(START + HOUR));
    assert_eq!(intake.report.rows_stored, 0);
}

#[test]
fn a_wide_frame_gives_a_metric_a_column_and_names_what_it_ignores() {
    let frame = frame(vec![
        column("Date", ["2026-01-01", "2026-01-02"]),
        column("orders", [1_i64, 2]),
        column("revenue", [Some(1.5), None]),
        column("text_number", ["7", "oops"]),
        column("region", ["north", "south"]),
    ]);
    let intake = intake(&frame, &rules()).unwrap();
    assert_eq!(values(&intake), [1.0, 2.0, 1.5, 7.0]);
    assert_eq!(intake.report.rows_read, 6);
    assert_eq!(intake.report.ignored_columns, ["region"]);
    assert_eq!(rejected(&intake), [("not_a_number", 1), ("not_numeric", 1)]);
}

#[track_caller]
fn check_number(text: &str, expected: Result<f64, &'static str>) {
    let intake = intake(&long(&[("2026-01-01", "m", text)]), &rules()).unwrap();
    match expected {
        Ok(value) => {
            let bits: Vec<u64> = values(&intake).iter().map(|v| v.to_bits()).collect();
            assert_eq!(bits, [value.to_bits()], "{text}");
        }
        Err(reason) => assert_eq!(rejected(&intake), [(reason, 1)], "{text}"),
    }
}

#[test]
fn the_edges_of_numbers_are_kept_or_rejected_by_reason() {
    check_number("5e-324", Ok(5e-324));
    check_number("-0.0", Ok(0.0));
    check_number(" 1.5 ", Ok(1.5));
    check_number("+7", Ok(7.0));
    check_number("1e308", Ok(1e308));
    check_number("0.12345678901234567", Ok(0.123_456_789_012_345_67));
    check_number("9007199254740993", Ok(9_007_199_254_740_992.0));
    for infinite in ["inf", "-inf", "Infinity", "1e999", "-1e999"] {
        check_number(infinite, Err("infinite"));
    }
    for missing in ["", "  ", "NaN", "nan", "-nan"] {
        check_number(missing, Err("not_a_number"));
    }
    for no_number in ["abc", "1,5", "0x10", "1_000", "12 apples", "{{7*7}}", "=cmd()"] {
        check_number(no_number, Err("not_numeric"));
    }
}

#[test]
fn typed_numbers_have_the_same_edges_as_texts() {
    let times = vec![START; 5];
    let floats = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 5e-324];
    let names = ["a", "b", "c", "d", "e"];
    let floats =
        frame(vec![column("ts", times.clone()), column("metric", names), column("value", floats)]);
    let kept = intake(&floats, &rules()).unwrap();
    assert_eq!(rejected(&kept), [("not_a_number", 1), ("infinite", 2)]);
    assert_eq!(values(&kept)[0].to_bits(), 0.0_f64.to_bits());
    assert_eq!(values(&kept)[1].to_bits(), 1);
    let ints = [Some(i64::MAX), Some(i64::MIN), None, Some(0), Some(9_007_199_254_740_993)];
    let ints = frame(vec![column("ts", times), column("metric", names), column("value", ints)]);
    let kept = intake(&ints, &rules()).unwrap();
    assert_eq!(
        values(&kept),
        [9_223_372_036_854_775_807.0, -9_223_372_036_854_775_808.0, 0.0, 9_007_199_254_740_992.0]
    );
    assert_eq!(rejected(&kept), [("not_a_number", 1)]);
}

#[test]
fn names_are_data_and_only_unusable_ones_are_rejected() {
    let longest = "x".repeat(1_024);
    let too_long = "x".repeat(1_025);
    let good = [
        "../../x",
        "a\nb",
        "🚀",
        "A",
        "a",
        "%2e%2e",
        "'; DROP TABLE x",
        "{{7*7}}",
        "\u{202e}rtl",
        "é",
        "e\u{301}",
        "=cmd()",
        &longest,
    ];
    let bad = ["", "   ", "nul\0", &too_long];
    let rows: Vec<(&str, &str, &str)> =
        good.iter().chain(&bad).map(|name| ("2026-01-01", *name, "1")).collect();
    let intake = intake(&long(&rows), &rules()).unwrap();
    let mut kept: Vec<&str> = intake.points.iter().map(|p| p.metric.as_str()).collect();
    let mut expected = good.to_vec();
    kept.sort_unstable();
    expected.sort_unstable();
    assert_eq!(kept, expected);
    assert_eq!(rejected(&intake), [("bad_name", 4)]);
    assert!(intake.report.rejected_examples.iter().all(|e| !e.contains('\0') && e.len() < 300));
}

#[test]
fn times_of_every_column_type_are_read() {
    let micros = START * 1_000_000;
    let typed = |unit, values: Vec<i64>| {
        let series = Series::new("time".into(), values);
        series.cast(&DataType::Datetime(unit, None)).unwrap().into_column()
    };
    let columns = [
        column("time", vec![START]),
        column("time", vec![START as f64]),
        column("time", vec![START as u32]),
        column("time", vec![START * 1_000]),
        column("time", vec![micros * 1_000]),
        typed(TimeUnit::Milliseconds, vec![START * 1_000]),
        typed(TimeUnit::Microseconds, vec![micros]),
        typed(TimeUnit::Nanoseconds, vec![micros * 1_000]),
        typed(TimeUnit::Microseconds, vec![micros]).cast(&DataType::Date).unwrap(),
    ];
    for time in columns {
        let dtype = time.dtype().clone();
        let read = intake(&frame(vec![time, column("x", [1.0])]), &rules()).unwrap();
        assert_eq!(read.points.first().map(|p| p.at.secs()), Some(START), "{dtype}");
    }
}

#[test]
fn of_duplicates_the_last_holds_and_the_others_are_counted() {
    let at = "2026-01-01T05:00:00Z";
    let intake =
        intake(&long(&[(at, "m", "1"), ("2026-01-01", "m", "9"), (at, "m", "2")]), &rules());
    let intake = intake.unwrap();
    assert_eq!(values(&intake), [9.0, 2.0]);
    assert_eq!(rejected(&intake), [("duplicate", 1)]);
    assert_eq!(
        intake.report.rejected_examples,
        ["same metric and timestamp again: `m` at 2026-01-01T05:00:00Z"]
    );
}

#[test]
fn a_day_ahead_is_accepted_and_more_is_the_future() {
    let now = Timestamp::from_secs(START).unwrap();
    let rules = IntakeRules { now, newest: now + MAX_AHEAD, ..rules() };
    let frame = frame(vec![
        column("ts", [START, START + 24 * HOUR, START + 24 * HOUR + 1]),
        column("x", [1.0, 2.0, 3.0]),
    ]);
    let intake = intake(&frame, &rules).unwrap();
    assert_eq!(values(&intake), [1.0, 2.0]);
    assert_eq!(rejected(&intake), [("future", 1)]);
}

#[test]
fn the_bucket_that_holds_now_is_left_out_when_asked() {
    let rules = IntakeRules { drop_incomplete_bucket: Some(Span::hours(1)), ..rules() };
    let frame = frame(vec![
        column("ts", [START + 48 * HOUR - 1, START + 48 * HOUR, START + 49 * HOUR]),
        column("x", [1.0, 2.0, 3.0]),
    ]);
    let intake = intake(&frame, &rules).unwrap();
    assert_eq!(values(&intake), [1.0]);
    assert_eq!(rejected(&intake), [("incomplete", 2)]);
}

#[test]
fn excluded_metrics_are_counted_and_a_bad_glob_is_an_error() {
    let with = |glob: &str| IntakeRules { naming: excluding(glob), ..rules() };
    let frame = long(&[("2026-01-01", "test_a", "1"), ("2026-01-01", "b", "2")]);
    let kept = intake(&frame, &with("test_*")).unwrap();
    assert_eq!((values(&kept), rejected(&kept)), (vec![2.0], vec![("excluded", 1)]));
    assert!(matches!(intake(&frame, &with("[")), Err(SourceError::Glob { .. })));
}

#[test]
fn a_lost_column_is_an_error_that_names_what_came() {
    let no_time = intake(&frame(vec![column("x", [1.0])]), &rules()).unwrap_err();
    assert_eq!(
        no_time.to_string(),
        "find the timestamp column: expected timestamp, metric_timestamp, time, ts, date or \
         datetime; found x"
    );
    let no_value = frame(vec![column("ts", [START]), column("name", ["a"]), column("v", [1.0])]);
    assert!(matches!(
        intake(&no_value, &rules()),
        Err(SourceError::MissingColumn { role: "value", .. })
    ));
    let no_metric = frame(vec![column("ts", [START]), column("region", ["north"])]);
    assert!(matches!(
        intake(&no_metric, &rules()),
        Err(SourceError::MissingColumn { role: "value", .. })
    ));
    let no_number = frame(vec![
        column("ts", [START]),
        column("name", ["a"]),
        column("value", ["x"]).cast(&DataType::Binary).unwrap(),
    ]);
    assert!(matches!(intake(&no_number, &rules()), Err(SourceError::ColumnType { .. })));
}

#[test]
fn no_rows_are_no_error_while_the_columns_are_there() {
    let empty = long(&[]);
    assert_eq!(intake(&empty, &rules()).unwrap().report.rows_read, 0);
    assert_eq!(intake(&DataFrame::empty(), &rules()).unwrap().points, []);
    let lost = empty.drop("value").unwrap();
    assert!(matches!(intake(&lost, &rules()), Err(SourceError::MissingColumn { .. })));
}

#[test]
fn examples_stay_few_and_cover_every_reason() {
    let bad = ["", "inf", "abc"];
    let rows: Vec<(&str, &str, &str)> =
        (0..300).map(|i| ("2026-01-01", "m", bad[i / 100])).collect();
    let report = intake(&long(&rows), &rules()).unwrap().report;
    assert_eq!(report.rejected_examples.len(), 9);
    assert_eq!(report.rejected_examples[3], "infinite value: row 101, `m` at `2026-01-01`: `inf`");
    assert_eq!(report.rejected.values().sum::<u64>(), 300);
}

proptest! {
    #[test]
    fn the_order_of_rows_does_not_matter(
        cells in prop::collection::btree_map((0_i64..40, 0_usize..5), 0_usize..6, 1..60),
        seed in any::<u64>(),
    ) {
        let texts = ["1", "2.5", "nan", "inf", "x", "-3"];
        let names = ["a", "b", "", "c", "test"];
        let times: Vec<String> = (0..40).map(|i| (START + i * 2 * HOUR).to_string()).collect();
        let mut rows: Vec<(&str, &str, &str)> = cells
            .iter()
            .map(|((at, name), text)| (times[*at as usize].as_str(), names[*name], texts[*text]))
            .collect();
        let rules = IntakeRules { naming: excluding("test"), ..rules() };
        let sorted = intake(&long(&rows), &rules).unwrap();
        let mut state = seed;
        for i in (1..rows.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            rows.swap(i, (state >> 33) as usize % (i + 1));
        }
        let shuffled = intake(&long(&rows), &rules).unwrap();
        prop_assert_eq!(&shuffled.points, &sorted.points);
        prop_assert_eq!(&shuffled.report.rejected, &sorted.report.rejected);
        prop_assert_eq!(shuffled.report.newest, sorted.report.newest);
        let n_left_out: u64 = sorted.report.rejected.values().sum();
        prop_assert_eq!(n_left_out + sorted.points.len() as u64, sorted.report.rows_read);
    }
}

fn excluding(glob: &str) -> Naming {
    Naming { exclude: vec![glob.into()], ..Naming::default() }
}

#[test]
fn columns_and_metrics_get_our_names_before_any_is_left_out() {
    let texts = |of: &[(&str, &str)]| {
        of.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect::<BTreeMap<_, _>>()
    };
    let naming = Naming {
        columns: texts(&[("timestamp", "day"), ("value", "amount")]),
        rename: texts(&[("amount_a", "a"), ("amount_b", "internal.b")]),
        exclude: vec!["internal.*".into()],
    };
    let rules = IntakeRules { naming, ..rules() };
    let long = frame(vec![
        column("day", vec!["2026-01-01", "2026-01-01", "2026-01-01"]),
        column("metric", vec!["amount_a", "amount_b", "c"]),
        column("amount", vec![1.0, 2.0, 3.0]),
    ]);
    let taken = intake(&long, &rules).unwrap();
    let names: Vec<&str> = taken.points.iter().map(|point| point.metric.as_str()).collect();
    assert_eq!((names, rejected(&taken)), (vec!["a", "c"], vec![("excluded", 1)]));

    let error = intake(&frame(vec![column("ts", vec!["2026-01-01"])]), &rules).unwrap_err();
    assert_eq!(error.to_string(), "find the column `day`, to be `timestamp`: found ts");
}
