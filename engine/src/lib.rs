//! DataFusion as both servers use it: bounded sessions, allow-lists, own
//! runtimes, and the translation between policy's types and expressions and
//! the engine's. Nothing about the wire and nothing about who may see what.

pub mod classification;
pub mod data_type;
pub mod failure;
pub mod lower;
pub mod permit;
pub mod plan_check;
pub mod predicate;
pub mod statement;

mod engine;
mod execution;
mod junction;
mod limits;
mod memory;
mod session;

pub use engine::{Engine, EngineError};
pub use execution::QueryStream;
pub use failure::{EngineFailure, classify};
pub use limits::EngineLimits;
pub use session::QuerySettings;
