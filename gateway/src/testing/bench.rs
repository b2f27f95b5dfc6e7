//! A gateway over the mesh of the tests, and clients of it.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use arrow::record_batch::RecordBatch;
use arrow_flight::{
    FlightData, FlightDescriptor, FlightInfo, Ticket,
    decode::FlightRecordBatchStream,
    error::FlightError,
    flight_service_client::FlightServiceClient,
    sql::{CommandStatementQuery, ProstMessageExt},
};
use aws_lc_rs::{encoding::AsDer, signature::Ed25519KeyPair};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures::{StreamExt, TryStreamExt};
use meshgate_engine::{
    Engine, EngineLimits, audit::AuditSettings, seal::SealKeys, statement::StatementLimits,
};
use meshgate_proto::v1;
use prost::Message;
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tonic::{Request, Status, Streaming, transport::Channel};

use super::{
    fake_node::FakeNode,
    larkfield::{self, HR_POLICY, SALES_POLICY},
};
use crate::{
    admission::Admission,
    app::Gateway,
    audit::AuditLog,
    config::{
        IdentityConfig, IssuerConfig, KeySource, Limits, Networks, PermitKeyConfig, SealingKey, Secret,
        SignatureAlgorithm,
    },
    flight::{FlightSql, KeptPlans, SqlInfoTable},
    identity::{
        Authenticator, Clock,
        forge::{AUDIENCE, FORGE, ISSUER, START},
    },
    mesh::{Described, MeshState, NodeConnection},
    planner::{FunctionNames, Planner, optimizer_rules},
    query::PermitIssuer,
    ticket::Sealer,
};

pub(crate) struct Bench {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) sales: FakeNode,
    pub(crate) hr: FakeNode,
    pub(crate) audit: PathBuf,
    pub(crate) channel: Channel,
    /// What the gateway's clock reads, microseconds since the epoch.
    pub(crate) now: Arc<AtomicI64>,
    sales_connection: Arc<NodeConnection>,
    _folder: TempDir,
}

impl Bench {
    pub(crate) async fn start() -> Self {
        Self::with_limits(Limits::default()).await
    }

    pub(crate) async fn with_limits(limits: Limits) -> Self {
        Self::new(limits, Networks::default()).await
    }

    pub(crate) async fn in_networks(networks: Networks) -> Self {
        Self::new(Limits::default(), networks).await
    }

    async fn new(limits: Limits, networks: Networks) -> Self {
        let folder = TempDir::new().unwrap();
        let audit = folder.path().join("audit.jsonl");
        let now = Arc::new(AtomicI64::new(START * 1_000_000));
        let gateway = Arc::new(gateway(folder.path(), &audit, limits, networks, Arc::clone(&now)));
        let (sales, sales_channel) = FakeNode::start("sales").await;
        let (hr, hr_channel) = FakeNode::start("hr").await;
        let sales_connection = Arc::new(NodeConnection::over(sales_channel));
        let hr_connection = Arc::new(NodeConnection::over(hr_channel));
        describe(&gateway, larkfield::descriptor("sales", SALES_POLICY), &sales_connection);
        describe(&gateway, larkfield::descriptor("hr", HR_POLICY), &hr_connection);
        let channel = serve(Arc::clone(&gateway)).await;
        Self { gateway, sales, hr, audit, channel, now, sales_connection, _folder: folder }
    }

    /// The domain `sales` gets another policy.
    pub(crate) fn sales_policy(&self, policy: &str) {
        describe(&self.gateway, larkfield::descriptor("sales", policy), &self.sales_connection);
    }

    /// One more domain, which the node of `sales` serves.
    pub(crate) fn add(&self, descriptor: v1::Descriptor) {
        describe(&self.gateway, descriptor, &self.sales_connection);
    }

    /// Results of the domain `sales` are decoded from now on.
    pub(crate) fn never_relay_sales(&self) {
        let connection = Arc::new(self.sales_connection.never_relayed());
        describe(&self.gateway, larkfield::descriptor("sales", SALES_POLICY), &connection);
    }

    /// Clients reach the node of `sales` at these addresses, and its tickets are sealed under these keys.
    pub(crate) fn read_sales_directly(&self, addresses: &[(&str, &str)], keys: Option<SealKeys>) {
        let connection = self.sales_connection.as_ref();
        let connection = keys.map_or_else(|| connection.clone(), |keys| connection.read_directly(keys));
        self.describe_sales(addresses, &Arc::new(connection));
    }

    /// The same, and its results are decoded.
    pub(crate) fn never_relay_sales_directly(&self, addresses: &[(&str, &str)], keys: SealKeys) {
        let connection = self.sales_connection.read_directly(keys).never_relayed();
        self.describe_sales(addresses, &Arc::new(connection));
    }

    fn describe_sales(&self, addresses: &[(&str, &str)], connection: &Arc<NodeConnection>) {
        let address = |(zone, uri): &(&str, &str)| {
            let (zone, uri) = ((*zone).to_owned(), (*uri).to_owned());
            v1::DirectAddress { zone, uri }
        };
        let mut descriptor = larkfield::descriptor("sales", SALES_POLICY);
        descriptor.direct_addresses = addresses.iter().map(address).collect();
        describe(&self.gateway, descriptor, connection);
    }

    pub(crate) fn client(&self) -> FlightServiceClient<Channel> {
        FlightServiceClient::new(self.channel.clone())
    }

    pub(crate) async fn flight_info(
        &self,
        token: &str,
        descriptor: FlightDescriptor,
    ) -> Result<FlightInfo, Status> {
        Ok(self.client().get_flight_info(with_token(descriptor, token)).await?.into_inner())
    }

    pub(crate) async fn do_get(&self, token: &str, ticket: Ticket) -> Result<Vec<RecordBatch>, Status> {
        let messages = self.client().do_get(with_token(ticket, token)).await?.into_inner();
        FlightRecordBatchStream::new_from_flight_data(messages.map_err(FlightError::from))
            .try_collect()
            .await
            .map_err(Status::from)
    }

    /// The messages of a statement's result as they arrive.
    pub(crate) async fn messages(&self, token: &str, sql: &str) -> Result<Streaming<FlightData>, Status> {
        let info = self.flight_info(token, statement(sql)).await?;
        let ticket = info.endpoint[0].ticket.clone().unwrap();
        Ok(self.client().do_get(with_token(ticket, token)).await?.into_inner())
    }

    /// The rows of a statement.
    pub(crate) async fn query(&self, token: &str, sql: &str) -> Result<Vec<RecordBatch>, Status> {
        let info = self.flight_info(token, statement(sql)).await?;
        let ticket = info.endpoint[0].ticket.clone().unwrap();
        self.do_get(token, ticket).await
    }

    /// The rows of a statement, drawn.
    pub(crate) async fn table(&self, token: &str, sql: &str) -> String {
        let batches = self.query(token, sql).await.unwrap_or_else(|status| panic!("{sql}: {status}"));
        arrow::util::pretty::pretty_format_batches(&batches).unwrap().to_string()
    }

    /// The refusal of a statement, without its query id.
    pub(crate) async fn refusal(&self, token: &str, sql: &str) -> (tonic::Code, String) {
        let status = self.query(token, sql).await.expect_err(sql);
        (status.code(), without_query_id(status.message()))
    }

    pub(crate) fn records(&self) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(&self.audit).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

pub(crate) fn without_query_id(text: &str) -> String {
    text.split(" (query ").next().unwrap().to_owned()
}

pub(crate) fn statement(sql: &str) -> FlightDescriptor {
    let command = CommandStatementQuery { query: sql.to_owned(), transaction_id: None };
    FlightDescriptor::new_cmd(command.as_any().encode_to_vec())
}

pub(crate) fn with_token<T>(message: T, token: &str) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    request
}

/// A token of somebody with this role.
pub(crate) fn token(subject: &str, role: &str) -> String {
    FORGE.with_claims(|claims| {
        claims["sub"] = json!(subject);
        claims["realm_access"] = json!({ "roles": [role] });
    })
}

pub(crate) fn anna() -> String {
    token("anna", "analyst")
}

pub(crate) fn auditor() -> String {
    token("dora", "auditor")
}

/// A fraud investigator who may choose these purposes.
pub(crate) fn investigator(subject: &str, purposes: &[&str]) -> String {
    FORGE.with_claims(|claims| {
        claims["sub"] = json!(subject);
        claims["realm_access"] = json!({ "roles": ["investigator"] });
        claims["purposes"] = json!(purposes);
    })
}

pub(crate) fn otto() -> String {
    token("otto", "nobody")
}

fn describe(gateway: &Gateway, descriptor: v1::Descriptor, connection: &Arc<NodeConnection>) {
    let domain = descriptor.domain.clone();
    let described = Described::read(&domain, descriptor).unwrap();
    gateway.mesh.described(&domain, described, Arc::clone(connection));
}

fn gateway(
    folder: &std::path::Path,
    audit: &std::path::Path,
    limits: Limits,
    networks: Networks,
    now: Arc<AtomicI64>,
) -> Gateway {
    let jwks = folder.join("jwks.json");
    std::fs::write(&jwks, FORGE.jwks().to_string()).unwrap();
    let issuer = IssuerConfig {
        issuer: ISSUER.to_owned(),
        audience: AUDIENCE.to_owned(),
        jwks: KeySource::File(jwks),
        algorithms: SignatureAlgorithm::ALL.to_vec(),
    };
    let identity = IdentityConfig {
        issuers: vec![issuer],
        token_bytes: 16 << 10,
        header_bytes: 8 << 10,
        stale_keys: std::time::Duration::from_secs(60),
    };
    let clock = Clock::new(move || now.load(Ordering::Relaxed));
    let engine = Engine::with_optimizer(EngineLimits::default(), optimizer_rules()).unwrap();
    let sealing = [SealingKey { id: "test".to_owned(), key: Secret::new([7; 32]) }];
    let permit_key = PermitKeyConfig { id: "gateway".to_owned(), key: Secret::new(permit_key()) };
    Gateway {
        authenticator: Authenticator::new(&identity, clock.clone()).unwrap(),
        sealer: Sealer::new(&sealing).unwrap(),
        audit: Arc::new(AuditLog::open(&AuditSettings::at(audit)).unwrap()),
        reader_roles: vec!["officer".to_owned()],
        admin_roles: vec!["operator".to_owned()],
        analyze_roles: vec!["auditor".to_owned()],
        reload: meshgate_engine::reload::Reload::all([]),
        permits: Arc::new(PermitIssuer::new("gateway", &permit_key, clock.clone()).unwrap()),
        planner: Planner::new(
            Arc::clone(&engine),
            StatementLimits { bytes: limits.statement_bytes, ..StatementLimits::default() },
        ),
        kept_plans: KeptPlans::default(),
        admission: Admission::new(&limits),
        mesh: Arc::new(MeshState::new(Some(larkfield::document()))),
        stopping: tokio::sync::watch::Sender::new(false),
        sql_info: SqlInfoTable::new(&FunctionNames::default()).unwrap(),
        engine,
        networks,
        limits,
        clock,
    }
}

fn permit_key() -> String {
    let pair = Ed25519KeyPair::generate().unwrap();
    let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let text = STANDARD.encode(der.as_ref());
    format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")
}

async fn serve(gateway: Arc<Gateway>) -> Channel {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        // As the gateway's own listener does: without it, small answers wait 40 ms for what may follow.
        let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener).map(|stream| {
            let stream = stream?;
            stream.set_nodelay(true)?;
            Ok::<_, std::io::Error>(stream)
        });
        let service = FlightSql::service(gateway);
        tonic::transport::Server::builder()
            .http2_max_header_list_size(64 << 10)
            .add_service(service)
            .serve_with_incoming(incoming)
            .await
    });
    Channel::from_shared(format!("http://{address}")).unwrap().connect_lazy()
}
