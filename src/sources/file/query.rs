//! SQL over files: one `SELECT` of polars' dialect, in which `files` is the table of all of them, one
//! under the other by column name. Parquet and Arrow files are scanned, so that only the columns and
//! row groups a query needs are decoded; the rest is read whole.

use std::{fs::File, sync::Arc};

use polars::{
    prelude::{
        DataFrame, DataType, IntoLazy, LazyFrame, Null, PlSmallStr, PolarsError, PolarsResult,
        ScanArgsParquet, ScanSources, UnionArgs, col, concat, lit,
    },
    sql::SQLContext,
};

use super::{
    Pass,
    fetch::Fetched,
    find::Listed,
    format::{Opened, open},
};
use crate::{
    domain::{FileFormat, FileQuery, Remembered},
    io::Allowance,
    sources::{
        Outlet, SourceError,
        error::printable,
        intake, rows,
        stack::{common_type, stack},
    },
};

/// The table of all files.
const TABLE: &str = "files";
/// Functions of the dialect that would read files by name.
const READERS: [&str; 4] = ["read_csv", "read_parquet", "read_ipc", "read_json"];

impl Pass<'_> {
    /// Sends what the query gives, unless no file has changed.
    pub(super) async fn query(
        &self,
        query: &FileQuery,
        files: &[Listed],
        out: &mut Outlet,
    ) -> Result<Remembered, SourceError> {
        check(query)?;
        let before = self.fetch.ctx.remembered;
        let is_same = files.iter().all(|file| self.is_unchanged(file))
            && files.len() == before.iter().count();
        if files.is_empty() || is_same {
            return Ok(before.clone());
        }
        self.check_sizes(&files.iter().collect::<Vec<_>>())?;
        let mut remembered = Remembered::default();
        let mut opened = Vec::with_capacity(files.len());
        for file in files {
            // Without what is known: the query needs the unchanged ones too.
            if let Some(Fetched { file: content, stamp }) = self.fetch.open(file, None).await? {
                opened.push((content, format!("`{}`", file.name)));
                stamp.into_iter().for_each(|stamp| remembered.note(&file.name, stamp));
            }
        }
        let frame = self.run(query, opened, out.rows_left()).await?;
        let batch = self.fetch.ctx.batch;
        let newest = intake::newest(&frame, &batch.source.naming.columns, batch.timezone);
        out.send(frame).await?;
        let is_open = newest.is_some_and(|newest| self.due.micros() <= newest);
        Ok(if is_open { Remembered::default() } else { remembered })
    }

    async fn run(
        &self,
        query: &FileQuery,
        files: Vec<(File, String)>,
        max_rows: usize,
    ) -> Result<DataFrame, SourceError> {
        let (format, allowance) = (self.format, self.fetch.allowance.clone());
        let query = query.clone();
        let work = move || {
            let mut tables = Vec::with_capacity(files.len());
            for (file, place) in files {
                let is_forced = format.is_some();
                tables.push(table(
                    open(file, &place, format, &allowance)?,
                    &place,
                    is_forced,
                    &allowance,
                )?);
            }
            execute(&query, tables, max_rows)
        };
        self.fetch.compute.run(work).await?
    }
}

/// Refuses what would read other files than those of the source.
fn check(query: &FileQuery) -> Result<(), SourceError> {
    let text = query.text.to_lowercase();
    match READERS.iter().find(|reader| text.contains(*reader)) {
        None => Ok(()),
        Some(reader) => Err(SourceError::Template {
            origin: query.origin.clone(),
            line: None,
            message: format!("`{reader}` is not allowed: the table `{TABLE}` is what `path` names"),
        }),
    }
}

fn table(
    opened: Opened,
    place: &str,
    is_forced: bool,
    allowance: &Allowance,
) -> Result<LazyFrame, SourceError> {
    let wrong = |error: PolarsError| rows::decode(place, &error.to_string());
    match opened {
        Opened::Seekable(FileFormat::Parquet, file) => {
            let sources = ScanSources::Files(Arc::from([own(file, place)?]));
            let mut options = ScanArgsParquet { glob: false, cache: false, ..Default::default() };
            options.hive_options.enabled = Some(false);
            LazyFrame::scan_parquet_sources(sources, options).map_err(wrong)
        }
        opened => {
            let frames: Result<Vec<_>, _> = opened.frames(place, is_forced, allowance)?.collect();
            stack(frames?).map(IntoLazy::lazy).map_err(wrong)
        }
    }
}

/// One table under the other by column name.
fn union(mut tables: Vec<LazyFrame>) -> PolarsResult<LazyFrame> {
    let schemas: Vec<_> =
        tables.iter_mut().map(LazyFrame::collect_schema).collect::<PolarsResult<_>>()?;
    let mut columns: Vec<(PlSmallStr, DataType)> = Vec::new();
    for name in schemas.iter().flat_map(|schema| schema.iter_names()) {
        if columns.iter().all(|(known, _)| known != name) {
            let types = schemas.iter().filter_map(|schema| schema.get(name));
            columns.push((name.clone(), common_type(types)));
        }
    }
    let aligned = tables.into_iter().zip(schemas).map(|(table, schema)| {
        let column = |(name, dtype): &(PlSmallStr, DataType)| match schema.get(name) {
            Some(own) if own == dtype => col(name.clone()),
            Some(_) => col(name.clone()).cast(dtype.clone()),
            None => lit(Null {}).cast(dtype.clone()).alias(name.clone()),
        };
        table.select(columns.iter().map(column).collect::<Vec<_>>())
    });
    concat(aligned.collect::<Vec<_>>(), UnionArgs::default())
}

/// A copy nobody else can cut short while it is mapped into memory, which would end this process.
fn own(mut file: File, place: &str) -> Result<File, SourceError> {
    let mut copy = tempfile::tempfile().map_err(|e| rows::decode(place, &e.to_string()))?;
    std::io::copy(&mut file, &mut copy).map_err(|e| rows::decode(place, &e.to_string()))?;
    Ok(copy)
}

fn execute(
    query: &FileQuery,
    tables: Vec<LazyFrame>,
    max_rows: usize,
) -> Result<DataFrame, SourceError> {
    let wrong = |error: PolarsError| SourceError::Query {
        origin: query.origin.clone(),
        at: None,
        message: printable(error.to_string().lines().next().unwrap_or_default()),
    };
    let mut context = SQLContext::new();
    context.register(TABLE, union(tables).map_err(wrong)?);
    let frame = context.execute(&query.text).map_err(wrong)?;
    let n_rows = u32::try_from(max_rows.saturating_add(1)).unwrap_or(u32::MAX);
    let frame = frame.limit(n_rows).collect().map_err(wrong)?;
    match max_rows < frame.height() {
        true => Err(SourceError::TooManyRows { max_rows }),
        false => Ok(frame),
    }
}
