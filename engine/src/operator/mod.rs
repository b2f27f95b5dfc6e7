//! The operator's document, mesh.yaml, and what makes it one: a signature of
//! the operator's own key in its last line, and a `version` that only grows.
//!
//! The signature is over the exact bytes of all lines before it, behind a
//! constant that no other kind of message begins with. There is one way to
//! read the document, and it verifies. Where it lies and who was the last to
//! bring it is not known here.

mod keys;
mod pulled;
mod sign;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use meshgate_policies::{Digest, Mesh, yaml::Problem};

use crate::bounded_file::DOCUMENT_BYTES;

pub use keys::{OperatorKeyError, OperatorKeys};
pub use pulled::{pulled, split_pulled};
pub use sign::{OperatorSigner, SignError, sign};

/// The document's kind in what is signed.
const KIND: &[u8] = b"meshgate-operator-document-v1\0";
/// How the last line begins; for YAML it is a comment.
const SIGNATURE_LINE: &str = "# meshgate-signature: ";
const SIGN_HINT: &str = "sign it with `meshgate mesh sign`";

/// A document whose signature and content are good.
#[derive(Debug, Clone)]
pub struct OperatorDocument {
    text: Arc<str>,
    mesh: Mesh,
}

/// What identifies a document among those of its mesh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentVersion {
    /// The mesh's name.
    pub mesh: String,
    /// Grows from document to document.
    pub version: u64,
    /// Of the whole text.
    pub digest: Digest,
}

/// Why a document cannot follow the one that was accepted last.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CannotFollow {
    #[error("it is of the mesh `{found}`, and this is a part of the mesh `{expected}`")]
    OtherMesh { found: String, expected: String },
    #[error(
        "its version {found} is older than version {seen}, which was in use already; to go back to an older text, sign it again with `meshgate mesh sign --version {}`", seen + 1
    )]
    Older { found: u64, seen: u64 },
    #[error(
        "another text with the same version {version} was in use already; sign this one again with `meshgate mesh sign --version {}`", version + 1
    )]
    SameVersion { version: u64 },
}

impl OperatorDocument {
    /// Verifies and reads the text of `file`. Warnings beside the document, or all problems.
    pub fn open(file: &str, text: &str, keys: &OperatorKeys) -> Result<(Self, Vec<Problem>), Vec<Problem>> {
        let (_, text) = split_pulled(text);
        let line = text.lines().count();
        let refused = |message: &str, hint: &str| vec![Problem::error(file, line, message).with_hint(hint)];
        if text.len() as u64 > DOCUMENT_BYTES {
            return Err(vec![Problem::error(file, 0, "the document is longer than 1 MiB")]);
        }
        let signed = Signed::split(text).map_err(|unsigned| refused(unsigned.message(), SIGN_HINT))?;
        if !keys.verify(signed.key_id, &signed_bytes(signed.body), &signed.signature) {
            return Err(if keys.knows(signed.key_id) {
                refused("the signature is not of this text: it was changed since it was signed", SIGN_HINT)
            } else {
                let message = format!(
                    "it is signed with the key `{}`, which is not an operator's key here",
                    signed.key_id
                );
                refused(&message, "compare with `operator_key` of this server's configuration")
            });
        }
        let (mesh, warnings) = Mesh::load(file, text)?;
        if mesh.revision().is_none() {
            return Err(vec![Problem::error(file, 0, "`version` is missing or 0").with_hint(SIGN_HINT)]);
        }
        Ok((Self { text: text.into(), mesh }, warnings))
    }

    /// The whole text, with its signature: what others can verify again.
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// What it says.
    pub fn mesh(&self) -> &Mesh {
        &self.mesh
    }

    /// Which one it is.
    pub fn version(&self) -> DocumentVersion {
        DocumentVersion {
            mesh: self.mesh.name().to_owned(),
            version: self.mesh.revision().unwrap_or_default(),
            digest: self.mesh.version(),
        }
    }
}

impl DocumentVersion {
    /// May `next` come after this one? True if it is newer, false if it is this one.
    pub fn is_followed_by(&self, next: &Self) -> Result<bool, CannotFollow> {
        if next.mesh != self.mesh {
            Err(CannotFollow::OtherMesh { found: next.mesh.clone(), expected: self.mesh.clone() })
        } else if next.version < self.version {
            Err(CannotFollow::Older { found: next.version, seen: self.version })
        } else if next.version == self.version && next.digest != self.digest {
            Err(CannotFollow::SameVersion { version: self.version })
        } else {
            Ok(next.version > self.version)
        }
    }
}

fn signed_bytes(body: &str) -> Vec<u8> {
    [KIND, body.as_bytes()].concat()
}

/// A text taken apart; nothing in it is verified.
#[derive(Debug)]
struct Signed<'t> {
    /// All lines before the signature, the last line break included.
    body: &'t str,
    key_id: &'t str,
    signature: Vec<u8>,
}

/// Why a text is not a signed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unsigned {
    NoSignature,
    Malformed,
    NotAtTheEnd,
}

impl Unsigned {
    fn message(self) -> &'static str {
        match self {
            Self::NoSignature => "the document is not signed",
            Self::Malformed => "the signature cannot be read",
            Self::NotAtTheEnd => "the signature is not the last line, or not the only one",
        }
    }
}

impl<'t> Signed<'t> {
    fn split(text: &'t str) -> Result<Self, Unsigned> {
        let mut lines = text.split_inclusive('\n').filter(|line| line.starts_with(SIGNATURE_LINE));
        let line = lines.next().ok_or(Unsigned::NoSignature)?;
        let body = text.strip_suffix(line).filter(|_| lines.next().is_none());
        let body = body.ok_or(Unsigned::NotAtTheEnd)?;
        let signature = line.trim_end_matches('\n').strip_prefix(SIGNATURE_LINE);
        let (key_id, signature) =
            signature.and_then(|text| text.split_once(' ')).ok_or(Unsigned::Malformed)?;
        let signature = STANDARD.decode(signature).map_err(|_| Unsigned::Malformed)?;
        Ok(Self { body, key_id, signature })
    }
}
