//! What a driver refuses with, as a source's error.

use adbc_core::error::{Error, Status};

use crate::{
    domain::AdbcSpec,
    sources::{SourceError, error::scrub},
};

/// What a driver's words are put next to and cleared of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Failure<'a> {
    pub(super) spec: &'a AdbcSpec,
    /// Where the query was read from.
    pub(super) origin: &'a str,
}

impl Failure<'_> {
    /// The library cannot be loaded.
    pub(super) fn load(self, error: Error) -> SourceError {
        let driver = self.spec.driver.clone();
        SourceError::Driver { driver, message: self.said(&error) }
    }

    /// The database cannot be reached, or refuses the sign-in.
    pub(super) fn connect(self, error: Error) -> SourceError {
        let is_permanent = matches!(
            error.status,
            Status::Unauthenticated | Status::Unauthorized | Status::InvalidArguments
        );
        SourceError::Adbc { message: self.said(&error), is_permanent }
    }

    /// The query fails.
    pub(super) fn query(self, error: Error) -> SourceError {
        match error.status {
            Status::Unauthenticated => self.connect(error),
            _ => {
                let (origin, message) = (self.origin.to_owned(), self.said(&error));
                SourceError::Query { origin, at: None, message }
            }
        }
    }

    fn said(self, error: &Error) -> String {
        let code = error.sqlstate.map(|c| char::from(c.to_ne_bytes()[0]));
        let is_code = code.iter().all(char::is_ascii_alphanumeric) && code != ['0'; 5];
        let code: String = code.iter().collect();
        let message = error.message.trim();
        let text =
            if is_code { format!("{message} (SQLSTATE {code})") } else { message.to_owned() };
        scrub(&text, self.spec.uri.iter().chain(self.spec.options.values()))
    }
}
