//! The policy of one domain, compiled for its tables.

use std::collections::BTreeSet;

use crate::{Decision, Digest, Mesh, Principal, Statement, Table, digest::DigestBuilder, yaml::Problem};

/// A policy document as it lies in the owner's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// File name: rules are ordered by it.
    pub name: String,
    pub text: String,
}

/// The owner's documents and the operator's restrictions, compiled for the
/// tables of one domain.
#[derive(Debug, Clone)]
pub struct DomainPolicy {
    owner_version: Digest,
    operator_version: Digest,
    no_claims: BTreeSet<String>,
}

impl DomainPolicy {
    /// Compiles the documents of `domain`. Warnings beside the policy, or all problems.
    pub fn load(
        domain: &str,
        documents: &[Document],
        mesh: &Mesh,
        _tables: &[Table],
    ) -> Result<(Self, Vec<Problem>), Vec<Problem>> {
        let mut policy = Self::deny_all(domain);
        policy.owner_version = owner_version(documents);
        policy.operator_version = mesh.version();
        Ok((policy, Vec::new()))
    }

    /// What stands in for documents that cannot be read: no table exists.
    pub fn deny_all(domain: &str) -> Self {
        let version = DigestBuilder::new("meshgate-deny-all-v1").part(domain.as_bytes()).finish();
        Self { owner_version: version, operator_version: version, no_claims: BTreeSet::new() }
    }

    /// Digest of the owner's documents.
    pub fn owner_version(&self) -> Digest {
        self.owner_version
    }

    /// Digest of the operator's document.
    pub fn operator_version(&self) -> Digest {
        self.operator_version
    }

    /// What policy says for one principal and one table. An unknown table is absent.
    pub fn decide(&self, _table: &str, _principal: &Principal, _statement: &Statement) -> Decision {
        Decision::Absent { rules: Vec::new() }
    }

    /// The claims that rules of a table read: only these travel in its permits.
    pub fn claims_read(&self, _table: &str) -> &BTreeSet<String> {
        &self.no_claims
    }
}

fn owner_version(documents: &[Document]) -> Digest {
    let mut sorted: Vec<&Document> = documents.iter().collect();
    sorted.sort_by(|left, right| left.name.cmp(&right.name));
    DigestBuilder::new("meshgate-owner-v1")
        .parts(sorted.iter().map(|document| &document.name))
        .parts(sorted.iter().map(|document| &document.text))
        .finish()
}
