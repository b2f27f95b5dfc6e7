//! The public keys of the gateways whose permits this node accepts.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use meshgate_engine::bounded_file::{self, DOCUMENT_BYTES};
use meshgate_engine::permit::PermitKeys;
use serde_json::Value;

/// Bytes of an Ed25519 public key.
const KEY_BYTES: usize = 32;

/// Why the keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    #[error("cannot read `{}`, which node.yaml names as gateway.permit_keys", file.display())]
    Read { file: PathBuf, source: std::io::Error },
    #[error(
        "`{}` holds no keys; write {{\"keys\": [{{\"id\": \"..\", \"public_key\": \"<base64 of 32 bytes>\"}}]}}",
        file.display()
    )]
    Shape { file: PathBuf },
    #[error("`{}` names the key `{id}` twice", file.display())]
    Twice { file: PathBuf, id: String },
}

/// Reads `{"keys": [{"id", "public_key"}]}`.
pub(crate) fn load(file: &Path) -> Result<PermitKeys, KeysError> {
    let text = bounded_file::read_text(file, DOCUMENT_BYTES)
        .map_err(|source| KeysError::Read { file: file.to_owned(), source })?;
    let keys = read(&text).ok_or_else(|| KeysError::Shape { file: file.to_owned() })?;
    let mut ids = BTreeSet::new();
    if let Some((id, _)) = keys.iter().find(|(id, _)| !ids.insert(id)) {
        return Err(KeysError::Twice { file: file.to_owned(), id: id.clone() });
    }
    Ok(PermitKeys::new(keys))
}

/// At least one key; one that cannot be read spoils the file.
fn read(text: &str) -> Option<Vec<(String, [u8; KEY_BYTES])>> {
    let root: Value = serde_json::from_str(text).ok()?;
    let keys: Option<Vec<_>> = root.get("keys")?.as_array()?.iter().map(read_key).collect();
    keys.filter(|keys| !keys.is_empty())
}

fn read_key(key: &Value) -> Option<(String, [u8; KEY_BYTES])> {
    let id = key.get("id")?.as_str()?;
    let bytes = STANDARD.decode(key.get("public_key")?.as_str()?).ok()?;
    Some((id.to_owned(), bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str, bytes: usize) -> String {
        format!("{{\"id\":\"{id}\",\"public_key\":\"{}\"}}", STANDARD.encode(vec![7; bytes]))
    }

    fn load_text(text: &str) -> Result<PermitKeys, KeysError> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("permit-keys.json");
        std::fs::write(&file, text).unwrap();
        load(&file)
    }

    #[test]
    fn keys_are_read_whole_or_not_at_all() {
        assert!(load_text(&format!("{{\"keys\":[{},{}]}}", key("a", 32), key("b", 32))).is_ok());
        for text in ["", "{}", "{\"keys\":[]}", &format!("{{\"keys\":[{},{}]}}", key("a", 32), key("b", 31))]
        {
            assert!(matches!(load_text(text), Err(KeysError::Shape { .. })), "{text}");
        }
        let twice = format!("{{\"keys\":[{},{}]}}", key("a", 32), key("a", 32));
        assert!(matches!(load_text(&twice), Err(KeysError::Twice { id, .. }) if id == "a"));
        assert!(matches!(load(Path::new("/nowhere")), Err(KeysError::Read { .. })));
    }
}
