//! Configuration in, running gateway out: the only place where the parts meet.

use std::{collections::BTreeMap, future::Future, io, net::SocketAddr, sync::Arc, time::Duration};

use meshgate_engine::{
    Engine, EngineLimits,
    audit::AuditError,
    listener::connections,
    operator::{OperatorDocument, OperatorKeyError, OperatorKeys},
    reload::Reload,
    statement::StatementLimits,
};
use meshgate_policies::Principal;
use tokio::{
    net::TcpListener,
    sync::watch,
    task::{JoinError, JoinSet},
};
use tonic::transport::Server;

use crate::{
    admission::Admission,
    audit::AuditLog,
    config::{GatewayConfig, Limits, Networks},
    flight::{FlightSql, KeptPlans, SqlInfoTable},
    http::{self, Readiness, ReadinessProblem},
    identity::{Authenticator, Clock, KeySetError},
    mesh::{DomainFiles, Memory, MeshFile, MeshState},
    planner::{FunctionNames, Planner, optimizer_rules},
    query::{PermitIssuer, PermitIssuerError},
    ticket::Sealer,
    tls::{self, NodesTls, TlsError},
};

/// Connections at the same time; others wait until one ends.
const CONNECTIONS_MAX: usize = 1_024;
/// A busy client needs few; a flood gets no more.
const STREAMS_PER_CONNECTION: u32 = 128;
/// JDBC sends URL parameters and tokens as headers.
const HEADER_LIST_BYTES: u32 = 64 << 10;
/// Load balancers cut what is silent for minutes.
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// How long streams may take to tell their clients that the gateway stops.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What every call works with.
#[derive(Debug)]
pub(crate) struct Gateway {
    pub(crate) authenticator: Authenticator,
    pub(crate) mesh: Arc<MeshState>,
    pub(crate) planner: Planner,
    pub(crate) kept_plans: KeptPlans,
    pub(crate) engine: Arc<Engine>,
    pub(crate) permits: Arc<PermitIssuer>,
    pub(crate) sealer: Sealer,
    pub(crate) audit: Arc<AuditLog>,
    /// Roles that see all of the audit and of the policies' rules.
    pub(crate) reader_roles: Vec<String>,
    /// Roles that may have the mesh read its files.
    pub(crate) admin_roles: Vec<String>,
    /// Roles that may run a query for its explanation.
    pub(crate) analyze_roles: Vec<String>,
    /// Reads this gateway's files at once.
    pub(crate) reload: Reload,
    pub(crate) admission: Arc<Admission>,
    pub(crate) sql_info: SqlInfoTable,
    pub(crate) networks: Networks,
    pub(crate) limits: Limits,
    pub(crate) clock: Clock,
    /// True once the gateway was told to stop and has waited long enough.
    pub(crate) stopping: watch::Sender<bool>,
}

/// Why a gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the address {address} is in use: stop what listens there, or set another one under `listen`")]
    AddressInUse { address: SocketAddr },
    #[error("cannot listen on {address}: {source}")]
    Listen { address: SocketAddr, source: io::Error },
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    OperatorKey(#[from] OperatorKeyError),
    #[error(transparent)]
    KeySet(#[from] KeySetError),
    #[error(transparent)]
    Audit(#[from] AuditError),
    #[error(transparent)]
    PermitKey(#[from] PermitIssuerError),
    #[error("a key under `sealing` cannot be used")]
    SealingKey,
    #[error("the engine cannot start: {0}")]
    Engine(String),
    #[error("the server failed: {0}")]
    Server(String),
}

/// A gateway that listens and does not serve yet.
#[derive(Debug)]
pub struct GatewayServer {
    config: GatewayConfig,
    gateway: Arc<Gateway>,
    mesh_file: Arc<MeshFile>,
    domain_files: Arc<DomainFiles>,
    nodes_tls: Arc<NodesTls>,
    server: Server,
    flight: TcpListener,
    flight_address: SocketAddr,
    http: Option<(TcpListener, SocketAddr)>,
}

/// Is one of a principal's roles among those that the configuration names?
pub(crate) fn has_role(principal: &Principal, named: &[String]) -> bool {
    principal.roles.iter().any(|role| named.contains(role))
}

impl GatewayServer {
    /// Checks everything that is configured and takes the addresses.
    pub async fn bind(config: GatewayConfig) -> Result<Self, StartError> {
        // Somebody may have installed a provider already; it is the same one.
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        let operator_keys = OperatorKeys::load(&config.operator_keys)?;
        let (mesh_file, document) = MeshFile::open(config.mesh.clone(), operator_keys);
        let domain_files = DomainFiles::new(config.domains_folder.clone(), config.domains.len());
        let nodes_tls = Arc::new(NodesTls::load(&config.nodes_tls)?);
        let server = server(&config)?;
        let audit = open_audit(&config).await?;
        let reload = Reload::all([mesh_file.reload(), domain_files.reload()]);
        let gateway = Arc::new(gateway(&config, document, audit, reload)?);
        let (flight, flight_address) = listen(config.flight).await?;
        let http = match config.http {
            Some(address) => Some(listen(address).await?),
            None => None,
        };
        let (mesh_file, domain_files) = (Arc::new(mesh_file), Arc::new(domain_files));
        Ok(Self { config, gateway, mesh_file, domain_files, nodes_tls, server, flight, flight_address, http })
    }

    /// Where Flight SQL clients connect.
    pub fn flight_address(&self) -> SocketAddr {
        self.flight_address
    }

    /// What has mesh.yaml and the domains' files read at once.
    pub fn reload(&self) -> Reload {
        self.gateway.reload.clone()
    }

    /// Where `/livez` and `/readyz` are.
    pub fn http_address(&self) -> Option<SocketAddr> {
        self.http.as_ref().map(|(_, address)| *address)
    }

    /// Serves until `shutdown` completes, and then as long as running queries
    /// may take. Queries that run longer end with an error.
    pub async fn run(mut self, shutdown: impl Future<Output = ()> + Send) -> Result<(), StartError> {
        let (stop, stopped) = watch::channel(false);
        let mut parts = self.background();
        let mut flight = tokio::spawn(serve_flight(
            self.server.clone(),
            self.flight,
            Arc::clone(&self.gateway),
            until(stopped.clone()),
        ));
        if let Some((listener, _)) = self.http.take() {
            let probe = probe(&self.gateway, &self.mesh_file, &self.domain_files, stopped.clone());
            parts.spawn(async move {
                if let Err(error) = http::serve(listener, probe, until(stopped)).await {
                    tracing::error!(%error, "readiness is not served any more");
                }
            });
        }
        tokio::select! {
            () = shutdown => {}
            ended = &mut flight => return served(ended),
        }
        stop.send_replace(true);
        let graceful = tokio::time::timeout(self.gateway.limits.shutdown_time, &mut flight).await;
        if let Ok(ended) = graceful {
            return served(ended);
        }
        self.gateway.stopping.send_replace(true);
        if let Ok(ended) = tokio::time::timeout(LAST_WORDS, &mut flight).await {
            return served(ended);
        }
        flight.abort();
        Ok(())
    }

    fn background(&self) -> JoinSet<()> {
        let mut parts = JoinSet::new();
        let gateway = Arc::clone(&self.gateway);
        parts.spawn(async move { gateway.authenticator.keep_keys_fresh().await });
        parts.spawn(Arc::clone(&self.mesh_file).watch(Arc::clone(&self.gateway.mesh)));
        let (tls, mesh) = (Arc::clone(&self.nodes_tls), Arc::clone(&self.gateway.mesh));
        parts.spawn(Arc::clone(&self.domain_files).watch(self.config.domains.clone(), tls, mesh));
        parts
    }
}

fn server(config: &GatewayConfig) -> Result<Server, StartError> {
    Ok(Server::builder()
        .tls_config(tls::server(&config.tls)?)
        .map_err(TlsError::from)?
        .max_concurrent_streams(STREAMS_PER_CONNECTION)
        .http2_max_header_list_size(HEADER_LIST_BYTES)
        .http2_keepalive_interval(Some(PING_EVERY))
        .http2_keepalive_timeout(Some(PING_ANSWER_WITHIN))
        .tcp_nodelay(true))
}

/// Waits for a server that still has the log.
async fn open_audit(config: &GatewayConfig) -> Result<AuditLog, StartError> {
    let settings = config.audit.log.clone();
    let opened = tokio::task::spawn_blocking(move || AuditLog::open(&settings)).await;
    Ok(opened.map_err(|error| StartError::Server(error.to_string()))??)
}

fn gateway(
    config: &GatewayConfig,
    document: Option<OperatorDocument>,
    audit: AuditLog,
    reload: Reload,
) -> Result<Gateway, StartError> {
    let clock = Clock::system();
    let limits = config.limits.clone();
    let engine_limits = EngineLimits {
        memory: limits.memory,
        query_memory: limits.query_memory,
        spill_bytes: limits.spill,
        query_time: limits.query_time,
        ..EngineLimits::default()
    };
    let engine = Engine::with_optimizer(engine_limits, optimizer_rules())
        .map_err(|error| StartError::Engine(error.to_string()))?;
    let statement_limits = StatementLimits { bytes: limits.statement_bytes, ..StatementLimits::default() };
    let functions = FunctionNames::of(&engine).map_err(|error| StartError::Engine(error.to_string()))?;
    let sql_info = SqlInfoTable::new(&functions).map_err(|error| StartError::Engine(error.to_string()))?;
    Ok(Gateway {
        authenticator: Authenticator::new(&config.identity, clock.clone())?,
        sealer: Sealer::new(&config.sealing).map_err(|_| StartError::SealingKey)?,
        audit: Arc::new(audit),
        reader_roles: config.audit.reader_roles.clone(),
        admin_roles: config.admin_roles.clone(),
        analyze_roles: config.analyze_roles.clone(),
        reload,
        permits: Arc::new(PermitIssuer::new(&config.name, &config.permits, clock.clone())?),
        planner: Planner::new(Arc::clone(&engine), statement_limits),
        kept_plans: KeptPlans::default(),
        admission: Admission::new(&limits),
        mesh: Arc::new(MeshState::new(document).with_memory(Memory::new(config.descriptions.clone()))),
        stopping: watch::Sender::new(false),
        engine,
        sql_info,
        networks: config.networks.clone(),
        limits,
        clock,
    })
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => StartError::AddressInUse { address },
        _ => StartError::Listen { address, source },
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

async fn serve_flight(
    mut server: Server,
    listener: TcpListener,
    gateway: Arc<Gateway>,
    shutdown: impl Future<Output = ()>,
) -> Result<(), tonic::transport::Error> {
    let incoming = connections(listener, CONNECTIONS_MAX);
    server.add_service(FlightSql::service(gateway)).serve_with_incoming_shutdown(incoming, shutdown).await
}

fn served(ended: Result<Result<(), tonic::transport::Error>, JoinError>) -> Result<(), StartError> {
    match ended {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(StartError::Server(error.to_string())),
        Err(error) => Err(StartError::Server(error.to_string())),
    }
}

async fn until(mut stopped: watch::Receiver<bool>) {
    // Fails only if who can tell is gone: then it is time to stop as well.
    drop(stopped.wait_for(|stopped| *stopped).await);
}

fn probe(
    gateway: &Arc<Gateway>,
    mesh_file: &Arc<MeshFile>,
    domain_files: &Arc<DomainFiles>,
    stopped: watch::Receiver<bool>,
) -> http::ReadinessProbe {
    let (gateway, mesh_file, domain_files) =
        (Arc::clone(gateway), Arc::clone(mesh_file), Arc::clone(domain_files));
    Arc::new(move || {
        let domains_total = domain_files.domains();
        let snapshot = gateway.mesh.snapshot();
        let domains_ready = snapshot.domains().filter(|domain| domain.connection.is_some()).count();
        let unreadable = snapshot.domains().filter(|domain| domain.policy_unreadable).count();
        let found = [
            (ReadinessProblem::DomainUnavailable, domains_total.saturating_sub(domains_ready)),
            (ReadinessProblem::PolicyUnreadable, unreadable),
            (ReadinessProblem::MeshYaml, usize::from(mesh_file.is_broken())),
            (ReadinessProblem::ConfigurationBroken, usize::from(domain_files.is_broken())),
            (ReadinessProblem::KeySetBroken, gateway.authenticator.broken_key_sets()),
            (ReadinessProblem::AuditUnwritable, usize::from(gateway.audit.ready().is_err())),
            (ReadinessProblem::Stopping, usize::from(*stopped.borrow())),
        ];
        let problems: BTreeMap<_, _> = found.into_iter().filter(|(_, count)| *count > 0).collect();
        Readiness { domains_total, domains_ready, problems }
    })
}

#[cfg(test)]
mod tests;
