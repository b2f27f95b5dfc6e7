//! The keys of the lookups that a query's decisions use. Each set is computed
//! at most once a query, when a scan first needs it, from the raw table through
//! the same barrier as every other scan.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, new_empty_array};
use arrow::compute::concat;
use datafusion::common::{Column, TableReference};
use datafusion::datasource::provider_as_source;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::StreamExt;
use meshgate_engine::lower::{lookups_in, with_keys};
use meshgate_engine::{KeySet, data_type};
use meshgate_policies::decision::DecidedLookup;
use meshgate_policies::expression::{Expr as PolicyExpr, Literal};
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::secured::{ReadError, SecureError, SecuredTable, TableError};
use crate::source::SourceError;
use crate::state::{OpenError, State};

/// The lookups of one query.
#[derive(Debug)]
pub(crate) struct Lookups {
    state: Arc<State>,
    session: SessionState,
    most_keys: usize,
    decided: Vec<Decided>,
}

#[derive(Debug)]
struct Decided {
    lookup: DecidedLookup,
    keys: OnceCell<Arc<KeySet>>,
}

/// Why a lookup has no keys. For the node's log: it names what callers must not know.
#[derive(Debug, thiserror::Error)]
#[error("the lookup {lookup:?} of the table {table:?}: {fault}")]
pub(crate) struct LookupError {
    lookup: String,
    table: String,
    #[source]
    fault: LookupFault,
}

#[derive(Debug, thiserror::Error)]
enum LookupFault {
    #[error("the decision does not hold it")]
    Unknown,
    #[error("it has more than {most} different keys (limits.lookup_keys)")]
    TooManyKeys { most: usize },
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Engine(#[from] DataFusionError),
}

impl Lookups {
    pub(crate) fn new(
        state: Arc<State>,
        session: SessionState,
        decided: &[DecidedLookup],
        most_keys: usize,
    ) -> Arc<Self> {
        let decided =
            decided.iter().map(|lookup| Decided { lookup: lookup.clone(), keys: OnceCell::new() }).collect();
        Arc::new(Self { state, session, most_keys, decided })
    }

    /// The expression with the keys of its lookups.
    pub(crate) async fn complete(self: &Arc<Self>, expr: Expr) -> Result<Expr, DataFusionError> {
        let mut found = Vec::new();
        for name in lookups_in(&expr) {
            let keys = self.keys(&name).await?;
            found.push((name, keys));
        }
        let keys =
            |name: &str| found.iter().find(|(known, _)| known == name).map(|(_, keys)| Arc::clone(keys));
        with_keys(expr, &keys)
    }

    async fn keys(self: &Arc<Self>, name: &str) -> Result<Arc<KeySet>, LookupError> {
        let Some(decided) = self.decided.iter().find(|decided| decided.lookup.name == name) else {
            return Err(LookupError {
                lookup: name.to_owned(),
                table: String::new(),
                fault: LookupFault::Unknown,
            });
        };
        let lookup = &decided.lookup;
        let computed =
            decided.keys.get_or_try_init(|| async { self.compute(lookup).await.map(Arc::new) }).await;
        computed.cloned().map_err(|fault| LookupError {
            lookup: lookup.name.clone(),
            table: lookup.table.clone(),
            fault,
        })
    }

    async fn compute(self: &Arc<Self>, lookup: &DecidedLookup) -> Result<KeySet, LookupFault> {
        let [key] = lookup.keys.columns.as_slice() else {
            return Err(OpenError::from(SecureError::NothingVisible).into());
        };
        let keys = match lookup.keys.rows {
            // No row counts: there is nothing to read.
            Some(PolicyExpr::Literal(Literal::Boolean(false))) => Vec::new(),
            _ => self.read(lookup, self.plan(lookup, &key.name).await?).await?,
        };
        let keys: Vec<&dyn Array> = keys.iter().map(AsRef::as_ref).collect();
        let keys = match keys.as_slice() {
            [] => new_empty_array(&data_type::to_arrow(&key.data_type)),
            keys => concat(keys).map_err(DataFusionError::from)?,
        };
        Ok(KeySet::try_new(keys, self.pool())?)
    }

    async fn plan(
        self: &Arc<Self>,
        lookup: &DecidedLookup,
        key: &str,
    ) -> Result<Arc<dyn ExecutionPlan>, LookupFault> {
        let table = self.state.table(&lookup.table).ok_or(OpenError::NoSource)?;
        let secured = table.secured(&lookup.keys, &self.session).await?.with_lookups(Arc::clone(self));
        let logical = different_keys(secured, &lookup.table, key, self.most_keys.saturating_add(1))?;
        #[expect(
            clippy::disallowed_methods,
            reason = "our own plan over one secured table, after all checks"
        )]
        let physical = self.session.create_physical_plan(&logical).await?;
        #[cfg(debug_assertions)]
        if let Err(error) = crate::secured::check(&physical) {
            return Err(DataFusionError::Internal(error.to_string()).into());
        }
        Ok(physical)
    }

    async fn read(
        &self,
        lookup: &DecidedLookup,
        plan: Arc<dyn ExecutionPlan>,
    ) -> Result<Vec<ArrayRef>, LookupFault> {
        let memory = MemoryConsumer::new("keys of a lookup").register(self.pool());
        let mut batches = execute_stream(plan, self.session.task_ctx())?;
        let (mut keys, mut count) = (Vec::new(), 0);
        while let Some(batch) = batches.next().await {
            for column in batch?.columns() {
                count += column.len();
                if count > self.most_keys {
                    return Err(LookupFault::TooManyKeys { most: self.most_keys });
                }
                memory.try_grow(column.to_data().get_slice_memory_size().map_err(DataFusionError::from)?)?;
                keys.push(Arc::clone(column));
            }
        }
        tracing::debug!(lookup = lookup.name, count, "the keys of a lookup are there");
        Ok(keys)
    }

    fn pool(&self) -> &Arc<dyn MemoryPool> {
        &self.session.runtime_env().memory_pool
    }
}

fn different_keys(
    secured: SecuredTable,
    table: &str,
    key: &str,
    most: usize,
) -> Result<LogicalPlan, DataFusionError> {
    LogicalPlanBuilder::scan(TableReference::bare(table), provider_as_source(Arc::new(secured)), None)?
        .project([Expr::Column(Column::new_unqualified(key))])?
        .distinct()?
        .limit(0, Some(most))?
        .build()
}

impl From<LookupError> for DataFusionError {
    fn from(error: LookupError) -> Self {
        Self::External(Box::new(error))
    }
}

impl LookupError {
    /// What may be said of it above a barrier.
    pub(crate) fn seen_above(&self, id: Uuid) -> ReadError {
        match &self.fault {
            LookupFault::Open(OpenError::Source(SourceError::Changed { .. })) => ReadError::Changed { id },
            LookupFault::Engine(error) => {
                match (TableError::find(error).map(|found| found.error), error.find_root()) {
                    (Some(ReadError::Changed { .. }), _) => ReadError::Changed { id },
                    (Some(ReadError::Cancelled { .. }), _) => ReadError::Cancelled { id },
                    (Some(ReadError::LimitReached { .. }), _)
                    | (_, DataFusionError::ResourcesExhausted(_)) => ReadError::LimitReached { id },
                    _ => ReadError::Unavailable { id },
                }
            }
            LookupFault::Unknown | LookupFault::TooManyKeys { .. } | LookupFault::Open(_) => {
                ReadError::Unavailable { id }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_names_the_lookup_and_what_is_seen_above_does_not() {
        let error = |fault| LookupError { lookup: "vip".into(), table: "people".into(), fault };
        let id = Uuid::nil();
        assert_eq!(
            error(LookupFault::TooManyKeys { most: 7 }).to_string(),
            "the lookup \"vip\" of the table \"people\": it has more than 7 different keys (limits.lookup_keys)"
        );
        let read = |error| LookupFault::Engine(TableError { table: "people".into(), error }.into());
        let full = DataFusionError::ResourcesExhausted("people".into());
        for (fault, seen) in [
            (LookupFault::TooManyKeys { most: 7 }, ReadError::Unavailable { id }),
            (LookupFault::Unknown, ReadError::Unavailable { id }),
            (OpenError::NoSource.into(), ReadError::Unavailable { id }),
            (LookupFault::Engine(full), ReadError::LimitReached { id }),
            (LookupFault::Engine(DataFusionError::Execution("people".into())), ReadError::Unavailable { id }),
            (read(ReadError::Changed { id }), ReadError::Changed { id }),
            (read(ReadError::LimitReached { id }), ReadError::LimitReached { id }),
            (read(ReadError::Cancelled { id }), ReadError::Cancelled { id }),
            (read(ReadError::Unavailable { id }), ReadError::Unavailable { id }),
        ] {
            assert_eq!(error(fault).seen_above(id), seen);
        }
    }
}
