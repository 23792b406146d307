//! The links a message carries: to the alert's page, and signed ones that do something about it.

use crate::{
    catalog::{Reader, links, messages::MessageRow, outbox::Delivery},
    domain::{Alert, AlertState, Link, LinkAction, LinkKey, Timestamp},
    notify::Links,
};

use super::{super::JobError, Audience};

/// Makes the links of one delivery: the same on every attempt.
pub(super) struct Signing<'a> {
    dashboard: &'a str,
    delivery: &'a str,
    expires: Timestamp,
    is_public: bool,
    /// Without one there are no signed links.
    key: Option<LinkKey>,
}

impl<'a> Signing<'a> {
    pub(super) async fn of(
        reader: &mut Reader,
        audience: &Audience<'a>,
        delivery: &'a Delivery,
        message: &MessageRow,
    ) -> Result<Self, JobError> {
        Ok(Self {
            dashboard: audience.dashboard,
            is_public: audience.is_public,
            delivery: &delivery.idem_key,
            expires: message.created_at + Link::LIFE,
            key: links::key(reader).await?,
        })
    }

    /// Nobody has to look after an alert that is over; whether it was worth knowing is still asked.
    pub(super) fn links(&self, alert: &Alert, state: AlertState) -> Links {
        let signed = |action| self.signed(alert, action);
        let of_firing = |action| signed(action).filter(|_| state == AlertState::Firing);
        Links {
            page: Some(format!("{}/alerts/{}", self.dashboard, alert.id)),
            ack: of_firing(LinkAction::Ack),
            snooze: of_firing(LinkAction::Snooze),
            up: signed(LinkAction::Up),
            down: signed(LinkAction::Down),
            expected: signed(LinkAction::Expected),
            incident: signed(LinkAction::Incident),
            chart: self.chart(alert),
        }
    }

    /// Of use to receivers that fetch pictures themselves, from wherever they are.
    fn chart(&self, alert: &Alert) -> Option<String> {
        let key = self.key.as_ref().filter(|_| self.is_public)?;
        Some(format!("{}/c/{}", self.dashboard, key.sign_chart(&alert.id, self.expires)))
    }

    fn signed(&self, alert: &Alert, action: LinkAction) -> Option<String> {
        let key = self.key.as_ref()?;
        let nonce = key.nonce(self.delivery, action, &alert.id);
        let link = Link { action, alert: alert.id.clone(), expires: self.expires, nonce };
        Some(format!("{}/l/{}", self.dashboard, key.sign(&link)))
    }
}
