//! Globs over metric names, as the batch files use them. The globs were checked when the
//! configuration was read, so one that does not compile here matches nothing.

use globset::{Glob, GlobSet, GlobSetBuilder};

use crate::domain::MetricName;

/// Some globs, compiled once for a run.
pub(super) struct NameFilter(GlobSet);

impl NameFilter {
    pub(super) fn new(globs: &[String]) -> Self {
        let mut builder = GlobSetBuilder::new();
        globs.iter().filter_map(|glob| Glob::new(glob).ok()).for_each(|glob| {
            builder.add(glob);
        });
        Self(builder.build().unwrap_or_else(|_| GlobSet::empty()))
    }

    pub(super) fn matches(&self, metric: &MetricName) -> bool {
        self.0.is_match(metric.as_str())
    }
}
