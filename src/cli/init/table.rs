//! The tables of a database and which of them looks most like metrics: pure, from names and types.

/// What a column may be used for, by its declared type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// A date or an instant.
    Time,
    Number,
    Text,
    /// Nothing that a metric is made of.
    Other,
}

/// A column as the database describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) class: Class,
    /// The declared type in lower case.
    pub(super) declared: String,
}

impl Column {
    pub(super) fn new(name: &str, declared: &str) -> Self {
        let declared = declared.to_ascii_lowercase();
        Self { name: name.to_owned(), class: class(&declared), declared }
    }
}

/// A table or a view.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Table {
    /// Where it lives, when that has to be said.
    pub(super) schema: Option<String>,
    pub(super) name: String,
    pub(super) columns: Vec<Column>,
    /// The database's own guess.
    pub(super) n_rows: Option<f64>,
}

impl Table {
    /// The name as a person writes it.
    pub(super) fn shown(&self) -> String {
        match &self.schema {
            Some(schema) => format!("{schema}.{}", self.name),
            None => self.name.clone(),
        }
    }

    /// The column that says when, most likely first by type, then by name.
    pub(super) fn time(&self) -> Option<&Column> {
        let rank = |column: &&Column| {
            let name = column.name.to_ascii_lowercase();
            let place = TIME_NAMES.iter().position(|known| *known == name);
            let place = place.unwrap_or(match name.strip_suffix("_at") {
                Some("updated" | "modified" | "deleted") => TIME_NAMES.len() + 2,
                _ => TIME_NAMES.len() + 1,
            });
            (column.class != Class::Time, place)
        };
        let is_time = |column: &&Column| match column.class {
            Class::Time => true,
            Class::Number | Class::Text => is_called_time(&column.name),
            Class::Other => false,
        };
        self.columns.iter().filter(is_time).min_by_key(rank)
    }

    /// Columns of measurements: numbers that are no keys.
    pub(super) fn numbers(&self) -> Vec<&Column> {
        let time = self.time().map(|column| column.name.clone());
        let is_measure = |column: &&Column| {
            column.class == Class::Number
                && Some(&column.name) != time.as_ref()
                && !is_called_key(&column.name)
        };
        self.columns.iter().filter(is_measure).collect()
    }

    /// Columns of short texts that may name a metric or a group.
    pub(super) fn texts(&self) -> Vec<&Column> {
        let time = self.time().map(|column| column.name.clone());
        let is_text =
            |column: &&Column| column.class == Class::Text && Some(&column.name) != time.as_ref();
        self.columns.iter().filter(is_text).collect()
    }

    /// How much it looks like something to watch; `None` when nothing in it says when.
    pub(super) fn score(&self) -> Option<f64> {
        let time = self.time()?;
        let name = self.name.to_ascii_lowercase();
        let holds = |words: &[&str]| words.iter().any(|word| name.contains(word));
        let mut score = if time.class == Class::Time { 3.0 } else { 2.0 };
        score += (self.numbers().len() as f64).min(4.0) * 0.5;
        if self.texts().iter().any(|column| is_called_name(&column.name)) {
            score += 1.0;
        }
        if self.numbers().iter().any(|column| is_called_value(&column.name)) {
            score += 1.5;
        }
        if holds(GOOD_TABLES) {
            score += 1.0;
        }
        if holds(DULL_TABLES) {
            score -= 4.0;
        }
        match self.n_rows {
            Some(n) if n < 30.0 => score -= 3.0,
            Some(n) => score += (n.log10() * 0.4).min(2.4),
            None => (),
        }
        Some(score)
    }
}

/// Candidates, best first.
pub(super) fn ranked(tables: Vec<Table>) -> Vec<Table> {
    let mut scored: Vec<(f64, Table)> =
        tables.into_iter().filter_map(|table| Some((table.score()?, table))).collect();
    scored.sort_by(|(one, a), (other, b)| other.total_cmp(one).then(a.name.cmp(&b.name)));
    scored.into_iter().map(|(_, table)| table).collect()
}

/// A declared type's use.
fn class(declared: &str) -> Class {
    let holds = |words: &[&str]| words.iter().any(|word| declared.contains(word));
    if declared.contains("[]") || holds(&["range", "interval", "bool", "json", "blob", "bytea"]) {
        Class::Other
    } else if holds(&["timestamp", "datetime"]) || declared == "date" {
        Class::Time
    } else if holds(&["int", "serial", "numeric", "decimal", "number", "float", "double", "real"]) {
        Class::Number
    } else if holds(&["char", "text", "enum", "clob"]) || declared.is_empty() {
        Class::Text
    } else {
        Class::Other
    }
}

const TIME_NAMES: &[&str] = &[
    "timestamp",
    "metric_timestamp",
    "ts",
    "time",
    "datetime",
    "bucket",
    "hour",
    "day",
    "date",
    "minute",
    "event_time",
    "recorded_at",
    "measured_at",
    "occurred_at",
    "created_at",
    "created",
];
const GOOD_TABLES: &[&str] = &[
    "metric", "stat", "measure", "reading", "kpi", "hourly", "daily", "order", "sale", "event",
    "request", "traffic", "usage", "signup", "payment", "per_hour", "per_day",
];
const DULL_TABLES: &[&str] =
    &["migration", "schema_", "flyway", "alembic", "django_", "ar_internal", "session", "audit"];
const NAME_NAMES: &[&str] =
    &["metric", "metric_name", "name", "series", "sensor", "measure", "kpi"];
const VALUE_NAMES: &[&str] = &["value", "metric_value", "val", "reading", "measurement"];

fn is_called_time(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let ends = ["_at", "_ts", "_time", "_date", "timestamp", "datetime"];
    TIME_NAMES.contains(&name.as_str()) || ends.iter().any(|end| name.ends_with(end))
}

/// Whether a column's name says that it names metrics.
pub(super) fn is_called_name(name: &str) -> bool {
    NAME_NAMES.contains(&name.to_ascii_lowercase().as_str())
}

/// Whether a column's name says that it holds the metric's value.
pub(super) fn is_called_value(name: &str) -> bool {
    VALUE_NAMES.contains(&name.to_ascii_lowercase().as_str())
}

/// Keys, codes and calendar parts are numbers that mean nothing added up.
fn is_called_key(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let ends = ["_id", "_key", "_code", "_no", "_uuid", "_fk"];
    let whole =
        ["id", "key", "code", "year", "month", "week", "weekday", "zip", "version", "rowid"];
    whole.contains(&lower.as_str())
        || ends.iter().any(|end| lower.ends_with(end))
        || name.ends_with("Id")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, n_rows: f64, columns: &[(&str, &str)]) -> Table {
        let columns = columns.iter().map(|(name, declared)| Column::new(name, declared)).collect();
        Table { schema: None, name: name.into(), columns, n_rows: Some(n_rows) }
    }

    #[test]
    fn measurements_come_before_book_keeping_and_a_table_without_a_time_is_none() {
        let tables = vec![
            table("users", 1e4, &[("id", "bigint"), ("email", "text")]),
            table("schema_migrations", 90.0, &[("version", "bigint"), ("at", "timestamp")]),
            table(
                "orders",
                1e5,
                &[("id", "bigint"), ("created_at", "timestamp"), ("amount", "numeric(10,2)")],
            ),
            table(
                "metrics",
                1e5,
                &[("ts", "timestamptz"), ("metric", "text"), ("value", "double precision")],
            ),
        ];
        let names: Vec<String> = ranked(tables).into_iter().map(|table| table.name).collect();
        assert_eq!(names, ["metrics", "orders", "schema_migrations"]);
    }

    #[test]
    fn keys_are_no_measurements_and_the_best_time_is_taken() {
        let columns = [
            ("id", "INTEGER"),
            ("customer_id", "INTEGER"),
            ("updated_at", "TEXT"),
            ("created_at", "TEXT"),
            ("amount", "REAL"),
            ("status", "TEXT"),
            ("paid", "boolean"),
        ];
        let table = table("orders", 100.0, &columns);
        assert_eq!(table.time().unwrap().name, "created_at");
        let names = |columns: Vec<&Column>| -> Vec<String> {
            columns.iter().map(|column| column.name.clone()).collect()
        };
        assert_eq!(names(table.numbers()), ["amount"]);
        assert_eq!(names(table.texts()), ["updated_at", "status"]);
    }
}
