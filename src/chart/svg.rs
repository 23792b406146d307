//! Writing SVG text. Foreign text gets in only through [`escape`].

/// Coordinates across a stretched drawing go from 0 to this.
pub(super) const ACROSS: f64 = 1000.0;

/// Text made safe for element content and quoted attributes. What XML does not allow is replaced:
/// control characters by spaces, the two non-characters by the replacement character.
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            control if control.is_control() => safe.push(' '),
            '\u{fffe}' | '\u{ffff}' => safe.push('\u{fffd}'),
            other => safe.push(other),
        }
    }
    safe
}

/// A coordinate with one decimal, none where it is whole.
pub(super) fn coordinate(number: f64) -> String {
    let rounded = (number * 10.0).round() / 10.0;
    if rounded == rounded.trunc() { format!("{rounded:.0}") } else { format!("{rounded:.1}") }
}

/// A share as a percentage.
pub(super) fn percent(share: f64) -> String {
    format!("{:.2}%", share * 100.0)
}

/// `M x y L x y …` through the points; a single one becomes a dot (with round line caps).
pub(super) fn path(points: &[(f64, f64)]) -> String {
    let mut text = String::with_capacity(points.len() * 12);
    for (n, (x, y)) in points.iter().enumerate() {
        text.push(if n == 0 { 'M' } else { 'L' });
        text.push_str(&coordinate(*x));
        text.push(' ');
        text.push_str(&coordinate(*y));
    }
    if points.len() == 1 {
        text.push_str("h0");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_cannot_leave_its_place() {
        let hostile = "</title><script>alert('1')</script>\"&\n\u{7}\u{ffff}";
        let safe = escape(hostile);
        assert_eq!(
            safe,
            "&lt;/title&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&quot;&amp;  \u{fffd}"
        );
    }

    #[test]
    fn paths_are_short_and_a_lone_point_is_a_dot() {
        assert_eq!(path(&[(0.0, 10.04), (12.34, 5.0)]), "M0 10L12.3 5");
        assert_eq!(path(&[(1.0, 2.0)]), "M1 2h0");
        assert_eq!(path(&[]), "");
    }
}
