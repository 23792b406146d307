//! The `http` source: an address, its parameters, and the pages after the first.

use reqwest::StatusCode;
use url::Url;

use super::{
    document::{self, Reading},
    fetch::{Call, Server, same_host},
    validators::Validators,
};
use crate::{
    compute::Compute,
    domain::{HttpSpec, PageStep, ParamValue, Remembered},
    sources::{Outlet, ReadContext, SourceError, template},
};

/// Reads every page and sends its rows. An answer of one page is asked for only if it has changed
/// since the last read.
pub(in crate::sources) async fn read(
    spec: &HttpSpec,
    ctx: &ReadContext<'_>,
    compute: &Compute,
    out: &mut Outlet,
) -> Result<Remembered, SourceError> {
    let mut server = Server::new(&spec.endpoint, ctx)?;
    let base = with_params(server.url()?, spec, ctx)?;
    let mut next = Some(first_page(spec, &base));
    let (mut n_pages, mut remembered) = (0, Remembered::default());
    while let Some(url) = next {
        if max_pages(spec) <= n_pages {
            return Err(SourceError::TooManyPages { max_pages: max_pages(spec) });
        }
        let known = known_state(spec, ctx, &url);
        let call = match known.clone() {
            Some(validators) => Call::GetUnless(url.clone(), validators),
            None => Call::Get(url.clone()),
        };
        let asked = server.ask(call).await?;
        if known.is_some() && asked.status == StatusCode::NOT_MODIFIED {
            return Ok(ctx.remembered.clone());
        }
        let answer = server.success(asked)?;
        n_pages += 1;
        if is_told_apart(spec, ctx) {
            remembered = answer.validators.clone().noted(&url);
        }
        let reading = Reading {
            spec: spec.clone(),
            next: next_pointer(spec),
            max_rows: out.rows_left(),
            place: format!("page {n_pages} of the answer"),
        };
        let max_rows = ctx.batch.source.max_rows;
        let read = compute.run(move || document::read(answer, &reading)).await?;
        let page = read.map_err(|error| match error {
            SourceError::TooManyRows { .. } => SourceError::TooManyRows { max_rows },
            error => error,
        })?;
        let n_rows = page.frame.height();
        if 0 < n_rows || n_pages == 1 {
            out.send(page.frame).await?;
        }
        next = next_page(spec, &base, &url, (n_pages, n_rows, page.next))?;
    }
    Ok(remembered)
}

/// Whether an unchanged answer means that there is nothing new. Not of several pages, as a later one
/// may change by itself; nor where the bucket that is still filling is left out, as the same rows
/// count once it is full.
const fn is_told_apart(spec: &HttpSpec, ctx: &ReadContext<'_>) -> bool {
    spec.paging.is_none() && !ctx.batch.source.drop_incomplete
}

/// What tells the answer of the last good read from a newer one.
fn known_state(spec: &HttpSpec, ctx: &ReadContext<'_>, url: &Url) -> Option<Validators> {
    Validators::remembered(ctx.remembered, url).filter(|_| is_told_apart(spec, ctx))
}

fn with_params(mut url: Url, spec: &HttpSpec, ctx: &ReadContext<'_>) -> Result<Url, SourceError> {
    for (name, param) in &spec.params {
        let text = match param {
            ParamValue::Bool(value) => value.to_string(),
            ParamValue::Int(value) => value.to_string(),
            ParamValue::Float(value) => value.to_string(),
            ParamValue::Text(text) => {
                let origin = format!("the parameter `{name}`");
                template::render(text, &origin, &spec.params, &ctx.batch.source, ctx)?
            }
        };
        if !text.trim().is_empty() {
            url.query_pairs_mut().append_pair(name, text.trim());
        }
    }
    Ok(url)
}

fn max_pages(spec: &HttpSpec) -> usize {
    spec.paging.as_ref().map_or(1, |paging| paging.max_pages)
}

fn next_pointer(spec: &HttpSpec) -> Option<String> {
    match &spec.paging.as_ref()?.step {
        PageStep::Link { pointer } | PageStep::Cursor { pointer, .. } => Some(pointer.clone()),
        PageStep::Number { .. } => None,
    }
}

fn first_page(spec: &HttpSpec, base: &Url) -> Url {
    match spec.paging.as_ref().map(|paging| &paging.step) {
        Some(PageStep::Number { param, first }) => with_pair(base, param, &first.to_string()),
        Some(PageStep::Link { .. } | PageStep::Cursor { .. }) | None => base.clone(),
    }
}

/// The page after `url`, from how many pages there were and what the newest gave: rows and text.
fn next_page(
    spec: &HttpSpec,
    base: &Url,
    url: &Url,
    (n_pages, n_rows, text): (usize, usize, Option<String>),
) -> Result<Option<Url>, SourceError> {
    let Some(paging) = &spec.paging else { return Ok(None) };
    match (&paging.step, text) {
        (PageStep::Number { .. }, _) if n_rows == 0 => Ok(None),
        (PageStep::Number { param, first }, _) => {
            Ok(Some(with_pair(base, param, &(first + n_pages).to_string())))
        }
        (PageStep::Link { .. } | PageStep::Cursor { .. }, None) => Ok(None),
        (PageStep::Cursor { param, .. }, Some(text)) => Ok(Some(with_pair(base, param, &text))),
        (PageStep::Link { .. }, Some(text)) => {
            let target = url.join(&text).map_err(|_| SourceError::UnknownAddress)?;
            same_host(url, target).map(Some)
        }
    }
}

fn with_pair(base: &Url, name: &str, value: &str) -> Url {
    let mut url = base.clone();
    url.query_pairs_mut().append_pair(name, value);
    url
}
