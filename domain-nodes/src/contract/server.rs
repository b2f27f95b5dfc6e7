//! `servers[]`: which one is meant, and where it says the data lies.

use std::collections::BTreeMap;
use std::path::Path;

use meshgate_policies::yaml::{Node, Reader, Reference, UnknownKeys, Value, expand, nearest_hint};

use super::read::{accept, given, optional_list, optional_text};
use crate::source::{BucketLocation, CsvOptions, Format, Location};

/// The server that counts in this environment.
#[derive(Debug)]
pub(super) struct Server {
    /// As written, variables replaced, `{model}` not: a path, or bucket and key.
    pub(super) place: String,
    pub(super) place_line: usize,
    pub(super) format: Format,
    /// None for files on disk.
    store: Option<Store>,
}

/// An object store, as far as it is not the place in it.
#[derive(Debug)]
struct Store {
    server: String,
    endpoint: Option<String>,
    bucket: String,
}

impl Server {
    /// Where the files of a table lie.
    pub(super) fn location(&self, folder: &Path, model: &str) -> Location {
        let place = self.place.replace("{model}", model);
        match &self.store {
            None => Location::Disk(folder.join(place)),
            Some(store) => Location::Bucket(BucketLocation {
                server: store.server.clone(),
                endpoint: store.endpoint.clone(),
                bucket: store.bucket.clone(),
                key: place,
            }),
        }
    }
}

/// Keys of the standard that every server may have and that mean nothing here.
const SERVER_KEYS: [&str; 5] = ["id", "server", "description", "roles", "environment"];

/// What keys of credentials are called, in small letters and without `_`, or a part of it.
const CREDENTIALS: [&str; 8] =
    ["accesskey", "apikey", "credential", "passphrase", "password", "privatekey", "secret", "token"];

/// The one server of `environment`; anything else is an error with the list.
pub(super) fn read_server(
    reader: &mut Reader<'_, '_>,
    environment: &str,
    variables: &BTreeMap<String, String>,
) -> Option<Server> {
    let servers = optional_list(reader, "servers");
    refuse_credentials(reader, servers);
    let fitting: Vec<&Node> =
        servers.iter().filter(|server| environment_of(server) == Some(environment)).collect();
    if let [server] = fitting.as_slice() {
        let file = reader.file();
        let mut reader = Reader::new(file, server, reader.problems());
        for (key, _) in credentials_of(server) {
            reader.has(key);
        }
        return read_one(reader, variables);
    }
    let line = reader.line_of("servers");
    let found = match fitting.len() {
        0 => "no server".to_owned(),
        number => format!("{number} servers"),
    };
    let mut listed: Vec<String> = servers.iter().map(describe).collect();
    if listed.is_empty() {
        listed.push("none".to_owned());
    }
    reader.error(
        line,
        format!("{found} for the environment `{environment}`"),
        Some(format!(
            "exactly one of `servers` must have `environment: {environment}`; there are: {}",
            listed.join(", ")
        )),
    );
    None
}

/// Whoever reads data also reads its contract: what opens a store stands in none, of no environment.
fn refuse_credentials(reader: &mut Reader<'_, '_>, servers: &[Node]) {
    for (key, line) in servers.iter().flat_map(credentials_of) {
        let hint = "take it away, and write it into the node's node.yaml, under `credentials` and the name of the server";
        let message = format!("`{key}` is of credentials, which a contract must not hold");
        reader.error(line, message, Some(hint.to_owned()));
    }
}

/// Keys and custom properties of a server that are called like credentials, with their lines.
fn credentials_of(server: &Node) -> impl Iterator<Item = (&str, usize)> {
    let keys =
        server.as_mapping().unwrap_or_default().iter().map(|entry| (entry.key.as_str(), entry.key_line));
    let properties = server.get("customProperties").and_then(Node::as_sequence).unwrap_or_default();
    let properties = properties.iter().filter_map(|property| property.get("property"));
    let properties = properties.filter_map(|name| Some((name.as_scalar()?, name.line)));
    keys.chain(properties).filter(|(key, _)| is_credential(key))
}

fn is_credential(key: &str) -> bool {
    let key = key.to_ascii_lowercase().replace(['_', '-'], "");
    CREDENTIALS.iter().any(|part| key.contains(part))
}

fn environment_of(server: &Node) -> Option<&str> {
    server.get("environment")?.as_scalar()
}

fn describe(server: &Node) -> String {
    let name = server.get("server").and_then(Node::as_scalar).unwrap_or("unnamed");
    match environment_of(server) {
        Some(environment) => format!("{name} ({environment})"),
        None => format!("{name} (no environment)"),
    }
}

fn read_one(mut reader: Reader<'_, '_>, variables: &BTreeMap<String, String>) -> Option<Server> {
    let kind = reader.required_text("type")?;
    accept(&mut reader, &SERVER_KEYS);
    let (place, key) = match kind.as_str() {
        "local" => (read_path(&mut reader, variables), "path"),
        "s3" => (read_location(&mut reader, variables), "location"),
        other => {
            let line = reader.line_of("type");
            let hint = "write `type: local` or `type: s3`".to_owned();
            reader.error(line, format!("servers of `type: {other}` cannot be read"), Some(hint));
            return None;
        }
    };
    let place_line = reader.line_of(key);
    let format = reader.required_text("format");
    let format = format.and_then(|format| expanded(&mut reader, "format", &format, variables));
    check_encoding(&mut reader);
    check_delimiter(&mut reader);
    let csv = read_csv_options(&mut reader);
    let format = format.and_then(|format| read_format(&mut reader, &format, csv));
    reader.finish(UnknownKeys::Warn);
    let (place, store) = place?;
    Some(Server { place, place_line, format: format?, store })
}

fn read_path(
    reader: &mut Reader<'_, '_>,
    variables: &BTreeMap<String, String>,
) -> Option<(String, Option<Store>)> {
    let path = reader.required_text("path")?;
    let path = expanded(reader, "path", &path, variables)?;
    if path.contains("://") {
        let line = reader.line_of("path");
        let hint = "write a path of this machine, or `type: s3` with a `location`";
        reader.error(line, "`path` is an address of another kind", Some(hint.to_owned()));
        return None;
    }
    Some((path, None))
}

/// `location: s3://bucket/key`, and at which address the store is.
fn read_location(
    reader: &mut Reader<'_, '_>,
    variables: &BTreeMap<String, String>,
) -> Option<(String, Option<Store>)> {
    let location = reader.required_text("location");
    let location = location.and_then(|location| expanded(reader, "location", &location, variables));
    let server = reader.required_text("server");
    let endpoint = match optional_text(reader, "endpointUrl") {
        Some(endpoint) => Some(read_endpoint(reader, &endpoint, variables)?),
        None => None,
    };
    let parts = location.as_deref().and_then(split_location);
    if let (Some(_), None) = (&location, &parts) {
        let line = reader.line_of("location");
        let hint = "write `s3://bucket/folder/{model}/`, without `.`, `..` and empty names in it";
        reader.error(line, "`location` is no place in a bucket", Some(hint.to_owned()));
    }
    let (bucket, key) = parts?;
    Some((key, Some(Store { server: server?, endpoint, bucket })))
}

fn read_endpoint(
    reader: &mut Reader<'_, '_>,
    endpoint: &str,
    variables: &BTreeMap<String, String>,
) -> Option<String> {
    let endpoint = expanded(reader, "endpointUrl", endpoint, variables)?;
    let host = endpoint.strip_prefix("https://").or_else(|| endpoint.strip_prefix("http://"));
    let is_address = host.is_some_and(|host| {
        // A name and a password in an address would be in the contract.
        !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_graphic() && !b"@?#\\".contains(&byte))
    });
    if !is_address {
        let line = reader.line_of("endpointUrl");
        let hint = "write `https://host:port`; credentials go into node.yaml";
        reader.error(line, "`endpointUrl` is no address of an object store", Some(hint.to_owned()));
        return None;
    }
    Some(endpoint)
}

/// Bucket and key of `s3://bucket/key`.
fn split_location(location: &str) -> Option<(String, String)> {
    let (bucket, key) = location.strip_prefix("s3://")?.split_once('/')?;
    let is_bucket = (3..=63).contains(&bucket.len())
        && bucket.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b));
    let names = key.strip_suffix('/').unwrap_or(key);
    let is_key = names.split('/').all(|name| {
        !matches!(name, "" | "." | "..") && !name.contains('\\') && !name.chars().any(char::is_control)
    });
    (is_bucket && is_key).then(|| (bucket.to_owned(), key.to_owned()))
}

/// Of JSON: one object a line is read, one array is not.
fn check_delimiter(reader: &mut Reader<'_, '_>) {
    if optional_text(reader, "delimiter").as_deref() == Some("array") {
        let line = reader.line_of("delimiter");
        let hint = "write one object a line, and `delimiter: new_line`";
        reader.error(line, "files that are one array cannot be read", Some(hint.to_owned()));
    }
}

fn read_format(reader: &mut Reader<'_, '_>, format: &str, csv: CsvOptions) -> Option<Format> {
    match format {
        "parquet" => Some(Format::Parquet),
        "csv" => Some(Format::Csv(csv)),
        "json" | "jsonl" | "ndjson" => Some(Format::JsonLines),
        "arrow" => Some(Format::Arrow),
        other => {
            let line = reader.line_of("format");
            let hint = nearest_hint(other, ["parquet", "csv", "json", "arrow"]);
            reader.error(line, format!("files of `format: {other}` cannot be read"), hint);
            None
        }
    }
}

/// Only variables that were handed in; the environment is never asked.
fn expanded(
    reader: &mut Reader<'_, '_>,
    key: &str,
    text: &str,
    variables: &BTreeMap<String, String>,
) -> Option<String> {
    let lookup = |reference: Reference<'_>| match reference {
        Reference::Variable(name) => variables.get(name).cloned(),
        Reference::File(_) => None,
    };
    match expand(text, &lookup) {
        Ok(text) => Some(text),
        Err(error) => {
            let line = reader.line_of(key);
            let hint = "contracts may use only the variables that the node's `contract_variables` lists";
            reader.error(line, error.to_string(), Some(hint.to_owned()));
            None
        }
    }
}

fn check_encoding(reader: &mut Reader<'_, '_>) {
    let Some(encoding) = optional_text(reader, "encoding") else { return };
    if !matches!(encoding.to_ascii_lowercase().as_str(), "utf-8" | "utf8" | "ascii" | "us-ascii") {
        let line = reader.line_of("encoding");
        reader.error(
            line,
            format!("files in `{encoding}` cannot be read"),
            Some("only UTF-8 can".to_owned()),
        );
    }
}

/// `customProperties` whose vendor is meshgate; before 3.2 there is no vendor.
fn read_csv_options(reader: &mut Reader<'_, '_>) -> CsvOptions {
    let mut options = CsvOptions::default();
    for node in optional_list(reader, "customProperties") {
        let file = reader.file();
        let mut property = Reader::new(file, node, reader.problems());
        let vendor = optional_text(&mut property, "vendor");
        let name = property.required_text("property");
        let line = property.line();
        let value = given(&mut property, "value").or_else(|| node.get("value"));
        match (vendor.as_deref(), name.as_deref()) {
            (Some("meshgate") | None, Some(name @ ("delimiter" | "header" | "nullText"))) => {
                let value = value.map(raw_text).unwrap_or_default();
                if let Err(hint) = set(&mut options, name, value) {
                    property.error(line, format!("`{name}` cannot be `{value}`"), Some(hint.to_owned()));
                }
            }
            (Some("meshgate"), Some(other)) => {
                let hint = nearest_hint(other, ["delimiter", "header", "nullText"]);
                property.error(line, format!("there is no property `{other}` of vendor meshgate"), hint);
            }
            _ => {}
        }
    }
    options
}

/// The text of a scalar, an empty one included: an empty null text is a choice.
fn raw_text(node: &Node) -> &str {
    match &node.value {
        Value::Scalar { text, .. } => text,
        _ => "",
    }
}

fn set(options: &mut CsvOptions, name: &str, value: &str) -> Result<(), &'static str> {
    match (name, value) {
        ("delimiter", "\\t") => options.delimiter = b'\t',
        ("delimiter", value) => match value.as_bytes() {
            [byte @ (b'\t' | b' '..=b'~')] if !byte.is_ascii_alphanumeric() && *byte != b'"' => {
                options.delimiter = *byte;
            }
            _ => return Err("write one character that is neither a letter, a digit nor a quote, like `;`"),
        },
        ("header", "true") => options.header = true,
        ("header", "false") => options.header = false,
        ("header", _) => return Err("write true or false"),
        (_, value) if value.contains(['\n', '\r', '"']) => {
            return Err("write a text without quotes and line breaks");
        }
        (_, value) => value.clone_into(&mut options.null_text),
    }
    Ok(())
}
