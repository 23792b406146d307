//! `anomstack source test` of a batch that is pushed to: there is nothing to ask, but rows may wait.

use std::io::Write as _;

use serde_json::json;

use crate::{
    catalog::{Catalog, inbox, inbox::Depth},
    config::Project,
    domain::{BatchSpec, words},
};

use super::{Global, Outcome};

/// Says how many rows wait, and where to send more.
pub(super) async fn show(
    global: &Global,
    project: &Project,
    batch: &BatchSpec,
) -> anyhow::Result<Outcome> {
    let depth = depth(project, batch).await?;
    let api = format!("{}/api/v1/batches/{}", project.system.server.address(), batch.name);
    let mut out = std::io::stdout().lock();
    if global.json {
        let found = json!({
            "batch": batch.name,
            "kind": "push",
            "rows_waiting": depth.rows,
            "bytes_waiting": depth.bytes,
            "oldest": depth.oldest,
        });
        writeln!(out, "{found:#}")?;
        return Ok(Outcome::Done);
    }
    let since = depth.oldest.map_or(String::new(), |oldest| format!(", the first since {oldest}"));
    writeln!(out, "{} rows wait for the next ingest{since}", words::count(depth.rows))?;
    writeln!(out, "rows are sent to    {api}/points (JSON, NDJSON, CSV)")?;
    writeln!(out, "Prometheus writes to {api}/write")?;
    Ok(Outcome::Done)
}

/// Nothing waits where there is no catalog yet, and none is made.
async fn depth(project: &Project, batch: &BatchSpec) -> anyhow::Result<Depth> {
    let path = project.system.storage.root.join("catalog.db");
    if !path.exists() {
        return Ok(Depth::default());
    }
    let catalog = Catalog::open(&path).await?;
    let depth = inbox::depth(&mut *catalog.reader().await?, &batch.name).await?;
    catalog.close().await?;
    Ok(depth)
}
