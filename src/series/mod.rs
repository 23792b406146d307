//! A batch's history: points and scores in immutable Parquet segments, written once, merged on
//! reading. Which segments there are is the catalog's to say; what is in them is this module's.

mod changed;
mod columns;
mod compaction;
mod error;
mod history;
mod merge;
mod scan;
mod segment;

#[cfg(test)]
mod tests;

pub use columns::ColumnError;
pub use compaction::plan_compaction;
pub use error::SeriesError;
pub use history::History;
pub use segment::{Names, Range};
