//! Scans as names of tables. Everything else that `datafusion-proto` leaves to
//! its user (extensions, file formats, functions with a definition) is refused.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::common::error::Result;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{TableReference, plan_err};
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{Extension, LogicalPlan, ScalarUDF, lit};
use datafusion_proto::logical_plan::LogicalExtensionCodec;

use super::same_columns;
use crate::scalar_or_null;

type Name = dyn Fn(&dyn TableProvider) -> Option<String> + Send + Sync;

/// Writes scans.
pub(super) struct Writer {
    name: Box<Name>,
}

impl Writer {
    pub(super) fn new(name: impl Fn(&dyn TableProvider) -> Option<String> + Send + Sync + 'static) -> Self {
        Self { name: Box::new(name) }
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

/// Reads scans of these tables.
#[derive(Debug)]
pub(super) struct Reader {
    tables: BTreeMap<String, Arc<dyn TableProvider>>,
}

impl Reader {
    pub(super) fn new(tables: BTreeMap<String, Arc<dyn TableProvider>>) -> Self {
        Self { tables }
    }
}

/// What a message says of a plan. Filters in a scan are not applied by whoever decodes it, and a message has no
/// place for a scan's limit: the operators above say both once more. A limit that skips no row skips 0.
pub(super) fn bare(plan: LogicalPlan) -> Result<LogicalPlan> {
    let plan = plan.transform_up_with_subqueries(|node| {
        Ok(match node {
            LogicalPlan::TableScan(mut scan) => {
                scan.filters.clear();
                scan.fetch = None;
                Transformed::yes(LogicalPlan::TableScan(scan))
            }
            LogicalPlan::Limit(mut limit) if limit.skip.is_none() => {
                limit.skip = Some(Box::new(lit(0_i64)));
                Transformed::yes(LogicalPlan::Limit(limit))
            }
            other => Transformed::no(other),
        })
    })?;
    Ok(plan.data)
}

impl LogicalExtensionCodec for Writer {
    fn try_decode(&self, _: &[u8], _: &[LogicalPlan], _: &TaskContext) -> Result<Extension> {
        plan_err!("nothing is read here")
    }

    fn try_encode(&self, _: &Extension, _: &mut Vec<u8>) -> Result<()> {
        plan_err!("an extension has no form in a message")
    }

    fn try_decode_table_provider(
        &self,
        _: &[u8],
        _: &TableReference,
        _: SchemaRef,
        _: &TaskContext,
    ) -> Result<Arc<dyn TableProvider>> {
        plan_err!("nothing is read here")
    }

    fn try_encode_table_provider(
        &self,
        _: &TableReference,
        table: Arc<dyn TableProvider>,
        buffer: &mut Vec<u8>,
    ) -> Result<()> {
        match (self.name)(table.as_ref()) {
            Some(name) => {
                buffer.extend_from_slice(name.as_bytes());
                Ok(())
            }
            None => plan_err!("a table that is not the domain's"),
        }
    }
}

impl LogicalExtensionCodec for Reader {
    fn try_decode(&self, _: &[u8], _: &[LogicalPlan], _: &TaskContext) -> Result<Extension> {
        plan_err!("an extension has no form in a message")
    }

    fn try_encode(&self, _: &Extension, _: &mut Vec<u8>) -> Result<()> {
        plan_err!("nothing is written here")
    }

    fn try_decode_table_provider(
        &self,
        buffer: &[u8],
        _: &TableReference,
        schema: SchemaRef,
        _: &TaskContext,
    ) -> Result<Arc<dyn TableProvider>> {
        let table = std::str::from_utf8(buffer).ok().and_then(|name| self.tables.get(name));
        match table {
            // Projections are positions in the message's schema.
            Some(table) if same_columns(&table.schema(), &schema) => Ok(Arc::clone(table)),
            Some(_) => plan_err!("a scan expects other columns than its table has"),
            None => plan_err!("a scan of a table that is not given"),
        }
    }

    fn try_encode_table_provider(
        &self,
        _: &TableReference,
        _: Arc<dyn TableProvider>,
        _: &mut Vec<u8>,
    ) -> Result<()> {
        plan_err!("nothing is written here")
    }

    /// Sessions know all functions but one.
    fn try_decode_udf(&self, name: &str, buffer: &[u8]) -> Result<Arc<ScalarUDF>> {
        if name == scalar_or_null::NAME && buffer.is_empty() {
            Ok(scalar_or_null::function())
        } else {
            plan_err!("a function that is not offered")
        }
    }
}
