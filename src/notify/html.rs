//! A message as one page of HTML that mail programs take: no script, no style sheet, nothing loaded
//! but the charts. All text is escaped by the template.

use minijinja::{AutoEscape, Environment, Value, context};

use super::{Message, Note, note::Door};
use crate::domain::{Digest, Severity, words};

const TEMPLATE: &str = include_str!("message.html");
const DIGEST: &str = include_str!("digest.html");
/// Alerts that are written out; the others are counted.
pub(super) const MOST_ALERTS: usize = 20;

impl Message {
    /// The message as a page. `chart` gives the address of the picture of the alert at a place, and
    /// `None` where none is to be shown.
    ///
    /// # Errors
    /// None in practice: the template is fixed.
    pub(super) fn html(
        &self,
        chart: impl Fn(usize) -> Option<String>,
    ) -> Result<String, minijinja::Error> {
        let mut templates = Environment::new();
        templates.set_auto_escape_callback(|_| AutoEscape::Html);
        let notes = self.alerts.iter().take(MOST_ALERTS).enumerate();
        let alerts: Vec<Value> = notes.map(|(n, note)| alert(note, chart(n))).collect();
        let n_more = self.n_unsaid(MOST_ALERTS);
        templates.add_template("digest.html", DIGEST)?;
        templates.render_str(
            TEMPLATE,
            context! {
                title => self.title(),
                repeat => self.repeat(),
                body => self.body_lines(),
                digest => self.digest.as_ref().map(Digest::context),
                alerts,
                n_more => (0 < n_more).then(|| words::count(n_more)),
                link => self.link.clone(),
            },
        )
    }
}

fn alert(note: &Note, chart: Option<String>) -> Value {
    let chart = note.chart.as_ref().zip(chart);
    context! {
        title => note.title(),
        reason => note.reason(),
        color => color(note),
        facts => note.facts(),
        rarity => note.rarity(),
        related => note.related(),
        explained => note.explained(),
        deeds => owned(note.deeds()),
        verdicts => owned(note.verdicts()),
        chart => chart.map(|(chart, src)| context! { src, alt => words::one_line(&chart.alt) }),
    }
}

fn owned(doors: Vec<Door<'_>>) -> Vec<(&'static str, String)> {
    doors.into_iter().map(|(words, link)| (words, link.to_owned())).collect()
}

/// Green for what is over, amber and red for what goes on.
const fn color(note: &Note) -> &'static str {
    match (note.is_over(), note.alert.severity) {
        (true, _) => "#1e7d34",
        (_, Severity::Warning) => "#b26a00",
        (_, Severity::Critical) => "#b3261e",
    }
}
