//! A format of one's own: records with a time as lines of a `.log` file. Its priority is higher than
//! that of JSON lines, so such records get it unless a name says otherwise:
//! `cargo run --example custom_codec`.

use anomstack::{
    compute::Compute,
    io::{
        Allowance, Store,
        artifacts::Artifacts,
        codec::{Codec, CodecError, Record, Value, built_in},
        parquet::Compression,
    },
};
use bytes::Bytes;
use serde_json::json;

/// Lines of a time, a tab and a message.
struct LogCodec;

impl Codec for LogCodec {
    fn name(&self) -> &'static str {
        "log"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["log"]
    }

    fn priority(&self) -> i32 {
        15
    }

    fn can_write(&self, value: &Value) -> bool {
        // No records at all are no log: an empty list stays a list of records.
        let is_entry = |record: &Record| {
            record.len() == 2 && text(record, "time").is_ok() && text(record, "message").is_ok()
        };
        matches!(value, Value::Records(records) if !records.is_empty() && records.iter().all(is_entry))
    }

    fn encode(&self, value: &Value) -> Result<Bytes, CodecError> {
        let Value::Records(records) = value else {
            return Err(CodecError::WrongKind { got: value.kind().into() });
        };
        let mut lines = String::new();
        for record in records {
            lines += &format!("{}\t{}\n", text(record, "time")?, text(record, "message")?);
        }
        Ok(lines.into())
    }

    fn decode(&self, bytes: Bytes, allowance: &Allowance) -> Result<Value, CodecError> {
        let spent = allowance.spend(bytes.len() as u64 * 8);
        spent.map_err(|error| CodecError::read("the end", error))?;
        let lines = std::str::from_utf8(&bytes);
        let lines = lines.map_err(|error| CodecError::damaged("a character", error))?;
        let records = lines.lines().enumerate().map(|(at, line)| {
            let (time, message) = line.split_once('\t').ok_or_else(|| {
                CodecError::damaged(format!("line {}", at + 1), "no tab after the time")
            })?;
            let mut record = Record::new();
            record.insert("time".into(), time.into());
            record.insert("message".into(), message.into());
            Ok(record)
        });
        records.collect::<Result<Vec<_>, _>>().map(Value::Records)
    }
}

fn text<'r>(record: &'r Record, key: &str) -> Result<&'r str, CodecError> {
    let text = record.get(key).and_then(|value| value.as_str());
    text.filter(|text| !text.contains(['\t', '\n']))
        .ok_or_else(|| CodecError::encode(format!("`{key}` is no line of text")))
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut codecs = built_in(Compression::Zstd)?;
    codecs.register(LogCodec)?;
    for conflict in codecs.conflicts() {
        println!(".{} is read by {}", conflict.extension, conflict.reader);
    }
    let artifacts = Artifacts::new(Store::memory(), codecs, Compute::new(1)?);

    let entry = |time: &str, message: &str| -> anyhow::Result<Record> {
        Ok(serde_json::from_value(json!({ "time": time, "message": message }))?)
    };
    let entries = vec![entry("09:00", "start")?, entry("09:05", "first rows")?];
    let key = artifacts.put("today", &entries).await?;
    println!("{key}");
    assert_eq!(key.as_str(), "today.log");
    assert_eq!(artifacts.get::<Vec<Record>>("today").await?, entries);
    // The extension wins over the priority.
    assert_eq!(artifacts.put("copy.jsonl", &entries).await?.as_str(), "copy.jsonl");
    Ok(())
}
