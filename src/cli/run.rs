//! `anomstack run`: a batch's jobs now, or as of a past instant.

use clap::Args;

use crate::{
    catalog::{outbox, readings},
    config::Project,
    domain::{BatchSpec, JobKind, Timestamp},
    jobs::{self, JobContext, JobError},
    net::Client,
    runtime::{self, lock, random_unit},
};

use super::{
    Global, Outcome, chain,
    foreground::{self, Interrupted, When},
    open::{self, Opened},
};

/// What `run` takes.
#[derive(Debug, Args)]
pub(super) struct Run {
    /// The batch
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    batch: Option<String>,
    /// Only these jobs, in this order; may be repeated or separated by commas
    #[arg(long = "job", value_name = "JOB", value_delimiter = ',')]
    jobs: Vec<JobKind>,
    /// As if it were then (RFC 3339): nothing observed later is looked at
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// Every enabled batch
    #[arg(long)]
    all: bool,
}

/// Runs the jobs in order; a failed job ends its batch, not the others.
pub(super) async fn run(global: &Global, command: Run) -> anyhow::Result<Outcome> {
    let project = match open::project(global) {
        Ok(project) => project,
        Err(outcome) => return Ok(outcome),
    };
    open::logging_for_foreground(global, &project.system.log)?;
    let opened = open::open(project).await?;
    let started = (opened.ctx.clock)();
    let lock = take_over(&opened).await?;
    // With no daemon, nobody adds to what an earlier run left either.
    let since = lock.as_ref().map_or(started, |_| Timestamp::MIN);
    let batches = match chosen(&opened, &command) {
        Ok(batches) => batches,
        Err(message) => {
            eprintln!("error: {message}");
            return Ok(Outcome::NotStarted);
        }
    };
    let when = command.at.map_or(When::Now, When::At);
    let mut outcome = Outcome::Done;
    for batch in batches {
        let jobs = if command.jobs.is_empty() { batch.jobs() } else { command.jobs.clone() };
        match run_batch(&opened, &batch, &jobs, when).await {
            Ok(done) => outcome = if outcome == Outcome::Done { done } else { outcome },
            Err(error) => {
                eprintln!("error: {}", chain(&error));
                outcome = Outcome::Problems;
                if error.is::<Interrupted>() {
                    break;
                }
            }
        }
    }
    deliver(&opened, since).await?;
    opened.ctx.catalog.close().await?;
    drop(lock);
    Ok(outcome)
}

/// One batch's jobs in order, up to the first that fails.
async fn run_batch(
    opened: &Opened,
    batch: &BatchSpec,
    jobs: &[JobKind],
    when: When,
) -> anyhow::Result<Outcome> {
    for job in jobs {
        if foreground::run_job(&opened.ctx, batch, *job, when).await?.is_none() {
            return Ok(Outcome::Problems);
        }
    }
    jobs::compact(&opened.ctx, &batch.name, Timestamp::MIN).await?;
    Ok(Outcome::Done)
}

/// With no daemon on the folder, what a killed process left is taken up; with one, that is its job.
pub(super) async fn take_over(opened: &Opened) -> anyhow::Result<Option<lock::DataLock>> {
    let now = (opened.ctx.clock)();
    match lock::acquire(&opened.project.system.storage.root, now) {
        Ok(held) => {
            let sweep = opened.ctx.store.sweep_temporary();
            runtime::recover(&opened.ctx.catalog, now, sweep).await?;
            Ok(Some(held))
        }
        Err(lock::LockError::Held { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn chosen(opened: &Opened, command: &Run) -> Result<Vec<BatchSpec>, String> {
    let all = &opened.project.batches;
    let Some(name) = &command.batch else {
        return Ok(all.iter().filter(|batch| batch.enabled).cloned().collect());
    };
    let found = all.iter().find(|batch| batch.name.as_str() == name);
    found.map(|batch| vec![batch.clone()]).ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|batch| batch.name.as_str()).collect();
        format!("no batch `{name}`; there are: {}", names.join(", "))
    })
}

/// Sends what the command has put into the outbox from an instant on. No later run of the command can
/// add to it, so nothing waits for more of its group.
pub(super) async fn deliver(opened: &Opened, since: Timestamp) -> Result<(), JobError> {
    read_for(&opened.project, &opened.ctx, &opened.client).await?;
    let mut tx = opened.ctx.catalog.begin().await?;
    outbox::release_all(&mut tx, since, (opened.ctx.clock)()).await?;
    tx.commit().await?;
    deliver_for(&opened.project, &opened.ctx, &opened.client).await
}

/// Asks for plain words about the alerts that wait for them, where the configuration names whom.
pub(super) async fn read_for(
    project: &Project,
    ctx: &JobContext,
    client: &Client,
) -> Result<(), JobError> {
    if readings::any_open(&mut *ctx.catalog.reader().await?).await? {
        let spec = project.system.explain.as_deref();
        jobs::read_alerts(ctx, &project.batches, spec, client).await?;
    }
    Ok(())
}

/// Sends what is due in the outbox to whom a configuration names.
pub(super) async fn deliver_for(
    project: &Project,
    ctx: &JobContext,
    client: &Client,
) -> Result<(), JobError> {
    let dashboard = project.system.server.address();
    let audience = jobs::Audience {
        channels: &project.system.channels,
        batches: &project.batches,
        dashboard: &dashboard,
        is_public: project.system.server.base_url.is_some(),
    };
    jobs::deliver(ctx, &audience, client, random_unit).await?;
    Ok(())
}
