//! One alert in words: its title, what is known beside it, and what can be opened.

use std::fmt::Write as _;

use super::{Links, Note};
use crate::domain::{AlertKind, Severity, words};

impl Note {
    /// The alert in half a line, by the metric's full name.
    pub(super) fn title(&self) -> String {
        let batch = words::shown(self.alert.batch.as_str());
        let metric = words::shown(self.alert.metric.as_str());
        let loudness = match self.alert.severity {
            Severity::Warning => "",
            Severity::Critical => "critical: ",
        };
        format!("{loudness}{batch}/{metric} {}", what(self.alert.kind))
    }

    /// What is known beside the reason, as labels and values on one line each.
    pub(super) fn facts(&self) -> Vec<(String, String)> {
        let mut facts = vec![("at".to_owned(), self.alert.at.to_string())];
        if self.alert.since != self.alert.at {
            facts.push(("since".into(), self.alert.since.to_string()));
        }
        if let (Some(score), Some(threshold)) = (self.alert.score, self.alert.threshold) {
            let [score, threshold] = [score, threshold].map(words::number);
            facts.push(("score".into(), format!("{score} (threshold {threshold})")));
        }
        if let Some(owner) = &self.owner {
            facts.push(("owner".into(), words::shown(owner)));
        }
        let tags = self.tags.iter().map(|(key, value)| (words::shown(key), words::shown(value)));
        facts.extend(tags);
        facts
    }

    /// What a language model made of it, said to be that.
    pub(super) fn explained(&self) -> Option<String> {
        let words = self.plain_words.as_ref()?;
        Some(format!("{}: {}", words.label(), words.text))
    }

    /// What can be opened, as words for it and addresses.
    pub(super) fn doors(&self) -> Vec<(&'static str, &str)> {
        let Links { page, ack, snooze, up, down } = &self.links;
        let doors = [
            ("open", page),
            ("acknowledge", ack),
            ("snooze", snooze),
            ("useful", up),
            ("not useful", down),
        ];
        let written = doors.into_iter();
        written.filter_map(|(words, link)| Some((words, link.as_deref()?))).collect()
    }

    pub(super) fn write(&self, text: &mut String) {
        let mut line = |label: &str, value: &str| {
            // Writing to a string cannot fail.
            writeln!(text, "{label}: {}", words::shown(value)).unwrap_or_default();
        };
        if let Some(rarity) = &self.rarity {
            line("unusual", rarity);
        }
        if !self.related.is_empty() {
            line("moved with it", &self.related.join("; "));
        }
        for (label, value) in self.facts() {
            line(&label, &value);
        }
        if let Some(explained) = self.explained() {
            writeln!(text, "{}", words::one_line(&explained)).unwrap_or_default();
        }
        if let Some(page) = &self.links.page {
            writeln!(text, "more: {page}").unwrap_or_default();
        }
    }
}

const fn what(kind: AlertKind) -> &'static str {
    match kind {
        AlertKind::Anomaly => "looks anomalous",
        AlertKind::Threshold => "is beyond its limit",
        AlertKind::Change => "has changed its level",
        AlertKind::Absence => "has gone silent",
        AlertKind::Frozen => "does not move any more",
        AlertKind::Zeros => "is only zero",
        AlertKind::Rows => "comes with far fewer rows",
        AlertKind::Pipeline => "does not work",
    }
}
