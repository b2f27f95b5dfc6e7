//! What a node serves at one moment: products, policy and descriptor that
//! belong together. Immutable; a change makes a new one. A query keeps the one it began with.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono_tz::Tz;
use datafusion::execution::SessionState;
use meshgate_policies::{Digest, DomainPolicy, Table, TableDecision};
use meshgate_proto::v1::Descriptor;

use crate::contract::{Product, ProductTable};
use crate::pseudonyms::Pseudonyms;
use crate::secured::{SecureError, SecuredTable};
use crate::source::{Source, SourceError};

/// One moment of a domain.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) domain: String,
    pub(crate) products: Vec<Arc<Product>>,
    pub(crate) tables: BTreeMap<String, Arc<ServedTable>>,
    pub(crate) policy: Arc<DomainPolicy>,
    /// The mesh's time zone; unknown while mesh.yaml has never been readable.
    pub(crate) zone: Option<Tz>,
    /// The keys for the spaces that the policy uses.
    pub(crate) pseudonyms: Arc<Pseudonyms>,
    pub(crate) descriptor: Arc<Descriptor>,
    /// What may take the policy's place, and decides nothing.
    pub(crate) candidate: Option<Arc<DomainPolicy>>,
}

/// A table of a product, ready to be opened.
#[derive(Debug)]
pub(crate) struct ServedTable {
    table: Arc<Table>,
    version: Digest,
    /// None if the contract's location cannot be used at all.
    source: Option<Source>,
}

/// Why a table cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("its contract names no place that can be used")]
    NoSource,
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Secure(#[from] SecureError),
}

impl State {
    pub(crate) fn domain(&self) -> &str {
        &self.domain
    }

    pub(crate) fn table(&self, name: &str) -> Option<Arc<ServedTable>> {
        self.tables.get(name).cloned()
    }

    pub(crate) fn policy(&self) -> &DomainPolicy {
        &self.policy
    }

    pub(crate) fn candidate(&self) -> Option<&Arc<DomainPolicy>> {
        self.candidate.as_ref()
    }

    pub(crate) fn zone(&self) -> Option<Tz> {
        self.zone
    }

    pub(crate) fn pseudonyms(&self) -> &Arc<Pseudonyms> {
        &self.pseudonyms
    }
}

impl ServedTable {
    pub(crate) fn new(table: &ProductTable, source: Option<Source>) -> Self {
        Self { version: table.table.version(), table: table.table.clone(), source }
    }

    pub(crate) fn name(&self) -> &str {
        &self.table.name
    }

    pub(crate) fn contract(&self) -> &Arc<Table> {
        &self.table
    }

    pub(crate) fn version(&self) -> Digest {
        self.version
    }

    pub(crate) fn source(&self) -> Option<&Source> {
        self.source.as_ref()
    }

    /// Opens the table as a decision shows it. There is no other way to its rows.
    pub(crate) async fn secured(
        &self,
        decision: &TableDecision,
        session: &SessionState,
    ) -> Result<SecuredTable, OpenError> {
        let raw = self.source().ok_or(OpenError::NoSource)?.open(session).await?;
        Ok(SecuredTable::new(decision, Arc::clone(&self.table), raw.provider)?)
    }
}
