//! Layer 3: the jobs, one file each. A job is a plain async function over a context; it finds what
//! it needs in storage and leaves what it made there. Jobs never call jobs.

mod about;
#[cfg(test)]
mod about_tests;
mod alert;
mod attend;
#[cfg(test)]
mod calendar_tests;
mod change;
mod compact;
mod compare;
#[cfg(test)]
mod compare_tests;
mod config_archive;
mod context;
mod deliver;
mod digest;
mod error;
mod explain;
mod fit;
mod follow;
#[cfg(test)]
mod fixture;
mod inbox;
mod ingest;
mod learnable;
mod limits;
mod model_file;
mod model_store;
mod names;
mod picture;
mod plan;
mod quality;
mod reading;
#[cfg(test)]
mod quality_tests;
mod retention;
#[cfg(test)]
mod rules_tests;
#[cfg(test)]
mod rows_tests;
mod rows;
mod score;
mod still;
mod storing;
#[cfg(test)]
mod storing_tests;
mod stretches;
mod sweep;
mod tell;
#[cfg(test)]
mod tests;
mod train;
mod trial;
mod turns;
mod verify;
mod watch;
#[cfg(test)]
mod watch_tests;
mod window;

pub use about::{AlertContext, about};
pub use attend::{Attention, LONGEST_SNOOZE, attend, close_abandoned, snooze};
pub use compact::compact;
pub use compare::{Compared, Rivals, Side, compare};
pub use context::{AsOf, JobContext, Notify, Progress, VersionClock};
pub use deliver::{Audience, Delivered, Paces, deliver, reopen_changed};
pub use digest::{digest, send_digest};
pub use error::JobError;
pub use explain::{Archive, Explanation, Recomputed, explain_alert, explain_at};
pub use follow::{Followed, LINK_SNOOZE, follow};
pub use limits::limits_of;
pub use model_file::{Model, ModelFileError};
pub(crate) use picture::pictures;
pub use plan::{Difference, Rejudged, difference, judge_stored, n_messages};
pub use reading::{Readings, read_alerts};
pub use retention::{Forgotten, Retired, forget_told, retire};
pub use sweep::{Swept, sweep};
pub use tell::{Telling, tell, tell_alerts};
pub use trial::{TrialError, Tried, try_channel};
pub use watch::{Watched, watch};

use crate::{
    catalog::runs::Claim,
    domain::{BatchSpec, JobKind, RunReport},
};

/// Runs the job a claim names. Dropping the future stops it between two commits; what it had
/// written without committing is swept later.
///
/// # Errors
/// [`JobError`] when the whole job failed; single metrics that failed are in the report.
pub async fn run(
    ctx: &JobContext,
    claim: &Claim,
    batch: &BatchSpec,
    as_of: AsOf,
) -> Result<RunReport, JobError> {
    config_archive::keep(ctx, claim, batch).await?;
    Ok(match claim.job {
        JobKind::Ingest => RunReport::Ingest(ingest::ingest(ctx, claim, batch, as_of).await?),
        JobKind::Train => RunReport::Train(train::train(ctx, claim, batch, as_of).await?),
        JobKind::Score => RunReport::Score(score::score(ctx, claim, batch, as_of).await?),
        JobKind::Alert => RunReport::Alert(alert::alert(ctx, claim, batch, as_of).await?),
        JobKind::Change => RunReport::Change(change::change(ctx, claim, batch, as_of).await?),
    })
}
