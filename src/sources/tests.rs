//! Whole reads: what a batch's source gives, in the good case and in the bad ones.

use std::time::Duration;

use polars::prelude::DataFrame;

use super::{intake::intake, *};
use crate::domain::{
    AlertSpec, BatchName, Combine, CommandSpec, FeatureSpec, HistorySpec, Missed, Naming,
    ParamValue, RuleSpec, ScheduleSpec, ScoreSpec, Secret, Span, TrainSpec,
};

const CANARY: &str = "canary-4711";

fn source(kind: SourceKind) -> SourceSpec {
    SourceSpec {
        kind,
        timeout: Span::secs(20),
        lateness: Span::secs(600),
        drop_incomplete: true,
        max_rows: 1_000,
        max_bytes: 1 << 30,
        naming: Naming::default(),
    }
}

pub(super) fn batch(kind: SourceKind) -> BatchSpec {
    let alert = AlertSpec::at(0.9);
    let train = TrainSpec {
        window: Span::days(1),
        min_points: 1,
        max_points: 1,
        exclude: Vec::new(),
        exclude_periods: Vec::new(),
    };
    BatchSpec {
        routes: [].into(),
        explain: None,
        name: BatchName::parse("shop").unwrap(),
        description: String::new(),
        owner: None,
        timezone: chrono_tz::Tz::UTC,
        enabled: true,
        tags: BTreeMap::from([("tier".into(), "1".into())]),
        source: source(kind),
        schedule: ScheduleSpec {
            triggers: BTreeMap::new(),
            missed: Missed::Skip,
            jitter: Span::ZERO,
        },
        history: HistorySpec { retention: Span::days(1) },
        features: FeatureSpec {
            resample: Some(Span::hours(1)),
            aggregate: crate::domain::Aggregate::Mean,
            difference: 0,
            smooth: 0,
            lags: 0,
        },
        holidays: Vec::new(),
        maintenance: Vec::new(),
        train,
        detectors: Vec::new(),
        score: ScoreSpec {
            combine: Combine::Mean,
            window: Span::days(1),
            max_points: 1,
            exclude: Vec::new(),
        },
        alert,
        absence: None,
        rules: RuleSpec::default(),
        metrics: BTreeMap::new(),
        config_hash: String::new(),
        effective: String::new(),
    }
}

pub(super) fn command(script: &str) -> BatchSpec {
    batch(SourceKind::Command(CommandSpec {
        argv: vec!["sh".into(), "-c".into(), script.into()],
        env: BTreeMap::from([("TOKEN".into(), Secret::new(CANARY.into()))]),
        inherit: vec!["PASSED".into()],
        max_bytes: 10_000,
        max_memory: 200 << 20,
        dir: "/".into(),
    }))
}

pub(super) async fn read_at(
    batch: &BatchSpec,
    last: Option<&str>,
) -> Result<DataFrame, SourceError> {
    read_when(batch, Timestamp::parse("2026-01-02T00:00:00Z").unwrap(), last).await
}

pub(super) async fn read_when(
    batch: &BatchSpec,
    now: Timestamp,
    last: Option<&str>,
) -> Result<DataFrame, SourceError> {
    read_noting(batch, (now, last), &Notes::default()).await
}

pub(super) async fn read_noting(
    batch: &BatchSpec,
    (now, last): (Timestamp, Option<&str>),
    notes: &Notes,
) -> Result<DataFrame, SourceError> {
    let read = read_again(batch, (now, last), notes, &Remembered::default()).await;
    read.map(|(frame, _)| frame)
}

pub(super) async fn read_again(
    batch: &BatchSpec,
    (now, last): (Timestamp, Option<&str>),
    notes: &Notes,
    remembered: &Remembered,
) -> Result<(DataFrame, Remembered), SourceError> {
    let environment = BTreeMap::from([
        ("PATH".into(), "/usr/bin:/bin".into()),
        ("INHERITED".into(), "no".to_owned()),
        ("PASSED".into(), "on".to_owned()),
    ]);
    let client = Client::new();
    let ctx = ReadContext {
        remembered,
        client: &client,
        batch,
        now,
        last_timestamp: last.map(|last| Timestamp::parse(last).unwrap()),
        program: Path::new("/bin/echo"),
        environment: &environment,
        notes,
    };
    read_all(&batch.source, &ctx, &Compute::new(1).unwrap()).await
}

/// All frames of a read put together, and what it noted.
pub(super) async fn read_all(
    spec: &SourceSpec,
    ctx: &ReadContext<'_>,
    compute: &Compute,
) -> Result<(DataFrame, Remembered), SourceError> {
    let (outlet, chunks) = channel(spec);
    let read = read(spec, ctx, compute, outlet);
    let (remembered, frames) = tokio::try_join!(read, gather(chunks))?;
    Ok((stack::stack(frames).unwrap(), remembered))
}

/// All frames until the source ends.
pub(super) async fn gather(mut chunks: Chunks) -> Result<Vec<DataFrame>, SourceError> {
    let mut frames = Vec::new();
    while let Some(frame) = chunks.next().await {
        frames.push(frame);
    }
    Ok(frames)
}

async fn read_now(batch: &BatchSpec) -> Result<DataFrame, SourceError> {
    read_at(batch, None).await
}

/// Reads, and fails when that takes half of the batch's own limit.
pub(super) async fn read_soon(batch: &BatchSpec) -> Result<DataFrame, SourceError> {
    tokio::time::timeout(Duration::from_secs(10), read_now(batch)).await.expect("no end in sight")
}

#[track_caller]
fn check_error(read: Result<DataFrame, SourceError>, expected: &str) {
    assert_eq!(read.unwrap_err().to_string(), expected);
}

#[tokio::test]
async fn a_program_s_rows_become_points() {
    let script =
        r#"printf 'timestamp,metric,value\n2026-01-01T00:00:00Z,a,1\n2026-01-01,b,1e999\n'"#;
    let batch = command(script);
    let frame = read_now(&batch).await.unwrap();
    let rules = IntakeRules::of(&batch, Timestamp::parse("2026-01-02").unwrap());
    assert_eq!(rules.drop_incomplete_bucket, Some(Span::hours(1)));
    let intake = intake(&frame, &rules).unwrap();
    assert_eq!(intake.points.len(), 1);
    assert_eq!(intake.report.rejected.values().sum::<u64>(), 1);
}

#[tokio::test]
async fn a_program_gets_its_own_environment_and_no_input() {
    let script = r#"cat; printf 'ts,value\n1,%s\n2,%s\n3,%s\n' "$TOKEN" "$INHERITED$CARGO_MANIFEST_DIR" "$PASSED""#;
    let frame = read_now(&command(script)).await.unwrap();
    let values = frame.column("value").unwrap();
    assert_eq!(values.get(0).unwrap().str_value(), CANARY);
    // What this process passes on deliberately or by accident (the test runner sets the second).
    assert!(values.get(1).unwrap().is_null());
    assert_eq!(values.get(2).unwrap().str_value(), "on");
}

#[tokio::test]
async fn anomstack_as_a_program_is_this_one() {
    let mut batch = command("");
    if let SourceKind::Command(CommandSpec { argv, .. }) = &mut batch.source.kind {
        *argv = vec!["anomstack".into(), "ts,value".into()];
    }
    assert_eq!(read_now(&batch).await.unwrap().shape(), (0, 2));
}

#[tokio::test]
async fn a_program_that_fails_is_quoted_without_its_secrets() {
    let script = r#"echo "no access with $TOKEN" >&2; exit 3"#;
    check_error(
        read_now(&command(script)).await,
        "run `sh`: it ended with code 3 and said: no access with [secret]",
    );
    let mut missing = command("");
    if let SourceKind::Command(CommandSpec { argv, .. }) = &mut missing.source.kind {
        *argv = vec!["/nowhere/program".into(), CANARY.into()];
    }
    let error = read_now(&missing).await.unwrap_err();
    assert_eq!(error.to_string(), "run `/nowhere/program`");
    assert!(!format!("{error:?}").contains(CANARY), "{error:?}");
}

#[tokio::test]
async fn a_program_that_prints_without_end_is_stopped() {
    check_error(
        read_soon(&command("yes 1,2,3,4,5,6,7")).await,
        "read the output of `sh`: more than 10000 bytes",
    );
}

#[tokio::test]
async fn a_page_or_nothing_instead_of_rows_is_an_error_and_an_empty_list_is_not() {
    check_error(
        read_now(&command("echo '<!DOCTYPE html><p>502'")).await,
        "read the output of `sh`: it looks like HTML or XML; it begins with `<!DOCTYPE html><p>502\\n`",
    );
    check_error(
        read_now(&command("true")).await,
        "read the output of `sh`: it is empty, without even a header; it begins with ``",
    );
    assert_eq!(read_now(&command("echo '[]'")).await.unwrap().shape(), (0, 0));
}

#[tokio::test]
async fn queries_see_the_time_less_the_lateness_and_errors_name_their_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("empty.db");
    std::fs::write(&path, "").unwrap();
    let sql = |query: &str| {
        batch(SourceKind::Sql {
            url: Secret::new(format!("sqlite://{}", path.display())),
            query: query.into(),
            query_origin: "metric_batches/shop.sql".into(),
            params: BTreeMap::from([("name".into(), ParamValue::Text("it's".into()))]),
        })
    };
    let seen = sql("SELECT {{ now | sql }} AS ts, {{ last_timestamp | sql }} AS last,
        {{ last_timestamp_unix or 0 }} AS n, {{ batch.name | sql }} AS batch,
        {{ batch.tags.tier | sql }} AS tier, {{ params.name | sql }} AS name");
    let shown = |frame: &DataFrame| -> Vec<String> {
        frame.columns().iter().map(|c| c.get(0).unwrap().str_value().into_owned()).collect()
    };
    let later = read_at(&seen, Some("2026-01-01T00:10:00Z")).await.unwrap();
    assert_eq!(
        shown(&later),
        ["2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z", "1767225600", "shop", "1", "it's"]
    );
    assert_eq!(shown(&read_now(&seen).await.unwrap())[1..3], ["null", "0"]);
    check_error(
        read_now(&sql("SELECT 1\nWHERE {{ oops }}")).await,
        "render metric_batches/shop.sql, line 2: undefined value: `oops` is undefined",
    );
}
