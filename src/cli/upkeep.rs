//! The watch over the program itself, every minute: what is wrong becomes alerts, and an address
//! elsewhere is told that this still works.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use crate::{
    domain::{DigestSpec, HeartbeatSpec, Missed, Span, Timestamp, Trigger},
    jobs, net,
    runtime::{Chore, schedule},
};

use super::{chain, daemon::Live};

/// The watch, every minute.
pub(super) fn watch(live: &Live) -> Chore {
    let live = live.clone();
    let last_beat = Arc::new(AtomicI64::new(i64::MIN));
    Arc::new(move || {
        let (live, last_beat) = (live.clone(), Arc::clone(&last_beat));
        Box::pin(async move {
            look(&live).await;
            let project = live.project();
            let now = (live.ctx.clock)();
            if let Some(spec) = &project.system.digest {
                digest(&live, spec, now).await;
            }
            if let Some(heartbeat) = &project.system.watch.heartbeat
                && is_due(heartbeat, &last_beat, now)
                && let Err(reason) = net::beat(&live.client, heartbeat).await
            {
                tracing::warn!("could not send the heartbeat: {reason}");
            }
        })
    })
}

async fn look(live: &Live) {
    let project = live.project();
    let watched = jobs::Watched {
        batches: &project.batches,
        spec: &project.system.watch,
        n_free: n_free(&project.system.storage.root),
    };
    match jobs::watch(&live.ctx, &watched).await {
        Ok((0, 0)) => {}
        Ok((n_raised, n_over)) => {
            tracing::warn!("{n_raised} things went wrong here, {n_over} are right again");
        }
        Err(error) => tracing::error!("could not look after itself: {}", chain(&error.into())),
    }
}

/// Says what happened up to the newest slot, if that is not said already. A slot missed by more
/// than a day is left out.
async fn digest(live: &Live, spec: &DigestSpec, now: Timestamp) {
    let trigger = Trigger::Cron(spec.at.clone());
    let day_ago = now - Span::days(1);
    let due = schedule::due_slots(&trigger, spec.timezone, day_ago, now, Missed::Latest);
    let Some(slot) = due.run else { return };
    let project = live.project();
    let span = (slot - Span::days(1), slot);
    let sent = jobs::send_digest(&live.ctx, &project.batches, spec, span).await;
    if let Err(error) = sent {
        tracing::error!("could not send the digest: {}", chain(&error.into()));
    }
}

/// Bytes that are free for this program on the disk of a folder.
fn n_free(folder: &Path) -> Option<u64> {
    let room = rustix::fs::statvfs(folder).ok()?;
    Some(room.f_bavail.saturating_mul(room.f_frsize))
}

/// Whether it is time for another beat, which is then taken for sent.
fn is_due(heartbeat: &HeartbeatSpec, last: &AtomicI64, now: Timestamp) -> bool {
    let before = last.load(Ordering::Relaxed);
    let is_due =
        now.micros() < before || heartbeat.every.micros() <= now.micros().saturating_sub(before);
    if is_due {
        last.store(now.micros(), Ordering::Relaxed);
    }
    is_due
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Secret, Span};

    #[test]
    fn a_heartbeat_is_due_after_its_distance_and_when_the_clock_was_put_back() {
        let last = AtomicI64::new(i64::MIN);
        let at = |secs| Timestamp::from_secs(secs).unwrap();
        let url = Secret::new("http://x".into());
        let spec = HeartbeatSpec { url, every: Span::secs(300), allow_private: false };
        let due = [1_000, 1_299, 1_300, 1_301, 900].map(|secs| is_due(&spec, &last, at(secs)));
        assert_eq!(due, [true, false, true, false, true]);
    }
}
