//! Transport security: the node's certificates, the authority whose client
//! certificates it accepts, and the role that a peer's certificate carries.

use std::path::{Path, PathBuf};
use std::time::Duration;

use meshgate_engine::bounded_file::{self, DOCUMENT_BYTES};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tonic::transport::{Certificate, Identity, ServerTlsConfig};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// Roles are URIs in the subject alternative names of a certificate.
const ROLE_PREFIX: &str = "meshgate:role:";
const GATEWAY_ROLE: &str = "meshgate:role:gateway";

/// A peer that does not finish its handshake in this time is let go.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);

/// Files of node.yaml's `tls`.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
    pub client_authority: PathBuf,
}

/// Why the node has no transport security to offer.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("cannot read `{}`, which node.yaml names as {key}", file.display())]
    Read { key: &'static str, file: PathBuf, source: std::io::Error },
    #[error("`{}`, which node.yaml names as {key}, holds no {what} in PEM form", file.display())]
    Pem { key: &'static str, file: PathBuf, what: &'static str },
    #[error("the files that node.yaml names under {section} do not fit together")]
    Refused { section: &'static str, source: tonic::transport::Error },
}

impl TlsFiles {
    /// What tonic's server needs; client certificates are required.
    pub(crate) fn load(&self) -> Result<ServerTlsConfig, TlsError> {
        let identity = identity(["tls.cert", "tls.key"], &self.certificate, &self.key)?;
        let authority = read("tls.client_ca", &self.client_authority)?;
        require_certificate("tls.client_ca", &self.client_authority, &authority)?;
        Ok(ServerTlsConfig::new()
            .identity(identity)
            .client_ca_root(Certificate::from_pem(authority))
            .client_auth_optional(false)
            .timeout(HANDSHAKE_TIME))
    }
}

/// What tonic's server needs for clients, who have tokens and no certificates.
pub(crate) fn for_clients(certificate: &Path, key: &Path) -> Result<ServerTlsConfig, TlsError> {
    let identity = identity(["direct.tls.cert", "direct.tls.key"], certificate, key)?;
    Ok(ServerTlsConfig::new().identity(identity).timeout(HANDSHAKE_TIME))
}

/// A certificate and its key, from the files that node.yaml names by these keys.
fn identity(
    [certificate_name, key_name]: [&'static str; 2],
    certificate: &Path,
    key: &Path,
) -> Result<Identity, TlsError> {
    let (certificate_pem, key_pem) = (read(certificate_name, certificate)?, read(key_name, key)?);
    require_certificate(certificate_name, certificate, &certificate_pem)?;
    if PrivateKeyDer::from_pem_slice(&key_pem).is_err() {
        return Err(TlsError::Pem { key: key_name, file: key.to_owned(), what: "private key" });
    }
    Ok(Identity::from_pem(certificate_pem, key_pem))
}

fn read(key: &'static str, file: &Path) -> Result<Vec<u8>, TlsError> {
    bounded_file::read(file, DOCUMENT_BYTES).map_err(|source| TlsError::Read {
        key,
        file: file.to_owned(),
        source,
    })
}

fn require_certificate(key: &'static str, file: &Path, pem: &[u8]) -> Result<(), TlsError> {
    match CertificateDer::pem_slice_iter(pem).next() {
        Some(Ok(_)) => Ok(()),
        Some(Err(_)) | None => Err(TlsError::Pem { key, file: file.to_owned(), what: "certificate" }),
    }
}

/// True if the peer's own certificate (the first of the chain) carries the role gateway and no other.
pub(crate) fn has_gateway_role(chain: &[CertificateDer<'_>]) -> bool {
    let Some(leaf) = chain.first() else {
        return false;
    };
    let Ok((_, certificate)) = X509Certificate::from_der(leaf) else {
        return false;
    };
    let Ok(Some(names)) = certificate.subject_alternative_name() else {
        return false;
    };
    let roles = names.value.general_names.iter().filter_map(|name| match name {
        GeneralName::URI(uri) => uri.starts_with(ROLE_PREFIX).then_some(*uri),
        _ => None,
    });
    roles.collect::<Vec<_>>() == [GATEWAY_ROLE]
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, SanType};

    use super::*;

    fn certificate(uris: &[&str]) -> CertificateDer<'static> {
        let mut parameters = CertificateParams::new(vec!["peer.example".to_owned()]).unwrap();
        for uri in uris {
            parameters.subject_alt_names.push(SanType::URI((*uri).try_into().unwrap()));
        }
        parameters.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    #[test]
    fn only_the_exact_role_in_the_peers_own_certificate_counts() {
        assert!(has_gateway_role(&[certificate(&[GATEWAY_ROLE])]));
        assert!(has_gateway_role(&[certificate(&["https://elsewhere.example", GATEWAY_ROLE])]));

        assert!(!has_gateway_role(&[]));
        assert!(!has_gateway_role(&[certificate(&[])]));
        assert!(!has_gateway_role(&[certificate(&["meshgate:role:node"])]));
        assert!(!has_gateway_role(&[certificate(&["meshgate:role:node", GATEWAY_ROLE])]));
        assert!(!has_gateway_role(&[certificate(&["meshgate:role:gateways"])]));
        assert!(!has_gateway_role(&[certificate(&[]), certificate(&[GATEWAY_ROLE])]));
        assert!(!has_gateway_role(&[CertificateDer::from(vec![0x30, 0x03])]));
    }

    #[test]
    fn a_file_that_is_no_pem_is_named_with_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let missing = TlsFiles {
            certificate: folder.path().join("absent.crt"),
            key: file("key", ""),
            client_authority: file("ca", ""),
        };
        assert!(missing.load().unwrap_err().to_string().contains("tls.cert"));
        let empty = TlsFiles { certificate: file("crt", "text"), ..missing };
        let message = empty.load().unwrap_err().to_string();
        assert!(message.ends_with("names as tls.cert, holds no certificate in PEM form"), "{message}");
        let message = for_clients(&empty.certificate, &empty.key).unwrap_err().to_string();
        assert!(message.ends_with("names as direct.tls.cert, holds no certificate in PEM form"), "{message}");
    }
}
