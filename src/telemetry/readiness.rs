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

    /// Something is missing; whether that is news.
    pub fn miss(&mut self, reason: &str) -> bool {
        let is_new = !self.reasons.iter().any(|known| known == reason);
        if is_new {
            self.reasons.push(reason.to_owned());
        }
        is_new
    }

    /// Something is not missing any more; whether that is news.
    pub fn regain(&mut self, reason: &str) -> bool {
        let n_before = self.reasons.len();
        self.reasons.retain(|known| known != reason);
        self.reasons.len() < n_before
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_kept_apart_and_told_once() {
        let mut readiness = Readiness::with_concerns(vec!["an old file".into()]);
        assert!(readiness.miss("catalog"));
        assert!(!readiness.miss("catalog"));
        assert!(readiness.miss("ending"));
        assert!(readiness.regain("catalog"));
        assert!(!readiness.regain("catalog"));
        assert!(!readiness.is_ready());
        assert_eq!(readiness.lines().collect::<Vec<_>>(), ["ending", "an old file"]);
    }
}
