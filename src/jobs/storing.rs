//! What an ingest keeps of the frames it is given: news become segments and raw parts as they come,
//! and one transaction at the end makes all of them part of the history, or none.

use std::collections::BTreeMap;

use polars::prelude::DataFrame;

use crate::{
    catalog::{
        inbox::Arrival, metrics, metrics::MetricSeen, raw_parts, runs, runs::Claim, segments,
        watermarks,
    },
    domain::{
        BatchSpec, IngestReport, MetricName, Naming, RejectReason, Segment, SegmentKind, Series,
        SourceKind, Span, Timestamp,
    },
    io::{Key, StoreError, WriteMode, layout, layout::Part, parquet},
    sources::{Intake, IntakeRules},
};

use super::{AsOf, JobContext, JobError, inbox, ingest::Memory, limits::Limited};

/// The watermark that says how far a batch's source was read.
pub(super) const WATERMARK: &str = "ingest";
/// Observations that are worth a segment: not small to `series::plan_compaction`, and few enough
/// to be held several times over while they are sorted, compared and encoded.
const SEGMENT_ROWS: usize = 8 * 65_536;

/// An ingest under way.
pub(super) struct Storing<'a> {
    ctx: &'a JobContext,
    claim: &'a Claim,
    batch: &'a BatchSpec,
    as_of: AsOf,
    /// `None` only while a computing thread has it.
    intake: Option<Intake>,
    /// What came since the last segment, as it came.
    frames: Vec<DataFrame>,
    segments: Vec<Segment>,
    raw: Vec<Key>,
    seen: BTreeMap<MetricName, Seen>,
    n_stored: u64,
    limited: Limited,
    /// The objects of an inbox that the rows are from.
    pub(super) arrivals: Vec<Arrival>,
    /// [`SEGMENT_ROWS`], fewer in tests.
    pub(super) segment_rows: usize,
}

/// What was stored of a metric.
struct Seen {
    oldest: Timestamp,
    newest: Timestamp,
    newest_value: f64,
    n_new: u64,
}

impl<'a> Storing<'a> {
    /// Nothing kept yet.
    pub(super) fn new(
        ctx: &'a JobContext,
        claim: &'a Claim,
        batch: &'a BatchSpec,
        as_of: AsOf,
    ) -> Result<Self, JobError> {
        let mut rules = IntakeRules::of(batch, as_of.now);
        match batch.source.kind {
            // It was named, and not too far ahead, when it was acknowledged, and comes once.
            SourceKind::Push(_) => {
                (rules.newest, rules.naming) = (Timestamp::MAX, Naming::default());
            }
            _ => rules.newest = rules.newest.min(as_of.until - Span::from_micros(1)),
        }
        Ok(Self {
            ctx,
            claim,
            batch,
            as_of,
            intake: Some(Intake::new(&rules)?),
            frames: Vec::new(),
            segments: Vec::new(),
            raw: Vec::new(),
            seen: BTreeMap::new(),
            n_stored: 0,
            limited: Limited::new(batch)?,
            arrivals: Vec::new(),
            segment_rows: SEGMENT_ROWS,
        })
    }

    /// Takes one frame of the source's.
    pub(super) async fn take(&mut self, frame: DataFrame) -> Result<(), JobError> {
        self.frames.push(frame.clone());
        let take = move |intake: &mut Intake| intake.take(&frame).map(|()| intake.n_waiting());
        let n_points = self.compute(take).await??;
        let n_rows: usize = self.frames.iter().map(DataFrame::height).sum();
        if self.segment_rows <= n_points.max(n_rows) { self.flush().await } else { Ok(()) }
    }

    /// Makes what was kept part of the history, together with the source's memory.
    pub(super) async fn commit(mut self, memory: Memory) -> Result<IngestReport, JobError> {
        self.flush().await?;
        let report = self.report().await?;
        // What a later read may take in must be given to it again.
        let is_final = self.batch.source.kind.remembers_what_is_due()
            || !report.rejected.contains_key(&RejectReason::Incomplete)
                && !report.rejected.contains_key(&RejectReason::Future);
        let memory = memory.news().filter(|_| is_final);
        let is_news = !self.segments.is_empty() || memory.is_some() || !self.arrivals.is_empty();
        if !is_news {
            let mut reader = self.ctx.catalog.reader().await?;
            if !self.limited.has_abandoned(&mut reader, self.batch).await? {
                return Ok(report);
            }
        }
        let batch = &self.batch.name;
        let mut tx = self.ctx.catalog.begin().await?;
        runs::guard(&mut tx, self.claim, "store").await?;
        for segment in &self.segments {
            segments::insert(&mut tx, segment, self.claim.run).await?;
        }
        for key in &self.raw {
            raw_parts::insert(&mut tx, key.as_str()).await?;
        }
        inbox::mark(self.ctx, &mut tx, &self.arrivals).await?;
        let now = (self.ctx.clock)();
        metrics::touch(&mut tx, batch, &summary(&self.seen), now).await?;
        let of_run = (self.batch, self.claim.run);
        let checked = self.limited.check(self.ctx, &mut tx, of_run, now).await?;
        // One metric stamped ahead must not make later reads pass over the others' rows.
        let newest = self.seen.values().map(|seen| seen.newest.min(self.as_of.now)).max();
        let watermark = watermarks::get(&mut tx, batch, WATERMARK).await?;
        let newest = newest.filter(|newest| watermark.is_none_or(|old| old < *newest));
        if let Some(newest) = newest {
            watermarks::set(&mut tx, batch, WATERMARK, newest).await?;
        }
        if let Some(memory) = memory {
            memory.keep(&mut tx, batch).await?;
        }
        tx.commit().await?;
        checked.count(self.ctx, self.batch);
        if let Some(newest) = newest {
            self.ctx.metrics.set_newest_point(batch, newest);
        }
        Ok(report)
    }

    /// Stores what waits, if any of it is news.
    async fn flush(&mut self) -> Result<(), JobError> {
        let frames = std::mem::take(&mut self.frames);
        let drained = self.compute(Intake::drain).await?;
        let fresh = self.keep_changed(drained).await?;
        if fresh.is_empty() {
            return Ok(());
        }
        self.archive(frames).await?;
        note(&mut self.seen, &fresh);
        self.limited.note(&fresh);
        let batch = &self.batch.name;
        let key = layout::points_part_key(batch, self.part(self.segments.len()));
        let segment = self.ctx.history.write_series(key, batch, fresh).await?;
        self.n_stored += segment.n_rows;
        self.segments.push(segment);
        Ok(())
    }

    /// Only what is new or has another value than the stored one. What this run stored before is
    /// not listed yet, but counts as stored where it may be of the same instants.
    async fn keep_changed(&self, incoming: Vec<Series>) -> Result<Vec<Series>, JobError> {
        let oldest = incoming.iter().filter_map(|series| series.at.first()).min();
        let newest = incoming.iter().filter_map(|series| series.at.last()).max();
        let (Some(oldest), Some(newest)) = (oldest, newest) else { return Ok(incoming) };
        let until = *newest + Span::from_micros(1);
        let (batch, kind) = (&self.batch.name, SegmentKind::Points);
        let mut reader = self.ctx.catalog.reader().await?;
        let mut stored = segments::live(&mut reader, batch, kind, *oldest, until).await?;
        drop(reader);
        if incoming.iter().any(|series| is_among(series, &self.seen)) {
            stored.extend(self.segments.iter().cloned());
        }
        if stored.is_empty() {
            return Ok(incoming);
        }
        Ok(self.ctx.history.changed(&stored, incoming).await?)
    }

    /// Keeps what the source gave, as it came, by arrival day: frames of one shape together.
    async fn archive(&mut self, frames: Vec<DataFrame>) -> Result<(), JobError> {
        for alike in frames.chunk_by(|one, other| one.schema() == other.schema()) {
            let key =
                layout::raw_part_key(&self.batch.name, self.as_of.now, self.part(self.raw.len()));
            let alike = alike.to_vec();
            let encode = move || parquet::encode_all(&alike, parquet::Compression::Zstd);
            let bytes = self.ctx.compute.run(encode).await?.map_err(|source| JobError::Encode {
                what: "the raw rows".into(),
                source: source.into(),
            })?;
            match self.ctx.store.put(&key, bytes, WriteMode::CreateOnly).await {
                // Every attempt has its own key: this one had written it.
                Ok(_) | Err(StoreError::AlreadyExists { .. }) => self.raw.push(key),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    async fn report(&mut self) -> Result<IngestReport, JobError> {
        let mut report = self.compute(|intake| intake.report()).await?;
        let n_rejected: u64 = report.rejected.values().sum();
        report.rows_stored = self.n_stored;
        report.rows_unchanged = report.rows_read.saturating_sub(n_rejected + self.n_stored);
        Ok(report)
    }

    fn part(&self, number: usize) -> Part {
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        Part { run: self.claim.run, epoch: self.claim.epoch, number }
    }

    /// Lends the intake to a computing thread.
    async fn compute<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Intake) -> T + Send + 'static,
    ) -> Result<T, JobError> {
        // It is away only if a future was dropped half way, and nothing is asked of this one then.
        let Some(mut intake) = self.intake.take() else {
            return Err(crate::compute::ComputeError::Ended.into());
        };
        let (intake, made) = self
            .ctx
            .compute
            .run(move || {
                let made = work(&mut intake);
                (intake, made)
            })
            .await?;
        self.intake = Some(intake);
        Ok(made)
    }
}

/// Whether a metric's observations may be of instants that were stored before.
fn is_among(series: &Series, seen: &BTreeMap<MetricName, Seen>) -> bool {
    let (Some(seen), Some(first), Some(last)) =
        (seen.get(&series.metric), series.at.first(), series.at.last())
    else {
        return false;
    };
    seen.oldest <= *last && *first <= seen.newest
}

/// Notes what is stored of each metric. Of two newest values of one instant the later counts.
fn note(seen: &mut BTreeMap<MetricName, Seen>, fresh: &[Series]) {
    for series in fresh {
        let (Some(oldest), Some(newest), Some(value)) =
            (series.at.first(), series.at.last(), series.value.last())
        else {
            continue;
        };
        let n_new = series.len() as u64;
        let first = Seen { oldest: *oldest, newest: *newest, newest_value: *value, n_new: 0 };
        let known = seen.entry(series.metric.clone()).or_insert(first);
        known.n_new += n_new;
        known.oldest = known.oldest.min(*oldest);
        if known.newest <= *newest {
            (known.newest, known.newest_value) = (*newest, *value);
        }
    }
}

fn summary(seen: &BTreeMap<MetricName, Seen>) -> Vec<MetricSeen> {
    let of_metric = |(metric, seen): (&MetricName, &Seen)| MetricSeen {
        metric: metric.clone(),
        newest_at: seen.newest,
        newest_value: seen.newest_value,
        n_new: seen.n_new,
    };
    seen.iter().map(of_metric).collect()
}
