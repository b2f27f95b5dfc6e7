//! The gateway of a mesh: any Flight SQL client queries all domains in plain
//! SQL and gets exactly what policy grants to the token it came with.
//!
//! It decides in order to plan; every domain's node decides again in order to
//! enforce. It holds no data and no state that a restart could lose.

mod admission;
mod app;
mod audit;
mod catalog;
pub mod config;
mod edge;
mod flight;
mod http;
mod identity;
mod mesh;
mod message;
pub mod offline;
mod parameters;
mod planner;
mod query;
mod status;
mod ticket;
mod tls;

pub use app::{GatewayServer, StartError};
pub use mesh::{DomainNode, NodeMessages};

#[cfg(test)]
mod testing;
