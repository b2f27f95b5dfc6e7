//! An engine over tables in memory: no policy, no domain, no network. What it answers over the cells that
//! a caller may see is what the mesh must answer.

mod multisets;
mod three_valued;

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::catalog::MemorySchemaProvider;
use datafusion::common::DataFusionError;
use datafusion::datasource::MemTable;
use datafusion::execution::SessionStateBuilder;
use datafusion::optimizer::Optimizer;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::physical_plan::collect;
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::proofs::answer::Answer;

pub(crate) struct PlainEngine(SessionContext);

/// Rules that give wrong plans. The first two together break plans over fields of structs. The third takes all joins
/// that it puts together for ones that know NULL as the topmost does: `=` and `is not distinct from` get mixed up.
const BROKEN: [&str; 3] = ["extract_leaf_expressions", "push_down_leaf_projections", "eliminate_cross_join"];

impl PlainEngine {
    /// Over tables by domain and name.
    pub(crate) fn new(zone: &str, tables: Vec<(&str, &str, RecordBatch)>) -> Self {
        Self::with_partitions(1, zone, tables)
    }

    /// The same, which does its work in parts.
    pub(crate) fn with_partitions(
        partitions: usize,
        zone: &str,
        tables: Vec<(&str, &str, RecordBatch)>,
    ) -> Self {
        let config = SessionConfig::new()
            .with_default_catalog_and_schema("mesh", "public")
            .with_target_partitions(partitions)
            .set_str("datafusion.execution.time_zone", zone)
            .set_bool("datafusion.execution.skip_physical_aggregate_schema_check", true)
            .set_bool("datafusion.sql_parser.map_string_types_to_utf8view", false);
        // The rule takes columns of the same name on both sides of a join for the same column.
        let mut rules = PhysicalOptimizer::new().rules;
        rules.retain(|rule| !rule.name().starts_with("FilterPushdown"));
        // By statistics, the sum of no rows is 0.
        rules.retain(|rule| rule.name() != "aggregate_statistics");
        let mut logical_rules = Optimizer::new().rules;
        logical_rules.retain(|rule| !BROKEN.contains(&rule.name()));
        let state = SessionStateBuilder::new()
            .with_default_features()
            .with_config(config)
            .with_optimizer_rules(logical_rules)
            .with_physical_optimizer_rules(rules)
            .build();
        let engine = Self(SessionContext::new_with_state(state));
        for (domain, table, batch) in tables {
            engine.add(domain, table, batch);
        }
        engine
    }

    pub(crate) fn add(&self, domain: &str, table: &str, batch: RecordBatch) {
        let catalog = self.0.catalog("mesh").unwrap();
        if catalog.schema(domain).is_none() {
            catalog.register_schema(domain, Arc::new(MemorySchemaProvider::new())).unwrap();
        }
        let schema = batch.schema();
        // An expression that always fails does not fail on no rows, but on an empty batch.
        let batches = if batch.num_rows() == 0 { Vec::new() } else { vec![batch] };
        let provider = MemTable::try_new(schema, vec![batches]).unwrap();
        let tables = catalog.schema(domain).unwrap();
        tables.register_table(table.to_owned(), Arc::new(provider)).unwrap();
    }

    pub(crate) async fn answer(&self, sql: &str) -> Answer {
        match self.run(sql).await {
            Ok((schema, batches)) => Answer::rows(&schema, &batches),
            Err(error) => failure(&error),
        }
    }

    async fn run(&self, sql: &str) -> Result<(SchemaRef, Vec<RecordBatch>), DataFusionError> {
        // The optimizer may change the type of a sum, so the physical plan's is the one that counts.
        let plan = multisets::counted(self.0.sql(sql).await?.into_unoptimized_plan())?;
        let plan = three_valued::written_down(plan)?;
        let plan = self.0.state().create_physical_plan(&plan).await?;
        Ok((plan.schema(), collect(plan, self.0.task_ctx()).await?))
    }
}

fn failure(error: &DataFusionError) -> Answer {
    match error.find_root() {
        // Nothing here reads from outside: an external error is a pattern that is none.
        DataFusionError::ArrowError(..) | DataFusionError::Execution(_) | DataFusionError::External(_) => {
            Answer::Failed(error.to_string())
        }
        DataFusionError::Internal(_) => Answer::Broken(error.to_string()),
        _ => Answer::Refused(error.to_string()),
    }
}
