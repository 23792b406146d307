//! Integration tests, one binary: each module says what it is about.
#![allow(clippy::unwrap_used, reason = "a test that cannot set itself up should fail there")]

/// The layers of the crate, checked against the source text.
mod layers;

/// What the tests share.
mod support;

/// kill -9 at random moments of a pass.
mod kills;

/// Passes done twice, in parts, and as of the past.
mod passes;

/// Metric names that try to be more than data.
mod names;

/// Sources that fail, and rows that are bad.
mod sources;

/// Rows that are hard to score.
mod bad_rows;

/// Damaged models and the versions before them.
mod models;

/// Backtests against the jobs themselves.
mod backtest;

/// Alerts explained, and why there was none.
mod explain;

/// Changes of configuration tried on the past.
mod plan;

/// A disk that is full.
mod disk;

/// Stores from the command line, and objects in a bucket.
mod stores;

/// Every key of `[alert]`, from the file to the list of alerts.
mod alerts;

/// Who is told, how often, and what is never told.
mod delivery;

/// Metrics drawn into files.
mod plot;
/// Channels against the real other side.
mod channels;

/// Mistakes in the configuration.
mod config;

/// A new project folder.
mod init;

/// The demo finds its incidents, once.
mod demo;

/// The daemon from outside.
mod serve;

/// Rows that are sent to the daemon.
mod push;

/// Scores in words.
mod reasons;

/// Foreground runs that are interrupted, and storage that keeps nothing.
mod foreground;

/// Models of every format there has been.
mod formats;

/// The daemon scraped by the real Prometheus, and reading that back.
mod scraped;

/// Folders of the Python Anomstack.
mod import;

/// Bad input through every source.
mod bad_sources;

/// Files exchanged with Python's libraries.
mod interchange;
