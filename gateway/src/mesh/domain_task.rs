//! Keeps one domain's description up to date: connects, listens, connects again.

use std::{collections::HashMap, sync::Arc, time::Duration};

use arrow_flight::Action;
use meshgate_policies::Digest;
use meshgate_proto::{DESCRIBE_ACTION, v1};
use prost::Message;
use tonic::{Streaming, transport::Uri};

use super::{
    Described, MeshState, NodeConnection,
    operator_document::{TELL_AGAIN_EVERY, Told},
};
use crate::{
    config::DomainConfig,
    tls::{self, NodesTls, TlsError},
};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A node has its description at hand: one that does not send it is not well.
const FIRST_DESCRIPTION_WITHIN: Duration = Duration::from_secs(10);
/// A node that describes its domain without end gets this much of the gateway.
const BETWEEN_DESCRIPTIONS: Duration = Duration::from_millis(100);

/// Runs until it is dropped.
pub(crate) async fn keep_described(config: DomainConfig, tls: Arc<NodesTls>, state: Arc<MeshState>) {
    let domain = config.domain.as_str();
    let (name, joining) = (config.domain.clone(), Arc::clone(&state));
    // Compiling what it said last is work of one processor. A mistake in it is as if nothing was known.
    let _ = tokio::task::spawn_blocking(move || joining.joins(&name)).await;
    let (mut pause, mut outage) = (FIRST_PAUSE, Outage::default());
    // Never empty, as the configuration checks; without a node there is nothing to do.
    for node in config.nodes.iter().cycle() {
        let connected = match NodeConnection::open(&config, node, &tls) {
            Ok(connection) => listen(domain, Arc::new(connection), &state).await,
            Err(error) => Err(ListenError::Tls(error)),
        };
        state.unavailable(domain);
        match connected {
            Ok(()) => (pause, outage) = (FIRST_PAUSE, Outage::default()),
            Err(error) => {
                if outage.is_news(node, &error.to_string()) {
                    tracing::warn!(domain, node = %node, %error, "no description of the domain; trying again");
                } else {
                    tracing::debug!(domain, node = %node, %error, "no description of the domain yet");
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
        tokio::time::sleep(pause).await;
    }
}

/// What was told since the domain went away: each reason of a node once, not for each attempt.
#[derive(Debug, Default)]
struct Outage(HashMap<Uri, String>);

impl Outage {
    /// Is this another reason than the last one of this node?
    fn is_news(&mut self, node: &Uri, reason: &str) -> bool {
        // The reason of an expired certificate counts the seconds.
        let lasting: String = reason.chars().filter(|c| !c.is_ascii_digit()).collect();
        let before = self.0.insert(node.clone(), lasting.clone());
        before != Some(lasting)
    }
}

#[derive(Debug, thiserror::Error)]
enum ListenError {
    #[error("TLS towards the node cannot be set up: {0}")]
    Tls(TlsError),
    #[error("the node does not answer: {}", tls::why(.0))]
    Status(#[from] tonic::Status),
    #[error("the node did not describe its domain in time")]
    Late,
    #[error("the node ended its description")]
    Ended,
}

/// Ends well once the node had described its domain and went away.
async fn listen(
    domain: &str,
    connection: Arc<NodeConnection>,
    state: &Arc<MeshState>,
) -> Result<(), ListenError> {
    let first = async {
        let mut stream = describe(&connection).await?;
        let message = stream.message().await?;
        Ok::<_, ListenError>((stream, message.ok_or(ListenError::Ended)?))
    };
    let (mut stream, first) =
        tokio::time::timeout(FIRST_DESCRIPTION_WITHIN, first).await.map_err(|_| ListenError::Late)??;
    let (mut changes, mut told) = (state.changes(), Told::default());
    told.enforces(take(domain, first.body, &connection, state).await);
    loop {
        told.tell(domain, &connection, state).await;
        tokio::select! {
            next = stream.message() => match next {
                Ok(Some(next)) => told.enforces(take(domain, next.body, &connection, state).await),
                Ok(None) => break,
                Err(status) => {
                    tracing::warn!(domain, error = %status, "the node went away");
                    break;
                }
            },
            changed = changes.changed() => if changed.is_err() { break },
            () = tokio::time::sleep(TELL_AGAIN_EVERY) => {}
        }
        tokio::time::sleep(BETWEEN_DESCRIPTIONS).await;
    }
    Ok(())
}

async fn describe(connection: &NodeConnection) -> Result<Streaming<arrow_flight::Result>, tonic::Status> {
    let action = Action { r#type: DESCRIBE_ACTION.to_owned(), body: bytes::Bytes::new() };
    Ok(connection.describing_client().do_action(action).await?.into_inner())
}

/// Compiling what a node describes is work of one processor, as long as the
/// node makes it: not for the threads that serve others. And a mistake in it
/// costs that node its domain, not the task that listens. Gives the operator's
/// document that the node enforces.
async fn take(
    domain: &str,
    body: bytes::Bytes,
    connection: &Arc<NodeConnection>,
    state: &Arc<MeshState>,
) -> Option<Digest> {
    let (name, connection, writer) = (domain.to_owned(), Arc::clone(connection), Arc::clone(state));
    // Work that began goes on when this task is ended: it must not bring a domain back that has left.
    let listening = Arc::new(());
    let wanted = Arc::downgrade(&listening);
    let work = move || understand(&name, &body, connection, &writer, &|| wanted.strong_count() > 0);
    let taken = tokio::task::spawn_blocking(work).await;
    drop(listening);
    let error = match taken {
        Ok(Ok(enforced)) => return enforced,
        Ok(Err(error)) => error,
        Err(_) => "reading it ended in a mistake of ours".to_owned(),
    };
    tracing::error!(domain, %error, "the description of the domain cannot be used: none of its tables is served");
    state.not_understood(domain);
    None
}

fn understand(
    domain: &str,
    body: &[u8],
    connection: Arc<NodeConnection>,
    state: &MeshState,
    is_wanted: &dyn Fn() -> bool,
) -> Result<Option<Digest>, String> {
    let descriptor = v1::Descriptor::decode(body).map_err(|error| error.to_string())?;
    let described = Described::read(domain, descriptor).map_err(|error| error.to_string())?;
    tracing::info!(domain, revision = described.revision, "domain described");
    let enforced = described.operator_version;
    state.described_while(domain, described, connection, is_wanted);
    if is_wanted() {
        state.memory().keep(domain, body);
    }
    Ok(enforced)
}

#[cfg(test)]
mod tests;
