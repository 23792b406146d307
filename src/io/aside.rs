//! Work that waits for a disk, or hashes much at once, where it holds up nobody else.

use tokio::task::JoinError;

/// Runs it on a thread that is there for waiting.
pub(super) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, JoinError> {
    #[expect(clippy::disallowed_methods, reason = "it waits for the disk, not for a core")]
    let running = tokio::task::spawn_blocking(work);
    running.await
}
