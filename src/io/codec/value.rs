//! A value of any type that can be stored, and the types a value can be got as.

use std::{
    any::{Any, type_name},
    collections::BTreeMap,
    fmt,
};

use bytes::Bytes;
use image::DynamicImage;
use ndarray::Dimension;
use polars::prelude::{DataFrame, IntoLazy, LazyFrame};
use serde_json::Value as Json;
use sprs::CsMat;

use super::array::{Array, Element};
use crate::domain::Plain;

/// One record of a list: text keys, JSON values.
pub type Record = serde_json::Map<String, Json>;

/// Named arrays: what an `.npz` file holds.
pub type Arrays = BTreeMap<String, Array>;

/// Named tensors and what is noted about them: what a `.safetensors` file holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tensors {
    /// By name.
    pub tensors: Arrays,
    /// Text under text keys.
    pub notes: BTreeMap<String, String>,
}

/// A value of any type that can be stored.
pub enum Value {
    /// A frame.
    Frame(DataFrame),
    /// A frame that is computed when it is written.
    Lazy(Box<LazyFrame>),
    /// A JSON value.
    Json(Json),
    /// A list of records.
    Records(Vec<Record>),
    /// Text.
    Text(String),
    /// A dense array.
    Array(Array),
    /// Several dense arrays by name.
    Arrays(Arrays),
    /// A sparse matrix, by rows or by columns.
    Sparse(CsMat<f64>),
    /// Tensors by name.
    Tensors(Tensors),
    /// An image.
    Image(DynamicImage),
    /// A trained model as plain data.
    Model(Plain),
    /// Bytes as they are.
    Bytes(Bytes),
    /// A type that a codec of the user's knows.
    Other(Other),
}

/// A value of a type that is not known here.
pub struct Other {
    type_name: &'static str,
    value: Box<dyn Any + Send + Sync>,
}

impl Other {
    /// The value, if it is of this type.
    pub fn get<T: Any>(&self) -> Option<&T> {
        self.value.downcast_ref()
    }

    /// The value, if it is of this type.
    ///
    /// # Errors
    /// Itself when it is of another.
    pub fn into<T: Any>(self) -> Result<T, Self> {
        let type_name = self.type_name;
        self.value.downcast().map(|value| *value).map_err(|value| Self { type_name, value })
    }
}

impl Value {
    /// A value of a type that a codec of the user's knows.
    pub fn other<T: Any + Send + Sync>(value: T) -> Self {
        Self::Other(Other { type_name: type_name::<T>(), value: Box::new(value) })
    }

    /// What it is, in words.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Frame(_) => "frame",
            Self::Lazy(_) => "lazy frame",
            Self::Json(_) => "JSON value",
            Self::Records(_) => "list of records",
            Self::Text(_) => "text",
            Self::Array(_) => "array",
            Self::Arrays(_) => "set of arrays",
            Self::Sparse(_) => "sparse matrix",
            Self::Tensors(_) => "set of tensors",
            Self::Image(_) => "image",
            Self::Model(_) => "model",
            Self::Bytes(_) => "run of bytes",
            Self::Other(other) => other.type_name,
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Value({})", self.kind())
    }
}

macro_rules! stored_as {
    ($($type:ty => $variant:ident $(| $also:ident by $convert:expr)*;)*) => {
        $(impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Self::$variant(value)
            }
        }

        impl From<&$type> for Value {
            fn from(value: &$type) -> Self {
                Self::$variant(value.clone())
            }
        }

        impl FromValue for $type {
            fn from_value(value: Value) -> Result<Self, Value> {
                match value {
                    Value::$variant(value) => Ok(value),
                    $(Value::$also(value) => $convert(value),)*
                    other => Err(other),
                }
            }
        })*
    };
}

/// A type that a stored value can be got as.
pub trait FromValue: Sized {
    /// Whether the bytes themselves are wanted, whatever the format.
    const IS_RAW: bool = false;

    /// Takes a value as this type.
    ///
    /// # Errors
    /// The value when it is something else.
    fn from_value(value: Value) -> Result<Self, Value>;
}

stored_as! {
    DataFrame => Frame;
    Json => Json | Records by |records: Vec<Record>| {
        Ok::<_, Value>(Json::Array(records.into_iter().map(Json::Object).collect()))
    };
    Vec<Record> => Records | Json by records;
    String => Text;
    Array => Array;
    Arrays => Arrays | Tensors by |tensors: Tensors| Ok::<_, Value>(tensors.tensors);
    CsMat<f64> => Sparse;
    Tensors => Tensors;
    DynamicImage => Image;
    Plain => Model;
}

/// A JSON array of objects is a list of records.
fn records(value: Json) -> Result<Vec<Record>, Value> {
    match value {
        Json::Array(items) if items.iter().all(Json::is_object) => {
            let objects = items.into_iter().filter_map(|item| match item {
                Json::Object(object) => Some(object),
                _ => None,
            });
            Ok(objects.collect())
        }
        other => Err(Value::Json(other)),
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<LazyFrame> for Value {
    fn from(frame: LazyFrame) -> Self {
        Self::Lazy(Box::new(frame))
    }
}

impl From<Bytes> for Value {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl<T: Element, D: Dimension> From<ndarray::Array<T, D>> for Value {
    fn from(array: ndarray::Array<T, D>) -> Self {
        Self::Array(array.into())
    }
}

impl<T: Element, D: Dimension> From<&ndarray::Array<T, D>> for Value {
    fn from(array: &ndarray::Array<T, D>) -> Self {
        Self::Array(array.clone().into())
    }
}

impl FromValue for Value {
    fn from_value(value: Value) -> Result<Self, Value> {
        Ok(value)
    }
}

impl FromValue for LazyFrame {
    fn from_value(value: Value) -> Result<Self, Value> {
        match value {
            Value::Lazy(frame) => Ok(*frame),
            Value::Frame(frame) => Ok(frame.lazy()),
            other => Err(other),
        }
    }
}

impl FromValue for Bytes {
    const IS_RAW: bool = true;

    fn from_value(value: Value) -> Result<Self, Value> {
        match value {
            Value::Bytes(bytes) => Ok(bytes),
            other => Err(other),
        }
    }
}

impl FromValue for Vec<u8> {
    const IS_RAW: bool = true;

    fn from_value(value: Value) -> Result<Self, Value> {
        Bytes::from_value(value).map(Self::from)
    }
}

impl<T: Element, D: Dimension> FromValue for ndarray::Array<T, D> {
    fn from_value(value: Value) -> Result<Self, Value> {
        let Value::Array(array) = value else { return Err(value) };
        let n_dimensions = array.shape().len();
        if D::NDIM.is_some_and(|n| n != n_dimensions) {
            return Err(Value::Array(array));
        }
        let items = T::unwrap(array).map_err(Value::Array)?;
        items.clone().into_dimensionality().map_err(|_| Value::Array(T::wrap(items)))
    }
}
