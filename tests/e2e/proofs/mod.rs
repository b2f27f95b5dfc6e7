//! Searches for what must not be: in random worlds, with random questions.
//!
//! - `differential`: is an answer what one plain engine gives over exactly the cells that the
//!   oracle leaves to the caller?
//! - `two_worlds`: does anything that the caller may not see make any difference?
//! - `planted`: do both find the leaks that are built in on purpose?
//!
//! `docs/proofs.md` says how to run them longer, from a seed, and what was found.

pub(crate) mod answer;
mod differential;
mod extras;
mod features;
pub(crate) mod keys;
mod observe;
mod planted;
mod policy;
mod predicate;
pub(crate) mod query;
pub(crate) mod random;
pub(crate) mod rare;
mod reference;
mod request;
pub(crate) mod scope;
mod secrets;
pub(crate) mod settings;
mod shapes;
mod shrink;
mod sight;
pub(crate) mod tables;
mod twin;
mod two_worlds;
mod unordered;
mod world;
