//! Prepared statements. The handle is sealed and kept by the client: nothing
//! is stored, so nothing can be lost, and closing is always possible. Binding
//! values gives a new handle that holds them.

use arrow_flight::{
    FlightData, FlightDescriptor, FlightInfo, PutResult,
    sql::{
        ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult, Any,
        DoPutPreparedStatementResult, ProstMessageExt,
    },
};
use bytes::Bytes;
use futures::Stream;
use prost::Message;
use tonic::Status;

use super::{
    asked::{Asked, Prepared},
    authenticate::Caller,
    bound_row, command,
    statement::{self, Described},
};
use crate::{
    app::Gateway, edge, parameters::ParameterValues, planner::Parameters, status::GatewayError,
    ticket::TicketKind,
};

/// Field 4, `is_update`. The Flight SQL messages of this arrow-flight do not
/// have it yet; newer JDBC drivers read it.
const IS_NO_UPDATE: [u8; 2] = [0x20, 0x00];
const IS_UPDATE: [u8; 2] = [0x20, 0x01];

/// Answers `CreatePreparedStatement` with the packed result.
pub(super) async fn create(gateway: &Gateway, caller: &Caller, body: &[u8]) -> Result<Vec<u8>, GatewayError> {
    let not_understood =
        || GatewayError::InvalidRequest("the body is not ActionCreatePreparedStatementRequest");
    let request: ActionCreatePreparedStatementRequest =
        command::packed(body).and_then(|any| any.unpack().ok().flatten()).ok_or_else(not_understood)?;
    command::without_transaction(request.transaction_id.as_deref())?;
    let described = statement::describe(gateway, caller, &request.query, Parameters::Open).await?;
    let types = statement::encode(&edge::schema(&described.parameters))?;
    let handle = seal(gateway, caller, &request.query, &types, None)?;
    let has_parameters = !described.parameters.fields().is_empty();
    // Drivers take a statement without a schema for one that gives no rows.
    let (dataset_schema, is_update) = match described.is_setting {
        true => (Bytes::new(), IS_UPDATE),
        false => (statement::encode(&described.schema)?, IS_NO_UPDATE),
    };
    // Values that are bound later are part of the plan.
    if !has_parameters {
        described.keep(gateway, Asked::plain(request.query));
    }
    let result = ActionCreatePreparedStatementResult {
        prepared_statement_handle: handle,
        dataset_schema,
        parameter_schema: if has_parameters { types } else { Bytes::new() },
    };
    let mut value = result.encode_to_vec();
    value.extend_from_slice(&is_update);
    let type_url = ActionCreatePreparedStatementResult::type_url().to_owned();
    Ok(Any { type_url, value: value.into() }.encode_to_vec())
}

/// The statement of a handle, and the caller under the purpose it was prepared for.
pub(super) fn statement(
    gateway: &Gateway,
    caller: Caller,
    handle: &[u8],
) -> Result<(String, Caller), GatewayError> {
    let Opened { prepared, caller, .. } = open(gateway, caller, handle)?;
    Ok((prepared.sql, caller))
}

/// Binds the row in `messages` to the statement of a handle. Answers with the
/// handle that holds it.
pub(super) async fn bind(
    gateway: &Gateway,
    caller: Caller,
    handle: &[u8],
    messages: impl Stream<Item = Result<FlightData, Status>> + Send + Unpin,
) -> Result<PutResult, GatewayError> {
    let Opened { prepared, caller, .. } = open(gateway, caller, handle)?;
    let row = bound_row::read(messages, gateway.limits.idle_time).await?;
    let values = ParameterValues::bind(&row, &prepared.types)?;
    let types = statement::encode(&prepared.types)?;
    let handle = seal(gateway, &caller, &prepared.sql, &types, Some(&values))?;
    let result = DoPutPreparedStatementResult { prepared_statement_handle: Some(handle) };
    Ok(PutResult { app_metadata: result.encode_to_vec().into() })
}

/// What the statement of a handle would give.
pub(super) async fn describe(
    gateway: &Gateway,
    caller: Caller,
    handle: &[u8],
) -> Result<Described, GatewayError> {
    let Opened { prepared, caller, .. } = open(gateway, caller, handle)?;
    statement::describe(gateway, &caller, &prepared.sql, prepared.parameters()).await
}

/// The FlightInfo of a prepared statement.
pub(super) async fn flight_info(
    gateway: &Gateway,
    caller: Caller,
    handle: &[u8],
    descriptor: FlightDescriptor,
) -> Result<FlightInfo, GatewayError> {
    let Opened { prepared, caller, call } = open(gateway, caller, handle)?;
    statement::flight_info(gateway, &caller, prepared.into_asked(), Some(&call), descriptor).await
}

/// What a handle holds.
struct Opened {
    prepared: Prepared,
    /// Under the purpose it was prepared for.
    caller: Caller,
    /// That made the handle.
    call: String,
}

fn open(gateway: &Gateway, caller: Caller, handle: &[u8]) -> Result<Opened, GatewayError> {
    let now = gateway.clock.now();
    let ticket = gateway.sealer.open(TicketKind::Prepared, handle, caller.mesh(), &caller.principal, now)?;
    let (prepared, call) = (Prepared::decode(&ticket.content)?, ticket.call());
    Ok(Opened { prepared, caller: caller.working_for(ticket.purpose.as_deref())?, call })
}

fn seal(
    gateway: &Gateway,
    caller: &Caller,
    sql: &str,
    types: &[u8],
    values: Option<&ParameterValues>,
) -> Result<Bytes, GatewayError> {
    let content = Prepared::encode(sql, types, values)?;
    statement::seal(gateway, caller, TicketKind::Prepared, &content, None)
}
