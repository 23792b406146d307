//! Finds and reads a project's TOML files.

use std::{fs, io, path::Path, sync::Arc};

use super::{
    BATCH_DIR, DEFAULTS_FILE, InPlace, SYSTEM_FILE,
    check::Check,
    place::{Place, SourceFile},
};

/// Folders in folders further down than this are a loop of links.
const DEEPEST: usize = 16;

/// The texts of a project's files; those that cannot be read have been reported.
pub(super) struct Files {
    pub(super) system: Option<Arc<SourceFile>>,
    pub(super) defaults: Option<Arc<SourceFile>>,
    /// In order of their paths.
    pub(super) batches: Vec<Arc<SourceFile>>,
}

impl Files {
    /// Takes a text for that of the batch file of its name, or as one more.
    pub(super) fn put(&mut self, other: InPlace) {
        let has_name = |file: &Arc<SourceFile>| {
            file.name.rsplit('/').next().is_some_and(|name| name == other.name)
        };
        let place = self.batches.iter().position(has_name);
        let name = match place {
            Some(place) => self.batches[place].name.clone(),
            None => format!("{BATCH_DIR}/{}", other.name),
        };
        let file = Arc::new(SourceFile { name, text: other.text });
        match place.and_then(|place| self.batches.get_mut(place)) {
            Some(known) => *known = file,
            None => self.batches.push(file),
        }
    }
}

/// Reads what there is. A folder with neither system file nor batches is no project.
pub(super) fn find(dir: &Path, check: &mut Check) -> Files {
    let mut names = Vec::new();
    list(dir, BATCH_DIR, DEEPEST, &mut names, check);
    names.sort();
    if !dir.join(SYSTEM_FILE).exists() && !dir.join(BATCH_DIR).exists() {
        let message = format!("{} is not a project folder", dir.display());
        let help = "`anomstack init DIR` makes one; `--config DIR` names one";
        check.problem_with_help(&unread(SYSTEM_FILE), message, help);
    }
    let has_defaults = names.iter().any(|name| name == DEFAULTS_FILE);
    let batch_names = names.iter().filter(|name| *name != DEFAULTS_FILE);
    Files {
        system: dir.join(SYSTEM_FILE).exists().then(|| read(dir, SYSTEM_FILE, check)).flatten(),
        defaults: has_defaults.then(|| read(dir, DEFAULTS_FILE, check)).flatten(),
        batches: batch_names.filter_map(|name| read(dir, name, check)).collect(),
    }
}

/// Every `.toml` below a folder, by its path from the project folder. Hidden entries are left out:
/// editors and mounted configuration maps keep copies in them.
fn list(dir: &Path, below: &str, depth: usize, names: &mut Vec<String>, check: &mut Check) {
    let entries = match fs::read_dir(dir.join(below)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return,
        Err(error) => {
            check.problem(&unread(below), format!("cannot list this folder: {error}"));
            return;
        }
    };
    for entry in entries {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                check.problem(&unread(below), format!("cannot list this folder: {error}"));
                return;
            }
        };
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{below}/{name}");
        if name.starts_with('.') {
            continue;
        }
        if entry.path().is_dir() {
            if 0 < depth {
                list(dir, &path, depth - 1, names, check);
            }
        } else if name.ends_with(".toml") {
            names.push(path);
        }
    }
}

fn read(dir: &Path, name: &str, check: &mut Check) -> Option<Arc<SourceFile>> {
    match check.read_text(&dir.join(name)) {
        Ok(text) => Some(Arc::new(SourceFile { name: name.to_owned(), text })),
        Err(error) => {
            check.problem(&unread(name), format!("cannot read this file: {error}"));
            None
        }
    }
}

fn unread(name: &str) -> Place {
    Place::start_of(&Arc::new(SourceFile { name: name.to_owned(), text: String::new() }))
}
