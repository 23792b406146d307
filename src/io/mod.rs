//! The I/O layer: one store over a folder or memory, the documented paths in it, and the formats
//! objects are written in. No other module names an object store.

mod error;
mod integrity;
mod key;
mod local;
mod store;

pub mod csv;
pub mod json;
pub mod layout;
pub mod location;
pub mod parquet;
pub mod pickle;

#[cfg(test)]
mod conformance;

pub use error::StoreError;
pub use integrity::{sha256_hex, verify};
pub use key::{InvalidKey, Key};
pub use store::{Stat, Store, WriteMode};
