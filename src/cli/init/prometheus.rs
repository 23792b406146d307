//! Looks at a Prometheus server: which metrics it has, and a query over the ones that tell most
//! about any service.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, bail};

use crate::{
    config::{self, Environment},
    domain::{SourceKind, Span, Timestamp},
    sources::{self, SourceError},
};

use super::{
    super::look::Looker,
    draft::{Draft, batch_name, quoted},
    web::{Web, access},
};

/// Metrics in the query.
const MAX_TERMS: usize = 12;
/// Shown of those that are left out.
const MAX_SHOWN: usize = 12;

type Known = BTreeMap<String, Option<String>>;

/// The batch for a server, or `None` when what answers is no Prometheus.
pub(super) async fn draft(
    web: &Web,
    dir: &Path,
    (looker, now): (&Looker, Timestamp),
    name: Option<&str>,
) -> anyhow::Result<Option<Draft>> {
    let name = name.map_or_else(|| "prometheus".to_owned(), batch_name);
    let (access, secrets) = access(web, &name);
    let text =
        format!("[source]\nkind = \"prometheus\"\nquery = \"up\"\ntimeout = \"20s\"\n{access}");
    let env = Environment::from_pairs(secrets.iter().map(|(a, b)| (a.as_str(), b.as_str())));
    let batch = config::read_batch(dir, &name, &text, &env)?;
    let SourceKind::Prometheus(spec) = &batch.source.kind else { bail!("not a server's address") };
    let context = looker.context(&batch, now);
    let known = match sources::prometheus_metrics(spec, &context).await {
        Ok(known) => known,
        Err(SourceError::Status { .. } | SourceError::Decode { .. }) => return Ok(None),
        Err(error) => return Err(error).context("ask the server for its metrics"),
    };
    let terms = terms(&known);
    if terms.is_empty() {
        bail!("the server has no metric that makes a series; it has {} names", known.len());
    }
    let chosen: Vec<&str> = terms.iter().map(|(name, _)| name.as_str()).collect();
    let others: Vec<&str> = (known.keys().map(String::as_str))
        .filter(|name| !chosen.iter().any(|chosen| name.starts_with(chosen)))
        .take(MAX_SHOWN)
        .collect();
    let mut notes = vec![
        format!("{} metrics; the query takes {}", known.len(), chosen.join(", ")),
        "each is one series a job: `sum by (job, instance)` in the query tells instances apart"
            .into(),
    ];
    if !others.is_empty() {
        notes.push(format!("others, to add with `or`: {} …", others.join(", ")));
    }
    let query = query(&terms);
    let source = format!(
        "kind = \"prometheus\"\n{access}query = '''\n{query}'''\nstep = \"1m\"\nlookback = \"3d\"\
         \nname = {}",
        quoted("{{ metric }}/{{ job | default('all') }}")
    );
    Ok(Some(Draft {
        description: format!("Metrics of the Prometheus at {}", web.host),
        source,
        query: None,
        step: Some(Span::secs(60)),
        is_bucketed: false,
        secrets,
        notes,
        name,
    }))
}

/// Metrics worth watching anywhere and the PromQL of each, the most telling first.
fn terms(known: &Known) -> Vec<(String, String)> {
    let mut ranked: Vec<(usize, String, String)> =
        known.iter().filter_map(|(name, kind)| term(name, kind.as_deref(), known)).collect();
    ranked.sort();
    // As many of one kind as there are would leave no room for the others.
    let mut n_of_rank = BTreeMap::new();
    ranked.retain(|(rank, ..)| {
        let n = n_of_rank.entry(*rank).or_insert(0);
        *n += 1;
        *n <= 3
    });
    ranked.truncate(MAX_TERMS);
    ranked.into_iter().map(|(_, name, promql)| (name, promql)).collect()
}

/// A metric's rank, name and PromQL, when it is one to begin with.
fn term(name: &str, kind: Option<&str>, known: &Known) -> Option<(usize, String, String)> {
    let holds = |words: &[&str]| words.iter().any(|word| name.contains(word));
    // Metrics of a scrape itself say little; quantiles cannot be summed up.
    if holds(&["_bucket", "_created", "_info", "go_", "promhttp", "scrape_samples"]) {
        return None;
    }
    if name == "up" {
        return Some((0, name.into(), "avg by (job) (up)".into()));
    }
    if let Some(base) = name.strip_suffix("_sum") {
        let is_time = holds(&["duration", "latency", "seconds"]);
        let is_whole = known.contains_key(&format!("{base}_count"));
        return (is_time && is_whole && holds(&["http", "request", "rpc", "query"])).then(|| {
            let rate = |part: &str| format!("sum by (job) (rate({base}_{part}[5m]))");
            (2, base.into(), format!("{} / {}", rate("sum"), rate("count")))
        });
    }
    let rank = if holds(&["error", "failed", "failures", "dropped"]) {
        4
    } else if holds(&["http_requests", "requests_total", "request_count", "queries_total"]) {
        1
    } else if holds(&[
        "cpu_seconds",
        "memory_bytes",
        "MemAvailable",
        "open_fds",
        "filesystem_avail",
    ]) {
        3
    } else if holds(&["_total", "queue", "connections"]) {
        5
    } else {
        return None;
    };
    let is_counter = kind.map_or(name.ends_with("_total"), |kind| kind == "counter");
    let promql = match is_counter {
        true => format!("sum by (job) (rate({name}[5m]))"),
        false => format!("sum by (job) ({name})"),
    };
    Some((rank, name.into(), promql))
}

/// One query for all: each term's series carry its name as the label `metric`.
fn query(terms: &[(String, String)]) -> String {
    let lines: Vec<String> = terms
        .iter()
        .map(|(name, promql)| {
            format!("label_replace({promql}, \"metric\", \"{name}\", \"\", \"\")\n")
        })
        .collect();
    lines.join("or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_become_rates_histograms_means_and_noise_is_left_out() {
        let known: Known = [
            ("up", Some("gauge")),
            ("http_requests_total", Some("counter")),
            ("http_request_duration_seconds_bucket", None),
            ("http_request_duration_seconds_sum", None),
            ("http_request_duration_seconds_count", None),
            ("process_resident_memory_bytes", Some("gauge")),
            ("process_cpu_seconds_total", None),
            ("go_gc_duration_seconds_sum", None),
            ("build_info", Some("gauge")),
        ]
        .into_iter()
        .map(|(name, kind)| (name.to_owned(), kind.map(str::to_owned)))
        .collect();
        let terms = terms(&known);
        let names: Vec<&str> = terms.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "up",
                "http_requests_total",
                "http_request_duration_seconds",
                "process_cpu_seconds_total",
                "process_resident_memory_bytes",
            ]
        );
        assert_eq!(terms[3].1, "sum by (job) (rate(process_cpu_seconds_total[5m]))");
        assert_eq!(terms[4].1, "sum by (job) (process_resident_memory_bytes)");
        let query = query(&terms[..2]);
        assert_eq!(
            query,
            "label_replace(avg by (job) (up), \"metric\", \"up\", \"\", \"\")\n\
             or label_replace(sum by (job) (rate(http_requests_total[5m])), \"metric\", \
             \"http_requests_total\", \"\", \"\")\n"
        );
    }
}
