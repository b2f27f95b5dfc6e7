//! Arrow Flight as clients reach it on a node: `DoGet` with a ticket that a
//! gateway sealed for this node and for the token that the client comes with.
//!
//! Nothing that gateways do is here, and every other call is UNIMPLEMENTED.
//! Which domain query is answered, and how, is `query`'s matter, as for
//! gateways. Tokens are compared with the one that the gateway verified; they
//! are neither read nor kept.

use std::sync::Arc;

use arrow_flight::flight_service_server::FlightService;
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo, HandshakeRequest,
    HandshakeResponse, PollInfo, PutResult, SchemaResult, Ticket,
};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use meshgate_engine::direct::{self, Unreadable};
use meshgate_engine::seal::{SealError, SealKeys};
use meshgate_policies::Digest;
use meshgate_proto::v1::DirectRead;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming};

use crate::config::DirectKey;
use crate::flight::{Replies, result};
use crate::node::Node;
use crate::query;

/// Longest token that is looked at.
const TOKEN_BYTES: usize = 32 << 10;

/// What every ticket is answered that is not for whoever brings it.
const REFUSED: &str = "the ticket cannot be used here: ask the gateway";

/// The service for clients.
#[derive(Debug)]
pub(crate) struct DirectService {
    node: Arc<Node>,
    /// Of the node.
    name: String,
    keys: SealKeys,
}

/// Why a ticket is not answered. For the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Refused {
    #[error("there is not exactly one header `authorization: Bearer <token>`, of a bounded length")]
    NoToken,
    #[error(transparent)]
    Ticket(#[from] Unreadable),
    #[error("the token is not the one that the ticket is for")]
    OtherToken,
}

impl DirectService {
    pub(crate) fn new(node: Arc<Node>, name: String, keys: &[DirectKey]) -> Result<Self, SealError> {
        let keys = SealKeys::new(keys.iter().map(|key| (key.id.as_str(), &key.bytes)))?;
        Ok(Self { node, name, keys })
    }

    /// What a gateway lets this client read.
    fn read(&self, metadata: &MetadataMap, ticket: &[u8]) -> Result<DirectRead, Refused> {
        let token = bearer(metadata).ok_or(Refused::NoToken)?;
        let read = direct::read(&self.keys, &self.name, ticket)?;
        let digest = Digest::of(token.as_bytes());
        verify_slices_are_equal(digest.as_bytes(), &read.token_digest).map_err(|_| Refused::OtherToken)?;
        Ok(read)
    }
}

/// The token, byte for byte as the gateway takes it.
fn bearer(metadata: &MetadataMap) -> Option<&str> {
    let mut values = metadata.get_all("authorization").iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    let is_token = !token.is_empty() && token.len() <= TOKEN_BYTES && !token.contains(char::is_whitespace);
    (scheme.eq_ignore_ascii_case("bearer") && is_token).then_some(token)
}

fn unimplemented<A>() -> Result<A, Status> {
    Err(Status::unimplemented("this address only gives results: ask the gateway"))
}

#[tonic::async_trait]
impl FlightService for DirectService {
    type HandshakeStream = Replies<HandshakeResponse>;
    type ListFlightsStream = Replies<FlightInfo>;
    type DoGetStream = Replies<FlightData>;
    type DoPutStream = Replies<PutResult>;
    type DoExchangeStream = Replies<FlightData>;
    type DoActionStream = Replies<arrow_flight::Result>;
    type ListActionsStream = Replies<ActionType>;

    async fn do_get(&self, request: Request<Ticket>) -> Result<Response<Self::DoGetStream>, Status> {
        let read = self.read(request.metadata(), &request.get_ref().ticket).map_err(|reason| {
            tracing::info!(peer = ?request.remote_addr(), %reason, "a direct read was refused");
            Status::unauthenticated(REFUSED)
        })?;
        Ok(result(query::answer_client(&self.node, read).await?))
    }

    async fn do_action(&self, _: Request<Action>) -> Result<Response<Self::DoActionStream>, Status> {
        unimplemented()
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
