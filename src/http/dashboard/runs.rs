//! The list of runs, and one run with its report, error and log.

use std::sync::Arc;

use axum::{extract::State, response::Html};
use serde::Serialize;

use crate::{
    catalog::{run_log, runs, runs::RunFilter},
    domain::{
        IngestReport, JobKind, RunId, RunReport, RunState, Skipped, TrainReport, words::count,
    },
};

use super::{
    super::{
        ask::{Asked, Filter, Named},
        failure::Failure,
        pages::filled,
        site::Site,
        view::RunView,
    },
    PART, Paging, cut,
};

pub(in crate::http) async fn page(
    State(site): State<Arc<Site>>,
    Asked(filter): Asked<Filter>,
) -> Result<Html<String>, Failure> {
    let (limit, offset) = (filter.part().limit(PART, PART * 4), filter.part().offset());
    let wanted = RunFilter {
        batch: filter.batch()?,
        job: filter.job()?,
        state: filter.state()?,
        limit: limit + 1,
        offset,
    };
    let rows = runs::list(&mut *site.reader().await?, &wanted).await;
    let mut rows = rows.map_err(|error| Failure::internal(&error))?;
    let rest = cut(&mut rows, limit);
    let runs: Vec<RunView> = rows.into_iter().map(RunView::from).collect();
    let paging = Paging::new(offset, limit, rest, |offset| filter.href("/runs", offset));
    site.render(
        "runs.html",
        filled! {
            page => site.page("Runs", "/runs"), runs, paging,
            batches => site.batch_names(), jobs => JobKind::ALL, states => RunState::ALL,
            batch => wanted.batch, job => wanted.job, state => wanted.state,
        },
    )
}

pub(in crate::http) async fn one(
    State(site): State<Arc<Site>>,
    Named(id): Named<i64>,
) -> Result<Html<String>, Failure> {
    let mut reader = site.reader().await?;
    let row = runs::get(&mut reader, RunId(id)).await;
    let row = row.map_err(|error| Failure::internal(&error))?;
    let row = row.ok_or_else(|| Failure::missing("such run"))?;
    let logs = run_log::lines(&mut reader, RunId(id)).await;
    let logs = logs.map_err(|error| Failure::internal(&error))?;
    let title = format!("Run #{id}");
    let page = match site.batch(row.batch.as_str()) {
        Ok(batch) => site.page_of(&title, "/runs", &batch),
        Err(_) => site.page(&title, "/runs"),
    };
    let (facts, skipped) = report(row.report.as_ref());
    let run = RunView::from(row);
    site.render("run.html", filled! { page, run, facts, skipped, logs })
}

/// One line of a report.
#[derive(Debug, PartialEq, Serialize)]
struct Fact {
    name: String,
    value: String,
}

/// A metric passed over, and why.
#[derive(Debug, PartialEq, Serialize)]
struct PassedOver {
    metric: String,
    why: String,
}

fn report(report: Option<&RunReport>) -> (Vec<Fact>, Vec<PassedOver>) {
    match report {
        None => (Vec::new(), Vec::new()),
        Some(RunReport::Ingest(report)) => (ingest_facts(report), Vec::new()),
        Some(RunReport::Train(report)) => (train_facts(report), passed_over(&report.skipped)),
        Some(RunReport::Score(report)) => {
            let mut facts = vec![fact("Scores written", report.scored)];
            for (reason, n_points) in &report.unscored {
                facts.push(fact(&format!("Points without a score: {reason}"), *n_points));
            }
            facts.push(fact("Metrics passed over", report.skipped.len() as u64));
            for metric in &report.fallbacks {
                let value = metric.to_string();
                facts.push(Fact { name: "Scored by an older model".into(), value });
            }
            (facts, passed_over(&report.skipped))
        }
        Some(RunReport::Alert(report)) => {
            let mut facts =
                vec![fact("Alerts raised", report.raised), fact("Messages queued", report.queued)];
            for (reason, n_points) in &report.suppressed {
                facts.push(fact(&format!("Suppressed: {reason}"), *n_points));
            }
            (facts, Vec::new())
        }
        Some(RunReport::Change(report)) => {
            let mut facts = vec![
                fact("Metrics looked at", report.tested),
                fact("Metrics with too short a past", report.too_short),
                fact("Levels that moved", report.raised),
                fact("Alerts that are over", report.resolved),
            ];
            for (reason, n_metrics) in &report.suppressed {
                facts.push(fact(&format!("Suppressed: {reason}"), *n_metrics));
            }
            (facts, Vec::new())
        }
    }
}

fn ingest_facts(report: &IngestReport) -> Vec<Fact> {
    let mut facts = vec![
        fact("Rows read", report.rows_read),
        fact("Rows stored", report.rows_stored),
        fact("Rows unchanged", report.rows_unchanged),
        fact("Metrics", report.n_metrics),
    ];
    for (reason, n_rows) in &report.rejected {
        facts.push(fact(&format!("Rejected: {}", reason.as_str().replace('_', " ")), *n_rows));
    }
    for example in &report.rejected_examples {
        facts.push(Fact { name: "Rejected, for example".into(), value: example.clone() });
    }
    if !report.ignored_columns.is_empty() {
        let value = report.ignored_columns.join(", ");
        facts.push(Fact { name: "Columns not understood".into(), value });
    }
    if let Some(newest) = report.newest {
        facts.push(Fact { name: "Newest point".into(), value: newest.to_string() });
    }
    facts
}

fn train_facts(report: &TrainReport) -> Vec<Fact> {
    let mut facts = vec![
        fact("Metrics trained", report.trained),
        fact("Metrics passed over", report.skipped.len() as u64),
        fact("Training rows", report.rows),
    ];
    let left_out = report.left_out.iter();
    facts.extend(left_out.map(|(why, n)| fact(&format!("Metrics without {why}"), *n)));
    facts
}

fn fact(name: &str, number: u64) -> Fact {
    Fact { name: name.to_owned(), value: count(number) }
}

fn passed_over(skipped: &[Skipped]) -> Vec<PassedOver> {
    let one = |skipped: &Skipped| PassedOver {
        metric: skipped.metric.to_string(),
        why: skipped.reason.to_string(),
    };
    skipped.iter().map(one).collect()
}
