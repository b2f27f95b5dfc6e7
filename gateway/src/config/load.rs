//! gateway.yaml, from text to types, with all its problems at once.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use meshgate_engine::{
    audit::AuditSettings,
    bounded_file::{self, DOCUMENT_BYTES, SECRET_BYTES},
    seal,
};
use meshgate_policies::yaml::{self, Node, Problem, Reader, Reference, UnknownKeys};
use rustls::pki_types::{PrivatePkcs8KeyDer, pem::PemObject};

use super::{
    AuditConfig, GatewayConfig, IdentityConfig, IssuerConfig, NodesTlsFiles, PermitKeyConfig, SealingKey,
    Secret, ServerTlsFiles, domain, issuer, limits, networks,
};

const TOKEN_BYTES: usize = 16 << 10;
const HEADER_BYTES: usize = 8 << 10;
const STALE_KEYS: Duration = Duration::from_secs(24 * 3600);

/// Where a value of `${NAME}` comes from.
type Environment<'a> = dyn Fn(&str) -> Option<String> + 'a;

impl GatewayConfig {
    /// Reads gateway.yaml at `path` and the domains' files it names. `${NAME}`
    /// is looked up in `environment`; paths are relative to the file's folder.
    pub fn load(path: &Path, environment: &Environment<'_>) -> Result<Self, Vec<Problem>> {
        let file = path.display().to_string();
        let text = bounded_file::read_text(path, DOCUMENT_BYTES)
            .map_err(|error| vec![Problem::error(&file, 0, format!("the file cannot be read: {error}"))])?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut root = yaml::parse(&file, &text).map_err(|problem| vec![problem])?;
        let mut problems = Vec::new();
        let lookup = |reference: Reference<'_>| match reference {
            Reference::Variable(name) => environment(name),
            Reference::File(path) => referenced_file(&folder.join(path)),
        };
        yaml::expand_all(&file, &mut root, &lookup, &mut problems);
        let config = read(&file, &root, folder, &mut problems);
        match config {
            Some(config) if !problems.iter().any(Problem::is_error) => Ok(config),
            _ => Err(problems),
        }
    }
}

pub(super) fn referenced_file(path: &Path) -> Option<String> {
    let text = bounded_file::read_text(path, SECRET_BYTES).ok()?;
    // The line break at the end of a file is not part of a key.
    Some(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// Every part is read, so that every problem is found, before the first one that is missing ends it.
fn read(file: &str, root: &Node, folder: &Path, problems: &mut Vec<Problem>) -> Option<GatewayConfig> {
    let mut reader = Reader::new(file, root, problems);
    check_version(&mut reader);
    let name = name(&mut reader);
    let listen = listen(&mut reader);
    let tls = server_tls(&mut reader, folder);
    let nodes_tls = nodes_tls(&mut reader, folder);
    let mesh = required_path(&mut reader, "mesh", folder);
    let operator_keys = operator_keys(&mut reader, folder);
    let domains_folder = required_path(&mut reader, "domains", folder);
    let descriptions =
        if reader.has("descriptions") { required_path(&mut reader, "descriptions", folder) } else { None };
    let identity = identity(&mut reader, folder);
    let permits = permits(&mut reader, &name);
    let sealing = sealing(&mut reader);
    let networks = networks::read(&mut reader);
    let limits = limits::read(&mut reader);
    let audit = audit(&mut reader, folder);
    let admin_roles = roles(&mut reader, "admin_roles");
    let analyze_roles = roles(&mut reader, "analyze_roles");
    reader.finish(UnknownKeys::Error);
    let domains = domains_folder.as_deref().map(domain::load_folder);
    let domains = match domains {
        Some(Err(found)) => {
            problems.extend(found);
            None
        }
        Some(Ok(domains)) => Some(domains),
        None => None,
    };
    let (flight, http) = listen?;
    Some(GatewayConfig {
        name,
        flight,
        http,
        tls: tls?,
        nodes_tls: nodes_tls?,
        mesh: mesh?,
        operator_keys: operator_keys?,
        domains_folder: domains_folder?,
        descriptions,
        domains: domains?,
        identity: identity?,
        permits: permits?,
        sealing: sealing?,
        networks,
        limits,
        audit: audit?,
        admin_roles,
        analyze_roles,
    })
}

fn check_version(reader: &mut Reader<'_, '_>) {
    if let Some(version) = reader.required_text("version")
        && version != "1"
    {
        let line = reader.line_of("version");
        reader.error(
            line,
            format!("version `{version}` is not known"),
            Some("write `version: 1`".to_owned()),
        );
    }
}

fn name(reader: &mut Reader<'_, '_>) -> String {
    let name = reader.text("name").unwrap_or_else(|| "gateway".to_owned());
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.is_empty() || name.len() > 64 || !name.chars().all(good) {
        let line = reader.line_of("name");
        let hint = "write 1 to 64 letters, digits, `.`, `_` or `-`".to_owned();
        reader.error(line, "`name` is not a name", Some(hint));
    }
    name
}

fn listen(reader: &mut Reader<'_, '_>) -> Option<(SocketAddr, Option<SocketAddr>)> {
    reader.require("listen")?;
    let mut listen = reader.mapping("listen")?;
    listen.require("flight");
    let flight = address(&mut listen, "flight", "0.0.0.0:31337");
    let http = address(&mut listen, "http", "127.0.0.1:8080");
    listen.finish(UnknownKeys::Error);
    Some((flight?, http))
}

fn address(reader: &mut Reader<'_, '_>, key: &str, example: &str) -> Option<SocketAddr> {
    let text = reader.text(key)?;
    let address = text.parse().ok();
    if address.is_none() {
        let line = reader.line_of(key);
        let hint = format!("write an IP address and a port, such as `{example}`");
        reader.error(line, format!("`{key}` is not an address to listen on"), Some(hint));
    }
    address
}

fn server_tls(reader: &mut Reader<'_, '_>, folder: &Path) -> Option<ServerTlsFiles> {
    reader.require("tls")?;
    let mut tls = reader.mapping("tls")?;
    let certificate = required_path(&mut tls, "cert", folder);
    let key = required_path(&mut tls, "key", folder);
    tls.finish(UnknownKeys::Error);
    Some(ServerTlsFiles { certificate: certificate?, key: key? })
}

fn nodes_tls(reader: &mut Reader<'_, '_>, folder: &Path) -> Option<NodesTlsFiles> {
    reader.require("nodes_tls")?;
    let mut tls = reader.mapping("nodes_tls")?;
    let ca = required_path(&mut tls, "ca", folder);
    let certificate = required_path(&mut tls, "cert", folder);
    let key = required_path(&mut tls, "key", folder);
    tls.finish(UnknownKeys::Error);
    Some(NodesTlsFiles { ca: ca?, certificate: certificate?, key: key? })
}

fn operator_keys(reader: &mut Reader<'_, '_>, folder: &Path) -> Option<Vec<PathBuf>> {
    reader.require("operator_key")?;
    let files = reader.one_or_more("operator_key")?;
    Some(files.iter().map(|file| existing(reader, "operator_key", file, folder)).collect())
}

/// A path of something that must be there.
pub(super) fn required_path(reader: &mut Reader<'_, '_>, key: &str, folder: &Path) -> Option<PathBuf> {
    let text = reader.required_text(key)?;
    Some(existing(reader, key, &text, folder))
}

fn existing(reader: &mut Reader<'_, '_>, key: &str, text: &str, folder: &Path) -> PathBuf {
    // The components: without the `.` of `./mesh.yaml`, which would show in every message.
    let path: PathBuf = folder.join(text).components().collect();
    if let Err(error) = std::fs::metadata(&path) {
        let line = reader.line_of(key);
        let hint = "paths are relative to the folder of this file".to_owned();
        reader.error(line, format!("`{key}`: `{text}` cannot be read: {error}"), Some(hint));
    }
    path
}

fn identity(reader: &mut Reader<'_, '_>, folder: &Path) -> Option<IdentityConfig> {
    reader.require("identity")?;
    let mut identity = reader.mapping("identity")?;
    let token_bytes = limits::size(&mut identity, "token_bytes").unwrap_or(TOKEN_BYTES);
    let header_bytes = limits::size(&mut identity, "header_bytes").unwrap_or(HEADER_BYTES);
    let stale_keys = limits::duration(&mut identity, "stale_keys").unwrap_or(STALE_KEYS);
    identity.require("issuers");
    let items = identity.list("issuers").unwrap_or_default();
    let mut issuers: Vec<IssuerConfig> = Vec::new();
    for item in items {
        let Some(issuer) = issuer::read(identity.over(item), folder) else { continue };
        if issuers.iter().any(|other| other.issuer == issuer.issuer) {
            identity.error(item.line, format!("issuer `{}` is there twice", issuer.issuer), None);
        }
        issuers.push(issuer);
    }
    if items.is_empty() && identity.has("issuers") {
        let line = identity.line_of("issuers");
        let hint = "write `- { issuer: .., audience: .., jwks: <file> }`".to_owned();
        identity.error(line, "there is no issuer, nobody could log in", Some(hint));
    }
    identity.finish(UnknownKeys::Error);
    (!issuers.is_empty()).then_some(IdentityConfig { issuers, token_bytes, header_bytes, stale_keys })
}

pub(super) fn required_nonblank(reader: &mut Reader<'_, '_>, key: &str) -> Option<String> {
    let text = reader.required_text(key)?;
    if text.trim().is_empty() {
        let line = reader.line_of(key);
        reader.error(line, format!("`{key}` is empty"), None);
        return None;
    }
    Some(text)
}

fn permits(reader: &mut Reader<'_, '_>, gateway: &str) -> Option<PermitKeyConfig> {
    reader.require("permits")?;
    let mut permits = reader.mapping("permits")?;
    let id = permits.text("id").unwrap_or_else(|| gateway.to_owned());
    let key = permits.required_text("key");
    if let Some(key) = &key
        && !is_ed25519(key)
    {
        let line = permits.line_of("key");
        let hint = "write `\"${file:<path of the PEM file>}\"`; `meshgate dev ca` makes one".to_owned();
        permits.error(line, "`key` is not an Ed25519 private key in PKCS#8 PEM", Some(hint));
    }
    permits.finish(UnknownKeys::Error);
    Some(PermitKeyConfig { id, key: Secret::new(key?) })
}

fn is_ed25519(pem: &str) -> bool {
    PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).is_ok_and(|der| {
        aws_lc_rs::signature::Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der()).is_ok()
    })
}

fn sealing(reader: &mut Reader<'_, '_>) -> Option<Vec<SealingKey>> {
    reader.require("sealing")?;
    let mut sealing = reader.mapping("sealing")?;
    sealing.require("keys");
    let items = sealing.list("keys").unwrap_or_default();
    let mut keys: Vec<SealingKey> = Vec::new();
    for item in items {
        let Some(key) = sealing_key(sealing.over(item)) else { continue };
        if keys.iter().any(|other| other.id == key.id) {
            sealing.error(item.line, format!("key `{}` is there twice", key.id), None);
        }
        keys.push(key);
    }
    if items.is_empty() && sealing.has("keys") {
        let line = sealing.line_of("keys");
        sealing.error(line, "there is no key", Some("write `- { id: .., key: .. }`".to_owned()));
    }
    sealing.finish(UnknownKeys::Error);
    (!keys.is_empty()).then_some(keys)
}

pub(super) fn sealing_key(mut reader: Reader<'_, '_>) -> Option<SealingKey> {
    let id = required_nonblank(&mut reader, "id");
    let text = reader.required_text("key");
    let key = text.as_deref().and_then(seal::key_of_text);
    if text.is_some() && key.is_none() {
        let line = reader.line_of("key");
        let hint = "write 32 random bytes in base64 or hexadecimal, such as `openssl rand -base64 32` prints"
            .to_owned();
        reader.error(line, "`key` is not a key of 32 bytes", Some(hint));
    }
    if id.as_ref().is_some_and(|id| id.len() > 64) {
        let line = reader.line_of("id");
        reader.error(line, "`id` is longer than 64 bytes", None);
    }
    reader.finish(UnknownKeys::Error);
    Some(SealingKey { id: id?, key: Secret::new(key?) })
}

/// Without the key, nobody.
fn roles(reader: &mut Reader<'_, '_>, key: &str) -> Vec<String> {
    if reader.has(key) { reader.texts(key).unwrap_or_default() } else { Vec::new() }
}

fn audit(reader: &mut Reader<'_, '_>, folder: &Path) -> Option<AuditConfig> {
    reader.require("audit")?;
    let mut audit = reader.mapping("audit")?;
    let log = AuditSettings::read(&mut audit, |file| folder.join(file).components().collect());
    let reader_roles = roles(&mut audit, "reader_roles");
    audit.finish(UnknownKeys::Error);
    Some(AuditConfig { log: log?, reader_roles })
}
