//! One alert in words: its title, what is known beside it, and what can be opened.

use super::{Links, Note};
use crate::domain::{Alert, AlertKind, AlertState, Resolution, Severity, words};

/// Words for an address, and the address.
pub(super) type Door<'a> = (&'static str, &'a str);

impl Note {
    /// The alert in half a line.
    pub(super) fn title(&self) -> String {
        let batch = words::shown(self.alert.batch.as_str());
        let name = words::shown(&self.display_name);
        let (is, was) = what(&self.alert);
        match self.alert.severity {
            _ if self.is_over() => format!("{batch}/{name} {was}"),
            Severity::Warning => format!("{batch}/{name} {is}"),
            Severity::Critical => format!("critical: {batch}/{name} {is}"),
        }
    }

    /// Why it was raised, on one line.
    pub(super) fn reason(&self) -> String {
        words::one_line(&self.alert.reason)
    }

    /// How unusual the value is, on one line.
    pub(super) fn rarity(&self) -> Option<String> {
        self.rarity.as_deref().map(words::one_line)
    }

    /// The metrics that moved with it, one line each.
    pub(super) fn related(&self) -> Vec<String> {
        self.related.iter().map(|metric| words::one_line(metric)).collect()
    }

    pub(super) const fn is_over(&self) -> bool {
        matches!(self.episode.state, AlertState::Resolved)
    }

    /// What is known beside the reason, as labels and values on one line each; what comes from
    /// outside comes last.
    pub(super) fn facts(&self) -> Vec<(String, String)> {
        let mut facts = Vec::new();
        let mut fact = |label: &str, value: String| facts.push((label.to_owned(), value));
        let alert = &self.alert;
        if alert.metric.as_str() != self.display_name {
            fact("metric", words::shown(alert.metric.as_str()));
        }
        let (label, when) = self.when();
        fact(label, when);
        if alert.since != alert.at && alert.value.is_some() {
            fact("value at", words::instant(alert.at, self.timezone));
        }
        if let (Some(score), Some(threshold)) = (alert.score, alert.threshold) {
            let [score, threshold] = [score, threshold].map(words::number);
            fact("score", format!("{score} (threshold {threshold})"));
        }
        if let Some(why) = self.episode.resolution.filter(|_| self.is_over()) {
            fact("over", end(why).into());
        }
        if let Some(owner) = &self.owner {
            fact("owner", words::shown(owner));
        }
        for (key, value) in &self.tags {
            fact(&words::shown(key), words::shown(value));
        }
        facts
    }

    /// What a language model made of it, said to be that.
    pub(super) fn explained(&self) -> Option<String> {
        let words = self.plain_words.as_ref()?;
        Some(words::one_line(&format!("{}: {}", words.label(), words.text)))
    }

    /// Since when, and for how long.
    fn when(&self) -> (&'static str, String) {
        let (since, zone) = (self.alert.since, self.timezone);
        let until = self.episode.until.max(self.alert.at);
        if self.is_over() && since < until {
            let stretch = words::stretch(since, until, zone);
            return ("lasted", format!("{}, {stretch}", words::length(self.lasted)));
        }
        let begin = words::instant(since, zone);
        let label = match self.alert.kind {
            _ if self.is_over() => "at",
            AlertKind::Absence => "silent since",
            _ => "since",
        };
        match self.lasted.micros() {
            // Less than what the shortest unit shows.
            ..1_000_000 => (label, begin),
            _ => (label, format!("{begin}, {}", words::length(self.lasted))),
        }
    }

    /// The page, and what can be done about the alert.
    pub(super) fn deeds(&self) -> Vec<Door<'_>> {
        let Links { page, ack, snooze, .. } = &self.links;
        there([("open", page), ("acknowledge", ack), ("snooze", snooze)])
    }

    /// What can be said of the alert.
    pub(super) fn verdicts(&self) -> Vec<Door<'_>> {
        let Links { up, down, expected, incident, .. } = &self.links;
        let all = [("useful", up), ("not useful", down), ("expected", expected)];
        [there(all), there([("incident", incident)])].concat()
    }

    /// All that can be opened, what matters most first.
    pub(super) fn doors(&self) -> Vec<Door<'_>> {
        [self.deeds(), self.verdicts()].concat()
    }

    /// What is known of it, as lines.
    pub(super) fn lines(&self) -> Vec<String> {
        let rarity = self.rarity().map(|rarity| ("unusual".to_owned(), rarity));
        let related = Some(self.related().join("; ")).filter(|related| !related.is_empty());
        let related = related.map(|related| ("moved with it".to_owned(), related));
        let all = rarity.into_iter().chain(related).chain(self.facts());
        let all = all.map(|(label, value)| format!("{label}: {value}"));
        all.chain(self.explained()).collect()
    }
}

fn there<'a, const N: usize>(doors: [(&'static str, &'a Option<String>); N]) -> Vec<Door<'a>> {
    doors.into_iter().filter_map(|(words, link)| Some((words, link.as_deref()?))).collect()
}

/// Why an alert is over.
pub(super) const fn end(why: Resolution) -> &'static str {
    match why {
        Resolution::Recovered => "it is as usual again",
        Resolution::LateData => "data was late, there was nothing",
        Resolution::Closed => "closed by hand, or nothing looks for it any more",
    }
}

/// What an alert says of its metric while it fires, and when it is over.
fn what(alert: &Alert) -> (&'static str, &'static str) {
    let is_above = |limit: f64| alert.value.map(|value| limit < value);
    match alert.kind {
        AlertKind::Anomaly => match (alert.value, alert.band) {
            (Some(value), Some(band)) if band.upper < value => {
                ("is unusually high", "was unusually high")
            }
            (Some(value), Some(band)) if value < band.lower => {
                ("is unusually low", "was unusually low")
            }
            _ => ("behaves unusually", "behaved unusually"),
        },
        AlertKind::Threshold => match alert.threshold.and_then(is_above) {
            Some(true) => ("is above its limit", "was above its limit"),
            Some(false) => ("is below its limit", "was below its limit"),
            None => ("is beyond its limit", "was beyond its limit"),
        },
        AlertKind::Change => ("has changed its level", "had changed its level"),
        AlertKind::Absence => ("has gone silent", "had gone silent"),
        AlertKind::Frozen => ("does not move any more", "did not move any more"),
        AlertKind::Zeros => ("is only zero", "was only zero"),
        AlertKind::Rows => ("comes with far fewer rows", "came with far fewer rows"),
        AlertKind::Pipeline => ("does not work", "did not work"),
    }
}
