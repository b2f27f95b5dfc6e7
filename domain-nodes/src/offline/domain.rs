//! What a domain's files say: contracts and policies under an operator's document.

use std::collections::BTreeMap;
use std::sync::Arc;

use meshgate_policies::yaml::Problem;
use meshgate_policies::{Document, DomainPolicy, Mesh, Table};

use super::data::TableData;
use crate::check;
use crate::config::Repository;
use crate::contract::{Contracts, Product, ProductTable, load_folder};
use crate::source::Access;

/// A domain as its files say that it is.
#[derive(Debug, Clone)]
pub struct OfflineDomain {
    pub(super) name: String,
    pub(super) products: Vec<Arc<Product>>,
    pub(super) documents: Vec<Document>,
    pub(super) policy: Arc<DomainPolicy>,
    pub(super) mesh: Mesh,
    access: Arc<Access>,
}

impl OfflineDomain {
    /// Reads contracts and policies. Warnings beside the domain, or all problems.
    pub fn load(repository: &Repository, mesh: Mesh) -> Result<(Self, Vec<Problem>), Vec<Problem>> {
        let Repository { domain, environment, contract_variables, .. } = repository;
        let Contracts { products, mut problems } =
            load_folder(&repository.products, domain, environment, contract_variables);
        let documents = check::documents(&repository.policies);
        let documents = documents.map_err(|problem| problems.push(problem)).unwrap_or_default();
        let tables = products.iter().flat_map(|product| &product.tables);
        let tables: Vec<Table> = tables.map(|table| table.table.as_ref().clone()).collect();
        let policy = match DomainPolicy::load(domain, &documents, &mesh, &tables) {
            Ok((policy, warnings)) => {
                problems.extend(warnings);
                Some(policy)
            }
            Err(found) => {
                problems.extend(found);
                None
            }
        };
        match policy {
            Some(policy) if !problems.iter().any(Problem::is_error) => {
                let access = Access::new(repository.data_roots.clone(), BTreeMap::new());
                let domain = Self {
                    name: domain.clone(),
                    products: products.into_iter().map(Arc::new).collect(),
                    documents,
                    policy: Arc::new(policy),
                    mesh,
                    access: Arc::new(access),
                };
                Ok((domain, problems))
            }
            _ => Err(problems),
        }
    }

    /// The SQL schema.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The compiled policy.
    pub fn policy(&self) -> &DomainPolicy {
        &self.policy
    }

    /// The operator's document.
    pub fn mesh(&self) -> &Mesh {
        &self.mesh
    }

    /// All tables, in the order of their contracts.
    pub fn tables(&self) -> impl Iterator<Item = &Table> {
        self.product_tables().map(|table| table.table.as_ref())
    }

    /// A table by name.
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables().find(|table| table.name == name)
    }

    /// The data that the contracts name, by table.
    pub fn data(&self) -> BTreeMap<String, TableData> {
        let data = |table: &ProductTable| TableData::of_contract(table, &self.access);
        self.product_tables().map(|table| (table.table.name.clone(), data(table))).collect()
    }

    pub(super) fn product_tables(&self) -> impl Iterator<Item = &ProductTable> {
        self.products.iter().flat_map(|product| &product.tables)
    }
}
