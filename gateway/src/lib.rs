//! Placeholder.

pub mod audit;
pub mod config;
pub mod http;
pub mod identity;
pub mod status;
pub mod ticket;
pub mod tls;
