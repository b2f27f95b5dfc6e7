//! Whether the node serves all that it is configured to serve, as classes of trouble.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// One class of trouble. What exactly is wrong, with file and line, is in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trouble {
    /// A contract cannot be used: its product is missing or served as it last was.
    Contracts,
    /// The owner's policies cannot be used: nothing is served, or the last good policy is.
    Policies,
    /// The same of the operator's document.
    OperatorDocument,
    /// A space of pseudonyms that the policy uses has no key: the tables that need it cannot be read.
    Pseudonyms,
    /// A table's files cannot be read, or not all of its columns.
    Sources,
    /// The audit file cannot be written: every query is refused.
    Audit,
    /// The node is shutting down.
    Stopping,
}

impl Trouble {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Contracts => "contracts",
            Self::Policies => "policies",
            Self::OperatorDocument => "mesh_yaml",
            Self::Pseudonyms => "pseudonyms",
            Self::Sources => "sources",
            Self::Audit => "audit",
            Self::Stopping => "stopping",
        }
    }
}

/// The present troubles, shared by all parts of the node.
#[derive(Debug, Clone, Default)]
pub(crate) struct Readiness(Arc<Mutex<BTreeSet<Trouble>>>);

impl Readiness {
    /// The present troubles; none means ready.
    pub(crate) fn troubles(&self) -> Vec<Trouble> {
        self.lock().iter().copied().collect()
    }

    /// Says whether there is trouble of this class.
    pub(crate) fn set(&self, trouble: Trouble, present: bool) {
        if present {
            self.lock().insert(trouble);
        } else {
            self.lock().remove(&trouble);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeSet<Trouble>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
