//! What the end of an upload in pieces is bound to, and what is said of the object only then. The
//! library has no words for either, so they travel with the task to where the last step is made.

use object_store::{Attributes, PutMode};

tokio::task_local! {
    static END: (PutMode, Attributes);
}

/// Ends an upload under a condition.
pub(super) async fn under<T>(mode: PutMode, said: Attributes, end: impl Future<Output = T>) -> T {
    END.scope((mode, said), end).await
}

/// The condition the running task ends an upload under.
pub(super) fn current() -> Option<PutMode> {
    END.try_with(|(mode, _)| mode.clone()).ok()
}

/// What the running task says of the object.
pub(super) fn said() -> Option<Attributes> {
    END.try_with(|(_, said)| said.clone()).ok()
}
