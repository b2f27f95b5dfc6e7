//! The gateway's own tables: who asks, and what there is for who asks. Each
//! row of them is about something that the caller sees.

mod audit;
mod columns;
mod information_schema;
mod policies;
mod products;
mod whoami;

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, ListBuilder, RecordBatch, StringBuilder},
    datatypes::{DataType, Field, SchemaRef},
    error::ArrowError,
};
use async_trait::async_trait;
use datafusion::{
    catalog::{Session, TableProvider, memory::MemorySourceConfig},
    common::Result,
    logical_expr::{Expr, TableType},
    physical_plan::ExecutionPlan,
};

use super::{ExistingTable, PrincipalCatalog};

pub(crate) use audit::AuditView;

/// The schema of tables that only this gateway has.
pub(crate) const SYSTEM_SCHEMA: &str = "system";
/// The schema that the SQL standard names.
pub(crate) const INFORMATION_SCHEMA: &str = "information_schema";

/// Rows of one batch: tables of the gateway can be long.
const BATCH_ROWS: usize = 8_192;

/// A table of the gateway's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SystemTable {
    InformationColumns,
    InformationSchemata,
    InformationTables,
    InformationViews,
    Audit,
    Columns,
    Policies,
    Products,
    WhoAmI,
}

impl SystemTable {
    /// All of them, by schema and name.
    pub(crate) const ALL: [Self; 9] = [
        Self::InformationColumns,
        Self::InformationSchemata,
        Self::InformationTables,
        Self::InformationViews,
        Self::Audit,
        Self::Columns,
        Self::Policies,
        Self::Products,
        Self::WhoAmI,
    ];

    /// The table of this name, for everybody the same.
    pub(crate) fn by_name(schema: &str, name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.schema_name() == schema && table.name() == name)
    }

    pub(crate) fn schema_name(self) -> &'static str {
        match self {
            Self::InformationColumns
            | Self::InformationSchemata
            | Self::InformationTables
            | Self::InformationViews => INFORMATION_SCHEMA,
            Self::Audit | Self::Columns | Self::Policies | Self::Products | Self::WhoAmI => SYSTEM_SCHEMA,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::InformationColumns | Self::Columns => "columns",
            Self::InformationSchemata => "schemata",
            Self::InformationTables => "tables",
            Self::InformationViews => "views",
            Self::Audit => "audit",
            Self::Policies => "policies",
            Self::Products => "products",
            Self::WhoAmI => "whoami",
        }
    }

    /// The table's columns.
    pub(crate) fn schema(self) -> SchemaRef {
        match self {
            Self::InformationColumns => information_schema::columns_schema(),
            Self::InformationSchemata => information_schema::schemata_schema(),
            Self::InformationTables => information_schema::tables_schema(),
            Self::InformationViews => information_schema::views_schema(),
            Self::Audit => audit::schema(),
            Self::Columns => columns::schema(),
            Self::Policies => policies::schema(),
            Self::Products => products::schema(),
            Self::WhoAmI => whoami::schema(),
        }
    }

    /// The rows of `information_schema.columns` about one table.
    pub(crate) fn columns_of(table: &ExistingTable) -> Result<RecordBatch, ArrowError> {
        information_schema::columns_of(table)
    }

    fn rows(self, catalog: &PrincipalCatalog) -> Result<RecordBatch, ArrowError> {
        match self {
            Self::InformationColumns => information_schema::columns(catalog),
            Self::InformationSchemata => information_schema::schemata(catalog),
            Self::InformationTables => information_schema::tables(catalog),
            Self::InformationViews => Ok(RecordBatch::new_empty(self.schema())),
            Self::Audit => audit::rows(catalog),
            Self::Columns => columns::rows(catalog),
            Self::Policies => policies::rows(catalog),
            Self::Products => products::rows(catalog),
            Self::WhoAmI => whoami::rows(catalog),
        }
    }
}

/// A table of the gateway's own, for one principal. Its rows are made when it is scanned.
#[derive(Debug)]
pub(crate) struct SystemTableProvider {
    table: SystemTable,
    catalog: Arc<PrincipalCatalog>,
}

impl SystemTableProvider {
    /// `table` as the principal of `catalog` gets it.
    pub(crate) fn new(table: SystemTable, catalog: Arc<PrincipalCatalog>) -> Self {
        Self { table, catalog }
    }
}

#[async_trait]
impl TableProvider for SystemTableProvider {
    fn schema(&self) -> SchemaRef {
        self.table.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let rows = self.table.rows(&self.catalog)?;
        let batches: Vec<RecordBatch> = (0..rows.num_rows())
            .step_by(BATCH_ROWS)
            .map(|from| rows.slice(from, BATCH_ROWS.min(rows.num_rows() - from)))
            .collect();
        Ok(MemorySourceConfig::try_new_exec(&[batches], self.schema(), projection.cloned())?)
    }
}

/// The type of a column that holds lists of texts.
fn text_list() -> DataType {
    DataType::List(Arc::new(Field::new("item", DataType::Utf8, true)))
}

/// A column of lists of texts.
fn texts<'a, L: IntoIterator<Item = &'a String>>(lists: impl IntoIterator<Item = L>) -> ArrayRef {
    let mut builder = ListBuilder::new(StringBuilder::new());
    for list in lists {
        list.into_iter().for_each(|value| builder.values().append_value(value));
        builder.append(true);
    }
    Arc::new(builder.finish())
}

/// What a contract leaves empty it does not say.
fn given(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}
