//! `servers[]`: which one is meant, and where it says the data lies.

use std::collections::BTreeMap;

use meshgate_policies::yaml::{Node, Reader, Reference, UnknownKeys, Value, expand, nearest_hint};

use super::read::{accept, given, optional_list, optional_text};
use crate::source::{CsvOptions, Format};

/// The server that counts in this environment.
#[derive(Debug)]
pub(super) struct Server {
    /// As written, variables replaced, `{model}` not.
    pub(super) path: String,
    pub(super) path_line: usize,
    pub(super) format: Format,
}

/// Keys of the standard that every server may have and that mean nothing here.
const SERVER_KEYS: [&str; 5] = ["id", "server", "description", "roles", "environment"];

/// The one server of `environment`; anything else is an error with the list.
pub(super) fn read_server(
    reader: &mut Reader<'_, '_>,
    environment: &str,
    variables: &BTreeMap<String, String>,
) -> Option<Server> {
    let servers = optional_list(reader, "servers");
    let fitting: Vec<&Node> =
        servers.iter().filter(|server| environment_of(server) == Some(environment)).collect();
    if let [server] = fitting.as_slice() {
        let file = reader.file();
        return read_one(Reader::new(file, server, reader.problems()), variables);
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
    if kind != "local" {
        let line = reader.line_of("type");
        let hint = "write `type: local`".to_owned();
        reader.error(line, format!("servers of `type: {kind}` cannot be read"), Some(hint));
        return None;
    }
    accept(&mut reader, &SERVER_KEYS);
    let path = reader.required_text("path").and_then(|path| expanded(&mut reader, "path", &path, variables));
    let path_line = reader.line_of("path");
    let format = reader.required_text("format");
    let format = format.and_then(|format| expanded(&mut reader, "format", &format, variables));
    check_encoding(&mut reader);
    let csv = read_csv_options(&mut reader);
    let format = format.and_then(|format| read_format(&mut reader, &format, csv));
    reader.finish(UnknownKeys::Warn);
    Some(Server { path: path?, path_line, format: format? })
}

fn read_format(reader: &mut Reader<'_, '_>, format: &str, csv: CsvOptions) -> Option<Format> {
    match format {
        "parquet" => Some(Format::Parquet),
        "csv" => Some(Format::Csv(csv)),
        other => {
            let line = reader.line_of("format");
            let hint = nearest_hint(other, ["parquet", "csv"]);
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
