//! Whether the program can do its work right now, and if not, why.

use serde::Serialize;

/// What keeps the program from being ready; the owner of the daemon publishes it on a watch
/// channel, `/readyz` shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Readiness {
    /// One line per thing that is missing; ready when there is none.
    pub reasons: Vec<String>,
    /// One line per thing that is wrong although the work goes on, such as changed configuration
    /// that cannot be used.
    pub concerns: Vec<String>,
}

impl Readiness {
    /// Nothing is missing.
    pub const fn ready() -> Self {
        Self { reasons: Vec::new(), concerns: Vec::new() }
    }

    /// Not ready, for one reason.
    pub fn waiting(reason: &str) -> Self {
        Self { reasons: vec![reason.to_owned()], concerns: Vec::new() }
    }

    /// Able to work, but somebody should look into these.
    pub const fn with_concerns(concerns: Vec<String>) -> Self {
        Self { reasons: Vec::new(), concerns }
    }

    /// Everything there is to say, the reasons first.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.reasons.iter().chain(&self.concerns).map(String::as_str)
    }

    /// Whether nothing is missing.
    pub const fn is_ready(&self) -> bool {
        self.reasons.is_empty()
    }
}
