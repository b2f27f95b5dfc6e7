//! `credentials` of node.yaml: what opens the object stores that contracts
//! name, by `servers[].server`.

use std::collections::BTreeMap;

use meshgate_policies::yaml::{Node, Problem, Reader, UnknownKeys, Warning};

use super::Secret;

/// Keys whose values only the store's owner and the node may know.
const SECRETS: [&str; 2] = ["secret_access_key", "session_token"];

/// How one object store is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreCredentials {
    /// None for a store that anybody may read.
    pub keys: Option<StoreKeys>,
    pub region: Option<String>,
    /// May the store be spoken to without TLS?
    pub allow_http: bool,
    /// Authorities in PEM whose certificates count besides those of the machine.
    pub authority: Option<String>,
}

/// Keys that requests are signed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreKeys {
    pub access_key_id: Secret,
    pub secret_access_key: Secret,
    pub session_token: Option<Secret>,
}

impl StoreCredentials {
    /// All values that must stand in no log.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        let keys = self.keys.iter();
        keys.flat_map(|keys| {
            [&keys.access_key_id, &keys.secret_access_key].into_iter().chain(&keys.session_token)
        })
    }
}

/// Warnings of secrets that stand in the file itself. `root` is as written, references not replaced.
pub(super) fn literal_secrets(file: &str, root: &Node) -> Vec<Problem> {
    let servers = root.get("credentials").and_then(Node::as_mapping).unwrap_or_default();
    let values = servers.iter().filter_map(|server| server.value.as_mapping()).flatten();
    let secrets = values.filter(|value| SECRETS.contains(&value.key.as_str()) && is_literal(&value.value));
    let warning = |key: &str, line| {
        let hint = format!("write `{key}: \"${{file:path}}\"`, or `\"${{VARIABLE}}\"`");
        let message = format!("`{key}` stands in this file itself");
        Problem::warning(Warning::SecretInFile, file, line, message).with_hint(hint)
    };
    secrets.map(|value| warning(&value.key, value.key_line)).collect()
}

fn is_literal(node: &Node) -> bool {
    node.as_scalar().is_some_and(|text| !text.replace("$${", "").contains("${"))
}

/// All entries that can be used; the others are problems.
pub(super) fn read(reader: &mut Reader<'_, '_>) -> BTreeMap<String, StoreCredentials> {
    let mut credentials = BTreeMap::new();
    if !reader.has("credentials") {
        return credentials;
    }
    for server in reader.entries("credentials").unwrap_or_default() {
        let mut values = reader.over(&server.value);
        let found = read_one(&mut values);
        values.finish(UnknownKeys::Error);
        if let Some(found) = found {
            credentials.insert(server.key.clone(), found);
        }
    }
    credentials
}

fn read_one(reader: &mut Reader<'_, '_>) -> Option<StoreCredentials> {
    let access_key_id = secret(reader, "access_key_id");
    let secret_access_key = secret(reader, "secret_access_key");
    let session_token = secret(reader, "session_token");
    let is_anonymous = flag(reader, "anonymous");
    let region = if reader.has("region") { reader.text("region") } else { None };
    let allow_http = flag(reader, "allow_http");
    let authority = if reader.has("ca") { reader.text("ca") } else { None };
    let keys = match (access_key_id, secret_access_key, is_anonymous) {
        (Some(access_key_id), Some(secret_access_key), false) => {
            Some(StoreKeys { access_key_id, secret_access_key, session_token })
        }
        (None, None, true) if session_token.is_none() => None,
        _ => {
            let line = reader.line();
            let hint = "write `access_key_id` and `secret_access_key`, or `anonymous: true` and none of them";
            reader.error(line, "these credentials are not complete", Some(hint.to_owned()));
            return None;
        }
    };
    Some(StoreCredentials { keys, region, allow_http, authority })
}

/// An empty one is none: a variable that is set to nothing must not become a key.
fn secret(reader: &mut Reader<'_, '_>, key: &str) -> Option<Secret> {
    reader.has(key).then_some(())?;
    let text = reader.text(key)?;
    (!text.is_empty()).then(|| Secret::new(&text))
}

fn flag(reader: &mut Reader<'_, '_>, key: &str) -> bool {
    reader.has(key) && reader.boolean(key).unwrap_or(false)
}
