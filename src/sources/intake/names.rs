//! A column as metric names: one number a row, one entry a distinct name, so that a million rows of
//! a metric share one text.

use std::collections::BTreeMap;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use polars::prelude::{Column, DataType, PlHashMap};

use crate::{
    domain::{self, MetricName, RejectReason},
    sources::{SourceError, error::printable},
};

/// A distinct name.
pub(super) struct Entry {
    /// The name, or why its rows are left out.
    pub(super) name: Result<MetricName, RejectReason>,
    /// The text of one that is left out, made safe to print.
    left_out: Option<String>,
}

impl Entry {
    /// Its text, made safe to print.
    pub(super) fn shown(&self) -> String {
        let name = self.name.as_ref().map(|name| printable(name.as_str())).ok();
        name.or_else(|| self.left_out.clone()).unwrap_or_default()
    }
}

/// A column's names.
pub(super) struct Names {
    /// For each row its entry.
    pub(super) rows: Vec<u32>,
    /// The distinct names in order of appearance.
    pub(super) entries: Vec<Entry>,
}

/// Reads a long frame's name column.
pub(super) fn read(column: &Column, naming: &Naming) -> Result<Names, SourceError> {
    let wrong = || SourceError::ColumnType {
        column: column.name().to_string(),
        expected: "names",
        found: column.dtype().to_string(),
    };
    let series = column.as_materialized_series();
    let texts = series.cast(&DataType::String).map_err(|_| wrong())?;
    let texts = texts.str().map_err(|_| wrong())?;
    let mut names = Names { rows: Vec::with_capacity(texts.len()), entries: Vec::new() };
    let mut known: PlHashMap<&str, u32> = PlHashMap::default();
    for text in texts.iter() {
        // A missing name is as good as an empty one.
        let text = text.unwrap_or_default();
        let n_known = known.len() as u32;
        let id = *known.entry(text).or_insert_with(|| {
            names.entries.push(naming.entry(text));
            n_known
        });
        names.rows.push(id);
    }
    Ok(names)
}

/// How names are turned into ours.
pub(super) struct Naming {
    rename: BTreeMap<String, String>,
    exclude: GlobSet,
}

impl Naming {
    /// Compiles a source's settings.
    pub(super) fn of(settings: &domain::Naming) -> Result<Self, SourceError> {
        Ok(Self { rename: settings.rename.clone(), exclude: globs(&settings.exclude)? })
    }

    /// What becomes of a name's rows.
    pub(super) fn entry(&self, text: &str) -> Entry {
        let ours = self.rename.get(text).map_or(text, String::as_str);
        let name = if self.exclude.is_match(ours) {
            Err(RejectReason::Excluded)
        } else {
            MetricName::parse(ours).map_err(|_| RejectReason::BadName)
        };
        let left_out = name.is_err().then(|| printable(text));
        Entry { name, left_out }
    }
}

/// Compiles globs over metric names.
fn globs(patterns: &[String]) -> Result<GlobSet, SourceError> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let wrong = |source| SourceError::Glob { pattern: pattern.clone(), source };
        // A backslash is an ordinary character of a name, not an escape.
        set.add(GlobBuilder::new(pattern).backslash_escape(false).build().map_err(wrong)?);
    }
    set.build().map_err(|source| SourceError::Glob { pattern: patterns.join(", "), source })
}
