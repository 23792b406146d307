//! Sources that are asked over HTTP. Their addresses are configuration, so they may reach only what
//! `net` permits; their answers are capped while they arrive and never trusted.

mod catalogue;
mod certificates;
mod document;
mod fetch;
mod pages;
mod path;
mod prometheus;
#[cfg(test)]
mod bad_servers_tests;
#[cfg(test)]
mod prometheus_tests;
#[cfg(test)]
pub(super) mod testing;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tls_tests;

mod validators;

pub use catalogue::prometheus_metrics;
pub(super) use fetch::same_host;
pub(super) use pages::read as read_http;
pub(super) use prometheus::read as read_prometheus;
