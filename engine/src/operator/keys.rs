//! The operator's public keys: usually one, and two while it is being changed.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use meshgate_policies::Digest;

/// A key takes a tenth of it.
const KEY_FILE_BYTES_MAX: u64 = 1 << 10;

/// Whose signature makes a text the operator's document. By id; never empty.
#[derive(Debug, Clone)]
pub struct OperatorKeys(BTreeMap<String, [u8; 32]>);

/// Why a file of an operator's key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OperatorKeyError {
    #[error("the operator's key `{}` cannot be read: {source}", file.display())]
    Unreadable { file: PathBuf, source: io::Error },
    #[error(
        "`{}` is not an operator's public key, which is one line: base64 of the 32 bytes of an Ed25519 key, as `meshgate dev ca` writes into operator.pub",
        .0.display()
    )]
    NotAKey(PathBuf),
    #[error("no operator's key is named")]
    None,
}

impl OperatorKeys {
    /// Reads files with one key each.
    pub fn load(files: &[PathBuf]) -> Result<Self, OperatorKeyError> {
        if files.is_empty() {
            return Err(OperatorKeyError::None);
        }
        let keys: Vec<_> = files.iter().map(|file| read(file)).collect::<Result<_, _>>()?;
        Ok(Self::new(keys))
    }

    /// Accepts exactly these raw keys.
    pub fn new(keys: impl IntoIterator<Item = [u8; 32]>) -> Self {
        Self(keys.into_iter().map(|key| (key_id(&key), key)).collect())
    }

    pub(super) fn knows(&self, key_id: &str) -> bool {
        self.0.contains_key(key_id)
    }

    pub(super) fn verify(&self, key_id: &str, message: &[u8], signature: &[u8]) -> bool {
        let key = self.0.get(key_id).map(|key| UnparsedPublicKey::new(&ED25519, key));
        key.is_some_and(|key| key.verify(message, signature).is_ok())
    }
}

/// A name for a key that is made of the key itself, so that nobody has to agree on one.
pub(super) fn key_id(key: &[u8]) -> String {
    Digest::of(key).to_string().chars().take(16).collect()
}

fn read(file: &Path) -> Result<[u8; 32], OperatorKeyError> {
    let unreadable = |source| OperatorKeyError::Unreadable { file: file.to_owned(), source };
    let mut text = String::new();
    File::open(file)
        .and_then(|opened| opened.take(KEY_FILE_BYTES_MAX).read_to_string(&mut text))
        .map_err(unreadable)?;
    let bytes = STANDARD.decode(text.trim()).ok();
    bytes.and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| OperatorKeyError::NotAKey(file.to_owned()))
}
