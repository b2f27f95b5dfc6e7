//! `direct`: where and for whom clients read from the node themselves.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use meshgate_engine::direct::{DEFAULT_ZONE, is_zone};
use meshgate_engine::listener;
use meshgate_engine::seal::{KEY_BYTES, key_of_text};
use meshgate_policies::yaml::{Reader, UnknownKeys};

use super::references::Lookup;
use super::{address, path};

/// Most keys, and most zones.
const ENTRIES: usize = 64;

/// A listener for clients.
#[derive(Debug, Clone)]
pub struct DirectConfig {
    pub listen: SocketAddr,
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// Shared with gateways; never empty.
    pub keys: Vec<DirectKey>,
    /// Where clients reach the listener, by zone of the network; never empty.
    pub addresses: BTreeMap<String, String>,
}

/// A key and its name. Only the name prints.
#[derive(Clone, PartialEq, Eq)]
pub struct DirectKey {
    pub id: String,
    pub(crate) bytes: [u8; KEY_BYTES],
}

impl fmt::Debug for DirectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirectKey").field("id", &self.id).finish_non_exhaustive()
    }
}

pub(super) fn read(reader: &mut Reader<'_, '_>, lookup: &Lookup<'_>) -> Option<DirectConfig> {
    if !reader.has("direct") {
        return None;
    }
    let mut direct = reader.mapping("direct")?;
    direct.require("listen");
    let listen = address(&mut direct, "listen", "0.0.0.0:31401");
    direct.require("tls");
    let tls = direct.mapping("tls").and_then(|mut tls| {
        let (certificate, key) = (path(&mut tls, "cert", lookup), path(&mut tls, "key", lookup));
        tls.finish(UnknownKeys::Error);
        Some((certificate?, key?))
    });
    let keys = keys(&mut direct);
    let addresses = addresses(&mut direct);
    direct.finish(UnknownKeys::Error);
    let (certificate, key) = tls?;
    Some(DirectConfig { listen: listen?, certificate, key, keys: keys?, addresses: addresses? })
}

fn keys(reader: &mut Reader<'_, '_>) -> Option<Vec<DirectKey>> {
    reader.require("keys")?;
    let items = reader.list("keys")?;
    let mut keys: Vec<DirectKey> = Vec::new();
    for item in items {
        let Some(key) = key(reader.over(item)) else { continue };
        if keys.iter().any(|other| other.id == key.id) {
            reader.error(item.line, format!("key `{}` is there twice", key.id), None);
        }
        keys.push(key);
    }
    if items.is_empty() || items.len() > ENTRIES {
        let line = reader.line_of("keys");
        let hint = "write `- { id: .., key: .. }`".to_owned();
        reader.error(line, format!("there are 1 to {ENTRIES} keys"), Some(hint));
    }
    (!keys.is_empty()).then_some(keys)
}

fn key(mut reader: Reader<'_, '_>) -> Option<DirectKey> {
    let id = reader.required_text("id");
    let text = reader.required_text("key");
    let bytes = text.as_deref().and_then(key_of_text);
    if text.is_some() && bytes.is_none() {
        let line = reader.line_of("key");
        let hint = "write `\"${file:<path>}\"` of a file that `openssl rand -base64 32` made".to_owned();
        reader.error(line, "`key` is not a key of 32 bytes", Some(hint));
    }
    if id.as_ref().is_some_and(|id| id.is_empty() || id.len() > 64) {
        let line = reader.line_of("id");
        reader.error(line, "`id` is empty or longer than 64 bytes", None);
    }
    reader.finish(UnknownKeys::Error);
    Some(DirectKey { id: id?, bytes: bytes? })
}

fn addresses(reader: &mut Reader<'_, '_>) -> Option<BTreeMap<String, String>> {
    reader.require("addresses")?;
    let entries = reader.entries("addresses")?;
    let mut addresses = BTreeMap::new();
    for entry in entries {
        if !is_zone(&entry.key) {
            let hint = format!("write `{DEFAULT_ZONE}`, or a zone that gateway.yaml names under `networks`");
            reader.error(entry.value.line, format!("`{}` is not the name of a zone", entry.key), Some(hint));
        }
        match entry.value.as_scalar().filter(|text| listener::address(text).is_some()) {
            Some(text) => {
                addresses.insert(entry.key.clone(), text.to_owned());
            }
            None => {
                let hint = "write `grpc+tls://host:port`: clients always use TLS".to_owned();
                reader.error(entry.value.line, "this is not an address for clients", Some(hint));
            }
        }
    }
    if entries.is_empty() || entries.len() > ENTRIES {
        let line = reader.line_of("addresses");
        let hint = format!("write `{DEFAULT_ZONE}: grpc+tls://host:port`");
        reader.error(line, format!("there are 1 to {ENTRIES} addresses"), Some(hint));
    }
    Some(addresses)
}
