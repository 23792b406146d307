//! A metric's chart as a file: PNG or SVG, of a stretch of time or around an alert.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::{
    catalog::alerts,
    chart::{self, Picture, Size},
    domain::AlertId,
};

use super::{
    ask::{Asked, Named, PlotAsked},
    dashboard::{Drawn, around},
    failure::Failure,
    links,
    site::Site,
};

/// What a chart is sent as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Png,
    Svg,
}

pub(super) async fn metric_png(
    State(site): State<Arc<Site>>,
    Named(names): Named<(String, String)>,
    Asked(asked): Asked<PlotAsked>,
) -> Result<Response, Failure> {
    metric(&site, &names, &asked, Format::Png).await
}

pub(super) async fn metric_svg(
    State(site): State<Arc<Site>>,
    Named(names): Named<(String, String)>,
    Asked(asked): Asked<PlotAsked>,
) -> Result<Response, Failure> {
    metric(&site, &names, &asked, Format::Svg).await
}

pub(super) async fn alert_png(
    State(site): State<Arc<Site>>,
    Named(id): Named<String>,
    Asked(asked): Asked<PlotAsked>,
) -> Result<Response, Failure> {
    alert(&site, id, &asked, Format::Png).await
}

pub(super) async fn alert_svg(
    State(site): State<Arc<Site>>,
    Named(id): Named<String>,
    Asked(asked): Asked<PlotAsked>,
) -> Result<Response, Failure> {
    alert(&site, id, &asked, Format::Svg).await
}

/// `/c/{token}`: an alert's chart for a receiver of messages, which has no token of its own.
pub(super) async fn linked_png(
    State(site): State<Arc<Site>>,
    Named(token): Named<String>,
) -> Result<Response, Failure> {
    let key = links::key(&site).await?;
    let alert = key.and_then(|key| key.open_chart(&token, site.now()));
    let AlertId(id) = alert.map_err(|error| links::refused(&error))?;
    self::alert(&site, id, &PlotAsked::default(), Format::Png).await
}

async fn metric(
    site: &Site,
    (batch, name): &(String, String),
    asked: &PlotAsked,
    format: Format,
) -> Result<Response, Failure> {
    let batch = site.batch(batch)?;
    let row = site.metric(&batch.name, name).await?;
    let window = asked.window(site.now(), Some(row.newest_at))?;
    let size = asked.size()?;
    let mut drawn = Drawn::read(site, &batch, &row.metric, window).await?;
    if drawn.is_empty() {
        return Err(Failure::missing("point of this metric in this stretch of time"));
    }
    drawn.fit();
    answer(site, drawn.picture(&batch, &row.metric), size, format).await
}

async fn alert(
    site: &Site,
    id: String,
    asked: &PlotAsked,
    format: Format,
) -> Result<Response, Failure> {
    let size = asked.size()?;
    let row = alerts::get(&mut *site.reader().await?, &AlertId(id)).await;
    let row = row.map_err(|error| Failure::internal(&error))?;
    let row = row.ok_or_else(|| Failure::missing("such alert"))?;
    let batch = site.batch(row.alert.batch.as_str())?;
    let drawn = around(site, &batch, &row).await?;
    if drawn.is_empty() {
        return Err(Failure::missing("point around this alert"));
    }
    let picture = Picture { caption: row.alert.reason, ..drawn.picture(&batch, &row.alert.metric) };
    answer(site, picture, size, format).await
}

/// Draws on a computing thread: it takes some milliseconds.
async fn answer(
    site: &Site,
    picture: Picture,
    (size, scale): (Size, f64),
    format: Format,
) -> Result<Response, Failure> {
    let draw = move || {
        let svg = chart::alert_chart(&picture, size);
        match format {
            Format::Svg => Ok(("image/svg+xml", svg.text.into_bytes())),
            Format::Png => chart::png(&svg, scale).map(|bytes| ("image/png", bytes)),
        }
    };
    let drawn = site.app.compute.run(draw).await.map_err(|error| Failure::internal(&error))?;
    let (kind, bytes) = drawn.map_err(|error| Failure::bad(error.to_string()))?;
    Ok((StatusCode::OK, [(header::CONTENT_TYPE, kind)], bytes).into_response())
}
