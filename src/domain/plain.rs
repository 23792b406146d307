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
        Self::array("<f8", values.iter().map(|value| value.to_le_bytes()))
    }

    /// The values of a one-dimensional `f64` array node; `None` for any other node or a torn one.
    pub fn to_f64s(&self) -> Option<Vec<f64>> {
        Some(self.items("<f8")?.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect())
    }

    /// As [`Self::from_f64s`], in single precision: `"<f4"`.
    pub fn from_f32s(values: &[f32]) -> Self {
        Self::array("<f4", values.iter().map(|value| value.to_le_bytes()))
    }

    /// As [`Self::to_f64s`], of single precision.
    pub fn to_f32s(&self) -> Option<Vec<f32>> {
        Some(self.items("<f4")?.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
    }

    /// As [`Self::from_f64s`], of short whole numbers: `"<i2"`.
    pub fn from_i16s(values: &[i16]) -> Self {
        Self::array("<i2", values.iter().map(|value| value.to_le_bytes()))
    }

    /// As [`Self::to_f64s`], of short whole numbers.
    pub fn to_i16s(&self) -> Option<Vec<i16>> {
        Some(self.items("<i2")?.iter().map(|bytes| i16::from_le_bytes(*bytes)).collect())
    }

    /// The bytes of a one-dimensional array alone, for places that hold no other kind of array: it
    /// is read back like any other, and a few dozen bytes smaller.
    #[must_use]
    pub fn bare(self) -> Self {
        let Self::Dict(entries) = self else { return self };
        let items = entries.into_iter().find(|(key, _)| key == "data");
        items.map_or(Self::None, |(_, items)| items)
    }

    fn array<const N: usize>(dtype: &str, items: impl ExactSizeIterator<Item = [u8; N]>) -> Self {
        let n_items = items.len() as i64;
        Self::Dict(vec![
            ("dtype".into(), Self::Text(dtype.into())),
            ("shape".into(), Self::List(vec![Self::Int(n_items)])),
            ("data".into(), Self::Bytes(items.flatten().collect())),
        ])
    }

    fn items<const N: usize>(&self, dtype: &str) -> Option<&[[u8; N]]> {
        if let Self::Bytes(bytes) = self {
            let (items, rest) = bytes.as_chunks::<N>();
            return rest.is_empty().then_some(items);
        }
        let shape = self.get("shape")?.as_list()?;
        let Self::Bytes(bytes) = self.get("data")? else { return None };
        let n_items = usize::try_from(shape.first()?.as_int()?).ok()?;
        let (items, rest) = bytes.as_chunks::<N>();
        let is_whole = rest.is_empty() && items.len() == n_items && shape.len() == 1;
        (is_whole && self.get("dtype")?.as_text()? == dtype).then_some(items)
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
        let shorts = [0_i16, -1, i16::MAX, i16::MIN];
        assert_eq!(Plain::from_i16s(&shorts).to_i16s().unwrap(), shorts);
        let singles = [1.5_f32, -0.0, f32::MIN_POSITIVE];
        assert_eq!(Plain::from_f32s(&singles).to_f32s().unwrap(), singles);
        assert_eq!(Plain::from_f32s(&singles).to_f64s(), None);
        let bare = Plain::from_f32s(&singles).bare();
        assert_eq!(bare.to_f32s().unwrap(), singles);
        assert_eq!(bare.to_f64s(), None, "12 bytes");
        let Plain::Dict(mut entries) = node else { unreachable!() };
        entries[2].1 = Plain::Bytes(vec![0; 31]);
        assert_eq!(Plain::Dict(entries).to_f64s(), None);
    }
}
