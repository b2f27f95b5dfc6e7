//! Issues permits: who asks, for exactly which bytes, under which decisions.
//! One for each attempt, when it is sent.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use meshgate_engine::permit::{self, PermitSigner};
use meshgate_policies::{Digest, DomainPolicy, POLICY_LANGUAGE, Principal};
use meshgate_proto::{PERMIT_TYPE, v1};

use super::{DomainQuery, QueryContext};
use crate::{config::PermitKeyConfig, identity::Clock, mesh::DomainView, status::GatewayError};

/// How long a permit can be used.
const LIFE: Duration = Duration::from_secs(60);
const ID_BYTES: usize = 16;

/// Issues permits under the gateway's name and key.
#[derive(Debug)]
pub(crate) struct PermitIssuer {
    gateway: String,
    signer: PermitSigner,
    clock: Clock,
}

/// The key under `permits` cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the key under `permits` is not an Ed25519 private key in PKCS#8 PEM: `meshgate dev ca` makes one")]
pub struct PermitIssuerError;

impl PermitIssuer {
    /// Issues as `gateway` with the configured key.
    pub(crate) fn new(gateway: &str, key: &PermitKeyConfig, clock: Clock) -> Result<Self, PermitIssuerError> {
        let signer = PermitSigner::from_pem(&key.id, key.key.expose()).map_err(|_| PermitIssuerError)?;
        Ok(Self { gateway: gateway.to_owned(), signer, clock })
    }

    /// A permit for one attempt at `query` on the node of `domain`.
    pub(super) fn issue(
        &self,
        query: &DomainQuery,
        domain: &DomainView,
        context: &QueryContext,
    ) -> Result<v1::SignedPermit, GatewayError> {
        self.issue_until(i64::MAX, query, domain, context)
    }

    /// The same, which does not last longer than until `end`.
    pub(super) fn issue_until(
        &self,
        end: i64,
        query: &DomainQuery,
        domain: &DomainView,
        context: &QueryContext,
    ) -> Result<v1::SignedPermit, GatewayError> {
        let issued_at = self.clock.now();
        let life = i64::try_from(LIFE.as_micros()).unwrap_or(i64::MAX);
        let permit = v1::Permit {
            r#type: PERMIT_TYPE.to_owned(),
            gateway: self.gateway.clone(),
            audience: domain.node().to_owned(),
            query_id: context.query_id(),
            principal: Some(permit::principal_to_message(&needed(&context.principal, query, domain))),
            policy_language: POLICY_LANGUAGE,
            owner_policy_version: domain.policy.owner_version().as_bytes().to_vec(),
            operator_policy_version: domain.policy.operator_version().as_bytes().to_vec(),
            tables: query.tables.iter().map(permitted).collect(),
            query_digest: Digest::of(&query.bytes).as_bytes().to_vec(),
            instant: query.instant,
            issued_at,
            expires_at: issued_at.saturating_add(life).min(end),
            id: random_id()?,
        };
        Ok(permit::sign(&self.signer, &permit))
    }
}

fn permitted(table: &super::QueriedTable) -> v1::PermittedTable {
    v1::PermittedTable {
        table: table.table.clone(),
        contract_version: table.contract_version.as_bytes().to_vec(),
        decision_digest: table.decision_digest.as_bytes().to_vec(),
    }
}

/// The principal with those claims only that rules of the queried tables read.
fn needed(principal: &Principal, query: &DomainQuery, domain: &DomainView) -> Principal {
    let only_read_by = |policies: &[&Arc<DomainPolicy>]| {
        let read: BTreeSet<&String> = policies
            .iter()
            .flat_map(|policy| query.tables.iter().flat_map(|table| policy.claims_read(&table.table)))
            .collect();
        let mut needed = principal.clone();
        needed.claims.retain(|claim, _| read.contains(claim));
        needed
    };
    // A candidate for the policies is asked with the same caller, unless the node would take offence.
    let with_candidate =
        domain.candidate.as_ref().map(|candidate| only_read_by(&[&domain.policy, candidate]));
    with_candidate.filter(permit::principal_fits).unwrap_or_else(|| only_read_by(&[&domain.policy]))
}

fn random_id() -> Result<Vec<u8>, GatewayError> {
    let mut id = vec![0; ID_BYTES];
    aws_lc_rs::rand::fill(&mut id)
        .map_err(|_| GatewayError::Internal("the random source failed".to_owned()))?;
    Ok(id)
}
