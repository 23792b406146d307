//! The list of models (the current version of every metric, or every version of one), and what is
//! written about one version.

use std::sync::Arc;

use axum::{extract::State, response::Html};

use super::{
    super::{
        api::{CardAsked, card_asked, models_asked},
        ask::{Asked, Filter},
        failure::Failure,
        pages::filled,
        site::Site,
        view::ModelView,
    },
    PART, Paging, Rest,
};

pub(in crate::http) async fn page(
    State(site): State<Arc<Site>>,
    Asked(filter): Asked<Filter>,
) -> Result<Html<String>, Failure> {
    let (limit, offset) = (filter.part().limit(PART, PART * 4), filter.part().offset());
    let found: Vec<ModelView> = models_asked(&site, &filter).await?;
    let end = offset as usize + limit as usize;
    let rest = if end < found.len() { Rest::More } else { Rest::None };
    let models: Vec<ModelView> =
        found.into_iter().skip(offset as usize).take(limit as usize).collect();
    let paging = Paging {
        newer_text: "Previous",
        older_text: "Next",
        ..Paging::new(offset, limit, rest, |offset| filter.href("/models", offset))
    };
    site.render(
        "models.html",
        filled! {
            page => site.page("Models", "/models"), models, paging,
            batches => site.batch_names(),
            batch => filter.batch()?,
            metric => filter.metric()?.map(|name| name.to_string()).unwrap_or_default(),
        },
    )
}

pub(in crate::http) async fn card(
    State(site): State<Arc<Site>>,
    Asked(asked): Asked<CardAsked>,
) -> Result<Html<String>, Failure> {
    let card = card_asked(&site, &asked).await?;
    let batch = site.batch(&asked.batch)?;
    let page = site.page_of(&format!("Model of {}", asked.metric), "/models", &batch);
    site.render("model.html", filled! { page, card })
}
