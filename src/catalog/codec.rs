//! How domain values lie in columns: instants as whole microseconds, names and words as text.

use sqlx::{
    Decode, Encode, Sqlite, Type,
    encode::IsNull,
    error::BoxDynError,
    sqlite::{SqliteArgumentsBuffer, SqliteTypeInfo, SqliteValueRef},
};

use super::{
    models::ModelState, outbox::DeliveryState, readings::ReadingState, run_log::LogLevel,
    runs::RunCause,
};
use crate::domain::{
    AlertId, AlertKind, AlertState, BatchName, JobKind, MessageEvent, MessageId, MetricName,
    ModelVersion, Resolution, RunId, RunState, SegmentKind, Severity, Timestamp, Verdict,
};

macro_rules! column {
    ($name:ident as $raw:ty, $write:expr, $read:expr) => {
        impl Type<Sqlite> for $name {
            fn type_info() -> SqliteTypeInfo {
                <$raw as Type<Sqlite>>::type_info()
            }
            fn compatible(column: &SqliteTypeInfo) -> bool {
                <$raw as Type<Sqlite>>::compatible(column)
            }
        }
        impl Encode<'_, Sqlite> for $name {
            fn encode_by_ref(
                &self,
                arguments: &mut SqliteArgumentsBuffer,
            ) -> Result<IsNull, BoxDynError> {
                let write: fn(&Self) -> $raw = $write;
                <$raw as Encode<'_, Sqlite>>::encode(write(self), arguments)
            }
        }
        impl<'r> Decode<'r, Sqlite> for $name {
            fn decode(value: SqliteValueRef<'r>) -> Result<Self, BoxDynError> {
                let read: fn($raw) -> Result<Self, BoxDynError> = $read;
                read(<$raw as Decode<'r, Sqlite>>::decode(value)?)
            }
        }
    };
}

column!(Timestamp as i64, |at| at.micros(), |micros| Timestamp::from_micros(micros)
    .ok_or_else(|| format!("{micros} is no instant of the years 1 to 9999").into()));
column!(RunId as i64, |id| id.0, |id| Ok(RunId(id)));
column!(AlertId as String, |id| id.0.clone(), |id| Ok(AlertId(id)));
column!(MessageId as String, |id| id.0.clone(), |id| Ok(MessageId(id)));
column!(BatchName as String, |name| name.as_str().to_owned(), |text| Ok(BatchName::parse(&text)?));
column!(MetricName as String, |name| name.as_str().to_owned(), |text| Ok(MetricName::parse(
    &text
)?));
column!(ModelVersion as String, |version| version.as_str().to_owned(), |text| Ok(
    ModelVersion::parse(&text)?
));

macro_rules! words {
    ($($name:ident),+) => {
        $(column!($name as String, |word| word.as_str().to_owned(), |text| Ok(text.parse()?));)+
    };
}

words!(
    AlertKind,
    AlertState,
    DeliveryState,
    JobKind,
    LogLevel,
    MessageEvent,
    ModelState,
    ReadingState,
    Resolution,
    RunCause,
    RunState,
    SegmentKind,
    Severity,
    Verdict
);

/// A count for a column; sizes of this program fit 63 bits.
pub(super) fn count(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// A count from a column whose CHECK keeps it from being negative.
pub(super) fn uncount(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

/// A closed set of words that is stored as text.
macro_rules! stored_words {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash,
            serde::Serialize, serde::Deserialize,
        )]
        pub enum $name {
            $($(#[$variant_meta])* #[serde(rename = $text)] $variant,)+
        }
        impl $name {
            /// The text stored and shown.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
        impl std::str::FromStr for $name {
            type Err = crate::domain::UnknownText;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                const ALL: &[$name] = &[$($name::$variant),+];
                ALL.iter().copied().find(|word| word.as_str() == text).ok_or_else(|| {
                    crate::domain::UnknownText {
                        text: text.chars().take(64).collect(),
                        expected: [$($text),+].join(", "),
                    }
                })
            }
        }
    };
}
pub(super) use stored_words;
