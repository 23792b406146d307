//! Models as plain values and back, bit for bit. A damaged tree is an error here, so that scoring
//! need not check anything again.

use crate::domain::{DetectorKind, Plain};

use super::Fitted;

/// The newest layout of the detectors of rows. The first had the linear `proba` only, and neither a
/// threshold nor the parameters that came later; the second had no `rank`.
const BY_ROW: i64 = 3;
/// The newest layout of the default detector. The first did not keep how sure its pattern was; the
/// second said of each array what it is an array of.
const AUTO: i64 = 3;
/// The newest layout of the seasonal detector. The first did not keep how sure its pattern was.
const SEASONAL: i64 = 2;

/// A tree that is no model this version can read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A newer program wrote it.
    #[error("model format {found} of `{kind}` is newer than {known}; a newer program wrote it")]
    Newer {
        /// Which detector it is of.
        kind: String,
        /// The format it says it has.
        found: i64,
        /// The newest one this program reads.
        known: i64,
    },
    /// Not a kind this program has.
    #[error("there is no detector `{kind}`")]
    UnknownKind {
        /// The kind it says it is.
        kind: String,
    },
    /// A field is not there or not of the right type.
    #[error("model field `{field}` is missing or of the wrong type")]
    Missing {
        /// The field.
        field: &'static str,
    },
    /// A field contradicts the others.
    #[error("model field `{field}` does not fit the rest of the model")]
    Inconsistent {
        /// The field.
        field: &'static str,
    },
}

pub(super) fn to_plain(fitted: &Fitted) -> Plain {
    Plain::Dict(vec![
        ("format".into(), Plain::Int(newest_format(fitted.kind()))),
        ("kind".into(), Plain::Text(fitted.kind().as_str().into())),
        ("model".into(), fitted.body()),
    ])
}

pub(super) fn from_plain(plain: &Plain) -> Result<Fitted, DecodeError> {
    let (name, format) = (text(plain, "kind")?, int(plain, "format")?);
    let kind = DetectorKind::ALL.iter().find(|kind| kind.as_str() == name);
    let kind =
        *kind.ok_or_else(|| DecodeError::UnknownKind { kind: name.chars().take(64).collect() })?;
    let known = newest_format(kind);
    if known < format {
        return Err(DecodeError::Newer { kind: name.to_owned(), found: format, known });
    }
    let body = plain.get("model").ok_or(DecodeError::Missing { field: "model" })?;
    Fitted::of_body(kind, body, format)
}

/// The format this program writes.
fn newest_format(kind: DetectorKind) -> i64 {
    match kind {
        DetectorKind::Auto => AUTO,
        DetectorKind::Seasonal => SEASONAL,
        DetectorKind::Pca
        | DetectorKind::Knn
        | DetectorKind::Lof
        | DetectorKind::IForest
        | DetectorKind::Hbos
        | DetectorKind::Ecod
        | DetectorKind::Copod
        | DetectorKind::Mad
        | DetectorKind::KMeans
        | DetectorKind::Zscore
        | DetectorKind::Ar => BY_ROW,
    }
}

pub(super) fn text<'a>(plain: &'a Plain, field: &'static str) -> Result<&'a str, DecodeError> {
    plain.get(field).and_then(Plain::as_text).ok_or(DecodeError::Missing { field })
}

pub(super) fn int(plain: &Plain, field: &'static str) -> Result<i64, DecodeError> {
    plain.get(field).and_then(Plain::as_int).ok_or(DecodeError::Missing { field })
}

pub(super) fn count(plain: &Plain, field: &'static str) -> Result<usize, DecodeError> {
    usize::try_from(int(plain, field)?).map_err(|_| DecodeError::Inconsistent { field })
}

/// A count that may be missing: nothing at all, as in older formats, or a `None`.
pub(super) fn optional_count(
    plain: &Plain,
    field: &'static str,
) -> Result<Option<usize>, DecodeError> {
    match plain.get(field) {
        None | Some(Plain::None) => Ok(None),
        Some(_) => count(plain, field).map(Some),
    }
}

pub(super) fn optional_to_plain(count: Option<usize>) -> Plain {
    count.map_or(Plain::None, |count| Plain::Int(count as i64))
}

pub(super) fn flag(plain: &Plain, field: &'static str) -> Result<bool, DecodeError> {
    match plain.get(field) {
        Some(Plain::Bool(value)) => Ok(*value),
        _ => Err(DecodeError::Missing { field }),
    }
}

/// A finite number.
pub(super) fn float(plain: &Plain, field: &'static str) -> Result<f64, DecodeError> {
    match plain.get(field) {
        Some(Plain::Float(value)) if value.is_finite() => Ok(*value),
        Some(Plain::Float(_)) => Err(DecodeError::Inconsistent { field }),
        _ => Err(DecodeError::Missing { field }),
    }
}

/// Finite numbers.
pub(super) fn floats(plain: &Plain, field: &'static str) -> Result<Vec<f64>, DecodeError> {
    let values = plain.get(field).and_then(Plain::to_f64s);
    let values = values.ok_or(DecodeError::Missing { field })?;
    ensure(values.iter().all(|value| value.is_finite()), field)?;
    Ok(values)
}

pub(super) fn ensure(fits: bool, field: &'static str) -> Result<(), DecodeError> {
    if fits { Ok(()) } else { Err(DecodeError::Inconsistent { field }) }
}
