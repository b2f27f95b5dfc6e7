//! node.yaml: text and environment in, a complete and checked configuration
//! out. Opens no socket and starts nothing; `docs/node.md` describes each key.

mod credentials;
mod direct;
mod elsewhere;
mod limits;
mod pseudonyms;
mod references;
mod repository;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use meshgate_engine::audit::AuditSettings;
use meshgate_engine::bounded_file::{self, DOCUMENT_BYTES};
use meshgate_policies::names::{MAX_NAME_BYTES, is_name, is_reserved_domain};
use meshgate_policies::yaml::{self, Node, Problem, Reader, UnknownKeys};

use crate::tls::TlsFiles;
pub use credentials::{StoreCredentials, StoreKeys};
pub use direct::{DirectConfig, DirectKey};
use references::Lookup;

pub use pseudonyms::PseudonymSecret;
pub use repository::Repository;

/// Everything a node needs to know to start.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// The SQL schema that the node serves.
    pub domain: String,
    /// Name of this node: the audience of its permits.
    pub node: String,
    /// Picks `servers[].environment` of every contract.
    pub environment: String,
    pub listen: Listen,
    pub tls: TlsFiles,
    /// File with the public keys of the gateways.
    pub permit_keys: PathBuf,
    /// Files with the public keys of the mesh's operator, one each; never empty.
    pub operator_keys: Vec<PathBuf>,
    /// The node's copy of the operator's document. It need not be there.
    pub mesh: PathBuf,
    /// Folder of contracts.
    pub products: PathBuf,
    /// Folder of the owner's policies.
    pub policies: PathBuf,
    /// Folders in and below which local data may lie.
    pub data_roots: Vec<PathBuf>,
    /// By `servers[].server` of the contracts.
    pub credentials: BTreeMap<String, StoreCredentials>,
    /// The current key of each space of pseudonyms.
    pub pseudonyms: BTreeMap<String, PseudonymSecret>,
    /// Variables that contracts may refer to, with their values.
    pub contract_variables: BTreeMap<String, String>,
    pub audit: AuditSettings,
    /// A candidate for the policies, which decides nothing.
    pub shadow: Option<ShadowConfig>,
    /// None: all clients go through gateways.
    pub direct: Option<DirectConfig>,
    pub limits: NodeLimits,
    /// How often sources are looked at whether anything changed or not.
    pub survey_interval: Duration,
    /// What the file should say in another way.
    pub warnings: Vec<Problem>,
}

/// A candidate for the owner's policies.
#[derive(Debug, Clone)]
pub struct ShadowConfig {
    /// Folder of its documents.
    pub policies: PathBuf,
    /// Are rows counted that it would give or take?
    pub count_rows: bool,
}

const SURVEY_INTERVAL: Duration = Duration::from_secs(60);

/// Addresses to listen at. Port 0 takes any free port.
#[derive(Debug, Clone, Copy)]
pub struct Listen {
    pub flight: SocketAddr,
    /// Liveness and readiness; none without an address.
    pub http: Option<SocketAddr>,
}

/// Bounds, all finite.
#[derive(Debug, Clone)]
pub struct NodeLimits {
    /// From the arrival of a domain query to the end of its stream.
    pub query_time: Duration,
    /// Of all queries together, in bytes.
    pub memory: usize,
    /// Of one query, in bytes.
    pub query_memory: usize,
    /// Disk for what does not fit into memory, in bytes.
    pub spill: u64,
    pub spill_folder: PathBuf,
    pub concurrent_queries: usize,
    /// Different keys of one lookup.
    pub lookup_keys: usize,
    pub connections: usize,
    /// Queries that clients read themselves, beside those of gateways.
    pub direct_queries: usize,
    /// Connections of clients, beside those of gateways.
    pub direct_connections: usize,
    /// Longest time that a result may wait for a client that reads it itself.
    pub direct_idle_time: Duration,
    /// How long a query goes on that would not be decided in the same way any more.
    pub revocation_time: Duration,
    /// Time that running queries get to finish when the node shuts down.
    pub shutdown_grace: Duration,
}

impl Default for NodeLimits {
    fn default() -> Self {
        Self {
            query_time: Duration::from_secs(600),
            memory: 2 << 30,
            query_memory: 512 << 20,
            spill: 16 << 30,
            spill_folder: std::env::temp_dir().join("meshgate-node-spill"),
            concurrent_queries: 64,
            lookup_keys: 1_000_000,
            connections: 256,
            direct_queries: 32,
            direct_connections: 256,
            direct_idle_time: Duration::from_secs(120),
            revocation_time: Duration::from_secs(10),
            shutdown_grace: Duration::from_secs(10),
        }
    }
}

/// A value that never prints.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps a value from being printed.
    pub fn new(value: &str) -> Self {
        Self(value.to_owned())
    }

    /// The value itself, for whoever opens the connection that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl NodeConfig {
    /// Reads node.yaml. `environment` looks up a variable. All problems at once.
    pub fn load(path: &Path, environment: &dyn Fn(&str) -> Option<String>) -> Result<Self, Vec<Problem>> {
        let file = path.display().to_string();
        let root = parse(path, &file)?;
        let problems = credentials::literal_secrets(&file, &root);
        Self::read(&file, root, problems, &Lookup { folder: folder_of(path), environment })
    }

    /// The same where nothing is served: secrets need not be here. Beside the configuration the
    /// spaces of pseudonyms whose keys are not.
    pub fn load_without_secrets(
        path: &Path,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(Self, BTreeSet<String>), Vec<Problem>> {
        let file = path.display().to_string();
        let lookup = Lookup { folder: folder_of(path), environment };
        let mut root = parse(path, &file)?;
        let mut problems = credentials::literal_secrets(&file, &root);
        let elsewhere = elsewhere::take_out(&file, &mut root, &lookup, &mut problems);
        let spaces = elsewhere.into_iter().filter(|left_out| left_out.key == "pseudonyms");
        let config = Self::read(&file, root, problems, &lookup)?;
        Ok((config, spaces.map(|left_out| left_out.entry).collect()))
    }

    fn read(
        file: &str,
        mut root: Node,
        mut problems: Vec<Problem>,
        lookup: &Lookup<'_>,
    ) -> Result<Self, Vec<Problem>> {
        yaml::expand_all(file, &mut root, &|reference| lookup.resolve(reference), &mut problems);
        let mut reader = Reader::new(file, &root, &mut problems);
        let config = read_root(&mut reader, lookup);
        reader.finish(UnknownKeys::Error);
        match config {
            Some(config) if !problems.iter().any(Problem::is_error) => {
                Ok(Self { warnings: problems, ..config })
            }
            _ => Err(problems),
        }
    }
}

fn parse(path: &Path, file: &str) -> Result<Node, Vec<Problem>> {
    let text = bounded_file::read_text(path, DOCUMENT_BYTES)
        .map_err(|error| vec![Problem::error(file, 0, format!("cannot read this file: {error}"))])?;
    yaml::parse(file, &text).map_err(|problem| vec![problem])
}

/// Where relative paths start. `-c node.yaml` has no folder in front, and an empty one cannot be resolved.
fn folder_of(file: &Path) -> PathBuf {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new(".")).to_owned()
}

/// `None` only where a problem has been reported. Every key is read before anything gives up.
fn read_root(reader: &mut Reader<'_, '_>, lookup: &Lookup<'_>) -> Option<NodeConfig> {
    read_version(reader);
    let domain = read_domain(reader);
    let node = read_node_name(reader, domain.as_deref());
    let environment = reader.required_text("environment");
    let listen = read_listen(reader);
    let tls = read_tls(reader, lookup);
    let keys = read_gateway(reader, lookup);
    let mesh = path(reader, "mesh", lookup);
    let products = path(reader, "products", lookup);
    let policies = path(reader, "policies", lookup);
    let data_roots = read_data_roots(reader, products.as_deref(), lookup);
    let credentials = credentials::read(reader);
    let pseudonyms = pseudonyms::read(reader);
    let contract_variables = read_contract_variables(reader, lookup);
    let audit = read_audit(reader, lookup);
    let shadow = read_shadow(reader, lookup);
    let direct = direct::read(reader, lookup);
    let limits = read_limits(reader, lookup);
    let (permit_keys, operator_keys) = keys?;
    Some(NodeConfig {
        domain: domain?,
        node: node?,
        environment: environment?,
        listen: listen?,
        tls: tls?,
        permit_keys,
        operator_keys,
        mesh: mesh?,
        products: products?,
        policies: policies?,
        data_roots,
        credentials,
        pseudonyms,
        contract_variables,
        audit: audit?,
        shadow,
        direct,
        limits,
        survey_interval: SURVEY_INTERVAL,
        warnings: Vec::new(),
    })
}

fn read_version(reader: &mut Reader<'_, '_>) {
    let version = reader.required_text("version");
    if version.is_some_and(|version| version != "1") {
        let line = reader.line_of("version");
        reader.error(line, "this version of node.yaml is not known", Some("write `version: 1`".into()));
    }
}

fn read_domain(reader: &mut Reader<'_, '_>) -> Option<String> {
    let domain = reader.required_text("domain")?;
    let line = reader.line_of("domain");
    if is_reserved_domain(&domain) {
        reader.error(line, format!("the domain name `{domain}` is reserved"), None);
        return None;
    }
    if !is_name(&domain) {
        let hint = "a lower-case letter, then lower-case letters, digits or `_`, 63 at most";
        reader.error(line, format!("`{domain}` is not a domain name"), Some(hint.into()));
        return None;
    }
    Some(domain)
}

fn read_node_name(reader: &mut Reader<'_, '_>, domain: Option<&str>) -> Option<String> {
    if !reader.has("node") {
        return Some(format!("{}-1", domain?));
    }
    let name = reader.text("node")?;
    if name.len() > MAX_NAME_BYTES || !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
        let line = reader.line_of("node");
        let hint = "letters, digits, `-`, `_` and `.`, 63 at most";
        reader.error(line, "`node` is not a node's name", Some(hint.into()));
        return None;
    }
    Some(name)
}

fn read_listen(reader: &mut Reader<'_, '_>) -> Option<Listen> {
    reader.require("listen")?;
    let mut listen = reader.mapping("listen")?;
    listen.require("flight");
    let flight = address(&mut listen, "flight", "0.0.0.0:31400");
    let http = address(&mut listen, "http", "127.0.0.1:8081");
    listen.finish(UnknownKeys::Error);
    Some(Listen { flight: flight?, http })
}

fn address(reader: &mut Reader<'_, '_>, key: &str, example: &str) -> Option<SocketAddr> {
    reader.has(key).then_some(())?;
    let text = reader.text(key)?;
    let address = text.parse().ok();
    if address.is_none() {
        let line = reader.line_of(key);
        let message = format!("`{key}: {text}` is not an IP address with a port");
        reader.error(line, message, Some(format!("write for example `{key}: {example}`")));
    }
    address
}

fn read_tls(reader: &mut Reader<'_, '_>, lookup: &Lookup<'_>) -> Option<TlsFiles> {
    reader.require("tls")?;
    let mut tls = reader.mapping("tls")?;
    let certificate = path(&mut tls, "cert", lookup);
    let key = path(&mut tls, "key", lookup);
    let client_authority = path(&mut tls, "client_ca", lookup);
    tls.finish(UnknownKeys::Error);
    Some(TlsFiles { certificate: certificate?, key: key?, client_authority: client_authority? })
}

/// The keys of gateways, and those of the operator.
fn read_gateway(reader: &mut Reader<'_, '_>, lookup: &Lookup<'_>) -> Option<(PathBuf, Vec<PathBuf>)> {
    reader.require("gateway")?;
    let mut gateway = reader.mapping("gateway")?;
    let permit_keys = path(&mut gateway, "permit_keys", lookup);
    gateway.require("operator_key");
    let operator_keys = gateway.one_or_more("operator_key");
    gateway.finish(UnknownKeys::Error);
    let operator_keys = operator_keys?.iter().map(|file| lookup.path(file)).collect();
    Some((permit_keys?, operator_keys))
}

fn read_data_roots(
    reader: &mut Reader<'_, '_>,
    products: Option<&Path>,
    lookup: &Lookup<'_>,
) -> Vec<PathBuf> {
    if reader.has("data_roots") {
        let roots = reader.texts("data_roots").unwrap_or_default();
        return roots.iter().map(|root| lookup.path(root)).collect();
    }
    vec![products.and_then(Path::parent).unwrap_or(&lookup.folder).to_owned()]
}

fn read_contract_variables(reader: &mut Reader<'_, '_>, lookup: &Lookup<'_>) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    if !reader.has("contract_variables") {
        return variables;
    }
    let line = reader.line_of("contract_variables");
    for name in reader.texts("contract_variables").unwrap_or_default() {
        match (lookup.environment)(&name) {
            Some(value) => {
                variables.insert(name, value);
            }
            None => reader.error(line, format!("the variable `{name}` is not set"), None),
        }
    }
    variables
}

fn read_audit(reader: &mut Reader<'_, '_>, lookup: &Lookup<'_>) -> Option<AuditSettings> {
    reader.require("audit")?;
    let mut audit = reader.mapping("audit")?;
    let settings = AuditSettings::read(&mut audit, |file| lookup.path(file));
    audit.finish(UnknownKeys::Error);
    settings
}

fn read_shadow(reader: &mut Reader<'_, '_>, lookup: &Lookup<'_>) -> Option<ShadowConfig> {
    if !reader.has("shadow") {
        return None;
    }
    let mut shadow = reader.mapping("shadow")?;
    let policies = path(&mut shadow, "policies", lookup);
    let count_rows = shadow.has("count_rows") && shadow.boolean("count_rows").unwrap_or_default();
    shadow.finish(UnknownKeys::Error);
    Some(ShadowConfig { policies: policies?, count_rows })
}

fn read_limits(reader: &mut Reader<'_, '_>, lookup: &Lookup<'_>) -> NodeLimits {
    let mut limits = NodeLimits::default();
    if !reader.has("limits") {
        return limits;
    }
    let Some(mut reader) = reader.mapping("limits") else {
        return limits;
    };
    limits::read_duration(&mut reader, "query_time", &mut limits.query_time);
    limits::read_bytes(&mut reader, "memory", &mut limits.memory);
    limits::read_bytes(&mut reader, "query_memory", &mut limits.query_memory);
    limits::read_bytes(&mut reader, "spill", &mut limits.spill);
    limits::read_count(&mut reader, "concurrent_queries", &mut limits.concurrent_queries);
    limits::read_count_up_to(&mut reader, "lookup_keys", &mut limits.lookup_keys, 100_000_000);
    limits::read_count(&mut reader, "connections", &mut limits.connections);
    limits::read_count(&mut reader, "direct_queries", &mut limits.direct_queries);
    limits::read_count(&mut reader, "direct_connections", &mut limits.direct_connections);
    limits::read_duration(&mut reader, "direct_idle_time", &mut limits.direct_idle_time);
    limits::read_duration(&mut reader, "revocation_time", &mut limits.revocation_time);
    limits::read_duration(&mut reader, "shutdown_grace", &mut limits.shutdown_grace);
    if reader.has("spill_folder")
        && let Some(folder) = reader.text("spill_folder")
    {
        limits.spill_folder = lookup.path(&folder);
    }
    if limits.query_memory > limits.memory {
        let line = reader.line_of("query_memory");
        let hint = format!("write at most {} for it, or more for `memory`", limits.memory);
        reader.error(line, "`query_memory` is more than `memory`", Some(hint));
    }
    reader.finish(UnknownKeys::Error);
    limits
}

fn path(reader: &mut Reader<'_, '_>, key: &str, lookup: &Lookup<'_>) -> Option<PathBuf> {
    reader.required_text(key).map(|text| lookup.path(&text))
}
