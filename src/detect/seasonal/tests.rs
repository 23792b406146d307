//! What the seasonal detector finds and leaves alone.
