//! Labelled series from files: NAB's folder (`data/` and `labels/combined_windows.json`), any folder
//! of CSV files with such a JSON file beside them, or CSV files with a column `label`.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::BufReader,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use chrono_tz::Tz;
use serde::Deserialize;

use crate::{
    cli::rows::{Layout, Lines},
    domain::Timestamp,
    evaluate::{Labelled, windows_of_flags, windows_of_times},
    sources,
};

/// Where a folder's labels are looked for, in this order.
const LABEL_FILES: [&str; 4] =
    ["labels/combined_windows.json", "combined_windows.json", "windows.json", "labels.json"];
/// Folders below a data set; more are a loop of links.
const MOST_DEPTH: usize = 8;

/// A CSV file and what is known about its anomalies.
#[derive(Debug)]
pub(super) struct Source {
    path: PathBuf,
    name: String,
    /// `None`: the file's own column says.
    stretches: Option<Vec<(Timestamp, Timestamp)>>,
}

/// A series as read.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) points: Vec<Option<(Timestamp, f64)>>,
    /// Without scores yet.
    pub(super) labelled: Labelled,
}

/// What the labels' file says of each series: stretches, or single instants.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Label {
    Stretch([String; 2]),
    Instant(String),
}

type Labels = BTreeMap<String, Vec<(Timestamp, Timestamp)>>;

/// The series of folders and files, by name; times of labels that name no zone are of this one.
pub(super) fn find(
    paths: &[PathBuf],
    labels: Option<&Path>,
    zone: Tz,
) -> anyhow::Result<Vec<Source>> {
    let given = labels.map(|path| read_labels(path, zone)).transpose()?;
    let mut sources = Vec::new();
    for path in paths {
        if path.is_dir() {
            sources.extend(in_folder(path, given.as_ref(), zone)?);
        } else {
            let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
            let stretches = given.as_ref().map(|labels| of(labels, &name).unwrap_or_default());
            sources.push(Source { path: path.clone(), name, stretches });
        }
    }
    if sources.is_empty() {
        bail!("there is no CSV file; name files, or a folder that holds some");
    }
    Ok(sources)
}

fn in_folder(folder: &Path, given: Option<&Labels>, zone: Tz) -> anyhow::Result<Vec<Source>> {
    let found = LABEL_FILES.iter().map(|name| folder.join(name)).find(|path| path.is_file());
    let own = found.map(|path| read_labels(&path, zone)).transpose()?;
    let labels = given.or(own.as_ref());
    let below = folder.join("data");
    let root = if below.is_dir() { below } else { folder.to_path_buf() };
    let mut files = Vec::new();
    collect(&root, MOST_DEPTH, &mut files)?;
    files.sort();
    let source = |path: PathBuf| {
        let name = path.strip_prefix(&root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
        let stretches = labels.map(|labels| of(labels, &name).unwrap_or_default());
        Source { path, name, stretches }
    };
    Ok(files.into_iter().map(source).collect())
}

/// By the path below the folder, else by the file's name alone.
fn of(labels: &Labels, name: &str) -> Option<Vec<(Timestamp, Timestamp)>> {
    let file = name.rsplit('/').next().unwrap_or(name);
    let same = |key: &&String| key.rsplit('/').next() == Some(file);
    labels.get(name).or_else(|| labels.get(labels.keys().find(same)?)).cloned()
}

fn collect(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("read `{}`", folder.display()))?;
    for entry in entries {
        let path = entry.with_context(|| format!("read `{}`", folder.display()))?.path();
        if path.is_dir() && 0 < depth {
            collect(&path, depth - 1, files)?;
        } else if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv")) {
            files.push(path);
        }
    }
    Ok(())
}

fn read_labels(path: &Path, zone: Tz) -> anyhow::Result<Labels> {
    let at = || format!("read the labels in `{}`", path.display());
    let text = fs::read_to_string(path).with_context(at)?;
    let raw: BTreeMap<String, Vec<Label>> = serde_json::from_str(&text).with_context(at)?;
    let instant = |text: &str| {
        let found = sources::instant(text, zone);
        found.with_context(|| format!("`{text}` is no time")).with_context(at)
    };
    let stretch = |label: &Label| match label {
        Label::Stretch([from, to]) => Ok((instant(from)?, instant(to)?)),
        Label::Instant(one) => instant(one).map(|one| (one, one)),
    };
    let all = raw.into_iter().map(|(name, labels)| {
        let stretches = labels.iter().map(stretch).collect::<anyhow::Result<Vec<_>>>()?;
        Ok((name, stretches))
    });
    all.collect()
}

impl Source {
    /// What a table calls it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Bytes of the file.
    pub(super) fn size(&self) -> u64 {
        fs::metadata(&self.path).map_or(0, |metadata| metadata.len())
    }

    /// Reads the rows and finds the labelled ones; times that name no zone are of this one.
    pub(super) fn read(&self, zone: Tz) -> anyhow::Result<Read> {
        let at = || format!("read `{}`", self.path.display());
        let mut input = BufReader::with_capacity(1 << 16, File::open(&self.path).with_context(at)?);
        let layout = Layout::read(&mut input, zone).with_context(at)?;
        if self.stretches.is_none() && !layout.has_labels() {
            let help = "it has no column `label`; name a file of windows with --labels";
            return Err(anyhow::anyhow!(help)).with_context(at);
        }
        let (mut points, mut times, mut flags) = (Vec::new(), Vec::new(), Vec::new());
        let mut lines = Lines::new(input, layout);
        while let Some(row) = lines.next_row().with_context(at)? {
            points.push(row.point());
            times.push(row.at);
            flags.push(row.is_anomaly);
        }
        let windows = match &self.stretches {
            Some(stretches) => windows_of_times(&times, stretches),
            None => windows_of_flags(&flags),
        };
        let name = self.name.clone();
        Ok(Read { points, labelled: Labelled { name, at: times, windows, scores: Vec::new() } })
    }
}
