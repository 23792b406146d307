//! `[explain]`: a language model elsewhere that is asked to put alerts into plain words.

use serde::{Deserialize, Serialize};

use super::{Secret, Span};

/// Whom to ask, and how much.
#[derive(Debug, Clone, PartialEq)]
pub struct ExplainSpec {
    /// Where the endpoint's paths begin, as in `https://api.example.com/v1`; secret, because an
    /// address may carry a token.
    pub url: Secret,
    /// Which model is asked.
    pub model: String,
    /// What is sent to prove who asks.
    pub api_key: Option<Secret>,
    /// How long the first message about an alert waits for an answer.
    pub timeout: Span,
    /// Longest answer, in the model's tokens.
    pub max_tokens: usize,
    /// Most alerts that are asked about in 24 hours.
    pub daily_limit: usize,
    /// Whether private and loopback addresses may be called.
    pub allow_private: bool,
}

/// What a language model made of an alert. Nobody has checked it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlainWords {
    /// One paragraph of plain text, of bounded length.
    pub text: String,
    /// The model that was asked.
    pub model: String,
}

impl PlainWords {
    /// What stands before the text wherever it is shown.
    pub fn label(&self) -> String {
        format!("written by the language model {}, not checked", super::words::shown(&self.model))
    }
}
