//! The typed values of a [`Section`]: durations, words of a closed set, numbers in a range, globs.

use std::{fmt::Display, ops::RangeInclusive, str::FromStr};

use crate::domain::{Span, Timestamp, UnknownText};

use super::{
    document::Value,
    later::{NOT_YET, did_you_mean, is_later_word},
    place::Located,
    section::{Section, Text},
};

/// Why a text is refused, and what to do about it.
pub(super) struct Refusal {
    pub(super) message: String,
    pub(super) help: Option<String>,
}

impl<E: std::error::Error> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self { message: error.to_string(), help: None }
    }
}

/// Says which words there are, and which of them was meant.
pub(super) fn refuse_word(text: &str, path: &str, known: &[&str]) -> Refusal {
    let expected = known.join(", ");
    let message = match known {
        [only] => format!("`{text}` is not `{only}`"),
        _ => format!("`{text}` is not one of {expected}"),
    };
    let later = is_later_word(path, text).then(|| NOT_YET.to_owned());
    Refusal { message, help: later.or_else(|| did_you_mean(text, known.iter().copied())) }
}

impl Section<'_> {
    /// A text that has to be there and say something.
    pub(super) fn required_text(&mut self, key: &'static str, help: &str) -> Option<Located<Text>> {
        if !self.has(key) {
            self.missing(key, help);
        }
        let text = self.text(key)?;
        if text.value.text.trim().is_empty() {
            self.check.problem_with_help(&text.place, format!("`{key}` is empty"), help);
            return None;
        }
        Some(text)
    }

    /// A text with a meaning. A refused text is not repeated where variables were filled in.
    pub(super) fn parsed<T>(
        &mut self,
        key: &'static str,
        what: &str,
        parse: impl Fn(&str) -> Result<T, Refusal>,
    ) -> Option<Located<T>> {
        let Located { value: text, place } = self.text(key)?;
        match parse(&text.text) {
            Ok(value) => {
                self.show(key, text.text);
                return Some(Located { value, place });
            }
            Err(refusal) if !text.is_expanded => match refusal.help {
                Some(help) => self.check.problem_with_help(&place, refusal.message, help),
                None => self.check.problem(&place, refusal.message),
            },
            Err(_) => {
                let message = format!("with its variables filled in, `{key}` is not {what}");
                self.check.problem(&place, message);
            }
        }
        None
    }

    /// One word of a closed set.
    pub(super) fn word<T: FromStr<Err = UnknownText>>(
        &mut self,
        key: &'static str,
    ) -> Option<Located<T>> {
        let path = self.general_path(key);
        self.parsed(key, "a known word", |text| {
            text.parse().map_err(|error: UnknownText| {
                refuse_word(text, &path, &error.expected.split(", ").collect::<Vec<_>>())
            })
        })
    }

    /// One word of a closed set, with a default.
    pub(super) fn word_or<T>(&mut self, key: &'static str, default: T) -> T
    where
        T: FromStr<Err = UnknownText> + Display,
    {
        let word = self.word(key).map_or(default, |word| word.value);
        self.show(key, word.to_string());
        word
    }

    /// A length of time, zero allowed.
    pub(super) fn span(&mut self, key: &'static str) -> Option<Located<Span>> {
        self.parsed(key, "a duration", |text| Ok(Span::parse(text)?))
    }

    /// A length of time over zero.
    pub(super) fn positive_span(&mut self, key: &'static str) -> Option<Located<Span>> {
        let span = self.span(key)?;
        if Span::ZERO < span.value {
            return Some(span);
        }
        self.check.problem(&span.place, format!("`{key}` must be longer than nothing"));
        None
    }

    /// A length of time with a default, zero allowed.
    pub(super) fn span_or(&mut self, key: &'static str, default: Span) -> Span {
        let span = self.span(key).map_or(default, |span| span.value);
        self.show(key, span.to_string());
        span
    }

    /// A length of time over zero with a default.
    pub(super) fn positive_span_or(&mut self, key: &'static str, default: Span) -> Span {
        let span = self.positive_span(key).map_or(default, |span| span.value);
        self.show(key, span.to_string());
        span
    }

    /// A whole number in a range, with a default.
    pub(super) fn count(
        &mut self,
        key: &'static str,
        range: RangeInclusive<usize>,
        default: usize,
    ) -> usize {
        let count = self.count_found(key, range).unwrap_or(default);
        self.show(key, whole(count));
        count
    }

    fn count_found(&mut self, key: &'static str, range: RangeInclusive<usize>) -> Option<usize> {
        let found = self.get(key, "a whole number", int)?;
        let count = usize::try_from(found.value).ok().filter(|count| range.contains(count));
        if count.is_none() {
            let (least, most) = (range.start(), range.end());
            let message = if *most == usize::MAX {
                format!("`{key}` is {}; it must be at least {least}", found.value)
            } else {
                format!("`{key}` is {}; it must lie between {least} and {most}", found.value)
            };
            self.check.problem(&found.place, message);
        }
        count
    }

    /// A finite number that passes a rule, with a default. `rule` is said in words when it fails.
    pub(super) fn number(
        &mut self,
        key: &'static str,
        rule: (fn(f64) -> bool, &str),
        default: f64,
    ) -> f64 {
        let number = self.optional_number(key, rule).unwrap_or(default);
        self.show(key, number);
        number
    }

    /// A finite number that passes a rule, if there is one.
    pub(super) fn optional_number(
        &mut self,
        key: &'static str,
        (is_allowed, rule): (fn(f64) -> bool, &str),
    ) -> Option<f64> {
        let found = self.get(key, "a finite number", float)?;
        if !is_allowed(found.value) {
            let message = format!("`{key}` is {}; it must be {rule}", found.value);
            self.check.problem(&found.place, message);
            return None;
        }
        self.show(key, found.value);
        Some(found.value)
    }

    /// An instant, as text or as a TOML date.
    pub(super) fn instant(&mut self, key: &'static str) -> Option<Located<Timestamp>> {
        let read = |value: &Value| match value {
            Value::Time(text) | Value::Text(text) | Value::Expanded(text) => Some(text.clone()),
            _ => None,
        };
        let found = self.get(key, "a date or time", read)?;
        match Timestamp::parse(&found.value) {
            Ok(value) => {
                self.show(key, value.to_string());
                Some(Located { value, place: found.place })
            }
            Err(_) => {
                let help = "write RFC 3339, as in 2026-01-31T09:30:00Z, or a date";
                let message = format!("`{key}` is not a time");
                self.check.problem_with_help(&found.place, message, help);
                None
            }
        }
    }

    /// A list of globs, with a default.
    pub(super) fn globs(&mut self, key: &'static str, default: &[String]) -> Vec<String> {
        let mut globs = Vec::new();
        for Located { value: Text { text, is_expanded }, place } in self.texts_or(key, default) {
            match globset::Glob::new(&text) {
                Ok(_) => globs.push(text),
                Err(error) => {
                    let shown = if is_expanded { "this" } else { &format!("`{text}`") };
                    self.check.problem(&place, format!("{shown} is not a glob: {}", error.kind()));
                }
            }
        }
        globs
    }

    /// A list of texts, with a default. An inherited default has been shown already, perhaps
    /// without its secrets.
    pub(super) fn texts_or(&mut self, key: &'static str, default: &[String]) -> Vec<Located<Text>> {
        if let Some(texts) = self.texts(key) {
            return texts;
        }
        if !self.is_shown(key) {
            self.show(key, default.to_vec());
        }
        let place = self.place.clone();
        let text = |text: &String| Text { text: text.clone(), is_expanded: false };
        default.iter().map(|word| Located { value: text(word), place: place.clone() }).collect()
    }

    /// A number of bytes: a whole number, or as in `64MiB`.
    pub(super) fn size(&mut self, key: &'static str, default: usize) -> usize {
        let read = |value: &Value| match value {
            Value::Int(number) => usize::try_from(*number).ok(),
            Value::Text(text) | Value::Expanded(text) | Value::Override(text) => size(text),
            _ => None,
        };
        let found = self.get(key, "a number of bytes, as in \"64MiB\"", read);
        let size = found.map_or(default, |found| found.value);
        self.show(key, whole(size));
        size
    }
}

/// A count as TOML writes it.
pub(super) fn whole(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A whole number, also as the text of an override or a variable.
pub(super) fn int(value: &Value) -> Option<i64> {
    match value {
        Value::Int(number) => Some(*number),
        Value::Override(text) | Value::Expanded(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn float(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Int(number) => *number as f64,
        Value::Float(number) => *number,
        Value::Override(text) | Value::Expanded(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    number.is_finite().then_some(number)
}

fn size(text: &str) -> Option<usize> {
    let text = text.trim();
    let n_digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(n_digits);
    let factor: usize = match unit.trim() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.parse::<usize>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_bytes_or_binary_units() {
        assert_eq!(
            (size("64MiB"), size("512"), size("2 KiB")),
            (Some(64 << 20), Some(512), Some(2048))
        );
        assert_eq!((size("1GB"), size("MiB"), size("99999999999GiB")), (None, None, None));
    }
}
