//! A server between gateway and node. It passes everything on and keeps what
//! left the node; or it lets something else answer in the node's place.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::flight_service_server::{FlightService, FlightServiceServer};
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo, HandshakeRequest,
    HandshakeResponse, PollInfo, PutResult, SchemaResult, Ticket,
};
use futures::StreamExt;
use futures::stream::{BoxStream, iter};
use meshgate_proto::DESCRIBE_ACTION;
use meshgate_proto::v1::domain_query::Form;
use meshgate_proto::v1::{Descriptor, DomainQuery, DomainRequest};
use prost::Message;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status, Streaming};

/// A domain request and everything that was answered to it.
#[derive(Debug, Clone)]
pub struct Exchange {
    pub domain: String,
    /// The encoded `meshgate.v1.DomainRequest`.
    pub ticket: Vec<u8>,
    pub answer: Answer,
}

impl Exchange {
    /// What the gateway sent: the permit, and the query that it is for.
    pub fn request(&self) -> DomainRequest {
        DomainRequest::decode(self.ticket.as_slice()).expect("a domain request")
    }

    /// What was asked.
    pub fn query(&self) -> DomainQuery {
        DomainQuery::decode(self.request().query.as_slice()).expect("a domain query")
    }

    /// Was a part of a statement asked for, and not rows of a table?
    pub fn is_part(&self) -> bool {
        matches!(self.query().form, Some(Form::Plan(_)))
    }
}

/// Messages, and how the stream ended.
#[derive(Debug, Clone)]
pub struct Answer {
    pub messages: Vec<FlightData>,
    pub end: Result<(), Status>,
}

impl Answer {
    /// How many rows it holds, by what its messages say.
    pub fn rows(&self) -> usize {
        let rows = |message: &FlightData| {
            let message = arrow::ipc::root_as_message(&message.data_header).ok()?;
            usize::try_from(message.header_as_record_batch()?.length()).ok()
        };
        self.messages.iter().filter_map(rows).sum()
    }

    /// Are all of its batches compressed? None if there is none, or some are and some are not.
    pub fn is_compressed(&self) -> Option<bool> {
        let is_compressed = |message: &FlightData| {
            let message = arrow::ipc::root_as_message(&message.data_header).ok()?;
            Some(message.header_as_record_batch()?.compression().is_some())
        };
        let mut batches = self.messages.iter().filter_map(is_compressed);
        let first = batches.next()?;
        batches.all(|other| other == first).then_some(first)
    }
}

/// Answers domain requests in a node's place.
#[tonic::async_trait]
pub trait StandIn: Send + Sync {
    async fn answer(&self, ticket: &[u8]) -> Answer;
}

/// Makes of a domain's right answer what is passed on.
pub type Alter = dyn Fn(&str, Answer) -> Answer + Send + Sync;

/// What a tap puts in the place of what the node says.
pub enum Instead {
    Nothing,
    /// What is made of the node's answers.
    Altered(Arc<Alter>),
    /// The version of the engine, so that the gateway asks for rows of tables only.
    OtherEngine,
    /// The answers to domain requests. Stand-ins understand requests for rows of tables only.
    StandIn(Arc<dyn StandIn>),
}

/// What has passed since it was last asked for.
pub type Passed = Arc<Mutex<Vec<Exchange>>>;

/// A running tap. It ends when it is dropped.
pub struct Tap {
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Tap {
    /// A tap in front of the node of `domain` at `node`, in the mesh whose files lie in `root`.
    pub async fn start(
        root: &Path,
        domain: &str,
        node: SocketAddr,
        passed: Passed,
        instead: Instead,
    ) -> Self {
        let own = |name: &str| read(root, &format!("keys/nodes/{domain}/{name}"));
        let server_tls = ServerTlsConfig::new()
            .identity(Identity::from_pem(own("node.crt"), own("node.key")))
            .client_ca_root(authority(root));
        let channel = node_endpoint(root, domain, node).connect_lazy();
        let node = FlightServiceClient::new(channel).max_decoding_message_size(64 << 20);
        let mut service = Service {
            domain: domain.to_owned(),
            node,
            passed,
            stand_in: None,
            alter: None,
            other_engine: false,
        };
        match instead {
            Instead::Nothing => {}
            Instead::Altered(alter) => service.alter = Some(alter),
            Instead::OtherEngine => service.other_engine = true,
            Instead::StandIn(stand_in) => {
                (service.stand_in, service.other_engine) = (Some(stand_in), true);
            }
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let server = Server::builder()
            .tls_config(server_tls)
            .expect("TLS settings")
            .add_service(FlightServiceServer::new(service))
            .serve_with_incoming(TcpIncoming::from(listener));
        let task = tokio::spawn(async move {
            let _ = server.await;
        });
        Self { address, task }
    }
}

fn read(root: &Path, path: &str) -> Vec<u8> {
    std::fs::read(root.join(path)).unwrap_or_else(|_| panic!("{path}"))
}

fn authority(root: &Path) -> Certificate {
    Certificate::from_pem(read(root, "keys/authority/mesh-ca.crt"))
}

/// The node of `domain` as the gateway of the mesh in `root` connects to it.
pub fn node_endpoint(root: &Path, domain: &str, node: SocketAddr) -> Endpoint {
    let own = |name: &str| read(root, &format!("keys/gateway/{name}"));
    let tls = ClientTlsConfig::new()
        .ca_certificate(authority(root))
        .identity(Identity::from_pem(own("gateway-client.crt"), own("gateway-client.key")))
        .domain_name(format!("{domain}.mesh.localhost"));
    let endpoint = Endpoint::from_shared(format!("https://{node}"));
    endpoint.and_then(|endpoint| endpoint.tls_config(tls)).expect("TLS settings")
}

#[derive(Clone)]
struct Service {
    domain: String,
    node: FlightServiceClient<Channel>,
    passed: Passed,
    stand_in: Option<Arc<dyn StandIn>>,
    alter: Option<Arc<Alter>>,
    other_engine: bool,
}

impl Service {
    async fn ask(&self, ticket: Ticket) -> Answer {
        let mut stream = match self.node.clone().do_get(ticket).await {
            Ok(response) => response.into_inner(),
            Err(status) => return Answer { messages: Vec::new(), end: Err(status) },
        };
        let mut messages = Vec::new();
        loop {
            match stream.next().await {
                Some(Ok(message)) => messages.push(message),
                Some(Err(status)) => return Answer { messages, end: Err(status) },
                None => return Answer { messages, end: Ok(()) },
            }
        }
    }
}

fn of_another_engine(reply: arrow_flight::Result) -> arrow_flight::Result {
    let mut descriptor = Descriptor::decode(reply.body).expect("a descriptor");
    descriptor.engine_version = "0.0.0".to_owned();
    arrow_flight::Result { body: descriptor.encode_to_vec().into() }
}

type Replies<T> = BoxStream<'static, Result<T, Status>>;

fn unimplemented<T>() -> Result<T, Status> {
    Err(Status::unimplemented("nodes do not serve this"))
}

#[tonic::async_trait]
impl FlightService for Service {
    type HandshakeStream = Replies<HandshakeResponse>;
    type ListFlightsStream = Replies<FlightInfo>;
    type DoGetStream = Replies<FlightData>;
    type DoPutStream = Replies<PutResult>;
    type DoExchangeStream = Replies<FlightData>;
    type DoActionStream = Replies<arrow_flight::Result>;
    type ListActionsStream = Replies<ActionType>;

    async fn do_get(&self, request: Request<Ticket>) -> Result<Response<Self::DoGetStream>, Status> {
        let ticket = request.into_inner();
        let answer = match &self.stand_in {
            Some(stand_in) => stand_in.answer(&ticket.ticket).await,
            None => self.ask(ticket.clone()).await,
        };
        let answer = match &self.alter {
            Some(alter) => alter(&self.domain, answer),
            None => answer,
        };
        let exchange =
            Exchange { domain: self.domain.clone(), ticket: ticket.ticket.to_vec(), answer: answer.clone() };
        self.passed.lock().unwrap_or_else(PoisonError::into_inner).push(exchange);
        let Answer { messages, end } = answer;
        // A node that refuses does so before there is a stream.
        match end {
            Err(status) if messages.is_empty() => Err(status),
            end => {
                let last = iter(end.err().map(Err));
                Ok(Response::new(iter(messages.into_iter().map(Ok)).chain(last).boxed()))
            }
        }
    }

    async fn do_action(&self, request: Request<Action>) -> Result<Response<Self::DoActionStream>, Status> {
        let action = request.into_inner();
        let is_described = action.r#type == DESCRIBE_ACTION;
        let replies = self.node.clone().do_action(action).await?.into_inner();
        if is_described && self.other_engine {
            return Ok(Response::new(replies.map(|reply| reply.map(of_another_engine)).boxed()));
        }
        Ok(Response::new(replies.boxed()))
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

    async fn list_actions(&self, _: Request<Empty>) -> Result<Response<Self::ListActionsStream>, Status> {
        unimplemented()
    }
}
