//! DataFusion as both servers use it: bounded sessions, allow-lists, own
//! runtimes, and the translation between policy's types and expressions and
//! the engine's. Nothing about the wire and nothing about who may see what.

pub mod data_type;
pub mod lower;

pub mod predicate;

mod junction;
