//! Texts made to fit what receivers take.

/// At most so many UTF-16 units, which is how the narrowest of them count; what is cut off is told
/// by `…`.
pub(super) fn cut(text: &str, n_units: usize) -> String {
    if text.encode_utf16().count() <= n_units {
        return text.to_owned();
    }
    let mut left = n_units.saturating_sub(1);
    let fits = |c: &char| match left.checked_sub(c.len_utf16()) {
        Some(rest) => {
            left = rest;
            true
        }
        None => false,
    };
    let mut kept: String = text.chars().take_while(fits).collect();
    kept.push('…');
    kept
}

/// At most so many bytes.
pub(super) fn cut_bytes(text: &str, n_bytes: usize) -> String {
    if text.len() <= n_bytes {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(n_bytes.saturating_sub('…'.len_utf8()));
    format!("{}…", &text[..end])
}

/// As many of these as fit in so many UTF-16 units, the first first, with something between them.
pub(super) fn joined(parts: impl Iterator<Item = String>, between: &str, n_units: usize) -> String {
    let mut text = String::new();
    for part in parts {
        let next = if text.is_empty() { part } else { format!("{text}{between}{part}") };
        if n_units < next.encode_utf16().count() {
            break;
        }
        text = next;
    }
    text
}

/// Puts a backslash before each of these characters.
pub(super) fn backslashed(text: &str, special: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if special.contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// As text between HTML tags or in a quoted attribute.
pub(super) fn html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters_and_says_so() {
        assert_eq!(cut("grün", 4), "grün");
        assert_eq!(cut("grünes", 4), "grü…");
        assert_eq!(cut("🚀🚀🚀", 5), "🚀🚀…");
        assert_eq!(cut("🚀🚀🚀", 4), "🚀…");
        assert_eq!(cut("ab", 0), "…");
        assert_eq!(cut_bytes("grün", 5), "grün");
        assert_eq!(cut_bytes("grüner", 6), "gr…");
        assert_eq!(cut_bytes("🚀🚀", 7), "🚀…");
    }

    #[test]
    fn what_does_not_fit_is_left_out_whole_from_the_end() {
        let all = |n| joined(["ab", "cd", "ef"].map(str::to_owned).into_iter(), ", ", n);
        assert_eq!((all(10), all(9)), ("ab, cd, ef".into(), "ab, cd".into()));
        assert_eq!(all(1), "");
    }

    #[test]
    fn what_means_something_to_the_receiver_is_escaped() {
        assert_eq!(backslashed("a*b\\c", "*\\"), "a\\*b\\\\c");
        assert_eq!(
            html("<b a='1' c=\"2\">&</b>"),
            "&lt;b a=&#39;1&#39; c=&quot;2&quot;&gt;&amp;&lt;/b&gt;"
        );
    }
}
