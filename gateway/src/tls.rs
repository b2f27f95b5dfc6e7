//! Transport security: what clients see of the gateway, and what the gateway
//! demands of a domain's nodes.
//!
//! A node is believed to serve a domain if its certificate is of the mesh's
//! CA, carries the DNS name that the operator wrote into the domain's file,
//! and has the role `node`. A certificate of another role is none of a node's,
//! whatever its name.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use meshgate_engine::bounded_file::{self, DOCUMENT_BYTES};
use rustls::{
    CertificateError, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
};
use tonic::transport::{ClientTlsConfig, Endpoint, Identity, ServerTlsConfig, Uri};
use x509_parser::{
    extensions::GeneralName,
    prelude::{FromDer, X509Certificate},
};

use crate::config::{NodesTlsFiles, ServerTlsFiles};

/// Longest TLS handshake.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// Longest time until a node's connection stands.
const CONNECT_TIME: Duration = Duration::from_secs(5);
/// Roles are URI names in certificates.
const ROLE_PREFIX: &str = "meshgate:role:";
const ROLE_NODE: &str = "meshgate:role:node";

/// A certificate or key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("`{}` cannot be read: {source}", file.display())]
    Unreadable { file: PathBuf, source: std::io::Error },
    #[error("`{}` holds no PEM certificate", .0.display())]
    NoCertificate(PathBuf),
    #[error("`{}` holds no PEM private key", .0.display())]
    NoKey(PathBuf),
    #[error("`{}` is not the key of `{}`: {source}", key.display(), certificate.display())]
    Mismatch { certificate: PathBuf, key: PathBuf, source: rustls::Error },
    #[error("`{}` holds no certificate that can be a CA", .0.display())]
    NoCa(PathBuf),
    #[error("the address of a node of domain cannot be used: {0}")]
    Address(#[from] tonic::transport::Error),
}

/// TLS of the Flight listener. Fails if the key is not the certificate's.
pub(crate) fn server(files: &ServerTlsFiles) -> Result<ServerTlsConfig, TlsError> {
    let identity = identity(&files.certificate, &files.key)?;
    Ok(ServerTlsConfig::new().identity(identity).timeout(HANDSHAKE_TIME))
}

/// How the gateway connects to nodes.
#[derive(Debug, Clone)]
pub(crate) struct NodesTls {
    identity: Identity,
    verifier: Arc<NodeVerifier>,
}

impl NodesTls {
    /// Reads the CA and the gateway's own certificate.
    pub(crate) fn load(files: &NodesTlsFiles) -> Result<Self, TlsError> {
        let identity = identity(&files.certificate, &files.key)?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates(&files.ca)?);
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|_| TlsError::NoCa(files.ca.clone()))?;
        Ok(Self { identity, verifier: Arc::new(NodeVerifier(verifier)) })
    }

    /// An endpoint for a node at `address` whose certificate must carry the DNS
    /// name `certificate` and the role `node`.
    pub(crate) fn endpoint(&self, address: &Uri, certificate: &str) -> Result<Endpoint, TlsError> {
        // The scheme is ours (`grpc+tls`); HTTP knows it as https.
        let authority = address.authority().map(ToString::to_string).unwrap_or_default();
        let tls = ClientTlsConfig::new()
            .domain_name(certificate)
            .identity(self.identity.clone())
            .timeout(HANDSHAKE_TIME);
        let endpoint = Endpoint::from_shared(format!("https://{authority}"))?
            .connect_timeout(CONNECT_TIME)
            .tls_config_with_verifier(tls, self.verifier.clone())?;
        Ok(endpoint)
    }
}

/// Checks the chain and the name as usual, and then the role.
#[derive(Debug)]
struct NodeVerifier(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for NodeVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified =
            self.0.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)?;
        if has_role_node(end_entity) {
            Ok(verified)
        } else {
            tracing::warn!("a certificate without the role `node` was presented by a node");
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// Why a connection to a node failed, with all reasons; and what to do, if it
/// is the node's certificate that was refused.
pub(crate) fn why(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let (mut is_refused, mut next) = (false, error.source());
    while let Some(reason) = next {
        is_refused |= refuses_certificate(reason);
        let reason_text = reason.to_string();
        // Errors that pass others on say the same again.
        if !text.contains(&reason_text) {
            text.push_str(": ");
            text.push_str(&reason_text);
        }
        next = reason.source();
    }
    if is_refused {
        text.push_str(
            "; the certificate must be of `nodes_tls.ca`, carry the name that the domain's file has as `certificate`, and have the role `meshgate:role:node` and no other",
        );
    }
    text
}

fn refuses_certificate(error: &(dyn std::error::Error + 'static)) -> bool {
    // An error of input and output does not name what it wraps as its source.
    let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    let found = match wrapped {
        Some(wrapped) => wrapped.downcast_ref::<rustls::Error>(),
        None => error.downcast_ref::<rustls::Error>(),
    };
    matches!(found, Some(rustls::Error::InvalidCertificate(_)))
}

/// Has the certificate the role `node` and no other?
fn has_role_node(certificate: &CertificateDer<'_>) -> bool {
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else {
        return false;
    };
    let Ok(Some(names)) = certificate.subject_alternative_name() else {
        return false;
    };
    let mut roles = names.value.general_names.iter().filter_map(|name| match name {
        GeneralName::URI(uri) if uri.starts_with(ROLE_PREFIX) => Some(*uri),
        _ => None,
    });
    roles.next() == Some(ROLE_NODE) && roles.next().is_none()
}

fn identity(certificate: &Path, key: &Path) -> Result<Identity, TlsError> {
    let chain = certificates(certificate)?;
    let key_pem = read(key)?;
    let private = PrivateKeyDer::from_pem_slice(&key_pem).map_err(|_| TlsError::NoKey(key.to_owned()))?;
    let provider: CryptoProvider = aws_lc_rs::default_provider();
    rustls::sign::CertifiedKey::from_der(chain, private, &provider).map_err(|source| TlsError::Mismatch {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
        source,
    })?;
    Ok(Identity::from_pem(read(certificate)?, key_pem))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let none = || TlsError::NoCertificate(file.to_owned());
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(&read(file)?).collect::<Result<_, _>>().map_err(|_| none())?;
    if certificates.is_empty() { Err(none()) } else { Ok(certificates) }
}

fn read(file: &Path) -> Result<Vec<u8>, TlsError> {
    bounded_file::read(file, DOCUMENT_BYTES)
        .map_err(|source| TlsError::Unreadable { file: file.to_owned(), source })
}

#[cfg(test)]
pub(crate) mod tests;
