//! What policy knows of a contract: tables with columns, types, tags and
//! classification. Where the data lies is none of policy's business.

use crate::{DataType, Digest};

/// One table of a data product, as its contract publishes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// SQL schema.
    pub domain: String,
    /// The contract's name; grants may select by it.
    pub product: String,
    /// SQL name within the domain.
    pub name: String,
    /// In contract order.
    pub columns: Vec<Column>,
    /// Names of the primary key's columns in key order; empty if there is none.
    pub primary_key: Vec<String>,
}

/// One column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub data_type: DataType,
    /// The contract promises that there is no NULL.
    pub required: bool,
    pub classification: Option<String>,
    pub tags: Vec<String>,
}

impl Table {
    /// Digest over everything that a decision can depend on.
    pub fn version(&self) -> Digest {
        crate::digest::DigestBuilder::new("meshgate-contract-v1")
            .part(self.domain.as_bytes())
            .part(self.product.as_bytes())
            .part(self.name.as_bytes())
            .parts(self.primary_key.iter())
            .parts(self.columns.iter().map(|column| column.version().as_bytes().to_vec()))
            .finish()
    }
}

impl Column {
    fn version(&self) -> Digest {
        crate::digest::DigestBuilder::new("meshgate-column-v1")
            .part(self.name.as_bytes())
            .part(self.data_type.to_string().as_bytes())
            .part(&[u8::from(self.required)])
            .parts(self.classification.iter())
            .parts(self.tags.iter())
            .finish()
    }
}
