//! What a file's bytes are, and a reader for them that gives a frame at a time.

use std::{
    fs::File,
    io::{BufReader, Read, Seek, SeekFrom, Write},
};

use polars::prelude::DataFrame;

use super::parquet;
use crate::{
    domain::FileFormat,
    io::{
        Allowance,
        ipc::{self, IpcError},
    },
    sources::{
        SourceError,
        csv::Csv,
        error::printable,
        lines::JsonLines,
        rows,
        unpack::{Stream, peek, refused, unpacked, unreadable},
    },
};

/// A JSON array is read as a whole.
const LONGEST_ARRAY: u64 = 256 << 20;

/// The frames of one file, in order.
pub(super) type Frames = Box<dyn Iterator<Item = Result<DataFrame, SourceError>> + Send>;

/// A file whose format is known, unpacked.
pub(super) enum Opened {
    /// To be read from its beginning to its end.
    Text(FileFormat, Stream),
    /// To be read here and there.
    Seekable(FileFormat, File),
}

/// Finds out what a file is and unpacks it.
pub(super) fn open(
    file: File,
    place: &str,
    format: Option<FileFormat>,
    allowance: &Allowance,
) -> Result<Opened, SourceError> {
    let failed = |error| unreadable(error, place);
    let plain = file.try_clone().map_err(failed)?;
    let (stream, is_packed) = unpacked(BufReader::new(file), allowance).map_err(failed)?;
    let (start, stream) = peek(stream).map_err(failed)?;
    let found = format_of(&start);
    let format = format.or(found);
    match format {
        Some(format @ (FileFormat::Parquet | FileFormat::Arrow)) => {
            if found != Some(format) {
                return Err(SourceError::NotATable {
                    place: place.to_owned(),
                    problem: match format {
                        FileFormat::Parquet => "it is no Parquet file",
                        _ => "it is neither an Arrow file nor an Arrow stream",
                    },
                    start: printable(&String::from_utf8_lossy(&start)),
                });
            }
            let mut file = if is_packed { spooled(stream).map_err(failed)? } else { plain };
            file.seek(SeekFrom::Start(0)).map_err(failed)?;
            Ok(Opened::Seekable(format, file))
        }
        Some(format) => Ok(Opened::Text(format, Box::new(stream))),
        None => {
            let first = start.trim_ascii_start().first().copied();
            let format = match first {
                Some(b'[') => FileFormat::Json,
                Some(b'{') => FileFormat::Ndjson,
                // A tab or a comma: the header says which.
                Some(_) | None => FileFormat::Csv,
            };
            Ok(Opened::Text(format, Box::new(stream)))
        }
    }
}

/// Formats with bytes of their own at the beginning.
fn format_of(start: &[u8]) -> Option<FileFormat> {
    match start {
        [b'P', b'A', b'R', b'1', ..] => Some(FileFormat::Parquet),
        [b'A', b'R', b'R', b'O', b'W', b'1', ..] | [0xff, 0xff, 0xff, 0xff, ..] => {
            Some(FileFormat::Arrow)
        }
        _ => None,
    }
}

/// A file of our own, gone when it is closed.
fn spooled(mut stream: impl Read) -> std::io::Result<File> {
    let mut file = tempfile::tempfile()?;
    std::io::copy(&mut stream, &mut file)?;
    file.flush()?;
    Ok(file)
}

impl Opened {
    /// Reads it frame by frame.
    pub(super) fn frames(
        self,
        place: &str,
        is_forced: bool,
        allowance: &Allowance,
    ) -> Result<Frames, SourceError> {
        Ok(match self {
            Self::Text(FileFormat::Tsv, stream) => Box::new(Csv::new(stream, place, Some(b'\t'))),
            Self::Text(FileFormat::Json, stream) => Box::new(std::iter::once(json(stream, place))),
            Self::Text(FileFormat::Ndjson, stream) => Box::new(JsonLines::new(stream, place)),
            Self::Text(_, stream) => {
                let separator = is_forced.then_some(b',');
                Box::new(Csv::new(stream, place, separator))
            }
            Self::Seekable(FileFormat::Parquet, file) => {
                Box::new(parquet::frames(file, place, allowance)?)
            }
            Self::Seekable(_, file) => arrow(file, place, allowance)?,
        })
    }
}

fn arrow(file: File, place: &str, allowance: &Allowance) -> Result<Frames, SourceError> {
    let owned = place.to_owned();
    let wrong = move |error: IpcError| match error {
        IpcError::Claims(wrong) => refused(wrong, &owned),
        IpcError::Decode(error) => rows::decode(&owned, &error.to_string()),
    };
    let frames = ipc::frames(BufReader::new(file), allowance).map_err(&wrong)?;
    Ok(Box::new(frames.map(move |frame| frame.map_err(&wrong))))
}

fn json(stream: Stream, place: &str) -> Result<DataFrame, SourceError> {
    let mut bytes = Vec::new();
    let read = stream.take(LONGEST_ARRAY + 1).read_to_end(&mut bytes);
    read.map_err(|error| unreadable(error, place))?;
    if LONGEST_ARRAY < bytes.len() as u64 {
        let message = format!(
            "a JSON array over {} MiB; write one object a line instead",
            LONGEST_ARRAY >> 20
        );
        return Err(rows::decode(place, &message));
    }
    rows::json_array(rows::text(&bytes, place)?, place, usize::MAX)
}
