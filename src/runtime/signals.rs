//! The signals that end the program: the first asks for an orderly end, the second for an end now.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// What a shell shows for a program ended by Ctrl-C.
const INTERRUPTED: i32 = 130;

/// Listens for SIGTERM and SIGINT from the moment of the call. The future cancels the token at the
/// first, ends the process at the second, and is otherwise never done.
///
/// # Errors
/// What the system says when signals cannot be listened for.
pub fn stop_on_signals(
    stop: CancellationToken,
) -> std::io::Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if stop.is_cancelled() {
                tracing::warn!("ending at once; what was running begins again at the next start");
                std::process::exit(INTERRUPTED);
            }
            tracing::info!("ending: running work may finish; once more to end at once");
            stop.cancel();
        }
    })
}
