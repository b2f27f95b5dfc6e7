//! The node's descriptor: contracts without their servers, the owner's policy
//! documents, versions. Where data lies and credentials never get in here.

use std::sync::Arc;

use meshgate_engine::classification::function_set;
use meshgate_engine::plan_form;
use meshgate_policies::{Column, Document, NestedField, POLICY_LANGUAGE};
use meshgate_proto::v1::{self, Descriptor, DirectAddress, PolicyDocument, PolicyDocuments};

use crate::contract::{Product, ProductTable};

/// What stays the same while the process lives.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) domain: String,
    pub(crate) node: String,
    /// Microseconds since the epoch.
    pub(crate) started_at: i64,
    /// Where clients reach it themselves.
    pub(crate) direct_addresses: Vec<DirectAddress>,
}

/// Describes the products under the documents; no documents means that everything is denied.
/// The revision is left to whoever publishes it.
pub(crate) fn descriptor(
    identity: &Identity,
    products: &[Arc<Product>],
    documents: Option<&[Document]>,
    candidate: Option<&[Document]>,
    operator_version: &[u8],
) -> Descriptor {
    Descriptor {
        domain: identity.domain.clone(),
        node: identity.node.clone(),
        software_version: env!("CARGO_PKG_VERSION").to_owned(),
        engine_version: datafusion::DATAFUSION_VERSION.to_owned(),
        plan_format: plan_form::FORMAT,
        function_set: function_set().as_bytes().to_vec(),
        policy_language: POLICY_LANGUAGE,
        owner_policies: Some(policies(documents)),
        operator_policy_version: operator_version.to_vec(),
        products: products.iter().map(|product| describe_product(product)).collect(),
        revision: 0,
        started_at: identity.started_at,
        direct_addresses: identity.direct_addresses.clone(),
        candidate_policies: candidate.map(|candidate| policies(Some(candidate))),
    }
}

fn policies(documents: Option<&[Document]>) -> PolicyDocuments {
    let message =
        |document: &Document| PolicyDocument { name: document.name.clone(), text: document.text.clone() };
    PolicyDocuments {
        documents: documents.unwrap_or_default().iter().map(message).collect(),
        unreadable: documents.is_none(),
    }
}

fn describe_product(product: &Product) -> v1::Product {
    v1::Product {
        id: product.id.clone(),
        name: product.name.clone(),
        version: product.version.clone(),
        status: product.status.clone(),
        owner: product.owner.clone(),
        description: product.description.clone(),
        tags: product.tags.clone(),
        tables: product.tables.iter().map(describe_table).collect(),
    }
}

fn describe_table(table: &ProductTable) -> v1::Table {
    let descriptions = table.column_descriptions.iter().map(String::as_str).chain(std::iter::repeat(""));
    v1::Table {
        name: table.table.name.clone(),
        description: table.description.clone(),
        tags: table.tags.clone(),
        columns: table.table.columns.iter().zip(descriptions).map(describe_column).collect(),
        primary_key: table.table.primary_key.clone(),
        contract_version: table.table.version().as_bytes().to_vec(),
        estimated_rows: None,
        estimated_bytes: None,
    }
}

fn describe_column((column, description): (&Column, &str)) -> v1::Column {
    v1::Column {
        name: column.name.clone(),
        data_type: column.data_type.to_string(),
        required: column.required,
        description: description.to_owned(),
        classification: column.classification.clone(),
        tags: column.tags.clone(),
        nested: column.nested.iter().map(describe_field).collect(),
    }
}

fn describe_field(field: &NestedField) -> v1::NestedField {
    v1::NestedField {
        path: field.path.clone(),
        classification: field.classification.clone(),
        tags: field.tags.clone(),
    }
}
