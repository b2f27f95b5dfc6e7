//! Domain queries: what the gateway asks one domain's node, the operator
//! that asks it, and the relay that needs no operator.
//!
//! The operator is plain data; connections, the permit signer and the caller
//! come from the session at `execute`, so that a plan can be moved to where
//! it runs.

mod attempt;
mod context;
mod domain_query;
mod exec;
mod known_keys;
mod measure;
mod permit;
mod reduction;
mod relay;
mod stream;

pub(crate) use context::QueryContext;
pub(crate) use domain_query::{DomainQuery, QueriedTable};
pub(crate) use exec::DomainQueryExec;
pub(crate) use known_keys::VALUES_MAX;
pub(crate) use measure::Measure;
pub(crate) use permit::{PermitIssuer, PermitIssuerError};
pub(crate) use reduction::{AnsweredColumn, Disclosure, Reduction, SourceColumn, Told};
pub(crate) use relay::{DirectAnswer, DirectPromise, Portion, Relay};
