//! One read, on a thread of its own: load the driver, connect so that nothing can be written where
//! the driver allows that, run the query, take its batches.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{LazyLock, Mutex, PoisonError},
};

use adbc_core::{
    Connection, Database, Driver, LOAD_FLAG_DEFAULT, Optionable, Statement,
    error::{Error, Status},
    options::{AdbcVersion, InfoCode, OptionConnection, OptionDatabase, OptionValue},
};
use adbc_driver_manager::{ManagedConnection, ManagedDriver};
use arrow_array::{Array, RecordBatchReader, cast::AsArray};
use polars::prelude::DataFrame;

use super::{Job, Running, failure::Failure, frames};
use crate::{
    domain::AdbcSpec,
    sources::{SourceError, rows::decode},
};

/// Drivers by name and entry point. They stay loaded to the end of the process: many, those written
/// in Go for one, cannot be unloaded.
static DRIVERS: LazyLock<Mutex<Drivers>> = LazyLock::new(Mutex::default);

type Drivers = HashMap<(String, Option<String>), ManagedDriver>;

/// Reads all batches, as long as `send` takes them.
pub(super) fn read(
    job: &Job,
    running: &Running,
    send: impl Fn(DataFrame) -> bool,
) -> Result<(), SourceError> {
    let failure = Failure { spec: &job.spec, origin: &job.query.origin };
    let mut driver = driver(&job.spec).map_err(|error| failure.load(error))?;
    let database =
        driver.new_database_with_opts(options(&job.spec)).map_err(|e| failure.connect(e))?;
    let mut connection = database.new_connection().map_err(|e| failure.connect(e))?;
    forbid_writing(&mut connection).map_err(|e| failure.connect(e))?;
    let mut statement = connection.new_statement().map_err(|e| failure.connect(e))?;
    running.set(statement.get_cancel_handle());
    let done = statement
        .set_sql_query(&job.query.text)
        .and_then(|()| statement.execute())
        .map_err(|e| failure.query(e))
        .and_then(|batches| take(job, batches, &failure, send));
    // While the statement is there to be cancelled.
    running.forget();
    done
}

fn take(
    job: &Job,
    batches: Box<dyn RecordBatchReader + Send + 'static>,
    failure: &Failure<'_>,
    send: impl Fn(DataFrame) -> bool,
) -> Result<(), SourceError> {
    let empty = arrow_array::RecordBatch::new_empty(batches.schema());
    let damaged =
        |error: polars::prelude::PolarsError| decode("the driver's rows", &error.to_string());
    let mut n_rows = 0;
    for batch in batches {
        let batch = batch.map_err(|error| failure.query(error.into()))?;
        n_rows += batch.num_rows();
        if job.max_rows < n_rows {
            return Err(SourceError::TooManyRows { max_rows: job.max_rows });
        }
        if !send(frames::frame(&batch).map_err(damaged)?) {
            return Ok(());
        }
    }
    if n_rows == 0 {
        // The columns are known all the same.
        send(frames::frame(&empty).map_err(damaged)?);
    }
    Ok(())
}

fn driver(spec: &AdbcSpec) -> Result<ManagedDriver, Error> {
    let key = (spec.driver.clone(), spec.entrypoint.clone());
    let known = || DRIVERS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(driver) = known().get(&key) {
        return Ok(driver.clone());
    }
    // Not under the lock, as this runs the library's own code too.
    let driver = match load(spec, AdbcVersion::V110) {
        Err(error) if error.status == Status::NotImplemented => load(spec, AdbcVersion::V100)?,
        loaded => loaded?,
    };
    Ok(known().entry(key).or_insert(driver).clone())
}

fn load(spec: &AdbcSpec, version: AdbcVersion) -> Result<ManagedDriver, Error> {
    let entrypoint = spec.entrypoint.as_deref().map(str::as_bytes);
    let folders: Option<Vec<PathBuf>> = None;
    ManagedDriver::load_from_name(&spec.driver, entrypoint, version, LOAD_FLAG_DEFAULT, folders)
}

fn options(spec: &AdbcSpec) -> Vec<(OptionDatabase, OptionValue)> {
    let text = |value: &str| OptionValue::String(value.to_owned());
    let uri = spec.uri.iter().map(|uri| (OptionDatabase::Uri, text(uri.reveal())));
    let others = spec.options.iter();
    let others =
        others.map(|(key, value)| (OptionDatabase::from(key.as_str()), text(value.reveal())));
    let mut options: Vec<_> = uri.chain(others).collect();
    // DuckDB decides this when it opens the file.
    let is_duckdb = Path::new(&spec.driver)
        .file_name()
        .is_some_and(|name| name.to_string_lossy().to_ascii_lowercase().contains("duckdb"));
    let is_file =
        spec.options.get("path").is_some_and(|path| !path.reveal().starts_with(":memory:"));
    if is_duckdb && is_file && !spec.options.contains_key("access_mode") {
        options.push((OptionDatabase::from("access_mode"), text("READ_ONLY")));
    }
    options
}

/// Makes the connection refuse to write, by ADBC's own option or, for those that lack it, in the
/// database's words. What knows neither is left to the rights of its user.
fn forbid_writing(connection: &mut ManagedConnection) -> Result<(), Error> {
    let asked = connection.set_option(OptionConnection::ReadOnly, "true".into());
    match asked {
        Ok(()) => return Ok(()),
        Err(error) if is_unknown(error.status) => {}
        Err(error) => return Err(error),
    }
    let vendor = vendor(connection).unwrap_or_default().to_ascii_lowercase();
    let words = if vendor.contains("postgres") {
        "SET default_transaction_read_only = on"
    } else if vendor.contains("sqlite") {
        "PRAGMA query_only = ON"
    } else {
        return Ok(());
    };
    let mut statement = connection.new_statement()?;
    statement.set_sql_query(words)?;
    statement.execute_update().map(drop)
}

const fn is_unknown(status: Status) -> bool {
    matches!(
        status,
        Status::NotImplemented | Status::NotFound | Status::InvalidArguments | Status::Unknown
    )
}

/// What the driver calls its database.
fn vendor(connection: &ManagedConnection) -> Option<String> {
    let mut batches = connection.get_info(Some([InfoCode::VendorName].into())).ok()?;
    let batch = batches.next()?.ok()?;
    let values = batch.column_by_name("info_value")?.as_union_opt()?;
    if values.is_empty() {
        return None;
    }
    Some(values.value(0).as_string_opt::<i32>()?.value(0).to_owned())
}
