//! The model file: a data-only pickle with the identity of its model inside, so that a right
//! checksum on the wrong model is noticed too.

use crate::{
    detect::{DecodeError, Fitted},
    domain::{BatchName, MetricName, ModelVersion, Plain},
    io::pickle::{self, PickleError},
};

/// The newest format this program writes and reads.
const FORMAT: i64 = 1;

/// One metric's fitted detectors.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// Whose.
    pub batch: BatchName,
    /// Whose.
    pub metric: MetricName,
    /// Which training.
    pub version: ModelVersion,
    /// Tag and detector, in the batch file's order.
    pub detectors: Vec<(String, Fitted)>,
    /// The same of the challengers, whose scores are not part of the metric's.
    pub challengers: Vec<(String, Fitted)>,
}

/// Bytes that are not the model they should be.
#[derive(Debug, thiserror::Error)]
pub enum ModelFileError {
    /// Not a pickle of plain data.
    #[error("read the model's pickle")]
    Pickle(#[from] PickleError),
    /// A format of a later program.
    #[error("model file format {found} is newer than {FORMAT}; a newer program wrote it")]
    Newer {
        /// What the file says.
        found: i64,
    },
    /// The model of another metric or version.
    #[error("the file holds the {what} of another model")]
    Identity {
        /// Which part differs.
        what: &'static str,
    },
    /// A field is missing or of another type.
    #[error("the field `{field}` is missing or damaged")]
    Field {
        /// Which one.
        field: &'static str,
    },
    /// A detector's parameters cannot be read.
    #[error("read detector `{tag}`")]
    Detector {
        /// Which one.
        tag: String,
        /// Why.
        source: DecodeError,
    },
}

impl Model {
    /// The model's bytes.
    ///
    /// # Errors
    /// [`ModelFileError::Pickle`] when they would exceed what the reader accepts.
    pub fn encode(&self) -> Result<Vec<u8>, ModelFileError> {
        let text = |text: &str| Plain::Text(text.to_owned());
        let mut fields: Vec<(String, Plain)> = vec![
            ("format".into(), Plain::Int(FORMAT)),
            ("batch".into(), text(self.batch.as_str())),
            ("metric".into(), text(self.metric.as_str())),
            ("version".into(), text(self.version.as_str())),
            ("detectors".into(), to_plain(&self.detectors)),
        ];
        // Left out where there is none: then a file is that of a program that knows none.
        if !self.challengers.is_empty() {
            fields.push(("challengers".into(), to_plain(&self.challengers)));
        }
        Ok(pickle::encode(&Plain::Dict(fields))?)
    }

    /// Reads a model and checks that it is the one asked for.
    ///
    /// # Errors
    /// [`ModelFileError`] for anything else than that model, whole.
    pub fn decode(
        bytes: &[u8],
        batch: &BatchName,
        metric: &MetricName,
        version: &ModelVersion,
    ) -> Result<Self, ModelFileError> {
        let root = pickle::decode(bytes)?;
        match root.get("format").and_then(Plain::as_int) {
            Some(FORMAT) => (),
            Some(found) if FORMAT < found => return Err(ModelFileError::Newer { found }),
            _ => return Err(ModelFileError::Field { field: "format" }),
        }
        let expected =
            [("batch", batch.as_str()), ("metric", metric.as_str()), ("version", version.as_str())];
        for (what, text) in expected {
            if root.get(what).and_then(Plain::as_text) != Some(text) {
                return Err(ModelFileError::Identity { what });
            }
        }
        let detectors =
            root.get("detectors").ok_or(ModelFileError::Field { field: "detectors" })?;
        let detectors = of_plain(detectors, "detectors")?;
        let challengers = match root.get("challengers") {
            Some(challengers) => of_plain(challengers, "challengers")?,
            None => Vec::new(),
        };
        let (batch, metric, version) = (batch.clone(), metric.clone(), version.clone());
        Ok(Self { batch, metric, version, detectors, challengers })
    }
}

/// Bytes some detectors take in a file; 0 for what would be too large for one.
pub(super) fn encoded_size(detectors: &[(String, Fitted)]) -> u64 {
    pickle::encode(&to_plain(detectors)).map_or(0, |bytes| bytes.len() as u64)
}

fn to_plain(detectors: &[(String, Fitted)]) -> Plain {
    let one = |(tag, fitted): &(String, Fitted)| {
        Plain::Dict(vec![
            ("tag".into(), Plain::Text(tag.clone())),
            ("detector".into(), fitted.to_plain()),
        ])
    };
    Plain::List(detectors.iter().map(one).collect())
}

fn of_plain(list: &Plain, field: &'static str) -> Result<Vec<(String, Fitted)>, ModelFileError> {
    let list = list.as_list().ok_or(ModelFileError::Field { field })?;
    list.iter().map(detector).collect()
}

fn detector(node: &Plain) -> Result<(String, Fitted), ModelFileError> {
    let tag = node.get("tag").and_then(Plain::as_text);
    let tag = tag.ok_or(ModelFileError::Field { field: "tag" })?.to_owned();
    let fitted = node.get("detector").ok_or(ModelFileError::Field { field: "detector" })?;
    match Fitted::from_plain(fitted) {
        Ok(fitted) => Ok((tag, fitted)),
        Err(source) => Err(ModelFileError::Detector { tag, source }),
    }
}
