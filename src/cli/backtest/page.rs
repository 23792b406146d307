//! A backtest's report as files: JSON, and a page that needs nothing beside it. Names from outside
//! get onto it through the template's escaping, and into charts through theirs.

use std::{collections::BTreeMap, path::Path};

use anyhow::Context;
use minijinja::{Environment, Value, context, value::Serde};
use serde::Serialize;

use crate::{
    chart::{Mark, Plot, Window},
    domain::{Alert, BatchSpec, MetricName, ScorePoint, words},
};

use super::report::Report;

/// Metrics with charts; those with the most alerts.
const CHARTS: usize = 100;
/// Points of a chart; of more, the extremes of each stretch are drawn.
const POINTS: usize = 2_000;
const STYLE: &str = include_str!("../../../web/assets/app.css");

/// One metric's chart and alerts.
#[derive(Serialize)]
struct Drawn<'a> {
    metric: &'a MetricName,
    svg: Value,
    alerts: Vec<&'a Alert>,
}

/// Writes `report.json` and `report.html`.
pub(super) fn write(
    dir: &Path,
    batch: &BatchSpec,
    report: &Report,
    scores: &BTreeMap<MetricName, Vec<ScorePoint>>,
) -> anyhow::Result<()> {
    let put = |name: &str, text: String| {
        let path = dir.join(name);
        std::fs::write(&path, text).with_context(|| format!("write `{}`", path.display()))
    };
    std::fs::create_dir_all(dir).with_context(|| format!("create `{}`", dir.display()))?;
    put("report.json", serde_json::to_string_pretty(report)?)?;
    put("report.html", page(batch, report, scores)?)
}

fn page(
    batch: &BatchSpec,
    report: &Report,
    scores: &BTreeMap<MetricName, Vec<ScorePoint>>,
) -> anyhow::Result<String> {
    let mut order: Vec<(&MetricName, &Vec<ScorePoint>, Vec<&Alert>)> = scores
        .iter()
        .map(|(metric, points)| {
            let own = report.alerts.iter().filter(|alert| alert.metric == *metric);
            (metric, points, own.collect())
        })
        .collect();
    order.sort_by_key(|(_, _, alerts)| std::cmp::Reverse(alerts.len()));
    let n_left_out = order.len().saturating_sub(CHARTS);
    let charts: Vec<Drawn<'_>> = order
        .into_iter()
        .take(CHARTS)
        .map(|(metric, points, alerts)| {
            let svg = Value::from_safe_string(chart(batch, report, points, &alerts));
            Drawn { metric, svg, alerts }
        })
        .collect();
    let mut pages = Environment::new();
    pages.add_filter("shown", |text: &str| words::shown(text));
    pages.add_template("report.html", include_str!("page.html"))?;
    let most = report.weeks.iter().map(|week| week.alerts).max().unwrap_or(0).max(1);
    let style = Value::from_safe_string(STYLE.to_owned());
    let (report, charts) = (Value::from(Serde(report)), Value::from(Serde(&charts)));
    let filled = context! { report, charts, n_left_out, most, style };
    Ok(pages.get_template("report.html")?.render(filled)?)
}

fn chart(batch: &BatchSpec, report: &Report, points: &[ScorePoint], alerts: &[&Alert]) -> String {
    let points = thinned(points);
    let values: Vec<_> = points.iter().map(|point| (point.at, point.value)).collect();
    let marks: Vec<Mark> = alerts.iter().filter_map(|alert| mark(alert)).collect();
    let metric = points.first().map(|point| &point.metric);
    let threshold = alerts.last().and_then(|alert| alert.threshold);
    let threshold =
        threshold.or(metric.map(|metric| batch.alert_for(metric).threshold)).unwrap_or(1.0);
    let label = metric.map(|metric| words::shown(metric.as_str())).unwrap_or_default();
    let plot = Plot {
        window: Window { from: report.from, to: report.to },
        tz: batch.timezone,
        values: &values,
        scores: &points,
        threshold,
        marks: &marks,
        limits: &[],
        label: &label,
    };
    plot.render()
}

fn mark(alert: &Alert) -> Option<Mark> {
    Some(Mark {
        at: alert.at,
        since: alert.since,
        until: alert.at,
        value: Some(alert.value?),
        severity: alert.severity,
        href: String::new(),
        title: format!("{}: {}", alert.at, words::shown(&alert.reason)),
    })
}

/// Of each stretch of points the lowest, the highest and the most unusual.
fn thinned(points: &[ScorePoint]) -> Vec<ScorePoint> {
    let length = (3 * points.len()).div_ceil(POINTS).max(1);
    if length <= 3 {
        return points.to_vec();
    }
    let mut kept = Vec::with_capacity(POINTS);
    for stretch in points.chunks(length) {
        let by = |key: fn(&ScorePoint) -> f64| {
            (0..stretch.len())
                .max_by(|one, other| key(&stretch[*one]).total_cmp(&key(&stretch[*other])))
        };
        let places = [by(|point| point.value), by(|point| -point.value), by(|point| point.score)];
        let mut places: Vec<usize> = places.into_iter().flatten().collect();
        places.sort_unstable();
        places.dedup();
        kept.extend(places.into_iter().map(|place| stretch[place].clone()));
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ModelVersion, Timestamp};

    #[test]
    fn thinning_keeps_extremes_and_the_most_unusual() {
        let at = |n: i64| Timestamp::from_secs(60 * n).unwrap();
        let point = |n: i64| ScorePoint {
            metric: MetricName::parse("m").unwrap(),
            at: at(n),
            value: if n == 77_777 { 1e6 } else { (n % 10) as f64 },
            score: if n == 55_555 { 0.99 } else { 0.1 },
            band: None,
            aspect: None,
            model: ModelVersion::at(at(0)),
        };
        let points: Vec<ScorePoint> = (0..100_000).map(point).collect();
        let kept = thinned(&points);
        assert!(kept.len() <= POINTS + 3, "{}", kept.len());
        assert!(kept.iter().any(|point| point.value == 1e6));
        assert!(kept.iter().any(|point| point.score == 0.99));
        assert!(kept.windows(2).all(|two| two[0].at < two[1].at));
        assert_eq!(thinned(&points[..100]).len(), 100);
    }
}
