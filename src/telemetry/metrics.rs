//! Every Prometheus metric of the program. Callers use methods, so a label cannot be misspelt.
//! Labels stay few: batches, jobs, reasons, channels; never metric names. One registry a value.

use std::time::Duration;

use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder, core::Collector, process_collector::ProcessCollector,
};

use super::{
    delivery::DeliveryMetrics, people::PeopleMetrics, push::PushMetrics, store::StoreMetrics,
};
use crate::domain::{
    AlertKind, BatchName, InjectedKind, JobKind, NoScore, RejectReason, RunState, Span, Timestamp,
};

/// From a millisecond (one small stage) to ten minutes (training a very large batch).
const RUN_BUCKETS: &[f64] =
    &[0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 180.0, 600.0];
/// From on time to an hour late.
const WAIT_BUCKETS: &[f64] =
    &[0.01, 0.1, 0.5, 1.0, 2.0, 5.0, 15.0, 30.0, 60.0, 300.0, 900.0, 3600.0];

const REJECTED: &str = "Rows left out at ingest.";
const SKIPPED: &str = "Metrics a job passed over.";
const NEWEST_POINT: &str = "When the newest stored point was observed.";
const NEWEST_MODEL: &str = "When the newest model was trained.";
const INJECTED: &str = "Share of made-up anomalies the current models find.";
const QUIET: &str = "Points over the threshold that raised nothing.";
const ATTEMPTS: &str = "Attempts to deliver an alert.";
const DEAD: &str = "Alerts a channel never took.";
const QUARANTINED: &str = "Damaged models set aside.";
const RELOAD: &str = "1 when the newest configuration is in use.";
const FENCED: &str = "Commits refused because the run had gone to another worker.";
const REQUESTS: &str = "Requests answered.";

/// The registry could not be built or written out.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// Two metrics share a name, or a name is none.
    #[error("register the program's own metrics")]
    Register {
        /// What the library said.
        source: prometheus::Error,
    },
    /// The text for Prometheus could not be made.
    #[error("write the program's own metrics")]
    Render {
        /// What the library said.
        source: prometheus::Error,
    },
}

/// How one attempt to deliver an alert ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// The channel has it.
    Sent,
    /// The channel asked to slow down; it is tried again.
    Throttled,
    /// It failed and is tried again.
    Retried,
    /// It may have arrived and is not repeated.
    Unknown,
    /// It failed for good and is on the dead-letter list.
    Dead,
}

impl DeliveryOutcome {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Throttled => "throttled",
            Self::Retried => "retried",
            Self::Unknown => "unknown",
            Self::Dead => "dead",
        }
    }
}

/// The program's own metrics; clones share them.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Registry,
    runs: IntCounterVec,
    run_seconds: HistogramVec,
    queue_depth: IntGauge,
    queue_wait: Histogram,
    scheduler_lag: Gauge,
    rows_ingested: IntCounterVec,
    rows_rejected: IntCounterVec,
    trained: IntCounterVec,
    skipped: IntCounterVec,
    newest_point: GaugeVec,
    newest_model: GaugeVec,
    injected_found: GaugeVec,
    scores: IntCounterVec,
    alerts: IntCounterVec,
    suppressed: IntCounterVec,
    deliveries: IntCounterVec,
    dead_letters: IntCounterVec,
    quarantined: IntCounterVec,
    config_reload: IntGauge,
    fenced: IntCounter,
    http_requests: IntCounterVec,
    /// Of messages on their way.
    pub delivery: DeliveryMetrics,
    /// Of alerts and what people make of them.
    pub people: PeopleMetrics,
    /// Of pushed rows.
    pub push: PushMetrics,
    /// Of the stores objects lie in.
    pub store: StoreMetrics,
}

impl Metrics {
    /// Registers every metric, the process's own among them.
    ///
    /// # Errors
    /// [`MetricsError::Register`] when the process cannot be observed.
    pub fn new() -> Result<Self, MetricsError> {
        Self::register().map_err(|source| MetricsError::Register { source })
    }

    fn register() -> prometheus::Result<Self> {
        let own = Own(Registry::new());
        own.0.register(Box::new(ProcessCollector::for_self()))?;
        let build = own.gauges("build_info", "Constant 1, by version.", &["version"])?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1.0);
        let of_batch = &["batch"];
        Ok(Self {
            runs: own.counters("runs_total", "Runs that ended.", &["batch", "job", "state"])?,
            run_seconds: own.run_times("run_seconds", "Time a run took.")?,
            queue_depth: own.level("queue_depth", "Runs due and unclaimed.")?,
            queue_wait: own.wait_times("queue_wait_seconds", "Time from due to claimed.")?,
            scheduler_lag: own.gauge("scheduler_lag_seconds", "How late the newest tick was.")?,
            rows_ingested: own.counters("rows_ingested_total", "Points stored.", of_batch)?,
            rows_rejected: own.counters("rows_rejected_total", REJECTED, &["batch", "reason"])?,
            trained: own.counters("metrics_trained_total", "Models trained.", of_batch)?,
            skipped: own.counters("metrics_skipped_total", SKIPPED, &["batch", "job", "reason"])?,
            newest_point: own.gauges("newest_point_timestamp_seconds", NEWEST_POINT, of_batch)?,
            newest_model: own.gauges("newest_model_timestamp_seconds", NEWEST_MODEL, of_batch)?,
            injected_found: own.gauges("injected_found_ratio", INJECTED, &["batch", "kind"])?,
            scores: own.counters("scores_written_total", "Scores stored.", of_batch)?,
            alerts: own.counters("alerts_total", "Alerts raised.", &["batch", "kind"])?,
            suppressed: own.counters("alerts_suppressed_total", QUIET, &["batch", "reason"])?,
            deliveries: own.counters("deliveries_total", ATTEMPTS, &["channel", "outcome"])?,
            dead_letters: own.counters("dead_letters_total", DEAD, &["channel"])?,
            quarantined: own.counters("models_quarantined_total", QUARANTINED, of_batch)?,
            config_reload: own.level("config_last_reload_successful", RELOAD)?,
            fenced: own.counter("fenced_commits_total", FENCED)?,
            http_requests: own.counters("http_requests_total", REQUESTS, &["route", "status"])?,
            delivery: DeliveryMetrics::register(&own)?,
            people: PeopleMetrics::register(&own)?,
            push: PushMetrics::register(&own)?,
            store: StoreMetrics::register(&own)?,
            registry: own.0,
        })
    }

    /// A run ended in a state after so long.
    pub fn run_finished(&self, batch: &BatchName, job: JobKind, state: RunState, took: Duration) {
        self.runs.with_label_values(&[batch.as_str(), job.as_str(), state.as_str()]).inc();
        self.run_seconds.with_label_values(&[job.as_str()]).observe(took.as_secs_f64());
    }

    /// So many runs are due and unclaimed.
    pub fn set_queue_depth(&self, n_runs: u64) {
        self.queue_depth.set(i64::try_from(n_runs).unwrap_or(i64::MAX));
    }

    /// A run was claimed so long after it was due.
    pub fn queue_waited(&self, wait: Span) {
        self.queue_wait.observe(wait.as_secs_f64().max(0.0));
    }

    /// The scheduler's newest tick came so late.
    pub fn set_scheduler_lag(&self, lag: Span) {
        self.scheduler_lag.set(lag.as_secs_f64().max(0.0));
    }

    /// So many points were stored.
    pub fn rows_ingested(&self, batch: &BatchName, n_rows: u64) {
        self.rows_ingested.with_label_values(&[batch.as_str()]).inc_by(n_rows);
    }

    /// So many rows were left out for a reason.
    pub fn rows_rejected(&self, batch: &BatchName, reason: RejectReason, n_rows: u64) {
        self.rows_rejected.with_label_values(&[batch.as_str(), reason.as_str()]).inc_by(n_rows);
    }

    /// So many metrics got a new model.
    pub fn metrics_trained(&self, batch: &BatchName, n_metrics: u64) {
        self.trained.with_label_values(&[batch.as_str()]).inc_by(n_metrics);
    }

    /// A job passed a metric over.
    pub fn metric_skipped(&self, batch: &BatchName, job: JobKind, reason: &NoScore) {
        let labels = [batch.as_str(), job.as_str(), skip_label(reason)];
        self.skipped.with_label_values(&labels).inc();
    }

    /// The newest stored point of a batch was observed then.
    pub fn set_newest_point(&self, batch: &BatchName, at: Timestamp) {
        self.newest_point.with_label_values(&[batch.as_str()]).set(seconds(at));
    }

    /// The newest model of a batch was trained then.
    pub fn set_newest_model(&self, batch: &BatchName, at: Timestamp) {
        self.newest_model.with_label_values(&[batch.as_str()]).set(seconds(at));
    }

    /// Such a share of a kind of made-up anomalies is found.
    pub fn set_injected_found(&self, batch: &BatchName, kind: InjectedKind, share: f64) {
        self.injected_found.with_label_values(&[batch.as_str(), kind.as_str()]).set(share);
    }

    /// So many scores were stored.
    pub fn scores_written(&self, batch: &BatchName, n_scores: u64) {
        self.scores.with_label_values(&[batch.as_str()]).inc_by(n_scores);
    }

    /// An alert was raised that was not known before.
    pub fn alert_raised(&self, batch: &BatchName, kind: AlertKind) {
        self.alerts.with_label_values(&[batch.as_str(), kind.as_str()]).inc();
    }

    /// So many points over the threshold raised nothing. `reason` is one of the alerting policy's
    /// fixed words (`snooze`, `direction`, …).
    pub fn alerts_suppressed(&self, batch: &BatchName, reason: &str, n_points: u64) {
        self.suppressed.with_label_values(&[batch.as_str(), reason]).inc_by(n_points);
    }

    /// One attempt to deliver ended; a dead one also counts as a dead letter.
    pub fn delivery(&self, channel: &str, outcome: DeliveryOutcome) {
        self.deliveries.with_label_values(&[channel, outcome.as_str()]).inc();
        if outcome == DeliveryOutcome::Dead {
            self.dead_letters.with_label_values(&[channel]).inc();
        }
    }

    /// A damaged model was set aside.
    pub fn model_quarantined(&self, batch: &BatchName) {
        self.quarantined.with_label_values(&[batch.as_str()]).inc();
    }

    /// The newest configuration is in use.
    pub fn config_loaded(&self) {
        self.config_reload.set(1);
    }

    /// The newest configuration has problems; an older one stays in use.
    pub fn config_refused(&self) {
        self.config_reload.set(0);
    }

    /// A commit was refused because the run had gone to another worker.
    pub fn commit_fenced(&self) {
        self.fenced.inc();
    }

    /// A request was answered. `route` is the route's pattern, not the path asked for.
    pub fn http_request(&self, route: &str, status: u16) {
        self.http_requests.with_label_values(&[route, &status.to_string()]).inc();
    }

    /// Everything in Prometheus' text format.
    ///
    /// # Errors
    /// [`MetricsError::Render`] when a family cannot be written.
    pub fn render(&self) -> Result<String, MetricsError> {
        TextEncoder::new()
            .encode_to_string(&self.registry.gather())
            .map_err(|source| MetricsError::Render { source })
    }
}

fn full(name: &str) -> String {
    format!("anomstack_{name}")
}

fn seconds(at: Timestamp) -> f64 {
    at.micros() as f64 / 1e6
}

/// The registry under construction; every name gets the program's prefix here.
pub(super) struct Own(Registry);

impl Own {
    fn keep<C: Collector + Clone + 'static>(&self, collector: C) -> prometheus::Result<C> {
        self.0.register(Box::new(collector.clone()))?;
        Ok(collector)
    }

    fn counter(&self, name: &str, help: &str) -> prometheus::Result<IntCounter> {
        self.keep(IntCounter::new(full(name), help)?)
    }

    pub(super) fn counters(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> prometheus::Result<IntCounterVec> {
        self.keep(IntCounterVec::new(Opts::new(full(name), help), labels)?)
    }

    fn level(&self, name: &str, help: &str) -> prometheus::Result<IntGauge> {
        self.keep(IntGauge::new(full(name), help)?)
    }

    pub(super) fn levels(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> prometheus::Result<IntGaugeVec> {
        self.keep(IntGaugeVec::new(Opts::new(full(name), help), labels)?)
    }

    fn gauge(&self, name: &str, help: &str) -> prometheus::Result<Gauge> {
        self.keep(Gauge::new(full(name), help)?)
    }

    pub(super) fn gauges(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> prometheus::Result<GaugeVec> {
        self.keep(GaugeVec::new(Opts::new(full(name), help), labels)?)
    }

    fn run_times(&self, name: &str, help: &str) -> prometheus::Result<HistogramVec> {
        let opts = HistogramOpts::new(full(name), help).buckets(RUN_BUCKETS.to_vec());
        self.keep(HistogramVec::new(opts, &["job"])?)
    }

    pub(super) fn wait_times(&self, name: &str, help: &str) -> prometheus::Result<Histogram> {
        let opts = HistogramOpts::new(full(name), help).buckets(WAIT_BUCKETS.to_vec());
        self.keep(Histogram::with_opts(opts)?)
    }
}

/// A skip's reason as a label: the kind alone, without its numbers.
const fn skip_label(reason: &NoScore) -> &'static str {
    match reason {
        NoScore::TooFewPoints { .. } | NoScore::WarmingUp { .. } => "too_few_points",
        NoScore::Constant => "constant",
        NoScore::NotEnoughPast => "not_enough_past",
        NoScore::OutOfRange => "out_of_range",
        NoScore::NoModel => "no_model",
        NoScore::DamagedModel => "damaged_model",
        NoScore::SelfTest => "self_test",
        NoScore::BadParameter { .. } => "bad_parameter",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shop() -> BatchName {
        BatchName::parse("shop").unwrap()
    }

    #[test]
    fn what_happened_is_in_the_text_under_the_documented_names() {
        let metrics = Metrics::new().unwrap();
        let took = Duration::from_millis(120);
        metrics.run_finished(&shop(), JobKind::Train, RunState::Succeeded, took);
        metrics.rows_rejected(&shop(), RejectReason::Future, 3);
        let reason = NoScore::TooFewPoints { need: 30, have: 2 };
        metrics.metric_skipped(&shop(), JobKind::Train, &reason);
        metrics.delivery("oncall", DeliveryOutcome::Dead);
        metrics.set_newest_point(&shop(), Timestamp::from_secs(1_767_229_200).unwrap());
        let text = metrics.render().unwrap();
        for line in [
            r#"anomstack_runs_total{batch="shop",job="train",state="succeeded"} 1"#,
            r#"anomstack_run_seconds_count{job="train"} 1"#,
            r#"anomstack_rows_rejected_total{batch="shop",reason="future"} 3"#,
            r#"anomstack_metrics_skipped_total{batch="shop",job="train",reason="too_few_points"} 1"#,
            r#"anomstack_dead_letters_total{channel="oncall"} 1"#,
            r#"anomstack_newest_point_timestamp_seconds{batch="shop"} 1767229200"#,
            concat!(r#"anomstack_build_info{version=""#, env!("CARGO_PKG_VERSION"), r#""} 1"#),
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn resident_memory_is_exported() {
        let text = Metrics::new().unwrap().render().unwrap();
        let line = text.lines().find(|line| line.starts_with("process_resident_memory_bytes "));
        let bytes: f64 = line.unwrap().split(' ').next_back().unwrap().parse().unwrap();
        assert!(1e6 < bytes, "{bytes}");
    }

    #[test]
    fn two_sets_of_metrics_do_not_share_counts() {
        let (one, other) = (Metrics::new().unwrap(), Metrics::new().unwrap());
        one.commit_fenced();
        assert!(one.render().unwrap().contains("anomstack_fenced_commits_total 1"));
        assert!(other.render().unwrap().contains("anomstack_fenced_commits_total 0"));
    }

    #[test]
    fn what_ships_for_prometheus_and_grafana_asks_for_metrics_that_exist() {
        let own = include_str!("metrics.rs");
        for shipped in [
            include_str!("../../deploy/prometheus/alerts.yml"),
            include_str!("../../deploy/grafana/anomstack.json"),
        ] {
            let named = shipped.split("anomstack_").skip(1);
            for name in named
                .filter_map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next())
            {
                let family = name.trim_end_matches("_bucket");
                assert!(own.contains(&format!("(\"{family}\",")), "anomstack_{name}");
            }
        }
    }
}
