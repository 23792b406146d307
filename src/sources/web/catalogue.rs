//! What a Prometheus server has: the names of its metrics and their types.

use std::collections::BTreeMap;

use serde::Deserialize;
use url::Url;

use super::fetch::{Call, Server};
use crate::{
    domain::PrometheusSpec,
    sources::{ReadContext, SourceError, rows, unpack},
};

#[derive(Deserialize)]
struct Reply<T> {
    status: String,
    data: T,
}

/// A metric's description, of which there may be several from as many targets.
#[derive(Deserialize)]
struct Described {
    #[serde(rename = "type")]
    kind: String,
}

/// The metrics of a server by name, each with its type (`counter`, `gauge`, …) where it is known.
///
/// # Errors
/// [`SourceError`] when the server cannot be asked, or does not answer as Prometheus does.
pub async fn prometheus_metrics(
    spec: &PrometheusSpec,
    ctx: &ReadContext<'_>,
) -> Result<BTreeMap<String, Option<String>>, SourceError> {
    let mut server = Server::new(&spec.endpoint, ctx)?.for_tenant(spec.tenant.as_deref());
    let names: Vec<String> = ask(&mut server, spec, &["label", "__name__", "values"]).await?;
    // Servers that keep no descriptions still have metrics.
    let described: BTreeMap<String, Vec<Described>> =
        ask(&mut server, spec, &["metadata"]).await.unwrap_or_default();
    let kind = |name: &str| {
        let known = described.get(name)?.first()?;
        Some(known.kind.clone()).filter(|kind| kind != "unknown")
    };
    Ok(names.into_iter().map(|name| (name.clone(), kind(&name))).collect())
}

async fn ask<T: for<'de> Deserialize<'de>>(
    server: &mut Server<'_>,
    spec: &PrometheusSpec,
    path: &[&str],
) -> Result<T, SourceError> {
    let mut url: Url = server.url()?;
    let mut segments = url.path_segments_mut().map_err(|()| SourceError::UnknownAddress)?;
    segments.pop_if_empty().extend(["api", "v1"]).extend(path);
    drop(segments);
    let answer = server.ask(Call::Get(url)).await?;
    let answer = server.success(answer)?;
    let place = "the answer of Prometheus";
    let body = unpack::inflate(answer.body, spec.endpoint.max_bytes as u64, place)?;
    let reply: Result<Reply<T>, _> = serde_json::from_slice(&body);
    match reply {
        Ok(reply) if reply.status == "success" => Ok(reply.data),
        Ok(_) => Err(rows::decode(place, "it is no success")),
        Err(error) => Err(rows::decode(place, &error.to_string())),
    }
}
