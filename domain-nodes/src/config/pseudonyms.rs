//! Keys of pseudonyms, as node.yaml gives them.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use meshgate_policies::yaml::{Reader, UnknownKeys};

/// As `meshgate_engine::lower::PseudonymKey` takes them.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 32..=64;

/// A key and its name. Only the name prints.
#[derive(Clone, PartialEq, Eq)]
pub struct PseudonymSecret {
    pub id: String,
    pub(crate) bytes: Vec<u8>,
}

impl fmt::Debug for PseudonymSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PseudonymSecret").field("id", &self.id).finish_non_exhaustive()
    }
}

/// `pseudonyms: { space: { keys: [ { id, key } ] } }`. Of each space the first
/// key counts; those behind it are there for who must explain older results.
pub(super) fn read(reader: &mut Reader<'_, '_>) -> BTreeMap<String, PseudonymSecret> {
    let mut current = BTreeMap::new();
    if !reader.has("pseudonyms") {
        return current;
    }
    for space in reader.entries("pseudonyms").unwrap_or_default() {
        let mut inner = reader.over(&space.value);
        inner.require("keys");
        let items = inner.list("keys").unwrap_or_default();
        let keys: Vec<Option<PseudonymSecret>> = items.iter().map(|item| key(inner.over(item))).collect();
        if items.is_empty() && inner.has("keys") {
            let line = inner.line_of("keys");
            inner.error(line, "there is no key", Some("write `- { id: .., key: .. }`".to_owned()));
        }
        for (position, key) in keys.iter().enumerate() {
            let named_before = |other: &Option<PseudonymSecret>| {
                other.as_ref().zip(key.as_ref()).is_some_and(|(other, key)| other.id == key.id)
            };
            if keys.iter().take(position).any(named_before) {
                let line = inner.line_of("keys");
                inner.error(line, "two keys have the same `id`", None);
            }
        }
        inner.finish(UnknownKeys::Error);
        current.extend(keys.into_iter().next().flatten().map(|key| (space.key.clone(), key)));
    }
    current
}

fn key(mut reader: Reader<'_, '_>) -> Option<PseudonymSecret> {
    let id = reader.required_text("id");
    let text = reader.required_text("key");
    let bytes = text.as_deref().and_then(|text| STANDARD.decode(text.trim()).ok());
    let bytes = bytes.filter(|bytes| KEY_BYTES.contains(&bytes.len()));
    if text.is_some() && bytes.is_none() {
        let line = reader.line_of("key");
        let hint = "write `\"${file:<path>}\"` of a file that `openssl rand -base64 32` made".to_owned();
        reader.error(line, "`key` is not a key of 32 to 64 bytes in base64", Some(hint));
    }
    reader.finish(UnknownKeys::Error);
    Some(PseudonymSecret { id: id?, bytes: bytes? })
}
