//! The principal's catalog in the shape in which DataFusion asks for tables.
//!
//! Listing functions answer nothing: only a planner that names a table gets
//! one, and what lists tables for callers decides each of them itself.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::{
    catalog::{CatalogProvider, CatalogProviderList, SchemaProvider, TableProvider},
    common::{DataFusionError, Result},
};

use super::{CATALOG, GovernedTable, PrincipalCatalog, SystemTable, SystemTableProvider};
use crate::status::GatewayError;

/// The list that holds the catalog `mesh` alone.
#[derive(Debug)]
pub(crate) struct MeshCatalogList(Arc<PrincipalCatalog>);

impl MeshCatalogList {
    /// The list of one principal.
    pub(crate) fn new(catalog: Arc<PrincipalCatalog>) -> Self {
        Self(catalog)
    }
}

#[derive(Debug)]
struct MeshCatalog(Arc<PrincipalCatalog>);

#[derive(Debug)]
struct DomainSchema {
    domain: String,
    catalog: Arc<PrincipalCatalog>,
}

impl CatalogProviderList for MeshCatalogList {
    fn register_catalog(
        &self,
        _name: String,
        _catalog: Arc<dyn CatalogProvider>,
    ) -> Option<Arc<dyn CatalogProvider>> {
        None
    }

    fn catalog_names(&self) -> Vec<String> {
        vec![CATALOG.to_owned()]
    }

    fn catalog(&self, name: &str) -> Option<Arc<dyn CatalogProvider>> {
        (name == CATALOG).then(|| Arc::new(MeshCatalog(Arc::clone(&self.0))) as Arc<dyn CatalogProvider>)
    }
}

impl CatalogProvider for MeshCatalog {
    fn schema_names(&self) -> Vec<String> {
        Vec::new()
    }

    /// Every name is a schema: whether it holds a table for the principal is all that shows.
    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        Some(Arc::new(DomainSchema { domain: name.to_owned(), catalog: Arc::clone(&self.0) }))
    }
}

#[async_trait]
impl SchemaProvider for DomainSchema {
    fn table_names(&self) -> Vec<String> {
        Vec::new()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        if let Some(table) = SystemTable::by_name(&self.domain, name) {
            return Ok(Some(Arc::new(SystemTableProvider::new(table, Arc::clone(&self.catalog)))));
        }
        let Some(table) = self.catalog.table(&self.domain, name) else {
            return Ok(None);
        };
        if table.view.connection.is_none() {
            let detail = "no node of the domain is connected".to_owned();
            let error = GatewayError::DomainUnavailable { domain: self.domain.clone(), detail };
            return Err(DataFusionError::External(Box::new(error)));
        }
        Ok(Some(Arc::new(GovernedTable::new(table, self.catalog.statement))))
    }

    fn table_exist(&self, name: &str) -> bool {
        SystemTable::by_name(&self.domain, name).is_some() || self.catalog.table(&self.domain, name).is_some()
    }
}
