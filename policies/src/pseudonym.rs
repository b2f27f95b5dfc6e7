//! Pseudonyms: in which space, and how far a space reaches. The keys are the
//! nodes' alone; rules, decisions and digests carry the space.

use std::fmt;

/// A space of pseudonyms: one value has one pseudonym in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PseudonymSpace {
    /// As mesh.yaml declares it and node.yaml gives keys for it.
    pub name: String,
    pub scope: PseudonymScope,
}

/// Where pseudonyms of a space can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PseudonymScope {
    /// Within one domain: those of another are different, also under the same key.
    Domain,
    /// In all domains whose nodes hold the same key.
    Mesh,
}

impl PseudonymScope {
    /// The scope of exactly this name.
    pub(crate) fn by_name(name: &str) -> Option<Self> {
        [Self::Domain, Self::Mesh].into_iter().find(|scope| scope.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Domain => "domain",
            Self::Mesh => "mesh",
        }
    }
}

impl fmt::Display for PseudonymScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
