//! One question to a language model behind an OpenAI-compatible endpoint (`POST …/chat/completions`).

use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::{Client, Reach, chain, check, quoted, telling_parts};
use crate::domain::{ExplainSpec, Secret};

/// No answer that is worth reading is longer.
const LONGEST_ANSWER: usize = 64 << 10;

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// What the model is to do.
    pub rules: &'a str,
    /// What with.
    pub facts: &'a str,
}

/// A model that gave no answer. The texts hold no part of the address or the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChatError {
    /// The address is none, or is not to be called.
    #[error("the endpoint's address cannot be used: {0}")]
    Address(String),
    /// The exchange failed.
    #[error("the endpoint could not be asked: {0}")]
    Exchange(String),
    /// It did not answer in time.
    #[error("no answer came in time")]
    Late,
    /// It refused.
    #[error("the endpoint answered {status}{said}")]
    Status {
        /// With what.
        status: u16,
        /// Its words, where it has any.
        said: String,
    },
    /// The answer is too long.
    #[error("the answer is longer than {} KiB", LONGEST_ANSWER >> 10)]
    TooLong,
    /// The answer is no completion.
    #[error("the answer holds no text")]
    NoText,
}

#[derive(Deserialize)]
struct Completion {
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    message: Said,
}

#[derive(Deserialize)]
struct Said {
    content: Option<String>,
}

/// Asks once and gives the model's words as they came.
///
/// # Errors
/// [`ChatError`]; nothing is tried again.
pub async fn ask(
    client: &Client,
    spec: &ExplainSpec,
    question: Question<'_>,
    patience: Duration,
) -> Result<String, ChatError> {
    let asked = tokio::time::timeout(patience, exchange(client, spec, question));
    asked.await.unwrap_or(Err(ChatError::Late))
}

async fn exchange(
    client: &Client,
    spec: &ExplainSpec,
    question: Question<'_>,
) -> Result<String, ChatError> {
    let said = |error: reqwest::Error| ChatError::Exchange(chain(&error.without_url()));
    let (url, reach) = address(spec)?;
    let body = json!({
        "model": spec.model,
        "messages": [
            {"role": "system", "content": question.rules},
            {"role": "user", "content": question.facts},
        ],
        "max_tokens": spec.max_tokens,
        "stream": false,
    });
    let mut request = client.to(&url, reach).map_err(said)?.post(url);
    if let Some(key) = &spec.api_key {
        request = request.bearer_auth(key.reveal().trim());
    }
    let request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
    let mut response = request.send().await.map_err(said)?;
    let mut answer = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(said)? {
        if LONGEST_ANSWER < answer.len() + chunk.len() {
            return Err(ChatError::TooLong);
        }
        answer.extend_from_slice(&chunk);
    }
    if !response.status().is_success() {
        return Err(refusal(spec, response.status().as_u16(), &answer));
    }
    let completion =
        serde_json::from_slice::<Completion>(&answer).map_err(|_| ChatError::NoText)?;
    let first = completion.choices.into_iter().next();
    let text =
        first.and_then(|choice| choice.message.content).filter(|text| !text.trim().is_empty());
    text.ok_or(ChatError::NoText)
}

fn address(spec: &ExplainSpec) -> Result<(Url, Reach), ChatError> {
    let reach = if spec.allow_private { Reach::Anywhere } else { Reach::Public };
    let no_url = || ChatError::Address("it is no URL".to_owned());
    let mut url = Url::parse(spec.url.reveal().trim()).map_err(|_| no_url())?;
    check(&url, reach).map_err(|error| ChatError::Address(error.to_string()))?;
    let path = ["chat", "completions"];
    url.path_segments_mut().map_err(|()| no_url())?.pop_if_empty().extend(path);
    Ok((url, reach))
}

/// What an endpoint says of its refusal, without the key and the parts of the address it may repeat.
fn refusal(spec: &ExplainSpec, status: u16, answer: &[u8]) -> ChatError {
    let body: Option<serde_json::Value> = serde_json::from_slice(answer).ok();
    let said = body.as_ref().and_then(|body| body.pointer("/error/message")?.as_str());
    let secrets = spec.api_key.iter().chain([&spec.url]).map(Secret::reveal);
    let said = said.map(|said| format!(": {}", quoted(said, secrets.flat_map(telling_parts))));
    ChatError::Status { status, said: said.unwrap_or_default() }
}

#[cfg(test)]
#[path = "chat_tests.rs"]
mod tests;
