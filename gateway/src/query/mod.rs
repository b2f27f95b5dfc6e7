//! Domain queries: what the gateway asks one domain's node, and the operator
//! that asks it.
//!
//! The operator is plain data; connections, the permit signer and the caller
//! come from the session at `execute`, so that a plan can be moved to where
//! it runs.

mod context;
mod domain_query;
mod exec;
mod message;
mod permit;
mod stream;

pub use context::QueryContext;
pub use domain_query::{DomainQuery, DomainQueryError, QueriedTable};
pub use exec::DomainQueryExec;
pub use permit::{PermitIssuer, PermitIssuerError};
