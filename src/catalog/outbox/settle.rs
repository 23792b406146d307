//! What became of a delivery that was taken.

use super::{Delivery, DeliveryState, Refusal};
use crate::{
    catalog::{
        Connection,
        error::{CatalogError, Doing as _},
    },
    domain::Timestamp,
};

/// What becomes of a delivery.
#[derive(Debug, Clone, PartialEq)]
pub enum Settled {
    /// The channel took it.
    Sent,
    /// It is put off without counting an attempt: the channel asked for patience.
    Postponed {
        /// Until when.
        at: Timestamp,
    },
    /// It failed and is tried again.
    Again {
        /// When.
        at: Timestamp,
        /// How it failed.
        refusal: Refusal,
        /// Whether it may have arrived.
        is_ambiguous: bool,
    },
    /// It may have arrived and is not tried again.
    Parked {
        /// How it failed.
        refusal: Refusal,
    },
    /// It is given up.
    Dead {
        /// How it failed.
        refusal: Refusal,
    },
}

impl Settled {
    const fn state(&self) -> DeliveryState {
        match self {
            Self::Sent => DeliveryState::Sent,
            Self::Postponed { .. } | Self::Again { .. } => DeliveryState::Pending,
            Self::Parked { .. } => DeliveryState::Unknown,
            Self::Dead { .. } => DeliveryState::Dead,
        }
    }

    const fn next_at(&self) -> Option<Timestamp> {
        match self {
            Self::Postponed { at } | Self::Again { at, .. } => Some(*at),
            Self::Sent | Self::Parked { .. } | Self::Dead { .. } => None,
        }
    }

    const fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Again { refusal, .. } | Self::Parked { refusal } | Self::Dead { refusal } => {
                Some(refusal)
            }
            Self::Sent | Self::Postponed { .. } => None,
        }
    }
}

/// Notes what became of a delivery, and what its channel took of it by now; `false` when somebody else has it by now, which changes nothing.
///
/// # Errors
/// [`CatalogError::Query`].
pub async fn settle(
    conn: &mut Connection,
    delivery: &Delivery,
    settled: &Settled,
    now: Timestamp,
) -> Result<bool, CatalogError> {
    let is_put_off = matches!(settled, Settled::Postponed { .. });
    let is_ambiguous =
        matches!(settled, Settled::Again { is_ambiguous: true, .. } | Settled::Parked { .. });
    let is_rest = *settled != Settled::Sent && !delivery.taken.is_empty();
    let ids: Vec<&str> = delivery.taken.iter().map(|id| id.0.as_str()).collect();
    let taken = is_rest.then(|| serde_json::json!(ids).to_string());
    let noted = sqlx::query(
        "UPDATE outbox
         SET state = ?4, lease_until = NULL, attempts = ?11 + (NOT ?5),
             next_at = COALESCE(?6, next_at), ended_at = IIF(?6 IS NULL, ?7, NULL),
             last_status = IIF(?5, last_status, ?8), last_error = IIF(?5, last_error, ?9),
             may_be_there = MAX(may_be_there, ?10), taken = ?12
         WHERE message = ?1 AND channel = ?2 AND epoch = ?3 AND state = 'sending'",
    )
    .bind(&delivery.message)
    .bind(&delivery.channel)
    .bind(delivery.epoch)
    .bind(settled.state())
    .bind(is_put_off)
    .bind(settled.next_at())
    .bind(now)
    .bind(settled.refusal().and_then(|refusal| refusal.status))
    .bind(settled.refusal().map(|refusal| refusal.error.as_str()))
    .bind(is_ambiguous)
    .bind(delivery.attempts)
    .bind(taken)
    .execute(conn)
    .await
    .doing("note what became of a delivery")?;
    Ok(noted.rows_affected() == 1)
}
