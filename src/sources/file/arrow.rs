//! Arrow IPC, files and streams, record batch by record batch.

use std::{
    fs::File,
    io::{BufReader, Read, Seek, SeekFrom},
};

use polars::prelude::{DataFrame, PolarsError, PolarsResult, Schema, SchemaExt};
use polars_arrow::io::ipc::read::{
    FileMetadata, FileReader, StreamReader, StreamState, read_file_metadata, read_stream_metadata,
};

use super::format::Frames;
use crate::{
    io::{Allowance, claims::arrow::Messages},
    sources::{
        SourceError, rows,
        unpack::{refused, unreadable},
    },
};

/// What an Arrow file begins with; a stream has no such mark.
const MAGIC: &[u8; 6] = b"ARROW1";

/// Reads what the file says about itself.
pub(super) fn frames(
    file: File,
    place: &str,
    allowance: &Allowance,
) -> Result<Frames, SourceError> {
    let failed = |error| unreadable(error, place);
    let owned = place.to_owned();
    let wrong = move |error: PolarsError| rows::decode(&owned, &error.to_string());
    let mut file = BufReader::new(file);
    let n_bytes = file.seek(SeekFrom::End(0)).map_err(failed)?;
    file.rewind().map_err(failed)?;
    let mut start = Vec::new();
    (&mut file).take(MAGIC.len() as u64).read_to_end(&mut start).map_err(failed)?;
    file.rewind().map_err(failed)?;
    let batches = if start == MAGIC {
        let metadata = read_file_metadata(&mut file).map_err(&wrong)?;
        let mut messages = Messages { file: &mut file, n_bytes, allowance };
        for block in metadata.dictionaries.iter().flatten().chain(&metadata.blocks) {
            let at = u64::try_from(block.offset).unwrap_or(n_bytes);
            messages.check(at).map_err(|wrong| refused(wrong, place))?;
        }
        of_file(file, metadata)
    } else {
        let mut messages = Messages { file: &mut file, n_bytes, allowance };
        messages.check_stream().map_err(|wrong| refused(wrong, place))?;
        file.rewind().map_err(failed)?;
        of_stream(file).map_err(&wrong)?
    };
    Ok(Box::new(batches.map(move |frame| frame.map_err(&wrong))))
}

type Batches = Box<dyn Iterator<Item = PolarsResult<DataFrame>> + Send>;

fn of_file(file: BufReader<File>, metadata: FileMetadata) -> Batches {
    let empty = DataFrame::empty_with_schema(&Schema::from_arrow_schema(&metadata.schema));
    let batches = FileReader::new(file, metadata, None, None);
    Box::new(or_empty(batches.map(|batch| batch.map(DataFrame::from)), empty))
}

fn of_stream(mut file: BufReader<File>) -> PolarsResult<Batches> {
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
