//! The orders of listings.

use std::{cmp::Ordering, fmt, str::FromStr};

use crate::io::Key;

/// How keys are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// By their bytes: `f10` before `f2`.
    #[default]
    Bytes,
    /// As people count: `f2` before `f10`.
    Natural,
}

impl FromStr for Order {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "bytes" => Ok(Self::Bytes),
            "natural" => Ok(Self::Natural),
            _ => Err(format!("`{text}` is not one of bytes, natural")),
        }
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bytes => "bytes",
            Self::Natural => "natural",
        })
    }
}

impl Order {
    pub(super) fn compare(self, a: &Key, b: &Key) -> Ordering {
        match self {
            Self::Bytes => a.cmp(b),
            Self::Natural => natural(a.as_str(), b.as_str()),
        }
    }
}

/// Runs of digits count as the numbers they write; equal numbers, and all else, by bytes.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut a_rest, mut b_rest) = (a.as_bytes(), b.as_bytes());
    while let ([first_a, ..], [first_b, ..]) = (a_rest, b_rest) {
        if first_a.is_ascii_digit() && first_b.is_ascii_digit() {
            let (of_a, of_b) = (number(&mut a_rest), number(&mut b_rest));
            match of_a.len().cmp(&of_b.len()).then_with(|| of_a.cmp(of_b)) {
                Ordering::Equal => {}
                order => return order,
            }
        } else if first_a == first_b {
            (a_rest, b_rest) = (&a_rest[1..], &b_rest[1..]);
        } else {
            return first_a.cmp(first_b);
        }
    }
    a_rest.len().cmp(&b_rest.len()).then_with(|| a.cmp(b))
}

/// The digits at the front, without the zeros before them.
fn number<'t>(text: &mut &'t [u8]) -> &'t [u8] {
    let n_digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(n_digits);
    *text = rest;
    let n_zeros = digits.iter().take_while(|byte| **byte == b'0').count();
    &digits[n_zeros..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_count_as_numbers_of_any_length() {
        let mut names =
            ["f10", "f2", "f1", "f02", "f2a", "f", "g1", "f123456789012345678901", "f/3"];
        names.sort_by(|a, b| natural(a, b));
        let expected =
            ["f", "f/3", "f1", "f02", "f2", "f2a", "f10", "f123456789012345678901", "g1"];
        assert_eq!(names, expected);
    }
}
