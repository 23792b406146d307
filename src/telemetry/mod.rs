//! What the program says about itself: log lines, Prometheus metrics, readiness.

mod delivery;
mod logging;
mod metrics;
mod people;
mod push;
mod readiness;
mod store;

pub use delivery::DeliveryMetrics;
pub use logging::{LoggingError, init_logging};
pub use metrics::{DeliveryOutcome, Metrics, MetricsError};
pub use people::{PeopleMetrics, ReadingOutcome};
pub use push::PushMetrics;
pub use readiness::Readiness;
pub use store::{StoreCounts, StoreMetrics};
