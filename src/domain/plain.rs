//! A tree of plain values: what a model artifact is made of. No code, no references, no types of
//! ours, so any language can read it.

/// One node of the tree.
#[derive(Debug, Clone, PartialEq)]
pub enum Plain {
    /// Nothing.
    None,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number; may be NaN or infinite.
    Float(f64),
    /// Text.
    Text(String),
    /// Raw bytes (arrays are little-endian).
    Bytes(Vec<u8>),
    /// An ordered list.
    List(Vec<Plain>),
    /// Text keys in a stable order.
    Dict(Vec<(String, Plain)>),
}

impl Plain {
    /// A value of a dict by its key.
    pub fn get(&self, key: &str) -> Option<&Plain> {
        match self {
            Self::Dict(entries) => entries.iter().find(|(k, _)| k == key).map(|(_, v)| v),
            _ => None,
        }
    }

    /// The text of a text node.
    pub fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The number of an integer node.
    pub fn as_int(&self) -> Option<i64> {
        if let Self::Int(number) = self { Some(*number) } else { None }
    }

    /// The items of a list node.
    pub fn as_list(&self) -> Option<&[Plain]> {
        if let Self::List(items) = self { Some(items) } else { None }
    }

    /// A one-dimensional `f64` array node: `{"dtype": "<f8", "shape": [n], "data": bytes}`.
    pub fn from_f64s(values: &[f64]) -> Self {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self::Dict(vec![
            ("dtype".into(), Self::Text("<f8".into())),
            ("shape".into(), Self::List(vec![Self::Int(values.len() as i64)])),
            ("data".into(), Self::Bytes(bytes)),
        ])
    }

    /// The values of a one-dimensional `f64` array node; `None` for any other node or a torn one.
    pub fn to_f64s(&self) -> Option<Vec<f64>> {
        let shape = self.get("shape")?.as_list()?;
        let Self::Bytes(bytes) = self.get("data")? else { return None };
        let n_values = usize::try_from(shape.first()?.as_int()?).ok()?;
        if self.get("dtype")?.as_text()? != "<f8"
            || shape.len() != 1
            || n_values.checked_mul(8)? != bytes.len()
        {
            return None;
        }
        Some(bytes.as_chunks::<8>().0.iter().map(|chunk| f64::from_le_bytes(*chunk)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_come_back_bit_for_bit_and_torn_ones_not_at_all() {
        let values = [1.5, -0.0, f64::MIN_POSITIVE, 1e308];
        let node = Plain::from_f64s(&values);
        assert_eq!(node.to_f64s().unwrap(), values);
        let Plain::Dict(mut entries) = node else { unreachable!() };
        entries[2].1 = Plain::Bytes(vec![0; 31]);
        assert_eq!(Plain::Dict(entries).to_f64s(), None);
    }
}
