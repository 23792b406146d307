//! The `file` source: files of several formats, compressed or not, on this machine, in object stores
//! or at web addresses. Only those that are new or changed since the last good read are read, each
//! block by block in bounded memory; or all of them, by one SQL query, once any has changed.

mod fetch;
mod find;
mod format;
mod parquet;
mod query;
#[cfg(test)]
mod remote_tests;
#[cfg(test)]
pub(super) mod tests;

use std::collections::HashSet;

use self::{
    fetch::{Fetch, Fetched},
    find::Listed,
    format::Frames,
};
use super::{Outlet, ReadContext, SourceError, intake};
use crate::{
    compute::Compute,
    domain::{FileFormat, FileSpec, Remembered, SourceSpec, Timestamp},
    io::Allowance,
};

/// Put before what is remembered of a file with observations that were not due yet: they were left
/// out, so it is read again though nothing in it changes.
const OPEN: &str = "open ";

/// Sends the rows of every file that is new or changed; gives what to remember of all there are.
pub(super) async fn read(
    spec: &FileSpec,
    source: &SourceSpec,
    ctx: &ReadContext<'_>,
    compute: &Compute,
    out: &mut Outlet,
) -> Result<Remembered, SourceError> {
    let files = find::all(spec, ctx, compute).await?;
    let max_bytes = source.max_bytes;
    let allowance = Allowance::new(max_bytes);
    let fetch = Fetch { access: &spec.access, ctx, compute, allowance: &allowance };
    let pass = Pass { fetch, format: spec.format, due: due(ctx) };
    note_gone(&files, ctx);
    match &spec.sql {
        Some(query) => pass.query(query, &files, out).await,
        None => pass.read(&files, out).await,
    }
}

/// Says which files are not there any more. What was read of them stays.
fn note_gone(files: &[Listed], ctx: &ReadContext<'_>) {
    let found: HashSet<&str> = files.iter().map(|file| file.name.as_str()).collect();
    let gone = ctx.remembered.iter().map(|(name, _)| name).filter(|name| !found.contains(name));
    let gone: Vec<&str> = gone.collect();
    match gone.as_slice() {
        [] => (),
        [name] => ctx.notes.add(&format!("`{name}` is gone; the rows read of it stay")),
        [name, ..] => {
            let n_gone = gone.len();
            ctx.notes.add(&format!("{n_gone} files are gone, `{name}` first; their rows stay"));
        }
    }
}

/// From when on observations are left out of this read and asked for again by a later one.
fn due(ctx: &ReadContext<'_>) -> Timestamp {
    let rules = intake::IntakeRules::of(ctx.batch, ctx.now);
    match rules.drop_incomplete_bucket {
        Some(bucket) => ctx.now.floor(bucket),
        None => rules.newest,
    }
}

/// One read of a source.
struct Pass<'p> {
    fetch: Fetch<'p>,
    format: Option<FileFormat>,
    due: Timestamp,
}

impl Pass<'_> {
    /// What the last read noted of a file, if it need not be read again.
    fn known(&self, file: &Listed) -> Option<&str> {
        self.fetch.ctx.remembered.get(&file.name).filter(|note| !note.starts_with(OPEN))
    }

    /// Whether it is plain without asking that a file is as it was.
    fn is_unchanged(&self, file: &Listed) -> bool {
        file.stamp.is_some() && self.known(file) == file.stamp.as_deref()
    }

    /// Refuses more than may be read before any of it is.
    fn check_sizes(&self, files: &[&Listed]) -> Result<(), SourceError> {
        let max_bytes = self.fetch.allowance.all();
        let n_bytes: u64 = files.iter().filter_map(|file| file.n_bytes).sum();
        if n_bytes <= max_bytes {
            return Ok(());
        }
        let place = match files {
            [one] => format!("`{}`", one.name),
            all => format!("{} files", all.len()),
        };
        Err(SourceError::TooManyBytes { place, max_bytes })
    }

    async fn read(&self, files: &[Listed], out: &mut Outlet) -> Result<Remembered, SourceError> {
        let mut remembered = Remembered::default();
        let is_new = |file: &&Listed| !self.is_unchanged(file);
        self.check_sizes(&files.iter().filter(is_new).collect::<Vec<_>>())?;
        for file in files {
            let known = self.known(file);
            let fetched = match self.is_unchanged(file) {
                true => None,
                false => self.fetch.open(file, known).await?,
            };
            let Some(Fetched { file: opened, stamp }) = fetched else {
                known.into_iter().for_each(|note| remembered.note(&file.name, note.to_owned()));
                continue;
            };
            let frames = self.frames(opened, &file.name).await?;
            let newest = self.send(frames, out).await?;
            if let Some(stamp) = stamp {
                let is_open = newest.is_some_and(|newest| self.due.micros() <= newest);
                let note = if is_open { format!("{OPEN}{stamp}") } else { stamp };
                remembered.note(&file.name, note);
            }
        }
        Ok(remembered)
    }

    async fn frames(&self, file: std::fs::File, name: &str) -> Result<Frames, SourceError> {
        let (place, format) = (format!("`{name}`"), self.format);
        let allowance = self.fetch.allowance.clone();
        let work = move || {
            format::open(file, &place, format, &allowance)?.frames(
                &place,
                format.is_some(),
                &allowance,
            )
        };
        self.fetch.compute.run(work).await?
    }

    /// Sends a file's frames; microseconds of the newest observation in them.
    async fn send(&self, mut frames: Frames, out: &mut Outlet) -> Result<Option<i64>, SourceError> {
        let batch = self.fetch.ctx.batch;
        let timezone = batch.timezone;
        let mut newest = None;
        loop {
            let columns = batch.source.naming.columns.clone();
            let work = move || {
                let frame = frames.next();
                let at = match &frame {
                    Some(Ok(frame)) => intake::newest(frame, &columns, timezone),
                    Some(Err(_)) | None => None,
                };
                (frames, frame, at)
            };
            let (rest, frame, at) = self.fetch.compute.run(work).await?;
            let Some(frame) = frame else { return Ok(newest) };
            out.send(frame?).await?;
            newest = newest.max(at);
            frames = rest;
        }
    }
}
