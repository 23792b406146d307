//! Layer 0: the words of the field as types. Pure values that are valid once they exist; no clock,
//! disk, database or async here.

mod alert;
mod alert_spec;
mod aspect;
mod batch;
mod budget;
mod channel;
mod cron;
mod explain;
mod digest;
mod feedback;
#[cfg(test)]
pub(crate) mod hostile;
mod link;
mod location;
mod store_location;
mod maintenance;
mod message;
mod model;
mod names;
mod period;
mod plain;
mod reason;
mod receiver;
mod remembered;
mod route;
mod rules;
mod run;
mod schedule;
mod score;
mod secret;
mod series;
mod server;
mod slots;
mod source;
mod system;
mod time;
mod watch;
pub mod words;

pub use alert::{Alert, AlertId, AlertKind, AlertState, Direction, Episode, Resolution, Severity};
pub use alert_spec::{AlertSpec, BadGrouping, Grouping, MinChange, Snooze};
pub use aspect::Aspect;
pub use batch::{
    AbsenceSpec, Aggregate, BatchSpec, Combine, DetectorKind, DetectorRole, DetectorSpec,
    ExcludedPeriod, FeatureSpec, HistorySpec, MetricSpec, Naming, ScoreSpec, SourceKind,
    SourceSpec, TrainSpec,
};
pub use budget::{Budget, BudgetError, Calibration, Doubt};
pub use channel::{BadRate, ChannelKind, ChannelSpec, OnAmbiguous, PaceSpec, Rate};
pub use cron::{CronError, CronExpr};
pub use digest::{AlertDigest, BatchDigest, Digest};
pub use explain::{ExplainSpec, PlainWords};
pub use feedback::{Feedback, Incident, Verdict};
pub use link::{Link, LinkAction, LinkError, LinkKey};
pub use location::{BadLocation, Location, StorageAccess, StorageService};
pub use maintenance::{Maintenance, MaintenanceTime};
pub use message::{MessageEvent, MessageId};
pub use model::{
    DetectorCard, Injected, InjectedKind, LeftOut, ModelCard, ModelQuality, ModelVersion, Recall,
};
pub use names::{BatchName, MetricName, NameError};
pub use period::{Period, WarmingUp};
pub use plain::Plain;
pub use reason::{Judged, change};
pub use receiver::{
    AlertmanagerSpec, EmailSpec, MailTls, NtfySpec, PagerSeverity, PagerdutySpec, SlackSpec,
    TelegramSpec,
};
pub use remembered::Remembered;
pub use route::{BadHours, Day, Hours, RouteSpec};
pub use rules::{ChangeSpec, Lasting, LimitState, Limits, RuleSpec, StillSpec};
pub use run::{
    AlertReport, ChangeReport, IngestReport, JobKind, RejectReason, RunId, RunReport, RunState,
    ScoreReport, Skipped, TrainReport, UnknownText,
};
pub use schedule::{Missed, ScheduleSpec, Trigger};
pub use score::{Band, NoScore, RowScore, ScorePoint};
pub use secret::Secret;
pub use series::{Point, Segment, SegmentKind, Series};
pub use slots::{first_shown, next_after};
pub use source::{
    AdbcSpec, CommandSpec, Endpoint, FileFormat, FileQuery, FileSpec, HttpSpec, InboxSpec,
    PageStep, Paging, ParamValue, PrometheusSpec, PushSpec, RowsAt, WebAuth, WebFormat,
};
pub use store_location::StoreLocation;
pub use system::{
    CacheSpec, LogFormat, LogSpec, Role, ServerSpec, SpillSpec, StorageBackend, StorageSpec,
    SystemSpec, TokenSpec, TransferSpec,
};
pub use time::{Span, TimeError, Timestamp};
pub use watch::{DigestSpec, HeartbeatSpec, WatchSpec};
