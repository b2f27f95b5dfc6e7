//! A real node on a free port, called as a gateway calls it.

mod describing;
mod direct;
pub(crate) mod logs;
mod lookups;
mod nested;
mod operator;
mod peers;
mod permits;
pub(crate) mod plans;
mod queries;
mod reloading;
mod stopping;

use std::net::SocketAddr;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::{Action, FlightData, Ticket};
use futures::{Stream, StreamExt, TryStreamExt};
use meshgate_proto::DESCRIBE_ACTION;
use meshgate_proto::v1::domain_error::Class;
use meshgate_proto::v1::{Descriptor, DomainError};
use prost::Message;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::Status;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

use crate::state::State;
use crate::testing::{Authority, Domain, Pem, Request};
use crate::{NodeConfig, NodeServer, StartError};

/// Longest time that a test waits for something to happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// A node that serves until it is stopped or dropped.
struct Running {
    domain: Domain,
    flight: SocketAddr,
    direct: Option<SocketAddr>,
    http: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), StartError>>,
}

impl Running {
    async fn start(domain: Domain) -> Self {
        let config = domain.config();
        Self::start_with(domain, config).await
    }

    async fn start_with(domain: Domain, config: NodeConfig) -> Self {
        logs::start();
        let server = NodeServer::bind(config).await.unwrap();
        let (flight, http) = (server.flight_address(), server.http_address().unwrap());
        let direct = server.direct_address();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(server.run(async {
            let _ = stopped.await;
        }));
        Self { domain, flight, direct, http, stop: Some(stop), task }
    }

    fn stop(&mut self) {
        let _ = self.stop.take().unwrap().send(());
    }

    async fn client(&self) -> FlightServiceClient<Channel> {
        self.client_as(&self.domain.authority.issue("gateway")).await.unwrap()
    }

    async fn client_as(&self, pem: &Pem) -> Result<FlightServiceClient<Channel>, tonic::transport::Error> {
        let identity = Identity::from_pem(&pem.certificate, &pem.key);
        self.connect(self.tls().identity(identity)).await
    }

    fn tls(&self) -> ClientTlsConfig {
        ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(self.domain.authority.pem()))
            .domain_name("localhost")
    }

    async fn connect(
        &self,
        tls: ClientTlsConfig,
    ) -> Result<FlightServiceClient<Channel>, tonic::transport::Error> {
        let endpoint = Endpoint::from_shared(format!("https://{}", self.flight)).unwrap();
        let channel = endpoint.tls_config(tls)?.connect().await?;
        Ok(FlightServiceClient::new(channel))
    }

    /// A request for what the files say now.
    fn request(&self, columns: &[&str]) -> Request {
        Request::new(&self.state(), columns)
    }

    fn state(&self) -> std::sync::Arc<State> {
        self.domain.loader().load().state
    }

    async fn query(&self, request: Request) -> Result<Vec<RecordBatch>, Status> {
        let ticket = request.ticket(&self.domain.signer);
        batches(messages(&mut self.client().await, ticket).await?).await
    }

    /// Status and body of an HTTP path.
    async fn http(&self, path: &str) -> (u16, String) {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut stream = tokio::net::TcpStream::connect(self.http).await.unwrap();
        let head = format!("GET {path} HTTP/1.1\r\nhost: node\r\nconnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// Waits until the readiness is as asked.
    async fn until_ready(&self, problems: &str) {
        eventually(async || self.http("/readyz").await.1.contains(problems)).await;
    }
}

async fn messages(
    client: &mut FlightServiceClient<Channel>,
    ticket: Vec<u8>,
) -> Result<impl Stream<Item = Result<FlightData, Status>> + Unpin + use<>, Status> {
    Ok(client.do_get(Ticket::new(ticket)).await?.into_inner())
}

async fn batches(
    messages: impl Stream<Item = Result<FlightData, Status>> + Send + 'static,
) -> Result<Vec<RecordBatch>, Status> {
    FlightRecordBatchStream::new_from_flight_data(messages.map_err(FlightError::from))
        .try_collect()
        .await
        .map_err(Status::from)
}

async fn descriptors(
    client: &mut FlightServiceClient<Channel>,
) -> Result<impl Stream<Item = Result<Descriptor, Status>> + Unpin + use<>, Status> {
    let stream = client.do_action(Action::new(DESCRIBE_ACTION, "")).await?.into_inner();
    Ok(stream.map_ok(|result| Descriptor::decode(result.body).unwrap()))
}

/// What a node says of a failure.
fn details(status: &Status) -> DomainError {
    DomainError::decode(status.details()).unwrap()
}

fn class(status: &Status) -> Class {
    details(status).class()
}

fn rows(batches: &[RecordBatch]) -> usize {
    batches.iter().map(RecordBatch::num_rows).sum()
}

async fn eventually(mut condition: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("it did not happen in time");
}

async fn next<S: Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    tokio::time::timeout(PATIENCE, stream.next()).await.expect("nothing came in time")
}
