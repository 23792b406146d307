//! Layer 6: the command line. Parses arguments, puts the parts together, prints what came of it.
//! The only place where errors become text and exit codes.

mod attend;
mod backfill;
mod backtest;
mod batches;
mod channels;
mod chart;
mod check;
mod compare;
mod daemon;
mod deliveries;
mod demo;
mod export;
mod feedback;
mod detect;
mod digest;
mod evaluate;
mod explain;
mod foreground;
mod host_metrics;
mod import;
mod init;
mod listing;
mod look;
mod open;
mod plot;
mod plan;
mod pushed;
mod reload;
mod run;
mod rows;
mod runs;
mod schedule;
mod serve;
mod show;
mod source;
mod store;
mod told;
mod upkeep;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

use crate::domain::LogFormat;

/// Watches metrics and tells people when something is wrong.
///
/// Exit codes: 0 done, 1 found problems or a run failed, 2 could not start.
#[derive(Debug, Parser)]
#[command(name = "anomstack", version, propagate_version = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Debug, Args)]
struct Global {
    /// The project folder: holds config/ and metric_batches/
    #[arg(long, value_name = "DIR", default_value = ".", global = true, env = "ANOMSTACK_CONFIG")]
    config: PathBuf,
    /// Print JSON instead of tables
    #[arg(long, global = true)]
    json: bool,
    /// Log more; twice for still more
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    verbose: u8,
    /// How log lines look: text or json
    #[arg(long, value_name = "FORMAT", global = true)]
    log_format: Option<LogFormat>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Find incidents in a made-up shop's metrics and in this machine's own, then serve them
    Demo(demo::Demo),
    /// Write a new project folder, or with --from a batch by looking at where the numbers are
    Init(init::Init),
    /// Write batches from a folder of the Python Anomstack's, with a report of what became of every key
    ImportAnomstack(import::Import),
    /// Check every configuration file and report all problems at once
    Check,
    /// Run a batch's jobs now, in the foreground
    Run(run::Run),
    /// Run what a batch would have run in the past, in order; sends nothing unless asked.
    ///
    /// Each job acts as of its slot: nothing observed later is looked at. Models trained on the way become current.
    Backfill(backfill::Backfill),
    /// Why a metric did or did not alert at an instant: its score made again, then gate by gate
    Explain(explain::Explain),
    /// Replay history without storing anything, and count the alerts it would have raised
    Backtest(backtest::Backtest),
    /// What a change of configuration would have done to the alerts of the last days, and its cost.
    ///
    /// Each of OLD and NEW is a project folder or a batch file, which is read as part of the project. With one of
    /// them only, the project as it is is OLD. Nothing is changed.
    Plan(plan::Plan),
    /// What happened of late, over all batches
    Digest(digest::Digest),
    /// Run the daemon: schedules, workers, alerts, dashboard
    Serve(serve::Serve),
    /// Look at a batch's source without storing anything
    #[command(subcommand)]
    Source(source::Source),
    /// The batches and how they are doing
    #[command(subcommand)]
    Batches(batches::Batches),
    /// The metrics of a batch
    #[command(subcommand)]
    Metrics(Metrics),
    /// What ran, when, and what it did
    #[command(subcommand)]
    Runs(runs::Runs),
    /// When a batch's jobs come next, in its own time
    Schedule(schedule::Schedule),
    /// What was noticed
    #[command(subcommand)]
    Alerts(Alerts),
    /// Whom alerts go to
    #[command(subcommand)]
    Channels(channels::Channels),
    /// Draw a metric, or all of a batch, as SVG or PNG
    Plot(plot::Plot),
    /// Model versions
    #[command(subcommand)]
    Models(Models),
    /// The objects of the project's storage, and of any other place by its address.
    ///
    /// KEY is a key of the project's own storage, or an address: a path that begins with `/` or `./`, or one of
    /// memory://, s3://, gs://, az:// and https://. s3://NAME@bucket/key uses [storage.profiles.NAME].
    #[command(subcommand)]
    Store(store::Store),
    /// Score one metric in a CSV file, each row by the rows up to it
    Detect(detect::Detect),
    /// Judge a detector on series whose anomalies are known: NAB's score, events, delay
    Evaluate(evaluate::Evaluate),
    /// Print this machine's CPU, memory, disk and network figures as CSV
    HostMetrics(host_metrics::HostMetrics),
}

/// What can be asked of metrics.
#[derive(Debug, Subcommand)]
enum Metrics {
    #[command(flatten)]
    Shown(show::Metrics),
    /// Write stored points or scores as CSV or Parquet
    Export(export::Export),
}

/// What can be asked of alerts.
#[derive(Debug, Subcommand)]
enum Alerts {
    #[command(flatten)]
    Shown(show::Alerts),
    #[command(flatten)]
    Sent(deliveries::Deliveries),
    /// How an alert came about: its score made again, then gate by gate, and who was told
    Explain(explain::ExplainAlert),
    #[command(flatten)]
    Attended(attend::Attend),
    /// Say what an alert was worth, or that it was an incident models should not learn from
    Feedback(feedback::Say),
}

/// What can be asked of models.
#[derive(Debug, Subcommand)]
enum Models {
    #[command(flatten)]
    Shown(show::Models),
    /// What a batch's challengers said beside its champions, metric by metric.
    ///
    /// A challenger is a detector with `role = "challenger"`: it is trained and scores in shadow, and never alerts.
    /// Of two figures the first is the champions'. Alerts are those each would have raised by the batch's settings.
    Compare(compare::Compare),
}

/// What a command came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Done.
    Done,
    /// Problems were found, or a run failed.
    Problems,
    /// Nothing was begun.
    NotStarted,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done => Self::SUCCESS,
            Outcome::Problems => Self::from(1),
            Outcome::NotStarted => Self::from(2),
        }
    }
}

/// Reads the arguments, runs the command, prints errors with their causes.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match execute(cli) {
        Ok(outcome) => outcome.into(),
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", chain(&error));
            Outcome::NotStarted.into()
        }
    }
}

fn execute(cli: Cli) -> anyhow::Result<Outcome> {
    let global = cli.global;
    match cli.command {
        Command::Init(command) => on_runtime(init::init(&global, command)),
        Command::Digest(command) => on_runtime(digest::digest(&global, command)),
        Command::Schedule(command) => schedule::schedule(&global, &command),
        Command::ImportAnomstack(command) => import::import(&global, &command),
        Command::Check => check::check(&global),
        Command::Detect(command) => detect::detect(&command),
        Command::Evaluate(command) => on_runtime(evaluate::evaluate(&global, command)),
        Command::HostMetrics(command) => host_metrics::print(&command),
        Command::Demo(command) => on_runtime(demo::demo(&global, command)),
        Command::Run(command) => on_runtime(run::run(&global, command)),
        Command::Backfill(command) => on_runtime(backfill::backfill(&global, command)),
        Command::Explain(command) => on_runtime(explain::explain(&global, command)),
        Command::Plan(command) => on_runtime(plan::plan(&global, command)),
        Command::Backtest(command) => on_runtime(backtest::backtest(&global, command)),
        Command::Serve(command) => on_runtime(serve::serve(&global, command)),
        Command::Source(command) => on_runtime(source::source(&global, command)),
        Command::Batches(command) => on_runtime(batches::batches(&global, command)),
        Command::Metrics(Metrics::Shown(command)) => on_runtime(show::metrics(&global, command)),
        Command::Metrics(Metrics::Export(command)) => on_runtime(export::export(&global, command)),
        Command::Plot(command) => on_runtime(plot::plot(&global, command)),
        Command::Runs(command) => on_runtime(runs::runs(&global, command)),
        Command::Alerts(Alerts::Shown(command)) => on_runtime(show::alerts(&global, command)),
        Command::Alerts(Alerts::Sent(command)) => on_runtime(deliveries::list(&global, command)),
        Command::Alerts(Alerts::Explain(command)) => {
            on_runtime(explain::explain_alert(&global, command))
        }
        Command::Alerts(Alerts::Attended(command)) => on_runtime(attend::attend(&global, command)),
        Command::Alerts(Alerts::Feedback(command)) => on_runtime(feedback::say(&global, command)),
        Command::Channels(command) => on_runtime(channels::channels(&global, command)),
        Command::Store(command) => on_runtime(store::store(&global, command)),
        Command::Models(Models::Shown(command)) => on_runtime(show::models(&global, command)),
        Command::Models(Models::Compare(command)) => on_runtime(compare::compare(&global, command)),
    }
}

const N_BLOCKING_THREADS: usize = 16;

fn on_runtime(command: impl Future<Output = anyhow::Result<Outcome>>) -> anyhow::Result<Outcome> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    // Blocking threads only wait for files; more of them wait no better and each costs memory.
    runtime.max_blocking_threads(N_BLOCKING_THREADS).enable_all().build()?.block_on(command)
}

/// The error and its causes in one line, each said once.
fn chain(error: &anyhow::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    for cause in error.chain() {
        let text = cause.to_string();
        if parts.last().is_none_or(|last| !last.ends_with(&text)) {
            parts.push(text);
        }
    }
    parts.join(": ")
}

/// A reader such as `head` that has seen enough is no error.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let io = cause.downcast_ref::<std::io::Error>();
        io.is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
    })
}
