//! Looks at a database: its tables, a sample of the likeliest, and the batch that comes of it. All
//! reading goes through the `sql` source, so nothing here can write.

use std::path::Path;

use anyhow::{Context, bail};

use crate::{
    config::{self, Environment},
    domain::Timestamp,
    sources,
};

use super::{
    super::look::{self, Looker},
    draft::{Draft, batch_name, quoted, quoted_plain},
    profile::{Profile, Sample, Shape, profile},
    query::{self, Dialect, Encoding, FIRST_DAYS, Wanted},
    secrets,
    table::{Column, Table, ranked},
};

/// Rows of the sample.
const N_SAMPLE: usize = 5_000;
/// Tables looked into before giving up.
const N_TRIED: usize = 5;
const MAX_TEXTS: usize = 8;
const MAX_NUMBERS: usize = 12;
/// Holds the address while looking; it is never written.
const URL_VARIABLE: &str = "ANOMSTACK_INIT_URL";

/// A database and how to ask it.
pub(super) struct Database<'a> {
    pub(super) url: &'a str,
    pub(super) dialect: Dialect,
    /// The project folder.
    pub(super) dir: &'a Path,
    pub(super) looker: &'a Looker,
    pub(super) now: Timestamp,
}

/// A table that makes a batch.
struct Found {
    table: Table,
    time: Column,
    encoding: Encoding,
    profile: Profile,
}

type Rows = Vec<Vec<Option<String>>>;

impl Database<'_> {
    /// The batch for the wanted table, or for the one that looks most like metrics.
    pub(super) async fn draft(
        &self,
        wanted: Option<&str>,
        name: Option<&str>,
    ) -> anyhow::Result<Draft> {
        let tables = self.tables().await?;
        let candidates = match wanted {
            Some(wanted) => vec![named(&tables, wanted)?],
            None => ranked(tables.clone()),
        };
        let Some(found) = self.first_usable(&candidates, wanted).await? else {
            bail!("no table has a column of times and enough rows; there are: {}", list(&tables));
        };
        let others: Vec<String> = (candidates.iter().map(Table::shown))
            .filter(|shown| *shown != found.table.shown())
            .collect();
        let name = name.map_or_else(|| batch_name(&found.table.name), str::to_owned);
        Ok(self.write(&found, name, &others))
    }

    async fn first_usable(
        &self,
        tables: &[Table],
        wanted: Option<&str>,
    ) -> anyhow::Result<Option<Found>> {
        for table in tables.iter().take(N_TRIED) {
            let Some(time) = table.time().cloned() else {
                bail!("table {} has no column of times; it has: {}", table.shown(), columns(table));
            };
            match self.look_into(table, &time).await {
                Ok(Some((encoding, profile))) => {
                    return Ok(Some(Found { table: table.clone(), time, encoding, profile }));
                }
                Ok(None) if wanted.is_some() => {
                    bail!("table {} has no two rows of different `{}`", table.shown(), time.name)
                }
                Ok(None) => (),
                Err(error) if wanted.is_some() => return Err(error),
                Err(error) => tracing::warn!("table {}: {error:#}", table.shown()),
            }
        }
        Ok(None)
    }

    async fn look_into(
        &self,
        table: &Table,
        time: &Column,
    ) -> anyhow::Result<Option<(Encoding, Profile)>> {
        let texts: Vec<&Column> = table.texts().into_iter().take(MAX_TEXTS).collect();
        let numbers = table.numbers().into_iter().take(MAX_NUMBERS);
        let at = self.dialect.identifier(&time.name);
        let mut columns = vec![at.clone()];
        columns.extend(texts.iter().map(|column| self.dialect.identifier(&column.name)));
        let (columns, from) = (columns.join(", "), self.dialect.table(table));
        let select = format!("SELECT {columns} FROM {from} WHERE {at} IS NOT NULL");
        let newest = format!("{select} ORDER BY {at} DESC LIMIT {N_SAMPLE}");
        let rows = match self.rows(&newest).await {
            Ok(rows) => rows,
            // Without an index the newest rows of a large table may take too long to find.
            Err(_) => self.rows(&format!("{select} LIMIT {N_SAMPLE}")).await?,
        };
        let Some(cell) = rows.first().and_then(|row| row.first()?.clone()) else { return Ok(None) };
        let instant = |row: &Vec<Option<String>>| {
            sources::instant(row.first()?.as_deref()?, chrono_tz::Tz::UTC)
        };
        let cells =
            |place: usize| rows.iter().map(|row| row.get(place).cloned().flatten()).collect();
        let sample = Sample {
            times: rows.iter().map(instant).collect(),
            texts: texts
                .iter()
                .zip(1..)
                .map(|(column, place)| (column.name.clone(), cells(place)))
                .collect(),
            numbers: numbers.map(|column| column.name.clone()).collect(),
        };
        let encoding = Encoding::of(self.dialect, time, &cell);
        Ok(profile(&sample).map(|profile| (encoding, profile)))
    }

    /// Every table and view that can be read.
    async fn tables(&self) -> anyhow::Result<Vec<Table>> {
        let rows = self.rows(catalogue(self.dialect)).await?;
        let mut tables: Vec<Table> = Vec::new();
        for row in rows {
            let mut cells = row.into_iter().map(Option::unwrap_or_default);
            let mut next = || cells.next().unwrap_or_default();
            let (schema, name, column, declared, n_rows) = (next(), next(), next(), next(), next());
            if [&schema, &name, &column]
                .iter()
                .any(|text| text.contains("{{") || text.contains("{%") || text.contains("{#"))
            {
                // It would be read as a template.
                continue;
            }
            let schema = Some(schema).filter(|schema| !schema.is_empty());
            let column = Column::new(&column, &declared);
            match tables.last_mut() {
                Some(table) if table.name == name && table.schema == schema => {
                    table.columns.push(column)
                }
                Some(_) | None => tables.push(Table {
                    schema,
                    name,
                    columns: vec![column],
                    n_rows: n_rows.parse().ok().filter(|n| 0.0 <= *n),
                }),
            }
        }
        if tables.is_empty() {
            bail!("this database holds no table that can be read");
        }
        Ok(tables)
    }

    async fn rows(&self, query: &str) -> anyhow::Result<Rows> {
        let text = format!(
            "name = \"init\"\n[source]\nkind = \"sql\"\nurl = \"${{{URL_VARIABLE}}}\"\nquery = {}\ntimeout = \"20s\"\n",
            quoted_plain(query)
        );
        let env = Environment::from_pairs([(URL_VARIABLE, self.url)]);
        let batch = config::read_batch(self.dir, "init", &text, &env)?;
        let frames = self.looker.sample(&batch, self.now, usize::MAX).await;
        let frames = frames.context("look at the database")?;
        Ok(frames.iter().flat_map(look::texts).collect())
    }

    fn write(&self, found: &Found, name: String, others: &[String]) -> Draft {
        let Found { table, time, encoding, profile } = found;
        let address = secrets::hide(self.url, &name);
        let wanted =
            Wanted { dialect: self.dialect, table, time: &time.name, encoding: *encoding, profile };
        let mut notes = vec![
            format!("table {}, {}", table.shown(), shape_words(&profile.shape)),
            format!("`{}` says when; values come every {} or so", time.name, profile.step),
            format!("the first read goes {FIRST_DAYS} days back"),
        ];
        let is_civil =
            matches!(encoding, Encoding::Native { zoned: false } | Encoding::Text { .. });
        if is_civil && !is_bucketed(profile) {
            notes.push("times without a zone are taken as UTC; `timezone = \"Europe/Dublin\"` says otherwise".into());
        } else if is_civil {
            notes.push("times without a zone are taken as UTC".into());
        }
        if self.now - profile.newest > crate::domain::Span::days(FIRST_DAYS) {
            notes.push(format!("its newest row is of {}: a first read finds nothing younger than {FIRST_DAYS} days", profile.newest));
        }
        if !others.is_empty() {
            notes.push(format!(
                "other tables with times: {} (`--table NAME` takes one)",
                others.join(", ")
            ));
        }
        Draft {
            description: format!("{} in {}", table.shown(), self.dialect.name()),
            source: format!("kind = \"sql\"\nurl = {}", quoted(&address.text)),
            query: Some(query::write(&wanted)),
            step: Some(profile.step),
            is_bucketed: is_bucketed(profile),
            secrets: address.secrets,
            notes,
            name,
        }
    }
}

const fn is_bucketed(profile: &Profile) -> bool {
    matches!(profile.shape, Shape::Events { .. })
}

fn shape_words(shape: &Shape) -> String {
    match shape {
        Shape::Long { name, value } => format!("`{name}` names the metric, `{value}` is its value"),
        Shape::Groups { group, values } => {
            format!("one metric for each `{group}` and each of {}", values.join(", "))
        }
        Shape::Wide { values } => format!("one metric a column: {}", values.join(", ")),
        Shape::Events { values } if values.is_empty() => "one row an event, counted".to_owned(),
        Shape::Events { values } => {
            format!("one row an event: counted, {} summed up and averaged", values.join(", "))
        }
    }
}

fn named(tables: &[Table], wanted: &str) -> anyhow::Result<Table> {
    let is_it = |table: &&Table| table.name == wanted || table.shown() == wanted;
    let table = tables.iter().find(is_it);
    table.cloned().with_context(|| format!("no table `{wanted}`; there are: {}", list(tables)))
}

fn list(tables: &[Table]) -> String {
    tables.iter().map(Table::shown).collect::<Vec<_>>().join(", ")
}

fn columns(table: &Table) -> String {
    let shown = |column: &Column| format!("{} {}", column.name, column.declared);
    table.columns.iter().map(shown).collect::<Vec<_>>().join(", ")
}

/// Schema, table, column, type and guess of the rows, in the order of the columns.
const fn catalogue(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => {
            "SELECT '' AS tab_schema, t.name AS tab, c.name AS col, c.type AS declared, NULL AS n_rows \
             FROM sqlite_schema t JOIN pragma_table_info(t.name) c \
             WHERE t.type IN ('table', 'view') AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
             ORDER BY t.name, c.cid"
        }
        Dialect::Postgres => {
            "SELECT CASE WHEN pg_table_is_visible(t.oid) THEN '' ELSE s.nspname END AS tab_schema, \
             t.relname AS tab, c.attname AS col, format_type(c.atttypid, c.atttypmod) AS declared, \
             CASE WHEN t.relkind IN ('r', 'm') THEN t.reltuples END AS n_rows \
             FROM pg_class t JOIN pg_namespace s ON s.oid = t.relnamespace \
             JOIN pg_attribute c ON c.attrelid = t.oid AND 0 < c.attnum AND NOT c.attisdropped \
             WHERE t.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT t.relispartition \
             AND s.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') \
             AND has_table_privilege(t.oid, 'SELECT') \
             ORDER BY s.nspname, t.relname, c.attnum"
        }
        Dialect::Mysql => {
            "SELECT CASE WHEN c.table_schema = DATABASE() THEN '' ELSE c.table_schema END AS tab_schema, \
             c.table_name AS tab, c.column_name AS col, c.column_type AS declared, t.table_rows AS n_rows \
             FROM information_schema.columns c JOIN information_schema.tables t \
             ON t.table_schema = c.table_schema AND t.table_name = c.table_name \
             WHERE c.table_schema NOT IN ('information_schema', 'mysql', 'performance_schema', 'sys') \
             AND (DATABASE() IS NULL OR c.table_schema = DATABASE()) \
             ORDER BY c.table_schema, c.table_name, c.ordinal_position"
        }
    }
}
