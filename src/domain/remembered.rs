//! What a source noted of its last good read, so that the next one can leave out what has not
//! changed since.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

/// Texts by name: a file's size and entity tag by its path, an answer's by its address.
///
/// # Shape
/// At most 10,000 entries and 2 MiB; what does not fit is not remembered, and so read again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Remembered {
    notes: BTreeMap<String, String>,
    #[serde(skip)]
    n_bytes: usize,
}

const MAX_NOTES: usize = 10_000;
const MAX_BYTES: usize = 2 << 20;

impl Remembered {
    /// The note under a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.notes.get(name).map(String::as_str)
    }

    /// Whether there is no note at all, as before the first read.
    pub fn is_empty(&self) -> bool {
        self.notes.is_empty()
    }

    /// The notes by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.notes.iter().map(|(name, note)| (name.as_str(), note.as_str()))
    }

    /// Notes a text in the place of an earlier one of the name. Without room for it, the name is
    /// forgotten.
    pub fn note(&mut self, name: &str, note: String) {
        if let Some(old) = self.notes.remove(name) {
            self.n_bytes -= name.len() + old.len();
        }
        let n_bytes = self.n_bytes + name.len() + note.len();
        if self.notes.len() < MAX_NOTES && n_bytes <= MAX_BYTES {
            self.n_bytes = n_bytes;
            self.notes.insert(name.to_owned(), note);
        }
    }
}

impl<'de> Deserialize<'de> for Remembered {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let notes = BTreeMap::<String, String>::deserialize(deserializer)?;
        let n_bytes = notes.iter().map(|(name, note)| name.len() + note.len()).sum();
        Ok(Self { notes, n_bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_survives_json_and_is_replaced_by_a_newer_one() {
        let mut remembered = Remembered::default();
        remembered.note("a.csv", "1".into());
        remembered.note("a.csv", "22".into());
        let text = serde_json::to_string(&remembered).unwrap();
        assert_eq!(text, r#"{"a.csv":"22"}"#);
        assert_eq!(serde_json::from_str::<Remembered>(&text).unwrap(), remembered);
    }

    #[test]
    fn what_does_not_fit_is_forgotten_never_half_kept() {
        let mut remembered = Remembered::default();
        for n in 0..=MAX_NOTES {
            remembered.note(&n.to_string(), String::new());
        }
        assert_eq!(remembered.iter().count(), MAX_NOTES);
        let mut remembered = Remembered::default();
        remembered.note("a", "old".into());
        remembered.note("a", "x".repeat(MAX_BYTES));
        assert_eq!(remembered, Remembered::default());
        remembered.note("a", "x".repeat(MAX_BYTES - 1));
        assert!(!remembered.is_empty());
    }
}
