//! SQL statements: what they would give, and what they give.

use std::{sync::Arc, time::Duration};

use arrow::{
    datatypes::{Schema, SchemaRef},
    ipc::writer::IpcWriteOptions,
};
use arrow_flight::{
    FlightData, FlightDescriptor, FlightEndpoint, FlightInfo, IpcMessage, Location, SchemaAsIpc, Ticket,
};
use bytes::Bytes;
use datafusion::physical_plan::ExecutionPlan;
use futures::{StreamExt, TryStreamExt, future::BoxFuture, stream, stream::BoxStream};
use meshgate_policies::{Digest, digest::DigestBuilder};
use tonic::{Status, metadata::MetadataMap};

use super::{
    access::Access,
    asked::Asked,
    attempt::{self, Attempt},
    authenticate::Caller,
    delivery::{Delivery, Portions, execution_error},
    record::QueryRecord,
    session,
};
use crate::{
    app::Gateway,
    edge,
    planner::{Notice, Parameters, Planned},
    query::{DirectAnswer, DirectPromise, Portion, QueryContext, Relay},
    status::GatewayError,
    ticket::{self, Ticket as SealedTicket, TicketKind},
};

/// How long to wait for a description that explains why a node decides differently.
const NEWER_WITHIN: Duration = Duration::from_secs(2);

/// The location that stands for the connection that a client has already.
const REUSE_CONNECTION: &str = "arrow-flight-reuse-connection://?";

/// What a statement would give.
#[derive(Debug)]
pub(super) struct Described {
    pub(super) schema: SchemaRef,
    /// Types of the parameters, named by their numbers.
    pub(super) parameters: SchemaRef,
    pub(super) notice: Notice,
    /// The statement changes the session and gives no rows.
    pub(super) is_setting: bool,
    /// How the result can be read from a node.
    direct: Option<DirectAnswer>,
    /// The plan of a query.
    planned: Option<(Attempt, Planned)>,
}

impl Described {
    /// Of a statement that changes the session.
    fn setting() -> Self {
        let (schema, parameters) = (Arc::new(Schema::empty()), Arc::new(Schema::empty()));
        Self { schema, parameters, notice: Notice::default(), is_setting: true, direct: None, planned: None }
    }

    /// Keeps the plan until the caller comes back with what names this call.
    pub(super) fn keep(self, gateway: &Gateway, asked: Asked) {
        if let Some((attempt, planned)) = self.planned {
            gateway.kept_plans.keep(asked, attempt, planned);
        }
    }
}

/// Plans a statement without running it.
pub(super) async fn describe(
    gateway: &Gateway,
    caller: &Caller,
    sql: &str,
    parameters: Parameters,
) -> Result<Described, GatewayError> {
    describe_and(gateway, caller, sql, &parameters, None, |_, _, _| None).await
}

/// The same, with what `offer` makes of the plan, and the schema of its result. The call `earlier` may have planned
/// the statement already.
async fn describe_and(
    gateway: &Gateway,
    caller: &Caller,
    sql: &str,
    parameters: &Parameters,
    earlier: Option<&str>,
    offer: impl FnOnce(&Arc<dyn ExecutionPlan>, &SchemaRef, &Arc<QueryContext>) -> Option<DirectAnswer>,
) -> Result<Described, GatewayError> {
    let _admitted = gateway.admission.admit(&caller.principal)?;
    gateway.audit.ready()?;
    let mut record =
        QueryRecord::begin(Arc::clone(&gateway.audit), &caller.query_id, &caller.principal, sql, parameters);
    match session::setting(gateway, sql) {
        Ok(None) => {}
        Ok(Some(_)) => {
            record.not_run();
            return Ok(Described::setting());
        }
        Err(error) => return Err(record.refused(error)),
    }
    let (attempt, planned) =
        attempt::planned(gateway, caller, &caller.query_id, sql, parameters, earlier).await;
    record.read(&attempt.catalog, &planned);
    let planned = match planned {
        Ok(planned) => planned,
        Err(error) => return Err(record.refused(error)),
    };
    let schema = edge::schema(&planned.schema);
    let direct = offer(&planned.plan, &schema, &attempt.context);
    match &direct {
        Some(direct) => record.offered(&direct.domain)?,
        None => record.not_run(),
    }
    let (parameters, notice) = (Arc::clone(&planned.parameters), planned.notice.clone());
    let planned = Some((attempt, planned));
    Ok(Described { schema, parameters, notice, is_setting: false, direct, planned })
}

/// The FlightInfo of a statement, which the call `earlier` may have prepared: one endpoint. Its ticket is for the
/// gateway, and there is no location, unless the client may read from a node.
pub(super) async fn flight_info(
    gateway: &Gateway,
    caller: &Caller,
    asked: Asked,
    earlier: Option<&str>,
    descriptor: FlightDescriptor,
) -> Result<FlightInfo, GatewayError> {
    let offer = |plan: &Arc<dyn ExecutionPlan>, schema: &SchemaRef, context: &Arc<QueryContext>| {
        direct(gateway, caller, &asked, &Relay::of(plan, schema, context)?, schema)
    };
    let parameters = asked.parameters();
    let mut described = describe_and(gateway, caller, &asked.sql, &parameters, earlier, offer).await?;
    if let Some(setting) = session::setting(gateway, &asked.sql)? {
        session::change(gateway, caller, &asked.sql, &setting)?;
        return no_rows(descriptor);
    }
    let notice = described.notice.to_json(&caller.query_id);
    let info = match described.direct.take() {
        Some(direct) => direct_info(&described.schema, descriptor, direct)?,
        None => {
            let ticket = ticket(gateway, caller, &asked, &described.schema)?;
            let info = info(&described.schema, descriptor, ticket)?;
            described.keep(gateway, asked);
            info
        }
    };
    Ok(info.with_app_metadata(notice))
}

/// How the caller can read the result from a node, if it may.
fn direct(
    gateway: &Gateway,
    caller: &Caller,
    asked: &Asked,
    relay: &Relay,
    schema: &SchemaRef,
) -> Option<DirectAnswer> {
    // A token is taken for a moment longer, but no permit ends before it begins.
    if caller.token.expires_at <= gateway.clock.now() {
        return None;
    }
    let promise = || {
        Some(DirectPromise {
            statement: ticket(gateway, caller, asked, schema).ok()?,
            schema: encode(schema).ok()?,
            rows: gateway.limits.result_rows,
            bytes: gateway.limits.result_bytes,
        })
    };
    relay.direct(&caller.token, gateway.networks.zone(caller.peer), promise)
}

/// A FlightInfo whose result the client reads from a node, or else from where it asked.
fn direct_info(
    schema: &SchemaRef,
    descriptor: FlightDescriptor,
    direct: DirectAnswer,
) -> Result<FlightInfo, GatewayError> {
    let mut info = info(schema, descriptor, direct.ticket.into())?;
    for endpoint in &mut info.endpoint {
        endpoint.location =
            [direct.address.clone(), REUSE_CONNECTION.to_owned()].map(|uri| Location { uri }).to_vec();
    }
    Ok(info)
}

/// The FlightInfo of what was done already: there is nothing to read.
fn no_rows(descriptor: FlightDescriptor) -> Result<FlightInfo, GatewayError> {
    let schema = Schema::empty();
    let info = FlightInfo::new().try_with_schema(&schema).map_err(|error| unencodable(&error))?;
    Ok(info.with_descriptor(descriptor).with_total_records(0).with_total_bytes(0))
}

/// A FlightInfo that tells nothing about sizes.
pub(super) fn info(
    schema: &SchemaRef,
    descriptor: FlightDescriptor,
    ticket: Bytes,
) -> Result<FlightInfo, GatewayError> {
    let endpoint = FlightEndpoint::new().with_ticket(Ticket { ticket });
    let info = FlightInfo::new().try_with_schema(schema).map_err(|error| unencodable(&error))?;
    Ok(info.with_descriptor(descriptor).with_endpoint(endpoint).with_total_records(-1).with_total_bytes(-1))
}

/// The ticket of a statement's result, which will have this schema.
pub(super) fn ticket(
    gateway: &Gateway,
    caller: &Caller,
    asked: &Asked,
    schema: &SchemaRef,
) -> Result<Bytes, GatewayError> {
    seal(gateway, caller, TicketKind::Statement, &asked.encode()?, Some(digest(schema)?))
}

/// Seals something for the caller to bring back.
pub(super) fn seal(
    gateway: &Gateway,
    caller: &Caller,
    kind: TicketKind,
    content: &[u8],
    schema: Option<Digest>,
) -> Result<Bytes, GatewayError> {
    let instant = gateway.clock.now();
    let life = i64::try_from(gateway.limits.ticket_time.as_micros()).unwrap_or(i64::MAX);
    let internal = |error: ticket::SealError| GatewayError::Internal(error.to_string());
    // A result is run under the id that its FlightInfo names, and what was planned is found by it.
    let id = match (kind, uuid::Uuid::parse_str(&caller.query_id)) {
        (TicketKind::Statement | TicketKind::Prepared, Ok(id)) => id.into_bytes(),
        _ => ticket::random_id().map_err(internal)?,
    };
    let expires_at = instant.saturating_add(life);
    let (content, purpose) = (content.to_vec(), caller.principal.purpose.clone());
    let ticket = SealedTicket { kind, content, purpose, instant, schema, expires_at, id };
    gateway.sealer.seal(&ticket, caller.mesh(), &caller.principal).map(Bytes::from).map_err(internal)
}

/// Digest of a schema as it is promised.
fn digest(schema: &SchemaRef) -> Result<Digest, GatewayError> {
    Ok(DigestBuilder::new("meshgate-result-schema-v1").part(&encode(schema)?).finish())
}

/// The encapsulated IPC message of a schema.
pub(super) fn encode(schema: &Schema) -> Result<Bytes, GatewayError> {
    let options = IpcWriteOptions::default();
    let IpcMessage(bytes) =
        SchemaAsIpc::new(schema, &options).try_into().map_err(|error| unencodable(&error))?;
    Ok(bytes)
}

fn unencodable(error: &arrow::error::ArrowError) -> GatewayError {
    GatewayError::Internal(format!("a schema cannot be encoded: {error}"))
}

/// The result of a statement, and the id under which it is recorded.
pub(super) struct StatementResult {
    pub(super) messages: BoxStream<'static, Result<FlightData, Status>>,
    pub(super) query_id: String,
    pub(super) notice: Notice,
}

/// Runs the statement of a ticket under the policy of this moment.
pub(super) async fn run(
    gateway: &Gateway,
    caller: Caller,
    metadata: &MetadataMap,
    ticket: SealedTicket,
) -> Result<StatementResult, GatewayError> {
    let asked = Asked::decode(&ticket.content)?;
    let query_id = ticket.call();
    let admitted = gateway.admission.admit(&caller.principal)?;
    gateway.audit.ready()?;
    let mut record = QueryRecord::begin(
        Arc::clone(&gateway.audit),
        &query_id,
        &caller.principal,
        &asked.sql,
        &asked.parameters(),
    );
    let started = match start(gateway, &caller, &asked, &query_id, ticket.schema, &mut record).await {
        Err(Stopped { error: GatewayError::PolicyMoved, .. }) => {
            gateway.mesh.changed_since(&caller.snapshot, NEWER_WITHIN).await;
            let again =
                caller.again(gateway, metadata).await.map_err(|error| Stopped { error, running: false });
            match again {
                Ok(caller) => start(gateway, &caller, &asked, &query_id, ticket.schema, &mut record).await,
                Err(stopped) => Err(stopped),
            }
        }
        other => other,
    };
    let started = match started {
        Ok(started) => started,
        Err(Stopped { error, running: true }) => return Err(record.failed(error)),
        Err(Stopped { error, running: false }) => return Err(record.refused(error)),
    };
    let Started { portions, schema, notice, lost } = started;
    let stopping = gateway.stopping.subscribe();
    let delivery =
        Delivery { portions, query_id: query_id.clone(), schema, record, admitted, stopping, lost };
    Ok(StatementResult { messages: delivery.start(&gateway.limits), query_id, notice })
}

/// A query whose first rows are there.
struct Started {
    portions: Portions,
    schema: SchemaRef,
    notice: Notice,
    /// Completes when the result may not go on.
    lost: BoxFuture<'static, ()>,
}

/// A query that did not start.
struct Stopped {
    error: GatewayError,
    /// Domains were asked already.
    running: bool,
}

async fn start(
    gateway: &Gateway,
    caller: &Caller,
    asked: &Asked,
    query_id: &str,
    promised: Option<Digest>,
    record: &mut QueryRecord,
) -> Result<Started, Stopped> {
    let (Attempt { catalog, context }, planned) =
        attempt::planned(gateway, caller, query_id, &asked.sql, &asked.parameters(), Some(query_id)).await;
    record.read(&catalog, &planned);
    let refused = |error| Stopped { error, running: false };
    let Planned { schema, plan, task, notice, .. } = planned.map_err(refused)?;
    let schema = edge::schema(&schema);
    if promised.is_some() && promised != Some(digest(&schema).map_err(refused)?) {
        return Err(refused(GatewayError::SchemaChanged));
    }
    record.runs_in(&context);
    // From before a node is asked: what it sends may wait long for another's rows.
    let mut lost: BoxFuture<_> = Box::pin(Access::of(gateway, &catalog).lost());
    let mut portions: Portions = match Relay::of(&plan, &schema, &context) {
        Some(relay) => relay.portions().boxed(),
        None => {
            let batches = gateway.engine.execute(plan, task, context.deadline());
            let batches = batches.map_err(|error| refused(execution_error(&context, &error)))?;
            batches.map_ok(Portion::Rows).map_err(move |error| execution_error(&context, &error)).boxed()
        }
    };
    // Until the first row is given, a query can be planned again.
    let first = tokio::select! {
        biased;
        () = &mut lost => Err(GatewayError::AccessChanged),
        first = portions.next() => first.transpose(),
    };
    let first = first.map_err(|error| Stopped { error, running: true })?;
    let portions: Portions = stream::iter(first.map(Ok)).chain(portions).boxed();
    Ok(Started { portions, schema, notice, lost })
}
