//! Arrow IPC: the messages.

use std::io::{self, Read, Seek, SeekFrom};

use polars_arrow_format::ipc::{MessageHeaderRef, MessageRef, RecordBatchRef, planus::ReadAsRoot};

use super::Wrong;
use crate::io::Allowance;

/// Comes before the length of a message since version 0.15 of the format.
const CONTINUATION: [u8; 4] = [0xff; 4];
/// Length of a message without its body.
const LONGEST_HEADER: u64 = 64 << 20;
/// Rows of one batch.
const LARGEST_BATCH: i64 = 1 << 26;

/// A file whose messages are looked at.
pub struct Messages<'f, R> {
    /// Where they are.
    pub file: &'f mut R,
    /// How long that is.
    pub n_bytes: u64,
    /// What their buffers may unpack to.
    pub allowance: &'f Allowance,
}

impl<R: Read + Seek> Messages<'_, R> {
    /// Looks at every message of a stream.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn check_stream(&mut self) -> Result<(), Wrong> {
        let mut at = 0;
        while let Some(next) = self.check(at)? {
            at = next;
        }
        Ok(())
    }

    /// Looks at the message that begins at a byte; where the next one does, if there is one.
    ///
    /// # Errors
    /// [`Wrong::Claim`] with the byte; [`Wrong::Read`] when the allowance is spent.
    pub fn check(&mut self, at: u64) -> Result<Option<u64>, Wrong> {
        let wrong = |what: &str| Wrong::Claim(format!("the message at byte {at}: {what}"));
        let failed = |error: io::Error| wrong(&error.to_string());
        if self.n_bytes < at.saturating_add(4) {
            return Ok(None);
        }
        self.file.seek(SeekFrom::Start(at)).map_err(failed)?;
        let (mut length, mut n_prefix) = ([0; 4], 4);
        self.file.read_exact(&mut length).map_err(failed)?;
        if length == CONTINUATION {
            self.file.read_exact(&mut length).map_err(failed)?;
            n_prefix = 8;
        }
        let n_header = u64::from(u32::from_le_bytes(length));
        if n_header == 0 {
            return Ok(None);
        }
        let body = at + n_prefix + n_header;
        if LONGEST_HEADER < n_header || self.n_bytes < body {
            return Err(wrong("it is longer than the file"));
        }
        let mut header = Vec::new();
        (&mut *self.file).take(n_header).read_to_end(&mut header).map_err(failed)?;
        let damaged = |error| wrong(&format!("{error}"));
        let message = MessageRef::read_as_root(&header).map_err(damaged)?;
        let n_body = u64::try_from(message.body_length().map_err(damaged)?).ok();
        let end = n_body.and_then(|n_body| body.checked_add(n_body));
        let end = end.filter(|end| *end <= self.n_bytes);
        let end = end.ok_or_else(|| wrong("its body is longer than the file"))?;
        let batch = match message.header().map_err(damaged)? {
            Some(MessageHeaderRef::RecordBatch(batch)) => Some(batch),
            Some(MessageHeaderRef::DictionaryBatch(batch)) => batch.data().map_err(damaged)?,
            _ => None,
        };
        if let Some(batch) = batch {
            let claims = claims(batch).map_err(damaged)?;
            self.check_batch(&claims, body..end).map_err(|what| match what {
                Lie::Claim(what) => wrong(what),
                Lie::Read(error) => Wrong::Read(error),
            })?;
        }
        Ok(Some(end))
    }

    fn check_batch(&mut self, claims: &Claims, body: std::ops::Range<u64>) -> Result<(), Lie> {
        if !(0..=LARGEST_BATCH).contains(&claims.n_rows) {
            return Err(Lie::Claim("more rows than a batch can have"));
        }
        let lengths = claims.buffers.iter().map(|(_, length)| u64::try_from(*length).unwrap_or(0));
        // Each buffer is copied out: one stretch of bytes told of many times would take any room.
        if body.end - body.start < lengths.fold(0, u64::saturating_add) {
            return Err(Lie::Claim("its buffers lie over each other"));
        }
        for (offset, length) in &claims.buffers {
            let start = u64::try_from(*offset).ok().and_then(|at| body.start.checked_add(at));
            let end = start.zip(u64::try_from(*length).ok()).and_then(|(at, n)| at.checked_add(n));
            let (Some(start), Some(_)) = (start, end.filter(|end| *end <= body.end)) else {
                return Err(Lie::Claim("a buffer is longer than its body"));
            };
            if claims.is_packed && 0 < *length {
                if *length < 8 {
                    return Err(Lie::Claim("a packed buffer without a length"));
                }
                self.file.seek(SeekFrom::Start(start)).map_err(Lie::Read)?;
                let mut unpacked = [0; 8];
                self.file.read_exact(&mut unpacked).map_err(Lie::Read)?;
                // -1 says that it is not packed after all.
                let unpacked = i64::from_le_bytes(unpacked).max(0);
                self.allowance.spend(unpacked.unsigned_abs()).map_err(Lie::Read)?;
            }
        }
        Ok(())
    }
}

enum Lie {
    Claim(&'static str),
    Read(io::Error),
}

/// What a batch says of itself.
struct Claims {
    n_rows: i64,
    /// Offset in the body and length.
    buffers: Vec<(i64, i64)>,
    is_packed: bool,
}

fn claims(batch: RecordBatchRef<'_>) -> polars_arrow_format::ipc::planus::Result<Claims> {
    let buffers = batch.buffers()?;
    let buffers = buffers.into_iter().flat_map(|buffers| buffers.iter());
    Ok(Claims {
        n_rows: batch.length()?,
        buffers: buffers.map(|buffer| (buffer.offset(), buffer.length())).collect(),
        is_packed: batch.compression()?.is_some(),
    })
}
