//! A project's files → [`Project`]. Every problem of every file comes out at once, so nothing stops
//! at a first mistake: a file is read as a tree with places (`document`), `defaults.toml` is merged
//! under each batch, the environment is put on top (`overrides`), and each table is then read key
//! by key (`section`). Derived `serde` readers would end a file at its first error.

mod alert;
mod batch;
mod calendar;
mod channels;
mod check;
mod command_source;
mod document;
mod environment;
mod explain;
mod expand;
mod file_source;
mod files;
mod kinds;
mod later;
mod overrides;
mod place;
mod problem;
mod push_source;
mod render;
mod rules;
mod scaffold;
mod routes;
mod schedule;
mod section;
mod snapshot;
mod source;
mod storage;
mod system;
mod texts;
mod values;
mod watch;
mod web_source;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::domain::{BatchName, BatchSpec, DetectorKind, ParamValue, SystemSpec};

pub use calendar::country_holidays;
pub use environment::{Environment, program};
pub(crate) use later::did_you_mean;
pub use problem::{Problem, Problems};
pub use render::Color;
pub use scaffold::{ScaffoldError, scaffold, scaffold_bare};
pub use snapshot::Snapshot;

use batch::BatchContext;
use check::{Check, Completeness};
use document::{Node, Table, Value, merge};
use place::{Place, SourceFile};

/// The system's file, below the project folder.
pub const SYSTEM_FILE: &str = "config/anomstack.toml";
/// The folder of the batches.
pub const BATCH_DIR: &str = "metric_batches";
/// What every batch starts from.
pub const DEFAULTS_FILE: &str = "metric_batches/defaults.toml";

/// A project folder, read and checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Project {
    /// The folder, absolute.
    pub dir: PathBuf,
    /// `config/anomstack.toml`.
    pub system: SystemSpec,
    /// `metric_batches/`, by name.
    pub batches: Vec<BatchSpec>,
}

/// What is wrong with a detector's parameters, one sentence each. Which parameters there are is
/// known to the detectors, a layer above this one.
pub type ParamsRule = fn(DetectorKind, &BTreeMap<String, ParamValue>) -> Vec<String>;

/// Reads a project folder with `.env` and these variables; detectors' parameters are only checked
/// to be plain values.
///
/// # Errors
/// [`Problems`], all of all files.
pub fn load(dir: &Path, env: &Environment) -> Result<Project, Problems> {
    read(dir, env, |_, _| Vec::new()).outcome
}

/// What came of reading a project folder, and of which files.
#[derive(Debug)]
pub struct Reading {
    /// The project, or all problems of all files.
    pub outcome: Result<Project, Problems>,
    /// The files it was read from.
    pub snapshot: Snapshot,
}

/// [`load`] with a rule for the detectors' parameters, also telling which files with which contents
/// that was.
pub fn read(dir: &Path, env: &Environment, rule: ParamsRule) -> Reading {
    read_with(dir, env, rule, None)
}

/// A batch file's text that is read in place of a file of the project.
#[derive(Debug, Clone, PartialEq)]
pub struct InPlace {
    /// The file's name, as in `shop.toml`; a project without such a file has one more.
    pub name: String,
    /// What it holds.
    pub text: String,
}

/// [`read`], as if one batch file held another text.
pub fn read_with(
    dir: &Path,
    env: &Environment,
    rule: ParamsRule,
    other: Option<InPlace>,
) -> Reading {
    let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_path_buf());
    let mut check = Check::new(&dir);
    check.params_rule = rule;
    let env = env.with_dotenv(&dir, &mut check);
    let mut files = files::find(&dir, &mut check);
    if let Some(other) = other {
        files.put(other);
    }
    let (system, is_known) = read_system(files.system.as_ref(), &env, &mut check);
    let channels: Vec<String> = system.channels.keys().cloned().collect();
    let channels = is_known.then_some(channels.as_slice());
    check.profiles = is_known.then(|| system.profiles.clone());
    let defaults = read_defaults(files.defaults.as_ref(), channels, &env, &mut check);
    let drafts = drafts(&files.batches, &defaults, &env, &mut check);
    let mut batches: Vec<BatchSpec> =
        drafts.into_iter().map(|draft| draft.read(channels, &mut check)).collect();
    for batch in &mut batches {
        batch.routes = Arc::clone(&system.routes);
        batch.explain = system.explain.clone();
    }
    batches.sort_by(|one, other| one.name.cmp(&other.name));
    let snapshot = std::mem::take(&mut check.snapshot);
    let outcome = match check.into_problems() {
        problems if problems.is_empty() => Ok(Project { dir, system, batches }),
        problems => Err(Problems(problems)),
    };
    Reading { outcome, snapshot }
}

/// One batch's text, read as if it were a file of the project of that name and the only one.
/// Channels are taken as they are named.
///
/// # Errors
/// [`Problems`], all of the text.
pub fn read_batch(
    dir: &Path,
    stem: &str,
    text: &str,
    env: &Environment,
) -> Result<BatchSpec, Problems> {
    let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_path_buf());
    let mut check = Check::new(&dir);
    let env = env.with_dotenv(&dir, &mut check);
    let name = format!("{BATCH_DIR}/{stem}.toml");
    let file = Arc::new(SourceFile { name, text: text.to_owned() });
    let draft = drafts(&[file], &Table::new(), &env, &mut check).pop();
    let batch = draft.map(|draft| draft.read(None, &mut check));
    match (batch, check.into_problems()) {
        (Some(batch), problems) if problems.is_empty() => Ok(batch),
        (_, problems) => Err(Problems(problems)),
    }
}

/// The system's settings, and whether the file could be read at all.
fn read_system(
    file: Option<&Arc<SourceFile>>,
    env: &Environment,
    check: &mut Check,
) -> (SystemSpec, bool) {
    let parsed = file.map(|file| document::parse(file, env, check));
    let is_known = !matches!(parsed, Some(None));
    let mut table = parsed.flatten().unwrap_or_default();
    overrides::apply_to_system(&mut table, env, check);
    let place = start(file, SYSTEM_FILE);
    let (system, _) = section::read_file(table, &place, check, system::read);
    (system, is_known)
}

/// The tree every batch starts from. It is also read by itself, so that a mistake in it is found
/// when no batch uses the key.
fn read_defaults(
    file: Option<&Arc<SourceFile>>,
    channels: Option<&[String]>,
    env: &Environment,
    check: &mut Check,
) -> Table {
    let Some(file) = file else { return Table::new() };
    let Some(mut table) = document::parse(file, env, check) else {
        // What a batch lacks may be in it.
        check.completeness = Completeness::Partial;
        return Table::new();
    };
    if let Some(name) = table.remove("name") {
        check.problem(&name.key, "a name belongs in a batch's own file");
    }
    let Ok(name) = BatchName::parse("defaults") else { return table };
    let query_dirs = [check.dir.join(BATCH_DIR)];
    let context = BatchContext { name, query_dirs: &query_dirs, channels };
    check.completeness = Completeness::Partial;
    batch::read(table.clone(), &Place::start_of(file), &context, check);
    check.completeness = Completeness::Whole;
    table
}

/// A batch's merged tree, not yet read.
struct Draft {
    name: BatchName,
    table: Table,
    place: Place,
    query_dirs: [PathBuf; 2],
}

impl Draft {
    fn read(self, channels: Option<&[String]>, check: &mut Check) -> BatchSpec {
        let Self { name, table, place, query_dirs } = self;
        let context = BatchContext { name, query_dirs: &query_dirs, channels };
        batch::read(table, &place, &context, check)
    }
}

/// Every batch file that has a name, defaults below and environment on top.
fn drafts(
    files: &[Arc<SourceFile>],
    defaults: &Table,
    env: &Environment,
    check: &mut Check,
) -> Vec<Draft> {
    let mut named: BTreeMap<String, Place> = BTreeMap::new();
    let mut drafts = Vec::new();
    let mut tables = Vec::new();
    for file in files {
        let Some(own) = document::parse(file, env, check) else { continue };
        let Some((name, place)) = name_of(file, &own, check) else { continue };
        if let Some(other) = named.get(name.as_str()) {
            let line = other.show(&[]).line;
            let help = format!("the other one is {}:{line}", other.file.name);
            check.problem_with_help(&place, format!("two batches are called `{name}`"), help);
        }
        named.entry(name.to_string()).or_insert(place);
        tables.push((name.to_string(), merge(defaults, own)));
        let below = Path::new(&file.name).parent().unwrap_or(Path::new(BATCH_DIR));
        let query_dirs = [check.dir.join(below), check.dir.join(BATCH_DIR)];
        let place = Place::start_of(file);
        drafts.push(Draft { name, table: Table::new(), place, query_dirs });
    }
    overrides::apply_to_batches(&mut tables, env, check);
    for (draft, (_, table)) in drafts.iter_mut().zip(tables) {
        draft.table = table;
    }
    drafts
}

/// A batch's name and where it is written: its `name`, else the file's stem.
fn name_of(file: &Arc<SourceFile>, table: &Table, check: &mut Check) -> Option<(BatchName, Place)> {
    let (text, place) = match table.get("name").map(|entry| &entry.node) {
        Some(Node { value: Value::Text(text) | Value::Expanded(text), place }) => {
            (text.clone(), place.clone())
        }
        Some(Node { value: Value::Broken, .. }) => (stem(file), Place::start_of(file)),
        Some(Node { value, place }) => {
            check.problem(place, format!("`name` must be a text, not {}", value.type_name()));
            (stem(file), Place::start_of(file))
        }
        None => (stem(file), Place::start_of(file)),
    };
    match BatchName::parse(&text) {
        Ok(name) => Some((name, place)),
        Err(error) => {
            check.problem(&place, error.to_string());
            let name = BatchName::parse(&stem(file)).ok()?;
            Some((name, place))
        }
    }
}

fn stem(file: &SourceFile) -> String {
    let stem = Path::new(&file.name).file_stem().unwrap_or_default();
    stem.to_string_lossy().into_owned()
}

fn start(file: Option<&Arc<SourceFile>>, name: &str) -> Place {
    let absent = || Arc::new(SourceFile { name: name.into(), text: String::new() });
    Place::start_of(&file.map_or_else(absent, Arc::clone))
}
