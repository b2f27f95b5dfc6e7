//! A candidate for the owner's policies beside those in force: what it would
//! decide otherwise is recorded, and that is all. It is asked when everything
//! about a query is decided, and nothing of it is in a plan or in a result.

use std::sync::Arc;
use std::time::{Duration, Instant};

use datafusion::catalog::{MemoryCatalogProviderList, TableProvider};
use datafusion::error::DataFusionError;
use futures::TryStreamExt;
use meshgate_engine::audit::shadow::{RowsLine, Shadow, ShadowRows, ShadowTable, magnitude};
use meshgate_engine::{Engine, QuerySettings, permit};
use meshgate_policies::shadow::rows_only_in;
use meshgate_policies::{Decision, TableDecision};
use meshgate_proto::v1::Permit;
use tokio::sync::{Semaphore, watch};

use crate::audit::AuditLog;
use crate::lookups::Lookups;
use crate::node::{Node, Phase};
use crate::request::CheckedQuery;
use crate::state::{ServedTable, State};
use crate::touched::Touched;

/// Longest count of one table's rows, and the most memory that it may take from queries.
const COUNT_TIME: Duration = Duration::from_secs(10);
const COUNT_BYTES: usize = 64 << 20;
/// Stands for a count that did not come to an end.
const UNKNOWN: &str = "unknown";

/// What a candidate says of a query.
#[derive(Debug)]
pub(crate) struct Compared {
    pub(crate) shadow: Shadow,
    candidate: String,
    /// Tables of which it would give other rows, with both decisions.
    rows: Vec<(Arc<ServedTable>, TableDecision, Option<TableDecision>)>,
}

/// What the candidate would decide otherwise; none if there is no candidate.
pub(crate) fn compare(
    state: &State,
    permit: &Permit,
    checked: &CheckedQuery,
    touched: &Touched,
) -> Option<Compared> {
    let candidate = state.candidate()?;
    let principal = permit::principal_from_message(permit.principal.as_ref()?).ok()?;
    let read = touched.columns().read;
    let version = candidate.owner_version().to_string();
    let candidates = [(state.domain().to_owned(), version.clone())].into();
    let (mut shadow, mut rows) = (Shadow { candidates, differs: Vec::new() }, Vec::new());
    for table in &checked.tables {
        let name = format!("{}.{}", state.domain(), table.table.name());
        let other = candidate.decide(table.table.name(), &principal, &checked.statement);
        let live = Decision::Visible(table.decision.clone());
        let reads = |column: &str| read.contains(&format!("{name}.{column}"));
        let Some(found) = ShadowTable::of(name.clone(), &live, &other, &reads) else { continue };
        let other = match other {
            Decision::Visible(other) => Some(other),
            Decision::Absent { .. } => None,
        };
        if found.rows || other.is_none() {
            rows.push((Arc::clone(&table.table), table.decision.clone(), other));
        }
        shadow.note(found);
    }
    Some(Compared { shadow, candidate: version, rows })
}

/// Rows that are to be counted when their query has ended. The counting is done
/// below a barrier, of which only a number comes out.
#[derive(Debug)]
pub(crate) struct Counting {
    engine: Arc<Engine>,
    state: Arc<State>,
    audit: Arc<AuditLog>,
    settings: QuerySettings,
    candidate: String,
    rows: Vec<(Arc<ServedTable>, TableDecision, Option<TableDecision>)>,
    most_keys: usize,
    slots: Arc<Semaphore>,
}

impl Counting {
    /// None if there is nothing to count.
    pub(crate) fn of(
        node: &Node,
        state: &Arc<State>,
        compared: &Compared,
        checked: &CheckedQuery,
        permit: &Permit,
        slots: Arc<Semaphore>,
    ) -> Option<Self> {
        let settings = QuerySettings {
            query_id: permit.query_id.clone(),
            instant: checked.statement.instant,
            zone: checked.statement.zone.name().to_owned(),
        };
        (!compared.rows.is_empty()).then(|| Self {
            engine: Arc::clone(&node.engine),
            state: Arc::clone(state),
            audit: Arc::clone(&node.audit),
            settings,
            candidate: compared.candidate.clone(),
            rows: compared.rows.clone(),
            most_keys: node.limits.lookup_keys,
            slots,
        })
    }

    /// Counts and records, unless something is being counted already, and while the node serves.
    pub(crate) async fn run(self, mut phase: watch::Receiver<Phase>) {
        let Ok(_slot) = Arc::clone(&self.slots).try_acquire_owned() else { return };
        tokio::select! {
            biased;
            _ = phase.wait_for(|phase| *phase != Phase::Serving) => {}
            () = self.count_all() => {}
        }
    }

    async fn count_all(&self) {
        let mut tables = Vec::with_capacity(self.rows.len());
        for (table, live, candidate) in &self.rows {
            let deadline = Instant::now() + COUNT_TIME;
            let lost = self.count(table, Some(live), candidate.as_ref(), deadline).await;
            let gained = self.count(table, candidate.as_ref(), Some(live), deadline).await;
            let name = format!("{}.{}", self.state.domain(), table.name());
            tables.push(ShadowRows { table: name, lost, gained });
        }
        let counted = RowsLine { candidate: self.candidate.clone(), tables };
        if let Err(error) = self.audit.write_shadow(&self.settings.query_id, &counted) {
            tracing::error!(query_id = self.settings.query_id, %error, "what a candidate would change is not recorded yet");
        }
    }

    /// How many rows `one` gives and `other` does not, roughly.
    async fn count(
        &self,
        table: &Arc<ServedTable>,
        one: Option<&TableDecision>,
        other: Option<&TableDecision>,
        deadline: Instant,
    ) -> String {
        let Some(rows) = one.and_then(|one| rows_only_in(one, other, table.contract())) else {
            return magnitude(0);
        };
        match self.number(table, rows, deadline).await {
            Ok(count) => magnitude(count),
            Err(error) => {
                // Its text may quote cells.
                tracing::debug!(query_id = self.settings.query_id, %error, "rows of a candidate cannot be counted");
                UNKNOWN.to_owned()
            }
        }
    }

    async fn number(
        &self,
        table: &Arc<ServedTable>,
        rows: TableDecision,
        deadline: Instant,
    ) -> Result<u64, DataFusionError> {
        let catalogs = Arc::new(MemoryCatalogProviderList::new());
        let session = self.engine.small_session(self.settings.clone(), catalogs, COUNT_BYTES)?;
        let context = session.task_ctx();
        let lookups = Lookups::new(Arc::clone(&self.state), session.clone(), &rows.lookups, self.most_keys);
        let table = Arc::clone(table);
        let planning = async move {
            let secured = table.secured(&rows, &session).await;
            let secured = secured.map_err(|error| DataFusionError::External(Box::new(error)))?;
            secured.with_lookups(lookups).scan(&session, Some(&Vec::new()), &[], None).await
        };
        let plan = self.engine.run(planning, deadline).await?;
        let batches = self.engine.execute(plan, context, deadline)?;
        batches.try_fold(0, async |sum: u64, batch| Ok(sum + batch.num_rows() as u64)).await
    }
}
