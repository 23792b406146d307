//! A metric batch's settings, checked.

use std::{collections::BTreeMap, fmt, str::FromStr, sync::Arc};

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::{
    AdbcSpec, AlertSpec, BatchName, CommandSpec, ExplainSpec, FileSpec, HttpSpec, JobKind, Limits,
    Maintenance, MetricName, ParamValue, PrometheusSpec, PushSpec, RouteSpec, RuleSpec,
    ScheduleSpec, Secret, Span, Timestamp,
    run::{UnknownText, text_enum},
};

/// One batch: where its numbers come from, when to run, whom to tell.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchSpec {
    /// Its name, unique in the project.
    pub name: BatchName,
    /// One line about it.
    pub description: String,
    /// Who looks after it.
    pub owner: Option<String>,
    /// Zone of its schedules, seasons and displays.
    pub timezone: chrono_tz::Tz,
    /// Whether the daemon runs it.
    pub enabled: bool,
    /// Labels for routing and search.
    pub tags: BTreeMap<String, String>,
    /// Where the numbers come from.
    pub source: SourceSpec,
    /// When each job runs.
    pub schedule: ScheduleSpec,
    /// Where the history lives.
    pub history: HistorySpec,
    /// What detectors see.
    pub features: FeatureSpec,
    /// Local days that are like Sundays; in order, none twice.
    pub holidays: Vec<NaiveDate>,
    /// Times in which nothing alerts.
    pub maintenance: Vec<Maintenance>,
    /// What models learn from.
    pub train: TrainSpec,
    /// The models; at least one champion, tags unique.
    pub detectors: Vec<DetectorSpec>,
    /// How scores are made.
    pub score: ScoreSpec,
    /// When scores become alerts.
    pub alert: AlertSpec,
    /// When silence becomes an alert.
    pub absence: Option<AbsenceSpec>,
    /// What is looked for without a model.
    pub rules: RuleSpec,
    /// Per-metric display and overrides.
    pub metrics: BTreeMap<MetricName, MetricSpec>,
    /// Who is told beside the channels it names: the project's, the same for every batch.
    pub routes: Arc<[RouteSpec]>,
    /// Who is asked to put its alerts into plain words: the project's, the same for every batch.
    pub explain: Option<Arc<ExplainSpec>>,
    /// Hex SHA-256 of the effective configuration; stored with each run and model.
    pub config_hash: String,
    /// The effective configuration as TOML without secrets; archived under `config/`.
    pub effective: String,
}

impl BatchSpec {
    /// The alert settings of a metric: the batch's, or the metric's own.
    pub fn alert_for(&self, metric: &MetricName) -> &AlertSpec {
        self.metrics.get(metric).and_then(|spec| spec.alert.as_ref()).unwrap_or(&self.alert)
    }

    /// The labels of a metric: the batch's, with the metric's own on top.
    pub fn tags_of(&self, metric: &MetricName) -> BTreeMap<String, String> {
        let mut tags = self.tags.clone();
        tags.extend(self.metrics.get(metric).map(|own| own.tags.clone()).unwrap_or_default());
        tags
    }

    /// The jobs there are for it, in the order one needs the other.
    pub fn jobs(&self) -> Vec<JobKind> {
        let is_used = |job: &JobKind| *job != JobKind::Change || self.rules.change.enabled;
        JobKind::ALL.iter().copied().filter(is_used).collect()
    }

    /// The detectors of one role, in the order of the file.
    pub fn detectors_as(&self, role: DetectorRole) -> impl Iterator<Item = &DetectorSpec> {
        self.detectors.iter().filter(move |spec| spec.role == role)
    }
}

/// Where the numbers come from.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceSpec {
    /// What to read.
    pub kind: SourceKind,
    /// Longest time for one read.
    pub timeout: Span,
    /// How far back each ingest reads again, so that late rows are not lost.
    pub lateness: Span,
    /// Whether the bucket that is still filling is left out.
    pub drop_incomplete: bool,
    /// Most rows one read may give.
    pub max_rows: usize,
    /// Most bytes the rows of one read may take as columns in memory.
    pub max_bytes: u64,
    /// What its columns and metrics are called here.
    pub naming: Naming,
}

/// What a source's columns and metrics are called here, and which of them are left out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Naming {
    /// The source's name of a column by ours.
    pub columns: BTreeMap<String, String>,
    /// Our name of a metric by the source's; metrics that get one name become one metric.
    pub rename: BTreeMap<String, String>,
    /// Globs over our metric names that are left out.
    pub exclude: Vec<String>,
}

/// What to read.
#[derive(Debug, Clone, PartialEq)]
pub enum SourceKind {
    /// A query on a database.
    Sql {
        /// `sqlite://…`, `postgres://…` or `mysql://…`.
        url: Secret,
        /// MiniJinja text with `now`, `last_timestamp`, `batch`, `params`.
        query: String,
        /// Where the query was read from, for errors.
        query_origin: String,
        /// Values for `params`.
        params: BTreeMap<String, ParamValue>,
    },
    /// Files.
    File(FileSpec),
    /// An address that answers with rows.
    Http(HttpSpec),
    /// A Prometheus query.
    Prometheus(PrometheusSpec),
    /// A program that prints CSV or JSON rows.
    Command(CommandSpec),
    /// Rows that are sent here.
    Push(PushSpec),
    /// A query through an ADBC driver.
    Adbc(AdbcSpec),
}

impl SourceKind {
    /// The kind's name in the configuration.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Sql { .. } => "sql",
            Self::File(_) => "file",
            Self::Http(_) => "http",
            Self::Prometheus(_) => "prometheus",
            Self::Push(_) => "push",
            Self::Command(_) => "command",
            Self::Adbc(_) => "adbc",
        }
    }

    /// Whether what it remembers already leaves out what a later read may take in. The memory of
    /// the other kinds is of the whole read.
    pub const fn remembers_what_is_due(&self) -> bool {
        matches!(self, Self::File(_))
    }
}

/// Where the history lives.
#[derive(Debug, Clone, PartialEq)]
pub struct HistorySpec {
    /// How long points are kept.
    pub retention: Span,
}

text_enum! {
    /// How the values of one bucket become one value.
    Aggregate {
        /// Arithmetic mean.
        Mean = "mean",
        /// Sum.
        Sum = "sum",
        /// Smallest.
        Min = "min",
        /// Largest.
        Max = "max",
        /// The newest.
        Last = "last",
        /// How many there were.
        Count = "count",
    }
}

/// What detectors see, in this order: resample, difference, smooth, lags.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureSpec {
    /// Bucket length; `None` keeps the observations as they came.
    pub resample: Option<Span>,
    /// How a bucket becomes a value.
    pub aggregate: Aggregate,
    /// Takes `x[t] - x[t-n]`; 0 is off.
    pub difference: usize,
    /// Trailing mean of so many values, all present; 0 and 1 are off.
    pub smooth: usize,
    /// Adds `x[t-1] … x[t-n]` as columns.
    pub lags: usize,
}

impl FeatureSpec {
    /// The same for observations that were put into buckets already: one is all a bucket holds.
    pub fn of_rows(&self) -> Self {
        Self { aggregate: Aggregate::Last, ..self.clone() }
    }
}

/// What models learn from.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainSpec {
    /// How far back.
    pub window: Span,
    /// Fewest rows for a model: observations, or buckets of them.
    pub min_points: usize,
    /// Most rows; the newest are kept.
    pub max_points: usize,
    /// Globs over metric names that get no model.
    pub exclude: Vec<String>,
    /// Stretches of time that are not learnt from.
    pub exclude_periods: Vec<ExcludedPeriod>,
}

/// A stretch of time that is not learnt from.
#[derive(Debug, Clone, PartialEq)]
pub struct ExcludedPeriod {
    /// Its first instant.
    pub from: Timestamp,
    /// The first instant after it.
    pub to: Timestamp,
    /// Why.
    pub reason: String,
}

text_enum! {
    /// An algorithm.
    DetectorKind {
        /// The default that fits most metrics.
        Auto = "auto",
        /// Robust distance from what the time of day and week usually looks like.
        Seasonal = "seasonal",
        /// Principal components (Shyu et al. 2003, as in PyOD).
        Pca = "pca",
        /// Distance to the k-th nearest neighbour (Ramaswamy et al. 2000, as in PyOD).
        Knn = "knn",
        /// Local outlier factor (Breunig et al. 2000, as in PyOD).
        Lof = "lof",
        /// Isolation forest (Liu, Ting & Zhou 2008, as in PyOD).
        IForest = "iforest",
        /// A histogram of each column (Goldstein & Dengel 2012, as in PyOD).
        Hbos = "hbos",
        /// Tail probabilities of each column (Li et al. 2022, as in PyOD).
        Ecod = "ecod",
        /// The same, the skewed side counting (Li et al. 2020, as in PyOD).
        Copod = "copod",
        /// Distance from the median over the median distance (Iglewicz & Hoaglin 1993, as in PyOD).
        Mad = "mad",
        /// Distance to the nearest cluster centre.
        KMeans = "kmeans",
        /// Distance from the mean in standard deviations.
        Zscore = "zscore",
        /// Distance from what the values just before say.
        Ar = "ar",
    }
}

text_enum! {
    /// What the scores of a detector are for.
    DetectorRole {
        /// They make the metric's score.
        Champion = "champion",
        /// They are stored apart, to be compared with the champions'.
        Challenger = "challenger",
    }
}

/// One model of a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct DetectorSpec {
    /// Which algorithm.
    pub kind: DetectorKind,
    /// Its name in artifacts.
    pub tag: String,
    /// What its scores are for.
    pub role: DetectorRole,
    /// Its parameters, as written.
    pub params: BTreeMap<String, ParamValue>,
}

text_enum! {
    /// How the scores of several detectors become one.
    Combine {
        /// Arithmetic mean.
        Mean = "mean",
        /// Largest.
        Max = "max",
        /// Smallest.
        Min = "min",
        /// Median.
        Median = "median",
        /// Geometric mean.
        Geomean = "geomean",
    }
}

/// How scores are made.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreSpec {
    /// How several detectors are combined.
    pub combine: Combine,
    /// How far back unscored points are looked for.
    pub window: Span,
    /// Most points of a metric scored by one run; the newest.
    pub max_points: usize,
    /// Globs over metric names that are not scored.
    pub exclude: Vec<String>,
}

/// When silence becomes an alert.
#[derive(Debug, Clone, PartialEq)]
pub struct AbsenceSpec {
    /// Longest time between two observations.
    pub after: Span,
    /// Globs over metric names that may be silent.
    pub exclude: Vec<String>,
}

/// One metric's display and overrides.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MetricSpec {
    /// A name for people.
    pub display_name: Option<String>,
    /// The values' unit.
    pub unit: Option<String>,
    /// Labels, added to the batch's.
    pub tags: BTreeMap<String, String>,
    /// The batch's alert settings with this metric's on top.
    pub alert: Option<AlertSpec>,
    /// Limits of its own, in place of the batch's for it.
    pub thresholds: Option<Limits>,
}
