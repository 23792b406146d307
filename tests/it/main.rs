//! Integration tests, one binary: each module says what it is about.
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up should fail there")]

/// The layers of the crate, checked against the source text.
mod layers;

/// What the tests share.
mod support;

/// kill -9 at random moments of a pass.
mod kills;
