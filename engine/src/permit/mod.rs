//! Permits: a gateway's signed, short-lived word on who asks for what.
//!
//! The signature is over the permit's exact bytes, behind a constant that no
//! other kind of message begins with. What is not here: whether a permit has
//! been seen before (the node remembers), and whether its digests are those of
//! the query and of the node's own decisions.

mod principal;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};
use meshgate_proto::PERMIT_TYPE;
use meshgate_proto::v1::{Permit, SignedPermit};
use prost::Message;

pub use principal::{PrincipalError, from_message as principal, to_message as principal_message};

/// The longest that a permit can be valid, in microseconds.
pub const MAXIMUM_LIFETIME: i64 = 60_000_000;
/// How far a gateway's clock may be ahead of a node's, in microseconds.
pub const CLOCK_SKEW: i64 = 5_000_000;
/// Bytes of a permit: claims are the only part without a natural bound.
const MAXIMUM_BYTES: usize = 1024 * 1024;
/// Bytes of a permit's id.
const ID_BYTES: usize = 16;

/// A gateway's key for permits.
pub struct PermitSigner {
    key_id: String,
    key: Ed25519KeyPair,
}

/// The public keys whose permits a node accepts, by id.
#[derive(Debug, Clone, Default)]
pub struct PermitKeys(BTreeMap<String, [u8; 32]>);

/// What a permit has to say for one node at one time.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The node's name.
    pub audience: &'a str,
    /// Microseconds since the epoch.
    pub now: i64,
    /// When the node started: it does not remember which older permits it has seen.
    pub started_at: i64,
}

/// Which check a permit failed. For the node's log; callers learn nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PermitError {
    #[error("the permit is signed with a key that this node does not know")]
    UnknownKey,
    #[error("the permit's signature is wrong")]
    Signature,
    #[error("the permit cannot be read")]
    Malformed,
    #[error("the signed message is no permit")]
    Type,
    #[error("the permit is for another node")]
    Audience,
    #[error("the permit is not valid yet: compare the clocks of gateway and node")]
    NotYetValid,
    #[error("the permit has expired")]
    Expired,
    #[error("the permit is valid for too long or for no time at all")]
    Lifetime,
    #[error("the permit is older than this node's process")]
    BeforeStart,
}

/// A key that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("not an Ed25519 key in PKCS#8 form")]
    Private,
    #[error("not the 32 bytes of an Ed25519 public key")]
    Public,
    #[error("two keys have the same id")]
    Duplicate,
}

impl PermitSigner {
    /// `key` is an Ed25519 key in PKCS#8 form (DER).
    pub fn from_pkcs8(key_id: &str, key: &[u8]) -> Result<Self, KeyError> {
        let key = Ed25519KeyPair::from_pkcs8(key).map_err(|_| KeyError::Private)?;
        Ok(Self { key_id: key_id.to_owned(), key })
    }

    /// Signs a permit; its type is set here.
    pub fn sign(&self, permit: Permit) -> SignedPermit {
        let permit = Permit { r#type: PERMIT_TYPE.to_owned(), ..permit }.encode_to_vec();
        let signature = self.key.sign(&signed_bytes(&permit)).as_ref().to_vec();
        SignedPermit { key_id: self.key_id.clone(), permit, signature }
    }
}

/// The key itself stays out of logs.
impl fmt::Debug for PermitSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PermitSigner").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

impl PermitKeys {
    /// Accepts one more key.
    pub fn add(&mut self, key_id: &str, public_key: &[u8]) -> Result<(), KeyError> {
        let public_key = public_key.try_into().map_err(|_| KeyError::Public)?;
        match self.0.insert(key_id.to_owned(), public_key) {
            None => Ok(()),
            Some(_) => Err(KeyError::Duplicate),
        }
    }

    /// Is there no key at all, so that every permit is refused?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The permit, if its signature and everything that it says of itself holds.
    pub fn verify(&self, signed: &SignedPermit, expected: Expected<'_>) -> Result<Permit, PermitError> {
        if signed.permit.len() > MAXIMUM_BYTES {
            return Err(PermitError::Malformed);
        }
        let key = self.0.get(&signed.key_id).ok_or(PermitError::UnknownKey)?;
        UnparsedPublicKey::new(&ED25519, key)
            .verify(&signed_bytes(&signed.permit), &signed.signature)
            .map_err(|_| PermitError::Signature)?;
        let permit = Permit::decode(signed.permit.as_slice()).map_err(|_| PermitError::Malformed)?;
        check(&permit, expected)?;
        Ok(permit)
    }
}

fn signed_bytes(permit: &[u8]) -> Vec<u8> {
    [PERMIT_TYPE.as_bytes(), b"\0", permit].concat()
}

fn check(permit: &Permit, expected: Expected<'_>) -> Result<(), PermitError> {
    if permit.r#type != PERMIT_TYPE {
        return Err(PermitError::Type);
    }
    if permit.audience != expected.audience || permit.audience.is_empty() {
        return Err(PermitError::Audience);
    }
    if permit.id.len() != ID_BYTES || permit.query_id.is_empty() || permit.principal.is_none() {
        return Err(PermitError::Malformed);
    }
    let lifetime = permit.expires_at.checked_sub(permit.issued_at).ok_or(PermitError::Lifetime)?;
    if !(1..=MAXIMUM_LIFETIME).contains(&lifetime) {
        return Err(PermitError::Lifetime);
    }
    if permit.issued_at > expected.now.saturating_add(CLOCK_SKEW) {
        return Err(PermitError::NotYetValid);
    }
    if permit.expires_at <= expected.now {
        return Err(PermitError::Expired);
    }
    if permit.issued_at < expected.started_at {
        return Err(PermitError::BeforeStart);
    }
    Ok(())
}
