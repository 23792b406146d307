//! Tables with a `kind` that decides which other keys they have.

use std::sync::Arc;

use super::{section::Section, values::refuse_word};

/// One kind of a table.
pub(super) struct Kind<'k, T> {
    /// The word for it.
    pub(super) name: &'static str,
    /// The keys it has and other kinds may not have.
    pub(super) keys: &'static [&'static str],
    /// Reads those keys; `None` when one is missing or wrong, which has been reported.
    pub(super) read: &'k dyn Fn(&mut Section<'_>) -> Option<T>,
}

impl Section<'_> {
    /// Reads the keys of the kind that is named. Without one, no key of any kind is unknown.
    pub(super) fn read_kind<T>(&mut self, kinds: &[Kind<'_, T>], shared: &[&str]) -> Option<T> {
        let names: Vec<&str> = kinds.iter().map(|kind| kind.name).collect();
        if !self.has("kind") {
            self.missing("kind", &format!("write one of {}", names.join(", ")));
        }
        let path = self.general_path("kind");
        let found = self.parsed("kind", "a known kind", |text| {
            let kind = kinds.iter().find(|kind| kind.name == text);
            kind.ok_or_else(|| refuse_word(text, &path, &names))
        });
        let Some(found) = found else {
            kinds.iter().for_each(|kind| self.ignore(kind.keys));
            return None;
        };
        let value = (found.value.read)(self);
        let others = kinds.iter().flat_map(|kind| kind.keys);
        for key in others.filter(|key| !found.value.keys.contains(key) && !shared.contains(key)) {
            let Some(place) = self.key_place(key) else { continue };
            // A key from `defaults.toml` is for the batches of its kind, not a mistake of this one.
            if Arc::ptr_eq(&place.file, &found.place.file) {
                let message =
                    format!("`{key}` has no meaning with kind = \"{}\"", found.value.name);
                self.check.problem(&place, message);
            }
            self.ignore(&[key]);
        }
        value
    }
}
