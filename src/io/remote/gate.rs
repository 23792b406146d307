//! How many requests are under way at once: fewer after a server says that it is too much, slowly more
//! while it does not.

use std::sync::{Mutex, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};

/// A bound that moves.
#[derive(Debug)]
pub(super) struct Gate {
    permits: Semaphore,
    bound: Mutex<Bound>,
}

#[derive(Debug, Clone, Copy)]
struct Bound {
    most: usize,
    now: usize,
    /// Permits to be taken out of use as they come back.
    n_owed: usize,
    /// Requests that went well since the bound moved.
    n_well: usize,
}

impl Gate {
    pub(super) fn new(most: usize) -> Self {
        let most = most.max(1);
        let bound = Bound { most, now: most, n_owed: 0, n_well: 0 };
        Self { permits: Semaphore::new(most), bound: Mutex::new(bound) }
    }

    /// Waits until a request may be made.
    pub(super) async fn enter(&self) -> Option<SemaphorePermit<'_>> {
        self.permits.acquire().await.ok()
    }

    /// A server said that it is too much: half as many from now on.
    pub(super) fn lower(&self, permit: Option<SemaphorePermit<'_>>) {
        let mut bound = self.bound();
        let fewer = bound.now - (bound.now / 2).max(1);
        bound.now -= fewer;
        bound.n_owed += fewer;
        bound.n_well = 0;
        give_back(permit, &mut bound);
    }

    /// A request was answered: one more at once after as many as there are at once.
    pub(super) fn leave(&self, permit: Option<SemaphorePermit<'_>>) {
        let mut bound = self.bound();
        bound.n_well += 1;
        if bound.now <= bound.n_well && bound.now < bound.most {
            (bound.n_well, bound.now) = (0, bound.now + 1);
            match bound.n_owed.checked_sub(1) {
                Some(left) => bound.n_owed = left,
                None => self.permits.add_permits(1),
            }
        }
        give_back(permit, &mut bound);
    }

    fn bound(&self) -> std::sync::MutexGuard<'_, Bound> {
        self.bound.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn give_back(permit: Option<SemaphorePermit<'_>>, bound: &mut Bound) {
    let Some(permit) = permit else { return };
    if 0 < bound.n_owed {
        bound.n_owed -= 1;
        permit.forget();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_bound_halves_when_told_and_comes_back_one_by_one() {
        let gate = Gate::new(8);
        let held = futures::future::join_all((0..8).map(|_| gate.enter())).await;
        assert_eq!(gate.permits.available_permits(), 0);
        for permit in held {
            gate.lower(permit);
        }
        assert_eq!((gate.bound().now, gate.permits.available_permits()), (1, 1));
        for expected in [2, 2, 3, 3, 3, 4] {
            let permit = gate.enter().await;
            gate.leave(permit);
            assert_eq!(gate.permits.available_permits(), expected);
        }
        for _ in 0..100 {
            let permit = gate.enter().await;
            gate.leave(permit);
        }
        assert_eq!((gate.bound().now, gate.permits.available_permits()), (8, 8));
    }
}
