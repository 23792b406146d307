//! Files: CSV, TSV, JSON, NDJSON and Parquet, plain or gzip, by path or glob, read in the order of their names and put
//! together by column name.

use std::{
    fs, io,
    io::{Cursor, Read},
    path::{Path, PathBuf},
};

use globset::{GlobBuilder, GlobMatcher};
use polars::prelude::{DataFrame, ParquetReader, SerReader};

use super::{SourceError, error::printable, gzip, rows, stack::stack};
use crate::compute::Compute;

/// Bytes all files of one read may have together.
const MAX_BYTES: u64 = 2 << 30;
/// Folders below the glob's fixed part; more are a loop of mounts.
const MAX_DEPTH: usize = 32;

/// Reads every file a path or glob names.
pub(super) async fn read(
    pattern: &Path,
    max_rows: usize,
    compute: &Compute,
) -> Result<DataFrame, SourceError> {
    let pattern = pattern.to_owned();
    compute.run(move || read_all(&pattern, max_rows)).await?
}

fn read_all(pattern: &Path, max_rows: usize) -> Result<DataFrame, SourceError> {
    let mut bytes_left = MAX_BYTES;
    let mut n_rows = 0;
    let mut frames = Vec::new();
    for path in find(pattern)? {
        let bytes = read_bytes(&path, bytes_left)?;
        bytes_left -= bytes.len() as u64;
        let frame = parse(bytes, &path, max_rows)?;
        n_rows += frame.height();
        if max_rows < n_rows {
            return Err(SourceError::TooManyRows { max_rows });
        }
        frames.push(frame);
    }
    stack(frames).map_err(|e| SourceError::Decode {
        place: format!("`{}`", pattern.display()),
        message: e.to_string(),
    })
}

fn read_bytes(path: &Path, max_bytes: u64) -> Result<Vec<u8>, SourceError> {
    let wrong = |source| SourceError::File { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(wrong)?;
    file.take(max_bytes + 1).read_to_end(&mut bytes).map_err(wrong)?;
    if max_bytes < bytes.len() as u64 {
        let place = format!("`{}`", path.display());
        return Err(SourceError::TooManyBytes { place, max_bytes: MAX_BYTES });
    }
    Ok(bytes)
}

fn parse(bytes: Vec<u8>, path: &Path, max_rows: usize) -> Result<DataFrame, SourceError> {
    let place = format!("`{}`", path.display());
    let bytes = gzip::inflate(bytes, MAX_BYTES, &place)?;
    if !bytes.starts_with(b"PAR1") {
        return rows::parse(&bytes, &place, max_rows);
    }
    let mut reader = ParquetReader::new(Cursor::new(bytes));
    let wrong = |e: polars::prelude::PolarsError| SourceError::Decode {
        place: place.clone(),
        message: printable(&e.to_string()),
    };
    if max_rows < reader.num_rows().map_err(wrong)? {
        return Err(SourceError::TooManyRows { max_rows });
    }
    reader.finish().map_err(wrong)
}

/// The files a path or glob names, sorted; at least one.
fn find(pattern: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let missing = || SourceError::NoFile { pattern: pattern.to_owned() };
    if pattern.is_file() {
        return Ok(vec![pattern.to_owned()]);
    }
    let text = pattern.to_str().ok_or_else(missing)?;
    let is_fixed = |part: &Path| !part.to_string_lossy().contains(['*', '?', '[', '{']);
    let Some(root) = pattern.ancestors().skip(1).find(|part| is_fixed(part)) else {
        return Err(missing());
    };
    if is_fixed(pattern) {
        return Err(missing());
    }
    let glob = GlobBuilder::new(text)
        .literal_separator(true)
        .build()
        .map_err(|source| SourceError::Glob { pattern: text.to_owned(), source })?;
    let root = if root.as_os_str().is_empty() { Path::new(".") } else { root };
    let mut found = Vec::new();
    walk(root, &glob.compile_matcher(), MAX_DEPTH, &mut found)
        .map_err(|source| SourceError::File { path: root.to_owned(), source })?;
    found.sort();
    if found.is_empty() { Err(missing()) } else { Ok(found) }
}

/// Gathers matching files; links to folders are not followed.
fn walk(
    folder: &Path,
    glob: &GlobMatcher,
    depth: usize,
    found: &mut Vec<PathBuf>,
) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            if 0 < depth {
                walk(&path, glob, depth - 1, found)?;
            }
        } else if glob.is_match(path.strip_prefix("./").unwrap_or(&path)) && path.is_file() {
            found.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use polars::prelude::{IntoColumn, NamedFrom, ParquetWriter, Series};

    use super::*;

    fn write(dir: &Path, name: &str, text: &str) -> PathBuf {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    fn cells(frame: &DataFrame) -> Vec<String> {
        let row = |row| {
            let cells =
                frame.columns().iter().map(|c| c.get(row).unwrap().str_value().into_owned());
            cells.collect::<Vec<_>>().join(",")
        };
        (0..frame.height()).map(row).collect()
    }

    #[tokio::test]
    async fn a_glob_reads_its_files_in_the_order_of_their_names() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "in/b.csv", "ts,value\n2,20\n");
        write(dir.path(), "in/a.csv", "ts,value\n1,10\n");
        write(dir.path(), "in/c.txt", "ts,value\n3,30\n");
        write(dir.path(), "in/deep/d.csv", "value,ts,more\n40,4,x\n");
        let compute = Compute::new(1).unwrap();
        let flat = read(&dir.path().join("in/*.csv"), 10, &compute).await.unwrap();
        assert_eq!(cells(&flat), ["1,10", "2,20"]);
        let deep = read(&dir.path().join("in/**/*.csv"), 10, &compute).await.unwrap();
        assert_eq!(cells(&deep), ["1,10,null", "2,20,null", "4,40,x"]);
        let over = read(&dir.path().join("in/**/*.csv"), 2, &compute).await;
        assert!(matches!(over, Err(SourceError::TooManyRows { max_rows: 2 })));
    }

    #[test]
    fn parquet_keeps_its_types_and_joins_other_types_as_text() {
        let dir = tempfile::tempdir().unwrap();
        let columns = vec![
            Series::new("ts".into(), [1_i64]).into_column(),
            Series::new("value".into(), [0.5]).into_column(),
        ];
        let path = dir.path().join("a.parquet");
        let mut frame = DataFrame::new(1, columns).unwrap();
        ParquetWriter::new(fs::File::create(&path).unwrap()).finish(&mut frame).unwrap();
        assert_eq!(read_all(&path, 1).unwrap(), frame);
        assert!(matches!(read_all(&path, 0), Err(SourceError::TooManyRows { .. })));
        write(dir.path(), "b.csv", "ts,value\n2,x\n");
        assert_eq!(cells(&read_all(&dir.path().join("*"), 9).unwrap()), ["1,0.5", "2,x"]);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        assert!(matches!(read_all(&path, 1), Err(SourceError::Decode { .. })));
    }

    #[test]
    fn json_lines_tabs_and_compressed_files_are_read_alike() {
        use std::io::Write;
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "a.ndjson", "{\"ts\":1,\"value\":10}\n");
        write(dir.path(), "b.json", "[{\"ts\":2,\"value\":20}]");
        write(dir.path(), "c.tsv", "ts\tvalue\n3\t30\n");
        let file = fs::File::create(dir.path().join("d.csv.gz")).unwrap();
        let mut gzip = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        gzip.write_all(b"ts,value\n4,40\n").unwrap();
        gzip.finish().unwrap();
        let all = read_all(&dir.path().join("*"), 9).unwrap();
        assert_eq!(cells(&all), ["1,10", "2,20", "3,30", "4,40"]);
    }

    #[test]
    fn missing_files_name_the_pattern_and_pages_are_no_tables() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["none.csv", "*.csv", "none/*.csv", ""] {
            let missing = read_all(&dir.path().join(name), 1).unwrap_err();
            assert!(matches!(missing, SourceError::NoFile { .. }), "{name}: {missing}");
        }
        let page = write(dir.path(), "page.csv", "<html><body>502</body></html>");
        let error = read_all(&page, 1).unwrap_err();
        let expected = format!(
            "read `{}`: it looks like HTML or XML; it begins with `<html><body>502</body></html>`",
            page.display()
        );
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn a_glob_s_special_characters_in_a_real_name_are_just_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = write(dir.path(), "a[1].csv", "ts,value\n1,2\n");
        assert_eq!(read_all(&path, 1).unwrap().height(), 1);
    }
}
