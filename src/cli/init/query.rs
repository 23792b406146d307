//! The SQL of a new batch, in the words of its database. Times of the window come from the template
//! as seconds since 1970, which every dialect turns into its own.

use std::fmt::Write;

use super::{
    profile::{Profile, Shape},
    table::{Class, Column, Table},
};

/// How far back the first read goes.
pub(super) const FIRST_DAYS: i64 = 90;

/// A database's SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
    Mysql,
}

impl Dialect {
    /// By an address.
    pub(super) fn of(url: &str) -> Option<Self> {
        match url.split(':').next()? {
            "sqlite" => Some(Self::Sqlite),
            "postgres" | "postgresql" => Some(Self::Postgres),
            "mysql" | "mariadb" => Some(Self::Mysql),
            _ => None,
        }
    }

    /// The name people know it by.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
            Self::Mysql => "MySQL",
        }
    }

    /// A name of a table or column, quoted where it has to be.
    pub(super) fn identifier(self, name: &str) -> String {
        let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let is_plain = name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.chars().all(is_word)
            && !RESERVED.contains(&name);
        match self {
            _ if is_plain => name.to_owned(),
            Self::Mysql => format!("`{}`", name.replace('`', "``")),
            Self::Sqlite | Self::Postgres => format!("\"{}\"", name.replace('"', "\"\"")),
        }
    }

    /// A table with its schema.
    pub(super) fn table(self, table: &Table) -> String {
        let name = self.identifier(&table.name);
        match &table.schema {
            Some(schema) => format!("{}.{name}", self.identifier(schema)),
            None => name,
        }
    }

    fn joined(self, group: &str, suffix: &str) -> String {
        let suffix = suffix.replace('\'', "''");
        match self {
            Self::Mysql => format!("CONCAT({group}, '.{suffix}')"),
            Self::Sqlite | Self::Postgres => format!("{group} || '.{suffix}'"),
        }
    }
}

/// How a column holds its instants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// The database's type for it; with a zone or without.
    Native { zoned: bool },
    /// Numbers since 1970: how many in a second.
    Epoch { per_second: i64 },
    /// SQLite's texts that sort by time: the form of their beginning.
    Text { form: &'static str },
    /// Texts that only SQLite's `datetime()` understands.
    Other,
}

impl Encoding {
    /// By a column's type and one of its cells.
    pub(super) fn of(dialect: Dialect, column: &Column, cell: &str) -> Self {
        if dialect != Dialect::Sqlite && column.class == Class::Time {
            let zoned = match dialect {
                Dialect::Mysql => column.declared.starts_with("timestamp"),
                _ => column.declared.contains("with time zone"),
            };
            return Self::Native { zoned };
        }
        if let Ok(number) = cell.parse::<f64>() {
            let size = number.abs();
            let scales = [(1e11, 1), (1e14, 1_000), (1e17, 1_000_000)];
            let scale = scales.iter().find(|(limit, _)| size < *limit);
            return Self::Epoch { per_second: scale.map_or(1_000_000_000, |(_, scale)| *scale) };
        }
        match (cell.len(), cell.as_bytes().get(10)) {
            (10, None) => Self::Text { form: "%Y-%m-%d" },
            (16.., Some(b' ')) => Self::Text { form: "%Y-%m-%d %H:%M:%S" },
            (16.., Some(b'T')) => Self::Text { form: "%Y-%m-%dT%H:%M:%S" },
            _ => Self::Other,
        }
    }
}

/// What a query is written from.
pub(super) struct Wanted<'a> {
    pub(super) dialect: Dialect,
    pub(super) table: &'a Table,
    pub(super) time: &'a str,
    pub(super) encoding: Encoding,
    pub(super) profile: &'a Profile,
}

/// The batch's `.sql` file.
pub(super) fn write(wanted: &Wanted<'_>) -> String {
    let step = wanted.profile.step.micros() / 1_000_000;
    let mut sql = String::from(
        "-- `since` is where the last read ended, less the batch's lateness; at first, ",
    );
    // Writing to a String does not fail.
    writeln!(sql, "{FIRST_DAYS} days ago.").unwrap_or_default();
    writeln!(
        sql,
        "{{% set since = last_timestamp_unix if last_timestamp else now_unix - {FIRST_DAYS} * 86400 %}}"
    )
    .unwrap_or_default();
    if matches!(wanted.profile.shape, Shape::Events { .. }) {
        sql.push_str("{# whole buckets only #}\n");
        writeln!(sql, "{{% set since = since - since % {step} %}}").unwrap_or_default();
    }
    sql.push_str(&wanted.select(step));
    sql
}

impl Wanted<'_> {
    /// A column under the name that its part has here.
    fn part(&self, column: &str, part: &str) -> String {
        let name = self.dialect.identifier(column);
        if column == part { name } else { format!("{name} AS {part}") }
    }

    fn select(&self, step: i64) -> String {
        let dialect = self.dialect;
        let (time, from) = (dialect.identifier(self.time), dialect.table(self.table));
        let filter = format!("FROM {from}\nWHERE {}", self.since());
        let at = self.part(self.time, "timestamp");
        match &self.profile.shape {
            Shape::Long { name, value } => {
                let (name, value) = (self.part(name, "metric"), self.part(value, "value"));
                format!("SELECT {at}, {name}, {value}\n{filter}\n")
            }
            Shape::Groups { group, values } => {
                let group = dialect.identifier(group);
                let one = |value: &String| {
                    let metric = dialect.joined(&group, value);
                    let value = self.part(value, "value");
                    format!("SELECT {at}, {metric} AS metric, {value}\n{filter}\n")
                };
                values.iter().map(one).collect::<Vec<_>>().join("UNION ALL\n")
            }
            Shape::Wide { values } => {
                let values: Vec<String> =
                    values.iter().map(|value| dialect.identifier(value)).collect();
                format!("SELECT {at},\n       {}\n{filter}\n", values.join(",\n       "))
            }
            Shape::Events { values } => {
                let mut columns = vec![
                    format!("{} AS timestamp", self.bucket(&time, step)),
                    format!(
                        "COUNT(*) AS {}",
                        dialect.identifier(&format!("{}_count", self.table.name))
                    ),
                ];
                for value in values {
                    let column = dialect.identifier(value);
                    for (function, suffix) in [("SUM", "sum"), ("AVG", "mean")] {
                        let name = dialect.identifier(&format!("{value}_{suffix}"));
                        columns.push(format!("{function}({column}) AS {name}"));
                    }
                }
                format!("SELECT {}\n{filter}\nGROUP BY 1\nORDER BY 1\n", columns.join(",\n       "))
            }
        }
    }

    /// The condition that leaves out what was read before.
    fn since(&self) -> String {
        let time = self.dialect.identifier(self.time);
        let bound = match (self.encoding, self.dialect) {
            (Encoding::Epoch { per_second: 1 }, _) => "{{ since }}".to_owned(),
            (Encoding::Epoch { per_second }, _) => format!("{{{{ since * {per_second} }}}}"),
            (Encoding::Text { form }, _) => {
                format!("strftime('{form}', {{{{ since }}}}, 'unixepoch')")
            }
            (Encoding::Other, _) => {
                return format!("datetime({time}) >= datetime({{{{ since }}}}, 'unixepoch')");
            }
            (Encoding::Native { zoned: true }, Dialect::Postgres) => {
                "to_timestamp({{ since }})".to_owned()
            }
            (Encoding::Native { .. }, Dialect::Postgres) => {
                "to_timestamp({{ since }}) AT TIME ZONE 'UTC'".to_owned()
            }
            (Encoding::Native { .. }, _) => "FROM_UNIXTIME({{ since }})".to_owned(),
        };
        format!("{time} >= {bound}")
    }

    /// The start of the bucket an event falls into.
    fn bucket(&self, time: &str, step: i64) -> String {
        let seconds = match (self.encoding, self.dialect) {
            (Encoding::Epoch { per_second }, Dialect::Sqlite) => {
                format!("CAST({time} / {per_second} AS INTEGER)")
            }
            (Encoding::Epoch { per_second }, _) => format!("{time} / {per_second}"),
            (_, Dialect::Sqlite) => format!("CAST(strftime('%s', {time}) AS INTEGER)"),
            (_, Dialect::Postgres) => format!("extract(epoch FROM {time})"),
            (_, Dialect::Mysql) => format!("UNIX_TIMESTAMP({time})"),
        };
        match self.dialect {
            Dialect::Sqlite => format!("{seconds} / {step} * {step}"),
            Dialect::Postgres => format!("to_timestamp(floor({seconds} / {step}) * {step})"),
            Dialect::Mysql => format!("CAST(FLOOR({seconds} / {step}) * {step} AS SIGNED)"),
        }
    }
}

/// Words that stand for themselves nowhere in at least one of the databases.
const RESERVED: &[&str] = &[
    "all",
    "and",
    "any",
    "as",
    "asc",
    "between",
    "by",
    "case",
    "check",
    "column",
    "condition",
    "count",
    "cross",
    "cube",
    "current",
    "date",
    "day",
    "default",
    "desc",
    "distinct",
    "else",
    "end",
    "false",
    "for",
    "foreign",
    "from",
    "full",
    "function",
    "group",
    "groups",
    "having",
    "hour",
    "in",
    "index",
    "inner",
    "int",
    "interval",
    "into",
    "is",
    "join",
    "key",
    "keys",
    "lag",
    "lead",
    "left",
    "like",
    "limit",
    "match",
    "max",
    "min",
    "minute",
    "month",
    "natural",
    "not",
    "null",
    "offset",
    "on",
    "or",
    "order",
    "outer",
    "over",
    "partition",
    "percent",
    "primary",
    "range",
    "rank",
    "read",
    "recursive",
    "references",
    "right",
    "row",
    "rows",
    "second",
    "select",
    "set",
    "some",
    "sum",
    "system",
    "table",
    "then",
    "time",
    "timestamp",
    "to",
    "true",
    "union",
    "unique",
    "update",
    "user",
    "using",
    "values",
    "when",
    "where",
    "window",
    "with",
    "write",
    "year",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Span, Timestamp};

    fn sql(dialect: Dialect, time: (&str, &str, &str), shape: Shape) -> String {
        let column = Column::new(time.0, time.1);
        let encoding = Encoding::of(dialect, &column, time.2);
        let table =
            Table { schema: None, name: "orders".into(), columns: vec![column], n_rows: None };
        let newest = Timestamp::from_secs(1_700_000_000).unwrap();
        let profile = Profile { shape, step: Span::secs(3_600), newest, n_times: 2 };
        let wanted = Wanted { dialect, table: &table, time: time.0, encoding, profile: &profile };
        wanted.select(3_600)
    }

    #[test]
    fn every_database_gets_its_own_words() {
        let long = Shape::Long { name: "name".into(), value: "Value".into() };
        assert_eq!(
            sql(Dialect::Postgres, ("at", "timestamp with time zone", ""), long.clone()),
            "SELECT at AS timestamp, name AS metric, \"Value\" AS value\nFROM orders\n\
             WHERE at >= to_timestamp({{ since }})\n"
        );
        assert_eq!(
            sql(Dialect::Mysql, ("at", "datetime", ""), long),
            "SELECT at AS timestamp, name AS metric, `Value` AS value\nFROM orders\n\
             WHERE at >= FROM_UNIXTIME({{ since }})\n"
        );
        let events = Shape::Events { values: vec!["amount".into()] };
        assert_eq!(
            sql(Dialect::Sqlite, ("created_at", "TEXT", "2026-01-01 10:00:00"), events),
            "SELECT CAST(strftime('%s', created_at) AS INTEGER) / 3600 * 3600 AS timestamp,\n       \
             COUNT(*) AS orders_count,\n       SUM(amount) AS amount_sum,\n       \
             AVG(amount) AS amount_mean\nFROM orders\n\
             WHERE created_at >= strftime('%Y-%m-%d %H:%M:%S', {{ since }}, 'unixepoch')\nGROUP BY 1\nORDER BY 1\n"
        );
        let wide = Shape::Wide { values: vec!["a".into(), "order".into()] };
        assert_eq!(
            sql(Dialect::Sqlite, ("ts", "INTEGER", "1700000000000"), wide),
            "SELECT ts AS timestamp,\n       a,\n       \"order\"\nFROM orders\n\
             WHERE ts >= {{ since * 1000 }}\n"
        );
    }

    #[test]
    fn a_name_with_quotes_stays_one_name() {
        assert_eq!(Dialect::Postgres.identifier("a\"b"), "\"a\"\"b\"");
        assert_eq!(Dialect::Mysql.identifier("a`b"), "`a``b`");
        assert_eq!(Dialect::Sqlite.identifier("order"), "\"order\"");
    }
}
