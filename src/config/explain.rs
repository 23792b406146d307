//! `[explain]` of the system's file: a language model elsewhere that puts alerts into plain words.

use std::sync::Arc;

use crate::domain::{ExplainSpec, Span};

use super::{place::Located, section::Section, system::is_web_address};

/// A first message waits no longer for words that it can do without.
const LONGEST_TIMEOUT: Span = Span::secs(60);
const MOST_TOKENS: usize = 4_096;
const MOST_A_DAY: usize = 100_000;

/// Nothing, unless it is switched on.
pub(super) fn read(explain: &mut Section<'_>) -> Option<Arc<ExplainSpec>> {
    let enabled = explain.flag("enabled", false);
    if enabled && !explain.has("url") {
        explain.missing("url", "write where the endpoint is, as in https://api.example.com/v1");
    }
    if enabled && !explain.has("model") {
        explain.missing("model", "write which model is asked");
    }
    let url = explain.secret("url");
    if let Some(url) = &url
        && !is_web_address(url.value.reveal())
    {
        explain.check.problem(&url.place, "this is not an http:// or https:// address");
    }
    let model = explain.text("model");
    if let Some(model) = model.as_ref().filter(|model| model.value.text.trim().is_empty()) {
        explain.check.problem(&model.place, "`model` must not be empty");
    }
    let api_key = explain.secret("api_key").map(|key| key.value);
    let timeout = timeout(explain);
    let max_tokens = explain.count("max_tokens", 1..=MOST_TOKENS, 300);
    let daily_limit = explain.count("daily_limit", 1..=MOST_A_DAY, 200);
    let allow_private = explain.flag("allow_private", false);
    let (url, model) = (url?.value, model?.value.text);
    let spec = ExplainSpec { url, model, api_key, timeout, max_tokens, daily_limit, allow_private };
    enabled.then(|| Arc::new(spec))
}

fn timeout(explain: &mut Section<'_>) -> Span {
    let usual = Span::secs(10);
    match explain.positive_span("timeout") {
        Some(Located { value, place }) if LONGEST_TIMEOUT < value => {
            let message = format!("`timeout` is {value}; it must be at most {LONGEST_TIMEOUT}");
            explain.check.problem(&place, message);
            usual
        }
        found => found.map_or(usual, |found| found.value),
    }
}
