//! One generated series, read through every kind of source, gives the same points.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

use polars::prelude::{
    DataFrame, IntoColumn, IpcWriter, NamedFrom, ParquetWriter, SerWriter, Series,
};
use sqlx::{AssertSqlSafe, Connection, sqlite::SqliteConnectOptions};
use tokio::net::TcpListener;

use super::{
    IntakeRules,
    file::tests::arrow_stream,
    intake::intake,
    servers,
    tests::{batch, read_when},
    unpack::tests::{Packer, bzip2, gzip, zstandard},
    web::testing::{endpoint, ok, serve},
};
use crate::domain::{
    AdbcSpec, CommandSpec, FileSpec, HttpSpec, Location, MetricName, PageStep, Paging, Point,
    PrometheusSpec, RowsAt, Secret, SourceKind, Span, Timestamp, WebFormat,
};

const PACKERS: [(&str, Packer); 3] = [("gz", gzip), ("zst", zstandard), ("bz2", bzip2)];
const N_STEPS: i64 = 40;
const STEP: Span = Span::secs(60);

fn now() -> Timestamp {
    Timestamp::parse("2026-01-02T00:00:00Z").unwrap()
}

/// Numbers that lose something in a careless text or a narrower type.
fn series() -> Vec<Point> {
    let at = |n: i64| now() - Span::secs(60 * (N_STEPS - n));
    let value = |m: i64, n: i64| match m {
        0 => 0.1 * n as f64 + 0.2,
        1 => 1e-7 / (n + 1) as f64,
        _ => -123_456_789.125 * n as f64 * 1e6,
    };
    let names = ["a", "it's 100% é", "c{x=\"1\"}"];
    let mut points: Vec<Point> = (names.iter().zip(0_i64..))
        .flat_map(|(name, m)| {
            let metric = MetricName::parse(name).unwrap();
            (0..N_STEPS).map(move |n| (metric.clone(), m, n))
        })
        .map(|(metric, m, n)| Point { metric, at: at(n), value: value(m, n) })
        .collect();
    points.sort_by(|a, b| (&a.metric, a.at).cmp(&(&b.metric, b.at)));
    points
}

/// What intake makes of the source's rows.
async fn points_of(kind: SourceKind) -> Vec<Point> {
    let (name, batch) = (kind.as_str(), batch(kind));
    let frame = read_when(&batch, now(), None).await.unwrap_or_else(|e| panic!("{name}: {e}"));
    let intake = intake(&frame, &IntakeRules { drop_incomplete_bucket: None, ..rules(&batch) });
    let intake = intake.unwrap();
    assert!(intake.report.rejected.is_empty(), "{name}: {:?}", intake.report);
    intake.points
}

fn rules(batch: &crate::domain::BatchSpec) -> IntakeRules {
    IntakeRules::of(batch, now())
}

async fn check(kind: SourceKind) {
    let name = kind.as_str();
    assert_eq!(points_of(kind).await, series(), "{name}");
}

fn separated(by: char) -> String {
    let mut text = format!("timestamp{by}metric{by}value\n");
    for point in series() {
        let metric = point.metric.as_str().replace('"', "\"\"");
        writeln!(text, "{}{by}\"{metric}\"{by}{:?}", point.at, point.value).unwrap();
    }
    text
}

fn json_rows() -> Vec<String> {
    let row = |p: &Point| {
        let metric = serde_json::to_string(p.metric.as_str()).unwrap();
        format!(r#"{{"timestamp":"{}","metric":{metric},"value":{:?}}}"#, p.at, p.value)
    };
    series().iter().map(row).collect()
}

#[tokio::test]
async fn files_of_every_format_agree() {
    let dir = tempfile::tempdir().unwrap();
    let file =
        |name: &str| SourceKind::File(FileSpec::at(vec![Location::Local(dir.path().join(name))]));
    fs::write(dir.path().join("a.csv"), separated(',')).unwrap();
    fs::write(dir.path().join("a.tsv"), separated('\t')).unwrap();
    fs::write(dir.path().join("a.json"), format!("[{}]", json_rows().join(","))).unwrap();
    fs::write(dir.path().join("a.ndjson"), json_rows().join("\n")).unwrap();
    let points = series();
    let micros: Vec<i64> = points.iter().map(|p| p.at.micros()).collect();
    let names: Vec<&str> = points.iter().map(|p| p.metric.as_str()).collect();
    let values: Vec<f64> = points.iter().map(|p| p.value).collect();
    let columns = vec![
        Series::new("timestamp".into(), micros).into_column(),
        Series::new("metric".into(), names).into_column(),
        Series::new("value".into(), values).into_column(),
    ];
    let mut frame = DataFrame::new(points.len(), columns).unwrap();
    let create = |name: &str| fs::File::create(dir.path().join(name)).unwrap();
    ParquetWriter::new(create("a.parquet")).finish(&mut frame).unwrap();
    IpcWriter::new(create("a.arrow")).finish(&mut frame).unwrap();
    fs::write(dir.path().join("a.arrows"), arrow_stream(&frame)).unwrap();
    for name in ["a.csv", "a.tsv", "a.json", "a.ndjson", "a.parquet", "a.arrow", "a.arrows"] {
        assert_eq!(points_of(file(name)).await, points, "{name}");
        let bytes = fs::read(dir.path().join(name)).unwrap();
        for (ending, packed) in PACKERS {
            let packed_name = format!("{name}.{ending}");
            fs::write(dir.path().join(&packed_name), packed(&bytes)).unwrap();
            assert_eq!(points_of(file(&packed_name)).await, points, "{packed_name}");
        }
    }
}

#[tokio::test]
async fn a_program_s_output_agrees() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.csv"), separated(',')).unwrap();
    check(SourceKind::Command(CommandSpec {
        argv: vec!["cat".into(), "a.csv".into()],
        env: BTreeMap::new(),
        inherit: Vec::new(),
        max_bytes: 1 << 20,
        max_memory: 1 << 30,
        dir: dir.path().to_owned(),
    }))
    .await;
}

/// The series as one query; `real` is the database's type of a 64-bit float.
fn query(real: &str) -> String {
    let rows = series().into_iter().map(|p| {
        let metric = p.metric.as_str().replace('\'', "''");
        let at = p.at;
        format!(
            "SELECT '{at}' AS timestamp, '{metric}' AS metric, CAST({:?} AS {real}) AS value",
            p.value
        )
    });
    rows.collect::<Vec<_>>().join("\nUNION ALL ")
}

fn sql(url: String, query: String) -> SourceKind {
    let url = Secret::new(url);
    SourceKind::Sql { url, query, query_origin: "it".into(), params: BTreeMap::new() }
}

async fn sqlite(dir: &Path) -> String {
    let path = dir.join("shop.db");
    let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let mut connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
    let fill = format!("CREATE TABLE points AS {}", query("REAL"));
    sqlx::raw_sql(AssertSqlSafe(fill)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    format!("sqlite://{}", path.display())
}

#[tokio::test]
async fn databases_agree() {
    let dir = tempfile::tempdir().unwrap();
    check(sql(sqlite(dir.path()).await, "SELECT * FROM points".into())).await;
    for (name, real) in [
        ("ANOMSTACK_TEST_POSTGRES_URL", "double precision"),
        ("ANOMSTACK_TEST_MYSQL_URL", "DOUBLE"),
    ] {
        if let Some(url) = servers::url(name) {
            check(sql(url, query(real))).await;
        }
    }
}

#[tokio::test]
async fn a_driver_s_rows_agree() {
    let Some(folder) = option_env!("ANOMSTACK_TEST_ADBC_DIR") else {
        eprintln!("not compared: ANOMSTACK_TEST_ADBC_DIR is not set");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    sqlite(dir.path()).await;
    check(SourceKind::Adbc(AdbcSpec {
        driver: format!("{folder}/libadbc_driver_sqlite.so"),
        entrypoint: None,
        uri: Some(Secret::new(dir.path().join("shop.db").display().to_string())),
        options: BTreeMap::new(),
        query: "SELECT * FROM points".into(),
        query_origin: "it".into(),
        params: BTreeMap::new(),
    }))
    .await;
}

#[tokio::test]
async fn answers_over_http_agree() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let http = HttpSpec {
        endpoint: endpoint(format!("http://{}/rows", listener.local_addr().unwrap())),
        params: BTreeMap::new(),
        format: Some(WebFormat::Json),
        rows: RowsAt::Pointer("/rows".into()),
        columns: BTreeMap::new(),
        paging: Some(Paging { step: PageStep::Link { pointer: "/next".into() }, max_pages: 2 }),
    };
    let rows = json_rows();
    let (first, second) = rows.split_at(rows.len() / 3);
    let answer = |request: &str| match request.contains("GET /rows?p=2") {
        true => ok("application/json", format!(r#"{{"rows":[{}]}}"#, second.join(","))),
        false => {
            let rows = first.join(",");
            ok("application/json", format!(r#"{{"rows":[{rows}],"next":"?p=2"}}"#))
        }
    };
    tokio::select! {
        () = check(SourceKind::Http(http)) => (),
        () = serve(listener, answer) => unreachable!(),
    }
}

#[tokio::test]
async fn prometheus_s_answers_agree() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let spec = PrometheusSpec {
        endpoint: endpoint(format!("http://{}", listener.local_addr().unwrap())),
        query: "m".into(),
        step: STEP,
        offset: Span::ZERO,
        lookback: Span::secs(60 * N_STEPS),
        name: Some("{{ shown }}".into()),
        tenant: None,
    };
    let points = series();
    let found = points.chunk_by(|a, b| a.metric == b.metric).map(|points| {
        let metric = serde_json::to_string(points[0].metric.as_str()).unwrap();
        let value = |p: &Point| format!(r#"[{},"{:?}"]"#, p.at.secs(), p.value);
        let values = points.iter().map(value).collect::<Vec<_>>().join(",");
        format!(r#"{{"metric":{{"__name__":"m","shown":{metric}}},"values":[{values}]}}"#)
    });
    let found = found.collect::<Vec<_>>().join(",");
    let body =
        format!(r#"{{"status":"success","data":{{"resultType":"matrix","result":[{found}]}}}}"#);
    tokio::select! {
        () = check(SourceKind::Prometheus(spec)) => (),
        () = serve(listener, |_| ok("application/json", &body)) => unreachable!(),
    }
}
