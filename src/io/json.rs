//! Records as JSON: indented, so that people can read the objects, with a line's end at the end.

use serde::{Serialize, de::DeserializeOwned};

/// Writes a record.
///
/// # Errors
/// The encoder's error, as for a map whose keys are no text.
pub fn encode<T: Serialize>(record: &T) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = serde_json::to_vec_pretty(record)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Reads a record; nothing but white space may follow it.
///
/// # Errors
/// The decoder's error, with line and column.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice(bytes)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_record_comes_back_and_a_cut_one_does_not() {
        let record = BTreeMap::from([("a".to_owned(), vec![1.5, -0.1]), ("é".to_owned(), vec![])]);
        let bytes = encode(&record).unwrap();
        assert_eq!(decode::<BTreeMap<String, Vec<f64>>>(&bytes).unwrap(), record);
        let cut = decode::<BTreeMap<String, Vec<f64>>>(&bytes[..bytes.len() - 3]).unwrap_err();
        assert!(cut.is_eof(), "{cut}");
    }
}
