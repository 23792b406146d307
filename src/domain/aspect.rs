//! Which side of a metric made its score, as far as a detector can say.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::run::{UnknownText, text_enum};

text_enum! {
    /// What a score is mostly about.
    Aspect {
        /// The value alone is far from the usual.
        Value = "value",
        /// The mean over hours is.
        Level = "level",
        /// The step from the points just before is.
        Jump = "jump",
        /// The distance from what is expected, whichever side, is over hours.
        Spread = "spread",
        /// The value does not change any more.
        Frozen = "frozen",
        /// No value near it was seen before.
        NovelValue = "novel_value",
        /// No mean over hours near this one was.
        NovelLevel = "novel_level",
        /// No spread over hours near this one was.
        NovelSpread = "novel_spread",
        /// The newest values together.
        Course = "course",
        /// An incident that was said already and is not getting worse.
        Repeated = "repeated",
    }
}

impl Aspect {
    /// What it says of an unusual value, as the end of a sentence.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Value => "far from its usual values",
            Self::Level => "its level over hours is unusual",
            Self::Jump => "a jump from the points just before",
            Self::Spread => "it strays more than usual",
            Self::Frozen => "it has stopped changing",
            Self::NovelValue => "no value like it was seen before",
            Self::NovelLevel => "no such level over hours was seen before",
            Self::NovelSpread => "no such spread over hours was seen before",
            Self::Course => "the course of its newest values is unusual",
            Self::Repeated => "no worse than in the hours before",
        }
    }
}
