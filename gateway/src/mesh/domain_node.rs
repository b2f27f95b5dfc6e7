//! Whoever answers domain queries: a node behind a connection, or one in this process.

use std::fmt;

use arrow_flight::{FlightData, Ticket};
use async_trait::async_trait;
use futures::stream::BoxStream;
use meshgate_engine::seal::SealKeys;
use meshgate_proto::v1::wire::Compression;
use tonic::{Request, Status};

/// The messages of an answer.
pub type NodeMessages = BoxStream<'static, Result<FlightData, Status>>;

/// The node of one domain.
#[async_trait]
pub trait DomainNode: fmt::Debug + Send + Sync {
    /// The answer to a domain request. Dropping it ends the node's work.
    async fn answer(&self, request: Request<Ticket>) -> Result<NodeMessages, Status>;

    /// May its answers go to clients as it encoded them, without being decoded?
    fn may_be_relayed(&self) -> bool {
        false
    }

    /// How its answers are compressed if they are decoded here.
    fn compression(&self) -> Compression {
        Compression::Unspecified
    }

    /// Under which its tickets of direct reads are sealed; none if clients must not read from it.
    fn direct_keys(&self) -> Option<&SealKeys> {
        None
    }

    /// Has it read its files at once. True if all of them can be used.
    async fn reload(&self) -> Result<bool, Status> {
        Err(Status::unimplemented("there are no files to read"))
    }
}
