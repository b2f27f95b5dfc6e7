//! The gateway of a mesh: any Flight SQL client queries all domains in plain
//! SQL and gets exactly what policy grants to the token it came with.
//!
//! It decides in order to plan; every domain's node decides again in order to
//! enforce. It holds no data and no state that a restart could lose.

pub mod admission;
pub mod app;
pub mod audit;
pub mod catalog;
pub mod config;
pub mod flight;
pub mod http;
pub mod identity;
mod listener;
pub mod mesh;
pub mod planner;
pub mod query;
pub mod status;
pub mod ticket;
pub mod tls;

pub use app::{GatewayServer, StartError};

#[cfg(test)]
mod testing;
