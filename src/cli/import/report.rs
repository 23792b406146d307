//! What became of every key, for a person and for a program.

use std::{io::Write, path::Path};

use serde::Serialize;

use super::{
    super::{Global, listing},
    Imported,
};
use crate::domain::words::shown;

/// What became of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    /// It cannot be carried over.
    Cannot,
    /// It is carried over and means something else.
    Changes,
    /// It is carried over.
    Maps,
    /// There is nothing left for it to do.
    Unneeded,
}

impl Verdict {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Cannot => "cannot",
            Self::Changes => "changes",
            Self::Maps => "maps",
            Self::Unneeded => "unneeded",
        }
    }
}

/// One key of one batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Entry {
    pub(super) batch: String,
    pub(super) key: String,
    pub(super) verdict: Verdict,
    /// Where it went.
    pub(super) becomes: String,
    pub(super) note: String,
}

/// Every key.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    pub(super) entries: Vec<Entry>,
}

impl Report {
    pub(super) fn add(
        &mut self,
        (batch, key): (&str, &str),
        verdict: Verdict,
        becomes: &str,
        note: &str,
    ) {
        self.entries.push(Entry {
            batch: batch.to_owned(),
            key: key.to_owned(),
            verdict,
            becomes: becomes.to_owned(),
            note: note.to_owned(),
        });
    }

    /// Whether something was said of a key.
    pub(super) fn has(&self, batch: &str, key: &str) -> bool {
        self.entries.iter().any(|entry| entry.batch == batch && entry.key == key)
    }
}

/// Prints the report, and what was written where.
pub(super) fn print(
    global: &Global,
    imported: &Imported,
    out: Option<&Path>,
) -> anyhow::Result<()> {
    let mut text = std::io::stdout().lock();
    let entries = &imported.report.entries;
    let count = |verdict| entries.iter().filter(|entry| entry.verdict == verdict).count();
    let files: Vec<&str> = imported.files.iter().map(|file| file.path.as_str()).collect();
    if global.json {
        let record = serde_json::json!({
            "batches": imported.n_batches,
            "written": out.is_some(),
            "files": files,
            "entries": entries,
        });
        writeln!(text, "{record:#}")?;
        return Ok(());
    }
    let rows = entries.iter().filter(|entry| entry.verdict != Verdict::Unneeded).map(|entry| {
        vec![
            entry.batch.clone(),
            entry.key.clone(),
            entry.verdict.as_str().to_owned(),
            entry.becomes.clone(),
        ]
    });
    writeln!(
        text,
        "{}\n",
        listing::table(&["BATCH", "KEY", "VERDICT", "BECOMES"], rows.collect())
    )?;
    for verdict in [Verdict::Cannot, Verdict::Changes] {
        for entry in
            entries.iter().filter(|entry| entry.verdict == verdict && !entry.note.is_empty())
        {
            let (batch, key) = (shown(&entry.batch), shown(&entry.key));
            writeln!(text, "{} {batch}.{key}: {}", verdict.as_str(), entry.note)?;
        }
    }
    let unneeded = count(Verdict::Unneeded);
    writeln!(
        text,
        "\n{} batches: {} keys map, {} change, {} cannot be carried over, {unneeded} are not needed",
        imported.n_batches,
        count(Verdict::Maps),
        count(Verdict::Changes),
        count(Verdict::Cannot),
    )?;
    let Some(out) = out else {
        writeln!(text, "nothing was written (--dry-run); it would be {} files", files.len())?;
        return Ok(());
    };
    for file in files {
        writeln!(text, "wrote {}", out.join(file).display())?;
    }
    let out = out.display();
    writeln!(
        text,
        "\nNext: anomstack --config {out} check, then anomstack --config {out} source test BATCH"
    )?;
    Ok(())
}
