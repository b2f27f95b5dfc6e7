//! A Flight client that shows everything: results, statuses, raw messages.

use std::path::Path;

use arrow::array::RecordBatch;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::{
    ActionClosePreparedStatementRequest, ActionCreatePreparedStatementRequest,
    ActionCreatePreparedStatementResult, Any, CommandPreparedStatementQuery, CommandStatementQuery,
    ProstMessageExt,
};
use arrow_flight::{Action, FlightData, FlightDescriptor, FlightInfo, Ticket};
use bytes::Bytes;
use futures::TryStreamExt;
use prost::Message;
use tonic::metadata::MetadataValue;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Request, Status};

use crate::render::Rendered;

type Authorized = InterceptedService<Channel, Bearer>;

/// A caller's connection.
#[derive(Clone)]
pub struct Client {
    channel: Channel,
    bearer: Bearer,
    flight: FlightServiceClient<Authorized>,
}

type Header = MetadataValue<tonic::metadata::Ascii>;

/// Adds the token to each call, and the purpose that was chosen.
#[derive(Clone)]
pub struct Bearer {
    token: Option<Header>,
    purpose: Option<Header>,
}

impl Bearer {
    fn new(token: &str) -> Self {
        let token = (!token.is_empty()).then(|| format!("Bearer {token}").parse().expect("a header"));
        Self { token, purpose: None }
    }
}

impl tonic::service::Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        for (name, value) in [("authorization", &self.token), ("meshgate-purpose", &self.purpose)] {
            if let Some(value) = value {
                request.metadata_mut().insert(name, value.clone());
            }
        }
        Ok(request)
    }
}

impl Client {
    /// Connects to `address` (`host:port`); an empty `token` sends none.
    pub async fn connect(address: &str, ca: &Path, token: &str) -> Self {
        let ca = Certificate::from_pem(std::fs::read(ca).expect("the CA's certificate"));
        let channel = Endpoint::from_shared(format!("https://{address}"))
            .expect("an address")
            .tls_config(ClientTlsConfig::new().ca_certificate(ca).domain_name("localhost"))
            .expect("TLS settings")
            .connect()
            .await
            .unwrap_or_else(|error| panic!("{address}: {error:?}"));
        Self::over(channel, Bearer::new(token))
    }

    /// The same connection with another token.
    pub fn with_token(&self, token: &str) -> Self {
        Self::over(self.channel.clone(), Bearer::new(token))
    }

    /// The same connection and token, working for `purpose`.
    #[must_use]
    pub fn with_purpose(&self, purpose: &str) -> Self {
        let purpose = Some(purpose.parse().expect("a header"));
        Self::over(self.channel.clone(), Bearer { purpose, ..self.bearer.clone() })
    }

    fn over(channel: Channel, bearer: Bearer) -> Self {
        let flight = FlightServiceClient::with_interceptor(channel.clone(), bearer.clone())
            .max_decoding_message_size(64 << 20);
        Self { channel, bearer, flight }
    }

    /// The calls themselves.
    pub fn flight(&mut self) -> &mut FlightServiceClient<Authorized> {
        &mut self.flight
    }

    /// What a descriptor would give.
    pub async fn info(&mut self, descriptor: FlightDescriptor) -> Result<FlightInfo, Status> {
        Ok(self.flight.get_flight_info(descriptor).await?.into_inner())
    }

    /// Plans `sql`.
    pub async fn plan(&mut self, sql: &str) -> Result<FlightInfo, Status> {
        self.info(statement(sql)).await
    }

    /// The results of an action.
    pub async fn act(&mut self, name: &str, body: impl Into<Bytes>) -> Result<Vec<Bytes>, Status> {
        let results = self.flight.do_action(Action::new(name, body)).await?.into_inner();
        results.map_ok(|result| result.body).try_collect().await
    }

    /// Prepares `sql` and gives its handle.
    pub async fn prepare(&mut self, sql: &str) -> Result<Bytes, Status> {
        let request = ActionCreatePreparedStatementRequest { query: sql.to_owned(), transaction_id: None };
        let results = self.act("CreatePreparedStatement", request.as_any().encode_to_vec()).await?;
        let any = Any::decode(results[0].clone()).expect("a packed message");
        let result: ActionCreatePreparedStatementResult =
            any.unpack().expect("a message").expect("a prepared statement");
        Ok(result.prepared_statement_handle)
    }

    /// Closes a prepared statement; gives the results of that.
    pub async fn close(&mut self, handle: Bytes) -> Result<Vec<Bytes>, Status> {
        let request = ActionClosePreparedStatementRequest { prepared_statement_handle: handle };
        self.act("ClosePreparedStatement", request.as_any().encode_to_vec()).await
    }

    /// The raw messages of a planned result.
    pub async fn messages(&mut self, ticket: Ticket) -> Result<Vec<FlightData>, Status> {
        self.flight.do_get(ticket).await?.into_inner().try_collect().await
    }

    /// The batches of a planned result while they arrive.
    pub async fn stream(&mut self, info: &FlightInfo) -> Result<FlightRecordBatchStream, Status> {
        let messages = self.flight.do_get(ticket(info)).await?.into_inner();
        Ok(FlightRecordBatchStream::new_from_flight_data(messages.map_err(Into::into)))
    }

    /// The batches of a planned result.
    pub async fn batches(&mut self, info: &FlightInfo) -> Result<Vec<RecordBatch>, Status> {
        self.stream(info).await?.try_collect().await.map_err(|error| match error {
            arrow_flight::error::FlightError::Tonic(status) => *status,
            other => Status::data_loss(other.to_string()),
        })
    }

    /// Runs `sql` to its end.
    pub async fn query(&mut self, sql: &str) -> Result<Rendered, Status> {
        let info = self.plan(sql).await?;
        let columns = columns(&info);
        Ok(Rendered::of(columns, &self.batches(&info).await?))
    }

    /// Runs `sql`, which must work.
    pub async fn rows(&mut self, sql: &str) -> Rendered {
        self.query(sql).await.unwrap_or_else(|status| panic!("{sql}: {status:?}"))
    }

    /// Runs `sql`, which must be refused.
    pub async fn refused(&mut self, sql: &str) -> Status {
        match self.query(sql).await {
            Err(status) => status,
            Ok(rows) => panic!("{sql} should be refused and gave {rows:?}"),
        }
    }
}

/// The descriptor of a statement.
pub fn statement(sql: &str) -> FlightDescriptor {
    let command = CommandStatementQuery { query: sql.to_owned(), transaction_id: None };
    let any = Any::pack(&command).expect("a command");
    debug_assert_eq!(any.type_url, command.as_any().type_url);
    FlightDescriptor::new_cmd(any.encode_to_vec())
}

/// The descriptor that runs a prepared statement.
pub fn execution(handle: Bytes) -> FlightDescriptor {
    let command = CommandPreparedStatementQuery { prepared_statement_handle: handle };
    FlightDescriptor::new_cmd(command.as_any().encode_to_vec())
}

/// The ticket of the only endpoint.
pub fn ticket(info: &FlightInfo) -> Ticket {
    info.endpoint[0].ticket.clone().expect("a ticket")
}

/// Column names of a promised schema.
pub fn columns(info: &FlightInfo) -> Vec<String> {
    let schema = info.clone().try_decode_schema().expect("a schema");
    schema.fields().iter().map(|field| field.name().clone()).collect()
}

/// A status as the caller gets it, without what differs from call to call: the query's id.
pub fn answer(status: &Status) -> String {
    let mut metadata = status.metadata().clone();
    let id = metadata.remove("x-query-id").and_then(|value| value.to_str().map(str::to_owned).ok());
    metadata.remove("date");
    let hide = |text: &str| id.as_deref().map_or(text.to_owned(), |id| text.replace(id, "<query id>"));
    format!(
        "{:?}|{}|{}|{}",
        status.code(),
        hide(status.message()),
        hide(&String::from_utf8_lossy(status.details())),
        hide(&format!("{metadata:?}")),
    )
}
