//! A node's answers out of memory, so that what is measured is what comes after the node; and who passes them on
//! without looking at them, to compare a gateway with.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{Schema, SchemaRef};
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::flight_service_server::{FlightService, FlightServiceServer};
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo, HandshakeRequest,
    HandshakeResponse, IpcMessage, PollInfo, PutResult, SchemaResult, Ticket,
};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use meshgate_proto::v1::{DomainQuery, DomainRequest};
use meshgate_tests::mesh::Mesh;
use meshgate_tests::tap::{Answer, StandIn, node_endpoint};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use prost::Message;
use tokio::net::TcpListener;
use tokio::sync::OnceCell;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Identity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status, Streaming};

/// As nodes send them.
const MESSAGE_BYTES: usize = 512 << 10;
/// As the gateway sets them towards nodes.
const STREAM_WINDOW_BYTES: u32 = 8 << 20;
const CONNECTION_WINDOW_BYTES: u32 = (1 << 31) - 1;
const FRAME_BYTES: u32 = 256 << 10;

/// Gives all rows of a table, as often as it is told to.
pub(crate) struct FromMemory {
    table: PathBuf,
    messages: OnceCell<Vec<FlightData>>,
    pub(crate) times: AtomicUsize,
}

impl FromMemory {
    /// Of a Parquet file, of which all columns are asked for.
    pub(crate) fn of(table: &Path) -> Arc<Self> {
        Arc::new(Self { table: table.to_owned(), messages: OnceCell::new(), times: AtomicUsize::new(1) })
    }

    async fn messages(&self, ticket: &[u8]) -> Vec<FlightData> {
        let request = DomainRequest::decode(ticket).expect("a domain request");
        let query = DomainQuery::decode(request.query.as_slice()).expect("a domain query");
        let schema = Arc::new(Schema::try_from(IpcMessage(query.schema.into())).expect("a schema"));
        let batches = read(&self.table, &schema);
        let encoder = FlightDataEncoderBuilder::new()
            .with_schema(schema)
            .with_max_flight_data_size(MESSAGE_BYTES)
            .build(futures::stream::iter(batches.into_iter().map(Ok)));
        encoder.try_collect().await.expect("messages")
    }
}

fn read(table: &Path, schema: &SchemaRef) -> Vec<RecordBatch> {
    let file = std::fs::File::open(table).expect("the table");
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("Parquet");
    let reader = reader.with_batch_size(8192).build().expect("a reader");
    let promised = |batch: RecordBatch| {
        let columns = schema.fields().iter().map(|field| {
            let column = batch.column_by_name(field.name()).expect("a column");
            cast(column, field.data_type()).expect("the promised type")
        });
        RecordBatch::try_new(Arc::clone(schema), columns.collect()).expect("a batch")
    };
    reader.map(|batch| promised(batch.expect("rows"))).collect()
}

#[tonic::async_trait]
impl StandIn for FromMemory {
    async fn answer(&self, ticket: &[u8]) -> Answer {
        let messages = self.messages.get_or_init(|| self.messages(ticket)).await;
        let (schema, rows) = messages.split_first().expect("a schema");
        let times = self.times.load(Ordering::Relaxed);
        let again = (0..times).flat_map(|_| rows.iter().cloned());
        Answer { messages: std::iter::once(schema.clone()).chain(again).collect(), end: Ok(()) }
    }
}

/// Reads a domain's node as the gateway does.
pub(crate) fn node_channel(mesh: &Mesh, domain: &str) -> Channel {
    node_endpoint(mesh.directory.path(), domain, mesh.node_address(domain))
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .connect_lazy()
}

/// A server in the gateway's place that passes on what the node says, with the gateway's certificate.
pub(crate) async fn bare_relay(root: &Path, node: Channel) -> SocketAddr {
    let file = |path: &str| std::fs::read(root.join(path)).unwrap_or_else(|_| panic!("{path}"));
    let identity = Identity::from_pem(file("keys/gateway/gateway.crt"), file("keys/gateway/gateway.key"));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let relay = BareRelay { node: FlightServiceClient::new(node).max_decoding_message_size(64 << 20) };
    let server = Server::builder()
        .tls_config(ServerTlsConfig::new().identity(identity))
        .expect("TLS settings")
        .max_frame_size(FRAME_BYTES)
        .add_service(FlightServiceServer::new(relay))
        .serve_with_incoming(TcpIncoming::from(listener).with_nodelay(Some(true)));
    tokio::spawn(server);
    address
}

struct BareRelay {
    node: FlightServiceClient<Channel>,
}

type Replies<T> = BoxStream<'static, Result<T, Status>>;

fn unimplemented<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("it only passes results on"))
}

#[tonic::async_trait]
impl FlightService for BareRelay {
    type HandshakeStream = Replies<HandshakeResponse>;
    type ListFlightsStream = Replies<FlightInfo>;
    type DoGetStream = Replies<FlightData>;
    type DoPutStream = Replies<PutResult>;
    type DoExchangeStream = Replies<FlightData>;
    type DoActionStream = Replies<arrow_flight::Result>;
    type ListActionsStream = Replies<ActionType>;

    async fn do_get(&self, request: Request<Ticket>) -> Result<Response<Self::DoGetStream>, Status> {
        let messages = self.node.clone().do_get(request.into_inner()).await?.into_inner();
        Ok(Response::new(messages.boxed()))
    }

    async fn handshake(
        &self,
        _: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        unimplemented()
    }

    async fn list_flights(&self, _: Request<Criteria>) -> Result<Response<Self::ListFlightsStream>, Status> {
        unimplemented()
    }

    async fn get_flight_info(&self, _: Request<FlightDescriptor>) -> Result<Response<FlightInfo>, Status> {
        unimplemented()
    }

    async fn poll_flight_info(&self, _: Request<FlightDescriptor>) -> Result<Response<PollInfo>, Status> {
        unimplemented()
    }

    async fn get_schema(&self, _: Request<FlightDescriptor>) -> Result<Response<SchemaResult>, Status> {
        unimplemented()
    }

    async fn do_put(&self, _: Request<Streaming<FlightData>>) -> Result<Response<Self::DoPutStream>, Status> {
        unimplemented()
    }

    async fn do_exchange(
        &self,
        _: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoExchangeStream>, Status> {
        unimplemented()
    }

    async fn do_action(&self, _: Request<Action>) -> Result<Response<Self::DoActionStream>, Status> {
        unimplemented()
    }

    async fn list_actions(&self, _: Request<Empty>) -> Result<Response<Self::ListActionsStream>, Status> {
        unimplemented()
    }
}
