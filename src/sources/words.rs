//! Texts from outside in words that are safe to print: on one line, in the order they are read, and
//! without secrets.

use crate::domain::Secret;

/// A text from outside in one printable line of at most 80 characters.
pub(super) fn printable(text: &str) -> String {
    line_of_text(text, 80)
}

/// A text from outside in one printable line of at most so many characters.
pub(super) fn line_of_text(text: &str, max_chars: usize) -> String {
    let shown: String = text.chars().take(max_chars).collect();
    let shown = escaped(&shown, &[]);
    if text.chars().nth(max_chars).is_some() { format!("{shown}…") } else { shown }
}

/// Writes out every character that would move, hide or reorder what the reader sees, but those in
/// `kept`.
fn escaped(text: &str, kept: &[char]) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if (c.is_control() || is_format_mark(c)) && !kept.contains(&c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

const fn is_format_mark(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Takes every occurrence of the secrets out of a text, and all that would upset a terminal.
pub(super) fn scrub<'a>(text: &str, secrets: impl IntoIterator<Item = &'a Secret>) -> String {
    /// Shorter secrets would tear ordinary words apart without hiding anything.
    const MIN_BYTES: usize = 4;
    let mut clean = text.to_owned();
    for secret in secrets {
        for part in secret_parts(secret.reveal()) {
            if MIN_BYTES <= part.len() && clean.contains(&part) {
                clean = clean.replace(&part, "[secret]");
            }
        }
    }
    escaped(&clean, &['\n', '\t'])
}

/// Parts of the names of URL parameters that carry a secret.
const SECRET_KEYS: [&str; 5] = ["pass", "token", "key", "secret", "sig"];

/// The whole secret and, where it is a URL, its password and query values as written and decoded.
fn secret_parts(secret: &str) -> Vec<String> {
    let mut parts = vec![secret.to_owned()];
    let Ok(url) = url::Url::parse(secret) else { return parts };
    if let Some(password) = url.password() {
        parts.push(password.to_owned());
        // A query pair is the decoder `url` has; the password may hold no `&` or `+` unescaped.
        let as_pair = password.replace('+', "%2B").replace('&', "%26");
        parts.extend(url::form_urlencoded::parse(as_pair.as_bytes()).map(|(k, _)| k.into_owned()));
    }
    parts.extend(
        url.query_pairs()
            .filter(|(key, _)| SECRET_KEYS.iter().any(|word| key.to_lowercase().contains(word)))
            .map(|(_, value)| value.into_owned()),
    );
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_from_outside_cannot_break_or_reorder_a_line() {
        assert_eq!(printable("a\nb\u{202e}c\0"), "a\\nb\\u{202e}c\\u{0}");
        assert_eq!(printable(&"x".repeat(90)), format!("{}…", "x".repeat(80)));
        assert_eq!(printable("🚀 'ok'"), "🚀 'ok'");
        assert_eq!(scrub("a\n\u{1b}[31mred", []), "a\n\\u{1b}[31mred");
    }

    #[test]
    fn a_password_is_taken_out_as_written_and_decoded() {
        let url = Secret::new("postgres://me:p%40ss+word@db/x?token=tttt".into());
        let text = "failed: p%40ss+word p@ss+word tttt postgres://me:p%40ss+word@db/x?token=tttt";
        assert_eq!(scrub(text, [&url]), "failed: [secret] [secret] [secret] [secret]");
    }
}
