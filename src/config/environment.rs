//! The environment as a value: the process's variables, and those of the project's `.env` where
//! the process has none of that name.

use std::{collections::BTreeMap, fmt, io, path::Path, sync::Arc};

use super::{
    check::Check,
    place::{Place, SourceFile},
};

/// This program's own file.
///
/// # Errors
/// What the system says when it cannot be found.
pub fn program() -> io::Result<std::path::PathBuf> {
    std::env::current_exe()
}

/// Environment variables by name. `Debug` shows the names only: values are often secrets.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The variables of this process; those that are not Unicode are left out. The one place that
    /// reads the environment.
    pub fn from_process() -> Self {
        let readable = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self(std::env::vars_os().filter_map(readable).collect())
    }

    /// Exactly these variables.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }

    /// Every variable with its value.
    pub fn into_inner(self) -> BTreeMap<String, String> {
        self.0
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// These variables over those of the project's `.env`. Never touches the process.
    pub(super) fn with_dotenv(&self, dir: &Path, check: &mut Check) -> Self {
        let text = match check.snapshot.read(&dir.join(".env")) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return self.clone(),
            Err(error) => {
                let place = Place::start_of(&dotenv_file(String::new()));
                check.problem(&place, format!("cannot be read: {error}"));
                return self.clone();
            }
        };
        let mut merged = BTreeMap::new();
        for item in dotenvy::from_read_iter(text.as_slice()) {
            match item {
                Ok((name, value)) => {
                    merged.insert(name, value);
                }
                Err(error) => refuse_line(&String::from_utf8_lossy(&text), &error, check),
            }
        }
        merged.extend(self.0.clone());
        Self(merged)
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

fn dotenv_file(text: String) -> Arc<SourceFile> {
    Arc::new(SourceFile { name: ".env".into(), text })
}

/// Names the line, and shows nothing of it: a broken line of `.env` may hold a secret.
fn refuse_line(text: &str, error: &dotenvy::Error, check: &mut Check) {
    let line = match error {
        dotenvy::Error::LineParse(line, _) => line.lines().next().unwrap_or_default(),
        _ => "",
    };
    let n_before = text.lines().position(|candidate| candidate == line).unwrap_or(0);
    let file = dotenv_file("\n".repeat(n_before));
    let place = Place { span: n_before..n_before, file };
    check.problem_with_help(&place, "this line is not `NAME=value`", "quote values with spaces");
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn debug_shows_names_and_no_values() {
        let env = Environment::from_pairs([("TOKEN", "hunter2")]);
        assert_eq!(format!("{env:?}"), r#"{"TOKEN"}"#);
    }

    #[test]
    fn the_process_wins_over_dotenv_and_a_broken_line_is_named_but_not_shown() {
        let dir = tempfile::tempdir().unwrap();
        let text = "A=file\nB='two words'\nhunter2 is no pair\nC=3\n";
        fs::write(dir.path().join(".env"), text).unwrap();
        let mut check = Check::new(dir.path());
        let env = Environment::from_pairs([("A", "process")]).with_dotenv(dir.path(), &mut check);
        assert_eq!((env.get("A"), env.get("B")), (Some("process"), Some("two words")));
        assert_eq!(env.get("C"), Some("3"));
        let problems = check.into_problems();
        assert_eq!((problems[0].file.as_str(), problems[0].line), (".env", 3));
        assert!(!format!("{problems:?}").contains("hunter2"), "{problems:?}");
    }
}
