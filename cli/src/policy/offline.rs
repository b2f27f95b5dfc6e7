//! Gateway and node of one domain in this process: no socket, no configured
//! key, and the same code on both sides.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use arrow_flight::Ticket;
use async_trait::async_trait;
use meshgate_domain_node::offline::{OfflineDomain, OfflineNode, Setting, TableData};
use meshgate_engine::{Engine, EngineLimits};
use meshgate_gateway::{
    DomainNode, NodeMessages,
    config::{PermitKeyConfig, Secret},
    offline::OfflineGateway,
};
use meshgate_policies::Statement;
use tonic::{Request, Status};

use crate::failure::{Failure, with_reasons};

const KEY_ID: &str = "offline";
/// Rows of files come in the order of the files, and so little data is not worth splitting.
const PARTITIONS: usize = 1;

/// What all sessions of a command share.
#[derive(Debug)]
pub(crate) struct Offline {
    gateway_engine: Arc<Engine>,
    node_engine: Arc<Engine>,
    permit_key: PermitKeyConfig,
    public_key: [u8; 32],
}

/// A domain over certain data at a certain instant.
#[derive(Debug)]
pub(crate) struct Session<'d> {
    pub(crate) domain: &'d OfflineDomain,
    pub(crate) node: Arc<OfflineNode>,
    pub(crate) gateway: OfflineGateway,
    pub(crate) statement: Statement,
}

#[derive(Debug)]
struct InProcess(Arc<OfflineNode>);

#[async_trait]
impl DomainNode for InProcess {
    async fn answer(&self, request: Request<Ticket>) -> Result<NodeMessages, Status> {
        self.0.answer(&request.into_inner().ticket).await
    }
}

impl Offline {
    pub(crate) fn new() -> Result<Self, Failure> {
        let engine = || {
            let limits = EngineLimits { target_partitions: PARTITIONS, ..EngineLimits::default() };
            Engine::new(limits).map_err(|error| Failure::Usage(with_reasons(&error)))
        };
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519);
        let key = key.map_err(|error| Failure::Usage(format!("a key cannot be made: {error}")))?;
        let public_key = key.public_key_raw().try_into();
        Ok(Self {
            gateway_engine: engine()?,
            node_engine: engine()?,
            permit_key: PermitKeyConfig { id: KEY_ID.to_owned(), key: Secret::new(key.serialize_pem()) },
            public_key: public_key.map_err(|_| Failure::Usage("a key cannot be made".to_owned()))?,
        })
    }

    /// The domain over `data` at `instant`. In `folder` the session makes one for its own files.
    pub(crate) fn open<'d>(
        &self,
        domain: &'d OfflineDomain,
        data: &BTreeMap<String, TableData>,
        instant: i64,
        folder: &Path,
    ) -> Result<Session<'d>, Failure> {
        let failed = |error: &dyn std::error::Error| Failure::Usage(with_reasons(error));
        let own = tempfile::tempdir_in(folder).map_err(|error| failed(&error))?;
        let setting = Setting {
            engine: Arc::clone(&self.node_engine),
            gateway: (KEY_ID.to_owned(), self.public_key),
            instant,
            folder: own.keep(),
        };
        let node = Arc::new(OfflineNode::new(domain, data, setting).map_err(|error| failed(&error))?);
        let gateway = OfflineGateway::new(
            Arc::clone(&self.gateway_engine),
            &self.permit_key,
            instant,
            domain.mesh().clone(),
            node.descriptor(),
            Arc::new(InProcess(Arc::clone(&node))),
        );
        let gateway = gateway.map_err(|error| failed(&error))?;
        let statement = Statement { instant, zone: domain.mesh().time_zone() };
        Ok(Session { domain, node, gateway, statement })
    }
}
