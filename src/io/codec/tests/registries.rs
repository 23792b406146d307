//! Which codec reads and writes what.

use bytes::Bytes;

use crate::io::{
    Allowance,
    codec::{Codec, CodecError, Codecs, Conflict, RegisterError, Value, built_in},
    parquet::Compression,
};

/// A codec that can be told from others by what it writes.
struct Named {
    name: &'static str,
    extensions: &'static [&'static str],
    priority: i32,
}

impl Codec for Named {
    fn name(&self) -> &'static str {
        self.name
    }

    fn extensions(&self) -> &'static [&'static str] {
        self.extensions
    }

    fn priority(&self) -> i32 {
        self.priority
    }

    fn can_write(&self, value: &Value) -> bool {
        matches!(value, Value::Records(records) if records.iter().any(|r| r.contains_key("at")))
    }

    fn encode(&self, _: &Value) -> Result<Bytes, CodecError> {
        panic!("{} has no hands", self.name)
    }

    fn decode(&self, _: Bytes, _: &Allowance) -> Result<Value, CodecError> {
        Ok(Value::Text(self.name.into()))
    }
}

fn codecs() -> Codecs {
    built_in(Compression::Zstd).unwrap()
}

fn records(key: &str) -> Value {
    let mut record = serde_json::Map::new();
    record.insert(key.to_owned(), 1.into());
    Value::Records(vec![record])
}

#[test]
fn the_higher_priority_writes_what_it_can_and_hides_others_visibly() {
    let mut codecs = codecs();
    assert_eq!(codecs.conflicts(), []);
    let log = Named { name: "log", extensions: &["log", "jsonl"], priority: 15 };
    codecs.register(log).unwrap();
    assert_eq!(codecs.writer_of(&records("at")).unwrap().1, "log");
    assert_eq!(codecs.writer_of(&records("other")).unwrap().1, "jsonl");
    assert_eq!(codecs.writer("jsonl", &records("other")).unwrap().name(), "json lines");
    assert_eq!(codecs.reader("JSONL").unwrap().name(), "log");
    let conflict = Conflict { extension: "jsonl", reader: "log", hidden: vec!["json lines"] };
    assert_eq!(codecs.conflicts(), [conflict]);
    assert!(codecs.unregister("log") && !codecs.unregister("log"));
    assert_eq!(codecs.reader("jsonl").unwrap().name(), "json lines");
}

#[test]
fn a_codec_that_could_not_be_told_from_another_is_refused() {
    let tie = Named { name: "other", extensions: &["x", "npy"], priority: 9 };
    let error = codecs().register(tie).unwrap_err();
    let expected = "codecs `other` and `npy` both have `.npy` with priority 9";
    assert_eq!(error.to_string(), expected);
    let twin = Named { name: "npy", extensions: &["x"], priority: 1 };
    assert_eq!(codecs().register(twin), Err(RegisterError::NameTaken { name: "npy" }));
    for extensions in [&[""] as &[_], &[".x"], &["X"], &["a/b"]] {
        let wrong = Named { name: "x", extensions, priority: 1 };
        let error = codecs().register(wrong).unwrap_err();
        assert!(matches!(error, RegisterError::NotAnExtension { .. }), "{error}");
    }
}

#[test]
fn the_longest_known_extension_counts_in_any_case() {
    let codecs = codecs();
    for (key, stem, extension) in [
        ("a/b.parquet", "a/b", Some("parquet")),
        ("m.sparse.npz", "m", Some("sparse.npz")),
        ("m.Sparse.NPZ", "m", Some("sparse.npz")),
        ("m.x.npz", "m.x", Some("npz")),
        ("orders.total", "orders.total", None),
        ("a.json/b", "a.json/b", None),
        (".json", ".json", None),
        ("a/.npy", "a/.npy", None),
        ("é.png", "é", Some("png")),
        ("png", "png", None),
    ] {
        assert_eq!(codecs.split(key), (stem, extension), "{key}");
    }
}

#[test]
fn a_codec_that_panics_is_an_error() {
    let codec = Named { name: "log", extensions: &["log"], priority: 15 };
    let error = crate::io::codec::encode(&codec, &records("at")).unwrap_err();
    assert_eq!(error.to_string(), "the codec panicked: log has no hands");
}
