//! Reads the folder: `defaults/defaults.yaml`, every other `*.yaml` as a batch, and what the
//! environment puts on top, merged as Anomstack does: key by key, not deep.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use serde_json::{Map, Value};

pub(super) type Keys = Map<String, Value>;

/// Folders in folders further down than this are a loop of links.
const DEEPEST: usize = 16;

/// Where the defaults are, today and formerly.
const DEFAULTS: &[&str] = &["defaults/defaults.yaml", "defaults.yaml"];

/// A folder of batches.
#[derive(Debug, Default)]
pub(super) struct Folder {
    pub(super) dir: PathBuf,
    pub(super) defaults: Keys,
    pub(super) batches: Vec<Found>,
    /// Files that are no batches, and why.
    pub(super) passed_over: Vec<(String, String)>,
}

/// A batch's own keys.
#[derive(Debug)]
pub(super) struct Found {
    /// As it calls itself.
    pub(super) name: String,
    /// Its file, below the folder.
    pub(super) file: String,
    /// With what the environment put on top.
    pub(super) keys: Keys,
    /// Keys that the environment gave, and the variable.
    pub(super) from_environment: Vec<(String, String)>,
}

impl Folder {
    /// A batch's value of a key: its own, or the default.
    pub(super) fn value<'a>(&'a self, found: &'a Found, key: &str) -> Option<&'a Value> {
        found.keys.get(key).or_else(|| self.defaults.get(key)).filter(|value| !value.is_null())
    }

    /// All keys of a batch.
    pub(super) fn merged(&self, found: &Found) -> Keys {
        let mut merged = self.defaults.clone();
        merged.extend(found.keys.clone());
        merged
    }
}

/// Reads a folder, or a project that holds it as `metrics`.
pub(super) fn read(dir: &Path, environment: &BTreeMap<String, String>) -> anyhow::Result<Folder> {
    let below = dir.join("metrics");
    let dir = if is_folder(&below) { below } else { dir.to_path_buf() };
    let mut names = Vec::new();
    list(&dir, "", DEEPEST, &mut names)?;
    names.sort();
    let mut folder = Folder { dir, ..Folder::default() };
    let is_defaults = |name: &&String| DEFAULTS.contains(&name.as_str());
    let Some(defaults) = names.iter().find(is_defaults).cloned() else {
        bail!(
            "{} holds no defaults/defaults.yaml: it is no folder of Anomstack's batches",
            folder.dir.display()
        );
    };
    folder.defaults = keys(&folder.dir.join(&defaults))?;
    for name in names.into_iter().filter(|name| *name != defaults) {
        if name.ends_with(".yml") {
            folder.passed_over.push((name, "Anomstack reads only .yaml files".into()));
            continue;
        }
        let mut keys = keys(&folder.dir.join(&name))?;
        let Some(Value::String(batch)) = keys.get("metric_batch").cloned() else {
            folder.passed_over.push((name, "it has no `metric_batch`".into()));
            continue;
        };
        let from_environment = overlay(&batch, &mut keys, environment);
        folder.batches.push(Found { name: batch, file: name, keys, from_environment });
    }
    Ok(folder)
}

fn is_folder(below: &Path) -> bool {
    below.join("defaults").is_dir() || below.join("defaults.yaml").is_file()
}

fn list(dir: &Path, below: &str, depth: usize, names: &mut Vec<String>) -> anyhow::Result<()> {
    let here = dir.join(below);
    for entry in fs::read_dir(&here).with_context(|| format!("list {}", here.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
        if name.starts_with('.') {
            continue;
        }
        if entry.path().is_dir() {
            if 0 < depth {
                list(dir, &path, depth - 1, names)?;
            }
        } else if name.ends_with(".yaml") || name.ends_with(".yml") {
            names.push(path);
        }
    }
    Ok(())
}

fn keys(path: &Path) -> anyhow::Result<Keys> {
    let shown = path.display();
    let text = fs::read_to_string(path).with_context(|| format!("read {shown}"))?;
    let value: Option<Value> =
        serde_saphyr::from_str(&text).with_context(|| format!("read {shown}"))?;
    match value {
        Some(Value::Object(keys)) => Ok(keys),
        None | Some(Value::Null) => Ok(Keys::new()),
        Some(_) => bail!("read {shown}: it holds no keys"),
    }
}

/// `ANOMSTACK__<BATCH>__<KEY>`: the value stays a text, the key is any.
fn overlay(
    batch: &str,
    keys: &mut Keys,
    environment: &BTreeMap<String, String>,
) -> Vec<(String, String)> {
    let prefix = format!("ANOMSTACK__{}__", batch.to_uppercase().replace('-', "_"));
    let mut found = Vec::new();
    for (name, value) in environment {
        if let Some(key) = name.strip_prefix(&prefix) {
            let key = key.to_lowercase();
            keys.insert(key.clone(), Value::String(value.clone()));
            found.push((key, name.clone()));
        }
    }
    found
}
