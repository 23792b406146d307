//! The HTTP server: health, metrics, JSON API and dashboard. The only module that names axum and
//! hyper. Everything it shows is read; nothing is changed here.

mod chart;
mod failure;
mod limits;
mod patient;
mod server;

pub use limits::Limits;
