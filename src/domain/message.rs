//! What is said to people: why, about which alerts, and under which name.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::run::UnknownText;
use super::run::text_enum;

/// A message's identity: the same on every channel, repeat and run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageId(pub String);

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text_enum! {
    /// Why something is said.
    MessageEvent {
        /// Alerts fired.
        Firing = "firing",
        /// Alerts that were said before became worse.
        Escalated = "escalated",
        /// Alerts that were said before go on.
        Reminder = "reminder",
        /// Alerts that were said before are over.
        Resolved = "resolved",
        /// So many messages waited for a channel that one says them all.
        Storm = "storm",
        /// What happened over a day or so.
        Digest = "digest",
        /// Something about the program itself, as messages that were given up.
        Notice = "notice",
        /// Somebody tries a channel.
        Test = "test",
    }
}
