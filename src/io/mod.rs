//! The I/O layer: stores of objects by key over a folder, memory or another machine, the documented
//! paths in them, and the formats objects are written in. No other module names an object store.

mod allowance;
mod aside;
mod cache;
mod condition;
mod counters;
mod disk;
mod error;
mod integrity;
mod key;
mod luck;
mod remote;
mod retention;
mod store;
mod stores;
mod workspace;

pub mod artifacts;
pub mod claims;
pub mod codec;
pub mod csv;
pub mod ipc;
pub mod json;
pub mod layout;
pub mod location;
pub mod parquet;
pub mod pickle;
pub mod zarr;

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod testing;

pub use allowance::Allowance;
pub use cache::{Cache, CacheUsage};
pub use counters::{Counters, Counts};
pub use error::StoreError;
pub use integrity::{sha256_hex, verify};
pub use key::{InvalidKey, Key};
pub use object_store;
pub use remote::Patience;
pub use retention::{Rule, expired};
pub use store::{
    Entry, Health, Limits, Listing, Mirrored, Order, Probe, Reader, Stat, Store, Transfer, Usage,
    WriteMode, Writer, Written,
};
pub use stores::{Backend, Opening, Registry, Settings, Stores};
pub use workspace::{Decision, ResultRole, Scoped, Tier, Workspace, decide};
