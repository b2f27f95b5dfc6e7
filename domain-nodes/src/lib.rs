//! A domain node: serves the data products of one business domain over Arrow
//! Flight to the mesh's gateways, each table only as the principal of the
//! query may see it.
//!
//! [`NodeConfig`] is what the operator of a node writes, [`NodeServer`] what
//! runs. A request goes through `flight` (which gateway calls) or `direct` (a client
//! itself), `request` (permit and query), `query` (plan), `secured` (the barrier) and
//! `stream` (the answer).
//! A node believes a gateway in one thing only: who is asking.

mod access;
mod app;
mod audit;
pub mod check;
pub mod config;
pub mod contract;
mod describe;
mod direct;
mod flight;
mod http;
mod keys;
mod lookups;
mod node;
pub mod offline;
mod operator;
mod planning;
mod pseudonyms;
mod query;
mod reader;
mod readiness;
mod record;
mod reload;
mod replay;
mod request;
pub mod secured;
mod shadow;
pub mod source;
mod state;
mod status;
mod stream;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod tls;
mod touched;
mod watch;
mod wire;

pub use app::{NodeServer, StartError};
pub use config::NodeConfig;
pub use keys::KeysError;
pub use tls::{TlsError, TlsFiles};
