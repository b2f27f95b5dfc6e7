//! Signing mesh.yaml: the one change of its text that is not the operator's own.

use std::fmt;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use meshgate_policies::{
    Mesh,
    yaml::{self, Problem},
};

use super::{SIGNATURE_LINE, Signed, keys::key_id, signed_bytes};
use crate::permit::ed25519_from_pem;

/// The operator's private key.
pub struct OperatorSigner(Ed25519KeyPair);

/// Why a document is not signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    #[error("{}", lines(.0))]
    Problems(Vec<Problem>),
    #[error("write `version: <number>` on a line of its own, as the operator's document has one key a line")]
    NoPlaceForVersion,
    #[error("version {asked} is not higher than version {signed}, with which the document is signed")]
    NotHigher { asked: u64, signed: u64 },
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

impl OperatorSigner {
    /// Reads an Ed25519 key in PKCS#8 form (PEM).
    pub fn from_pem(pem: &str) -> Option<Self> {
        ed25519_from_pem(pem).map(Self)
    }

    /// The raw public key.
    pub fn public_key(&self) -> [u8; 32] {
        let mut key = [0; 32];
        let public = self.0.public_key().as_ref();
        if public.len() == key.len() {
            key.copy_from_slice(public);
        }
        key
    }

    #[cfg(test)]
    pub(super) fn sign_raw(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(message).as_ref().to_vec()
    }
}

/// The key itself stays out of logs.
impl fmt::Debug for OperatorSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OperatorSigner")
    }
}

/// The text of `file` with a version that has grown and a signature over it;
/// as it is if it is signed with this key already. `version` asks for a
/// certain one. A text that no server could use is not signed.
pub fn sign(
    file: &str,
    text: &str,
    signer: &OperatorSigner,
    version: Option<u64>,
) -> Result<String, SignError> {
    let (mesh, _) = Mesh::load(file, text).map_err(SignError::Problems)?;
    // Also one that something was written behind.
    let was_signed = text.lines().any(|line| line.starts_with(SIGNATURE_LINE));
    let id = key_id(signer.public_key().as_slice());
    let is_signed = Signed::split(text).is_ok_and(|signed| {
        let signature = signer.0.sign(&signed_bytes(signed.body));
        signed.key_id == id && signature.as_ref() == signed.signature
    });
    let present = mesh.revision().unwrap_or_default();
    let next = match version {
        // What was signed before was signed with what stands there, unless somebody changed that by hand.
        Some(asked) if was_signed && asked <= present && !(is_signed && asked == present) => {
            return Err(SignError::NotHigher { asked, signed: present });
        }
        Some(asked) => asked.max(1),
        None if is_signed => present,
        None if was_signed => present.saturating_add(1),
        None => present.max(1),
    };
    if is_signed && next == present {
        return Ok(text.to_owned());
    }
    let body: String = text.split_inclusive('\n').filter(|line| !line.starts_with(SIGNATURE_LINE)).collect();
    let body = with_version(file, &body, next)?;
    let signature = signer.0.sign(&signed_bytes(&body));
    Ok(format!("{body}{SIGNATURE_LINE}{id} {}\n", STANDARD.encode(signature.as_ref())))
}

/// Replaces the line of `version`, or puts one behind the line of `mesh`.
fn with_version(file: &str, body: &str, version: u64) -> Result<String, SignError> {
    let root = yaml::parse(file, body).map_err(|problem| SignError::Problems(vec![problem]))?;
    let line_of = |key: &str| {
        let entry = root.as_mapping()?.iter().find(|entry| entry.key == key)?;
        // A key that does not begin its line stands between braces.
        let line = body.lines().nth(entry.key_line.checked_sub(1)?)?;
        line.starts_with(&format!("{key}:")).then_some(entry.key_line)
    };
    let has_version = root.get("version").is_some();
    let (place, replaces) = if has_version { (line_of("version"), true) } else { (line_of("mesh"), false) };
    let place = place.ok_or(SignError::NoPlaceForVersion)?;
    let mut text = String::with_capacity(body.len() + 32);
    for (number, line) in (1..).zip(body.lines()) {
        if number != place || !replaces {
            text.push_str(line);
            text.push('\n');
        }
        if number == place {
            text.push_str(&format!("version: {version}\n"));
        }
    }
    // The lines before and after must mean what they meant: `mesh: >` would go on in the next line.
    match Mesh::load(file, &text) {
        Ok((mesh, _)) if mesh.revision() == Some(version) => Ok(text),
        Ok(_) => Err(SignError::NoPlaceForVersion),
        Err(problems) => Err(SignError::Problems(problems)),
    }
}
