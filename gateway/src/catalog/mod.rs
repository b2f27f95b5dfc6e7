//! The mesh as one principal sees it at one moment: the only catalog that SQL
//! of callers is ever planned against.
//!
//! A table without a grant does not exist in it, a hidden column does not
//! exist in it. Tables are decided when they are named, not before.

mod existing_table;
mod governed_table;
mod list;
mod sql_type;
mod system;
mod visible_table;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use datafusion::common::TableReference;
use meshgate_policies::{Decision, Principal, RuleRef, Statement};

use crate::mesh::{DomainView, Snapshot};

pub(crate) use existing_table::ExistingTable;
pub(crate) use governed_table::GovernedTable;
pub(crate) use list::MeshCatalogList;
pub(crate) use sql_type::{sql_type, type_name};
pub(crate) use system::{AuditView, INFORMATION_SCHEMA, SYSTEM_SCHEMA, SystemTable, SystemTableProvider};
pub(crate) use visible_table::VisibleTable;

/// The one SQL catalog.
pub(crate) const CATALOG: &str = "mesh";

/// Whose rule it is, in the words of results.
pub(crate) fn set_by(rule: &RuleRef) -> &'static str {
    if rule.operator { "operator" } else { "owner" }
}

/// What one principal sees, for one statement.
#[derive(Debug)]
pub(crate) struct PrincipalCatalog {
    pub snapshot: Arc<Snapshot>,
    pub principal: Arc<Principal>,
    pub statement: Statement,
    /// Tables that were named, by domain and table. Each is decided once.
    named: Mutex<BTreeMap<(String, String), Arc<VisibleTable>>>,
    /// Tables that were named, are there, and do not exist for the principal.
    denied: Mutex<BTreeMap<(String, String), DeniedTable>>,
    audit: Option<AuditView>,
    /// May the principal run a query for its explanation?
    pub may_analyze: bool,
}

/// A table that is there and does not exist for a principal. For the audit log only.
#[derive(Debug, Clone)]
pub(crate) struct DeniedTable {
    pub view: Arc<DomainView>,
    pub name: String,
    /// The rules that said so; none if nothing was granted.
    pub rules: Vec<RuleRef>,
}

impl DeniedTable {
    pub(crate) fn qualified_name(&self) -> String {
        format!("{}.{}", self.view.name, self.name)
    }
}

impl PrincipalCatalog {
    /// The catalog of `principal` at `instant` (microseconds since the epoch).
    pub(crate) fn new(snapshot: Arc<Snapshot>, principal: Arc<Principal>, instant: i64) -> Self {
        let statement = snapshot.statement(instant);
        Self {
            snapshot,
            principal,
            statement,
            named: Mutex::default(),
            denied: Mutex::default(),
            audit: None,
            may_analyze: false,
        }
    }

    /// The same with what the principal sees of the audit.
    #[must_use]
    pub(crate) fn with_audit(self, audit: AuditView) -> Self {
        Self { audit: Some(audit), ..self }
    }

    /// The same for a principal who may, or may not, run a query for its explanation.
    #[must_use]
    pub(crate) fn with_analyze(self, may_analyze: bool) -> Self {
        Self { may_analyze, ..self }
    }

    /// Does the principal see what is everybody's?
    fn reads_all(&self) -> bool {
        self.audit.as_ref().is_some_and(|audit| audit.reads_all)
    }

    /// A table by name, if it exists for the principal.
    pub(crate) fn table(&self, domain: &str, table: &str) -> Option<Arc<VisibleTable>> {
        let key = (domain.to_owned(), table.to_owned());
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = named.get(&key) {
            return Some(Arc::clone(known));
        }
        let Some(visible) = self.decide(domain, table) else {
            self.note_denied(key);
            return None;
        };
        let visible = Arc::new(visible);
        named.insert(key, Arc::clone(&visible));
        Some(visible)
    }

    /// What a name in a statement means, if it exists for the principal. A name without a
    /// schema means nothing: there is no default one.
    pub(crate) fn find(&self, reference: &TableReference) -> Option<ExistingTable> {
        if reference.catalog().is_some_and(|catalog| catalog != CATALOG) {
            return None;
        }
        let (schema, name) = (reference.schema()?, reference.table());
        if let Some(own) = SystemTable::by_name(schema, name) {
            return Some(ExistingTable::Own(own));
        }
        self.table(schema, name).map(ExistingTable::OfDomain)
    }

    /// The tables that were named and exist.
    pub(crate) fn named(&self) -> Vec<Arc<VisibleTable>> {
        self.named.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// The tables that were named and do not exist for the principal alone.
    pub(crate) fn denied(&self) -> Vec<DeniedTable> {
        self.denied.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    fn note_denied(&self, key: (String, String)) {
        let Some(view) = self.snapshot.domain(&key.0) else { return };
        let decision = view.policy.decide(&key.1, &self.principal, &self.statement);
        if let (true, Decision::Absent { rules }) = (view.table(&key.1).is_some(), decision) {
            let table = DeniedTable { view: Arc::clone(view), name: key.1.clone(), rules };
            self.denied.lock().unwrap_or_else(PoisonError::into_inner).insert(key, table);
        }
    }

    /// Every table that exists for the principal, by domain and name.
    pub(crate) fn all(&self) -> Vec<VisibleTable> {
        let open = |domain: &Arc<DomainView>| {
            let names = domain.policy.open_tables(&self.principal);
            names.into_iter().filter_map(|table| self.decide(&domain.name, table)).collect::<Vec<_>>()
        };
        self.snapshot.domains().flat_map(open).collect()
    }

    /// Schemas in which the principal sees something, the gateway's own among them, by name.
    pub(crate) fn schemas(&self) -> Vec<String> {
        let mut schemas: Vec<String> = self.all().into_iter().map(|table| table.domain).collect();
        schemas.extend([SYSTEM_SCHEMA, INFORMATION_SCHEMA].map(str::to_owned));
        schemas.sort();
        schemas.dedup();
        schemas
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
