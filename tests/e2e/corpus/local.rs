//! The engine by itself, with the tables that a file's statements make.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use datafusion::common::{Result, TableReference};
use datafusion::prelude::{SessionConfig, SessionContext};
use tempfile::TempDir;

/// Most rows of a table that is published.
const ROWS: usize = 20_000;

pub(super) struct Local {
    context: SessionContext,
    scratch: TempDir,
}

impl Local {
    pub(super) fn new() -> Self {
        let config = SessionConfig::new()
            .with_target_partitions(4)
            .set_bool("datafusion.sql_parser.map_string_types_to_utf8view", false);
        Self { context: SessionContext::new_with_config(config), scratch: tempfile::tempdir().unwrap() }
    }

    pub(super) async fn run(&self, sql: &str) -> Result<Vec<RecordBatch>> {
        let scratch = format!("{}/", self.scratch.path().display());
        self.context.sql(&sql.replace("test_files/scratch/", &scratch)).await?.collect().await
    }

    /// The tables that a query reads; none if one of them is not simply a table of this session.
    pub(super) async fn tables(&self, sql: &str) -> Option<BTreeMap<String, RecordBatch>> {
        let state = self.context.state();
        let statement = state.sql_to_statement(sql, &state.config().options().sql_parser.dialect).ok()?;
        let mut tables = BTreeMap::new();
        for reference in state.resolve_table_references(&statement).ok()? {
            let TableReference::Bare { table } = &reference else { return None };
            let frame = self.context.table(reference.clone()).await.ok()?;
            let schema = std::sync::Arc::clone(frame.schema().inner());
            let batches = frame.limit(0, Some(ROWS + 1)).ok()?.collect().await.ok()?;
            let rows = concat_batches(&schema, &batches).ok()?;
            if rows.num_rows() > ROWS {
                return None;
            }
            tables.insert(table.to_string(), rows);
        }
        Some(tables)
    }
}
