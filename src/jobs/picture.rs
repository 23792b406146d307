//! A metric as a picture, from what is stored of it.

use std::collections::BTreeMap;

use crate::{
    catalog::{
        alerts::{self, AlertFilter, AlertRow},
        models,
    },
    chart::{Mark, Picture, Window},
    domain::{BatchSpec, MetricName, ScorePoint, Timestamp},
    series::Range,
};

use super::{
    JobContext, JobError,
    limits::limits_of,
    window::{points_between, scores_between},
};

/// More alerts than this are no marks but a carpet.
const MOST_ALERTS: u32 = 5_000;

/// What is drawn of a metric.
#[derive(Debug)]
pub(super) struct Drawing {
    pub(super) caption: String,
    pub(super) window: Window,
    pub(super) values: Vec<(Timestamp, f64)>,
    pub(super) scores: Vec<ScorePoint>,
    pub(super) threshold: Option<f64>,
    pub(super) marks: Vec<Mark>,
}

impl Drawing {
    /// With the name, unit and zone that the batch gives the metric.
    pub(super) fn of(self, batch: &BatchSpec, metric: &MetricName) -> Picture {
        Picture {
            caption: self.caption,
            window: self.window,
            values: self.values,
            scores: self.scores,
            threshold: self.threshold,
            marks: self.marks,
            limits: limits_of(batch, metric),
            ..Picture::blank(batch, metric)
        }
    }
}

/// The metrics of a batch that have points in a window, or one of them, as pictures by name.
///
/// # Errors
/// [`JobError::Catalog`] and [`JobError::Series`] when the history cannot be read.
pub(crate) async fn pictures(
    ctx: &JobContext,
    batch: &BatchSpec,
    metric: Option<&MetricName>,
    window: Window,
) -> Result<Vec<Picture>, JobError> {
    let range = Range { metric: metric.cloned(), ..Range::between(window.from, window.to) };
    let points = points_between(ctx, &batch.name, range.clone()).await?;
    let mut scores = scores_between(ctx, &batch.name, range).await?;
    let mut reader = ctx.catalog.reader().await?;
    let filter = AlertFilter {
        batch: Some(batch.name.clone()),
        metric: metric.cloned(),
        since: Some(window.from),
        limit: MOST_ALERTS,
        ..AlertFilter::default()
    };
    let mut marks: BTreeMap<MetricName, Vec<Mark>> = BTreeMap::new();
    for row in alerts::list(&mut reader, &filter).await?.iter().rev() {
        marks.entry(row.alert.metric.clone()).or_default().push(mark(row));
    }
    let mut drawn = Vec::with_capacity(points.len());
    for series in points.into_iter().filter(|series| !series.is_empty()) {
        let current = models::current(&mut reader, &batch.name, &series.metric).await?;
        let quality = current.as_ref().and_then(|row| row.quality.as_ref());
        let threshold = batch.alert_for(&series.metric).threshold_by(quality);
        let drawing = Drawing {
            caption: String::new(),
            window,
            values: series.at.into_iter().zip(series.value).collect(),
            scores: scores.remove(&series.metric).unwrap_or_default(),
            threshold: Some(threshold),
            marks: marks.remove(&series.metric).unwrap_or_default(),
        };
        drawn.push(drawing.of(batch, &series.metric));
    }
    Ok(drawn)
}

/// An alert on its metric's picture.
pub(super) fn mark(row: &AlertRow) -> Mark {
    let alert = &row.alert;
    Mark {
        at: alert.at,
        since: alert.since,
        until: row.episode.until,
        value: alert.value,
        severity: alert.severity,
        href: String::new(),
        title: String::new(),
    }
}
