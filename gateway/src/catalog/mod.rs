//! The mesh as one principal sees it at one moment: the only catalog that SQL
//! of callers is ever planned against.
//!
//! A table without a grant does not exist in it, a hidden column does not
//! exist in it. Tables are decided when they are named, not before.

mod governed_table;
mod list;
mod visible_table;
mod whoami;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use meshgate_policies::{Principal, Statement};

use crate::mesh::{DomainView, Snapshot};

pub(crate) use governed_table::GovernedTable;
pub(crate) use list::MeshCatalogList;
pub(crate) use visible_table::VisibleTable;
pub(crate) use whoami::{WHO_AM_I, WhoAmITable, who_am_i_schema};

/// The one SQL catalog.
pub(crate) const CATALOG: &str = "mesh";
/// The schema of the gateway's own tables.
pub(crate) const SYSTEM_SCHEMA: &str = "system";

/// What one principal sees, for one statement.
#[derive(Debug)]
pub(crate) struct PrincipalCatalog {
    pub snapshot: Arc<Snapshot>,
    pub principal: Arc<Principal>,
    pub statement: Statement,
    /// Tables that were named, by domain and table. Each is decided once.
    named: Mutex<BTreeMap<(String, String), Arc<VisibleTable>>>,
}

impl PrincipalCatalog {
    /// The catalog of `principal` at `instant` (microseconds since the epoch).
    pub(crate) fn new(snapshot: Arc<Snapshot>, principal: Arc<Principal>, instant: i64) -> Self {
        let statement = snapshot.statement(instant);
        Self { snapshot, principal, statement, named: Mutex::default() }
    }

    /// A table by name, if it exists for the principal.
    pub(crate) fn table(&self, domain: &str, table: &str) -> Option<Arc<VisibleTable>> {
        let key = (domain.to_owned(), table.to_owned());
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = named.get(&key) {
            return Some(Arc::clone(known));
        }
        let visible = Arc::new(self.decide(domain, table)?);
        named.insert(key, Arc::clone(&visible));
        Some(visible)
    }

    /// The tables that were named and exist.
    pub(crate) fn named(&self) -> Vec<Arc<VisibleTable>> {
        self.named.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Every table that exists for the principal, by domain and name.
    pub(crate) fn all(&self) -> Vec<VisibleTable> {
        let open = |domain: &Arc<DomainView>| {
            let names = domain.policy.open_tables(&self.principal);
            names.into_iter().filter_map(|table| self.decide(&domain.name, table)).collect::<Vec<_>>()
        };
        self.snapshot.domains().flat_map(open).collect()
    }

    fn decide(&self, domain: &str, table: &str) -> Option<VisibleTable> {
        let domain = self.snapshot.domain(domain)?;
        let described = domain.table(table)?;
        let decision = domain.decide(table, &self.principal, &self.statement)?;
        Some(VisibleTable::new(Arc::clone(domain), described, decision))
    }
}

#[cfg(test)]
mod tests;
