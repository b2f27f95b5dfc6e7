//! The permit: that its signer is known and its words are for this node and
//! this minute, and that it is new.

use meshgate_engine::permit::{self, Expected, PermitKeys};
use meshgate_proto::v1::{Permit, SignedPermit};

use super::Refusal;
use crate::replay::{ID_BYTES, Unusable, UsedPermits};
use crate::status::QueryError;

/// Longest query id, gateway, issuer or subject that goes into the audit.
pub(super) const TEXT_BYTES: usize = 1024;

/// Judges permits for one node process.
#[derive(Debug)]
pub(crate) struct PermitCheck {
    keys: PermitKeys,
    node: String,
    /// Microseconds since the epoch. What was used before is not remembered, so
    /// permits from before are refused.
    started_at: i64,
    used: UsedPermits,
}

impl PermitCheck {
    pub(crate) fn new(keys: PermitKeys, node: String, started_at: i64) -> Self {
        Self { keys, node, started_at, used: UsedPermits::new() }
    }

    /// The permit, if it is good for one query now; it is not good for another afterwards.
    pub(crate) fn check(&self, signed: &SignedPermit, now: i64) -> Result<Permit, QueryError> {
        let expected = Expected { audience: &self.node, now, started_at: self.started_at };
        let permit = permit::verify(&self.keys, signed).map_err(Refusal::from)?;
        permit::check(&permit, expected).map_err(Refusal::from)?;
        check_texts(&permit)?;
        self.consume(&permit, now)?;
        Ok(permit)
    }

    fn consume(&self, permit: &Permit, now: i64) -> Result<(), QueryError> {
        let id: [u8; ID_BYTES] = permit.id.as_slice().try_into().map_err(|_| Refusal::PermitTexts)?;
        self.used.consume(id, permit.expires_at, now).map_err(|unusable| match unusable {
            Unusable::Used => Refusal::Replayed.into(),
            Unusable::Full => QueryError::TooMany("permits"),
        })
    }
}

fn check_texts(permit: &Permit) -> Result<(), Refusal> {
    let principal = permit.principal.as_ref().ok_or(Refusal::PermitTexts)?;
    let purpose = principal.purpose.as_deref().unwrap_or_default();
    let texts = [&permit.query_id, &permit.gateway, &principal.issuer, &principal.subject, purpose];
    if texts.iter().any(|text| text.len() > TEXT_BYTES) {
        return Err(Refusal::PermitTexts);
    }
    Ok(())
}
