//! The node as a server: configuration in, listeners bound, everything put
//! together, served until told to stop. The only place where the parts meet.

use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arrow_flight::flight_service_server::FlightServiceServer;
use meshgate_engine::audit::AuditError;
use meshgate_engine::direct::TICKET_BYTES_MAX;
use meshgate_engine::listener::connections;
use meshgate_engine::operator::{OperatorKeyError, OperatorKeys};
use meshgate_engine::reload::Reload;
use meshgate_engine::seal::SealError;
use meshgate_engine::{Engine, EngineLimits};
use meshgate_proto::v1::DirectAddress;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tonic::transport::server::Router;
use tonic::transport::{Server, ServerTlsConfig};

use crate::audit::AuditLog;
use crate::config::{DirectConfig, NodeConfig, NodeLimits};
use crate::describe::Identity;
use crate::direct::DirectService;
use crate::flight::Service;
use crate::http;
use crate::keys::{self, KeysError};
use crate::node::{self, Node, Phase};
use crate::operator::OperatorFile;
use crate::readiness::{Readiness, Trouble};
use crate::reload::Loader;
use crate::request::{PermitCheck, TICKET_BYTES};
use crate::tls::{self, TlsError};
use crate::watch::Watcher;

/// Streams of one connection at a time.
const STREAMS: u32 = 128;
const HEADER_LIST_BYTES: u32 = 64 << 10;
/// Few large frames and wide windows: what throughput depends on most.
const FRAME_BYTES: u32 = 256 << 10;
const STREAM_WINDOW_BYTES: u32 = 8 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 32 << 20;
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);
/// Room for the message around the ticket.
const MESSAGE_MARGIN: usize = 64 << 10;
/// Time for connections to close after the last stream was cut.
const CLOSING_TIME: Duration = Duration::from_secs(2);

/// Why a node does not start or does not go on. Each text is one sentence for whoever starts it.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(
        "cannot listen on {address}: the address is in use; stop what listens there or change `{key}` in node.yaml"
    )]
    AddressInUse { key: &'static str, address: SocketAddr },
    #[error("cannot listen on {address}, which node.yaml names as {key}")]
    Listen { key: &'static str, address: SocketAddr, source: std::io::Error },
    #[error("`{}`, which node.yaml names as {key}, is not a folder", folder.display())]
    NoFolder { key: &'static str, folder: PathBuf },
    #[error("a key under `direct` of node.yaml cannot be used")]
    DirectKey(#[from] SealError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Keys(#[from] KeysError),
    #[error(transparent)]
    OperatorKey(#[from] OperatorKeyError),
    #[error(transparent)]
    Audit(#[from] AuditError),
    #[error("the engine does not start")]
    Engine(#[source] meshgate_engine::EngineError),
    #[error("the Flight server stopped")]
    Flight(#[source] tonic::transport::Error),
    #[error("a part of the node ended unexpectedly")]
    Task(#[source] tokio::task::JoinError),
}

/// A node that listens and has read its files, but does not serve yet.
#[derive(Debug)]
pub struct NodeServer {
    flight: TcpListener,
    flight_address: SocketAddr,
    direct: Option<DirectListener>,
    http: Option<(TcpListener, SocketAddr)>,
    router: Router,
    watcher: Watcher,
    phase: watch::Sender<Phase>,
    readiness: Readiness,
    limits: NodeLimits,
}

/// Where clients read themselves.
#[derive(Debug)]
struct DirectListener {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
}

impl NodeServer {
    /// Checks everything that must hold before a node can serve, and binds its addresses.
    pub async fn bind(config: NodeConfig) -> Result<Self, StartError> {
        // Both tonic and rustls take the process's provider; another part may have set the same one.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let started_at = node::now();
        let (flight, flight_address) = listen("listen.flight", config.listen.flight).await?;
        let http = match config.listen.http {
            Some(address) => Some(listen("listen.http", address).await?),
            None => None,
        };
        let direct = match &config.direct {
            Some(direct) => Some((listen("direct.listen", direct.listen).await?, direct.clone())),
            None => None,
        };
        require_folder("products", &config.products)?;
        require_folder("policies", &config.policies)?;
        let server = server(config.tls.load()?, "tls")?;
        let keys = keys::load(&config.permit_keys)?;
        let operator_keys = OperatorKeys::load(&config.operator_keys)?;
        let operator = Arc::new(OperatorFile::new(config.mesh.clone(), operator_keys));
        let readiness = Readiness::default();
        let audit = Arc::new(open_audit(&config, &readiness).await?);
        let engine = Engine::new(engine_limits(&config.limits)).map_err(StartError::Engine)?;
        let limits = config.limits.clone();
        let counts_rows = config.shadow.as_ref().is_some_and(|shadow| shadow.count_rows);
        // One at a time, whatever is asked.
        let counts = counts_rows.then(|| Arc::new(Semaphore::new(1)));
        let name = config.node.clone();
        let permits = PermitCheck::new(keys, name.clone(), started_at);
        let watcher = watcher(config, started_at, operator.clone(), readiness.clone()).await?;
        let phase = watch::Sender::new(Phase::Serving);
        let node = Node {
            engine,
            permits,
            audit,
            states: watcher.states(),
            operator,
            slots: Arc::new(Semaphore::new(limits.concurrent_queries)),
            direct_slots: Arc::new(Semaphore::new(limits.direct_queries)),
            limits: limits.clone(),
            phase: phase.subscribe(),
            clock: node::Clock::System,
            reload: watcher.reload(),
            counts,
        };
        let node = Arc::new(node);
        let direct = match direct {
            Some(((listener, address), config)) => {
                Some(DirectListener { listener, address, router: direct_router(&node, name, &config)? })
            }
            None => None,
        };
        let router = add_service(server, node);
        Ok(Self { flight, flight_address, direct, http, router, watcher, phase, readiness, limits })
    }

    /// Where gateways reach the node.
    pub fn flight_address(&self) -> SocketAddr {
        self.flight_address
    }

    /// Where clients read themselves.
    pub fn direct_address(&self) -> Option<SocketAddr> {
        self.direct.as_ref().map(|direct| direct.address)
    }

    /// What has contracts, policies and mesh.yaml read at once.
    pub fn reload(&self) -> Reload {
        self.watcher.reload()
    }

    /// Where liveness and readiness are answered.
    pub fn http_address(&self) -> Option<SocketAddr> {
        self.http.as_ref().map(|(_, address)| *address)
    }

    /// Serves until `shutdown`, then lets running queries finish for a while.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), StartError> {
        let Self { flight, direct, http, router, watcher, phase, readiness, limits, .. } = self;
        let watching = AbortOnDrop(tokio::spawn(watcher.run()));
        let (stop, stopped) = watch::channel(false);
        let flight = {
            let incoming = connections(flight, limits.connections);
            let gateways = router.serve_with_incoming_shutdown(incoming, wait(stopped.clone()));
            let clients = serve_clients(direct, limits.direct_connections, wait(stopped));
            tokio::spawn(async move { tokio::try_join!(gateways, clients).map(drop) })
        };
        // Until the end, so that a node that stops says so.
        let _http =
            http.map(|(listener, _)| AbortOnDrop(tokio::spawn(http::serve(listener, readiness.clone()))));
        let mut flight = AbortOnDrop(flight);
        tokio::select! {
            () = shutdown => {}
            ended = &mut flight.0 => return flight_result(ended),
        }
        readiness.set(Trouble::Stopping, true);
        phase.send_replace(Phase::Draining);
        stop.send_replace(true);
        drop(watching);
        if let Ok(ended) = tokio::time::timeout(limits.shutdown_grace, &mut flight.0).await {
            return flight_result(ended);
        }
        phase.send_replace(Phase::Cut);
        match tokio::time::timeout(CLOSING_TIME, &mut flight.0).await {
            Ok(ended) => flight_result(ended),
            // Whoever still holds a connection open has its streams' end already.
            Err(_) => Ok(()),
        }
    }
}

async fn listen(key: &'static str, address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let fail = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::AddrInUse => StartError::AddressInUse { key, address },
        _ => StartError::Listen { key, address, source },
    };
    let listener = TcpListener::bind(address).await.map_err(fail)?;
    let bound = listener.local_addr().map_err(fail)?;
    Ok((listener, bound))
}

fn require_folder(key: &'static str, folder: &Path) -> Result<(), StartError> {
    if folder.is_dir() {
        return Ok(());
    }
    Err(StartError::NoFolder { key, folder: folder.to_owned() })
}

fn server(tls: ServerTlsConfig, section: &'static str) -> Result<Server, StartError> {
    Server::builder()
        .max_concurrent_streams(STREAMS)
        .http2_max_header_list_size(HEADER_LIST_BYTES)
        .max_frame_size(FRAME_BYTES)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .tls_config(tls)
        .map_err(|source| TlsError::Refused { section, source }.into())
}

fn add_service(mut server: Server, node: Arc<Node>) -> Router {
    let service =
        FlightServiceServer::new(Service(node)).max_decoding_message_size(TICKET_BYTES + MESSAGE_MARGIN);
    server.add_service(service)
}

fn direct_router(node: &Arc<Node>, name: String, config: &DirectConfig) -> Result<Router, StartError> {
    let mut server = server(tls::for_clients(&config.certificate, &config.key)?, "direct.tls")?;
    let service = DirectService::new(Arc::clone(node), name, &config.keys)?;
    let service = FlightServiceServer::new(service);
    Ok(server.add_service(service.max_decoding_message_size(TICKET_BYTES_MAX + MESSAGE_MARGIN)))
}

async fn serve_clients(
    direct: Option<DirectListener>,
    connections_max: usize,
    shutdown: impl Future<Output = ()>,
) -> Result<(), tonic::transport::Error> {
    let Some(DirectListener { listener, router, .. }) = direct else { return Ok(()) };
    router.serve_with_incoming_shutdown(connections(listener, connections_max), shutdown).await
}

/// Waits for a server that still has the log.
async fn open_audit(config: &NodeConfig, readiness: &Readiness) -> Result<AuditLog, StartError> {
    let (settings, readiness) = (config.audit.clone(), readiness.clone());
    let opened = tokio::task::spawn_blocking(move || AuditLog::open(&settings, readiness)).await;
    Ok(opened.map_err(StartError::Task)??)
}

fn engine_limits(limits: &NodeLimits) -> EngineLimits {
    EngineLimits {
        memory: limits.memory,
        query_memory: limits.query_memory,
        spill_directory: limits.spill_folder.clone(),
        spill_bytes: limits.spill,
        query_time: limits.query_time,
        ..EngineLimits::default()
    }
}

async fn watcher(
    config: NodeConfig,
    started_at: i64,
    operator: Arc<OperatorFile>,
    readiness: Readiness,
) -> Result<Watcher, StartError> {
    let addresses = config.direct.iter().flat_map(|direct| &direct.addresses);
    let address = |(zone, uri): (&String, &String)| DirectAddress { zone: zone.clone(), uri: uri.clone() };
    let identity = Identity {
        domain: config.domain.clone(),
        node: config.node.clone(),
        started_at,
        direct_addresses: addresses.map(address).collect(),
    };
    let work = move || {
        let config = Arc::new(config);
        Watcher::start(config.clone(), Loader::new(config, identity, operator), readiness)
    };
    tokio::task::spawn_blocking(work).await.map_err(StartError::Task)
}

/// Ends when the value turns true, or when nobody is left to turn it.
async fn wait(mut flag: watch::Receiver<bool>) {
    let _ = flag.wait_for(|flag| *flag).await;
}

type FlightTask = Result<Result<(), tonic::transport::Error>, tokio::task::JoinError>;

fn flight_result(ended: FlightTask) -> Result<(), StartError> {
    match ended {
        Ok(result) => result.map_err(StartError::Flight),
        Err(error) => Err(StartError::Task(error)),
    }
}

/// A task that ends with whoever started it.
struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
