//! Ed25519 key pairs in the form that all of Meshgate reads: PKCS#8 in PEM.

use aws_lc_rs::{
    digest,
    signature::{Ed25519KeyPair, KeyPair},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use rustls::pki_types::{PrivatePkcs8KeyDer, pem::PemObject};

use super::KeyError;

/// A private key that signs permits, tokens or the operator's documents.
pub(crate) struct SigningKey {
    pair: Ed25519KeyPair,
}

impl SigningKey {
    pub(crate) fn generate() -> Result<Self, KeyError> {
        Ok(Self { pair: Ed25519KeyPair::generate()? })
    }

    pub(crate) fn from_pem(text: &str) -> Result<Self, KeyError> {
        let document =
            PrivatePkcs8KeyDer::from_pem_slice(text.as_bytes()).map_err(|_| KeyError::NotEd25519)?;
        let pair =
            Ed25519KeyPair::from_pkcs8(document.secret_pkcs8_der()).map_err(|_| KeyError::NotEd25519)?;
        Ok(Self { pair })
    }

    /// PKCS#8 version 1: what OpenSSL's command line reads too.
    pub(crate) fn to_der(&self) -> Result<Vec<u8>, KeyError> {
        Ok(self.pair.to_pkcs8v1()?.as_ref().to_vec())
    }

    pub(crate) fn to_pem(&self) -> Result<String, KeyError> {
        Ok(pem("PRIVATE KEY", &self.to_der()?))
    }

    /// The 32 raw bytes.
    pub(crate) fn public_key(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    /// A stable name for the key, made of the key itself, so that whoever
    /// holds the private key alone can name it.
    pub(crate) fn id(&self) -> String {
        let hash = digest::digest(&digest::SHA256, self.public_key());
        hash.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// RFC 7468.
fn pem(label: &str, der: &[u8]) -> String {
    let mut text = format!("-----BEGIN {label}-----\n");
    for (position, character) in STANDARD.encode(der).chars().enumerate() {
        if position > 0 && position % 64 == 0 {
            text.push('\n');
        }
        text.push(character);
    }
    text.push_str(&format!("\n-----END {label}-----\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_its_pem() {
        let key = SigningKey::generate().unwrap();
        let again = SigningKey::from_pem(&key.to_pem().unwrap()).unwrap();
        assert_eq!(key.public_key(), again.public_key());
        assert_eq!(key.id(), again.id());
        assert_eq!(key.id().len(), 16);
    }

    #[test]
    fn other_files_are_not_keys() {
        assert!(matches!(SigningKey::from_pem("hello"), Err(KeyError::NotEd25519)));
        let certificate_key = rcgen::KeyPair::generate().unwrap().serialize_pem();
        assert!(matches!(SigningKey::from_pem(&certificate_key), Err(KeyError::NotEd25519)));
    }
}
