//! DataFusion as both servers use it: bounded sessions, allow-lists, own
//! runtimes, and the translation between policy's types and expressions and
//! the engine's. Beside it what else both servers must do in the same way:
//! permits, connections, sealed bytes, sentences for callers, the files of audit logs, files read with a
//! bound, the operator's signature. Nothing about who may see what.

pub mod audit;
pub mod bounded_file;
pub mod classification;
pub mod compressed;
pub mod data_type;
pub mod direct;
pub mod failure;
pub mod listener;
pub mod lower;
pub mod narrow;
pub mod operator;
pub mod permit;
pub mod pieces;
pub mod plan_check;
pub mod plan_form;
pub mod predicate;
pub mod reload;
pub mod revocation;
pub mod scalar_or_null;
pub mod seal;
pub mod sentences;
pub mod statement;

mod engine;
mod execution;
mod junction;
mod key_set;
mod limits;
mod memory;
mod session;

pub use engine::{Engine, EngineError, OptimizerRuleRef};
pub use execution::QueryStream;
pub use failure::{EngineFailure, classify};
pub use key_set::KeySet;
pub use limits::EngineLimits;
pub use session::QuerySettings;
