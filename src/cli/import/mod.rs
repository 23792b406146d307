//! `anomstack import-anomstack`: reads a folder of the Python Anomstack's metric batches (YAML, SQL
//! in Jinja, Python functions) and writes batches of this program, with a report of what became of
//! every key.

mod batch;
mod folder;
mod keys;
mod models;
mod python;
mod report;
mod source;
mod sql;
mod tables;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use clap::Args;

use crate::config::{self, Environment};

use self::{
    folder::Folder,
    report::{Report, Verdict},
};
use super::{Global, Outcome, check, init::batch_name};

/// What `import-anomstack` takes.
#[derive(Debug, Args)]
pub(super) struct Import {
    /// The folder of the batches: `metrics/` of an Anomstack project, with defaults/defaults.yaml
    dir: PathBuf,
    /// The project folder to write to; without it, the one that --config names
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Only report what would become of every key
    #[arg(long)]
    dry_run: bool,
}

/// A file to write, by its path below the project folder.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Written {
    path: String,
    text: String,
}

/// Everything that came of a folder.
#[derive(Debug, Default)]
struct Imported {
    files: Vec<Written>,
    report: Report,
    n_batches: usize,
}

/// Reads, reports, writes and checks.
pub(super) fn import(global: &Global, import: &Import) -> anyhow::Result<Outcome> {
    let out = import.out.clone().unwrap_or_else(|| global.config.clone());
    let folder = folder::read(&import.dir, &Environment::from_process().into_inner())?;
    let imported = imported(&folder);
    if !import.dry_run {
        write(&imported.files, &out)?;
    }
    let problems = match import.dry_run {
        true => None,
        false => check::load(&out).err(),
    };
    report::print(global, &imported, (!import.dry_run).then_some(out.as_path()))?;
    match problems {
        Some(problems) => {
            check::print_problems(&problems);
            Ok(Outcome::Problems)
        }
        None => Ok(Outcome::Done),
    }
}

fn imported(folder: &Folder) -> Imported {
    let mut imported = Imported::default();
    let defaults = batch::defaults(folder, &mut imported.report);
    imported.files.push(defaults);
    let mut names = BTreeSet::new();
    for found in &folder.batches {
        if !names.insert(batch_name(&found.name)) {
            let note =
                format!("another batch has this name already; {} was passed over", found.file);
            imported.report.add((&found.name, "metric_batch"), Verdict::Cannot, "", &note);
            continue;
        }
        let files = batch::files(folder, found, &mut imported.report);
        imported.files.extend(files);
        imported.n_batches += 1;
    }
    if imported.files.iter().any(|file| file.path.ends_with(python::ENDING)) {
        imported
            .files
            .push(Written { path: python::RUNNER_PATH.into(), text: python::RUNNER.into() });
    }
    imported
}

/// Writes all files or, when one is there already, none.
fn write(files: &[Written], out: &Path) -> anyhow::Result<()> {
    let there: Vec<String> = files
        .iter()
        .map(|file| out.join(&file.path))
        .filter(|path| fs::symlink_metadata(path).is_ok())
        .map(|path| path.display().to_string())
        .collect();
    if !there.is_empty() {
        bail!("refuse to overwrite {}; --out names another folder", there.join(", "));
    }
    for file in files {
        let path = out.join(&file.path);
        let parent = path.parent().unwrap_or(out);
        fs::create_dir_all(parent).with_context(|| format!("create {}", parent.display()))?;
        fs::write(&path, &file.text).with_context(|| format!("write {}", path.display()))?;
    }
    config::scaffold_bare(out)?;
    Ok(())
}
