//! `anomstack channels`: whom alerts go to, how those channels are, and a try of one.

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::{
    alerting::{Fit, Routed, Router, Saying},
    catalog::{channel_states, outbox},
    domain::{
        Alert, AlertId, AlertKind, BatchSpec, ChannelSpec, MessageEvent, MetricName, Rate,
        Severity, Timestamp,
    },
    jobs,
};

use super::{
    Global, Outcome,
    listing::{self, or_dash},
    open::Opened,
    show::{missing, open_quietly},
};

/// What can be asked of channels.
#[derive(Debug, Subcommand)]
pub(super) enum Channels {
    /// Every channel: its kind, its pace, what waits for it, and whether it is closed
    List,
    /// Send a message that says it is a test, with a made-up alert, now, past the outbox
    Test {
        /// The channel's name
        name: String,
    },
    /// Use a channel again that the other side has closed or asked to be left alone
    Enable {
        /// The channel's name
        name: String,
    },
    /// Who would be told of an alert, and why
    Route(Route),
}

/// What `channels route` takes.
#[derive(Debug, Args)]
pub(super) struct Route {
    /// The batch
    batch: String,
    /// The metric
    metric: String,
    /// warning or critical
    #[arg(long, default_value_t = Severity::Warning)]
    severity: Severity,
    /// anomaly, threshold, change, absence, frozen, zeros, rows or pipeline
    #[arg(long, default_value_t = AlertKind::Anomaly)]
    kind: AlertKind,
    /// firing, escalated or reminder; what is resolved is told where it was told that it fired
    #[arg(long, default_value_t = MessageEvent::Firing)]
    event: MessageEvent,
    /// When it is told (RFC 3339); otherwise now
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
}

/// Does it.
pub(super) async fn channels(global: &Global, command: Channels) -> anyhow::Result<Outcome> {
    let (opened, now) = match open_quietly(global).await? {
        Ok(opened) => opened,
        Err(outcome) => return Ok(outcome),
    };
    match command {
        Channels::List => list(global, &opened, now).await,
        Channels::Test { name } => test(&opened, &name, now).await,
        Channels::Enable { name } => enable(&opened, &name).await,
        Channels::Route(asked) => route(global, &opened, &asked, now),
    }
}

#[derive(Serialize)]
struct Listed {
    channel: String,
    kind: &'static str,
    rate: Option<String>,
    waiting: u64,
    state: String,
}

async fn list(global: &Global, opened: &Opened, now: Timestamp) -> anyhow::Result<Outcome> {
    let mut reader = opened.ctx.catalog.reader().await?;
    let backlog = outbox::backlog(&mut reader).await?;
    let states = channel_states::all(&mut reader).await?;
    let listed = |channel: &ChannelSpec| {
        let waiting = backlog.iter().find(|waiting| waiting.channel == channel.name);
        let state = states.iter().find(|state| state.channel == channel.name);
        let state = match state.map(|state| (state.disabled_at, state.not_before, &state.reason)) {
            Some((Some(since), _, reason)) => format!("disabled since {since}: {reason}"),
            Some((None, Some(until), _)) if now < until => format!("left alone until {until}"),
            _ => "open".to_owned(),
        };
        Listed {
            channel: channel.name.clone(),
            kind: channel.kind.as_str(),
            rate: channel.pace.rate.as_ref().map(Rate::to_string),
            waiting: waiting.map_or(0, |waiting| waiting.n_waiting),
            state,
        }
    };
    let all: Vec<Listed> = opened.project.system.channels.values().map(listed).collect();
    listing::print(global, &all, &["CHANNEL", "KIND", "RATE", "WAITING", "STATE"], |row| {
        vec![
            row.channel.clone(),
            row.kind.to_owned(),
            or_dash(row.rate.as_ref(), ToString::to_string),
            row.waiting.to_string(),
            row.state.clone(),
        ]
    })
}

fn found<'a>(opened: &'a Opened, name: &str) -> Result<&'a ChannelSpec, String> {
    let channels = &opened.project.system.channels;
    channels.get(name).ok_or_else(|| {
        let names: Vec<&str> = channels.keys().map(String::as_str).collect();
        format!("no channel `{name}`; there are: {}", names.join(", "))
    })
}

async fn test(opened: &Opened, name: &str, now: Timestamp) -> anyhow::Result<Outcome> {
    let channel = match found(opened, name) {
        Ok(channel) => channel,
        Err(message) => return missing(&message),
    };
    let dashboard = opened.project.system.server.address();
    let means = (&opened.client, &opened.ctx.compute, &*opened.ctx.paces);
    let tried = jobs::try_channel(channel, &dashboard, means, now).await?;
    println!("{name}: {}", tried.outcome);
    Ok(if tried.is_sent { Outcome::Done } else { Outcome::Problems })
}

async fn enable(opened: &Opened, name: &str) -> anyhow::Result<Outcome> {
    if let Err(message) = found(opened, name) {
        return missing(&message);
    }
    let mut tx = opened.ctx.catalog.begin().await?;
    let was_closed = channel_states::enable(&mut tx, name).await?;
    tx.commit().await?;
    println!("{name}: {}", if was_closed { "used again" } else { "was not closed" });
    Ok(Outcome::Done)
}

#[derive(Serialize)]
struct Told {
    channels: Vec<String>,
    /// Whether the batch's own channels are among them.
    own: bool,
    /// How each route fits, in the order of the file.
    routes: Vec<String>,
}

fn route(
    global: &Global,
    opened: &Opened,
    asked: &Route,
    now: Timestamp,
) -> anyhow::Result<Outcome> {
    let batches = &opened.project.batches;
    let Some(batch) = batches.iter().find(|batch| batch.name.as_str() == asked.batch) else {
        return missing(&format!("no batch `{}`", asked.batch));
    };
    let routed = routed(batch, asked, now)?;
    let route = |(n, fit): (usize, &Fit)| {
        let to = batch.routes.get(n).map(|route| route.channels.join(", ")).unwrap_or_default();
        format!("route {} to {to}: {fit}", n + 1)
    };
    let told = Told {
        own: routed.is_own_told,
        routes: routed.fits.iter().enumerate().map(route).collect(),
        channels: routed.channels.into_iter().collect(),
    };
    let own = match told.own {
        true => batch.alert_for(&MetricName::parse(&asked.metric)?).channels.join(", "),
        false => "left out by a route that is `only`".to_owned(),
    };
    let mut fields = vec![("told", told.channels.join(", ")), ("the batch's own", own)];
    fields.extend(told.routes.iter().map(|line| ("", line.clone())));
    listing::print_one(global, &told, &fields)
}

fn routed(batch: &BatchSpec, asked: &Route, now: Timestamp) -> anyhow::Result<Routed> {
    let now = asked.at.unwrap_or(now);
    let alert = Alert {
        id: AlertId("none".into()),
        batch: batch.name.clone(),
        metric: MetricName::parse(&asked.metric)?,
        kind: asked.kind,
        severity: asked.severity,
        at: now,
        since: now,
        value: None,
        band: None,
        score: None,
        threshold: None,
        model: None,
        reason: String::new(),
    };
    let router = Router::compile(&batch.routes)?;
    Ok(router.route(&Saying::of(batch, &alert, asked.event, now)))
}
