//! Times, lengths and sizes as people read them, and names as parts of an address.

use chrono_tz::Tz;

use crate::domain::words::rough;
use crate::domain::{Span, Timestamp};

/// How long ago, in the largest unit that says enough: `just now`, `3 min ago`, `in 2 h`.
pub(super) fn ago(now: Timestamp, at: Timestamp) -> String {
    let past = (now - at).micros();
    let length = rough(Span::from_micros(past.saturating_abs()));
    match past {
        -5_000_000..=5_000_000 => "just now".to_owned(),
        ..-5_000_000 => format!("in {length}"),
        _ => format!("{length} ago"),
    }
}

/// How long something took: `3 ms`, `1.2 s`, `4 min 10 s`.
pub(super) fn took(span: Span) -> String {
    let micros = span.micros().max(0);
    match micros {
        ..1_000_000 => format!("{} ms", micros / 1_000),
        1_000_000..60_000_000 => format!("{:.1} s", micros as f64 / 1e6),
        60_000_000..3_600_000_000 => {
            format!("{} min {} s", micros / 60_000_000, micros % 60_000_000 / 1_000_000)
        }
        _ => format!("{} h {} min", micros / 3_600_000_000, micros % 3_600_000_000 / 60_000_000),
    }
}

/// A size in binary units.
pub(super) fn bytes(n_bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    let mut size = n_bytes as f64;
    let mut unit = "B";
    for larger in units {
        if size < 1024.0 {
            break;
        }
        size /= 1024.0;
        unit = larger;
    }
    if unit == "B" { format!("{n_bytes} B") } else { format!("{size:.1} {unit}") }
}

/// The whole time in a zone, with the zone's short name.
pub(super) fn full(at: Timestamp, tz: Tz) -> String {
    at.to_utc().with_timezone(&tz).format("%a %-d %b %Y, %H:%M:%S %Z").to_string()
}

/// A name as one part of an address: everything but unreserved characters percent-encoded.
pub(super) fn segment(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                text.push(char::from(byte));
            }
            other => text.push_str(&format!("%{other:02X}")),
        }
    }
    text
}

/// The address of a metric's page. A browser would take a metric called `.` or `..` for a step up,
/// encoded or not, so those two are asked for by query.
pub(super) fn metric_href(batch: &str, metric: &str) -> String {
    let batch = segment(batch);
    match metric {
        "." | ".." => format!("/batches/{batch}/metric?name={metric}"),
        other => format!("/batches/{batch}/metrics/{}", segment(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_ago(secs: i64, expected: &str) {
        let now = Timestamp::from_secs(1_000_000_000).unwrap();
        assert_eq!(ago(now, now - Span::secs(secs)), expected);
    }

    #[test]
    fn times_are_told_relative_to_now() {
        check_ago(0, "just now");
        check_ago(59, "59 s ago");
        check_ago(60, "1 min ago");
        check_ago(7_199, "1 h ago");
        check_ago(86_400, "24 h ago");
        check_ago(172_800, "2 d ago");
        check_ago(-300, "in 5 min");
    }

    #[test]
    fn lengths_and_sizes_have_one_unit_people_know() {
        assert_eq!(took(Span::from_micros(3_400)), "3 ms");
        assert_eq!(took(Span::from_micros(1_240_000)), "1.2 s");
        assert_eq!(took(Span::secs(250)), "4 min 10 s");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1_536), "1.5 KiB");
    }

    #[test]
    fn every_metric_name_has_an_address_a_browser_keeps() {
        for (name, expected) in [
            ("orders.total", "/batches/shop/metrics/orders.total"),
            ("../../x", "/batches/shop/metrics/..%2F..%2Fx"),
            ("a b?#&", "/batches/shop/metrics/a%20b%3F%23%26"),
            ("two\nlines", "/batches/shop/metrics/two%0Alines"),
            ("🚀", "/batches/shop/metrics/%F0%9F%9A%80"),
            ("..", "/batches/shop/metric?name=.."),
        ] {
            assert_eq!(metric_href("shop", name), expected);
        }
    }
}
