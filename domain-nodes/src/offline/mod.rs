//! A domain's files at work without a server, for the owner's own tools: tests
//! of policies, comparisons of versions, overviews.
//!
//! [`OfflineDomain`] is what contracts, policies and mesh.yaml say, [`OfflineNode`]
//! answers domain queries over it as a node does, at an instant that stands still,
//! and over data that the caller puts in the place of the contracts'. [`Sight`] is
//! what one principal sees of a table beside what lies behind it; it is read
//! through secured tables like everything else, and is for the owner alone.

mod data;
mod domain;
mod given;
mod node;
mod sight;
#[cfg(test)]
mod tests;

pub use data::TableData;
pub use domain::OfflineDomain;
pub use given::{GivenFault, GivenRows};
pub use node::{OfflineNode, Setting};
pub use sight::{Sight, SightError};
