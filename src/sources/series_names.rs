//! Names of series that come with labels: by the batch's template, or as Prometheus prints them.

use std::fmt::Write as _;

use super::{SourceError, template::NameTemplate};
use crate::domain::BatchName;

/// How the series of a batch are called.
pub struct SeriesNames<'a> {
    template: Option<NameTemplate<'a>>,
    batch: &'a BatchName,
}

impl<'a> SeriesNames<'a> {
    /// By a MiniJinja template over the labels, or as Prometheus prints a series.
    ///
    /// # Errors
    /// [`SourceError::Template`] for a text that is no template.
    pub fn new(template: Option<&'a str>, batch: &'a BatchName) -> Result<Self, SourceError> {
        Ok(Self { template: template.map(NameTemplate::new).transpose()?, batch })
    }

    /// The name of a series. Labels are sorted by their name.
    ///
    /// # Errors
    /// [`SourceError::Template`] when the template asks for a label that is not there.
    pub fn of(&self, labels: &[(&str, &str)]) -> Result<String, SourceError> {
        match &self.template {
            Some(template) => template.render(labels),
            None => Ok(self.written(labels)),
        }
    }

    /// As Prometheus prints it: `up{instance="a",job="b"}`. Without labels, as an aggregate over
    /// everything is, a series is called like its batch.
    fn written(&self, labels: &[(&str, &str)]) -> String {
        let mut text = String::with_capacity(128);
        let named = labels.iter().find(|(label, _)| *label == "__name__");
        text.push_str(named.map_or("", |(_, name)| name));
        let mut separator = '{';
        for (label, value) in labels.iter().filter(|(label, _)| *label != "__name__") {
            text.push(separator);
            text.push_str(label);
            match value.bytes().all(is_plain) {
                true => text.extend(["=\"", value, "\""]),
                // Writing to a string cannot fail.
                false => write!(text, "={value:?}").unwrap_or_default(),
            }
            separator = ',';
        }
        if separator == ',' {
            text.push('}');
        }
        if text.is_empty() { self.batch.as_str().to_owned() } else { text }
    }
}

/// Whether a byte of a label stands for itself between quotes.
const fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(template: Option<&str>, labels: &[(&str, &str)], expected: &str) {
        let batch = BatchName::parse("infra").unwrap();
        let names = SeriesNames::new(template, &batch).unwrap();
        let name = names.of(labels).unwrap_or_else(|error| error.to_string());
        assert_eq!(name, expected);
    }

    #[test]
    fn a_series_is_called_as_prometheus_prints_it() {
        check(
            None,
            &[("__name__", "up"), ("instance", "a"), ("job", "b\"c")],
            r#"up{instance="a",job="b\"c"}"#,
        );
        check(None, &[("__name__", "up")], "up");
        check(None, &[("job", "b")], r#"{job="b"}"#);
        check(None, &[], "infra");
    }

    #[test]
    fn a_template_sees_the_labels_and_nothing_else() {
        let labels = [("__name__", "up"), ("job", "{{ 7*7 }}")];
        check(Some("{{ job }}/{{ __name__ }}"), &labels, "{{ 7*7 }}/up");
        check(
            Some("{{ pod }}"),
            &labels,
            "render the name of a series, line 1: undefined value: `pod` is undefined",
        );
    }
}
