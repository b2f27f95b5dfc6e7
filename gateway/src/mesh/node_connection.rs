//! A connection to one node of a domain: TLS, bounds and keepalive.

use std::{sync::Arc, time::Duration};

use arrow_flight::{Action, Ticket, flight_service_client::FlightServiceClient};
use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use meshgate_engine::seal::SealKeys;
use meshgate_proto::{NOT_ALL_GOOD, RELOAD_ACTION, RELOADED, v1::wire::Compression};
use tonic::{
    Request, Status,
    transport::{Channel, Uri},
};

use super::{DomainNode, domain_node::NodeMessages};
use crate::{
    config::{CompressionMode, DomainConfig, RelayMode},
    tls::{NodesTls, TlsError},
};

/// Longest message of a result. Nodes send about 2 MiB; one wide row can be larger.
const RESULT_MESSAGE_BYTES_MAX: usize = 64 << 20;
/// Longest description of a domain.
pub(super) const DESCRIPTION_BYTES_MAX: usize = 64 << 20;
const PING_EVERY: Duration = Duration::from_secs(10);
const PING_ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// The default windows hold a stream to a few MiB for each round trip.
const STREAM_WINDOW_BYTES: u32 = 8 << 20;
/// The largest there is (RFC 9113, 6.9.1), for 255 full streams: what nobody reads any more stays within its own
/// stream's window. If streams that wait could fill the connection's, no other would get on, not even one on which
/// their reader waits.
const CONNECTION_WINDOW_BYTES: u32 = (1 << 31) - 1;
const FRAME_BYTES: u32 = 256 << 10;

/// A connection that opens itself when it is first used, and again when it broke.
#[derive(Debug, Clone)]
pub(crate) struct NodeConnection {
    channel: Channel,
    relay: RelayMode,
    compression: CompressionMode,
    direct: Option<Arc<SealKeys>>,
}

impl NodeConnection {
    /// A connection to a node that must prove to be the domain's.
    pub(crate) fn open(config: &DomainConfig, node: &Uri, tls: &NodesTls) -> Result<Self, TlsError> {
        let endpoint = tls
            .endpoint(node, &config.certificate)?
            .tcp_nodelay(true)
            .http2_keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PING_ANSWER_WITHIN)
            .keep_alive_while_idle(true)
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_frame_size(FRAME_BYTES);
        let key = config.direct.iter().map(|key| (key.id.as_str(), key.key.expose()));
        // There is none, or it is as the configuration checked it.
        let direct = SealKeys::new(key).ok().map(Arc::new);
        let (relay, compression) = (config.relay, config.compression);
        Ok(Self { channel: endpoint.connect_lazy(), relay, compression, direct })
    }

    /// A connection over a channel that is there already.
    #[cfg(test)]
    pub(crate) fn over(channel: Channel) -> Self {
        Self { channel, relay: RelayMode::Whole, compression: CompressionMode::None, direct: None }
    }

    /// The same, whose answers are decoded.
    #[cfg(test)]
    pub(crate) fn never_relayed(&self) -> Self {
        Self { relay: RelayMode::Never, ..self.clone() }
    }

    /// The same, for a domain whose nodes see tokens.
    #[cfg(test)]
    pub(crate) fn read_directly(&self, keys: SealKeys) -> Self {
        Self { direct: Some(Arc::new(keys)), ..self.clone() }
    }

    pub(super) fn describing_client(&self) -> FlightServiceClient<Channel> {
        FlightServiceClient::new(self.channel.clone()).max_decoding_message_size(DESCRIPTION_BYTES_MAX)
    }
}

#[async_trait]
impl DomainNode for NodeConnection {
    async fn answer(&self, request: Request<Ticket>) -> Result<NodeMessages, Status> {
        let client = FlightServiceClient::new(self.channel.clone());
        let mut client = client.max_decoding_message_size(RESULT_MESSAGE_BYTES_MAX);
        Ok(client.do_get(request).await?.into_inner().boxed())
    }

    fn may_be_relayed(&self) -> bool {
        // Clients need not know of compression.
        self.relay == RelayMode::Whole && self.compression == CompressionMode::None
    }

    fn compression(&self) -> Compression {
        match self.compression {
            CompressionMode::None => Compression::Unspecified,
            CompressionMode::Zstd => Compression::Zstd,
        }
    }

    fn direct_keys(&self) -> Option<&SealKeys> {
        self.direct.as_deref()
    }

    async fn reload(&self) -> Result<bool, Status> {
        let action = Action { r#type: RELOAD_ACTION.to_owned(), body: Bytes::new() };
        let mut answers =
            FlightServiceClient::new(self.channel.clone()).do_action(action).await?.into_inner();
        let answer = answers.message().await?.map(|answer| answer.body).unwrap_or_default();
        if answer == RELOADED {
            Ok(true)
        } else if answer == NOT_ALL_GOOD {
            Ok(false)
        } else {
            Err(Status::internal("the node's answer is not understood"))
        }
    }
}
