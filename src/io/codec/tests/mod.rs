//! Registries, damage and bombs.

mod bombs;
mod damage;
mod registries;
