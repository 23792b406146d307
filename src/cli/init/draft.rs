//! A batch before it is written: its two files, what goes into `.env`, and what to tell its owner.

use std::fmt::Write;

use crate::domain::Span;

/// A batch as it will be written.
#[derive(Debug)]
pub(super) struct Draft {
    /// The file's stem.
    pub(super) name: String,
    pub(super) description: String,
    /// Lines of `[source]` without its head.
    pub(super) source: String,
    /// The text of the file that `query_file` names.
    pub(super) query: Option<String>,
    /// Distance of two values, where it was seen.
    pub(super) step: Option<Span>,
    /// Whether the newest bucket is still filling when it is read.
    pub(super) is_bucketed: bool,
    /// For `.env`: names and values.
    pub(super) secrets: Vec<(String, String)>,
    /// Lines for the person who asked.
    pub(super) notes: Vec<String>,
}

impl Draft {
    /// The batch's TOML file.
    pub(super) fn toml(&self) -> String {
        let mut toml = String::from(
            "# Written by `anomstack init` from what it saw; yours to change. Every other key with its\n\
             # default is in defaults.toml.\n\n",
        );
        let mut line = |text: String| {
            toml.push_str(&text);
            toml.push('\n');
        };
        line(format!("description = {}\n", quoted(&self.description)));
        line(format!("[source]\n{}", self.source.trim_end()));
        if self.query.is_some() {
            line(format!("query_file = {}", quoted(&format!("{}.sql", self.name))));
        }
        if let Some(lateness) = self.lateness() {
            line(format!(
                "lateness = \"{lateness}\"               # how far back each read looks again"
            ));
        }
        if self.is_bucketed {
            line("drop_incomplete = true         # the bucket that is still filling waits".into());
        }
        line(format!("\n[schedule]\ningest = \"{}\"", self.ingest()));
        if let Some(step) = self.step {
            line(format!("\n[features]\nresample = \"{step}\""));
        }
        line(
            "\n[score]\nmax_points = 100               # of a metric in one run; the newest".into(),
        );
        line(
            "\n[alert]\nrecent = 24                    # how many of the newest points can alert"
                .into(),
        );
        toml
    }

    /// Two steps back, because rows come late and buckets fill up.
    fn lateness(&self) -> Option<Span> {
        let step = self.step?;
        let two = Span::from_micros(step.micros().saturating_mul(2));
        (Span::secs(600) < two).then_some(two)
    }

    fn ingest(&self) -> &'static str {
        match self.step {
            Some(step) if step < Span::secs(60) => "every 30s",
            Some(step) if step < Span::secs(300) => "* * * * *",
            Some(step) if Span::hours(6) <= step => "@hourly",
            Some(_) | None => "*/5 * * * *",
        }
    }
}

/// A text as TOML writes it between double quotes. `${` is kept as it is: it names a variable.
pub(in crate::cli) fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            c if c.is_control() => {
                // Writing to a String does not fail.
                write!(quoted, "\\u{:04X}", u32::from(c)).unwrap_or_default();
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A text that holds no variable, whatever it looks like.
pub(in crate::cli) fn quoted_plain(text: &str) -> String {
    quoted(&text.replace("${", "$${"))
}

/// A batch's name out of any text.
pub(in crate::cli) fn batch_name(text: &str) -> String {
    let word =
        |c: char| if c.is_ascii_alphanumeric() || c == '-' { c.to_ascii_lowercase() } else { '_' };
    let name: String = text.chars().take(60).map(word).collect();
    let name = name.trim_matches(['_', '-']);
    match name {
        "" | "defaults" => "metrics".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_names_survive_their_writing() {
        assert_eq!(quoted("a\"b\\c\n\u{7f}"), "\"a\\\"b\\\\c\\n\\u007F\"");
        assert_eq!(quoted_plain("${X}"), "\"$${X}\"");
        assert_eq!(batch_name("Orders per Hour.csv"), "orders_per_hour_csv");
        assert_eq!(batch_name("../../etc"), "etc");
        assert_eq!(batch_name("défaults"), "d_faults");
        assert_eq!(batch_name("defaults"), "metrics");
    }
}
