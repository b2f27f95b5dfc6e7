//! Brings the operator's document to a node, so that it enforces what the
//! gateway plans under. The node believes the signature, not the gateway.

use std::time::{Duration, Instant};

use arrow_flight::Action;
use meshgate_policies::Digest;
use meshgate_proto::{
    OPERATOR_DOCUMENT_ACTION,
    v1::{OperatorDocumentReceipt, operator_document_receipt::Outcome},
};
use prost::Message;

use super::{MeshState, NodeConnection};

/// To a node that does not enforce the document though it was told of it.
pub(super) const TELL_AGAIN_EVERY: Duration = Duration::from_secs(60);
/// A node writes it to its disk.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Which document a node enforces, and which one it was told of last.
#[derive(Debug, Default)]
pub(super) struct Told {
    enforced: Option<Digest>,
    told: Option<(Digest, Instant)>,
}

#[derive(Debug, thiserror::Error)]
enum NoReceipt {
    #[error("{0}")]
    Status(#[from] tonic::Status),
    #[error("no answer in time")]
    Late,
    #[error("no receipt in the answer")]
    Nothing,
}

impl Told {
    /// The node describes itself as one that enforces the document of this digest.
    pub(super) fn enforces(&mut self, digest: Option<Digest>) {
        self.enforced = digest;
    }

    /// Brings the present document, unless the node enforces it or has just been told of it.
    pub(super) async fn tell(&mut self, domain: &str, connection: &NodeConnection, state: &MeshState) {
        let snapshot = state.snapshot();
        let Some(text) = &snapshot.document else { return };
        let present = snapshot.mesh.version();
        let told = |(digest, at): (Digest, Instant)| digest == present && at.elapsed() < TELL_AGAIN_EVERY;
        if self.enforced == Some(present) || self.told.is_some_and(told) {
            return;
        }
        self.told = Some((present, Instant::now()));
        let brought = tokio::time::timeout(ANSWER_WITHIN, bring(connection, text.as_bytes().to_vec())).await;
        let receipt = brought.map_err(|_| NoReceipt::Late).and_then(|receipt| receipt);
        let version = snapshot.mesh.revision().unwrap_or_default();
        match receipt {
            Ok(receipt) => say(domain, version, &receipt),
            Err(error) => tracing::warn!(
                domain, version, %error,
                "the operator's document could not be brought to the domain's node: it enforces the one that it has"
            ),
        }
    }
}

async fn bring(connection: &NodeConnection, text: Vec<u8>) -> Result<OperatorDocumentReceipt, NoReceipt> {
    let action = Action { r#type: OPERATOR_DOCUMENT_ACTION.to_owned(), body: text.into() };
    let mut answers = connection.describing_client().do_action(action).await?.into_inner();
    let answer = answers.message().await?.ok_or(NoReceipt::Nothing)?;
    OperatorDocumentReceipt::decode(answer.body).map_err(|_| NoReceipt::Nothing)
}

/// Whoever has to do something about it reads what.
fn say(domain: &str, version: u64, receipt: &OperatorDocumentReceipt) {
    let remedy = match receipt.outcome() {
        Outcome::Taken => return tracing::info!(domain, version, "the node took the operator's document"),
        Outcome::Held => return,
        Outcome::Older => {
            "it has seen a higher version: bring this gateway's mesh.yaml up to date, or sign it again with a higher one"
        }
        Outcome::SameVersion => "it has seen another text with this version: sign mesh.yaml again",
        Outcome::OtherMesh => "it is a part of another mesh: correct the domain's file, or the node's",
        Outcome::Unusable => {
            "it does not know the operator's key, or cannot read the document: the node's log says which; compare `operator_key` on both sides"
        }
        Outcome::NotKept => "it cannot write the document to its disk: its log says why",
        Outcome::Unspecified => "its version does not know what to do with it: update it",
    };
    let held = receipt.version;
    tracing::error!(domain, version, held, "the node does not take the operator's document: {remedy}");
}
