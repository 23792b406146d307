//! Rows by a JSONPath query (RFC 9535).

use std::{borrow::Cow, collections::BTreeMap};

use serde_json::{Map, Number, Value, value::RawValue};
use serde_json_path::JsonPath;

/// As deep as any answer is; the reader of one level looks no deeper by itself.
const MAX_DEPTH: usize = 100;

/// What a query finds, as JSON: the one thing, or a list of all; `None` when what it looks into is
/// not there. A list that is there and empty has no rows.
pub(super) fn find(json: &str, query: &str) -> Result<Option<String>, String> {
    let path = JsonPath::parse(query).map_err(|error| error.to_string())?;
    let top: &RawValue = serde_json::from_str(json).map_err(|error| error.to_string())?;
    let top = value(top, MAX_DEPTH)?;
    let found = path.query(&top).all();
    let text = match found.as_slice() {
        [] => return Ok(is_there(&top, query)?.then(|| "[]".to_owned())),
        [only] => serde_json::to_string(only),
        several => serde_json::to_string(several),
    };
    text.map(Some).map_err(|error| error.to_string())
}

/// Whether what a query that finds nothing looks into is there.
fn is_there(top: &Value, query: &str) -> Result<bool, String> {
    let query = query.trim_end();
    let Some(list) = query.strip_suffix("[*]").or_else(|| query.strip_suffix(".*")) else {
        // A filter may well find nothing; a plain name may not.
        return Ok(query.contains(['?', '*', ':']) || query.contains(".."));
    };
    let path = JsonPath::parse(list).map_err(|error| error.to_string())?;
    Ok(!path.query(top).is_empty())
}

/// A value whose numbers are the nearest there are; `1e999`, which is none, is left as its text for
/// the row it stands in.
fn value(json: &RawValue, depth: usize) -> Result<Value, String> {
    let wrong = |error: serde_json::Error| error.to_string();
    let below = || depth.checked_sub(1).ok_or_else(|| format!("more than {MAX_DEPTH} levels"));
    let text = json.get();
    Ok(match text.as_bytes().first() {
        Some(b'{') => {
            let depth = below()?;
            let object: BTreeMap<Cow<'_, str>, &RawValue> =
                serde_json::from_str(text).map_err(wrong)?;
            let pairs = object.into_iter();
            let pairs = pairs.map(|(key, json)| Ok((key.into_owned(), value(json, depth)?)));
            Value::Object(pairs.collect::<Result<Map<String, Value>, String>>()?)
        }
        Some(b'[') => {
            let depth = below()?;
            let list: Vec<&RawValue> = serde_json::from_str(text).map_err(wrong)?;
            Value::Array(list.into_iter().map(|json| value(json, depth)).collect::<Result<_, _>>()?)
        }
        Some(b'-' | b'0'..=b'9') => number(text),
        _ => serde_json::from_str(text).map_err(wrong)?,
    })
}

fn number(text: &str) -> Value {
    let whole = text.parse::<i64>().map(Number::from).ok();
    let large = || text.parse::<u64>().map(Number::from).ok();
    let float = || text.parse().ok().and_then(Number::from_f64);
    match whole.or_else(large).or_else(float) {
        Some(number) => Value::Number(number),
        None => Value::String(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_finds_rows_and_tells_no_rows_from_nothing_there() {
        let json = r#"{"data":[{"v":1,"x":0.1},{"v":1e999}],"none":[],"hourly":{"t":[1],"v":[9007199254740993]}}"#;
        let all = r#"[{"v":1,"x":0.1},{"v":"1e999"}]"#;
        for (query, expected) in [
            ("$.data[*]", Some(all)),
            ("$.data", Some(all)),
            ("$['data'][?@.x]", Some(r#"{"v":1,"x":0.1}"#)),
            ("$.data[?@.v == 5]", Some("[]")),
            ("$.none[*]", Some("[]")),
            ("$.none", Some("[]")),
            ("$.hourly", Some(r#"{"t":[1],"v":[9007199254740993]}"#)),
            ("$..t", Some("[1]")),
            ("$.gone[*]", None),
            ("$.gone", None),
            ("$.data[7]", None),
        ] {
            assert_eq!(find(json, query).unwrap().as_deref(), expected, "{query}");
        }
    }

    #[test]
    fn what_is_no_json_or_too_deep_is_an_error() {
        assert!(find("{", "$.a").unwrap_err().starts_with("EOF while parsing"));
        let deep = "[".repeat(200_000) + &"]".repeat(200_000);
        assert_eq!(find(&deep, "$.a").unwrap_err(), "more than 100 levels");
    }
}
