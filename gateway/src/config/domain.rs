//! `domains/<name>.yaml`: who may serve as a domain.

use std::path::{Path, PathBuf};

use meshgate_engine::bounded_file::{self, DOCUMENT_BYTES};
use meshgate_engine::listener::address;
use meshgate_policies::names::{is_name, is_reserved_domain};
use meshgate_policies::yaml::{self, Problem, Reader, Reference, UnknownKeys};
use rustls::pki_types::DnsName;
use tonic::transport::Uri;

use super::{
    SealingKey,
    load::{referenced_file, sealing_key},
};

/// Most domains of a mesh, and nodes of a domain.
const DOMAINS_MAX: usize = 10_000;
const NODES_MAX: usize = 100;

/// Whether results that the domain answers whole reach clients as its node encoded them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RelayMode {
    /// After a look at each message.
    #[default]
    Whole,
    /// They are decoded and encoded again.
    Never,
}

/// How the nodes of a domain are asked to send results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CompressionMode {
    #[default]
    None,
    /// For connections that are slower than compressing: ZSTD, each buffer by itself.
    Zstd,
}

/// A domain that takes part in the mesh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainConfig {
    /// The SQL schema.
    pub domain: String,
    /// Whom to ask about the domain's data.
    pub owner: Option<String>,
    /// Where its nodes listen: `grpc+tls://host:port`. Never empty.
    pub nodes: Vec<Uri>,
    /// DNS name that a node's certificate must carry.
    pub certificate: String,
    pub relay: RelayMode,
    pub compression: CompressionMode,
    /// Shared with its nodes: clients may read results from them. None also if their tokens must not reach the nodes.
    pub direct: Option<SealingKey>,
}

/// Reads all domains' files of a folder (`*.yaml`, `*.yml`), sorted by domain,
/// or tells all problems of all files.
pub fn load_folder(folder: &Path) -> Result<Vec<DomainConfig>, Vec<Problem>> {
    let files = domain_files(folder).map_err(|error| {
        vec![Problem::error(&folder.display().to_string(), 0, format!("the folder cannot be read: {error}"))]
    })?;
    let mut problems = Vec::new();
    let mut domains: Vec<DomainConfig> = Vec::new();
    for path in files.iter().take(DOMAINS_MAX) {
        let file = path.display().to_string();
        let Some(domain) = load(&file, path, &mut problems) else { continue };
        if domains.iter().any(|other| other.domain == domain.domain) {
            let message = format!("domain `{}` is already defined in another file", domain.domain);
            let hint = "a domain has one file: remove this one or the other";
            problems.push(Problem::error(&file, 0, message).with_hint(hint));
        }
        domains.push(domain);
    }
    if problems.iter().any(Problem::is_error) {
        return Err(problems);
    }
    domains.sort_by(|left, right| left.domain.cmp(&right.domain));
    Ok(domains)
}

/// The files of a folder that are domains' files, by name.
pub fn domain_files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        let yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        if yaml && !hidden {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn load(file: &str, path: &Path, problems: &mut Vec<Problem>) -> Option<DomainConfig> {
    let text = bounded_file::read_text(path, DOCUMENT_BYTES)
        .map_err(|error| problems.push(Problem::error(file, 0, format!("the file cannot be read: {error}"))))
        .ok()?;
    let mut root = yaml::parse(file, &text).map_err(|problem| problems.push(problem)).ok()?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let lookup = |reference: Reference<'_>| match reference {
        // The folder is read again while the gateway runs, and its environment stays as it was.
        Reference::Variable(_) => None,
        Reference::File(path) => referenced_file(&folder.join(path)),
    };
    yaml::expand_all(file, &mut root, &lookup, problems);
    let mut reader = Reader::new(file, &root, problems);
    let domain = domain(&mut reader);
    let owner = reader.text("owner");
    let nodes = nodes(&mut reader);
    let certificate = certificate(&mut reader);
    let relay = relay(&mut reader);
    let compression = compression(&mut reader);
    let direct = direct(&mut reader);
    reader.finish(UnknownKeys::Error);
    let (domain, nodes, certificate) = (domain?, nodes?, certificate?);
    let (relay, compression) = (relay?, compression?);
    Some(DomainConfig { domain, owner, nodes, certificate, relay, compression, direct })
}

fn domain(reader: &mut Reader<'_, '_>) -> Option<String> {
    let domain = reader.required_text("domain")?;
    let line = reader.line_of("domain");
    if is_reserved_domain(&domain) {
        reader.error(line, format!("`{domain}` is a reserved name"), Some("choose another name".to_owned()));
        return None;
    }
    if !is_name(&domain) {
        let hint = "write at most 63 lower-case letters, digits and `_`, beginning with a letter".to_owned();
        reader.error(line, format!("`{domain}` cannot be the name of a domain"), Some(hint));
        return None;
    }
    Some(domain)
}

fn nodes(reader: &mut Reader<'_, '_>) -> Option<Vec<Uri>> {
    reader.require("nodes")?;
    let items = reader.list("nodes")?;
    let line = reader.line_of("nodes");
    if items.is_empty() || items.len() > NODES_MAX {
        let hint = "write `nodes: [ grpc+tls://host:31400 ]`".to_owned();
        reader.error(line, format!("a domain has 1 to {NODES_MAX} nodes"), Some(hint));
        return None;
    }
    let mut nodes = Vec::with_capacity(items.len());
    for item in items {
        match item.as_scalar().and_then(address) {
            Some(node) => nodes.push(node),
            None => {
                let hint = "write `grpc+tls://host:port`; connections to nodes always use TLS".to_owned();
                reader.error(item.line, "this is not the address of a node", Some(hint));
            }
        }
    }
    (nodes.len() == items.len()).then_some(nodes)
}

fn certificate(reader: &mut Reader<'_, '_>) -> Option<String> {
    let name = reader.required_text("certificate")?;
    if DnsName::try_from(name.as_str()).is_err() {
        let line = reader.line_of("certificate");
        let hint = "write the DNS name that the node's certificate carries".to_owned();
        reader.error(line, format!("`{name}` is not a DNS name"), Some(hint));
        return None;
    }
    Some(name)
}

fn relay(reader: &mut Reader<'_, '_>) -> Option<RelayMode> {
    if !reader.has("relay") {
        return Some(RelayMode::default());
    }
    match reader.text("relay")?.as_str() {
        "whole" => Some(RelayMode::Whole),
        "never" => Some(RelayMode::Never),
        other => {
            let line = reader.line_of("relay");
            let hint = "write `whole` or `never`".to_owned();
            reader.error(line, format!("`relay` cannot be `{other}`"), Some(hint));
            None
        }
    }
}

fn compression(reader: &mut Reader<'_, '_>) -> Option<CompressionMode> {
    if !reader.has("compression") {
        return Some(CompressionMode::default());
    }
    match reader.text("compression")?.as_str() {
        "none" => Some(CompressionMode::None),
        "zstd" => Some(CompressionMode::Zstd),
        other => {
            let line = reader.line_of("compression");
            let hint = "write `none` or `zstd`".to_owned();
            reader.error(line, format!("`compression` cannot be `{other}`"), Some(hint));
            None
        }
    }
}

/// Who takes `sees_tokens` away takes everything away, whatever else is still there.
fn direct(reader: &mut Reader<'_, '_>) -> Option<SealingKey> {
    let sees_tokens = reader.has("sees_tokens") && reader.boolean("sees_tokens")?;
    if !reader.has("direct") {
        return None;
    }
    let mut direct = reader.mapping("direct")?;
    direct.require("key");
    let key = direct.mapping("key").and_then(sealing_key);
    direct.finish(UnknownKeys::Error);
    key.filter(|_| sees_tokens)
}
