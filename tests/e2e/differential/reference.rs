//! The right answer: one plain engine over exactly the cells that the oracle leaves.

use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use chrono::Utc;
use datafusion::catalog::{MemorySchemaProvider, SchemaProvider};
use datafusion::common::DataFusionError;
use datafusion::datasource::MemTable;
use datafusion::execution::SessionStateBuilder;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::physical_plan::collect;
use datafusion::prelude::{SessionConfig, SessionContext};
use meshgate_oracle::{Caller, Documents, Row, read_rows, view};
use serde_json::Value as Json;

use super::answer::Answer;
use super::scope::Visible;
use super::tables::{DOMAINS, Kind, batch};
use super::world::World;

/// The documents and raw rows of a world, as the oracle reads them from the mesh's files.
pub(crate) struct Oracle {
    domains: Vec<(Documents, Vec<Vec<Row>>)>,
    today: i32,
}

/// What one caller sees.
pub(crate) struct Reference {
    pub(crate) visible: Vec<Visible>,
    /// Columns and tables that are there and not visible.
    pub(crate) hidden: Vec<(String, String)>,
    context: SessionContext,
}

impl Oracle {
    pub(crate) fn read(root: &Path, world: &World) -> Self {
        let domains = DOMAINS.map(|domain| {
            let folder = root.join(domain);
            let (products, policies) = (folder.join("products"), folder.join("policies"));
            let documents = Documents::read(domain, &root.join("mesh.yaml"), &products, &policies);
            let rows = documents.tables.iter().map(read_rows).collect();
            (documents, rows)
        });
        let zone: chrono_tz::Tz = world.zone.parse().unwrap();
        let day = Utc::now().with_timezone(&zone).date_naive();
        let today = day.signed_duration_since(chrono::NaiveDate::default()).num_days();
        Self { domains: domains.into(), today: i32::try_from(today).unwrap() }
    }

    pub(crate) fn reference(&self, world: &World, claims: &Json) -> Reference {
        let config = SessionConfig::new()
            .with_default_catalog_and_schema("mesh", "public")
            .with_target_partitions(1)
            .set_str("datafusion.execution.time_zone", world.zone)
            .set_bool("datafusion.execution.skip_physical_aggregate_schema_check", true)
            .set_bool("datafusion.sql_parser.map_string_types_to_utf8view", false);
        // The rule takes columns of the same name on both sides of a join for the same column.
        let mut rules = PhysicalOptimizer::new().rules;
        rules.retain(|rule| !rule.name().starts_with("FilterPushdown"));
        let state = SessionStateBuilder::new()
            .with_default_features()
            .with_config(config)
            .with_physical_optimizer_rules(rules)
            .build();
        let mut reference = Reference {
            visible: Vec::new(),
            hidden: Vec::new(),
            context: SessionContext::new_with_state(state),
        };
        for (documents, raw) in &self.domains {
            let caller = Caller::new(&documents.mesh, claims, self.today);
            let domain = &documents.tables[0].domain;
            let schema = Arc::new(MemorySchemaProvider::new());
            for (table, rows) in documents.tables.iter().zip(raw) {
                let full = format!("{domain}.{}", table.name);
                let seen = view(documents, table, &caller, rows);
                let shown = seen.as_ref().map(|seen| seen.columns.as_slice()).unwrap_or_default();
                for column in table.columns.iter().filter(|column| !shown.contains(&column.name)) {
                    reference.hidden.push((full.clone(), column.name.clone()));
                }
                let Some(seen) = seen else { continue };
                let columns: Vec<(String, Kind)> = seen
                    .columns
                    .iter()
                    .map(|name| (name.clone(), world.kind(domain, &table.name, name)))
                    .collect();
                let batch = batch(&columns, &seen.rows);
                // An expression that always fails does not fail on no rows, but on an empty batch.
                let batches = if batch.num_rows() == 0 { Vec::new() } else { vec![batch.clone()] };
                let provider = MemTable::try_new(batch.schema(), vec![batches]).unwrap();
                schema.register_table(table.name.clone(), Arc::new(provider)).unwrap();
                reference.visible.push(Visible { name: full, columns });
            }
            let catalog = reference.context.catalog("mesh").unwrap();
            catalog.register_schema(domain, schema).unwrap();
        }
        reference
    }
}

impl Reference {
    pub(crate) async fn answer(&self, sql: &str) -> Answer {
        match self.run(sql).await {
            Ok((schema, batches)) => Answer::rows(&schema, &batches),
            Err(error) => failure(&error),
        }
    }

    async fn run(&self, sql: &str) -> Result<(SchemaRef, Vec<RecordBatch>), DataFusionError> {
        // The optimizer may change the type of a sum, so the physical plan's is the one that counts.
        let plan = self.context.sql(sql).await?.create_physical_plan().await?;
        Ok((plan.schema(), collect(plan, self.context.task_ctx()).await?))
    }
}

fn failure(error: &DataFusionError) -> Answer {
    match error.find_root() {
        DataFusionError::ArrowError(..) | DataFusionError::Execution(_) => Answer::Failed(error.to_string()),
        DataFusionError::Internal(_) => Answer::Broken(error.to_string()),
        _ => Answer::Refused(error.to_string()),
    }
}
