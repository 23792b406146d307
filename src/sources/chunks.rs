//! The way from a source to whoever takes its rows: frames one after the other, a bounded number
//! under way, so that a source is read as fast as its rows are used and no faster.
//!
//! A source sends frames of about [`CHUNK_ROWS`] rows as it reads them; one that has all its rows
//! at once sends them at once. A source that reads nothing new sends nothing. The first frame tells
//! the columns, so a source that has columns but no rows sends one empty frame. Later frames may
//! have other columns or types: each is understood by itself.

use polars::prelude::DataFrame;
use tokio::sync::mpsc;

use super::SourceError;
use crate::domain::SourceSpec;

/// Rows of a frame that are worth a step through the whole way.
pub(super) const CHUNK_ROWS: usize = 65_536;
/// Frames under way: one being taken, one ready.
const N_AHEAD: usize = 1;

/// Where a source puts what it reads. Counts rows and bytes, and refuses what is over the limits.
#[derive(Debug)]
pub struct Outlet {
    chunks: mpsc::Sender<DataFrame>,
    n_rows: usize,
    n_bytes: u64,
    max_rows: usize,
    max_bytes: u64,
}

/// What comes out of a source, in order.
#[derive(Debug)]
pub struct Chunks(mpsc::Receiver<DataFrame>);

/// A way with the limits of a source.
pub fn channel(spec: &SourceSpec) -> (Outlet, Chunks) {
    let (give, take) = mpsc::channel(N_AHEAD);
    let (max_rows, max_bytes) = (spec.max_rows, spec.max_bytes);
    (Outlet { chunks: give, n_rows: 0, n_bytes: 0, max_rows, max_bytes }, Chunks(take))
}

impl Outlet {
    /// How many more rows may be sent. A source that knows it has more may say so without reading
    /// them: [`SourceError::TooManyRows`].
    pub fn rows_left(&self) -> usize {
        self.max_rows - self.n_rows
    }

    /// Bytes that may be sent altogether.
    pub fn max_bytes(&self) -> u64 {
        self.max_bytes
    }

    /// Whether a frame of so many bytes may still be sent.
    ///
    /// # Errors
    /// [`SourceError::TooManyBytes`] when it may not.
    pub fn has_room(&self, n_bytes: usize) -> Result<(), SourceError> {
        if self.max_bytes < self.n_bytes.saturating_add(n_bytes as u64) {
            let place = "the source's rows".to_owned();
            return Err(SourceError::TooManyBytes { place, max_bytes: self.max_bytes });
        }
        Ok(())
    }

    /// Sends a frame, waiting while those before it are not taken.
    ///
    /// # Errors
    /// [`SourceError::TooManyRows`] and [`SourceError::TooManyBytes`] when it is over the source's
    /// limits together with those before it; [`SourceError::Stopped`] when nobody takes frames any
    /// more.
    pub async fn send(&mut self, frame: DataFrame) -> Result<(), SourceError> {
        self.count(&frame)?;
        for chunk in pieces(frame) {
            self.chunks.send(chunk).await.map_err(|_| SourceError::Stopped)?;
        }
        Ok(())
    }

    /// As [`Self::send`], for a thread outside of async code that may wait
    /// ([`Compute::wait`](crate::compute::Compute::wait)).
    ///
    /// # Errors
    /// As [`Self::send`].
    pub fn send_blocking(&mut self, frame: DataFrame) -> Result<(), SourceError> {
        self.count(&frame)?;
        for chunk in pieces(frame) {
            self.chunks.blocking_send(chunk).map_err(|_| SourceError::Stopped)?;
        }
        Ok(())
    }

    /// Tells, when asked, whether nobody takes frames any more: a long search for the next one may
    /// end.
    pub fn watch(&self) -> impl Fn() -> bool + Send + 'static {
        let chunks = self.chunks.downgrade();
        move || chunks.upgrade().is_none_or(|chunks| chunks.is_closed())
    }

    fn count(&mut self, frame: &DataFrame) -> Result<(), SourceError> {
        self.n_rows = self.n_rows.saturating_add(frame.height());
        if self.max_rows < self.n_rows {
            return Err(SourceError::TooManyRows { max_rows: self.max_rows });
        }
        let n_bytes = frame.estimated_size();
        self.has_room(n_bytes)?;
        self.n_bytes = self.n_bytes.saturating_add(n_bytes as u64);
        Ok(())
    }
}

impl Chunks {
    /// The next frame; `None` once the source has sent its last, or has failed.
    pub async fn next(&mut self) -> Option<DataFrame> {
        self.0.recv().await
    }
}

/// A frame in pieces that are worth a step each; they share its memory.
fn pieces(frame: DataFrame) -> impl Iterator<Item = DataFrame> {
    let (n_rows, mut from) = (frame.height(), 0);
    let is_small = n_rows <= 2 * CHUNK_ROWS;
    let length = if is_small { n_rows } else { CHUNK_ROWS };
    let n_pieces = if is_small { 1 } else { n_rows.div_ceil(CHUNK_ROWS) };
    (0..n_pieces).map(move |_| {
        let piece = frame.slice(from as i64, length);
        from += length;
        piece
    })
}

#[cfg(test)]
mod tests {
    use polars::prelude::Column;

    use super::*;

    fn frame(n_rows: usize) -> DataFrame {
        let numbers: Vec<i64> = (0..n_rows as i64).collect();
        DataFrame::new(n_rows, vec![Column::new("n".into(), numbers)]).unwrap()
    }

    fn way(max_rows: usize, max_bytes: u64) -> (Outlet, Chunks) {
        let (outlet, chunks) = mpsc::channel(16);
        (Outlet { chunks: outlet, n_rows: 0, n_bytes: 0, max_rows, max_bytes }, Chunks(chunks))
    }

    #[tokio::test]
    async fn rows_are_counted_over_all_frames_up_to_the_limit_and_one_over() {
        let (mut outlet, mut chunks) = way(5, u64::MAX);
        outlet.send(frame(3)).await.unwrap();
        assert_eq!(outlet.rows_left(), 2);
        outlet.send(frame(2)).await.unwrap();
        let over = outlet.send(frame(1)).await;
        assert!(matches!(over, Err(SourceError::TooManyRows { max_rows: 5 })), "{over:?}");
        drop(outlet);
        assert_eq!(chunks.next().await.unwrap().height(), 3);
        assert_eq!(chunks.next().await.unwrap().height(), 2);
        assert!(chunks.next().await.is_none());
    }

    #[tokio::test]
    async fn bytes_are_counted_over_all_frames() {
        let (mut outlet, _chunks) = way(usize::MAX, 5 * 8);
        outlet.send(frame(5)).await.unwrap();
        let over = outlet.send(frame(1)).await;
        assert!(matches!(over, Err(SourceError::TooManyBytes { max_bytes: 40, .. })), "{over:?}");
    }

    #[tokio::test]
    async fn a_large_frame_comes_in_pieces_and_an_empty_one_whole() {
        let (mut outlet, mut chunks) = way(usize::MAX, u64::MAX);
        let large = frame(2 * CHUNK_ROWS + 1);
        outlet.send(large.clone()).await.unwrap();
        outlet.send(frame(0)).await.unwrap();
        let mut whole = chunks.next().await.unwrap();
        for _ in 0..2 {
            whole.vstack_mut(&chunks.next().await.unwrap()).unwrap();
        }
        assert!(whole.equals(&large));
        assert_eq!(chunks.next().await.unwrap().shape(), (0, 1));
    }

    #[tokio::test]
    async fn nobody_there_ends_the_source() {
        let (mut outlet, chunks) = way(9, u64::MAX);
        drop(chunks);
        assert!(outlet.watch()());
        assert!(matches!(outlet.send(frame(1)).await, Err(SourceError::Stopped)));
    }
}
