//! `anomstack init`: a new project folder, or a batch written by looking at where the numbers are.

mod database;
mod draft;
mod profile;
mod prometheus;
mod query;
mod rows;
mod secrets;
mod table;
mod web;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use clap::Args;

use crate::{config, domain::Timestamp, runtime::clock};

use self::{database::Database, draft::Draft, query::Dialect, rows::Rows, web::Web};
use super::{Global, Outcome, check, look::Looker, source};

pub(super) use draft::{batch_name, quoted, quoted_plain};

/// What `init` takes.
#[derive(Debug, Args)]
pub(super) struct Init {
    /// The project folder; made when missing. Without it, the one that --config names
    dir: Option<PathBuf>,
    /// Write a batch by looking at this source: postgres://user:password@host/db, mysql://…,
    /// sqlite://file, a CSV, JSON or Parquet file, http://prometheus:9090, or an address that
    /// answers with rows. Passwords go to `.env`, not into the batch
    #[arg(long, value_name = "URL")]
    from: Option<String>,
    /// The table to take, where --from is a database; without it, the likeliest
    #[arg(long, value_name = "NAME", requires = "from")]
    table: Option<String>,
    /// The batch's name; without it, the table's or the file's
    #[arg(long, value_name = "NAME", requires = "from")]
    name: Option<String>,
    /// Replace the batch's files when they are there
    #[arg(long, requires = "from")]
    force: bool,
}

/// Writes a new project, or a batch.
pub(super) async fn init(global: &Global, init: Init) -> anyhow::Result<Outcome> {
    let dir = init.dir.clone().unwrap_or_else(|| global.config.clone());
    match init.from.clone() {
        Some(from) => batch(global, &init, &dir, from.trim()).await,
        None => project(&dir),
    }
}

fn project(dir: &Path) -> anyhow::Result<Outcome> {
    for path in config::scaffold(dir, clock::now())? {
        println!("wrote {}", path.display());
    }
    let dir = dir.display();
    println!("\nNext: anomstack --config {dir} run --all, then anomstack --config {dir} serve");
    println!("A batch of your own: anomstack --config {dir} init --from postgres://…");
    Ok(Outcome::Done)
}

async fn batch(global: &Global, init: &Init, dir: &Path, from: &str) -> anyhow::Result<Outcome> {
    let (looker, now) = (Looker::new()?, clock::now());
    let name = init.name.as_deref();
    if let Some(name) = name.filter(|name| batch_name(name) != **name) {
        bail!("`{name}` is no good file name; try --name {}", batch_name(name));
    }
    let draft = look(init, dir, from, &looker, now).await?;
    let written = write(&draft, dir, init.force)?;
    for path in &written {
        println!("wrote {}", path.display());
    }
    println!();
    for note in &draft.notes {
        println!("  {}", crate::domain::words::shown(note));
    }
    println!();
    let project = match check::load(dir) {
        Ok(project) => project,
        Err(problems) => {
            check::print_problems(&problems);
            return Ok(Outcome::Problems);
        }
    };
    let batch = project.batches.iter().find(|batch| batch.name.as_str() == draft.name);
    let batch = batch.context("find the batch that was written")?;
    let outcome = source::show(global, batch, &looker, source::Showing::first(now)).await?;
    if outcome == Outcome::Done && !global.json {
        next_commands(global, init, dir, &draft);
    }
    Ok(outcome)
}

async fn look(
    init: &Init,
    dir: &Path,
    from: &str,
    looker: &Looker,
    now: Timestamp,
) -> anyhow::Result<Draft> {
    let name = init.name.as_deref();
    let url = database_url(from, dir)?;
    if let Some(dialect) = url.as_deref().and_then(Dialect::of) {
        let url = url.as_deref().unwrap_or(from);
        let database = Database { url, dialect, dir, looker, now };
        return database.draft(init.table.as_deref(), name).await;
    }
    if init.table.is_some() {
        bail!("--table is for databases: `{}` is none", crate::domain::words::shown(from));
    }
    let rows = Rows { dir, looker, now, name };
    let Some(web) = Web::parse(from) else { return rows.file(from).await };
    match web.extension().as_deref() {
        Some("parquet" | "arrow" | "ipc" | "feather") => rows.file(from).await,
        Some(_) => rows.web(&web).await,
        None => match prometheus::draft(&web, dir, (looker, now), name).await? {
            Some(draft) => Ok(draft),
            None => rows.web(&web).await,
        },
    }
}

/// The address of a database, where it is one. A file of SQLite's is known by its first bytes; its
/// path counts from here, and is written as it counts from the project.
fn database_url(from: &str, dir: &Path) -> anyhow::Result<Option<String>> {
    let path = match from.strip_prefix("sqlite:") {
        Some(rest) => rest.strip_prefix("//").unwrap_or(rest),
        None if Dialect::of(from).is_some() => return Ok(Some(from.to_owned())),
        None if is_sqlite(from) => from,
        None => return Ok(None),
    };
    if !Path::new(path).is_file() {
        bail!("there is no file {path}");
    }
    let (path, dir) = (std::path::absolute(path)?, std::path::absolute(dir)?);
    let path = path.strip_prefix(&dir).unwrap_or(&path).to_string_lossy();
    let path = path.replace('%', "%25").replace('?', "%3F").replace('#', "%23");
    Ok(Some(format!("sqlite://{path}")))
}

fn is_sqlite(path: &str) -> bool {
    let mut start = [0; 16];
    let read =
        fs::File::open(path).and_then(|mut file| std::io::Read::read_exact(&mut file, &mut start));
    read.is_ok() && start.starts_with(b"SQLite format 3")
}

/// Writes the batch's files, and what a project needs besides where it is missing.
fn write(draft: &Draft, dir: &Path, force: bool) -> anyhow::Result<Vec<PathBuf>> {
    let batches = dir.join(config::BATCH_DIR);
    let toml = batches.join(format!("{}.toml", draft.name));
    let sql = draft.query.is_some().then(|| batches.join(format!("{}.sql", draft.name)));
    let there: Vec<String> = [Some(&toml), sql.as_ref()]
        .into_iter()
        .flatten()
        .filter(|path| fs::symlink_metadata(path).is_ok())
        .map(|path| path.display().to_string())
        .collect();
    if !force && !there.is_empty() {
        bail!(
            "refuse to overwrite {}; --name gives another name, --force replaces",
            there.join(", ")
        );
    }
    let mut written = config::scaffold_bare(dir)?;
    if !draft.secrets.is_empty() && secrets::store(dir, &draft.secrets, force)? {
        written.push(dir.join(".env"));
    }
    fs::create_dir_all(&batches).with_context(|| format!("create {}", batches.display()))?;
    let files = [Some((toml, draft.toml())), sql.zip(draft.query.clone())];
    for (path, text) in files.into_iter().flatten() {
        fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
        written.push(path);
    }
    Ok(written)
}

fn next_commands(global: &Global, init: &Init, dir: &Path, draft: &Draft) {
    let config = match (&init.dir, global.config.as_os_str() == ".") {
        (None, true) => String::new(),
        _ => format!(" --config {}", dir.display()),
    };
    let (batches, name) = (dir.join(config::BATCH_DIR), &draft.name);
    let toml = batches.join(format!("{name}.toml"));
    println!("\nNext: look at {}, change what you like, then", toml.display());
    let commands = [
        (format!("run {name}"), "ingest, train, score and alert once, now"),
        (format!("alerts list --batch {name}"), "what it noticed"),
        ("serve".to_owned(), "go on by schedule, with the dashboard"),
    ];
    let width = commands.iter().map(|(command, _)| command.len()).max().unwrap_or(0);
    for (command, what) in commands {
        println!("  anomstack{config} {command:<width$}  {what}");
    }
}
