//! A node that answers in the process of whoever asks: everything of a node but
//! its listener, its reloading and the clock.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_flight::FlightData;
use futures::StreamExt;
use futures::stream::BoxStream;
use meshgate_engine::Engine;
use meshgate_engine::audit::{AuditError, AuditSettings};
use meshgate_engine::operator::OperatorKeys;
use meshgate_engine::permit::PermitKeys;
use meshgate_engine::reload::Reload;
use meshgate_policies::PseudonymSpace;
use meshgate_proto::v1::Descriptor;
use tokio::sync::{Semaphore, watch};
use tonic::Status;

use super::data::TableData;
use super::domain::OfflineDomain;
use crate::audit::AuditLog;
use crate::config::{NodeLimits, PseudonymSecret};
use crate::describe::{self, Identity};
use crate::node::{Clock, Node, Phase};
use crate::operator::OperatorFile;
use crate::pseudonyms::Pseudonyms;
use crate::query;
use crate::readiness::Readiness;
use crate::request::PermitCheck;
use crate::state::{ServedTable, State};

/// Pseudonyms are made with this key whatever keys the domain has, so that they are the same on
/// every machine. It protects nothing: whoever looks at data offline has the data.
const PSEUDONYM_KEY: [u8; 32] = *b"meshgate: not a secret, offline ";

/// How an offline node works.
#[derive(Debug)]
pub struct Setting {
    pub engine: Arc<Engine>,
    /// Name and raw public key of the one whose permits it takes.
    pub gateway: (String, [u8; 32]),
    /// What time it is, in microseconds since the epoch.
    pub instant: i64,
    /// For its own files. Nobody else writes there.
    pub folder: PathBuf,
}

/// Answers domain queries over one domain.
#[derive(Debug)]
pub struct OfflineNode {
    pub(super) node: Node,
    pub(super) state: Arc<State>,
    _phase: watch::Sender<Phase>,
}

impl OfflineNode {
    /// A node of `domain`; a table without an entry in `data` cannot be read.
    pub fn new(
        domain: &OfflineDomain,
        data: &BTreeMap<String, TableData>,
        setting: Setting,
    ) -> Result<Self, AuditError> {
        let Setting { engine, gateway, instant, folder } = setting;
        let state = Arc::new(state(domain, data, instant));
        let (phase, serving) = watch::channel(Phase::Serving);
        let limits = NodeLimits::default();
        let audit = AuditLog::open(&AuditSettings::at(&folder.join("audit.jsonl")), Readiness::default())?;
        let operator = OperatorFile::new(folder.join("mesh.yaml"), OperatorKeys::new([]));
        let keys = PermitKeys::new([gateway]);
        let node = Node {
            engine,
            permits: PermitCheck::new(keys, state.descriptor.node.clone(), instant),
            audit: Arc::new(audit),
            states: watch::channel(Arc::clone(&state)).1,
            operator: Arc::new(operator),
            slots: Arc::new(Semaphore::new(limits.concurrent_queries)),
            direct_slots: Arc::new(Semaphore::new(limits.direct_queries)),
            limits,
            phase: serving,
            reload: Reload::all([]),
            counts: None,
            clock: Clock::Stopped(instant),
        };
        Ok(Self { node, state, _phase: phase })
    }

    /// How the node describes its domain to a gateway.
    pub fn descriptor(&self) -> Descriptor {
        self.state.descriptor.as_ref().clone()
    }

    /// The answer to a domain request, checked like any other.
    pub async fn answer(
        &self,
        ticket: &[u8],
    ) -> Result<BoxStream<'static, Result<FlightData, Status>>, Status> {
        Ok(query::answer(&self.node, ticket).await?.stream.boxed())
    }
}

fn state(domain: &OfflineDomain, data: &BTreeMap<String, TableData>, instant: i64) -> State {
    let identity = Identity {
        domain: domain.name.clone(),
        node: format!("{}-offline", domain.name),
        started_at: instant,
        direct_addresses: Vec::new(),
    };
    let operator_version = domain.policy.operator_version();
    let descriptor = describe::descriptor(
        &identity,
        &domain.products,
        Some(&domain.documents),
        None,
        operator_version.as_bytes(),
    );
    let mut tables = BTreeMap::new();
    for table in domain.product_tables() {
        let name = &table.table.name;
        let source = data.get(name).and_then(|data| match data.source(table) {
            Ok(source) => Some(source),
            Err(error) => {
                tracing::warn!(table = name, %error, "the table has no data that can be read");
                None
            }
        });
        tables.insert(name.clone(), Arc::new(ServedTable::new(table, source)));
    }
    State {
        domain: domain.name.clone(),
        products: domain.products.clone(),
        tables,
        policy: Arc::clone(&domain.policy),
        zone: Some(domain.mesh.time_zone()),
        pseudonyms: Arc::new(pseudonyms(domain)),
        descriptor: Arc::new(descriptor),
        candidate: None,
    }
}

fn pseudonyms(domain: &OfflineDomain) -> Pseudonyms {
    let spaces = domain.policy.pseudonym_spaces();
    let secret = |space: &PseudonymSpace| {
        let secret = PseudonymSecret { id: "offline".to_owned(), bytes: PSEUDONYM_KEY.to_vec() };
        (space.name.clone(), secret)
    };
    let secrets = spaces.iter().map(secret).collect();
    Pseudonyms::new(&domain.name, spaces, &secrets).0
}
