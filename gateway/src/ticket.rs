//! Sealed tickets, prepared handles and sessions: what a client must bring
//! back, kept by the client, readable and changeable by the gateway's replicas only.
//!
//! A sealed value says what was promised to whom; it grants nothing. Every use
//! authenticates again and plans under the policy of that moment.

use meshgate_engine::seal::SealKeys;
use meshgate_policies::{Digest, Principal};
use prost::Message;

pub(crate) use meshgate_engine::seal::SealError;

use crate::config::SealingKey;

/// What a sealed value is for. Bound as associated data: a handle never opens as a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TicketKind {
    /// Ticket of a statement's result.
    Statement,
    /// Ticket of a metadata command's result.
    Metadata,
    /// Handle of a prepared statement.
    Prepared,
    /// Settings of a session, in a cookie.
    Session,
}

/// Content of a sealed value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub kind: TicketKind,
    /// The SQL text; for metadata the packed command; empty for a session.
    pub content: Vec<u8>,
    /// The purpose that was chosen when this was made.
    pub purpose: Option<String>,
    /// When this was made, microseconds since the epoch.
    pub instant: i64,
    /// Digest of the schema that was promised.
    pub schema: Option<Digest>,
    /// Microseconds since the epoch.
    pub expires_at: i64,
    /// Of the call that made a statement's ticket or handle; else random.
    pub id: [u8; 16],
}

impl Ticket {
    /// The query id of the call that made this.
    pub(crate) fn call(&self) -> String {
        uuid::Uuid::from_bytes(self.id).to_string()
    }
}

/// The one answer to every sealed value that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the ticket or handle cannot be used: run the statement again")]
pub(crate) struct InvalidTicket;

/// Seals and opens with the keys that the replicas share.
#[derive(Debug)]
pub(crate) struct Sealer(SealKeys);

impl Sealer {
    /// The first key is the current one.
    pub(crate) fn new(keys: &[SealingKey]) -> Result<Self, SealError> {
        SealKeys::new(keys.iter().map(|key| (key.id.as_str(), key.key.expose()))).map(Self)
    }

    /// Seals `ticket` for `principal` of `mesh`.
    pub(crate) fn seal(
        &self,
        ticket: &Ticket,
        mesh: &str,
        principal: &Principal,
    ) -> Result<Vec<u8>, SealError> {
        self.0.seal(label(ticket.kind), Body::new(ticket, principal, mesh).encode_to_vec())
    }

    /// Opens what was sealed as `kind` for this principal of this mesh, before it expires.
    /// `now` is in microseconds since the epoch.
    pub(crate) fn open(
        &self,
        kind: TicketKind,
        sealed: &[u8],
        mesh: &str,
        principal: &Principal,
        now: i64,
    ) -> Result<Ticket, InvalidTicket> {
        self.open_late(kind, sealed, mesh, principal)
            .filter(|ticket| now < ticket.expires_at)
            .ok_or(InvalidTicket)
    }

    /// The same, also after it has expired.
    pub(crate) fn open_late(
        &self,
        kind: TicketKind,
        sealed: &[u8],
        mesh: &str,
        principal: &Principal,
    ) -> Option<Ticket> {
        let body = Body::decode(self.0.open(label(kind), sealed)?.as_slice()).ok()?;
        let usable =
            body.mesh == mesh && body.issuer == principal.issuer && body.subject == principal.subject;
        if usable { body.into_ticket(kind) } else { None }
    }
}

const fn label(kind: TicketKind) -> &'static str {
    match kind {
        TicketKind::Statement => "meshgate-ticket-v1\0statement",
        TicketKind::Metadata => "meshgate-ticket-v1\0metadata",
        TicketKind::Prepared => "meshgate-ticket-v1\0prepared",
        TicketKind::Session => "meshgate-ticket-v1\0session",
    }
}

#[derive(Clone, PartialEq, Message)]
struct Body {
    #[prost(string, tag = "1")]
    mesh: String,
    #[prost(string, tag = "2")]
    issuer: String,
    #[prost(string, tag = "3")]
    subject: String,
    #[prost(bytes = "vec", tag = "4")]
    content: Vec<u8>,
    #[prost(int64, tag = "5")]
    instant: i64,
    #[prost(bytes = "vec", optional, tag = "6")]
    schema: Option<Vec<u8>>,
    #[prost(int64, tag = "7")]
    expires_at: i64,
    #[prost(bytes = "vec", tag = "8")]
    id: Vec<u8>,
    #[prost(string, optional, tag = "9")]
    purpose: Option<String>,
}

impl Body {
    fn new(ticket: &Ticket, principal: &Principal, mesh: &str) -> Self {
        Self {
            mesh: mesh.to_owned(),
            issuer: principal.issuer.clone(),
            subject: principal.subject.clone(),
            content: ticket.content.clone(),
            instant: ticket.instant,
            schema: ticket.schema.map(|digest| digest.as_bytes().to_vec()),
            expires_at: ticket.expires_at,
            id: ticket.id.to_vec(),
            purpose: ticket.purpose.clone(),
        }
    }

    fn into_ticket(self, kind: TicketKind) -> Option<Ticket> {
        let schema = match self.schema {
            None => None,
            Some(bytes) => Some(Digest::from_slice(&bytes)?),
        };
        Some(Ticket {
            kind,
            content: self.content,
            purpose: self.purpose,
            instant: self.instant,
            schema,
            expires_at: self.expires_at,
            id: self.id.try_into().ok()?,
        })
    }
}

/// A random id for a ticket.
pub(crate) fn random_id() -> Result<[u8; 16], SealError> {
    let mut id = [0; 16];
    aws_lc_rs::rand::fill(&mut id).map_err(|_| SealError)?;
    Ok(id)
}

#[cfg(test)]
mod tests;
