//! Models as plain values and back, bit for bit. A damaged tree is an error here, so that scoring
//! need not check anything again.

use crate::domain::Plain;

use super::{Ar, Copod, Ecod, Fitted, Hbos, IForest, KMeans, Knn, Lof, Mad, Pca, Seasonal, Zscore};

/// Version of the layout this program writes.
const FORMAT: i64 = 1;

/// A tree that is no model this version can read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A newer program wrote it.
    #[error("model format {found} is newer than {FORMAT}")]
    Newer {
        /// The format it says it has.
        found: i64,
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
    let body = match fitted {
        Fitted::Seasonal(model) => model.to_plain(),
        Fitted::Pca(model) => model.to_plain(),
        Fitted::Knn(model) => model.to_plain(),
        Fitted::Lof(model) => model.to_plain(),
        Fitted::IForest(model) => model.to_plain(),
        Fitted::Hbos(model) => model.to_plain(),
        Fitted::Ecod(model) => model.to_plain(),
        Fitted::Copod(model) => model.to_plain(),
        Fitted::Mad(model) => model.to_plain(),
        Fitted::KMeans(model) => model.to_plain(),
        Fitted::Zscore(model) => model.to_plain(),
        Fitted::Ar(model) => model.to_plain(),
    };
    Plain::Dict(vec![
        ("format".into(), Plain::Int(FORMAT)),
        ("kind".into(), Plain::Text(fitted.kind().as_str().into())),
        ("model".into(), body),
    ])
}

pub(super) fn from_plain(plain: &Plain) -> Result<Fitted, DecodeError> {
    let format = int(plain, "format")?;
    if FORMAT < format {
        return Err(DecodeError::Newer { found: format });
    }
    let body = plain.get("model").ok_or(DecodeError::Missing { field: "model" })?;
    match text(plain, "kind")? {
        "seasonal" => Seasonal::from_plain(body).map(Fitted::Seasonal),
        "pca" => Pca::from_plain(body).map(Fitted::Pca),
        "knn" => Knn::from_plain(body).map(Fitted::Knn),
        "lof" => Lof::from_plain(body).map(Fitted::Lof),
        "iforest" => IForest::from_plain(body).map(Fitted::IForest),
        "hbos" => Hbos::from_plain(body).map(Fitted::Hbos),
        "ecod" => Ecod::from_plain(body).map(Fitted::Ecod),
        "copod" => Copod::from_plain(body).map(Fitted::Copod),
        "mad" => Mad::from_plain(body).map(Fitted::Mad),
        "kmeans" => KMeans::from_plain(body).map(Fitted::KMeans),
        "ar" => Ar::from_plain(body).map(Fitted::Ar),
        "zscore" => Zscore::from_plain(body).map(Fitted::Zscore),
        kind => Err(DecodeError::UnknownKind { kind: kind.chars().take(64).collect() }),
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
