//! The mesh as the gateway knows it at a moment: the operator's document and
//! what each domain's node says of its domain.
//!
//! Holds no data and asks no node anything for a query; `query` does that.

mod descriptor;
mod domain_files;
mod domain_node;
mod domain_task;
mod memory;
mod mesh_file;
mod node_connection;
mod operator_document;
mod settling;
mod snapshot;
mod state;

pub(crate) use descriptor::{Described, DescribedProduct, DescribedTable};
pub(crate) use domain_files::DomainFiles;
pub use domain_node::{DomainNode, NodeMessages};
pub(crate) use domain_task::keep_described;
pub(crate) use memory::Memory;
pub(crate) use mesh_file::MeshFile;
pub(crate) use node_connection::NodeConnection;
pub(crate) use snapshot::{DomainView, Snapshot};
pub(crate) use state::MeshState;
