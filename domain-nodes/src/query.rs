//! One domain query from its ticket to its stream: check, plan, execute.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::catalog::MemoryCatalogProviderList;
use datafusion::common::{Column, TableReference};
use datafusion::datasource::provider_as_source;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::ExecutionPlan;
use futures::{Stream, StreamExt};
use meshgate_engine::QuerySettings;
use meshgate_proto::v1::{DomainRequest, Permit, SignedPermit};
use prost::Message;
use tokio::time::Instant;
use tonic::Status;

use crate::lookups::Lookups;
use crate::node::{self, Node, Phase};
use crate::pseudonyms::Pseudonyms;
use crate::record::OpenRecord;
use crate::request::{CheckedQuery, Refusal, TICKET_BYTES, check_query, same_promise};
use crate::secured::SecuredTable;
use crate::state::State;
use crate::status::{QueryError, TableFault};
use crate::stream::{self, Pump, ResultStream};

/// An accepted domain query.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) query_id: String,
    pub(crate) stream: ResultStream,
}

/// Answers the ticket of a peer that is a gateway.
pub(crate) async fn answer(node: &Node, ticket: &[u8]) -> Result<Answer, Status> {
    let now = node::now();
    let (permit, query) = permitted(node, ticket, now).map_err(|error| error.report(""))?;
    // From here to its end the query knows this one state only.
    let state = node.states.borrow().clone();
    let mut record = OpenRecord::open(node.audit.clone(), &permit, &state);
    let query_id = permit.query_id.clone();
    match begin(node, &state, &permit, &query, now, &mut record).await {
        Ok(begun) => {
            let Begun { batches, schema, slot, deadline } = begun;
            let pump = Pump { record, slot, deadline, phase: node.phase.clone() };
            Ok(Answer { query_id, stream: stream::start(batches, schema, pump) })
        }
        Err(error) => Err(record.fail(error)),
    }
}

/// The permit, now used up, and the query's bytes, about which nothing is known yet.
fn permitted(node: &Node, ticket: &[u8], now: i64) -> Result<(Permit, Vec<u8>), QueryError> {
    if ticket.len() > TICKET_BYTES {
        return Err(Refusal::TicketTooLong.into());
    }
    let request = DomainRequest::decode(ticket).map_err(|_| Refusal::TicketMalformed)?;
    let signed: SignedPermit = request.permit.ok_or(Refusal::NoPermit)?;
    Ok((node.permits.check(&signed, now)?, request.query))
}

/// A query that runs.
struct Begun<S> {
    batches: S,
    schema: SchemaRef,
    slot: tokio::sync::OwnedSemaphorePermit,
    deadline: Instant,
}

async fn begin(
    node: &Node,
    state: &Arc<State>,
    permit: &Permit,
    query: &[u8],
    now: i64,
    record: &mut OpenRecord,
) -> Result<Begun<impl Stream<Item = Result<RecordBatch, QueryError>> + Send + 'static>, QueryError> {
    if *node.phase.borrow() != Phase::Serving {
        return Err(QueryError::Stopping);
    }
    node.audit.ensure_writable()?;
    let checked = check_query(state, permit, query, now)?;
    record.decided(checked.table.contract(), &checked.decision);
    record.keys(state.pseudonyms().used_by(&checked.decision));
    let slot = node.slots.clone().try_acquire_owned();
    let slot = slot.map_err(|_| QueryError::TooMany("concurrent_queries"))?;
    let deadline = Instant::now() + node.limits.query_time;
    let checked = Arc::new(checked);
    let engine = |error| QueryError::engine(checked.table.name(), error);
    let settings = QuerySettings {
        query_id: permit.query_id.clone(),
        instant: checked.statement.instant,
        zone: checked.statement.zone.name().to_owned(),
    };
    // No catalog: the one table is part of the plan, and no name is ever looked up.
    let catalogs = Arc::new(MemoryCatalogProviderList::new());
    let session = node.engine.session(settings, catalogs).map_err(engine)?;
    let context = session.task_ctx();
    let pseudonyms = Arc::clone(state.pseudonyms());
    let (state, most_keys) = (Arc::clone(state), node.limits.lookup_keys);
    let lookups = Lookups::new(state, session.clone(), &checked.decision.lookups, most_keys);
    let planning = plan(session, checked.clone(), lookups, pseudonyms);
    let planned = node.engine.run(async { Ok(planning.await) }, deadline.into_std()).await;
    let physical = planned.map_err(engine)??;
    let batches = node.engine.execute(physical, context, deadline.into_std()).map_err(engine)?;
    let schema = checked.schema.clone();
    Ok(Begun { batches: checked_batches(batches, checked), schema, slot, deadline })
}

async fn plan(
    session: SessionState,
    checked: Arc<CheckedQuery>,
    lookups: Arc<Lookups>,
    pseudonyms: Arc<Pseudonyms>,
) -> Result<Arc<dyn ExecutionPlan>, QueryError> {
    let unavailable = |fault: TableFault| QueryError::unavailable(checked.table.name(), fault);
    let engine = |error| QueryError::engine(checked.table.name(), error);
    let source = checked.table.source().ok_or_else(|| unavailable(TableFault::NoSource))?;
    let raw = source.open(&session).await.map_err(|error| unavailable(error.into()))?;
    let contract = checked.table.contract().clone();
    let secured = SecuredTable::new(&checked.decision, contract, raw.provider)
        .and_then(|secured| secured.with_pseudonyms(&pseudonyms))
        .map_err(|error| unavailable(error.into()))?
        .with_lookups(lookups);
    let logical = logical_plan(secured, &checked).map_err(engine)?;
    #[expect(clippy::disallowed_methods, reason = "our own plan over one secured table, after all checks")]
    let physical = session.create_physical_plan(&logical).await.map_err(engine)?;
    #[cfg(debug_assertions)]
    if let Err(error) = crate::secured::check(&physical) {
        tracing::error!(%error, "a plan went around its barrier");
        return Err(QueryError::Internal("a plan went around its barrier"));
    }
    if !same_promise(&physical.schema(), &checked.schema) {
        return Err(QueryError::Internal("the plan has another schema than its columns"));
    }
    Ok(physical)
}

fn logical_plan(secured: SecuredTable, checked: &CheckedQuery) -> datafusion::error::Result<LogicalPlan> {
    // Built from parts, not from names: nothing of the message is parsed.
    let column = |name: &String| Expr::Column(Column::new_unqualified(name));
    let name = TableReference::bare(checked.table.name());
    let mut builder = LogicalPlanBuilder::scan(name, provider_as_source(Arc::new(secured)), None)?;
    for filter in &checked.filters {
        builder = builder.filter(filter.clone())?;
    }
    builder.project(checked.columns.iter().map(column))?.limit(0, checked.limit)?.build()
}

/// The batches, each once more held against the promised schema.
fn checked_batches<S>(
    batches: S,
    checked: Arc<CheckedQuery>,
) -> impl Stream<Item = Result<RecordBatch, QueryError>> + Send + 'static
where
    S: Stream<Item = datafusion::error::Result<RecordBatch>> + Send + 'static,
{
    batches.map(move |batch| {
        let batch = batch.map_err(|error| QueryError::engine(checked.table.name(), error))?;
        if same_promise(&batch.schema(), &checked.schema) {
            Ok(batch)
        } else {
            Err(QueryError::Internal("a batch has another schema than its plan"))
        }
    })
}
