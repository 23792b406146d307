//! What a request asks for: names in its path, filters, pages and stretches of time in its query.
//! A value that makes no sense is said so, never replaced by another.

use axum::{
    extract::{FromRequestParts, Path, Query},
    http::{StatusCode, request::Parts},
};
use serde::{Deserialize, de::DeserializeOwned};

use crate::domain::{BatchName, JobKind, MetricName, RunState, Span, Timestamp, UnknownText};

use super::{failure::Failure, words::segment};
use crate::chart::{Size, Window};

/// Names in the path, percent-decoded.
pub(super) struct Named<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Named<T> {
    type Rejection = Failure;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(names)) => Ok(Self(names)),
            Err(_) => Err(Failure::new(StatusCode::BAD_REQUEST, "the address cannot be read")),
        }
    }
}

/// What the query says.
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Failure;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(asked)) => Ok(Self(asked)),
            Err(rejection) => Err(Failure::bad(rejection.body_text())),
        }
    }
}

/// Which part of a list.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Part {
    pub(super) limit: Option<u32>,
    pub(super) offset: Option<u32>,
}

impl Part {
    /// Items asked for, at most `most`.
    pub(super) fn limit(&self, usual: u32, most: u32) -> u32 {
        self.limit.unwrap_or(usual).clamp(1, most)
    }

    pub(super) fn offset(&self) -> u32 {
        self.offset.unwrap_or(0)
    }
}

/// Which items of a list. Empty values, as forms send them, mean any.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Filter {
    batch: Option<String>,
    metric: Option<String>,
    job: Option<String>,
    state: Option<String>,
    since: Option<String>,
    limit: Option<u32>,
    offset: Option<u32>,
}

impl Filter {
    pub(super) fn part(&self) -> Part {
        Part { limit: self.limit, offset: self.offset }
    }

    pub(super) fn batch(&self) -> Result<Option<BatchName>, Failure> {
        let parsed = given(self.batch.as_ref()).map(BatchName::parse).transpose();
        parsed.map_err(|error| Failure::bad(format!("batch: {error}")))
    }

    pub(super) fn metric(&self) -> Result<Option<MetricName>, Failure> {
        let parsed = given(self.metric.as_ref()).map(MetricName::parse).transpose();
        parsed.map_err(|error| Failure::bad(format!("metric: {error}")))
    }

    pub(super) fn job(&self) -> Result<Option<JobKind>, Failure> {
        let parsed = given(self.job.as_ref()).map(str::parse).transpose();
        parsed.map_err(|error: UnknownText| Failure::bad(format!("job: {error}")))
    }

    pub(super) fn state(&self) -> Result<Option<RunState>, Failure> {
        let parsed = given(self.state.as_ref()).map(str::parse).transpose();
        parsed.map_err(|error: UnknownText| Failure::bad(format!("state: {error}")))
    }

    pub(super) fn since(&self) -> Result<Option<Timestamp>, Failure> {
        instant("since", self.since.as_ref())
    }

    /// The same filter at another part of the list, as an address.
    pub(super) fn href(&self, path: &str, offset: u32) -> String {
        let mut href = format!("{path}?offset={offset}");
        let named = [
            ("batch", &self.batch),
            ("metric", &self.metric),
            ("job", &self.job),
            ("state", &self.state),
            ("since", &self.since),
        ];
        for (name, value) in named {
            if let Some(value) = given(value.as_ref()) {
                href.push_str(&format!("&{name}={}", segment(value)));
            }
        }
        href
    }
}

/// A stretch of time: `range=1d|7d|30d|90d|all`, or `from` and `to`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Stretch {
    pub(super) range: Option<String>,
    pub(super) from: Option<String>,
    pub(super) to: Option<String>,
}

/// The stretches offered, `all` aside.
pub(super) const RANGES: &[(&str, i64)] = &[("1d", 1), ("7d", 7), ("30d", 30), ("90d", 90)];

impl Stretch {
    /// Which of the offered ranges was chosen; none when `from` or `to` is given.
    pub(super) fn chosen<'a>(&'a self, usual: &'a str) -> Option<&'a str> {
        let is_free = given(self.from.as_ref()).or(given(self.to.as_ref())).is_none();
        is_free.then(|| given(self.range.as_ref()).unwrap_or(usual))
    }

    /// The window asked for. A range ends now, or at the newest point where that is longer ago
    /// than the range: an empty chart tells nobody anything.
    pub(super) fn window(
        &self,
        usual: &str,
        now: Timestamp,
        newest: Option<Timestamp>,
    ) -> Result<Window, Failure> {
        let Some(range) = self.chosen(usual) else { return self.free(now) };
        if range == "all" {
            return Ok(Window { from: Timestamp::MIN, to: Timestamp::MAX });
        }
        let Some((_, n_days)) = RANGES.iter().find(|(name, _)| *name == range) else {
            let message = format!("`{range}` is not one of 1d, 7d, 30d, 90d, all");
            return Err(Failure::bad(message));
        };
        Ok(Window::ending(Span::days(*n_days), now, newest))
    }

    fn free(&self, now: Timestamp) -> Result<Window, Failure> {
        let to = instant("to", self.to.as_ref())?.unwrap_or(now);
        let from = instant("from", self.from.as_ref())?.unwrap_or(to - Span::days(7));
        if to <= from {
            return Err(Failure::bad("`from` must be before `to`".to_owned()));
        }
        Ok(Window { from, to })
    }
}

/// A stretch of time as a chart is asked for: `last=7d`, or `from` and `to`; and how large the
/// chart is.
#[derive(Debug, Default, Deserialize)]
pub(super) struct PlotAsked {
    last: Option<String>,
    from: Option<String>,
    to: Option<String>,
    /// Pixels.
    width: Option<f64>,
    /// Pixels.
    height: Option<f64>,
    scale: Option<f64>,
}

impl PlotAsked {
    /// The window asked for; the last week when nothing is said.
    pub(super) fn window(
        &self,
        now: Timestamp,
        newest: Option<Timestamp>,
    ) -> Result<Window, Failure> {
        let free = Stretch { range: None, from: self.from.clone(), to: self.to.clone() };
        if free.chosen("").is_none() {
            return free.free(now);
        }
        let last = given(self.last.as_ref()).unwrap_or("7d");
        let length = Span::parse(last).map_err(|error| Failure::bad(format!("last: {error}")))?;
        if length <= Span::from_micros(0) {
            return Err(Failure::bad(format!("last: `{last}` is no time at all")));
        }
        Ok(Window::ending(length, now, newest))
    }

    /// How large, and how many dots a pixel.
    pub(super) fn size(&self) -> Result<(Size, f64), Failure> {
        let one = |name: &str, given: Option<f64>, usual: f64, (least, most): (f64, f64)| {
            let number = given.unwrap_or(usual);
            let refused = || Failure::bad(format!("{name}: a number from {least} to {most}"));
            (least..=most).contains(&number).then_some(number).ok_or_else(refused)
        };
        let width = one("width", self.width, Size::MESSAGE.width, Size::WIDTHS)?;
        let height = one("height", self.height, Size::MESSAGE.height, Size::HEIGHTS)?;
        let scale = one("scale", self.scale, Size::SCALE, Size::SCALES)?;
        Ok((Size { width, height }, scale))
    }
}

fn given(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.is_empty())
}

fn instant(name: &str, text: Option<&String>) -> Result<Option<Timestamp>, Failure> {
    let parsed = given(text).map(Timestamp::parse).transpose();
    parsed.map_err(|error| Failure::bad(format!("{name}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn stretch(range: &str, from: &str, to: &str) -> Stretch {
        let some = |text: &str| Some(text.to_owned());
        Stretch { range: some(range), from: some(from), to: some(to) }
    }

    #[track_caller]
    fn check(stretch: &Stretch, newest: Option<&str>, expected: (&str, &str)) {
        let now = at("2026-03-10T00:00:00Z");
        let window = stretch.window("7d", now, newest.map(at)).unwrap();
        assert_eq!((window.from, window.to), (at(expected.0), at(expected.1)));
    }

    #[test]
    fn a_range_ends_now_or_at_old_news() {
        let fresh = Some("2026-03-09T23:00:00Z");
        check(&stretch("", "", ""), fresh, ("2026-03-03", "2026-03-10"));
        check(&stretch("1d", "", ""), fresh, ("2026-03-09", "2026-03-10"));
        let old = Some("2026-01-01T00:00:00Z");
        let micro = ("2025-12-31T00:00:00.000001Z", "2026-01-01T00:00:00.000001Z");
        check(&stretch("1d", "", ""), old, micro);
    }

    #[test]
    fn from_and_to_go_before_a_range_and_default_to_a_week() {
        check(&stretch("1d", "2026-01-01", "2026-01-02"), None, ("2026-01-01", "2026-01-02"));
        check(&stretch("", "2026-03-01", ""), None, ("2026-03-01", "2026-03-10"));
        check(&stretch("", "", "2026-03-01"), None, ("2026-02-22", "2026-03-01"));
    }

    #[test]
    fn nonsense_is_refused_in_words() {
        let now = at("2026-03-10");
        let refuse = |stretch: Stretch| stretch.window("7d", now, None).unwrap_err().message;
        assert_eq!(refuse(stretch("2w", "", "")), "`2w` is not one of 1d, 7d, 30d, 90d, all");
        assert_eq!(refuse(stretch("", "2026-01-02", "2026-01-01")), "`from` must be before `to`");
        assert!(refuse(stretch("", "soon", "")).starts_with("from: `soon` is not a time"));
        let filter = Filter { job: Some("dance".into()), ..Filter::default() };
        assert!(filter.job().unwrap_err().message.starts_with("job: `dance` is not one of"));
    }

    #[test]
    fn the_next_part_keeps_the_filter() {
        let filter =
            Filter { batch: Some("a&b".into()), state: Some(String::new()), ..Filter::default() };
        assert_eq!(filter.href("/runs", 50), "/runs?offset=50&batch=a%26b");
    }
}
