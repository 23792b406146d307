//! A value as text for people, and as JSON that describes it.

use image::DynamicImage;
use polars::prelude::DataFrame;
use serde_json::{Value as Json, json};

use crate::{
    domain::Plain,
    io::codec::{Array, Arrays, Value},
};

/// The longest text of a value, in characters.
const LONGEST: usize = 20_000;

/// What a value is: its kind, and its shape or columns.
pub(super) fn described(value: &Value) -> Json {
    let mut described = match value {
        Value::Frame(frame) => json!({ "rows": frame.height(), "columns": columns(frame) }),
        Value::Json(value) => json!({ "value": value }),
        Value::Records(records) => json!({ "rows": records.len(), "value": records }),
        Value::Text(text) => json!({ "characters": text.chars().count(), "value": text }),
        Value::Array(array) => json!({ "dtype": array.dtype().name(), "shape": array.shape() }),
        Value::Arrays(arrays) => json!({ "arrays": shapes(arrays) }),
        Value::Tensors(tensors) => {
            json!({ "arrays": shapes(&tensors.tensors), "notes": tensors.notes })
        }
        Value::Sparse(matrix) => {
            json!({ "shape": [matrix.rows(), matrix.cols()], "items": matrix.nnz() })
        }
        Value::Image(image) => json!({
            "width": image.width(), "height": image.height(), "color": format!("{:?}", image.color()),
        }),
        Value::Model(tree) => json!({ "value": plain(tree) }),
        Value::Bytes(bytes) => json!({ "bytes": bytes.len() }),
        Value::Lazy(_) | Value::Other(_) => json!({}),
    };
    described["kind"] = value.kind().into();
    described
}

/// The beginning of a value, for people.
pub(super) fn text(value: &Value, n_rows: usize) -> String {
    let text = match value {
        Value::Frame(frame) => frame_text(frame, n_rows),
        Value::Json(value) => pretty(value),
        Value::Records(records) => {
            let first: Vec<_> = records.iter().take(n_rows).map(|r| json!(r).to_string()).collect();
            format!("{} records\n{}", records.len(), first.join("\n"))
        }
        Value::Text(text) => text.lines().take(n_rows).collect::<Vec<_>>().join("\n"),
        Value::Array(array) => format!("{}\n{}", shape(array), array.preview()),
        Value::Arrays(arrays) => named(arrays),
        Value::Tensors(tensors) => named(&tensors.tensors),
        Value::Sparse(matrix) => {
            let first: Vec<_> = matrix
                .iter()
                .take(n_rows)
                .map(|(item, (row, column))| format!("({row}, {column})  {item}"))
                .collect();
            let (rows, columns, n) = (matrix.rows(), matrix.cols(), matrix.nnz());
            format!("sparse matrix of {n} items in [{rows}, {columns}]\n{}", first.join("\n"))
        }
        Value::Image(image) => image_text(image),
        Value::Model(tree) => pretty(&plain(tree)),
        Value::Bytes(bytes) => format!("{} bytes\n{}", bytes.len(), hex(bytes, n_rows)),
        Value::Lazy(_) | Value::Other(_) => value.kind().to_owned(),
    };
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}\n… and more", visible(&text[..at])),
        None => visible(&text),
    }
}

/// A value as one of the kind that an extension asks for, where it is the same in other clothes.
pub(super) fn fitted(value: Value, extension: Option<&str>) -> Value {
    match (value, extension) {
        (Value::Json(Json::Array(items)), Some("jsonl")) if items.iter().all(Json::is_object) => {
            let records = items.into_iter().filter_map(|item| match item {
                Json::Object(record) => Some(record),
                _ => None,
            });
            Value::Records(records.collect())
        }
        (Value::Tensors(tensors), Some("npz")) => Value::Arrays(tensors.tensors),
        (Value::Array(array), Some("npz" | "safetensors")) => {
            Value::Arrays(Arrays::from([("arr_0".to_owned(), array)]))
        }
        (Value::Image(image), Some("jpg" | "jpeg")) => Value::Image(image.to_rgb8().into()),
        (value, _) => value,
    }
}

fn columns(frame: &DataFrame) -> Json {
    let columns = frame.columns().iter();
    columns.map(|c| json!({ "name": c.name().as_str(), "type": c.dtype().to_string() })).collect()
}

fn frame_text(frame: &DataFrame, n_rows: usize) -> String {
    let columns = frame.columns().iter().map(|c| format!("{} ({})", c.name(), c.dtype()));
    let columns = columns.collect::<Vec<_>>().join(", ");
    let head = frame.head(Some(n_rows));
    format!("{} rows of {columns}\n{head}", frame.height())
}

fn shape(array: &Array) -> String {
    format!("array of {} {:?}", array.dtype(), array.shape())
}

fn shapes(arrays: &Arrays) -> Json {
    let shapes = arrays.iter().map(|(name, array)| {
        (name.clone(), json!({ "dtype": array.dtype().name(), "shape": array.shape() }))
    });
    Json::Object(shapes.collect())
}

fn named(arrays: &Arrays) -> String {
    let lines = arrays.iter().map(|(name, array)| format!("{name}: {}", shape(array)));
    lines.collect::<Vec<_>>().join("\n")
}

fn image_text(image: &DynamicImage) -> String {
    format!("image of {} × {} pixels, {:?}", image.width(), image.height(), image.color())
}

/// A model's tree as JSON; bytes as how many there are.
fn plain(tree: &Plain) -> Json {
    match tree {
        Plain::None => Json::Null,
        Plain::Bool(value) => json!(value),
        Plain::Int(value) => json!(value),
        Plain::Float(value) if value.is_finite() => json!(value),
        Plain::Float(value) => json!(value.to_string()),
        Plain::Text(text) => json!(text),
        Plain::Bytes(bytes) => json!(format!("{} bytes", bytes.len())),
        Plain::List(items) => items.iter().map(plain).collect(),
        Plain::Dict(entries) => {
            Json::Object(entries.iter().map(|(key, value)| (key.clone(), plain(value))).collect())
        }
    }
}

fn pretty(value: &Json) -> String {
    serde_json::to_string_pretty(value).unwrap_or_else(|error| error.to_string())
}

fn hex(bytes: &[u8], n_rows: usize) -> String {
    let lines = bytes.chunks(16).take(n_rows).enumerate().map(|(at, line)| {
        let digits: String = line.iter().map(|byte| format!("{byte:02x} ")).collect();
        format!("{:08x}  {}", at * 16, digits.trim_end())
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Without control characters that could move the cursor.
fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_control() && c != '\n' && c != '\t' {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    shown
}
