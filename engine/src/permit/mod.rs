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
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use meshgate_proto::PERMIT_TYPE;
use meshgate_proto::v1::{Permit, SignedPermit};
use prost::Message;

pub use principal::{PrincipalError, principal_fits, principal_from_message, principal_to_message};

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
    #[error("not an Ed25519 private key in PKCS#8 PEM form")]
    Private,
}

impl PermitSigner {
    /// Reads an Ed25519 key in PKCS#8 form (PEM).
    pub fn from_pem(key_id: &str, pem: &str) -> Result<Self, KeyError> {
        let key = ed25519_from_pem(pem).ok_or(KeyError::Private)?;
        Ok(Self { key_id: key_id.to_owned(), key })
    }
}

/// An Ed25519 key in PKCS#8 form (PEM).
pub(crate) fn ed25519_from_pem(pem: &str) -> Option<Ed25519KeyPair> {
    let base64: String = pem
        .trim()
        .strip_prefix("-----BEGIN PRIVATE KEY-----")
        .and_then(|rest| rest.strip_suffix("-----END PRIVATE KEY-----"))?
        .split_whitespace()
        .collect();
    Ed25519KeyPair::from_pkcs8(&STANDARD.decode(base64).ok()?).ok()
}

/// The key itself stays out of logs.
impl fmt::Debug for PermitSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PermitSigner").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

impl PermitKeys {
    /// Accepts these raw Ed25519 public keys, by id.
    pub fn new(keys: impl IntoIterator<Item = (String, [u8; 32])>) -> Self {
        Self(keys.into_iter().collect())
    }
}

/// Signs the bytes of `permit`.
pub fn sign(signer: &PermitSigner, permit: &Permit) -> SignedPermit {
    let permit = permit.encode_to_vec();
    let signature = signer.key.sign(&signed_bytes(&permit)).as_ref().to_vec();
    SignedPermit { key_id: signer.key_id.clone(), permit, signature }
}

/// The permit, if one of `keys` signed exactly its bytes. Says nothing about
/// what it is good for: that is [`check`].
pub fn verify(keys: &PermitKeys, signed: &SignedPermit) -> Result<Permit, PermitError> {
    if signed.permit.len() > MAXIMUM_BYTES {
        return Err(PermitError::Malformed);
    }
    let key = keys.0.get(&signed.key_id).ok_or(PermitError::UnknownKey)?;
    UnparsedPublicKey::new(&ED25519, key)
        .verify(&signed_bytes(&signed.permit), &signed.signature)
        .map_err(|_| PermitError::Signature)?;
    Permit::decode(signed.permit.as_slice()).map_err(|_| PermitError::Malformed)
}

fn signed_bytes(permit: &[u8]) -> Vec<u8> {
    [PERMIT_TYPE.as_bytes(), b"\0", permit].concat()
}

/// Is a verified permit good for this node now?
pub fn check(permit: &Permit, expected: Expected<'_>) -> Result<(), PermitError> {
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
