//! Data contracts (ODCS 3.0 to 3.2): a folder of files in, data products out.
//!
//! What a contract says about tables, types, tags and owners becomes
//! [`Product`]s; where the data lies becomes the definition of a source. All
//! problems of a folder are reported at once, with file and line; a contract
//! with an error is left out and the others go on. Nothing here opens data.

mod document;
#[cfg(test)]
mod documentation;
mod draft;
mod folder;
mod foreign_keys;
mod proposal;
mod quality;
mod read;
mod server;
mod table;
mod types;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use meshgate_policies::Table;
use meshgate_policies::doubts::ForeignKey;

pub use draft::{Draft, DraftError, DraftOrder, draft_contract};
pub use folder::{Contracts, load_folder};
pub use quality::{QualityRule, ServiceLevel};

use crate::source::SourceDefinition;

/// What one contract publishes.
#[derive(Debug, Clone)]
pub struct Product {
    pub id: String,
    pub name: String,
    pub version: String,
    pub status: String,
    pub owner: String,
    pub description: String,
    pub tags: Vec<String>,
    pub tables: Vec<ProductTable>,
    pub quality: Vec<QualityRule>,
    pub service_levels: Vec<ServiceLevel>,
    pub foreign_keys: Vec<ForeignKey>,
}

/// One table of a product and where its data lies.
#[derive(Debug, Clone)]
pub struct ProductTable {
    pub table: Arc<Table>,
    pub description: String,
    /// One per column of the table, in its order.
    pub column_descriptions: Vec<String>,
    pub tags: Vec<String>,
    pub(crate) source: SourceDefinition,
}
