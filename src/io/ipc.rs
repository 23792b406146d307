//! Frames as Arrow IPC: files and streams are read record batch by record batch, files are written.
//! Calls compute: run them on a computing thread.

use std::io::{Cursor, Read, Seek, SeekFrom};

use bytes::Bytes;
use polars::prelude::{
    DataFrame, IpcCompression, IpcWriter, PolarsError, PolarsResult, Schema, SchemaExt, SerWriter,
};
use polars_arrow::io::ipc::read::{
    FileMetadata, FileReader, StreamReader, StreamState, read_file_metadata, read_stream_metadata,
};

use super::{
    Allowance,
    claims::{Wrong, arrow::Messages},
    parquet::Compression,
};

/// What an Arrow file begins with; a stream has no such mark.
const MAGIC: &[u8; 6] = b"ARROW1";

/// Frames that could not be read.
#[derive(Debug, thiserror::Error)]
pub enum IpcError {
    /// The file claims what is not so.
    #[error(transparent)]
    Claims(#[from] Wrong),
    /// The bytes are no Arrow file, or not this one.
    #[error("decode an arrow file")]
    Decode(#[source] PolarsError),
}

/// The frames of a file or a stream.
pub type Frames = Box<dyn Iterator<Item = Result<DataFrame, IpcError>> + Send>;

/// Reads the frames of a file or a stream one by one.
///
/// # Errors
/// [`IpcError`] when its messages are not what they claim.
pub fn frames<R: Read + Seek + Send + 'static>(
    mut file: R,
    allowance: &Allowance,
) -> Result<Frames, IpcError> {
    let failed = |error| IpcError::Claims(Wrong::Read(error));
    let n_bytes = file.seek(SeekFrom::End(0)).map_err(failed)?;
    file.rewind().map_err(failed)?;
    let mut start = Vec::new();
    (&mut file).take(MAGIC.len() as u64).read_to_end(&mut start).map_err(failed)?;
    file.rewind().map_err(failed)?;
    let batches = if start == MAGIC {
        let metadata = read_file_metadata(&mut file).map_err(IpcError::Decode)?;
        let mut messages = Messages { file: &mut file, n_bytes, allowance };
        for block in metadata.dictionaries.iter().flatten().chain(&metadata.blocks) {
            let at = u64::try_from(block.offset).unwrap_or(n_bytes);
            messages.check(at)?;
        }
        of_file(file, metadata)
    } else {
        Messages { file: &mut file, n_bytes, allowance }.check_stream()?;
        file.rewind().map_err(failed)?;
        of_stream(file).map_err(IpcError::Decode)?
    };
    Ok(Box::new(batches.map(|frame| frame.map_err(IpcError::Decode))))
}

/// Reads a whole file or stream as one frame.
///
/// # Errors
/// As [`frames`].
pub fn decode(bytes: Bytes, allowance: &Allowance) -> Result<DataFrame, IpcError> {
    let mut frames = frames(Cursor::new(bytes), allowance)?;
    let mut whole = frames.next().unwrap_or_else(|| Ok(DataFrame::empty()))?;
    for frame in frames {
        whole.vstack_mut(&frame?).map_err(IpcError::Decode)?;
    }
    Ok(whole)
}

/// Writes a frame as a file of one record batch.
///
/// # Errors
/// What polars says of a column the format has no type for.
pub fn encode(frame: &mut DataFrame, compression: Compression) -> Result<Bytes, PolarsError> {
    let mut bytes = Vec::new();
    let compression = match compression {
        Compression::Off => None,
        Compression::Zstd => Some(IpcCompression::ZSTD(Default::default())),
    };
    IpcWriter::new(&mut bytes).with_compression(compression).finish(frame)?;
    Ok(bytes.into())
}

type Batches = Box<dyn Iterator<Item = PolarsResult<DataFrame>> + Send>;

fn of_file<R: Read + Seek + Send + 'static>(file: R, metadata: FileMetadata) -> Batches {
    let empty = DataFrame::empty_with_schema(&Schema::from_arrow_schema(&metadata.schema));
    let batches = FileReader::new(file, metadata, None, None);
    Box::new(or_empty(batches.map(|batch| batch.map(DataFrame::from)), empty))
}

fn of_stream<R: Read + Seek + Send + 'static>(mut file: R) -> PolarsResult<Batches> {
    let metadata = read_stream_metadata(&mut file)?;
    let empty = DataFrame::empty_with_schema(&Schema::from_arrow_schema(&metadata.schema));
    let batches = StreamReader::new(file, metadata, None);
    // A stream that simply ends is whole: only who writes it knows whether more was to come.
    let whole = batches.map_while(|state| match state {
        Ok(StreamState::Some(batch)) => Some(Ok(DataFrame::from(batch))),
        Ok(StreamState::Waiting) => None,
        Err(error) => Some(Err(error)),
    });
    Ok(Box::new(or_empty(whole, empty)))
}

/// The columns without rows where there is no batch at all; nothing after an error.
fn or_empty(
    batches: impl Iterator<Item = PolarsResult<DataFrame>> + Send,
    empty: DataFrame,
) -> impl Iterator<Item = PolarsResult<DataFrame>> + Send {
    let mut batches = batches.peekable();
    let none = batches.peek().is_none().then_some(Ok(empty));
    let mut is_over = false;
    let until_error = batches.take_while(move |batch| {
        let was_over = is_over;
        is_over |= batch.is_err();
        !was_over
    });
    none.into_iter().chain(until_error)
}
