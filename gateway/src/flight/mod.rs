//! The Flight SQL service. This file dispatches; each family of calls has a
//! file of its own.
//!
//! `arrow-flight`'s own Flight SQL service rejects calls that clients make:
//! GetSchema, PollFlightInfo, ListFlights, plain-text commands, session
//! actions. Its messages, encoders and metadata builders are used.

mod access;
mod asked;
mod attempt;
mod authenticate;
mod bound_row;
mod command;
mod delivery;
mod handshake;
mod kept_plans;
mod listing;
mod metadata;
mod prepared;
mod record;
mod reload;
mod session;
mod shadow;
mod sql_info;
mod statement;
mod xdbc_type_info;

use std::{future::Future, sync::Arc};

use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo, HandshakeRequest,
    HandshakeResponse, PollInfo, PutResult, SchemaResult, Ticket,
    encode::FlightDataEncoderBuilder,
    flight_service_server::{FlightService, FlightServiceServer},
    sql::{Any, DoPutUpdateResult},
};
use futures::{StreamExt, TryStreamExt, stream, stream::BoxStream};
use meshgate_engine::direct;
use meshgate_proto::RELOAD_ACTION;
use prost::Message;
use tonic::{Request, Response, Status, Streaming, async_trait, metadata::MetadataValue};

use crate::{
    app::Gateway,
    catalog::PrincipalCatalog,
    status::{GatewayError, Limit, QUERY_ID_HEADER},
    ticket::TicketKind,
};
use asked::Asked;
use authenticate::{Authenticated, Caller};
use command::{MetadataCommand, Update, WRITING, Wanted};

pub(crate) use delivery::execution_error;
pub(crate) use kept_plans::KeptPlans;
pub(crate) use sql_info::SqlInfoTable;

/// Longest request message. Statements and handles are far shorter.
const REQUEST_BYTES_MAX: usize = 1 << 20;

/// Response header with the notice that FlightInfo carries as its metadata.
const NOTICE_HEADER: &str = "meshgate-notice";

const CREATE_PREPARED_STATEMENT: &str = "CreatePreparedStatement";
const CLOSE_PREPARED_STATEMENT: &str = "ClosePreparedStatement";
const SET_SESSION_OPTIONS: &str = "SetSessionOptions";
const GET_SESSION_OPTIONS: &str = "GetSessionOptions";
const CLOSE_SESSION: &str = "CloseSession";

/// The actions there are, with what they do.
const ACTIONS: [(&str, &str); 5] = [
    (CREATE_PREPARED_STATEMENT, "Prepares a SQL query."),
    (CLOSE_PREPARED_STATEMENT, "Closes a prepared statement; always succeeds."),
    (SET_SESSION_OPTIONS, "Sets `meshgate.purpose`; accepts `catalog` with the value `mesh`."),
    (GET_SESSION_OPTIONS, "Tells the session options."),
    (CLOSE_SESSION, "Takes the session from the client; always succeeds."),
];

/// The service as the server runs it: nothing reaches it without authentication.
#[derive(Debug, Clone)]
pub(crate) struct FlightSql {
    gateway: Arc<Gateway>,
}

impl FlightSql {
    /// The service of a gateway.
    pub(crate) fn service(gateway: Arc<Gateway>) -> Authenticated<FlightServiceServer<Self>> {
        let flight = Self { gateway: Arc::clone(&gateway) };
        let server = FlightServiceServer::new(flight).max_decoding_message_size(REQUEST_BYTES_MAX);
        Authenticated::new(server, gateway)
    }

    /// Runs a call for its verified caller.
    async fn call<T, R, F>(
        &self,
        request: Request<T>,
        call: impl FnOnce(Caller, T) -> F + Send,
    ) -> Result<R, Status>
    where
        T: Send,
        F: Future<Output = Result<R, GatewayError>> + Send,
    {
        let caller = Caller::of(&request)?;
        let query_id = caller.query_id.clone();
        call(caller, request.into_inner()).await.map_err(|error| error.status(&query_id))
    }

    async fn flight_info(
        &self,
        caller: Caller,
        descriptor: FlightDescriptor,
    ) -> Result<FlightInfo, GatewayError> {
        let gateway = &self.gateway;
        match command::of_descriptor(&descriptor)? {
            Wanted::Statement(sql) => {
                statement::flight_info(gateway, &caller, Asked::plain(sql), None, descriptor).await
            }
            Wanted::Prepared(handle) => prepared::flight_info(gateway, caller, &handle, descriptor).await,
            Wanted::Metadata(command) => {
                let schema = self.metadata(&caller, command)?.schema();
                let ticket = statement::seal(gateway, &caller, TicketKind::Metadata, &descriptor.cmd, None)?;
                statement::info(&schema, descriptor, ticket)
            }
        }
    }

    async fn schema(
        &self,
        caller: Caller,
        descriptor: FlightDescriptor,
    ) -> Result<SchemaResult, GatewayError> {
        let schema = match command::of_descriptor(&descriptor)? {
            Wanted::Statement(sql) => {
                let parameters = Asked::plain(sql.clone()).parameters();
                statement::describe(&self.gateway, &caller, &sql, parameters).await?.schema
            }
            Wanted::Prepared(handle) => prepared::describe(&self.gateway, caller, &handle).await?.schema,
            Wanted::Metadata(command) => self.metadata(&caller, command)?.schema(),
        };
        Ok(SchemaResult { schema: statement::encode(&schema)? })
    }

    fn metadata(
        &self,
        caller: &Caller,
        command: MetadataCommand,
    ) -> Result<arrow::record_batch::RecordBatch, GatewayError> {
        let snapshot = Arc::clone(&caller.snapshot);
        let now = self.gateway.clock.now();
        let catalog = PrincipalCatalog::new(snapshot, Arc::clone(&caller.principal), now);
        metadata::answer(&self.gateway, &catalog, command)
    }

    async fn result(
        &self,
        caller: Caller,
        metadata: &tonic::metadata::MetadataMap,
        ticket: &[u8],
    ) -> Result<Response<BoxStream<'static, Result<FlightData, Status>>>, GatewayError> {
        // Some clients send a packed command as a ticket.
        if let Some(any) = command::packed(ticket) {
            return self.metadata_result(&caller, any);
        }
        // Whoever did not get the rows from a node comes back.
        let own = direct::statement(ticket);
        let ticket = own.as_deref().unwrap_or(ticket);
        let now = self.gateway.clock.now();
        let open = |kind| self.gateway.sealer.open(kind, ticket, caller.mesh(), &caller.principal, now);
        if let Ok(sealed) = open(TicketKind::Metadata) {
            let any = command::packed(&sealed.content).ok_or(GatewayError::InvalidTicket)?;
            return self.metadata_result(&caller.working_for(sealed.purpose.as_deref())?, any);
        }
        let sealed = open(TicketKind::Statement)?;
        let caller = caller.working_for(sealed.purpose.as_deref())?;
        let result = statement::run(&self.gateway, caller, metadata, sealed).await?;
        let notice = result.notice.to_json(&result.query_id);
        let mut response = with_notice(result.messages, notice.as_bytes());
        if let Ok(value) = MetadataValue::try_from(result.query_id) {
            response.metadata_mut().insert(QUERY_ID_HEADER, value);
        }
        Ok(response)
    }

    fn metadata_result(
        &self,
        caller: &Caller,
        packed: Any,
    ) -> Result<Response<BoxStream<'static, Result<FlightData, Status>>>, GatewayError> {
        let command = match command::of_packed(packed)? {
            Wanted::Metadata(command) => command,
            Wanted::Statement(_) | Wanted::Prepared(_) => return Err(GatewayError::InvalidTicket),
        };
        let batch = self.metadata(caller, command)?;
        let query_id = caller.query_id.clone();
        let messages = FlightDataEncoderBuilder::new()
            .with_schema(batch.schema())
            .build(stream::iter([Ok(batch)]))
            .map_err(move |error| GatewayError::Internal(error.to_string()).status(&query_id));
        Ok(Response::new(messages.boxed()))
    }

    async fn action(&self, caller: Caller, action: Action) -> Result<Vec<Vec<u8>>, GatewayError> {
        Ok(match action.r#type.as_str() {
            CREATE_PREPARED_STATEMENT => vec![prepared::create(&self.gateway, &caller, &action.body).await?],
            // There is nothing to close, and a client that gets an error here tries for ever.
            CLOSE_PREPARED_STATEMENT => Vec::new(),
            SET_SESSION_OPTIONS => vec![session::set(&self.gateway, &caller, &action.body)?],
            GET_SESSION_OPTIONS => vec![session::get(&caller)],
            CLOSE_SESSION => vec![session::close(&caller)],
            // For everybody else there is no such action.
            RELOAD_ACTION if reload::is_allowed(&self.gateway, &caller) => {
                vec![reload::run(&self.gateway, &caller).await?]
            }
            _ => return Err(GatewayError::Unsupported("the action")),
        })
    }

    /// The first message says what a client wants to put: values for a prepared
    /// statement, or a setting of its session. The rest is refused by its name.
    async fn put(
        &self,
        caller: Caller,
        mut messages: Streaming<FlightData>,
    ) -> Result<Response<ResultStream<PutResult>>, GatewayError> {
        let idle_time = self.gateway.limits.idle_time;
        let first = tokio::time::timeout(idle_time, messages.message())
            .await
            .map_err(|_| GatewayError::Limit(Limit::IdleTime))?;
        let first = first.ok().flatten().ok_or(NOTHING_PUT)?;
        let command = first
            .flight_descriptor
            .as_ref()
            .and_then(|descriptor| command::packed(&descriptor.cmd))
            .ok_or(WRITING)?;
        let (sql, caller) = match command::update(command.clone())? {
            Some(Update::Statement(sql)) => (sql, caller),
            Some(Update::Prepared(handle)) => prepared::statement(&self.gateway, caller, &handle)?,
            None => {
                let Ok(Wanted::Prepared(handle)) = command::of_packed(command) else {
                    return Err(WRITING);
                };
                let messages = stream::iter([Ok(first)]).chain(messages);
                let bound = prepared::bind(&self.gateway, caller, &handle, messages).await?;
                return Ok(all(vec![bound]));
            }
        };
        let setting = session::setting(&self.gateway, &sql)?.ok_or(WRITING)?;
        session::change(&self.gateway, &caller, &sql, &setting)?;
        Ok(all(vec![PutResult { app_metadata: NO_ROWS_CHANGED.encode_to_vec().into() }]))
    }
}

/// Rows that a session's settings change.
const NO_ROWS_CHANGED: DoPutUpdateResult = DoPutUpdateResult { record_count: 0 };

const NOTHING_PUT: GatewayError =
    GatewayError::InvalidRequest("send the values of a prepared statement's parameters, or a setting");

type ResultStream<T> = BoxStream<'static, Result<T, Status>>;

/// An answer whose header says what policy did. Only statements have something to say.
fn with_notice<T>(answer: T, notice: &[u8]) -> Response<T> {
    let mut response = Response::new(answer);
    if let (false, Ok(value)) = (notice.is_empty(), MetadataValue::try_from(notice)) {
        response.metadata_mut().insert(NOTICE_HEADER, value);
    }
    response
}

fn all<T: Send + 'static>(items: Vec<T>) -> Response<ResultStream<T>> {
    Response::new(stream::iter(items).map(Ok).boxed())
}

#[async_trait]
impl FlightService for FlightSql {
    type HandshakeStream = ResultStream<HandshakeResponse>;
    type ListFlightsStream = ResultStream<FlightInfo>;
    type DoGetStream = ResultStream<FlightData>;
    type DoPutStream = ResultStream<PutResult>;
    type DoExchangeStream = ResultStream<FlightData>;
    type DoActionStream = ResultStream<arrow_flight::Result>;
    type ListActionsStream = ResultStream<ActionType>;

    async fn handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        self.call(request, |caller, _| async move { handshake::answer(&caller) }).await
    }

    async fn list_flights(
        &self,
        request: Request<Criteria>,
    ) -> Result<Response<Self::ListFlightsStream>, Status> {
        self.call(request, |caller, criteria| async move {
            if !criteria.expression.is_empty() {
                return Err(GatewayError::Unsupported("a criterion"));
            }
            Ok(all(listing::flights(&self.gateway, &caller)?))
        })
        .await
    }

    async fn get_flight_info(
        &self,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        let info = self.call(request, |caller, descriptor| self.flight_info(caller, descriptor)).await?;
        let notice = info.app_metadata.clone();
        Ok(with_notice(info, &notice))
    }

    async fn poll_flight_info(
        &self,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<PollInfo>, Status> {
        let info = self.call(request, |caller, descriptor| self.flight_info(caller, descriptor)).await?;
        // Nothing runs before DoGet: the information is complete at once.
        let complete = PollInfo { info: Some(info), progress: Some(1.0), ..PollInfo::default() };
        Ok(Response::new(complete))
    }

    async fn get_schema(&self, request: Request<FlightDescriptor>) -> Result<Response<SchemaResult>, Status> {
        self.call(request, |caller, descriptor| self.schema(caller, descriptor)).await.map(Response::new)
    }

    async fn do_get(&self, request: Request<Ticket>) -> Result<Response<Self::DoGetStream>, Status> {
        let metadata = request.metadata().clone();
        self.call(
            request,
            |caller, ticket| async move { self.result(caller, &metadata, &ticket.ticket).await },
        )
        .await
    }

    async fn do_put(
        &self,
        request: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoPutStream>, Status> {
        self.call(request, |caller, messages| self.put(caller, messages)).await
    }

    async fn do_exchange(
        &self,
        request: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoExchangeStream>, Status> {
        self.call(request, |_, _| async { Err(GatewayError::Unsupported("DoExchange")) }).await
    }

    async fn do_action(&self, request: Request<Action>) -> Result<Response<Self::DoActionStream>, Status> {
        let bodies = self.call(request, |caller, action| self.action(caller, action)).await?;
        Ok(all(bodies.into_iter().map(|body| arrow_flight::Result { body: body.into() }).collect()))
    }

    async fn list_actions(
        &self,
        request: Request<Empty>,
    ) -> Result<Response<Self::ListActionsStream>, Status> {
        let action = |(name, description): (&str, &str)| ActionType {
            r#type: name.to_owned(),
            description: description.to_owned(),
        };
        self.call(request, |_, _| async move { Ok(all(ACTIONS.into_iter().map(action).collect())) }).await
    }
}

#[cfg(test)]
mod tests;
