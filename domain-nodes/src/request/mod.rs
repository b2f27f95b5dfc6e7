//! What a node checks before it reads anything, in this order: the permit
//! (who signed, for whom, when, for the first time), the message (size,
//! nesting, digest), and what it asks for (tables, versions, decision, columns,
//! predicates, instant, schema). Each check says no for one reason.

mod permit;
mod query;
mod schema;
#[cfg(test)]
mod tests;

use meshgate_engine::permit::PermitError;

pub(crate) use permit::PermitCheck;
pub(crate) use query::{CheckedForm, CheckedQuery, CheckedScan, CheckedTable, check_query};
pub(crate) use schema::{decode as decode_schema, same_promise};

/// Largest domain query.
pub(crate) const QUERY_BYTES: usize = 1 << 20;
/// Largest ticket: a domain query and the permit for it.
pub(crate) const TICKET_BYTES: usize = QUERY_BYTES + (256 << 10);

/// Why a permit or a domain query is not acceptable. For the log: the caller learns only that it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the ticket is longer than {TICKET_BYTES} bytes")]
    TicketTooLong,
    #[error("the ticket is not a domain request")]
    TicketMalformed,
    #[error("the ticket holds no permit")]
    NoPermit,
    #[error(transparent)]
    Permit(#[from] PermitError),
    #[error("a text of the permit is too long, or its principal is not acceptable")]
    PermitTexts,
    #[error("the permit was used before")]
    Replayed,
    #[error("the query is longer than {QUERY_BYTES} bytes")]
    QueryTooLong,
    #[error("the query is malformed or nested too deeply")]
    QueryMalformed,
    #[error("the query is not the one that the permit is for")]
    Digest,
    #[error("the query is for another domain")]
    Domain,
    #[error("the query's tables are not exactly the permit's")]
    Tables,
    #[error("the permit is in another version of the policy language")]
    PolicyLanguage,
    #[error("the query is in a form that this node does not know")]
    Form,
    #[error("a column is not visible, or asked for twice")]
    Column,
    #[error("a predicate is not on plain columns and literals of their types")]
    Predicate,
    #[error("the query's instant is not the permit's, or too far from now")]
    Instant,
    #[error("the query expects another schema than its columns have")]
    Schema,
    #[error("the query's plan holds what no domain query may hold, or does not fit its tables")]
    Plan,
}

/// What differs between gateway and node. The gateway refreshes and plans again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Moved {
    #[error("the table is not here")]
    Table,
    #[error("another version of the contract")]
    Contract,
    #[error("another decision")]
    Decision,
    #[error("another time zone of the mesh")]
    TimeZone,
}
