//! Prepared statements. The handle is sealed and kept by the client: nothing
//! is stored, so nothing can be lost, and closing is always possible.

use arrow_flight::{
    FlightDescriptor, FlightInfo,
    sql::{ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult, Any, ProstMessageExt},
};
use bytes::Bytes;
use prost::Message;

use super::{authenticate::Caller, command, statement};
use crate::{app::Gateway, status::GatewayError, ticket::TicketKind};

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
    let described = statement::describe(gateway, caller, &request.query).await?;
    let handle = statement::seal(gateway, caller, TicketKind::Prepared, request.query.as_bytes(), None)?;
    // Drivers take a statement without a schema for one that gives no rows.
    let (dataset_schema, is_update) = match described.is_setting {
        true => (Bytes::new(), IS_UPDATE),
        false => (statement::encode(&described.schema)?, IS_NO_UPDATE),
    };
    let result = ActionCreatePreparedStatementResult {
        prepared_statement_handle: handle,
        dataset_schema,
        parameter_schema: Bytes::new(),
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
    let now = gateway.clock.now();
    let ticket = gateway.sealer.open(TicketKind::Prepared, handle, caller.mesh(), &caller.principal, now)?;
    let sql = String::from_utf8(ticket.content).map_err(|_| GatewayError::InvalidTicket)?;
    Ok((sql, caller.working_for(ticket.purpose.as_deref())?))
}

/// The FlightInfo of a prepared statement.
pub(super) async fn flight_info(
    gateway: &Gateway,
    caller: Caller,
    handle: &[u8],
    descriptor: FlightDescriptor,
) -> Result<FlightInfo, GatewayError> {
    let (sql, caller) = statement(gateway, caller, handle)?;
    statement::flight_info(gateway, &caller, &sql, descriptor).await
}
