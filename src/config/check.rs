//! One pass over a project's files: collects every problem, and what must not be shown with it.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use crate::domain::StorageAccess;

use super::{ParamsRule, place::Place, problem::Problem, snapshot::Snapshot};

/// Whether a missing key is a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Completeness {
    /// All of a batch: required keys must be there.
    Whole,
    /// `defaults.toml` by itself: anything may be missing.
    Partial,
}

/// What one pass has found so far.
pub(super) struct Check {
    /// The project folder, absolute.
    pub(super) dir: PathBuf,
    pub(super) completeness: Completeness,
    pub(super) params_rule: ParamsRule,
    /// The storage profiles there are; unknown until the system's file was read.
    pub(super) profiles: Option<BTreeMap<String, StorageAccess>>,
    /// The files read so far.
    pub(super) snapshot: Snapshot,
    found: Vec<Finding>,
    secrets: Vec<Place>,
}

struct Finding {
    place: Place,
    message: String,
    help: Option<String>,
}

impl Check {
    pub(super) fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_path_buf(),
            completeness: Completeness::Whole,
            params_rule: |_, _| Vec::new(),
            profiles: None,
            snapshot: Snapshot::default(),
            found: Vec::new(),
            secrets: Vec::new(),
        }
    }

    /// The text of a file, which is then part of the snapshot.
    pub(super) fn read_text(&mut self, path: &Path) -> io::Result<String> {
        let bytes = self.snapshot.read(path)?;
        String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    pub(super) fn problem(&mut self, place: &Place, message: impl Into<String>) {
        self.found.push(Finding { place: place.clone(), message: message.into(), help: None });
    }

    pub(super) fn problem_with_help(
        &mut self,
        place: &Place,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let (message, help) = (message.into(), Some(help.into()));
        self.found.push(Finding { place: place.clone(), message, help });
    }

    /// Blanks a stretch of a file wherever a line of it is shown, unless all it says is a
    /// variable's name.
    pub(super) fn hide(&mut self, place: &Place) {
        let written = place.file.text.get(place.span.clone()).unwrap_or_default();
        let name = written.trim_matches(['"', '\'']).strip_prefix("${");
        let name = name.and_then(|name| name.strip_suffix('}')).unwrap_or_default();
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(is_word) {
            self.secrets.push(place.clone());
        }
    }

    /// Every problem once, by file, line and column. A problem in a default is met once for each
    /// batch, so equal ones are folded.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        let mut problems: Vec<Problem> = self
            .found
            .into_iter()
            .map(|finding| {
                let shown = finding.place.show(&self.secrets);
                Problem {
                    file: finding.place.file.name.clone(),
                    line: shown.line,
                    column: shown.column,
                    width: shown.width,
                    message: finding.message,
                    source: shown.source,
                    help: finding.help,
                }
            })
            .collect();
        problems.sort();
        problems.dedup();
        problems
    }
}
