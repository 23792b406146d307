//! Bodies of every form, whole and broken, and what becomes durable of them.

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};
use proptest::prelude::*;
use prost::Message;
use tokio::task::JoinSet;

use super::*;
use crate::{
    catalog::push_answers,
    config::{self, Environment},
    domain::{InboxSpec, SourceKind, WebFormat},
    io::{Key, parquet},
};

#[derive(Clone, PartialEq, Message)]
struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    timeseries: Vec<TimeSeries>,
}

#[derive(Clone, PartialEq, Message)]
struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Sample>,
}

#[derive(Clone, PartialEq, Message)]
struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct Sample {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(int64, tag = "2")]
    timestamp: i64,
}

/// 2026-01-01T00:00:00Z in milliseconds.
const NEW_YEAR: i64 = 1_767_225_600_000;

fn now() -> Timestamp {
    Timestamp::parse("2026-01-02T00:00:00Z").unwrap()
}

fn series(labels: &[(&str, &str)], samples: &[(i64, f64)]) -> TimeSeries {
    let label =
        |(name, value): &(&str, &str)| Label { name: (*name).into(), value: (*value).into() };
    let sample = |(timestamp, value): &(i64, f64)| Sample { value: *value, timestamp: *timestamp };
    TimeSeries {
        labels: labels.iter().map(label).collect(),
        samples: samples.iter().map(sample).collect(),
    }
}

fn snappy(bytes: &[u8]) -> Bytes {
    snap::raw::Encoder::new().compress_vec(bytes).unwrap().into()
}

fn request(timeseries: Vec<TimeSeries>) -> Letter {
    let body = snappy(&WriteRequest { timeseries }.encode_to_vec());
    Letter { body, coding: Coding::Snappy, form: Form::RemoteWrite, key: None }
}

fn rows(format: WebFormat, text: &str) -> Letter {
    let body = Bytes::copy_from_slice(text.as_bytes());
    Letter { body, coding: Coding::Identity, form: Form::Rows(format), key: None }
}

/// A batch with an inbox, and the clerk at work.
struct Fixture {
    inbox: Inbox,
    batch: BatchSpec,
    spec: PushSpec,
    catalog: Catalog,
    store: Store,
    _clerk: JoinSet<()>,
    _dir: tempfile::TempDir,
}

async fn fixture(source: &str) -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("metric_batches")).unwrap();
    let text = format!("[source]\nkind = \"push\"\n{source}\n");
    std::fs::write(dir.path().join("metric_batches/shop.toml"), text).unwrap();
    let project = config::load(dir.path(), &Environment::from_pairs([])).unwrap();
    let batch = project.batches[0].clone();
    let SourceKind::Push(spec) = batch.source.kind.clone() else { panic!("{:?}", batch.source) };
    let catalog = Catalog::open(&dir.path().join("catalog.db")).await.unwrap();
    let store = Store::memory();
    let parts = (catalog.clone(), store.clone(), Compute::new(2).unwrap());
    let (inbox, clerk) = open(parts, now);
    let mut tasks = JoinSet::new();
    tasks.spawn(clerk.work());
    Fixture { inbox, batch, spec, catalog, store, _clerk: tasks, _dir: dir }
}

impl Fixture {
    async fn push(&self, letter: Letter) -> Result<Receipt, Refusal> {
        self.inbox.accept(&self.batch, &self.spec, letter).await
    }

    async fn refusal(&self, letter: Letter) -> String {
        self.push(letter).await.unwrap_err().to_string()
    }

    /// The waiting rows, one text each, in the order they came.
    async fn waiting(&self) -> Vec<String> {
        let mut reader = self.catalog.reader().await.unwrap();
        let arrivals = inbox::waiting(&mut reader, &self.batch.name, u64::MAX).await.unwrap();
        let mut rows = Vec::new();
        for arrival in arrivals {
            let key = Key::parse(&arrival.key).unwrap();
            let bytes = self.store.get_verified(&key, &arrival.sha256, arrival.size).await.unwrap();
            let frame = parquet::decode(bytes).unwrap();
            assert_eq!(frame.height() as u64, arrival.n_rows);
            for row in 0..frame.height() {
                let cells = frame.columns().iter().map(|c| c.get(row).unwrap());
                let cells: Vec<String> = cells.map(|c| c.str_value().into_owned()).collect();
                rows.push(cells.join(" "));
            }
        }
        rows
    }
}

#[tokio::test]
async fn good_rows_are_durable_and_bad_ones_are_told() {
    let fixture = fixture("").await;
    let text = "[{\"ts\":\"2026-01-01\",\"metric\":\"a\",\"value\":1},
                 {\"ts\":\"2026-01-01\",\"metric\":\"b\",\"value\":\"x\"},
                 {\"ts\":\"2027-01-01\",\"metric\":\"a\",\"value\":2}]";
    let receipt = fixture.push(rows(WebFormat::Json, text)).await.unwrap();
    assert_eq!(receipt.accepted, 1);
    let reasons: Vec<(&str, u64)> =
        receipt.rejected.iter().map(|(reason, n)| (reason.as_str(), *n)).collect();
    assert_eq!(reasons, [("not_numeric", 1), ("future", 1)]);
    assert_eq!(fixture.waiting().await, ["a 2026-01-01 00:00:00 UTC 1.0"]);
}

#[tokio::test]
async fn every_form_and_packing_gives_the_same_rows() {
    let csv = "ts,metric,value\n2026-01-01,a,1\n";
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(csv.as_bytes()).unwrap();
    let mut framed = snap::write::FrameEncoder::new(Vec::new());
    framed.write_all(csv.as_bytes()).unwrap();
    let packed =
        |body: Vec<u8>, coding| Letter { body: body.into(), coding, ..rows(WebFormat::Csv, "") };
    let zstd = zstd::encode_all(csv.as_bytes(), 1).unwrap();
    let letters = [
        rows(WebFormat::Csv, csv),
        rows(WebFormat::Ndjson, "{\"ts\":\"2026-01-01\",\"metric\":\"a\",\"value\":1}\n"),
        rows(WebFormat::Json, "{\"ts\":\"2026-01-01\",\"a\":1}"),
        packed(gzip.finish().unwrap(), Coding::Gzip),
        packed(zstd, Coding::Zstd),
        packed(snappy(csv.as_bytes()).to_vec(), Coding::Snappy),
        packed(framed.into_inner().unwrap(), Coding::Snappy),
        request(vec![series(&[("__name__", "a")], &[(NEW_YEAR, 1.0)])]),
    ];
    for letter in letters {
        let fixture = fixture("").await;
        let shown = format!("{:?} {:?}", letter.form, letter.coding);
        assert_eq!(fixture.push(letter).await.unwrap().accepted, 1, "{shown}");
        assert_eq!(fixture.waiting().await, ["a 2026-01-01 00:00:00 UTC 1.0"], "{shown}");
    }
}

#[tokio::test]
async fn samples_are_named_by_their_labels_and_marks_of_the_end_are_passed_over() {
    let fixture = fixture("name = \"{{ __name__ }}/{{ job }}\"").await;
    let stale = f64::from_bits(0x7ff0_0000_0000_0002);
    let sent = request(vec![
        series(&[("job", "x"), ("__name__", "up")], &[(NEW_YEAR, 1.0), (NEW_YEAR + 1, stale)]),
        series(&[("job", "y"), ("__name__", "up")], &[(NEW_YEAR, f64::NAN), (NEW_YEAR + 1, 0.5)]),
    ]);
    let receipt = fixture.push(sent).await.unwrap();
    assert_eq!(receipt.accepted, 2);
    assert_eq!(receipt.rejected, BTreeMap::from([(RejectReason::NotANumber, 1)]));
    assert!(!receipt.has_faults());
    let expected = ["up/x 2026-01-01 00:00:00 UTC 1.0", "up/y 2026-01-01 00:00:00.001 UTC 0.5"];
    assert_eq!(fixture.waiting().await, expected);
}

#[tokio::test]
async fn a_key_stores_its_body_once_and_no_other() {
    let fixture = fixture("").await;
    let letter = |value: u8| Letter {
        key: Some("k1".into()),
        ..rows(WebFormat::Csv, &format!("ts,metric,value\n2026-01-01,a,{value}\n2026-01-01,b,x\n"))
    };
    let first = fixture.push(letter(1)).await.unwrap();
    assert_eq!(fixture.push(letter(1)).await.unwrap(), first);
    assert!(matches!(fixture.push(letter(2)).await, Err(Refusal::KeyTaken)));
    assert_eq!(fixture.waiting().await.len(), 1);

    let mut tx = fixture.catalog.begin().await.unwrap();
    push_answers::forget_before(&mut tx, now() + crate::domain::Span::secs(1)).await.unwrap();
    tx.commit().await.unwrap();
    fixture.push(letter(2)).await.unwrap();
    assert_eq!(fixture.waiting().await.len(), 2);
}

#[tokio::test]
async fn bodies_that_come_together_are_stored_together_each_under_its_key_once() {
    let fixture = fixture("").await;
    let letters = (0..64).map(|n| Letter {
        key: Some(format!("k{}", n % 32)),
        ..rows(WebFormat::Csv, &format!("ts,metric,value\n2026-01-01,m{},1\n", n % 32))
    });
    let answers = futures::future::join_all(letters.map(|letter| fixture.push(letter))).await;
    assert!(answers.into_iter().all(|answer| answer.unwrap().accepted == 1));
    assert_eq!(fixture.waiting().await.len(), 32);
    let mut reader = fixture.catalog.reader().await.unwrap();
    let n_objects = inbox::known_keys(&mut reader).await.unwrap().len();
    assert!(n_objects < 32, "{n_objects} objects");
}

#[tokio::test]
async fn a_full_inbox_takes_no_more() {
    let fixture = fixture("inbox = { rows = 2 }").await;
    let (name, spec) = (&fixture.batch.name, &fixture.spec);
    assert_eq!(fixture.inbox.admit(name, spec).await.unwrap(), Depth::default());
    let csv = "ts,metric,value\n2026-01-01,a,1\n2026-01-01,b,1\n";
    fixture.push(rows(WebFormat::Csv, csv)).await.unwrap();
    let refused = fixture.inbox.admit(name, spec).await.unwrap_err().to_string();
    assert_eq!(refused, "the inbox of `shop` is full: 2 rows wait; try again later");
    let small = InboxSpec { rows: 9, bytes: 1, age: crate::domain::Span::days(1) };
    let small = PushSpec { inbox: small, ..spec.clone() };
    assert!(matches!(fixture.inbox.admit(name, &small).await, Err(Refusal::Full(_))));
}

#[tokio::test]
async fn what_is_broken_is_refused_as_a_whole() {
    let fixture = fixture("max_body = \"1MiB\"").await;
    let bomb = Bytes::from(vec![0_u8; 8 << 20]);
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(&bomb).unwrap();
    let packed = |body: Bytes, coding| Letter { body, coding, ..rows(WebFormat::Csv, "") };
    for letter in [
        packed(gzip.finish().unwrap().into(), Coding::Gzip),
        packed(zstd::encode_all(bomb.as_ref(), 1).unwrap().into(), Coding::Zstd),
        packed(snappy(&bomb), Coding::Snappy),
        packed(bomb, Coding::Identity),
    ] {
        let shown = format!("{:?}", letter.coding);
        assert!(matches!(fixture.push(letter).await, Err(Refusal::TooLarge(_))), "{shown}");
    }
    let whole = request(vec![series(&[("__name__", "a")], &[(NEW_YEAR, 1.0)])]).body;
    let unpacked = snap::raw::Decoder::new().decompress_vec(&whole).unwrap();
    let labels = vec![("l", "v"); 300];
    for body in [
        whole.slice(..whole.len() - 3),
        Bytes::from_static(b"\xff\xff\xff\xff\xff\xff"),
        snappy(&unpacked[..unpacked.len() - 1]),
        snappy(b"hello world, this is no protobuf"),
        request(vec![series(&labels, &[(NEW_YEAR, 1.0)])]).body,
    ] {
        let letter = Letter { body, ..request(Vec::new()) };
        let refused = fixture.push(letter.clone()).await;
        assert!(matches!(refused, Err(Refusal::Malformed(_))), "{:?}", letter.body);
    }
    for (format, text) in [
        (WebFormat::Json, "[{\"ts\":1},"),
        (WebFormat::Json, "<html>"),
        (WebFormat::Csv, ""),
        (WebFormat::Csv, "a,b\n1,2\n"),
        (WebFormat::Ndjson, "{\"ts\":\"2026-01-01\"}\nnope"),
    ] {
        let refused = fixture.push(rows(format, text)).await;
        assert!(matches!(refused, Err(Refusal::Malformed(_))), "{text}");
    }
    let deep = format!("[{}", "[".repeat(100_000));
    let said = fixture.refusal(rows(WebFormat::Json, &deep)).await;
    assert!(said.starts_with("read the body: "), "{said}");
    assert_eq!(fixture.waiting().await, [""; 0]);
}

#[tokio::test]
async fn empty_elements_cost_no_more_than_their_bytes() {
    let fixture = fixture("").await;
    // Sixteen million series without anything, and a million samples of nothing and one more.
    let hollow = snappy(&b"\x0a\x00".repeat(16_000_000));
    let letter = Letter { body: hollow, ..request(Vec::new()) };
    assert_eq!(fixture.push(letter).await.unwrap(), Receipt::default());
    let samples = vec![(0, 0.0); body::MAX_ROWS + 1];
    let letter = request(vec![series(&[("__name__", "a")], &samples)]);
    assert!(matches!(fixture.push(letter).await, Err(Refusal::TooLarge(_))));
}

#[tokio::test]
async fn a_small_body_makes_no_great_table() {
    let fixture = fixture("").await;
    let keys: Vec<String> = (0..4_000).map(|n| format!("\"m{n}\":1")).collect();
    let wide = |n_empty| {
        let empty = ",{}".repeat(n_empty);
        format!("[{{\"ts\":\"2026-01-01\",{}}}{empty}]", keys.join(","))
    };
    assert_eq!(fixture.push(rows(WebFormat::Json, &wide(0))).await.unwrap().accepted, 4_000);
    let lines = wide(2_000).replace("},{", "}\n{");
    for letter in [
        rows(WebFormat::Json, &wide(2_000)),
        rows(WebFormat::Ndjson, lines.trim_matches(['[', ']'])),
        rows(WebFormat::Csv, &format!("ts{}{}", ",".repeat(4_000), "\n1".repeat(2_000))),
    ] {
        let shown = format!("{:?}", letter.form);
        let refused = fixture.push(letter).await;
        assert!(matches!(refused, Err(Refusal::TooLarge(_))), "{shown}: {refused:?}");
    }
}

#[tokio::test]
async fn a_wide_body_has_no_more_observations_than_a_long_one() {
    let fixture = fixture("").await;
    let names: Vec<String> = (0..100).map(|n| format!("m{n}")).collect();
    let line = |n: usize| format!("{}{}\n", 1_767_225_600 + n, ",1".repeat(100));
    let most = body::MAX_ROWS / 100;
    let lines: String = (0..=most).map(line).collect();
    let csv = format!("ts,{}\n{lines}", names.join(","));
    let refused = fixture.push(rows(WebFormat::Csv, &csv)).await;
    assert!(matches!(refused, Err(Refusal::TooLarge(_))), "{refused:?}");
}

#[tokio::test]
async fn names_of_columns_do_not_concern_samples() {
    let fixture = fixture("columns = { value = \"amount\" }\nrename = { a = \"b\" }").await;
    let sent = request(vec![series(&[("__name__", "a")], &[(NEW_YEAR, 1.0)])]);
    assert_eq!(fixture.push(sent).await.unwrap().accepted, 1);
    assert_eq!(fixture.waiting().await, ["b 2026-01-01 00:00:00 UTC 1.0"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_bytes_are_too_strange(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        form in 0_usize..4,
        coding in 0_usize..5,
    ) {
        let form = [
            Form::RemoteWrite,
            Form::Rows(WebFormat::Json),
            Form::Rows(WebFormat::Csv),
            Form::Rows(WebFormat::Ndjson),
        ][form];
        let (body, coding) = match coding {
            0 => (bytes.into(), Coding::Identity),
            1 => (bytes.into(), Coding::Gzip),
            2 => (bytes.into(), Coding::Zstd),
            3 => (bytes.into(), Coding::Snappy),
            _ => (snappy(&bytes), Coding::Snappy),
        };
        let batch = BatchName::parse("shop").unwrap();
        let limits = body::Limits { max_bytes: 1 << 16, naming: None, batch: &batch };
        let letter = Letter { body, coding, form, key: None };
        drop(body::read(letter, &limits));
    }

    #[test]
    fn a_request_with_one_byte_changed_is_read_or_refused(at in 0_usize..1_000, to in any::<u8>()) {
        let labels = [("__name__", "http_requests_total"), ("code", "200")];
        let samples = [(NEW_YEAR, 1.0), (NEW_YEAR + 1_000, -0.5)];
        let timeseries = vec![series(&labels, &samples), series(&labels[..1], &samples)];
        let mut bytes = WriteRequest { timeseries }.encode_to_vec();
        let at = at % bytes.len();
        bytes[at] = to;
        let batch = BatchName::parse("shop").unwrap();
        let limits = body::Limits { max_bytes: 1 << 16, naming: None, batch: &batch };
        let letter = Letter { body: snappy(&bytes), ..request(Vec::new()) };
        let n_rows = body::read(letter, &limits).map_or(0, |frame| frame.height());
        prop_assert!(n_rows <= 4);
    }
}
