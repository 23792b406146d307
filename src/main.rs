//! The `anomstack` program.

fn main() {}
