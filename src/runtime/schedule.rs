//! Which slots are due. A pure function of the trigger, the zone and two instants; when a trigger is
//! due next is told by [`next_after`].

use chrono_tz::Tz;

use crate::domain::{Missed, Span, Timestamp, Trigger, next_after};

/// A slot younger than this was not missed, only noticed late.
const ON_TIME: Span = Span::secs(60);
/// Missed slots are counted one by one up to this number.
const MAX_COUNTED: u32 = 1_000;

/// What has become due since it was last looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slots {
    /// The slot to run.
    pub run: Option<Timestamp>,
    /// How many older ones are left out; counted up to 1,000.
    pub n_skipped: u32,
    /// The newest of those left out, when none is run.
    pub newest_skipped: Option<Timestamp>,
}

/// What is due in `after < slot <= until`: at most the newest slot is run, because one run does the
/// work of all that were missed. With [`Missed::Skip`] it is run only when it is on time.
pub fn due_slots(
    trigger: &Trigger,
    zone: Tz,
    after: Timestamp,
    until: Timestamp,
    missed: Missed,
) -> Slots {
    let (n_slots, newest) = newest_slot(trigger, zone, after, until);
    let runs = newest.is_some_and(|slot| missed == Missed::Latest || until - ON_TIME < slot);
    match newest {
        Some(slot) if runs => {
            Slots { run: Some(slot), n_skipped: n_slots - 1, newest_skipped: None }
        }
        _ => Slots { run: None, n_skipped: n_slots, newest_skipped: newest },
    }
}

fn newest_slot(
    trigger: &Trigger,
    zone: Tz,
    after: Timestamp,
    until: Timestamp,
) -> (u32, Option<Timestamp>) {
    let (mut n_slots, mut newest) = (0, None);
    let mut slot = next_after(trigger, zone, after);
    while let Some(due) = slot.filter(|due| *due <= until) {
        n_slots += 1;
        newest = Some(due);
        if n_slots == MAX_COUNTED {
            return (n_slots, newest_of_many(trigger, zone, due, until));
        }
        slot = next_after(trigger, zone, due);
    }
    (n_slots, newest)
}

/// Looks back from the end in ever longer steps, so that years of missed minutes cost little.
fn newest_of_many(
    trigger: &Trigger,
    zone: Tz,
    after: Timestamp,
    until: Timestamp,
) -> Option<Timestamp> {
    let mut step = Span::hours(1);
    loop {
        let from = after.max(until - step);
        let mut newest = None;
        let mut slot = next_after(trigger, zone, from);
        while let Some(due) = slot.filter(|due| *due <= until) {
            newest = Some(due);
            slot = next_after(trigger, zone, due);
        }
        if newest.is_some() || from == after {
            return newest.or(Some(after));
        }
        step = Span::from_micros(step.micros().saturating_mul(8));
    }
}
