//! Words with a meaning beyond their spelling: keys and values of later versions, which get a
//! better answer than "unknown", and keys whose values are secrets.

/// Keys by their table's path (`""` is the top of a batch file) that this version does not know
/// yet.
const LATER_KEYS: &[(&str, &[&str])] = &[
    ("", &["catalog", "queue", "sink"]),
    ("schedule", &["deliver", "retention", "plot", "max_catchup"]),
    ("metrics", &["features", "train", "score", "absence", "change"]),
    ("server", &["tls"]),
];

/// Values by their key's path that this version does not know yet.
const LATER_WORDS: &[(&str, &[&str])] =
    &[("schedule.missed", &["all"]), ("history.backend", &["zarr", "sql", "memory"])];

/// Parts of a key's name that make its value one not to show.
const SECRET_WORDS: &[&str] = &[
    "url",
    "secret",
    "pass",
    "token",
    "credential",
    "dsn",
    "api_key",
    "apikey",
    "access_key",
    "service_account",
];

/// The help for what a later version will know.
pub(super) const NOT_YET: &str = "not available in this version";

/// Whether a later version knows this key.
pub(super) fn is_later_key(section: &str, key: &str) -> bool {
    holds(LATER_KEYS, section, key)
}

/// Whether a later version knows this value.
pub(super) fn is_later_word(path: &str, word: &str) -> bool {
    holds(LATER_WORDS, path, word)
}

/// Whether the value of a key with this name is not shown, whatever it is.
pub(super) fn is_secret_key(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_WORDS.iter().any(|word| name.contains(word))
}

/// The word nearest to what was written, when it is near enough to be meant.
pub(crate) fn did_you_mean<'a>(
    written: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    let lower = written.to_lowercase();
    known
        .into_iter()
        .map(|word| (strsim::damerau_levenshtein(&lower, &word.to_lowercase()), word))
        .filter(|(distance, word)| *distance <= (word.chars().count() / 3).max(1))
        .min()
        .map(|(_, word)| format!("did you mean `{word}`?"))
}

fn holds(words: &[(&str, &[&str])], path: &str, word: &str) -> bool {
    words.iter().any(|(at, words)| *at == path && words.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_word_is_suggested_and_a_far_one_is_not() {
        let known = ["schedule", "score", "alert", "ingest"];
        assert_eq!(did_you_mean("shedule", known).unwrap(), "did you mean `schedule`?");
        assert_eq!(did_you_mean("Alerts", known).unwrap(), "did you mean `alert`?");
        assert_eq!(did_you_mean("banana", known), None);
    }
}
