//! Anomstack: ingest → train → score → alert for batches of metrics. The modules in layer order;
//! each uses only those above it in this list.

pub mod domain;

pub mod config;
pub mod telemetry;

pub mod compute;
pub mod io;
pub mod net;
pub mod series;
pub mod catalog;
pub mod sources;
pub mod features;
pub mod detect;
pub mod alerting;
pub mod evaluate;
mod chart;
pub mod notify;

pub mod jobs;
pub mod push;
pub mod runtime;
pub mod http;
pub mod cli;
