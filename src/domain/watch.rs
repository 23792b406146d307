//! What is looked for in the program itself, when it is said what happened, and who is told.

use super::{CronExpr, Secret, Span};

/// What is looked for in the program itself.
#[derive(Debug, Clone, PartialEq)]
pub struct WatchSpec {
    /// Whether anything is.
    pub enabled: bool,
    /// Who is told: names of channels.
    pub channels: Vec<String>,
    /// Attempts of a job that may fail in a row, less one.
    pub job_failures: usize,
    /// How long a run may wait after it was due.
    pub late: Span,
    /// How old the newest model of a batch that is trained may become; `None` for any age.
    pub model_max_age: Option<Span>,
    /// Bytes that have to be free where the data lies; 0 looks at none.
    pub disk_low: u64,
    /// Whom it tells that it lives.
    pub heartbeat: Option<HeartbeatSpec>,
}

/// An address that is called for as long as the daemon works, so that somebody else can notice when
/// it does not.
#[derive(Debug, Clone, PartialEq)]
pub struct HeartbeatSpec {
    /// Where to; secret, because such addresses often carry a token.
    pub url: Secret,
    /// How often; at least once a minute is promised for shorter ones.
    pub every: Span,
    /// Whether private and loopback addresses may be called.
    pub allow_private: bool,
}

/// When it is said what happened, and to whom.
#[derive(Debug, Clone, PartialEq)]
pub struct DigestSpec {
    /// Civil times.
    pub at: CronExpr,
    /// Whose clock.
    pub timezone: chrono_tz::Tz,
    /// Names of channels.
    pub channels: Vec<String>,
}
