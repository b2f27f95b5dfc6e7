//! One immutable state of the mesh. A statement is planned against one
//! snapshot from its first to its last step.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use meshgate_engine::operator::OperatorDocument;
use meshgate_policies::{Decision, DomainPolicy, Mesh, Principal, Statement, TableDecision};

use super::{Described, DescribedTable, DomainNode};

/// The mesh at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    /// What the operator's document says; [`Mesh::missing`] while there is none.
    pub mesh: Arc<Mesh>,
    /// Its text, as nodes verify it again.
    pub document: Option<Arc<str>>,
    /// The domains that have described themselves since the gateway started.
    domains: BTreeMap<String, Arc<DomainView>>,
}

/// A domain at one moment. What a domain said last is kept when it goes away:
/// who may see its tables is told that it is unavailable.
#[derive(Debug, Clone)]
pub(crate) struct DomainView {
    pub name: String,
    /// Owner's and operator's documents, compiled for the domain's tables.
    pub policy: Arc<DomainPolicy>,
    /// What may take the policy's place, and decides nothing.
    pub candidate: Option<Arc<DomainPolicy>>,
    /// The documents cannot be read: the policy denies everything.
    pub policy_unreadable: bool,
    /// `None` while no node of the domain answers.
    pub connection: Option<Arc<dyn DomainNode>>,
    /// Grows with each description of this domain.
    pub generation: u64,
    described: Arc<Described>,
    /// Positions of the tables by name.
    positions: HashMap<String, usize>,
}

impl Snapshot {
    /// A mesh in which no domain has described itself yet.
    pub(crate) fn new(document: Option<OperatorDocument>) -> Self {
        let (mesh, document) = parts(document);
        Self { mesh, document, domains: BTreeMap::new() }
    }

    /// A mesh of one domain, without servers: what `mesh` says is taken as it is.
    pub(crate) fn of_one(mesh: Mesh, described: Described, node: Arc<dyn DomainNode>, name: &str) -> Self {
        let mesh = Arc::new(mesh);
        let view = DomainView::new(name, Arc::new(described), &mesh, Some(node), 0);
        Self { mesh, document: None, domains: BTreeMap::new() }.with_domain(view)
    }

    /// A domain by name.
    pub(crate) fn domain(&self, name: &str) -> Option<&Arc<DomainView>> {
        self.domains.get(name)
    }

    /// All domains, by name.
    pub(crate) fn domains(&self) -> impl Iterator<Item = &Arc<DomainView>> {
        self.domains.values()
    }

    /// The moment of a statement in this mesh.
    pub(crate) fn statement(&self, instant: i64) -> Statement {
        Statement { instant, zone: self.mesh.time_zone() }
    }

    /// The same mesh with another state of one domain.
    #[must_use]
    pub(crate) fn with_domain(&self, domain: DomainView) -> Self {
        let mut changed = self.clone();
        changed.domains.insert(domain.name.clone(), Arc::new(domain));
        changed
    }

    /// The same mesh without one domain.
    #[must_use]
    pub(crate) fn without_domain(&self, domain: &str) -> Self {
        let mut changed = self.clone();
        changed.domains.remove(domain);
        changed
    }

    /// The same domains under another document of the operator.
    #[must_use]
    pub(crate) fn with_document(&self, document: OperatorDocument) -> Self {
        let (mesh, document) = parts(Some(document));
        let domains =
            self.domains.iter().map(|(name, domain)| (name.clone(), Arc::new(domain.under(&mesh)))).collect();
        Self { mesh, document, domains }
    }
}

fn parts(document: Option<OperatorDocument>) -> (Arc<Mesh>, Option<Arc<str>>) {
    match document {
        Some(document) => (Arc::new(document.mesh().clone()), Some(Arc::clone(document.text()))),
        None => (Arc::new(Mesh::missing()), None),
    }
}

impl DomainView {
    /// The domain as `described`, decided under `mesh`.
    pub(crate) fn new(
        name: &str,
        described: Arc<Described>,
        mesh: &Mesh,
        connection: Option<Arc<dyn DomainNode>>,
        generation: u64,
    ) -> Self {
        let compiled = compile(name, &described, mesh);
        let policy_unreadable = compiled.is_none();
        let candidate = compile_candidate(name, &described, mesh).map(Arc::new);
        let policy = Arc::new(compiled.unwrap_or_else(|| DomainPolicy::deny_all(name)));
        let names = described.tables.iter().map(|table| table.table.name.clone());
        let positions = names.zip(0..).collect();
        let name = name.to_owned();
        Self { name, policy, candidate, policy_unreadable, connection, generation, described, positions }
    }

    /// Whom permits for the domain's node must name.
    pub(crate) fn node(&self) -> &str {
        &self.described.node
    }

    /// Where clients of this zone of the network reach the domain's node themselves.
    pub(crate) fn direct_address(&self, zone: &str) -> Option<&str> {
        self.described.direct_addresses.get(zone).map(String::as_str)
    }

    /// Can a domain query be a plan?
    pub(crate) fn takes_plans(&self) -> bool {
        self.described.takes_plans
    }

    /// A table, whoever may see it.
    pub(crate) fn table(&self, name: &str) -> Option<&Arc<DescribedTable>> {
        self.described.tables.get(*self.positions.get(name)?)
    }

    /// The table as one principal gets it. `None`: it does not exist for this principal.
    pub(crate) fn decide(
        &self,
        table: &str,
        principal: &Principal,
        statement: &Statement,
    ) -> Option<TableDecision> {
        match self.policy.decide(table, principal, statement) {
            Decision::Visible(decision) => Some(decision),
            Decision::Absent { .. } => None,
        }
    }

    /// The same domain without a node that answers.
    #[must_use]
    pub(crate) fn unavailable(&self) -> Self {
        Self { connection: None, ..self.clone() }
    }

    fn under(&self, mesh: &Mesh) -> Self {
        let connection = self.connection.clone();
        Self::new(&self.name, Arc::clone(&self.described), mesh, connection, self.generation)
    }
}

/// One that cannot be used is a warning, and nothing is compared.
fn compile_candidate(name: &str, described: &Described, mesh: &Mesh) -> Option<DomainPolicy> {
    let documents = described.candidate.as_ref()?;
    match DomainPolicy::load(name, documents, mesh, &described.contracts()) {
        // Without the operator's document everything is denied, which is no news.
        Ok((policy, _)) => (!mesh.is_missing()).then_some(policy),
        Err(problems) => {
            for problem in problems {
                tracing::warn!(domain = name, %problem, "the candidate for the policies cannot be used");
            }
            None
        }
    }
}

fn compile(name: &str, described: &Described, mesh: &Mesh) -> Option<DomainPolicy> {
    let Some(documents) = &described.documents else {
        tracing::error!(
            domain = name,
            "the node cannot read the domain's policies, or speaks another version of the policy language: the domain denies everything"
        );
        return None;
    };
    match DomainPolicy::load(name, documents, mesh, &described.contracts()) {
        Ok((policy, _)) => Some(policy),
        Err(problems) => {
            for problem in problems {
                tracing::error!(domain = name, %problem, "policy cannot be read: the domain denies everything");
            }
            None
        }
    }
}
