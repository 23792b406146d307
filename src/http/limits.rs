//! What one client may cost the server.

use std::time::Duration;

/// Longest waits and largest sizes; the defaults are for production, tests use shorter ones.
#[derive(Debug, Clone)]
pub struct Limits {
    /// For the whole head of a request, and for the silence between two requests.
    pub head: Duration,
    /// For the body of a request that pushes rows.
    pub body: Duration,
    /// From the end of the head to the answer.
    pub answer: Duration,
    /// For the client to take the next bytes of an answer.
    pub write: Duration,
    /// For open connections to finish once the server stops.
    pub stop: Duration,
    /// Open connections. Over it, the one that has waited longest for its client is closed.
    pub max_connections: usize,
    /// Bytes of a request's head.
    pub max_head_bytes: usize,
    /// Bytes of a request's body, unless it pushes rows.
    pub max_body_bytes: u64,
    /// Bytes of all bodies that are being read or stored.
    pub all_body_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            body: Duration::from_secs(20),
            answer: Duration::from_secs(30),
            write: Duration::from_secs(30),
            stop: Duration::from_secs(5),
            max_connections: 512,
            max_head_bytes: 32 * 1024,
            max_body_bytes: 1024 * 1024,
            all_body_bytes: 128 * 1024 * 1024,
        }
    }
}
