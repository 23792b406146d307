//! Records as text: JSON, YAML and TOML, and lists of them as JSON lines.

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value as Json;

use super::{Codec, CodecError, Record, Value};
use crate::io::{Allowance, json};

/// Memory that an item of a list or a map takes.
const ITEM_BYTES: u64 = 64;
/// Memory that a map takes, with the index of its keys.
const MAP_BYTES: u64 = 384;

/// A text format that holds records of any type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordFormat {
    /// JSON.
    Json,
    /// YAML 1.2.
    Yaml,
    /// TOML 1.0: a table.
    Toml,
}

impl RecordFormat {
    /// Writes a record.
    ///
    /// # Errors
    /// [`CodecError::Encode`] for what the format cannot hold: nothing or a list in TOML, a map in
    /// JSON whose keys are no text.
    pub fn encode<T: Serialize>(self, record: &T) -> Result<Bytes, CodecError> {
        Ok(match self {
            Self::Json => json::encode(record).map_err(CodecError::encode)?.into(),
            Self::Yaml => serde_saphyr::to_string(record).map_err(CodecError::encode)?.into(),
            Self::Toml => toml::to_string_pretty(record).map_err(CodecError::encode)?.into(),
        })
    }

    /// Reads a record.
    ///
    /// # Errors
    /// [`CodecError::Damaged`] with the line, [`CodecError::TooLarge`].
    pub fn decode<T: DeserializeOwned>(
        self,
        bytes: &[u8],
        allowance: &Allowance,
    ) -> Result<T, CodecError> {
        let text = text_of(bytes)?;
        allowance.spend(room(bytes)).map_err(|error| CodecError::read("the end", error))?;
        match self {
            Self::Json => json::decode(bytes).map_err(|error| {
                let place = format!("line {} column {}", error.line(), error.column());
                CodecError::damaged(place, error)
            }),
            Self::Yaml => serde_saphyr::from_str(text).map_err(|error| {
                let place = error.location().map_or_else(
                    || "an unknown line".to_owned(),
                    |at| format!("line {} column {}", at.line(), at.column()),
                );
                CodecError::damaged(place, error)
            }),
            Self::Toml => toml::from_str(text).map_err(|error| {
                let at = error.span().map_or(0, |span| span.start);
                CodecError::damaged(format!("byte {at}"), error)
            }),
        }
    }
}

/// The bytes as text.
pub(super) fn text_of(bytes: &[u8]) -> Result<&str, CodecError> {
    std::str::from_utf8(bytes)
        .map_err(|error| CodecError::damaged(format!("byte {}", error.valid_up_to()), error))
}

/// Memory that a text's tree takes, from what separates its nodes.
fn room(bytes: &[u8]) -> u64 {
    let n_items = memchr::memchr2_iter(b',', b'[', bytes).count() as u64;
    let n_lines = memchr::memchr_iter(b'\n', bytes).count() as u64;
    let n_maps = memchr::memchr_iter(b'{', bytes).count() as u64;
    bytes.len() as u64 + ITEM_BYTES * n_items.max(n_lines) + MAP_BYTES * n_maps
}

macro_rules! record_codec {
    ($(#[doc = $doc:literal] $codec:ident $format:ident $name:literal $extensions:expr, $priority:literal;)*) => {
        $(#[doc = $doc]
        #[derive(Debug, Clone, Copy)]
        pub struct $codec;

        impl Codec for $codec {
            fn name(&self) -> &'static str {
                $name
            }

            fn extensions(&self) -> &'static [&'static str] {
                &$extensions
            }

            fn priority(&self) -> i32 {
                $priority
            }

            fn can_write(&self, value: &Value) -> bool {
                matches!(value, Value::Json(_) | Value::Records(_))
            }

            fn encode(&self, value: &Value) -> Result<Bytes, CodecError> {
                match value {
                    Value::Json(value) => RecordFormat::$format.encode(value),
                    Value::Records(records) => RecordFormat::$format.encode(records),
                    other => Err(CodecError::WrongKind { got: other.kind().into() }),
                }
            }

            fn decode(&self, bytes: Bytes, allowance: &Allowance) -> Result<Value, CodecError> {
                RecordFormat::$format.decode(&bytes, allowance).map(Value::Json)
            }

            fn records(&self) -> Option<RecordFormat> {
                Some(RecordFormat::$format)
            }
        })*
    };
}

record_codec! {
    #[doc = "Values and records as JSON."]
    JsonCodec Json "json" ["json"], 8;
    #[doc = "Values and records as YAML."]
    YamlCodec Yaml "yaml" ["yaml", "yml"], 7;
    #[doc = "Records as TOML."]
    TomlCodec Toml "toml" ["toml"], 6;
}

/// A list of records as JSON lines.
#[derive(Debug, Clone, Copy)]
pub struct JsonLinesCodec;

impl Codec for JsonLinesCodec {
    fn name(&self) -> &'static str {
        "json lines"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["jsonl"]
    }

    fn priority(&self) -> i32 {
        9
    }

    fn can_write(&self, value: &Value) -> bool {
        matches!(value, Value::Records(_))
    }

    fn encode(&self, value: &Value) -> Result<Bytes, CodecError> {
        let Value::Records(records) = value else {
            return Err(CodecError::WrongKind { got: value.kind().into() });
        };
        let mut bytes = Vec::new();
        for record in records {
            serde_json::to_writer(&mut bytes, record).map_err(CodecError::encode)?;
            bytes.push(b'\n');
        }
        Ok(bytes.into())
    }

    fn decode(&self, bytes: Bytes, allowance: &Allowance) -> Result<Value, CodecError> {
        let text = text_of(&bytes)?;
        allowance.spend(room(&bytes)).map_err(|error| CodecError::read("the end", error))?;
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let records = lines.map(|(at, line)| match serde_json::from_str(line) {
            Ok(Json::Object(record)) => Ok(record),
            Ok(_) => Err(CodecError::damaged(format!("line {}", at + 1), "it is no object")),
            Err(error) => Err(CodecError::damaged(format!("line {}", at + 1), error)),
        });
        records.collect::<Result<Vec<Record>, _>>().map(Value::Records)
    }
}
