//! The `prometheus` source: one PromQL query over the time since the last read, in as many requests
//! as the server's limit on points asks for. VictoriaMetrics, Thanos and Mimir answer alike.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
};

use serde::Deserialize;
use serde_json::value::RawValue;
use url::{Url, form_urlencoded};

use super::fetch::{Answer, Call, Server};
use crate::{
    compute::Compute,
    domain::{PrometheusSpec, Span, Timestamp},
    sources::{
        Outlet, ReadContext, SourceError,
        columns::{Cell, Columns},
        error::{printable, scrub},
        rows,
        series_names::SeriesNames,
        unpack,
    },
};

/// Points a series may have in one answer; Prometheus refuses queries for more.
const MAX_POINTS: i64 = 11_000;
const PLACE: &str = "the answer of Prometheus";

/// The first and the last instant of a request, both included.
type Window = (Timestamp, Timestamp);

/// Reads the query's values since the last read.
pub(in crate::sources) async fn read(
    spec: &PrometheusSpec,
    ctx: &ReadContext<'_>,
    compute: &Compute,
    out: &mut Outlet,
) -> Result<(), SourceError> {
    let mut server = Server::new(&spec.endpoint, ctx)?.for_tenant(spec.tenant.as_deref());
    let url = query_range(server.url()?)?;
    let max_rows = ctx.batch.source.max_rows;
    let columns = |max_rows| Columns::new(["timestamp", "metric", "value"], max_rows);
    let (mut names, mut is_empty) = (HashMap::new(), true);
    for (start, end) in windows(spec, ctx) {
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("query", &spec.query)
            .append_pair("start", &seconds(start.micros()))
            .append_pair("end", &seconds(end.micros()))
            .append_pair("step", &seconds(spec.step.micros()))
            .finish();
        let answer = server.ask(Call::Post(url.clone(), form)).await?;
        let answer = match refusal(&answer, spec) {
            Some(error) => return Err(error),
            None => server.success(answer)?,
        };
        let (template, batch) = (spec.name.clone(), ctx.batch.name.clone());
        let max_bytes = spec.endpoint.max_bytes as u64;
        let mut table = Table { columns: columns(out.rows_left()), names };
        let read = move || {
            let names = SeriesNames::new(template.as_deref(), &batch)?;
            let body = unpack::inflate(answer.body, max_bytes, PLACE)?;
            let warnings = add(&mut table, &body, &names)?;
            Ok((table.columns.finish(PLACE)?, table.names, warnings))
        };
        let (frame, known, warnings) = compute.run(read).await?.map_err(|error| match error {
            SourceError::TooManyRows { .. } => SourceError::TooManyRows { max_rows },
            error => error,
        })?;
        names = known;
        let secrets = spec.endpoint.secrets();
        warnings.iter().for_each(|said| ctx.notes.add(&scrub(said, secrets.iter().copied())));
        if 0 < frame.height() {
            is_empty = false;
            out.send(frame).await?;
        }
    }
    if is_empty {
        // The columns are known whatever comes.
        out.send(columns(0).finish(PLACE)?).await?;
    }
    Ok(())
}

/// The address of the query interface below the server's own.
fn query_range(mut url: Url) -> Result<Url, SourceError> {
    url.path_segments_mut().map_err(|()| SourceError::UnknownAddress)?.pop_if_empty().extend([
        "api",
        "v1",
        "query_range",
    ]);
    Ok(url)
}

/// The time to read in pieces of at most [`MAX_POINTS`] points. All instants are multiples of the
/// step, so that a later read meets the same ones again.
fn windows(spec: &PrometheusSpec, ctx: &ReadContext<'_>) -> impl Iterator<Item = Window> + use<> {
    let step = spec.step;
    let end = (ctx.now - spec.offset).floor(step);
    let since = ctx.last_timestamp.map(|last| last - ctx.batch.source.lateness);
    let mut next = since.unwrap_or(ctx.now - spec.lookback).floor(step);
    let longest = Span::from_micros(step.micros().saturating_mul(MAX_POINTS - 1));
    std::iter::from_fn(move || {
        let start = next;
        let last = end.min(start + longest);
        next = last + step;
        (start <= end).then_some((start, last))
    })
}

/// Seconds with as many decimals as it takes.
fn seconds(micros: i64) -> String {
    match micros % 1_000_000 {
        0 => (micros / 1_000_000).to_string(),
        _ => format!("{:.3}", micros as f64 / 1e6),
    }
}

#[derive(Deserialize)]
struct Reply<'a> {
    status: String,
    error: Option<String>,
    /// Of an answer that may lack a part.
    #[serde(default)]
    warnings: Vec<String>,
    /// Of a query that may not mean what it says.
    #[serde(default)]
    infos: Vec<String>,
    #[serde(borrow)]
    data: Option<Matrix<'a>>,
}

#[derive(Deserialize)]
struct Matrix<'a> {
    #[serde(rename = "resultType")]
    kind: String,
    #[serde(borrow)]
    result: Vec<Found<'a>>,
}

#[derive(Deserialize)]
struct Found<'a> {
    #[serde(rename = "metric")]
    labels: BTreeMap<String, String>,
    #[serde(borrow, default)]
    values: Vec<(f64, Cow<'a, str>)>,
    /// Native histograms, which have no one number.
    #[serde(borrow, default)]
    histograms: Vec<&'a RawValue>,
}

/// The part of an answer that says why a query is refused.
#[derive(Deserialize)]
struct Refusal {
    status: String,
    error: Option<String>,
}

fn refusal(answer: &Answer, spec: &PrometheusSpec) -> Option<SourceError> {
    if answer.status.is_success() {
        return None;
    }
    let refusal: Refusal = serde_json::from_slice(&answer.body).ok()?;
    let error = refusal.error.filter(|_| refusal.status == "error")?;
    Some(refused(&error, spec))
}

fn refused(error: &str, spec: &PrometheusSpec) -> SourceError {
    SourceError::Query {
        origin: "the PromQL query".into(),
        at: None,
        message: printable(&scrub(error, spec.endpoint.secrets())),
    }
}

/// Rows and the names of their series so far.
struct Table {
    columns: Columns,
    /// Each name and the labels it was made of.
    names: HashMap<String, BTreeMap<String, String>>,
}

fn add(
    table: &mut Table,
    body: &[u8],
    names: &SeriesNames<'_>,
) -> Result<Vec<String>, SourceError> {
    let text = rows::text(body, PLACE)?;
    let wrong = |message: &str| rows::decode(PLACE, message);
    let reply: Reply<'_> = serde_json::from_str(text).map_err(|e| wrong(&e.to_string()))?;
    if reply.status != "success" {
        return Err(wrong(&reply.error.unwrap_or_else(|| "it is no success".into())));
    }
    let matrix = reply.data.ok_or_else(|| wrong("it holds no `data`"))?;
    if matrix.kind != "matrix" {
        return Err(wrong(&format!("its result is a {}, not a matrix", matrix.kind)));
    }
    for found in matrix.result {
        let labels: Vec<(&str, &str)> =
            found.labels.iter().map(|(label, value)| (label.as_str(), value.as_str())).collect();
        let name = names.of(&labels)?;
        if !found.histograms.is_empty() {
            return Err(SourceError::NativeHistogram { name: printable(&name) });
        }
        let known = table.names.entry(name.clone()).or_insert_with(|| found.labels.clone());
        if *known != found.labels {
            return Err(SourceError::SameName { name: printable(&name) });
        }
        for (at, value) in found.values {
            table.columns.open_row()?;
            // Milliseconds are all it has; as a float of seconds they come a little off.
            table.columns.put(0, Cell::Int((at * 1e3).round() as i64 * 1_000));
            table.columns.put(1, Cell::Text(&name));
            // `NaN`, `+Inf` and `-Inf` read as what they are.
            table.columns.put(2, value.parse().map_or(Cell::Text(&value), Cell::Float));
            table.columns.close_row();
        }
    }
    Ok([reply.warnings, reply.infos].concat())
}
