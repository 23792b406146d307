//! What each kind of receiver needs to be told anything.

use std::{fmt, path::PathBuf, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{
    Secret, Span, WebAuth,
    run::{UnknownText, text_enum},
};

/// Prometheus's Alertmanager.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertmanagerSpec {
    /// Its address, without `/api/v2/alerts`.
    pub url: Secret,
    /// How to sign in.
    pub auth: WebAuth,
    /// After how long it takes an alert for over that nobody has spoken of since.
    pub hold: Span,
}

text_enum! {
    /// What protects a mail on its way to the server.
    MailTls {
        /// The connection begins in the clear and is encrypted before anything is said.
        Starttls = "starttls",
        /// The connection is encrypted from its first byte.
        Tls = "tls",
        /// Nothing; only for a server on this machine.
        None = "none",
    }
}

/// A mail server and whom it carries mail to.
#[derive(Debug, Clone, PartialEq)]
pub struct EmailSpec {
    /// The server's name or address.
    pub host: String,
    /// The server's port.
    pub port: u16,
    /// What protects the way there.
    pub tls: MailTls,
    /// Name and password; `None` does not sign in.
    pub login: Option<(String, Secret)>,
    /// PEM certificates that may vouch for the server in place of the system's.
    pub ca_file: Option<PathBuf>,
    /// Who it is from, as in `Anomstack <alerts@example.com>`.
    pub from: String,
    /// Whom it is to, at least one.
    pub to: Vec<String>,
}

/// A way into Slack.
#[derive(Debug, Clone, PartialEq)]
pub enum SlackSpec {
    /// An incoming webhook: text only.
    Webhook {
        /// Its address, which is all that is needed to post.
        url: Secret,
    },
    /// A bot, which can show a chart.
    Bot {
        /// Its token.
        token: Secret,
        /// The channel's id or name.
        channel: String,
        /// Where Slack's API is.
        api: String,
    },
}

text_enum! {
    /// PagerDuty's severities.
    PagerSeverity {
        /// Nothing is wrong.
        Info = "info",
        /// Something may be.
        Warning = "warning",
        /// Something is.
        Error = "error",
        /// Somebody should get up.
        Critical = "critical",
    }
}

/// A PagerDuty service, through Events API v2.
#[derive(Debug, Clone, PartialEq)]
pub struct PagerdutySpec {
    /// The integration's key.
    pub routing_key: Secret,
    /// Where events are taken.
    pub url: String,
    /// What a warning is there.
    pub warning: PagerSeverity,
    /// What a critical alert is there.
    pub critical: PagerSeverity,
}

/// A Telegram chat, through a bot.
#[derive(Debug, Clone, PartialEq)]
pub struct TelegramSpec {
    /// The bot's token.
    pub token: Secret,
    /// The chat's id, or `@name` of a channel.
    pub chat: String,
    /// The topic within the chat.
    pub thread: Option<i64>,
    /// Where the bot API is.
    pub api: String,
}

/// A topic of an ntfy server.
#[derive(Debug, Clone, PartialEq)]
pub struct NtfySpec {
    /// The server's address.
    pub url: Secret,
    /// The topic; secret, because whoever knows it can read along.
    pub topic: Secret,
    /// How to sign in.
    pub auth: WebAuth,
}
