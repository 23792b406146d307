//! Whom alerts go to, and how they are treated: how fast, how late and how often.

use std::{fmt, path::PathBuf, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{
    AlertmanagerSpec, EmailSpec, NtfySpec, PagerdutySpec, Secret, SlackSpec, Span, TelegramSpec,
    run::{UnknownText, text_enum},
};

/// One channel.
#[derive(Debug, Clone, PartialEq)]
pub struct ChannelSpec {
    /// Its name in `[channels.<name>]`.
    pub name: String,
    /// What it speaks.
    pub kind: ChannelKind,
    /// Total time for one attempt.
    pub timeout: Span,
    /// Whether private and loopback addresses may be called.
    pub allow_private: bool,
    /// How its messages are dealt out.
    pub pace: PaceSpec,
    /// Who is told when messages to it are given up; empty is whoever else is told of alerts.
    pub fallback: Vec<String>,
}

/// What a channel speaks, with what that needs.
#[derive(Debug, Clone, PartialEq)]
pub enum ChannelKind {
    /// The program's own log.
    Log,
    /// One JSON object a line, appended to a file.
    File {
        /// Where.
        path: PathBuf,
    },
    /// A signed HTTP POST (Standard Webhooks).
    Webhook {
        /// Where to; secret, because such addresses often carry a token.
        url: Secret,
        /// Keys of the signatures, `whsec_` and base64, the newest first; unsigned without.
        keys: Vec<Secret>,
    },
    /// Prometheus's Alertmanager (API v2).
    Alertmanager(AlertmanagerSpec),
    /// Mail through an SMTP server.
    Email(EmailSpec),
    /// Slack.
    Slack(SlackSpec),
    /// PagerDuty (Events API v2).
    Pagerduty(PagerdutySpec),
    /// Microsoft Teams (a Workflows webhook).
    Teams {
        /// Its address, which is all that is needed to post.
        url: Secret,
    },
    /// Discord (a webhook).
    Discord {
        /// Its address, which is all that is needed to post.
        url: Secret,
    },
    /// Telegram (a bot).
    Telegram(TelegramSpec),
    /// ntfy.
    Ntfy(NtfySpec),
}

impl ChannelKind {
    /// The kind's name in the configuration.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::File { .. } => "file",
            Self::Webhook { .. } => "webhook",
            Self::Alertmanager(_) => "alertmanager",
            Self::Email(_) => "email",
            Self::Slack(_) => "slack",
            Self::Pagerduty(_) => "pagerduty",
            Self::Teams { .. } => "teams",
            Self::Discord { .. } => "discord",
            Self::Telegram(_) => "telegram",
            Self::Ntfy(_) => "ntfy",
        }
    }

    /// What it must not show, nor let others show.
    pub fn secrets(&self) -> Vec<&Secret> {
        match self {
            Self::Log | Self::File { .. } => Vec::new(),
            Self::Webhook { url, keys } => [url].into_iter().chain(keys).collect(),
            Self::Alertmanager(AlertmanagerSpec { url, auth, .. }) => {
                [url].into_iter().chain(auth.secret()).collect()
            }
            Self::Email(EmailSpec { login, .. }) => login.iter().map(|(_, word)| word).collect(),
            Self::Slack(SlackSpec::Webhook { url }) => vec![url],
            Self::Slack(SlackSpec::Bot { token, .. }) => vec![token],
            Self::Pagerduty(PagerdutySpec { routing_key, .. }) => vec![routing_key],
            Self::Teams { url } | Self::Discord { url } => vec![url],
            Self::Telegram(TelegramSpec { token, .. }) => vec![token],
            Self::Ntfy(NtfySpec { url, topic, auth }) => {
                [url, topic].into_iter().chain(auth.secret()).collect()
            }
        }
    }

    /// Whether another machine is called.
    pub const fn is_remote(&self) -> bool {
        match self {
            Self::Log | Self::File { .. } => false,
            Self::Webhook { .. }
            | Self::Alertmanager(_)
            | Self::Email(_)
            | Self::Slack(_)
            | Self::Pagerduty(_)
            | Self::Teams { .. }
            | Self::Discord { .. }
            | Self::Telegram(_)
            | Self::Ntfy(_) => true,
        }
    }

    /// Whether its receiver keeps account of every single alert and has to hear of each.
    pub const fn keeps_account(&self) -> bool {
        matches!(self, Self::Alertmanager(_) | Self::Pagerduty(_))
    }

    /// Whether its messages can hold a picture.
    pub const fn shows_charts(&self) -> bool {
        match self {
            Self::Email(_)
            | Self::Slack(_)
            | Self::Discord { .. }
            | Self::Telegram(_)
            | Self::Ntfy(_) => true,
            Self::Log
            | Self::File { .. }
            | Self::Webhook { .. }
            | Self::Alertmanager(_)
            | Self::Pagerduty(_)
            | Self::Teams { .. } => false,
        }
    }

    /// How messages are dealt out where nothing is said: receivers that keep account of every alert
    /// get each, people get few.
    pub const fn usual_pace(&self) -> PaceSpec {
        match self {
            Self::Log | Self::File { .. } => PaceSpec::UNLIMITED,
            // Its receiver groups and paces by itself, and has to hear of the end of each alert.
            Self::Alertmanager(_) | Self::Pagerduty(_) => PaceSpec::UNLIMITED,
            Self::Webhook { .. } => PaceSpec::people(10),
            Self::Email(_)
            | Self::Slack(_)
            | Self::Teams { .. }
            | Self::Discord { .. }
            | Self::Telegram(_)
            | Self::Ntfy(_) => PaceSpec::people(1),
        }
    }
}

/// How a channel's messages are dealt out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaceSpec {
    /// How many messages it gets in the long run; `None` is as many as there are.
    pub rate: Option<Rate>,
    /// How many it gets at once after it had none for a while; 1 or more.
    pub burst: u32,
    /// What becomes of a message that may have arrived.
    pub on_ambiguous: OnAmbiguous,
    /// Messages that have waited for longer are said in one; `None` is never.
    pub max_age: Option<Span>,
    /// When more messages than this wait, they are said in one; `None` is never.
    pub storm: Option<u32>,
}

impl PaceSpec {
    /// For receivers that take what comes and keep account of every single alert.
    pub const UNLIMITED: Self = Self {
        rate: None,
        burst: 1,
        on_ambiguous: OnAmbiguous::Resend,
        max_age: None,
        storm: None,
    };

    /// For people: so many messages a second, and one in place of many.
    pub const fn people(per_second: u32) -> Self {
        Self {
            rate: Some(Rate { n: per_second, per: Span::secs(1) }),
            burst: per_second,
            on_ambiguous: OnAmbiguous::Resend,
            max_age: Some(Span::hours(6)),
            storm: Some(20),
        }
    }
}

text_enum! {
    /// What becomes of a message that may have arrived although nothing said so.
    OnAmbiguous {
        /// It is sent again under the same id and says that it may be a repeat.
        Resend = "resend",
        /// It is not sent again, and listed as unknown.
        Park = "park",
    }
}

/// So many messages in so long a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many; 1 or more.
    pub n: u32,
    /// In which time.
    pub per: Span,
}

/// A text that is no rate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a rate")]
pub struct BadRate {
    /// What was written.
    pub text: String,
}

const UNITS: [(&str, Span); 4] =
    [("s", Span::secs(1)), ("min", Span::secs(60)), ("h", Span::hours(1)), ("d", Span::days(1))];

impl Rate {
    /// The time from one message to the next.
    pub fn distance(&self) -> Span {
        Span::from_micros(self.per.micros() / i64::from(self.n.max(1)))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = UNITS.iter().find(|(_, per)| *per == self.per).map_or("s", |(unit, _)| unit);
        write!(f, "{}/{unit}", self.n)
    }
}

impl FromStr for Rate {
    type Err = BadRate;

    /// As in `1/s`, `30/min`, `100/h` or `5/d`.
    fn from_str(text: &str) -> Result<Self, BadRate> {
        let bad = || BadRate { text: text.to_owned() };
        let (n, unit) = text.split_once('/').ok_or_else(bad)?;
        let n = n.trim().parse().ok().filter(|n| 0 < *n && *n <= 1_000_000).ok_or_else(bad)?;
        let unit = unit.trim();
        let (_, per) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(bad)?;
        Ok(Self { n, per: *per })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_of_messages_in_a_unit_of_time() {
        let rate: Rate = "30/min".parse().unwrap();
        assert_eq!((rate.distance(), rate.to_string().as_str()), (Span::secs(2), "30/min"));
        for bad in ["", "1", "0/s", "-1/s", "1/fortnight", "1.5/s", "/s", "1/"] {
            assert_eq!(bad.parse::<Rate>(), Err(BadRate { text: bad.into() }), "{bad}");
        }
    }
}
