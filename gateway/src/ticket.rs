//! Sealed tickets, prepared handles and sessions: what a client must bring
//! back, kept by the client, readable and changeable by the gateway's replicas only.
//!
//! A sealed value says what was promised to whom; it grants nothing. Every use
//! authenticates again and plans under the policy of that moment.

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use meshgate_policies::{Digest, Principal};
use prost::Message;

use crate::config::SealingKey;

/// Longest sealed value that is looked at: a statement with many parameters and their values.
pub(crate) const SEALED_BYTES_MAX: usize = 768 << 10;

const FORMAT: u8 = 1;
const KEY_ID_BYTES_MAX: usize = 64;

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
    /// Random; names the ticket in caches.
    pub id: [u8; 16],
}

/// The one answer to every sealed value that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the ticket or handle cannot be used: run the statement again")]
pub(crate) struct InvalidTicket;

/// A ticket could not be sealed: it is too long, or the random source failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the ticket cannot be sealed")]
pub(crate) struct SealError;

/// Seals and opens with the keys that the replicas share.
pub(crate) struct Sealer {
    /// The first one seals.
    keys: Vec<(String, RandomizedNonceKey)>,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let keys: Vec<_> = self.keys.iter().map(|(id, _)| id).collect();
        f.debug_struct("Sealer").field("keys", &keys).finish()
    }
}

impl Sealer {
    /// The first key is the current one.
    pub(crate) fn new(keys: &[SealingKey]) -> Result<Self, SealError> {
        let keys = keys
            .iter()
            .map(|key| {
                let cipher = RandomizedNonceKey::new(&AES_256_GCM_SIV, key.key.expose());
                match (key.id.len(), cipher) {
                    (1..=KEY_ID_BYTES_MAX, Ok(cipher)) => Ok((key.id.clone(), cipher)),
                    _ => Err(SealError),
                }
            })
            .collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() { Err(SealError) } else { Ok(Self { keys }) }
    }

    /// Seals `ticket` for `principal` of `mesh`.
    pub(crate) fn seal(
        &self,
        ticket: &Ticket,
        mesh: &str,
        principal: &Principal,
    ) -> Result<Vec<u8>, SealError> {
        let (key_id, cipher) = self.keys.first().ok_or(SealError)?;
        let mut sealed = Body::new(ticket, principal, mesh).encode_to_vec();
        let nonce = cipher
            .seal_in_place_append_tag(Aad::from(associated_data(ticket.kind, key_id)), &mut sealed)
            .map_err(|_| SealError)?;
        let mut bytes = Vec::with_capacity(2 + key_id.len() + NONCE_LEN + sealed.len());
        bytes.push(FORMAT);
        bytes.push(u8::try_from(key_id.len()).map_err(|_| SealError)?);
        bytes.extend_from_slice(key_id.as_bytes());
        bytes.extend_from_slice(nonce.as_ref());
        bytes.extend_from_slice(&sealed);
        if bytes.len() > SEALED_BYTES_MAX { Err(SealError) } else { Ok(bytes) }
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
        let body = self.decrypt(kind, sealed)?;
        let usable =
            body.mesh == mesh && body.issuer == principal.issuer && body.subject == principal.subject;
        if usable { body.into_ticket(kind) } else { None }
    }

    fn decrypt(&self, kind: TicketKind, sealed: &[u8]) -> Option<Body> {
        if sealed.len() > SEALED_BYTES_MAX {
            return None;
        }
        let (&[format, length], rest) = sealed.split_first_chunk()?;
        let (key_id, rest) = rest.split_at_checked(usize::from(length))?;
        let (nonce, rest) = rest.split_first_chunk::<NONCE_LEN>()?;
        let (key_id, cipher) = self.keys.iter().find(|(id, _)| id.as_bytes() == key_id)?;
        if format != FORMAT {
            return None;
        }
        let mut buffer = rest.to_vec();
        let associated = Aad::from(associated_data(kind, key_id));
        let plain =
            cipher.open_in_place(Nonce::assume_unique_for_key(*nonce), associated, &mut buffer).ok()?;
        Body::decode(&*plain).ok()
    }
}

fn associated_data(kind: TicketKind, key_id: &str) -> Vec<u8> {
    let kind = match kind {
        TicketKind::Statement => "statement",
        TicketKind::Metadata => "metadata",
        TicketKind::Prepared => "prepared",
        TicketKind::Session => "session",
    };
    format!("meshgate-ticket-v{FORMAT}\0{kind}\0{key_id}").into_bytes()
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
