//! How long a server asks to be left alone.

use crate::domain::{Span, Timestamp};

/// However long a server asks to be left alone, it is called again after this.
const LONGEST_THROTTLE: Span = Span::hours(1);

/// Reads `Retry-After`: seconds, or a date.
pub fn retry_after(header: &str, now: Timestamp) -> Option<Span> {
    let header = header.trim();
    let wait = if !header.is_empty() && header.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit is longer than the longest wait.
        header.parse().map_or(LONGEST_THROTTLE, Span::secs)
    } else {
        Timestamp::from(chrono::DateTime::parse_from_rfc2822(header).ok()?.to_utc()) - now
    };
    Some(wait.clamp(Span::ZERO, LONGEST_THROTTLE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_as_seconds_or_date_and_capped() {
        let now = Timestamp::parse("1994-11-06T08:49:07Z").unwrap();
        for (header, expected) in [
            ("0", Some(Span::ZERO)),
            (" 120 ", Some(Span::secs(120))),
            ("999999", Some(Span::hours(1))),
            ("99999999999999999999999999", Some(Span::hours(1))),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(Span::secs(30))),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(Span::ZERO)),
            ("soon", None),
            ("-5", None),
            ("", None),
        ] {
            assert_eq!(retry_after(header, now), expected, "{header}");
        }
    }
}
