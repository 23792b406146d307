//! Looking at a source, without a server.

use super::*;
use crate::config::{self, Environment};

fn batch(dir: &std::path::Path, text: &str) -> BatchSpec {
    config::read_batch(dir, "shop", text, &Environment::default()).unwrap()
}

fn at(text: &str) -> Showing {
    Showing { n_rows: 1, since: None, now: Timestamp::parse(text).unwrap() }
}

#[tokio::test]
async fn a_read_is_shown_with_what_would_be_rejected_and_nothing_is_stored() {
    let dir = tempfile::tempdir().unwrap();
    let rows = "ts,metric,value,note\n2026-01-01,a,1,x\n2026-01-01,b,,y\n";
    std::fs::write(dir.path().join("a.csv"), rows).unwrap();
    let batch = batch(dir.path(), "[source]\nkind = \"file\"\npath = \"a.csv\"\n");
    let showing = at("2026-01-02T00:00:00Z");
    let found = look(&batch, &Looker::new().unwrap(), showing).await.unwrap();
    let columns: Vec<String> =
        found.columns.iter().map(|c| format!("{} {}", c.name, c.dtype)).collect();
    assert_eq!(columns, ["ts datetime[μs]", "metric str", "value i64", "note str"]);
    let row = ["2026-01-01 00:00:00", "a", "1", "x"].map(|cell| Some(cell.to_owned()));
    assert_eq!((found.first_rows, found.n_points), (vec![row.to_vec()], 1));
    assert_eq!((found.shape, found.metrics[0].name.as_str()), (Some("long"), "a"));
    let report = found.report.unwrap();
    assert_eq!((report.rows_read, report.rejected.values().sum::<u64>()), (2, 1));
    assert_eq!(report.ignored_columns, ["note"]);
    assert_eq!(found.cost.reads_a_day, 288);
    assert!(!dir.path().join(".anomstack").exists());
}

#[tokio::test]
async fn what_is_wrong_is_said_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let batch = batch(
        dir.path(),
        "timezone = \"Europe/Dublin\"\n[source]\nkind = \"file\"\npath = \"a.csv\"\n",
    );
    let ideas = async |rows: &str| {
        std::fs::write(dir.path().join("a.csv"), rows).unwrap();
        let looker = Looker::new().unwrap();
        look(&batch, &looker, at("2026-01-02T00:00:00Z")).await.unwrap().ideas.join("\n")
    };
    let found = ideas("ts,metric,value\n2026-03-01,a,1\n2025-06-01,a,2\n").await;
    assert!(found.contains("ahead of now") && found.contains("Europe/Dublin"), "{found}");
    assert!(found.contains("days old") && found.contains("a model needs 30"), "{found}");
    let found = ideas("ts,metric,value\n2026-01-01,a,\"1,5\"\nyesterday,a,2\nnow,a,2\n").await;
    assert!(found.contains("no thousands") && found.contains("cannot be read"), "{found}");
    let found = ideas("ts,metric,value\n2026-01-01,a,1\n2026-01-01,a,2\n").await;
    assert!(found.contains("GROUP BY"), "{found}");
    let found = ideas("when,what\n2026-01-01,1\n").await;
    assert!(found.contains("a row needs a time"), "{found}");
    assert!(ideas("ts,metric,value\n").await.contains("no rows"), "{found}");
}
