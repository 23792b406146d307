//! What is said: alerts, or something about the program, in words and as JSON for programs.
//!
//! The JSON body is a Standard Webhooks event:
//!
//! ```json
//! {"type": "alert.firing", "id": "…", "timestamp": "2026-01-31T10:00:05Z",
//!  "data": {"title": "…", "attempt": 1, "may_be_there": false, "link": null, "text": null,
//!           "n_more": 0,
//!           "alerts": [{"id": "…", "batch": "shop", "metric": "orders", "kind": "anomaly",
//!                       "severity": "warning", "at": "…", "since": "…", "value": 812.0,
//!                       "band": {"expected": 1150.0, "lower": 1040.0, "upper": 1260.0},
//!                       "score": 0.98, "threshold": 0.9, "model": "…", "reason": "…",
//!                       "state": "firing", "until": "…", "raised_at": "…",
//!                       "display_name": "orders", "lasted": "25m", "unit": null, "owner": null,
//!                       "tags": {}, "timezone": "Europe/Dublin", "rarity": null, "related": [],
//!                       "plain_words": null,
//!                       "links": {"page": "…"}}]}}
//! ```
//!
//! The outer `id` is the delivery's: it is also the `webhook-id`, and the same on every attempt.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::note::Door;
use crate::domain::{
    Alert, BatchName, Digest, Episode, MessageEvent, PlainWords, Resolution, Span, Timestamp, words,
};

/// One message on its way to one channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// The delivery's identity; printable ASCII, the same on every attempt.
    pub id: String,
    /// Why it is said.
    pub event: MessageEvent,
    /// What it is about; empty where it is not about alerts.
    pub alerts: Vec<Note>,
    /// How many alerts more it is about.
    pub n_more: u64,
    /// About which batch; `None` for several or none.
    pub batch: Option<BatchName>,
    /// The headline, where the alerts do not make one.
    pub headline: Option<String>,
    /// What is said beside the alerts; several lines.
    pub body: Option<String>,
    /// What happened over a day or so; the body says the same in lines.
    pub digest: Option<Digest>,
    /// When it came up.
    pub created_at: Timestamp,
    /// The page on the dashboard that shows all of it.
    pub link: Option<String>,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// Whether an earlier attempt may have arrived: the receiver may know this message.
    pub may_be_there: bool,
    /// When this attempt is made; signed, so that an old one cannot be replayed.
    pub sent_at: Timestamp,
}

/// An alert, and what is said of it beside.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Note {
    /// What happened.
    #[serde(flatten)]
    pub alert: Alert,
    /// What became of it since.
    #[serde(flatten)]
    pub episode: Episode,
    /// When the alert was raised.
    pub raised_at: Timestamp,
    /// The metric's name for people.
    pub display_name: String,
    /// How long it lasted, or has lasted when the message came up.
    pub lasted: Span,
    /// What the metric is counted in.
    pub unit: Option<String>,
    /// Who looks after the batch.
    pub owner: Option<String>,
    /// The batch's and the metric's labels.
    pub tags: BTreeMap<String, String>,
    /// Zone in which times are told.
    #[serde(serialize_with = "zone_name")]
    pub timezone: chrono_tz::Tz,
    /// How unusual the value is, in words.
    pub rarity: Option<String>,
    /// Metrics that moved with it, in words; the clearest first.
    pub related: Vec<String>,
    /// What a language model made of it.
    pub plain_words: Option<PlainWords>,
    /// Where to look and what to do.
    pub links: Links,
    /// The metric around the alert as a picture.
    #[serde(skip)]
    pub chart: Option<Chart>,
}

/// Addresses that belong to an alert. All but the page and the chart do something once, for whoever opens them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Links {
    /// The alert's page on the dashboard.
    pub page: Option<String>,
    /// Says that somebody looks after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ack: Option<String>,
    /// Asks for silence for a while.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snooze: Option<String>,
    /// Says that it was worth knowing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub up: Option<String>,
    /// Says that it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub down: Option<String>,
    /// Says that it was foreseen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// Says that something was broken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incident: Option<String>,
    /// The chart as PNG, where others can reach this program and there is a chart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chart: Option<String>,
}

/// A metric around an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chart {
    /// As PNG.
    pub png: Vec<u8>,
    /// As SVG.
    pub svg: String,
    /// What it shows, in words.
    pub alt: String,
}

#[derive(Serialize)]
struct Payload<'a> {
    r#type: String,
    id: &'a str,
    timestamp: Timestamp,
    data: Details<'a>,
}

#[derive(Serialize)]
struct Details<'a> {
    title: String,
    batch: Option<&'a BatchName>,
    alerts: &'a [Note],
    n_more: u64,
    text: Option<&'a str>,
    link: Option<&'a str>,
    attempt: u32,
    may_be_there: bool,
}

/// Said in a message that an earlier attempt may have brought.
const REPEAT: &str = "You may know this already: an earlier attempt may have arrived.";

fn zone_name<S: Serializer>(zone: &chrono_tz::Tz, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(zone.name())
}

impl Message {
    /// The message in half a line.
    pub fn title(&self) -> String {
        let said = match (&self.headline, self.alerts.as_slice()) {
            (Some(headline), _) => words::shown(headline),
            (None, []) => "nothing".to_owned(),
            (None, [note]) => note.title(),
            (None, notes) => {
                let first = notes[0].title();
                let n_more = notes.len() as u64 - 1 + self.n_more;
                format!("{first}, and {} more", words::count(n_more))
            }
        };
        match self.event {
            MessageEvent::Resolved => self.over(&said),
            MessageEvent::Escalated => format!("worse: {said}"),
            MessageEvent::Reminder => format!("still: {said}"),
            MessageEvent::Firing
            | MessageEvent::Storm
            | MessageEvent::Digest
            | MessageEvent::Notice
            | MessageEvent::Test => said,
        }
    }

    /// That it is over; and why, where it is not for the usual reason.
    fn over(&self, said: &str) -> String {
        let all_for = |why| {
            !self.alerts.is_empty()
                && self.alerts.iter().all(|note| note.episode.resolution == Some(why))
        };
        if all_for(Resolution::LateData) {
            format!("resolved: data was late ({said})")
        } else if all_for(Resolution::Closed) {
            format!("closed: {said}")
        } else {
            format!("resolved: {said}")
        }
    }

    /// How many alerts it is about beside the first so many.
    pub(super) fn n_unsaid(&self, n_said: usize) -> u64 {
        self.alerts.len().saturating_sub(n_said) as u64 + self.n_more
    }

    /// What a receiver that cannot tell repeats is told of one.
    pub(super) fn repeat(&self) -> Option<&'static str> {
        self.may_be_there.then_some(REPEAT)
    }

    /// What is said beside the alerts, line by line.
    pub(super) fn body_lines(&self) -> Vec<String> {
        let lines = self.body.iter().flat_map(|body| body.trim_end().lines());
        lines.map(words::one_line).collect()
    }

    /// The message in full, as plain text of several lines.
    pub fn text(&self) -> String {
        self.written(|note| note.doors())
    }

    /// As [`Self::text`], with the links to pages alone.
    pub(super) fn brief(&self) -> String {
        self.written(|note| note.doors().into_iter().take(1).collect())
    }

    fn written(&self, doors: for<'a> fn(&'a Note) -> Vec<Door<'a>>) -> String {
        let mut lines = vec![self.title()];
        lines.extend(self.body_lines());
        for note in &self.alerts {
            if 1 < self.alerts.len() {
                lines.extend([String::new(), note.title()]);
            }
            lines.push(note.reason());
            lines.extend(note.lines());
            lines.extend(doors(note).into_iter().map(|(words, link)| format!("{words}: {link}")));
        }
        if 0 < self.n_more {
            let list = self.link.as_ref().map(|link| format!(": {link}")).unwrap_or_default();
            lines.extend([String::new(), format!("and {} more{list}", words::count(self.n_more))]);
        }
        lines.extend(self.repeat().map(str::to_owned));
        lines.push(String::new());
        lines.join("\n")
    }

    /// The message for programs.
    ///
    /// # Errors
    /// None in practice: every part can be written as JSON.
    pub fn payload(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(&Payload {
            r#type: format!("alert.{}", self.event),
            id: &self.id,
            timestamp: self.created_at,
            data: Details {
                title: self.title(),
                batch: self.batch.as_ref(),
                alerts: &self.alerts,
                n_more: self.n_more,
                text: self.body.as_deref(),
                link: self.link.as_deref(),
                attempt: self.attempt,
                may_be_there: self.may_be_there,
            },
        })
    }
}

#[cfg(test)]
#[path = "message_tests.rs"]
pub(crate) mod tests;
