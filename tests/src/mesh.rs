//! A mesh in this process: nodes and gateway on free ports, from texts.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use meshgate_domain_node::{NodeConfig, NodeServer};
use meshgate_gateway::GatewayServer;
use meshgate_gateway::config::GatewayConfig;
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::client::Client;
use crate::tap::{Alter, Exchange, Instead, Passed, StandIn, Tap};
use crate::token::{AUDIENCE, Forge, ISSUER};
use crate::{eventually_async, logs, process};

/// What a mesh is made of: `files` by path below the mesh's folder. A domain's
/// files lie below its name: `sales/products/orders.odcs.yaml`.
pub struct MeshPlan {
    pub mesh_yaml: String,
    pub domains: Vec<String>,
    pub files: Vec<(String, Vec<u8>)>,
    /// Further lines of every node.yaml and of gateway.yaml.
    pub node_lines: String,
    pub gateway_lines: String,
    /// Further lines of the files of one domain.
    pub own_lines: BTreeMap<String, OwnLines>,
    /// Further keys of `audit` in gateway.yaml, each behind a comma.
    pub gateway_audit: String,
    /// Where the gateway finds the issuer's keys: the value of `jwks`, and what may follow it.
    pub jwks: String,
    /// Runs when all files are there, before the gateway starts.
    pub before_gateway: Option<fn(&Path)>,
    /// Domains whose nodes are not started with the mesh: see [`Mesh::start_node`].
    pub late: Vec<String>,
    /// Keys of an earlier mesh with the same domains, instead of new ones.
    pub keys: Option<PathBuf>,
    /// Servers between the gateway and the nodes: see [`Mesh::exchanges`].
    pub taps: Taps,
}

/// Further lines of a domain's files.
#[derive(Clone, Default)]
pub struct OwnLines {
    /// Of its node.yaml.
    pub node: String,
    /// Of its file in the gateway's folder.
    pub domain: String,
}

/// What stands between the gateway and the nodes.
pub enum Taps {
    None,
    /// What leaves the nodes is kept.
    Keep,
    /// The same, and the nodes say that their engine is another one.
    OtherEngine,
    /// The same, of these domains only.
    OtherEngineOf(Vec<String>),
    /// What leaves the nodes is kept, and something else is made of it.
    Altered(Arc<Alter>),
    /// What is made of the mesh's folder and a domain answers in the place of the domain's node.
    StandIn(Box<MakeStandIn>),
}

/// Makes what answers from the mesh's folder and the name of a domain.
pub type MakeStandIn = dyn Fn(&Path, &str) -> Arc<dyn StandIn> + Send;

impl MeshPlan {
    pub fn new(mesh_yaml: &str, domains: &[&str]) -> Self {
        Self {
            mesh_yaml: mesh_yaml.to_owned(),
            domains: domains.iter().map(|domain| (*domain).to_owned()).collect(),
            files: Vec::new(),
            node_lines: String::new(),
            gateway_lines: String::new(),
            own_lines: BTreeMap::new(),
            gateway_audit: String::new(),
            jwks: "keys/issuer/jwks.json".to_owned(),
            before_gateway: None,
            late: Vec::new(),
            keys: None,
            taps: Taps::None,
        }
    }

    #[must_use]
    pub fn file(mut self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files.push((path.to_owned(), content.into()));
        self
    }

    /// Starts the mesh and waits until it is ready.
    pub async fn start(self) -> Mesh {
        let mesh = self.start_unready().await;
        mesh.wait_ready().await;
        mesh
    }

    /// Starts a mesh that will not be ready: something in it is broken.
    pub async fn start_unready(self) -> Mesh {
        Mesh::start(self).await
    }
}

/// A running mesh. Everything ends when it is dropped.
pub struct Mesh {
    pub directory: tempfile::TempDir,
    pub forge: Forge,
    pub gateway: SocketAddr,
    pub gateway_http: SocketAddr,
    nodes: Vec<(String, Server)>,
    _taps: Vec<Tap>,
    passed: Passed,
    late: Vec<(String, SocketAddr)>,
    node_lines: String,
    own_lines: BTreeMap<String, OwnLines>,
    operator_keys: Vec<String>,
    gateway_server: Server,
    mesh_version: AtomicU64,
}

struct Server {
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
    /// Where health is answered.
    http: Option<SocketAddr>,
}

impl Server {
    async fn stop(&mut self) {
        if self.stop.take().is_some() {
            (&mut self.task).await.expect("the server ends without a panic");
        }
    }
}

impl Mesh {
    async fn start(plan: MeshPlan) -> Self {
        // Whoever was first has installed the same one.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        logs::start();
        let directory = tempfile::tempdir().expect("a folder");
        let root = directory.path();
        match &plan.keys {
            Some(keys) => copy(keys, &root.join("keys")),
            None => create_keys(root, &plan.domains),
        }
        sign_mesh(root, &plan.mesh_yaml, 1);
        for (path, content) in &plan.files {
            write(root, path, content);
        }
        let operator_keys = vec!["operator.pub".to_owned()];
        let (mut nodes, mut late, mut taps) = (Vec::new(), Vec::new(), Vec::new());
        let passed = Passed::default();
        for domain in &plan.domains {
            let address = if plan.late.contains(domain) {
                let address = closed_port();
                late.push((domain.clone(), address));
                address
            } else {
                let lines = node_lines(&plan.node_lines, &plan.own_lines, domain);
                let (address, server) = start_node(root, domain, ANY_PORT, &operator_keys, &lines).await;
                nodes.push((domain.clone(), server));
                address
            };
            let instead = match &plan.taps {
                Taps::None => None,
                Taps::Keep => Some(Instead::Nothing),
                Taps::OtherEngine => Some(Instead::OtherEngine),
                Taps::OtherEngineOf(domains) if domains.contains(domain) => Some(Instead::OtherEngine),
                Taps::OtherEngineOf(_) => Some(Instead::Nothing),
                Taps::Altered(alter) => Some(Instead::Altered(Arc::clone(alter))),
                Taps::StandIn(make) => Some(Instead::StandIn(make(root, domain))),
            };
            let address = match instead {
                None => address,
                Some(instead) => {
                    let tap = Tap::start(root, domain, address, Arc::clone(&passed), instead).await;
                    let address = tap.address;
                    taps.push(tap);
                    address
                }
            };
            let text = format!(
                "domain: {domain}\nowner: {domain}@larkfield.example\nnodes: [\"grpc+tls://{address}\"]\n\
                 certificate: {domain}.mesh.localhost\n{}",
                plan.own_lines.get(domain).map(|lines| lines.domain.as_str()).unwrap_or_default()
            );
            write(root, &format!("domains/{domain}.yaml"), text.as_bytes());
        }
        write(root, "gateway.yaml", gateway_yaml(&plan, &operator_keys).as_bytes());
        if let Some(change) = plan.before_gateway {
            change(root);
        }
        let (gateway, gateway_http, gateway_server) = start_gateway(root).await;
        Self {
            forge: Forge::read(&root.join("keys/issuer")),
            gateway,
            gateway_http,
            nodes,
            _taps: taps,
            passed,
            late,
            node_lines: plan.node_lines,
            own_lines: plan.own_lines,
            operator_keys,
            gateway_server,
            mesh_version: AtomicU64::new(1),
            directory,
        }
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }

    /// Where the gateway finds the node of a domain.
    pub fn node_address(&self, domain: &str) -> SocketAddr {
        let text = std::fs::read_to_string(self.path(&format!("domains/{domain}.yaml"))).expect("a file");
        let address = text.split("grpc+tls://").nth(1).and_then(|rest| rest.split('"').next());
        address.and_then(|address| address.parse().ok()).expect("an address")
    }

    /// Where the node of a domain answers about its health.
    pub fn node_http(&self, domain: &str) -> SocketAddr {
        let node = self.nodes.iter().find(|(name, _)| name == domain);
        node.and_then(|(_, server)| server.http).expect("a node with health")
    }

    /// Connects with a token that carries `claims`.
    pub async fn client(&self, claims: &Value) -> Client {
        self.client_with(&self.forge.token(claims)).await
    }

    /// Connects with this token.
    pub async fn client_with(&self, token: &str) -> Client {
        Client::connect(&self.gateway.to_string(), &self.ca(), token).await
    }

    /// What left the nodes since this was last asked, if there are taps.
    pub fn exchanges(&self) -> Vec<Exchange> {
        std::mem::take(&mut self.passed.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn ca(&self) -> PathBuf {
        self.path("keys/authority/mesh-ca.crt")
    }

    /// The operator publishes another mesh.yaml: signed, with the next version.
    pub fn publish(&self, mesh_yaml: &str) {
        let version = self.mesh_version.fetch_add(1, Ordering::SeqCst) + 1;
        sign_mesh(self.directory.path(), mesh_yaml, version);
    }

    /// The operator has another key from now on: the one that signs what is published. Its public half lies
    /// beside the old one of gateway and nodes, as `name`.
    pub fn new_operator_key(&self, name: &str) {
        let keys = self.path("keys");
        let made = self.path(&format!("made-{name}"));
        let output = process::run(&["dev", "ca", "--out", made.to_str().expect("a path")]);
        assert!(output.status.success(), "{output:?}");
        let nodes = self.nodes.iter().map(|(domain, _)| keys.join("nodes").join(domain));
        for folder in nodes.chain([keys.join("gateway")]) {
            std::fs::copy(made.join("operator/operator.pub"), folder.join(name)).expect("a copy");
        }
        std::fs::copy(made.join("operator/operator.key"), keys.join("operator/operator.key"))
            .expect("a copy");
    }

    /// Nodes that are started from now on know these keys of the operator.
    pub fn nodes_know(&mut self, operator_keys: &[&str]) {
        self.operator_keys = operator_keys.iter().map(ToString::to_string).collect();
    }

    /// A gateway that is started from now on knows these keys of the operator.
    pub fn gateway_knows(&self, operator_keys: &[&str]) {
        let text = std::fs::read_to_string(self.path("gateway.yaml")).expect("gateway.yaml");
        let is_other = |line: &&str| !line.starts_with("operator_key: ");
        let others: Vec<&str> = text.lines().filter(is_other).collect();
        let keys = key_files("keys/gateway", operator_keys);
        let text = format!("{}\noperator_key: {keys}\n", others.join("\n"));
        write(self.directory.path(), "gateway.yaml", text.as_bytes());
    }

    /// Starts the node of a domain that is late.
    pub async fn start_node(&mut self, domain: &str) {
        let (_, address) = self.late.iter().find(|(name, _)| name == domain).expect("a late domain");
        let (root, keys) = (self.directory.path(), &self.operator_keys);
        let lines = node_lines(&self.node_lines, &self.own_lines, domain);
        let (_, server) = start_node(root, domain, *address, keys, &lines).await;
        self.nodes.push((domain.to_owned(), server));
    }

    /// Ends a domain's node.
    pub async fn stop_node(&mut self, domain: &str) {
        let (_, server) = self.nodes.iter_mut().find(|(name, _)| name == domain).expect("the node");
        server.stop().await;
    }

    /// Starts the node of a domain again, at the address where it was.
    pub async fn start_node_again(&mut self, domain: &str) {
        let position = self.nodes.iter().position(|(name, _)| name == domain).expect("the node");
        let (_, mut server) = self.nodes.remove(position);
        server.stop().await;
        let address = self.node_address(domain);
        let (root, keys) = (self.directory.path(), &self.operator_keys);
        let lines = node_lines(&self.node_lines, &self.own_lines, domain);
        let (_, server) = start_node(root, domain, address, keys, &lines).await;
        self.nodes.push((domain.to_owned(), server));
    }

    /// Ends the gateway and starts another one with the same files.
    pub async fn restart_gateway(&mut self) {
        self.gateway_server.stop().await;
        let (gateway, http, server) = start_gateway(self.directory.path()).await;
        (self.gateway, self.gateway_http, self.gateway_server) = (gateway, http, server);
    }

    /// Ends everything and waits for it.
    pub async fn stop(mut self) {
        self.gateway_server.stop().await;
        for (_, server) in &mut self.nodes {
            server.stop().await;
        }
    }

    pub async fn wait_ready(&self) {
        let address = self.gateway_http;
        eventually_async("the mesh is ready", Duration::from_secs(20), async || {
            (http_status(address, "/readyz").await == 200).then_some(())
        })
        .await;
    }
}

/// Status of a GET request; 0 if nobody listens.
pub async fn http_status(address: SocketAddr, path: &str) -> u16 {
    http_get(address, path).await.0
}

/// Status and body of a GET request; 0 if nobody listens.
pub async fn http_get(address: SocketAddr, path: &str) -> (u16, String) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let Ok(mut stream) = tokio::net::TcpStream::connect(address).await else { return (0, String::new()) };
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split_whitespace().nth(1).and_then(|status| status.parse().ok());
    (status.expect("a status"), body.to_owned())
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).expect("a file");
        }
    }
}

/// Makes the keys of a mesh with these domains in `root/keys`.
pub fn create_keys(root: &Path, domains: &[String]) {
    let keys = root.join("keys");
    let mut arguments = vec!["dev", "ca", "--out", keys.to_str().expect("a path")];
    for domain in domains {
        arguments.extend(["--domain", domain]);
    }
    let output = process::run(&arguments);
    assert!(output.status.success(), "{output:?}");
}

/// Signs and puts the file into its place at once, as `meshgate mesh sign` does.
fn sign_mesh(root: &Path, text: &str, version: u64) {
    write(root, "unsigned.yaml", text.as_bytes());
    let (file, key) = (root.join("unsigned.yaml"), root.join("keys/operator/operator.key"));
    let (file_name, key) = (file.to_str().expect("a path"), key.to_str().expect("a path"));
    let output = process::run(&["mesh", "sign", file_name, "--key", key, "--version", &version.to_string()]);
    assert!(output.status.success(), "{output:?}");
    std::fs::rename(file, root.join("mesh.yaml")).expect("mesh.yaml");
}

const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// An address on which nobody listens.
pub fn closed_port() -> SocketAddr {
    let listener = std::net::TcpListener::bind(ANY_PORT).expect("a port");
    listener.local_addr().expect("an address")
}

async fn start_gateway(root: &Path) -> (SocketAddr, SocketAddr, Server) {
    let config = GatewayConfig::load(&root.join("gateway.yaml"), &|_| None)
        .unwrap_or_else(|problems| panic!("gateway.yaml: {problems:?}"));
    let server = GatewayServer::bind(config).await.expect("the gateway starts");
    let (gateway, http) = (server.flight_address(), server.http_address().expect("HTTP"));
    (gateway, http, spawn(async move |stopped| report("gateway", server.run(stopped).await)))
}

/// Of every node, and of this one.
fn node_lines(all: &str, own: &BTreeMap<String, OwnLines>, domain: &str) -> String {
    own.get(domain).map_or_else(|| all.to_owned(), |own| format!("{all}{}", own.node))
}

async fn start_node(
    root: &Path,
    domain: &str,
    listen: SocketAddr,
    operator_keys: &[String],
    lines: &str,
) -> (SocketAddr, Server) {
    let operator_keys = key_files(&format!("../keys/nodes/{domain}"), operator_keys);
    let text = format!(
        "version: 1\ndomain: {domain}\nenvironment: test\n\
         listen: {{ flight: \"{listen}\", http: \"127.0.0.1:0\" }}\n\
         tls: {{ cert: ../keys/nodes/{domain}/node.crt, key: ../keys/nodes/{domain}/node.key, \
         client_ca: ../keys/nodes/{domain}/mesh-ca.crt }}\n\
         gateway: {{ permit_keys: ../keys/nodes/{domain}/permit-keys.json, \
         operator_key: {operator_keys} }}\n\
         mesh: mesh.yaml\nproducts: ./products/\npolicies: ./policies/\n\
         audit: {{ file: audit.jsonl }}\n{lines}"
    );
    let file = format!("{domain}/node.yaml");
    write(root, &file, text.as_bytes());
    if !root.join(domain).join("mesh.yaml").exists() {
        std::fs::copy(root.join("mesh.yaml"), root.join(domain).join("mesh.yaml")).expect("a copy");
    }
    let config = NodeConfig::load(&root.join(&file), &|_| None)
        .unwrap_or_else(|problems| panic!("{file}: {problems:?}"));
    let server = NodeServer::bind(config).await.expect("the node starts");
    let (address, http) = (server.flight_address(), server.http_address());
    let server = spawn(async move |stopped| report("node", server.run(stopped).await));
    (address, Server { http, ..server })
}

fn spawn<F: Future<Output = ()> + Send + 'static>(run: impl FnOnce(Stopped) -> F) -> Server {
    let (stop, stopped) = oneshot::channel::<()>();
    let stopped: Stopped = Box::pin(async move {
        let _ = stopped.await;
    });
    Server { stop: Some(stop), task: tokio::spawn(run(stopped)), http: None }
}

/// A test that ends takes its servers' runtime away: no reason to fail.
fn report<E: std::fmt::Display>(server: &str, ended: Result<(), E>) {
    if let Err(error) = ended {
        eprintln!("the {server} ended: {error}");
    }
}

type Stopped = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

/// The value of `operator_key`: these files in `folder`.
fn key_files(folder: &str, names: &[impl AsRef<str>]) -> String {
    let files: Vec<String> = names.iter().map(|name| format!("\"{folder}/{}\"", name.as_ref())).collect();
    format!("[{}]", files.join(", "))
}

fn gateway_yaml(plan: &MeshPlan, operator_keys: &[String]) -> String {
    let (jwks, lines, audit) = (&plan.jwks, &plan.gateway_lines, &plan.gateway_audit);
    let operator_keys = key_files("keys/gateway", operator_keys);
    format!(
        "version: 1\nlisten: {{ flight: \"127.0.0.1:0\", http: \"127.0.0.1:0\" }}\n\
         tls: {{ cert: keys/gateway/gateway.crt, key: keys/gateway/gateway.key }}\n\
         nodes_tls: {{ ca: keys/gateway/mesh-ca.crt, cert: keys/gateway/gateway-client.crt, \
         key: keys/gateway/gateway-client.key }}\n\
         mesh: ./mesh.yaml\noperator_key: {operator_keys}\ndomains: ./domains/\n\
         identity: {{ issuers: [ {{ issuer: \"{ISSUER}\", audience: {AUDIENCE}, jwks: {jwks} }} ] }}\n\
         permits: {{ key: \"${{file:keys/gateway/permit.key}}\" }}\n\
         sealing: {{ keys: [ {{ id: test, key: \"${{file:keys/gateway/sealing.key}}\" }} ] }}\n\
         audit: {{ file: audit.jsonl{audit} }}\n{lines}"
    )
}

fn write(root: &Path, path: &str, content: &[u8]) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
    std::fs::write(path, content).expect("a file");
}
