//! Direct reads: a client gets from the domain's node what would be relayed.
//!
//! The node sees the client's token. That is offered only where the operator
//! says so of the domain, and only for a token that names the node itself.

use bytes::Bytes;
use meshgate_engine::direct;
use meshgate_proto::v1;

use super::Relay;
use crate::identity::Presented;

/// What the gateway promises of a result.
#[derive(Debug)]
pub(crate) struct DirectPromise {
    /// The ticket with which the client comes back that the node does not answer.
    pub statement: Bytes,
    /// Encapsulated message of the client's schema.
    pub schema: Bytes,
    pub rows: u64,
    pub bytes: u64,
}

/// A result that its client may read from the domain's node.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct DirectAnswer {
    pub domain: String,
    /// Where the client reaches the node.
    pub address: String,
    /// For the node, and with `statement` for the gateway.
    pub ticket: Vec<u8>,
}

impl Relay {
    /// The same for whoever came with `token` from `zone`. `None` if there is no way, or none that is allowed:
    /// most often, so that the promise is only made once that is known.
    pub(crate) fn direct(
        &self,
        token: &Presented,
        zone: &str,
        promise: impl FnOnce() -> Option<DirectPromise>,
    ) -> Option<DirectAnswer> {
        let domain = self.context.snapshot.domain(&self.query.domain)?;
        let keys = domain.connection.as_ref()?.direct_keys()?;
        let address = domain.direct_address(zone)?;
        if !token.is_meant_for(domain.node()) {
            return None;
        }
        let promise = promise()?;
        let permits = &self.context.permits;
        let permit = permits.issue_until(token.expires_at, &self.query, domain, &self.context).ok()?;
        let read = v1::DirectRead {
            request: Some(v1::DomainRequest {
                permit: Some(permit),
                query: self.query.bytes.to_vec(),
                wire: None,
            }),
            token_digest: token.digest.as_bytes().to_vec(),
            schema: promise.schema.to_vec(),
            result_rows: promise.rows,
            result_bytes: promise.bytes,
        };
        let ticket = direct::ticket(keys, domain.node(), &read, &promise.statement)?;
        Some(DirectAnswer { domain: domain.name.clone(), address: address.to_owned(), ticket })
    }
}
