//! What is wrong with a project's files, for people and for programs.

use std::{collections::BTreeSet, fmt};

use serde::Serialize;

use super::render::{Color, render};

/// One mistake and where it is. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// The file below the project folder, or `environment`.
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
    /// How many characters are meant; at least 1.
    pub width: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it, as in "did you mean `schedule`?".
    pub help: Option<String>,
    /// The line as written, secrets blanked; empty when there is none to show.
    pub source: String,
}

/// One line, as in `shop.toml:3:1: unknown key (did you mean …?)`, for logs.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, message, help, .. } = self;
        write!(f, "{file}:{line}:{column}: {message}")?;
        help.as_ref().map_or(Ok(()), |help| write!(f, " ({help})"))
    }
}

/// Everything that is wrong with a project, by file, line and column. Never empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// Every problem with its source line, and a last line that counts them.
    pub fn render(&self, color: Color) -> String {
        let shown: Vec<String> = self.0.iter().map(|problem| render(problem, color)).collect();
        format!("{}\n\n{}", shown.join("\n\n"), self.summary())
    }

    /// As in `12 problems in 3 files`.
    pub fn summary(&self) -> String {
        let n_problems = self.0.len();
        let files: BTreeSet<&str> = self.0.iter().map(|problem| problem.file.as_str()).collect();
        let plural = |n: usize| if n == 1 { "" } else { "s" };
        let n_files = files.len();
        format!("{n_problems} problem{} in {n_files} file{}", plural(n_problems), plural(n_files))
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(Color::Never))
    }
}

impl std::error::Error for Problems {}
