//! One domain query from its ticket to its stream: check, plan, execute.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use datafusion::catalog::MemoryCatalogProviderList;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use meshgate_engine::QuerySettings;
use meshgate_proto::v1::{DirectRead, DomainRequest, Permit, SignedPermit};
use prost::Message;
use tokio::time::Instant;
use tonic::Status;

use crate::access::Access;
use crate::lookups::Lookups;
use crate::node::{Node, Phase};
use crate::planning::plan;
use crate::reader::{Promise, Reader};
use crate::record::OpenRecord;
use crate::request::{CheckedQuery, Refusal, TICKET_BYTES, check_query};
use crate::shadow::{self, Counting};
use crate::state::State;
use crate::status::QueryError;
use crate::stream::{self, Pump, ResultStream};
use crate::touched::Touched;

/// An accepted domain query.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) query_id: String,
    pub(crate) stream: ResultStream,
}

/// Answers the ticket of a peer that is a gateway.
pub(crate) async fn answer(node: &Node, ticket: &[u8]) -> Result<Answer, Status> {
    answer_to(Reader::Gateway, node, request(ticket)).await
}

/// Answers a client to whom a gateway promised the result.
pub(crate) async fn answer_client(node: &Node, read: DirectRead) -> Result<Answer, Status> {
    let (reader, request) = (Reader::Client(Promise::of(&read)), read.request);
    answer_to(reader, node, request.ok_or(Refusal::TicketMalformed)).await
}

async fn answer_to(
    reader: Reader,
    node: &Node,
    request: Result<DomainRequest, Refusal>,
) -> Result<Answer, Status> {
    let (now, told) = (node.clock.now(), reader.told());
    let wire = reader.wire(&request);
    let permitted = request.map_err(QueryError::from).and_then(|request| permitted(node, request, now));
    let (permit, query) =
        permitted.map_err(|error| OpenRecord::of_nobody(node.audit.clone(), told).fail(error))?;
    // From here to its end the query knows this one state only.
    let state = node.states.borrow().clone();
    let mut record = OpenRecord::open(node.audit.clone(), &permit, &state, told);
    let query_id = permit.query_id.clone();
    let idle_time = reader.idle_time(&node.limits);
    match begin(node, reader, &state, &permit, &query, now, &mut record).await {
        Ok(begun) => {
            let Begun { batches, schema, slot, deadline, access, counting } = begun;
            let phase = node.phase.clone();
            let pump = Pump { record, slot, deadline, phase, access, told, idle_time, wire, counting };
            Ok(Answer { query_id, stream: stream::start(batches, schema, pump) })
        }
        Err(error) => Err(record.fail(error)),
    }
}

fn request(ticket: &[u8]) -> Result<DomainRequest, Refusal> {
    if ticket.len() > TICKET_BYTES {
        return Err(Refusal::TicketTooLong);
    }
    DomainRequest::decode(ticket).map_err(|_| Refusal::TicketMalformed)
}

/// The permit, now used up, and the query's bytes, about which nothing is known yet.
fn permitted(node: &Node, request: DomainRequest, now: i64) -> Result<(Permit, Vec<u8>), QueryError> {
    let signed: SignedPermit = request.permit.ok_or(Refusal::NoPermit)?;
    Ok((node.permits.check(&signed, now)?, request.query))
}

/// A query that runs.
struct Begun {
    batches: BoxStream<'static, Result<RecordBatch, QueryError>>,
    schema: SchemaRef,
    slot: tokio::sync::OwnedSemaphorePermit,
    deadline: Instant,
    access: Access,
    counting: Option<Counting>,
}

async fn begin(
    node: &Node,
    reader: Reader,
    state: &Arc<State>,
    permit: &Permit,
    query: &[u8],
    now: i64,
    record: &mut OpenRecord,
) -> Result<Begun, QueryError> {
    if *node.phase.borrow() != Phase::Serving {
        return Err(QueryError::Stopping);
    }
    node.audit.ensure_writable()?;
    let checked = check_query(state, permit, query, now)?;
    for table in &checked.tables {
        record.decided(table.table.contract(), &table.decision);
        record.keys(state.pseudonyms().used_by(&table.decision));
    }
    reader.check(&checked.schema)?;
    let slot = reader.slot(node)?;
    let deadline = Instant::now() + node.limits.query_time;
    let checked = Arc::new(checked);
    let settings = QuerySettings {
        query_id: permit.query_id.clone(),
        instant: checked.statement.instant,
        zone: checked.statement.zone.name().to_owned(),
    };
    // No catalog: the tables are parts of the plan, and no name is ever looked up.
    let catalogs = Arc::new(MemoryCatalogProviderList::new());
    let session = node.engine.session(settings, catalogs).map_err(QueryError::engine)?;
    let context = session.task_ctx();
    let lookups =
        Lookups::new(Arc::clone(state), session.clone(), &checked.lookups(), node.limits.lookup_keys);
    let touched = Arc::new(Touched::default());
    let planning = {
        let (planned, pseudonyms) = (checked.clone(), Arc::clone(state.pseudonyms()));
        let touched = Arc::clone(&touched);
        async move { Ok(plan(&session, &planned, &lookups, &pseudonyms, &touched).await) }
    };
    let planned = node.engine.run(planning, deadline.into_std()).await;
    let physical = planned.map_err(QueryError::engine)??;
    record.touched(touched.columns());
    let compared = shadow::compare(state, permit, &checked, &touched);
    let counting = match (&compared, &node.counts) {
        (Some(compared), Some(slots)) => {
            Counting::of(node, state, compared, &checked, permit, Arc::clone(slots))
        }
        _ => None,
    };
    record.shadow(compared.map(|compared| compared.shadow));
    let batches = node.engine.execute(physical, context, deadline.into_std()).map_err(QueryError::engine)?;
    let access = Access::new(node.states.clone(), permit, &checked, node.clock, node.limits.revocation_time);
    let (batches, schema) = reader.shape(checked_batches(batches, Arc::clone(&checked)), &checked.schema);
    Ok(Begun { batches, schema, slot, deadline, access, counting })
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
        let batch = batch.map_err(QueryError::engine)?;
        let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let (schema, columns) = (Arc::clone(&checked.schema), batch.columns().to_vec());
        // Refuses other types, and a NULL where none was promised.
        RecordBatch::try_new_with_options(schema, columns, &rows)
            .map_err(|_| QueryError::Internal("a batch has another schema than its plan"))
    })
}
