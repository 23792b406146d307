//! Sources that are asked over HTTP. Their addresses are configuration, so they may reach only what
//! `net` permits; their answers are capped while they arrive and never trusted.

mod document;
mod fetch;
mod pages;
#[cfg(test)]
mod tests;

pub(super) use pages::read as read_http;
