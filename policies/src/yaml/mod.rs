//! YAML as a tree that remembers lines and styles, and a reader over it that
//! collects every problem of a file instead of stopping at the first.
//!
//! Contracts, policies and configuration files are all read with it. It does
//! no I/O: the caller brings the text, and looks up what `${..}` refers to.

mod expand;
mod parse;
mod problem;
mod reader;
mod silence;
mod suggest;
#[cfg(test)]
mod tests;
pub mod units;
mod warning;

pub use expand::{ExpandError, Reference, expand, expand_all};
pub use parse::{Entry, MAX_BYTES, MAX_DEPTH, Node, Value, parse};
pub use problem::{Problem, Severity};
pub use reader::{Reader, UnknownKeys};
pub use silence::{Silence, silence};
pub use suggest::{nearest, nearest_hint};
pub use warning::Warning;
