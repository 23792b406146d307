//! Models to and from storage: written, read back and verified before anything points at them;
//! read with their checksum, and passed over for the previous version when damaged.

use crate::{
    catalog::models::{self, Damage, ModelRow},
    domain::{BatchName, ModelCard},
    io::{Key, Store, StoreError, WriteMode, json, layout, sha256_hex},
    net::chain,
};

use super::{JobContext, JobError, model_file::Model};

/// A model whose objects are durable and verified, not yet registered.
pub(super) struct Stored {
    pub(super) row: ModelRow,
}

/// Writes a model and its card, reads the model back and compares.
pub(super) async fn store(
    ctx: &JobContext,
    model: &Model,
    bytes: Vec<u8>,
    card: ModelCard,
) -> Result<Stored, JobError> {
    let key = layout::model_key(&card.batch, &card.metric, &card.version);
    let card_key = layout::metadata_key(&card.batch, &card.metric, &card.version);
    ctx.store.put(&key, bytes.into(), WriteMode::CreateOnly).await?;
    let unverified =
        |reason: String| JobError::Unverified { metric: card.metric.to_string(), reason };
    let read = ctx.store.get_verified(&key, &card.sha256, card.size).await;
    let read = read.map_err(|error| unverified(error.to_string()))?;
    let again = Model::decode(&read, &card.batch, &card.metric, &card.version);
    let again = again.map_err(|error| unverified(chain(&error)))?;
    if again != *model {
        return Err(unverified("the file reads back as another model".into()));
    }
    let text = json::encode(&card).map_err(|source| JobError::Encode {
        what: "a model card".into(),
        source: source.into(),
    })?;
    ctx.store.put(&card_key, text.into(), WriteMode::CreateOnly).await?;
    let row = ModelRow {
        batch: card.batch,
        metric: card.metric,
        version: card.version,
        model_key: key.to_string(),
        metadata_key: card_key.to_string(),
        sha256: card.sha256,
        size: card.size,
        trained_at: (ctx.clock)(),
        rows: card.rows,
        detectors: card.detectors.into_iter().map(|detector| detector.tag).collect(),
        state: models::ModelState::Verified,
        reason: None,
        quality: Some(card.quality),
    };
    Ok(Stored { row })
}

/// The model a metric is scored with.
pub(super) struct Loaded {
    pub(super) model: Model,
    /// Whether the current version was damaged and an older one took its place.
    pub(super) is_fallback: bool,
}

/// Reads the current model of a metric. A damaged one is quarantined (its bytes are kept) and the
/// newest older version takes its place; `None` when no version is whole.
pub(super) async fn load(
    ctx: &JobContext,
    batch: &BatchName,
    current: ModelRow,
) -> Result<Option<Loaded>, JobError> {
    let mut candidate = Some(current);
    let mut is_fallback = false;
    while let Some(row) = candidate {
        match read(&ctx.store, batch, &row).await? {
            Ok(model) => return Ok(Some(Loaded { model, is_fallback })),
            Err(reason) => {
                candidate = set_aside(ctx, &row, &reason).await?;
                is_fallback = true;
            }
        }
    }
    Ok(None)
}

/// The model, or why its object is damaged; a store that cannot be reached is an error instead,
/// because that says nothing about the model.
pub(super) async fn read(
    store: &Store,
    batch: &BatchName,
    row: &ModelRow,
) -> Result<Result<Model, String>, JobError> {
    let key = Key::parse(&row.model_key)?;
    let bytes = match store.get_verified(&key, &row.sha256, row.size).await {
        Ok(bytes) => bytes,
        Err(error @ (StoreError::Corrupt { .. } | StoreError::NotFound { .. })) => {
            return Ok(Err(error.to_string()));
        }
        Err(error) => return Err(error.into()),
    };
    Ok(Model::decode(&bytes, batch, &row.metric, &row.version).map_err(|error| chain(&error)))
}

async fn set_aside(
    ctx: &JobContext,
    row: &ModelRow,
    reason: &str,
) -> Result<Option<ModelRow>, JobError> {
    let (batch, metric, version) = (&row.batch, &row.metric, &row.version);
    tracing::error!(%batch, %metric, %version, "model is damaged and set aside: {reason}");
    let key = Key::parse(&row.model_key)?;
    if ctx.store.exists(&key).await? {
        ctx.store.quarantine(&key).await?;
    }
    let mut tx = ctx.catalog.begin().await?;
    let previous = models::quarantine(&mut tx, Damage { batch, metric, version, reason }).await?;
    tx.commit().await?;
    ctx.metrics.model_quarantined(batch);
    Ok(previous)
}

/// Hex SHA-256 over timestamps and values, so that two trainings on the same rows can be told.
pub(super) fn fingerprint(series: &crate::domain::Series) -> String {
    let mut bytes = Vec::with_capacity(series.len() * 16);
    for (at, value) in series.at.iter().zip(&series.value) {
        bytes.extend_from_slice(&at.micros().to_le_bytes());
        bytes.extend_from_slice(&value.to_le_bytes());
    }
    sha256_hex(&bytes)
}
