//! Which connections hold a place without using it. When all places are taken, the one that has
//! waited longest gives way, so slow clients cannot keep others out.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio_util::sync::CancellationToken;

/// The connections that wait: for a request, or for their client to take an answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Seats(Arc<Mutex<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    /// Grows with every wait, so the smallest number has waited longest.
    last: u64,
    connections: BTreeMap<u64, CancellationToken>,
}

/// One connection's place. Dropped with the connection.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Seats,
    /// Its number while it waits, else 0.
    number: AtomicU64,
    /// Cancelled when the connection has to give way.
    pub(super) give_way: CancellationToken,
}

impl Seats {
    /// A place for a new connection, which begins by waiting for a request.
    pub(super) fn take(&self) -> Seat {
        let number = AtomicU64::new(0);
        let seat = Seat { seats: self.clone(), number, give_way: CancellationToken::new() };
        seat.wait();
        seat
    }

    /// Makes the connection that has waited longest give way; false when none waits.
    pub(super) fn free_one(&self) -> bool {
        let longest = self.waiting().connections.pop_first();
        longest.is_some_and(|(_, give_way)| {
            give_way.cancel();
            true
        })
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Nothing panics while it is held; its content is whole in any case.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// The connection has asked for something that is being made.
    pub(super) fn work(&self) {
        let number = self.number.swap(0, Ordering::Relaxed);
        self.seats.waiting().connections.remove(&number);
    }

    /// The connection waits for its client.
    pub(super) fn wait(&self) {
        let mut waiting = self.seats.waiting();
        waiting.last += 1;
        let number = waiting.last;
        waiting.connections.insert(number, self.give_way.clone());
        self.number.store(number, Ordering::Relaxed);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.work();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_waiting_gives_way_and_the_working_do_not() {
        let seats = Seats::default();
        let (first, second, third) = (seats.take(), seats.take(), seats.take());
        first.work();
        assert!(seats.free_one());
        assert!(second.give_way.is_cancelled() && !first.give_way.is_cancelled());
        first.wait();
        assert!(seats.free_one());
        assert!(third.give_way.is_cancelled() && !first.give_way.is_cancelled());
        first.work();
        assert!(!seats.free_one());
        first.wait();
        drop(first);
        assert!(!seats.free_one());
    }
}
