//! Follow: what a signed link of a message does. It does it once; that it did is stored together with
//! what it did.

use crate::{
    catalog::{Catalog, alerts, alerts::AlertRow, feedback, links},
    domain::{Feedback, Link, LinkAction, Span, Timestamp, Verdict},
};

use super::{
    JobError,
    attend::{Attention, act},
};

/// How long the silence is that a link asks for.
pub const LINK_SNOOZE: Span = Span::hours(4);

/// Who it is that follows a link: nobody knows.
const AUTHOR: &str = "link";

/// What became of following a link.
#[derive(Debug, Clone, PartialEq)]
pub enum Followed {
    /// It did what it says; with what was said of the alert, where it says something.
    Done(Option<Verdict>, Box<AlertRow>),
    /// It was followed before.
    Used,
    /// Its alert is gone.
    NoAlert,
}

/// Does what a link says, unless it was followed before.
///
/// # Errors
/// [`JobError::Catalog`]; then the link still works.
pub async fn follow(catalog: &Catalog, link: &Link, now: Timestamp) -> Result<Followed, JobError> {
    let mut tx = catalog.begin().await?;
    let Some(row) = alerts::get(&mut tx, &link.alert).await? else {
        return Ok(Followed::NoAlert);
    };
    if !links::mark_used(&mut tx, &link.nonce, now).await? {
        return Ok(Followed::Used);
    }
    let verdict = match link.action {
        LinkAction::Ack => {
            act(&mut tx, &row, (Attention::Ack, AUTHOR), now).await?;
            None
        }
        LinkAction::Snooze => {
            act(&mut tx, &row, (Attention::Snooze(LINK_SNOOZE), AUTHOR), now).await?;
            None
        }
        LinkAction::Up => Some(Verdict::Up),
        LinkAction::Down => Some(Verdict::Down),
        LinkAction::Expected => Some(Verdict::Expected),
        LinkAction::Incident => Some(Verdict::Incident),
    };
    if let Some(verdict) = verdict {
        let (alert, author) = (link.alert.clone(), AUTHOR.to_owned());
        let said = Feedback { alert, verdict, note: String::new(), author, at: now, until: None };
        feedback::add(&mut tx, &said).await?;
    }
    tx.commit().await?;
    Ok(Followed::Done(verdict, Box::new(row)))
}
