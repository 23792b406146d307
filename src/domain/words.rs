//! Numbers and foreign texts as people read them: in reasons, messages, tables and pages.

use std::borrow::Cow;

use chrono_tz::Tz;

use super::{Span, Timestamp};

/// Longest foreign text on one line, in characters.
const MAX_SHOWN: usize = 120;

/// Four significant digits, thousands marked, whole numbers whole; the very large and very small
/// in e-notation.
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return "no number".to_owned();
    }
    let size = value.abs();
    if size == 0.0 {
        return "0".to_owned();
    }
    if !(1e-4..1e15).contains(&size) {
        let text = format!("{value:.3e}");
        return match text.split_once('e') {
            Some((digits, power)) => format!("{}e{power}", trimmed(digits)),
            None => text,
        };
    }
    let magnitude = size.log10().floor() as i32;
    let n_decimals = usize::try_from(3 - magnitude).unwrap_or(0);
    let text = format!("{value:.n_decimals$}");
    match text.split_once('.') {
        Some((whole, _)) => {
            let decimals = &trimmed(&text)[whole.len()..];
            format!("{}{decimals}", with_thousands(whole))
        }
        None => with_thousands(&text),
    }
}

/// A count with its thousands marked.
pub fn count(n: u64) -> String {
    with_thousands(&n.to_string())
}

/// A length in its largest unit: `45 s`, `3 min`, `7 h`, `12 d`, `3 years`.
pub fn rough(span: Span) -> String {
    let secs = span.micros() / 1_000_000;
    match secs {
        ..60 => format!("{secs} s"),
        60..3_600 => format!("{} min", secs / 60),
        3_600..172_800 => format!("{} h", secs / 3_600),
        172_800..63_072_000 => format!("{} d", secs / 86_400),
        _ => format!("{} years", secs / 31_536_000),
    }
}

/// A length in its two largest units: `45 s`, `25 min`, `2 h 25 min`, `3 d 4 h`.
pub fn length(span: Span) -> String {
    let secs = span.micros().max(0) / 1_000_000;
    let two = |n: i64, (large, size): (&str, i64), (small, part): (&str, i64)| {
        let rest = n % size / part;
        let large = format!("{} {large}", n / size);
        if rest == 0 { large } else { format!("{large} {rest} {small}") }
    };
    match secs {
        ..60 => format!("{secs} s"),
        60..3_600 => format!("{} min", secs / 60),
        3_600..86_400 => two(secs, ("h", 3_600), ("min", 60)),
        _ => two(secs, ("d", 86_400), ("h", 3_600)),
    }
}

/// An instant on the clocks of a zone: `14:05, Sat 31 Jan 2026 (Europe/Dublin)`.
pub fn instant(at: Timestamp, zone: Tz) -> String {
    let civil = at.to_utc().with_timezone(&zone);
    format!("{} ({})", civil.format("%H:%M, %a %-d %b %Y"), zone.name())
}

/// From one instant to another on the clocks of a zone; a day both lie in is named once.
pub fn stretch(from: Timestamp, until: Timestamp, zone: Tz) -> String {
    let civil = from.to_utc().with_timezone(&zone);
    let same_day = civil.date_naive() == until.to_utc().with_timezone(&zone).date_naive();
    let from = civil.format(if same_day { "%H:%M" } else { "%H:%M, %a %-d %b %Y" });
    format!("{from} to {}", instant(until, zone))
}

/// A text from outside on one line: control, direction-changing and invisible characters are
/// written as escapes, and a long one is cut.
pub fn shown(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}…", one_line(&text[..end])),
        None => one_line(text),
    }
}

/// As [`shown`], at its full length.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() || is_invisible(character) {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}

/// Characters that change the order or the look of their neighbours without being seen.
const fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}'
    )
}

/// A text from outside as a cell of a table that a spreadsheet may open: what it would take for a
/// formula begins with `'`, by which it is shown as it is.
pub fn cell(text: &str) -> Cow<'_, str> {
    match text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) {
        true => Cow::Owned(format!("'{text}")),
        false => Cow::Borrowed(text),
    }
}

fn trimmed(digits: &str) -> &str {
    if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits }
}

fn with_thousands(whole: &str) -> String {
    let (sign, digits) = match whole.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", whole),
    };
    let mut text = String::from(sign);
    for (n, digit) in digits.chars().enumerate() {
        if 0 < n && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_like_a_person_wrote_them() {
        for (value, expected) in [
            (0.0, "0"),
            (-0.0, "0"),
            (812.0, "812"),
            (1_150.0, "1,150"),
            (1_150.4, "1,150"),
            (-1_234_567.8, "-1,234,568"),
            (999.96, "1,000"),
            (0.034_21, "0.03421"),
            (12.5, "12.5"),
            (0.1, "0.1"),
            (3.000_01, "3"),
            (1e15, "1e15"),
            (-1.234_56e300, "-1.235e300"),
            (1.5e-9, "1.5e-9"),
            (f64::NAN, "no number"),
            (f64::INFINITY, "no number"),
        ] {
            assert_eq!(number(value), expected, "{value:?}");
        }
        assert_eq!(count(1_234_567), "1,234,567");
    }

    #[test]
    fn a_length_is_told_in_two_units_at_most() {
        for (secs, expected) in [
            (-5, "0 s"),
            (45, "45 s"),
            (1_500, "25 min"),
            (7_200, "2 h"),
            (8_700, "2 h 25 min"),
            (86_400, "1 d"),
            (273_600, "3 d 4 h"),
        ] {
            assert_eq!(length(Span::secs(secs)), expected);
        }
    }

    #[test]
    fn an_instant_is_told_by_the_clocks_of_its_zone_which_is_named() {
        let at = |text| Timestamp::parse(text).unwrap();
        let dublin = chrono_tz::Europe::Dublin;
        let (begin, end) = (at("2026-06-30T22:05:00Z"), at("2026-06-30T23:10:30Z"));
        assert_eq!(instant(begin, dublin), "23:05, Tue 30 Jun 2026 (Europe/Dublin)");
        assert_eq!(
            stretch(begin, end, dublin),
            "23:05, Tue 30 Jun 2026 to 00:10, Wed 1 Jul 2026 (Europe/Dublin)"
        );
        assert_eq!(stretch(begin, end, Tz::UTC), "22:05 to 23:10, Tue 30 Jun 2026 (UTC)");
    }

    #[test]
    fn foreign_text_stays_on_one_line_and_cannot_hide_or_colour_anything() {
        assert_eq!(shown("two\nlines\u{1b}[31m"), "two\\nlines\\u{1b}[31m");
        assert_eq!(shown("a\u{202e}b\u{200b}c"), "a\\u{202e}b\\u{200b}c");
        assert_eq!(shown("🚀 größe"), "🚀 größe");
        assert_eq!(shown(&"x".repeat(300)).chars().count(), 121);
    }
}
