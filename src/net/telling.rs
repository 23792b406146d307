//! What others repeat of what they were told in secret is not passed on.

use crate::domain::words;

/// The secret, and what of it may come back by itself: the parts of an address's path and query.
pub fn telling_parts(secret: &str) -> impl Iterator<Item = &str> {
    let secret = secret.trim();
    let is_address = secret.contains("://");
    let parts = secret.split(|c| "/?&=#".contains(c)).skip(3).filter(|part| 6 <= part.len());
    let whole = Some(secret).filter(|secret| !secret.is_empty());
    whole.into_iter().chain(parts.filter(move |_| is_address))
}

/// What somebody said, in half a line and without the [`telling_parts`] of what they were told in
/// secret.
pub fn quoted<'a>(said: &str, telling: impl IntoIterator<Item = &'a str>) -> String {
    let mut said = said.trim().to_owned();
    for part in telling {
        said = said.replace(part, "[secret]");
    }
    words::shown(&said)
}
