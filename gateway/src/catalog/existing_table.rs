//! What a name in a statement can mean.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;

use super::{SystemTable, VisibleTable};

/// A table that exists for a principal.
#[derive(Debug, Clone)]
pub(crate) enum ExistingTable {
    OfDomain(Arc<VisibleTable>),
    /// One of the gateway's own.
    Own(SystemTable),
}

impl ExistingTable {
    pub(crate) fn schema_name(&self) -> &str {
        match self {
            Self::OfDomain(table) => &table.domain,
            Self::Own(table) => table.schema_name(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        match self {
            Self::OfDomain(table) => &table.name,
            Self::Own(table) => table.name(),
        }
    }

    /// The columns that the principal sees.
    pub(crate) fn columns(&self) -> SchemaRef {
        match self {
            Self::OfDomain(table) => Arc::clone(&table.schema),
            Self::Own(table) => table.schema(),
        }
    }

    /// What is said of each of these columns.
    pub(crate) fn descriptions(&self) -> Vec<Option<&str>> {
        match self {
            Self::OfDomain(table) => {
                let remarks = table.decision.columns.iter().map(|column| table.remarks(column));
                remarks.map(|text| (!text.is_empty()).then_some(text)).collect()
            }
            Self::Own(table) => vec![None; table.schema().fields().len()],
        }
    }
}
