//! Placeholder.
pub mod secured;
