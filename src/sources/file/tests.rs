//! Files on this machine: formats, globs, what is read again, and what is refused.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use polars::prelude::{
    CompatLevel, DataFrame, DataType, IntoColumn, IpcCompression, IpcWriter, NamedFrom,
    ParquetWriter, SchemaExt, SerWriter, Series, TimeUnit,
};
use polars_arrow::io::ipc::write::{StreamWriter, WriteOptions};

use super::*;
use crate::{
    domain::{BatchSpec, FileQuery, Location, SourceKind},
    net::Client,
    sources::{
        Notes,
        tests::{batch, read_all},
        unpack::tests::{bzip2, gzip, zstandard},
    },
};

const NOW: &str = "2026-01-02T00:00:00Z";

fn write(dir: &Path, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = dir.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, bytes).unwrap();
    path
}

pub(super) fn cells(frame: &DataFrame) -> Vec<String> {
    let row = |row| {
        let cells = frame.columns().iter().map(|c| c.get(row).unwrap().str_value().into_owned());
        cells.collect::<Vec<_>>().join(",")
    };
    (0..frame.height()).map(row).collect()
}

fn at(paths: &[PathBuf]) -> FileSpec {
    FileSpec::at(paths.iter().map(|path| Location::Local(path.clone())).collect())
}

fn of(spec: FileSpec) -> BatchSpec {
    let mut batch = batch(SourceKind::File(spec));
    batch.source.drop_incomplete = false;
    batch
}

/// Reads with what is remembered, at an instant.
pub(super) async fn read_on(
    batch: &BatchSpec,
    remembered: &Remembered,
    now: &str,
) -> Result<(DataFrame, Remembered), SourceError> {
    read_noting(batch, remembered, now, &Notes::default()).await
}

async fn read_noting(
    batch: &BatchSpec,
    remembered: &Remembered,
    now: &str,
    notes: &Notes,
) -> Result<(DataFrame, Remembered), SourceError> {
    let ctx = ReadContext {
        batch,
        now: Timestamp::parse(now).unwrap(),
        last_timestamp: None,
        remembered,
        notes,
        client: &Client::new(),
        program: Path::new("/bin/echo"),
        environment: &BTreeMap::new(),
    };
    read_all(&batch.source, &ctx, &Compute::new(1).unwrap()).await
}

async fn read_new(spec: FileSpec) -> Result<DataFrame, SourceError> {
    read_on(&of(spec), &Remembered::default(), NOW).await.map(|(frame, _)| frame)
}

#[tokio::test]
async fn a_glob_reads_its_files_in_the_order_of_their_names_and_a_list_in_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let b = write(dir.path(), "in/b.csv", "ts,value\n2,20\n");
    let a = write(dir.path(), "in/a.csv", "ts,value\n1,10\n");
    write(dir.path(), "in/c.txt", "ts,value\n3,30\n");
    write(dir.path(), "in/deep/d.csv", "value,ts,more\n40,4,x\n");
    let glob = |glob: &str| at(&[dir.path().join(glob)]);
    assert_eq!(cells(&read_new(glob("in/*.csv")).await.unwrap()), ["1,10", "2,20"]);
    let deep = read_new(glob("in/**/*.csv")).await.unwrap();
    assert_eq!(cells(&deep), ["1,10,null", "2,20,null", "4,40,x"]);
    let list = read_new(at(&[b, a.clone(), a])).await.unwrap();
    assert_eq!(cells(&list), ["2,20", "1,10"]);
    let few = FileSpec { max_files: 2, ..glob("in/**/*.csv") };
    let error = read_new(few).await.unwrap_err();
    assert!(matches!(error, SourceError::TooManyFiles { max_files: 2 }), "{error}");
    let mut batch = of(glob("in/**/*.csv"));
    batch.source.max_rows = 2;
    let error = read_on(&batch, &Remembered::default(), NOW).await.unwrap_err();
    assert!(matches!(error, SourceError::TooManyRows { max_rows: 2 }), "{error}");
}

fn frame(n_rows: i64) -> DataFrame {
    let columns = vec![
        Series::new("ts".into(), (0..n_rows).collect::<Vec<_>>()).into_column(),
        Series::new(
            "metric".into(),
            (0..n_rows).map(|n| format!("m{}", n % 7)).collect::<Vec<_>>(),
        )
        .into_column(),
        Series::new("value".into(), (0..n_rows).map(|n| n as f64 / 4.0).collect::<Vec<_>>())
            .into_column(),
    ];
    DataFrame::new(n_rows as usize, columns).unwrap()
}

fn parquet(frame: &DataFrame, group: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let writer = ParquetWriter::new(&mut bytes).with_row_group_size(Some(group));
    writer.finish(&mut frame.clone()).unwrap();
    bytes
}

fn arrow_file(frame: &DataFrame) -> Vec<u8> {
    let mut bytes = Vec::new();
    IpcWriter::new(&mut bytes).finish(&mut frame.clone()).unwrap();
    bytes
}

/// A stream of two batches.
pub(in crate::sources) fn arrow_stream(frame: &DataFrame) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = StreamWriter::new(&mut bytes, WriteOptions { compression: None });
    let schema = frame.schema().to_arrow(CompatLevel::newest());
    writer.start(&schema, None).unwrap();
    let half = frame.height() / 2;
    for part in [frame.head(Some(half)), frame.slice(half as i64, frame.height())] {
        for batch in part.iter_chunks(CompatLevel::newest(), false) {
            writer.write(&batch, None).unwrap();
        }
    }
    writer.finish().unwrap();
    bytes
}

#[tokio::test]
async fn columnar_files_come_back_whole_whatever_their_groups_and_packing() {
    let dir = tempfile::tempdir().unwrap();
    let frame = frame(1_000);
    let plain =
        [parquet(&frame, 64), parquet(&frame, 5_000), arrow_file(&frame), arrow_stream(&frame)];
    let packed = plain.iter().flat_map(|bytes| [gzip(bytes), zstandard(bytes), bzip2(bytes)]);
    for (n, bytes) in plain.iter().cloned().chain(packed).enumerate() {
        // The name says nothing of what is inside.
        let path = write(dir.path(), &format!("{n}.csv"), bytes);
        assert!(read_new(at(&[path])).await.unwrap().equals_missing(&frame), "{n}");
    }
    for bytes in [parquet(&frame.head(Some(0)), 64), arrow_file(&frame.head(Some(0)))] {
        let path = write(dir.path(), "none", bytes);
        let none = read_new(at(&[path])).await.unwrap();
        assert_eq!((none.shape(), none.dtypes()), ((0, 3), frame.dtypes()));
    }
}

#[tokio::test]
async fn a_format_that_is_given_is_the_format() {
    let dir = tempfile::tempdir().unwrap();
    let path = write(dir.path(), "a", "ts\ta,b\n1\t2\n");
    let as_format = |format| FileSpec { format: Some(format), ..at(std::slice::from_ref(&path)) };
    let tabs = read_new(as_format(FileFormat::Tsv)).await.unwrap();
    assert_eq!(tabs.get_column_names(), ["ts", "a,b"]);
    let commas = read_new(as_format(FileFormat::Csv)).await.unwrap();
    assert_eq!(commas.get_column_names(), ["ts\ta", "b"]);
    let error = read_new(as_format(FileFormat::Parquet)).await.unwrap_err();
    assert!(error.to_string().contains("it is no Parquet file; it begins with `ts"), "{error}");
    let error = read_new(as_format(FileFormat::Ndjson)).await.unwrap_err();
    assert!(error.to_string().contains("line 1: expected"), "{error}");
}

#[tokio::test]
async fn damaged_files_say_where_they_are_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let frame = frame(1_000);
    let long = format!("ts,value\n{}", "1,2\n".repeat(1_000));
    let mut garbage = long.clone().into_bytes();
    garbage[2_009] = 0xff;
    let (parquet, arrow) = (parquet(&frame, 64), arrow_file(&frame));
    for (bytes, expected) in [
        (parquet[..parquet.len() / 2].to_vec(), "the file may be cut off"),
        ([&parquet[..1_000], &parquet[2_000..]].concat(), ""),
        (arrow[..arrow.len() / 2].to_vec(), ""),
        (arrow_stream(&frame)[..400].to_vec(), ""),
        (garbage, "byte 2009 is no UTF-8 text"),
        (format!("{long}1,2,3\n").into_bytes(), "line 1002, byte 4009: it has more cells"),
        (format!("{long}1,\"2\n").into_bytes(), "line 1002, byte 4009: a quote is never closed"),
        (b"<html><body>502</body></html>".to_vec(), "it looks like HTML or XML"),
        (Vec::new(), "it is empty, without even a header"),
    ] {
        let path = write(dir.path(), "a", bytes);
        let error = read_new(at(std::slice::from_ref(&path))).await.unwrap_err().to_string();
        assert!(error.starts_with(&format!("read `{}`: ", path.display())), "{error}");
        assert!(error.contains(expected), "{error} instead of {expected}");
    }
}

/// Whatever byte of a file is wrong, reading it gives rows or an error, never less.
#[tokio::test]
async fn no_damaged_byte_ends_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let frame = frame(50);
    for whole in [parquet(&frame, 20), arrow_file(&frame), arrow_stream(&frame)] {
        for n in (0..whole.len()).step_by(7) {
            for byte in [0xff, 0x7f, 0] {
                let mut bytes = whole.clone();
                bytes[n] = byte;
                let mut batch = of(at(&[write(dir.path(), "a", bytes)]));
                batch.source.max_bytes = 1 << 20;
                // A panic of the reader is an error of the computation.
                drop(read_on(&batch, &Remembered::default(), NOW).await);
            }
        }
    }
}

#[tokio::test]
async fn a_bomb_ends_at_the_limit_in_every_packing_and_format() {
    let dir = tempfile::tempdir().unwrap();
    let text = format!("ts,value\n{}", "1,2\n".repeat(1_000_000));
    for bytes in [gzip(text.as_bytes()), zstandard(text.as_bytes()), bzip2(text.as_bytes())] {
        let mut batch = of(at(&[write(dir.path(), "a.csv", bytes)]));
        batch.source.max_bytes = 100_000;
        let error = read_on(&batch, &Remembered::default(), NOW).await.unwrap_err();
        assert!(error.to_string().ends_with("more than 100000 bytes"), "{error}");
    }
    let flat = DataFrame::new(
        100_000,
        vec![Series::new("value".into(), vec![0.25; 100_000]).into_column()],
    );
    let flat = flat.unwrap();
    let mut arrow = Vec::new();
    let writer = IpcWriter::new(&mut arrow).with_compression(Some(IpcCompression::LZ4));
    { writer }.finish(&mut flat.clone()).unwrap();
    for bytes in [parquet(&frame(100_000), 9_000), arrow] {
        let n_bytes = bytes.len() as u64;
        let mut batch = of(at(&[write(dir.path(), "a", bytes)]));
        (batch.source.max_bytes, batch.source.max_rows) = (n_bytes + 1_000, usize::MAX);
        let error = read_on(&batch, &Remembered::default(), NOW).await.unwrap_err();
        assert!(matches!(error, SourceError::TooManyBytes { .. }), "{error}");
    }
    let two = [write(dir.path(), "b", &text[..80_001]), write(dir.path(), "c", &text[..80_001])];
    let mut batch = of(at(&two));
    batch.source.max_bytes = 100_000;
    let error = read_on(&batch, &Remembered::default(), NOW).await.unwrap_err();
    assert_eq!(error.to_string(), "read 2 files: more than 100000 bytes");
}

#[tokio::test]
async fn missing_files_name_the_pattern_and_a_glob_may_be_told_to_wait() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["none.csv", "*.csv", "none/*.csv", ""] {
        let missing = read_new(at(&[dir.path().join(name)])).await.unwrap_err();
        assert!(matches!(missing, SourceError::NoFile { .. }), "{name}: {missing}");
    }
    let patient = |name| FileSpec { allow_empty: true, ..at(&[dir.path().join(name)]) };
    assert_eq!(read_new(patient("*.csv")).await.unwrap().height(), 0);
    let missing = read_new(patient("none.csv")).await.unwrap_err();
    assert!(matches!(missing, SourceError::NoFile { .. }), "{missing}");
}

#[tokio::test]
async fn a_glob_s_special_characters_in_a_real_name_are_just_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = write(dir.path(), "a[1].csv", "ts,value\n1,2\n");
    assert_eq!(cells(&read_new(at(&[path])).await.unwrap()), ["1,2"]);
}

#[tokio::test]
async fn only_new_and_changed_files_are_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let batch = of(at(&[dir.path().join("*.csv")]));
    write(dir.path(), "a.csv", "ts,value\n1,10\n");
    write(dir.path(), "b.csv", "ts,value\n2,20\n");
    let (frame, seen) = read_on(&batch, &Remembered::default(), NOW).await.unwrap();
    assert_eq!(cells(&frame), ["1,10", "2,20"]);
    let (frame, again) = read_on(&batch, &seen, NOW).await.unwrap();
    assert_eq!((frame.height(), &again), (0, &seen));
    // One grows, one goes, one comes.
    write(dir.path(), "a.csv", "ts,value\n1,10\n3,30\n");
    fs::remove_file(dir.path().join("b.csv")).unwrap();
    write(dir.path(), "c.csv", "ts,value\n4,40\n");
    let notes = Notes::default();
    let (frame, seen) = read_noting(&batch, &seen, NOW, &notes).await.unwrap();
    assert_eq!(cells(&frame), ["1,10", "3,30", "4,40"]);
    let gone = dir.path().join("b.csv");
    assert_eq!(notes.take(), [format!("`{}` is gone; the rows read of it stay", gone.display())]);
    assert_eq!(seen.iter().count(), 2);
    // Another file of the same length takes the name.
    let other = write(dir.path(), "other", "ts,value\n4,41\n");
    fs::rename(other, dir.path().join("c.csv")).unwrap();
    let (frame, _) = read_on(&batch, &seen, NOW).await.unwrap();
    assert_eq!(cells(&frame), ["4,41"]);
}

#[tokio::test]
async fn a_file_with_observations_that_are_not_due_yet_is_read_until_they_are() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "a.csv", "ts,value\n2026-01-02T00:30:00Z,1\n");
    let mut batch = of(at(&[dir.path().join("*.csv")]));
    batch.source.drop_incomplete = true;
    let (_, early) = read_on(&batch, &Remembered::default(), "2026-01-02T00:59:59Z").await.unwrap();
    let (frame, due) = read_on(&batch, &early, "2026-01-02T01:00:00Z").await.unwrap();
    assert_eq!(frame.height(), 1);
    let (frame, _) = read_on(&batch, &due, "2026-01-02T02:00:00Z").await.unwrap();
    assert_eq!(frame.height(), 0);

    write(dir.path(), "a.csv", "when,value\n2026-01-02T00:30:00Z,1\n");
    batch.source.naming.columns = [("ts".to_owned(), "when".to_owned())].into();
    let (_, early) = read_on(&batch, &Remembered::default(), "2026-01-02T00:59:59Z").await.unwrap();
    let (frame, _) = read_on(&batch, &early, "2026-01-02T01:00:00Z").await.unwrap();
    assert_eq!(frame.height(), 1, "by the source's own name of the column");
}

#[tokio::test]
async fn sql_sees_all_files_as_one_table_once_any_has_changed() {
    let dir = tempfile::tempdir().unwrap();
    let spec = |sql: &str| FileSpec {
        sql: Some(FileQuery { text: sql.into(), origin: "shop.toml:3".into() }),
        ..at(&[dir.path().join("*")])
    };
    write(dir.path(), "a.parquet", parquet(&frame(8), 3));
    write(dir.path(), "b.csv.gz", gzip(b"metric,ts,value,more\nm1,1,100,x\n"));
    let sql = "SELECT metric, 5 AS ts, SUM(value) AS value FROM files WHERE metric = 'm1' GROUP BY metric";
    let batch = of(spec(sql));
    let (frame, seen) = read_on(&batch, &Remembered::default(), NOW).await.unwrap();
    assert_eq!(cells(&frame), ["m1,5,100.25"]);
    assert_eq!(read_on(&batch, &seen, NOW).await.unwrap().0.height(), 0);
    write(dir.path(), "c.csv", "metric,ts,value\nm1,1,1\n");
    let (frame, _) = read_on(&batch, &seen, NOW).await.unwrap();
    assert_eq!(cells(&frame), ["m1,5,101.25"]);
    let days = "SELECT CAST(at AS DATE) AS ts, metric, COUNT(*) AS value FROM files \
                WHERE at IS NOT NULL GROUP BY CAST(at AS DATE), metric";
    let at = Series::new("at".into(), [0_i64, 1, 90_000_000]);
    let at = at.cast(&DataType::Datetime(TimeUnit::Milliseconds, None));
    let names = Series::new("metric".into(), ["d", "d", "d"]).into_column();
    let orders = DataFrame::new(3, vec![at.unwrap().into_column(), names]).unwrap();
    write(dir.path(), "d.parquet", parquet(&orders, 9));
    let mut found = cells(&read_new(spec(days)).await.unwrap());
    found.sort();
    assert_eq!(found, ["1970-01-01,d,2", "1970-01-02,d,1"]);
    for (sql, expected) in [
        ("SELECT nothing FROM files", "run shop.toml:3: "),
        ("SELEC 1", "run shop.toml:3: "),
        ("SELECT * FROM Read_CSV('/etc/passwd')", "render shop.toml:3: `read_csv` is not allowed"),
    ] {
        let error = read_new(spec(sql)).await.unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}");
    }
    let mut batch = of(spec("SELECT * FROM files"));
    batch.source.max_rows = 3;
    let error = read_on(&batch, &Remembered::default(), NOW).await.unwrap_err();
    assert!(matches!(error, SourceError::TooManyRows { max_rows: 3 }), "{error}");
}
