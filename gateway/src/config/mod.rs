//! What an operator writes: gateway.yaml and `domains/*.yaml`, read and
//! checked once into types that cannot be half-valid.
//!
//! Opens no socket. Keys, certificates and key sets are looked at where they
//! are used (`tls`, `identity`, `ticket`), so that each is parsed in one place.

mod domain;
mod issuer;
mod limits;
mod load;
mod networks;
mod secret;

use std::{fmt, net::SocketAddr, path::PathBuf, time::Duration};

use meshgate_engine::audit::AuditSettings;

pub use domain::{CompressionMode, DomainConfig, RelayMode, domain_files, load_folder};
pub use limits::Limits;
pub use networks::Networks;
pub use secret::Secret;

/// The gateway's configuration, complete and checked.
#[derive(Debug, Clone)]
pub struct GatewayConfig {
    /// What permits and audit records call this gateway.
    pub name: String,
    /// Address of the Flight SQL listener, always with TLS.
    pub flight: SocketAddr,
    /// Address of `/livez` and `/readyz`.
    pub http: Option<SocketAddr>,
    /// What clients see.
    pub tls: ServerTlsFiles,
    /// What nodes see.
    pub nodes_tls: NodesTlsFiles,
    /// The operator's document, mesh.yaml.
    pub mesh: PathBuf,
    /// Files with the public keys of the mesh's operator, one each; never empty.
    pub operator_keys: Vec<PathBuf>,
    /// Folder of the domains' files.
    pub domains_folder: PathBuf,
    /// Folder in which the gateway remembers how domains described themselves last.
    pub descriptions: Option<PathBuf>,
    /// The domains' files as they were at start, sorted by domain.
    pub domains: Vec<DomainConfig>,
    pub identity: IdentityConfig,
    pub permits: PermitKeyConfig,
    /// The first key seals, every key opens; never empty.
    pub sealing: Vec<SealingKey>,
    /// Parts of the network, from which nodes are reached at addresses of their own.
    pub networks: Networks,
    pub limits: Limits,
    pub audit: AuditConfig,
    /// Roles whose callers may have gateway and nodes read their files.
    pub admin_roles: Vec<String>,
    /// Roles whose callers may run `EXPLAIN ANALYZE`.
    pub analyze_roles: Vec<String>,
}

/// Where the audit records go, and who sees all of them.
#[derive(Debug, Clone)]
pub struct AuditConfig {
    pub log: AuditSettings,
    /// Roles that see everybody's records in `mesh.system.audit`, and all rules in `mesh.system.policies`.
    pub reader_roles: Vec<String>,
}

/// PEM files of the Flight listener.
#[derive(Debug, Clone)]
pub struct ServerTlsFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// PEM files for connections to nodes.
#[derive(Debug, Clone)]
pub struct NodesTlsFiles {
    pub ca: PathBuf,
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// Whose tokens are accepted.
#[derive(Debug, Clone)]
pub struct IdentityConfig {
    /// Never empty; every `issuer` is there once.
    pub issuers: Vec<IssuerConfig>,
    /// Longest token that is looked at.
    pub token_bytes: usize,
    /// Longest token header that is looked at.
    pub header_bytes: usize,
    /// How long the last good keys of a key set that cannot be read any more are used.
    pub stale_keys: Duration,
}

/// An issuer of tokens.
#[derive(Debug, Clone)]
pub struct IssuerConfig {
    /// Exactly what the token's `iss` must be.
    pub issuer: String,
    /// What the token's `aud` must be or contain.
    pub audience: String,
    /// Where the issuer's JSON Web Key Set is.
    pub jwks: KeySource,
    /// Signatures accepted from this issuer; never empty.
    pub algorithms: Vec<SignatureAlgorithm>,
}

/// Where a JSON Web Key Set is.
#[derive(Debug, Clone)]
pub enum KeySource {
    File(PathBuf),
    /// Served by the issuer, at an address without user and password.
    Url {
        url: reqwest::Url,
        /// PEM file: if it is there, the only CA that the issuer's certificate may be of.
        ca: Option<PathBuf>,
    },
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Url { url, .. } => url.fmt(f),
        }
    }
}

/// A signature algorithm of tokens. There are no others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureAlgorithm {
    Rs256,
    Es256,
    EdDsa,
}

impl SignatureAlgorithm {
    /// Every algorithm, in the order of the documentation.
    pub const ALL: [Self; 3] = [Self::Rs256, Self::Es256, Self::EdDsa];

    /// Name in token headers, key sets and configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    /// The algorithm of exactly this name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }
}

/// The key that signs permits.
#[derive(Debug, Clone)]
pub struct PermitKeyConfig {
    /// Under which nodes know the public half.
    pub id: String,
    /// Ed25519, PKCS#8 PEM.
    pub key: Secret<String>,
}

/// A key that seals tickets and prepared handles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealingKey {
    pub id: String,
    pub key: Secret<[u8; 32]>,
}

#[cfg(test)]
mod tests;
