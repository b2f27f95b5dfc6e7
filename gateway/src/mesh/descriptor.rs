//! Reads the message in which a node describes its domain.
//!
//! The message comes from another server: every name, type and digest in it is
//! checked, and one that does not hold makes the whole description unusable.

use std::{
    collections::{BTreeMap, BTreeSet},
    str::FromStr,
    sync::Arc,
};

use datafusion::DATAFUSION_VERSION;
use meshgate_engine::{classification::function_set, direct::is_zone, listener::address, plan_form};
use meshgate_policies::{Column, DataType, Digest, Document, NestedField, POLICY_LANGUAGE, Table, names};
use meshgate_proto::v1;

/// Most tables that one domain may have.
const TABLES_MAX: usize = 20_000;
/// Most columns that one table may have.
const COLUMNS_MAX: usize = 4_096;
/// Most addresses of one node, and the longest.
const ADDRESSES_MAX: usize = 64;
const ADDRESS_BYTES_MAX: usize = 512;

/// A domain as its node describes it. The default is a node that says nothing.
#[derive(Debug, Default)]
pub(crate) struct Described {
    /// Whom permits for this node must name as audience.
    pub node: String,
    pub revision: u64,
    /// Which document of the operator the node enforces.
    pub operator_version: Option<Digest>,
    /// Engine, plan format and functions are this gateway's own: domain queries may be plans.
    pub takes_plans: bool,
    /// Where clients reach the node themselves, by zone of the network.
    pub direct_addresses: BTreeMap<String, String>,
    /// In the order of the domain's products.
    pub tables: Vec<Arc<DescribedTable>>,
    /// The owner's policy documents; `None` if the node cannot read them, or
    /// compiles them for another version of the policy language.
    pub documents: Option<Vec<Document>>,
    /// A candidate for them, by which nothing is decided.
    pub candidate: Option<Vec<Document>>,
}

/// What a contract says of itself.
#[derive(Debug)]
pub(crate) struct DescribedProduct {
    pub id: String,
    pub name: String,
    pub version: String,
    pub status: String,
    pub owner: String,
    pub description: String,
    pub tags: Vec<String>,
}

/// One table of a domain.
#[derive(Debug)]
pub(crate) struct DescribedTable {
    pub product: Arc<DescribedProduct>,
    pub table: Arc<Table>,
    /// Digest of `table`, as permits name it.
    pub contract_version: Digest,
    pub description: String,
    /// One for each column, in the table's order.
    pub column_descriptions: Vec<String>,
    /// For planning only: never an answer, and never shown.
    pub estimated_rows: Option<u64>,
}

/// Why a description cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DescriptorError {
    #[error(
        "the node describes the domain `{0}`: correct `nodes` in this domain's file, or `domain` in the node's node.yaml"
    )]
    OtherDomain(String),
    #[error("`{0}` is reserved and cannot be a domain")]
    ReservedDomain(String),
    #[error("the node has no name")]
    NoNodeName,
    #[error("`{0}` is not a name: lower-case letters, digits and `_`, at most 63, a letter first")]
    Name(String),
    #[error("the table `{0}` is there twice")]
    TableTwice(String),
    #[error("the column `{column}` of `{table}` is there twice")]
    ColumnTwice { table: String, column: String },
    #[error("the column `{column}` of `{table}` has a type that is not known here")]
    Type { table: String, column: String },
    #[error("the column `{column}` of `{table}` has no such field as its marks are on")]
    Field { table: String, column: String },
    #[error("the contract version of `{0}` is not the digest of what is described")]
    ContractVersion(String),
    #[error("an address for clients is none, or of no zone, or there are too many")]
    DirectAddress,
    #[error("too many tables or columns")]
    TooLarge,
}

impl Described {
    /// Reads what a node of `domain` says.
    pub(crate) fn read(domain: &str, descriptor: v1::Descriptor) -> Result<Self, DescriptorError> {
        if descriptor.domain != domain {
            return Err(DescriptorError::OtherDomain(shorten(&descriptor.domain)));
        }
        check_name(domain)?;
        if names::is_reserved_domain(domain) {
            return Err(DescriptorError::ReservedDomain(domain.to_owned()));
        }
        if descriptor.node.is_empty() {
            return Err(DescriptorError::NoNodeName);
        }
        if descriptor.products.iter().map(|product| product.tables.len()).sum::<usize>() > TABLES_MAX {
            return Err(DescriptorError::TooLarge);
        }
        let documents = if descriptor.policy_language == POLICY_LANGUAGE {
            descriptor.owner_policies.and_then(read_documents)
        } else {
            None
        };
        let candidate = descriptor.candidate_policies.and_then(read_documents);
        let candidate = candidate.filter(|_| descriptor.policy_language == POLICY_LANGUAGE);
        let takes_plans = descriptor.engine_version == DATAFUSION_VERSION
            && descriptor.plan_format == plan_form::FORMAT
            && descriptor.function_set == function_set().as_bytes();
        let direct_addresses = read_addresses(descriptor.direct_addresses)?;
        let mut names = BTreeSet::new();
        let mut tables = Vec::new();
        for product in descriptor.products {
            let (product, of_product) = read_product(product);
            for table in of_product {
                if !names.insert(table.name.clone()) {
                    return Err(DescriptorError::TableTwice(shorten(&table.name)));
                }
                tables.push(Arc::new(read_table(domain, &product, table)?));
            }
        }
        let operator_version = Digest::from_slice(&descriptor.operator_policy_version);
        let (node, revision) = (descriptor.node, descriptor.revision);
        Ok(Self {
            node,
            revision,
            operator_version,
            takes_plans,
            direct_addresses,
            tables,
            documents,
            candidate,
        })
    }

    /// All tables, as policy sees them.
    pub(crate) fn contracts(&self) -> Vec<Table> {
        self.tables.iter().map(|table| table.table.as_ref().clone()).collect()
    }
}

fn read_addresses(addresses: Vec<v1::DirectAddress>) -> Result<BTreeMap<String, String>, DescriptorError> {
    // Clients are sent there.
    let is_good = |entry: &v1::DirectAddress| {
        is_zone(&entry.zone) && entry.uri.len() <= ADDRESS_BYTES_MAX && address(&entry.uri).is_some()
    };
    if addresses.len() > ADDRESSES_MAX || !addresses.iter().all(is_good) {
        return Err(DescriptorError::DirectAddress);
    }
    Ok(addresses.into_iter().map(|entry| (entry.zone, entry.uri)).collect())
}

fn read_documents(documents: v1::PolicyDocuments) -> Option<Vec<Document>> {
    let read = |document: v1::PolicyDocument| Document { name: document.name, text: document.text };
    (!documents.unreadable).then(|| documents.documents.into_iter().map(read).collect())
}

fn read_product(product: v1::Product) -> (Arc<DescribedProduct>, Vec<v1::Table>) {
    let described = DescribedProduct {
        id: product.id,
        name: product.name,
        version: product.version,
        status: product.status,
        owner: product.owner,
        description: product.description,
        tags: product.tags,
    };
    (Arc::new(described), product.tables)
}

fn read_table(
    domain: &str,
    product: &Arc<DescribedProduct>,
    table: v1::Table,
) -> Result<DescribedTable, DescriptorError> {
    check_name(&table.name)?;
    if table.columns.len() > COLUMNS_MAX {
        return Err(DescriptorError::TooLarge);
    }
    let mut names = BTreeSet::new();
    let mut columns = Vec::with_capacity(table.columns.len());
    let mut column_descriptions = Vec::with_capacity(table.columns.len());
    for column in table.columns {
        if !names.insert(column.name.clone()) {
            return Err(DescriptorError::ColumnTwice { table: table.name, column: shorten(&column.name) });
        }
        column_descriptions.push(column.description.clone());
        columns.push(read_column(&table.name, column)?);
    }
    let contract = Table {
        domain: domain.to_owned(),
        product: product.name.clone(),
        name: table.name,
        columns,
        primary_key: table.primary_key,
    };
    let contract_version = contract.version();
    // Policy decides on what is described: it must be what the node decides on.
    if Digest::from_slice(&table.contract_version) != Some(contract_version) {
        return Err(DescriptorError::ContractVersion(contract.name));
    }
    Ok(DescribedTable {
        product: Arc::clone(product),
        table: Arc::new(contract),
        contract_version,
        description: table.description,
        column_descriptions,
        estimated_rows: table.estimated_rows,
    })
}

fn read_column(table: &str, column: v1::Column) -> Result<Column, DescriptorError> {
    check_name(&column.name)?;
    let data_type = DataType::from_str(&column.data_type)
        .map_err(|_| DescriptorError::Type { table: table.to_owned(), column: column.name.clone() })?;
    let column = Column {
        name: column.name,
        data_type,
        required: column.required,
        classification: column.classification,
        tags: column.tags,
        nested: column.nested.into_iter().map(read_field).collect(),
    };
    // Marks of a field that is not there would protect nothing.
    if column.nested.iter().any(|field| column.field(&field.path).is_none()) {
        return Err(DescriptorError::Field { table: table.to_owned(), column: column.name });
    }
    Ok(column)
}

fn read_field(field: v1::NestedField) -> NestedField {
    NestedField { path: field.path, classification: field.classification, tags: field.tags }
}

/// Names stand in SQL, in paths and in errors: nothing but plain words.
fn check_name(name: &str) -> Result<(), DescriptorError> {
    if names::is_name(name) { Ok(()) } else { Err(DescriptorError::Name(shorten(name))) }
}

fn shorten(name: &str) -> String {
    name.chars().filter(|character| !character.is_control()).take(names::MAX_NAME_BYTES).collect()
}

#[cfg(test)]
mod tests;
