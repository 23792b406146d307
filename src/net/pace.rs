//! Requests to a server kept so far apart, by all who ask it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::{Interval, MissedTickBehavior, interval};

/// The lines before servers.
#[derive(Debug, Default)]
pub(super) struct Paces {
    lines: Mutex<HashMap<(String, Duration), Line>>,
}

type Line = Arc<tokio::sync::Mutex<Interval>>;

impl Paces {
    /// Waits for one's turn; the first need not wait. Who stops waiting leaves the turn to the next.
    pub(super) async fn wait(&self, server: &str, distance: Duration) {
        let line = {
            let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
            let line = lines.entry((server.to_owned(), distance));
            Arc::clone(line.or_insert_with(|| {
                let mut turns = interval(distance);
                turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
                Arc::new(tokio::sync::Mutex::new(turns))
            }))
        };
        line.lock().await.tick().await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn requests_of_all_callers_are_kept_apart_and_a_late_one_does_not_wait() {
        let (paces, distance) = (Paces::default(), Duration::from_millis(200));
        let begin = Instant::now();
        tokio::join!(paces.wait("a", distance), paces.wait("a", distance), async {
            paces.wait("b", distance).await;
            assert_eq!(begin.elapsed(), Duration::ZERO, "another server's line");
        });
        assert_eq!(begin.elapsed(), distance);
        tokio::time::advance(distance * 10).await;
        paces.wait("a", distance).await;
        assert_eq!(begin.elapsed(), distance * 11);
        paces.wait("a", distance).await;
        assert_eq!(begin.elapsed(), distance * 12);
    }
}
