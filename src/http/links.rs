//! `/l/{token}`: the signed links of messages. Programs that look through mail open every link in it,
//! so opening one only asks; the button on the page acts. Whoever has the link may: no token is
//! asked for, and a page of another site that knew the link could as well send it itself.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode, response::Html};

use crate::{
    catalog::{alerts, alerts::AlertRow, links},
    domain::{Link, LinkAction, LinkError, LinkKey},
    jobs::{self, Followed, LINK_SNOOZE},
};

use super::{ask::Named, failure::Failure, pages::filled, site::Site};

/// Asks whether to do it.
pub(super) async fn ask(
    State(site): State<Arc<Site>>,
    Named(token): Named<String>,
) -> Result<Html<String>, Failure> {
    let link = opened(&site, &token).await?;
    let mut reader = site.reader().await?;
    let row = alerts::get(&mut reader, &link.alert).await.map_err(|error| internal(&error))?;
    let row = row.ok_or_else(no_alert)?;
    if links::is_used(&mut reader, &link.nonce).await.map_err(|error| internal(&error))? {
        return Err(used());
    }
    drop(reader);
    page(&site, link.action, &row, false)
}

/// Does it.
pub(super) async fn follow(
    State(site): State<Arc<Site>>,
    Named(token): Named<String>,
) -> Result<Html<String>, Failure> {
    let link = opened(&site, &token).await?;
    let followed = jobs::follow(&site.app.catalog, &link, site.now()).await;
    match followed.map_err(|error| internal(&error))? {
        Followed::Done(verdict, row) => {
            if let Some(verdict) = verdict {
                site.app.metrics.people.feedback(&row.alert.batch, verdict);
            }
            page(&site, link.action, &row, true)
        }
        Followed::Used => Err(used()),
        Followed::NoAlert => Err(no_alert()),
    }
}

async fn opened(site: &Site, token: &str) -> Result<Link, Failure> {
    let link = key(site).await?.and_then(|key| key.open(token, site.now()));
    link.map_err(|error| refused(&error))
}

/// What links are signed with; without it none was made here.
pub(super) async fn key(site: &Site) -> Result<Result<LinkKey, LinkError>, Failure> {
    let key = links::key(&mut *site.reader().await?).await.map_err(|error| internal(&error))?;
    Ok(key.ok_or(LinkError::Forged))
}

pub(super) fn refused(error: &LinkError) -> Failure {
    let status = match error {
        LinkError::Forged => StatusCode::FORBIDDEN,
        LinkError::Expired { .. } => StatusCode::GONE,
    };
    Failure::new(status, &error.to_string())
}

fn page(
    site: &Site,
    action: LinkAction,
    row: &AlertRow,
    is_done: bool,
) -> Result<Html<String>, Failure> {
    let alert = &row.alert;
    let project = site.project();
    let batch = project.batches.iter().find(|batch| batch.name == alert.batch);
    let title = if is_done { "Done" } else { "Please confirm" };
    let page = batch.map_or_else(|| site.page(title, ""), |batch| site.page_of(title, "", batch));
    let own = batch.and_then(|batch| batch.metrics.get(&alert.metric));
    let name = own.and_then(|metric| metric.display_name.clone());
    let name = name.unwrap_or_else(|| alert.metric.to_string());
    let (button, done) = words(action);
    site.render("link.html", filled! { page, alert, name, button, done, is_done })
}

/// What the button says, and what is said when it was pressed.
fn words(action: LinkAction) -> (String, String) {
    let (button, done) = match action {
        LinkAction::Ack => ("I look after it", "You look after it. There will be no reminders."),
        LinkAction::Snooze => {
            let button = format!("Silence for {LINK_SNOOZE}");
            let done = format!("There will be silence about this metric for {LINK_SNOOZE}.");
            return (button, done);
        }
        LinkAction::Up => ("Worth knowing", "It was worth knowing; that is noted."),
        LinkAction::Down => ("Not worth knowing", "It was not worth knowing; that is noted."),
        LinkAction::Expected => ("Expected", "It was expected; that is noted."),
        LinkAction::Incident => ("An incident", "It was an incident; models do not learn from it."),
    };
    (button.to_owned(), done.to_owned())
}

fn internal(error: &(dyn std::error::Error + 'static)) -> Failure {
    Failure::internal(error)
}

fn used() -> Failure {
    Failure::new(StatusCode::GONE, "this link was used already; each works once")
}

fn no_alert() -> Failure {
    Failure::missing("such alert any more")
}
