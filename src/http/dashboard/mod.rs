//! The pages for people, one file a kind. Each gathers what it shows and fills a template in.

mod alerts;
mod batch;
mod metric;
mod models;
mod overview;
mod runs;

pub(super) use alerts::{around, one as alert, page as alerts};
pub(super) use batch::page as batch;
pub(super) use metric::{Drawn, by_query as metric_by_query, page as metric};
pub(super) use models::{card as model_card, page as models};
pub(super) use overview::{batch_view, batch_views, page as overview};
pub(super) use runs::{one as run, page as runs};

use serde::Serialize;

/// Items of a list page.
const PART: u32 = 50;

/// Links to the neighbouring parts of a list.
#[derive(Debug, Serialize)]
struct Paging {
    newer: Option<String>,
    newer_text: &'static str,
    older: Option<String>,
    older_text: &'static str,
}

impl Paging {
    /// For a list that starts at `offset`; `href` makes the address of another part.
    fn new(offset: u32, limit: u32, rest: Rest, href: impl Fn(u32) -> String) -> Self {
        Self {
            newer: (0 < offset).then(|| href(offset.saturating_sub(limit))),
            newer_text: "Newer",
            older: (rest == Rest::More).then(|| href(offset.saturating_add(limit))),
            older_text: "Older",
        }
    }
}

/// Whether a list goes on behind the part that is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    None,
    More,
}

/// Cuts a list that was read one item longer than shown.
pub(super) fn cut<T>(items: &mut Vec<T>, limit: u32) -> Rest {
    let limit = limit as usize;
    let rest = if limit < items.len() { Rest::More } else { Rest::None };
    items.truncate(limit);
    rest
}

/// One of the time ranges offered on a page.
#[derive(Debug, Serialize)]
struct RangeLink {
    name: &'static str,
    href: String,
    chosen: bool,
}

/// Links to time ranges; `rest` is the remainder of the query, from `&` on.
fn range_links(names: &[&'static str], chosen: Option<&str>, rest: &str) -> Vec<RangeLink> {
    let link = |name: &&'static str| RangeLink {
        name,
        href: format!("?range={name}{rest}"),
        chosen: chosen == Some(*name),
    };
    names.iter().map(link).collect()
}
