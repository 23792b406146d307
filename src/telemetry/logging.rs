//! Log lines on stderr, for people or for machines. Standard output is left to what commands print.

use std::io::{self, IsTerminal};

use tracing_subscriber::{EnvFilter, filter::ParseError, util::SubscriberInitExt};

use crate::domain::{LogFormat, LogSpec};

/// Logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// `[log].filter` is no filter.
    #[error("read the log filter `{filter}`")]
    Filter {
        /// What was given.
        filter: String,
        /// What is wrong with it.
        source: ParseError,
    },
    /// Another part of the process has set logging up already.
    #[error("set up logging a second time")]
    Twice {
        /// What the library said.
        source: tracing_subscriber::util::TryInitError,
    },
}

/// Sends log lines to stderr. `verbosity` is the number of `-v` given: one shows our own debug
/// lines, two our traces, three also what the libraries say.
///
/// # Errors
/// [`LoggingError`] when the filter cannot be read or logging is set up already.
pub fn init_logging(spec: &LogSpec, verbosity: u8) -> Result<(), LoggingError> {
    let filter = parse_filter(&spec.filter, verbosity)?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let outcome = match spec.format {
        LogFormat::Json => {
            builder.json().flatten_event(true).with_current_span(true).finish().try_init()
        }
        LogFormat::Text => {
            builder.with_ansi(io::stderr().is_terminal()).with_target(false).finish().try_init()
        }
    };
    outcome.map_err(|source| LoggingError::Twice { source })
}

fn parse_filter(base: &str, verbosity: u8) -> Result<EnvFilter, LoggingError> {
    let extra = match verbosity {
        0 => "",
        1 => "anomstack=debug",
        2 => "anomstack=trace",
        _ => "debug,anomstack=trace",
    };
    let parts: Vec<&str> =
        [base.trim(), extra].into_iter().filter(|part| !part.is_empty()).collect();
    let filter = parts.join(",");
    EnvFilter::builder().parse(&filter).map_err(|source| LoggingError::Filter { filter, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(base: &str, verbosity: u8, expected: &str) {
        assert_eq!(parse_filter(base, verbosity).unwrap().to_string(), expected);
    }

    #[test]
    fn each_v_adds_detail_to_the_configured_filter() {
        check("info", 0, "info");
        check("info", 1, "anomstack=debug,info");
        check("warn,anomstack::jobs=debug", 2, "anomstack::jobs=debug,anomstack=trace,warn");
        check("info", 3, "anomstack=trace,debug");
    }

    #[test]
    fn a_filter_that_is_none_names_itself() {
        let error = parse_filter("anomstack=loudly", 0).unwrap_err();
        assert_eq!(error.to_string(), "read the log filter `anomstack=loudly`");
    }
}
