//! The `http` source: an address, its parameters, and the pages after the first.

use polars::prelude::DataFrame;
use url::Url;

use super::{
    document::{self, Reading},
    fetch::{Call, Server, same_host},
};
use crate::{
    compute::Compute,
    domain::{HttpSpec, PageStep, ParamValue},
    sources::{ReadContext, SourceError, stack::stack, template},
};

/// Reads every page.
pub(in crate::sources) async fn read(
    spec: &HttpSpec,
    ctx: &ReadContext<'_>,
    compute: &Compute,
) -> Result<DataFrame, SourceError> {
    let mut server = Server::new(&spec.endpoint, ctx);
    let base = with_params(server.url()?, spec, ctx)?;
    let max_rows = ctx.batch.source.max_rows;
    let (mut frames, mut n_rows) = (Vec::new(), 0);
    let mut next = Some(first_page(spec, &base));
    while let Some(url) = next {
        if max_pages(spec) <= frames.len() {
            return Err(SourceError::TooManyPages { max_pages: max_pages(spec) });
        }
        let asked = server.ask(Call::Get(url.clone())).await?;
        let answer = server.success(asked)?;
        let reading = Reading {
            spec: spec.clone(),
            next: next_pointer(spec),
            max_rows: max_rows - n_rows,
            place: format!("page {} of the answer", frames.len() + 1),
        };
        let read = compute.run(move || document::read(answer, &reading)).await?;
        let page = read.map_err(|error| match error {
            SourceError::TooManyRows { .. } => SourceError::TooManyRows { max_rows },
            error => error,
        })?;
        n_rows += page.frame.height();
        let n_new = page.frame.height();
        frames.push(page.frame);
        next = next_page(spec, &base, &url, (frames.len(), n_new, page.next))?;
    }
    stack(frames)
        .map_err(|e| SourceError::Decode { place: "the answer".into(), message: e.to_string() })
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
