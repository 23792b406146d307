//! Tables that are small to send and large to hold.

use std::{borrow::Cow, collections::HashMap};

use serde_json::value::RawValue;

use super::{
    columns::{MAX_COLUMNS, MAX_MISSING},
    rows::{json_columns, parse},
};

fn many_names(n: usize) -> Vec<String> {
    (0..n).map(|i| format!("k{i}")).collect()
}

#[track_caller]
fn check_error(text: &str, expected: &str) {
    let error = parse(text.as_bytes(), "it", usize::MAX).unwrap_err().to_string();
    assert_eq!(error, expected);
}

#[test]
fn rows_that_leave_out_their_cells_do_not_fill_the_memory() {
    let too_many = "read the cells that rows leave out: more than 268435456 bytes";
    let names = many_names(2_000);
    let object = format!("{{\"{}\":1}}", names.join("\":1,\""));
    let n_rows = MAX_MISSING / 2_000 + 2;
    check_error(&format!("[{object}{}]", ",{}".repeat(n_rows)), too_many);
    check_error(&format!("{object}{}", "\n{}".repeat(n_rows)), too_many);
    check_error(&format!("[{}{object}]", "{},".repeat(n_rows)), too_many);
    let header = names.join(",");
    check_error(&format!("{header}{}", "\n1".repeat(n_rows + 9_000)), too_many);
}

#[test]
fn no_form_has_more_columns_than_the_limit() {
    let names = many_names(MAX_COLUMNS + 1);
    check_error(&names.join(","), "read it: line 1: more than 20000 columns");
    let lists: HashMap<Cow<'_, str>, &RawValue> = names
        .iter()
        .map(|name| (name.as_str().into(), serde_json::from_str("[1]").unwrap()))
        .collect();
    let error = json_columns(&lists, "it", 3).unwrap_err().to_string();
    assert_eq!(error, "read it: more than 20000 different keys");
}
