//! What tells one state of an answer from the next: its entity tag and its date. Remembered with
//! the rows, and sent with the next request for the same address, whose answer may then be that
//! nothing has changed.

use serde::{Deserialize, Serialize};
use url::Url;

use crate::{domain::Remembered, io::sha256_hex};

/// The name of the note.
const NOTE: &str = "answer";
/// Enough of an address's hash to tell it by, too little to find it out by.
const N_HASH_CHARS: usize = 8;

/// An answer's `ETag` and `Last-Modified`, as the server wrote them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Validators {
    pub(super) etag: Option<String>,
    pub(super) modified: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Note {
    /// Of which address.
    address: String,
    #[serde(flatten)]
    validators: Validators,
}

impl Validators {
    pub(super) fn new(etag: &str, modified: &str) -> Self {
        let kept = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Self { etag: kept(etag), modified: kept(modified) }
    }

    /// Those of the last good read, if it was of this address.
    pub(super) fn remembered(remembered: &Remembered, url: &Url) -> Option<Self> {
        let note: Note = serde_json::from_str(remembered.get(NOTE)?).ok()?;
        (note.address == hash(url)).then_some(note.validators)
    }

    /// The note for the next read; none when the server gave nothing to tell states apart by.
    pub(super) fn noted(self, url: &Url) -> Remembered {
        let mut remembered = Remembered::default();
        let note = Note { address: hash(url), validators: self };
        if note.validators != Self::default()
            && let Ok(text) = serde_json::to_string(&note)
        {
            remembered.note(NOTE, text);
        }
        remembered
    }
}

fn hash(url: &Url) -> String {
    let mut hash = sha256_hex(url.as_str().as_bytes());
    hash.truncate(N_HASH_CHARS);
    hash
}
