//! Arrow Flight as a node speaks it: `DoAction` (`meshgate.describe`,
//! `meshgate.operator-document`, `meshgate.reload`) and `DoGet` with a domain request, for peers whose certificate has the role gateway.
//! Every other call is UNIMPLEMENTED, also only to them.

use std::sync::Arc;

use arrow_flight::flight_service_server::FlightService;
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo, HandshakeRequest,
    HandshakeResponse, PollInfo, PutResult, SchemaResult, Ticket,
};
use futures::StreamExt;
use futures::stream::BoxStream;
use meshgate_proto::v1::Descriptor;
use meshgate_proto::{DESCRIBE_ACTION, NOT_ALL_GOOD, OPERATOR_DOCUMENT_ACTION, RELOAD_ACTION, RELOADED};
use prost::Message;
use tokio::sync::watch;
use tonic::metadata::MetadataValue;
use tonic::{Request, Response, Status, Streaming};

use crate::node::{Node, Phase};
use crate::state::State;
use crate::{query, tls};

/// Header that names the query.
const QUERY_ID_HEADER: &str = "x-query-id";

/// The service of one node.
#[derive(Debug, Clone)]
pub(crate) struct Service(pub(crate) Arc<Node>);

pub(crate) type Replies<T> = BoxStream<'static, Result<T, Status>>;

/// A certificate of the mesh is not enough: only gateways speak with nodes.
fn require_gateway<T>(request: &Request<T>) -> Result<(), Status> {
    match request.peer_certs() {
        Some(chain) if tls::has_gateway_role(&chain) => Ok(()),
        Some(_) | None => {
            tracing::warn!(peer = ?request.remote_addr(), "a peer without the role gateway was refused");
            Err(Status::permission_denied("refused"))
        }
    }
}

/// The answer to calls that a node does not serve.
fn unimplemented<T, A>(request: &Request<T>) -> Result<A, Status> {
    require_gateway(request)?;
    Err(Status::unimplemented("a domain node does not serve this call"))
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
        require_gateway(&request)?;
        Ok(result(query::answer(&self.0, &request.into_inner().ticket).await?))
    }

    async fn do_action(&self, request: Request<Action>) -> Result<Response<Self::DoActionStream>, Status> {
        require_gateway(&request)?;
        match request.get_ref().r#type.as_str() {
            DESCRIBE_ACTION => Ok(Response::new(descriptors(self.0.states.clone(), self.0.phase.clone()))),
            OPERATOR_DOCUMENT_ACTION => {
                Ok(Response::new(take_document(self.0.clone(), request.into_inner().body).await?))
            }
            RELOAD_ACTION => Ok(Response::new(reload(&self.0).await)),
            _ => unimplemented(&request),
        }
    }

    async fn handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        unimplemented(&request)
    }

    async fn list_flights(
        &self,
        request: Request<Criteria>,
    ) -> Result<Response<Self::ListFlightsStream>, Status> {
        unimplemented(&request)
    }

    async fn get_flight_info(
        &self,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        unimplemented(&request)
    }

    async fn poll_flight_info(
        &self,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<PollInfo>, Status> {
        unimplemented(&request)
    }

    async fn get_schema(&self, request: Request<FlightDescriptor>) -> Result<Response<SchemaResult>, Status> {
        unimplemented(&request)
    }

    async fn do_put(
        &self,
        request: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoPutStream>, Status> {
        unimplemented(&request)
    }

    async fn do_exchange(
        &self,
        request: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoExchangeStream>, Status> {
        unimplemented(&request)
    }

    async fn list_actions(
        &self,
        request: Request<Empty>,
    ) -> Result<Response<Self::ListActionsStream>, Status> {
        unimplemented(&request)
    }
}

/// The response with a query's result.
pub(crate) fn result(answer: query::Answer) -> Response<Replies<FlightData>> {
    let mut response = Response::new(answer.stream.boxed());
    if let Ok(query_id) = MetadataValue::try_from(answer.query_id) {
        response.metadata_mut().insert(QUERY_ID_HEADER, query_id);
    }
    response
}

/// The present descriptor, then each that differs, until the node shuts down.
fn descriptors(
    states: watch::Receiver<Arc<State>>,
    phase: watch::Receiver<Phase>,
) -> Replies<arrow_flight::Result> {
    let changes = futures::stream::unfold((states, None), |(mut states, sent)| async move {
        loop {
            let descriptor = states.borrow_and_update().descriptor.clone();
            if sent != Some(descriptor.revision) {
                return Some((Ok(message(&descriptor)), (states, Some(descriptor.revision))));
            }
            // The watcher is gone only when the node is.
            states.changed().await.ok()?;
        }
    });
    let stop = async move {
        let mut phase = phase;
        // A watcher that is gone means the same.
        let _ = phase.wait_for(|phase| *phase != Phase::Serving).await;
    };
    let last = futures::stream::iter([Err(Status::unavailable("the node is shutting down"))]);
    changes.take_until(stop).chain(last).boxed()
}

/// A gateway's administrator wants the files to be read at once.
async fn reload(node: &Node) -> Replies<arrow_flight::Result> {
    tracing::info!("a gateway has the files read");
    let answer = if node.reload.now().await { RELOADED } else { NOT_ALL_GOOD };
    futures::stream::iter([Ok(arrow_flight::Result { body: answer.into() })]).boxed()
}

/// Writing files blocks.
async fn take_document(node: Arc<Node>, text: bytes::Bytes) -> Result<Replies<arrow_flight::Result>, Status> {
    let receipt = tokio::task::spawn_blocking(move || node.operator.take(&text)).await;
    let receipt = receipt.map_err(|_| Status::internal("the document could not be looked at"))?;
    let message = arrow_flight::Result { body: receipt.encode_to_vec().into() };
    Ok(futures::stream::iter([Ok(message)]).boxed())
}

fn message(descriptor: &Descriptor) -> arrow_flight::Result {
    arrow_flight::Result { body: descriptor.encode_to_vec().into() }
}
