//! A batch's metrics in stretches of names, so that a training holds the points of some of them only.

use crate::{
    catalog::metrics,
    domain::{BatchSpec, MetricName},
    series::Names,
};

use super::{JobContext, JobError, names::NameFilter};

/// Metrics that models are trained for, by name.
pub(super) async fn learnt_metrics(
    ctx: &JobContext,
    batch: &BatchSpec,
) -> Result<Vec<MetricName>, JobError> {
    let mut reader = ctx.catalog.reader().await?;
    let rows = metrics::list(&mut reader, &batch.name).await?;
    let excluded = NameFilter::new(&batch.train.exclude);
    Ok(rows.into_iter().map(|row| row.metric).filter(|metric| !excluded.matches(metric)).collect())
}

/// Stretches that hold so many of the names, and together every name there can be.
pub(super) fn of(names: &[MetricName], n_at_once: usize) -> Vec<Names> {
    let starts: Vec<&MetricName> = names.iter().step_by(n_at_once.max(1)).skip(1).collect();
    let bound = |place: Option<usize>| place.and_then(|place| starts.get(place)).copied().cloned();
    (0..=starts.len())
        .map(|place| Names { from: bound(place.checked_sub(1)), before: bound(Some(place)) })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_hold_every_name_once() {
        let name = |name: &str| MetricName::parse(name).unwrap();
        let stretch = |from: Option<&str>, before: Option<&str>| Names {
            from: from.map(name),
            before: before.map(name),
        };
        let names = ["a", "b", "c", "d", "e"].map(name);
        let three =
            [stretch(None, Some("c")), stretch(Some("c"), Some("e")), stretch(Some("e"), None)];
        assert_eq!(of(&names, 2), three);
        assert_eq!(of(&[], 2), [Names::default()]);
        assert_eq!(of(&names, 5), [Names::default()]);
    }
}
