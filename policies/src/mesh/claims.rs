//! From the parts of a verified token to typed claims, roles and groups.
//!
//! The shape is exact: a list is a JSON array of exactly the declared
//! elements, an integer is a JSON integer. Anything else is absent as a whole;
//! nothing is repaired, nothing is cut to size.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::path::Path;
use crate::{
    ClaimValue,
    expression::{ClaimDefinition, parse_date},
    principal::ClaimType,
    yaml::{Node, Reader, UnknownKeys, nearest_hint},
};

/// Most entries of a list.
const MAX_ENTRIES: usize = 10_000;
/// Longest text.
const MAX_TEXT_BYTES: usize = 4 * 1024;

const TYPES: [(&str, ClaimType); 8] = [
    ("text", ClaimType::Text),
    ("string", ClaimType::Text),
    ("integer", ClaimType::Integer),
    ("boolean", ClaimType::Boolean),
    ("date", ClaimType::Date),
    ("list<text>", ClaimType::Texts),
    ("list<string>", ClaimType::Texts),
    ("list<integer>", ClaimType::Integers),
];

/// Where a claim lies in a token.
#[derive(Debug, Clone)]
pub(super) struct ClaimSource {
    path: Path,
}

/// Where names of roles, groups or purposes lie, per issuer.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    entries: Vec<NamesEntry>,
}

#[derive(Debug, Clone)]
struct NamesEntry {
    /// `None`: every issuer that has no entry of its own.
    issuer: Option<String>,
    path: Path,
}

/// The claims of mesh.yaml: where they lie, and what they are.
pub(super) fn read(
    reader: &mut Reader<'_, '_>,
) -> (BTreeMap<String, ClaimSource>, BTreeMap<String, ClaimDefinition>) {
    let file = reader.file();
    let (mut sources, mut definitions) = (BTreeMap::new(), BTreeMap::new());
    for entry in reader.entries("claims").unwrap_or_default() {
        let mut inner = Reader::new(file, &entry.value, reader.problems());
        let path = read_path(&mut inner);
        let claim_type = read_type(&mut inner);
        let values = read_values(&mut inner, claim_type);
        inner.finish(UnknownKeys::Error);
        if let (Some(path), Some(claim_type)) = (path, claim_type) {
            sources.insert(entry.key.clone(), ClaimSource { path });
            definitions.insert(entry.key.clone(), ClaimDefinition { claim_type, values });
        }
    }
    (sources, definitions)
}

fn read_path(reader: &mut Reader<'_, '_>) -> Option<Path> {
    let text = reader.required_text("path")?;
    let path = Path::parse(&text);
    if path.is_none() {
        let line = reader.line_of("path");
        let hint = "write `$.name`, `$.outer.inner` or `$['name with.dots']`".to_owned();
        reader.error(line, format!("`{text}` is not a path into a token"), Some(hint));
    }
    path
}

fn read_type(reader: &mut Reader<'_, '_>) -> Option<ClaimType> {
    let text = reader.required_text("type")?;
    let found = TYPES.iter().find(|(name, _)| *name == text).map(|(_, claim_type)| *claim_type);
    if found.is_none() {
        let line = reader.line_of("type");
        let hint = nearest_hint(&text, TYPES.iter().map(|(name, _)| *name));
        reader.error(line, format!("`{text}` is not a type of claims"), hint);
    }
    found
}

fn read_values(reader: &mut Reader<'_, '_>, claim_type: Option<ClaimType>) -> Vec<String> {
    if !reader.has("values") {
        return Vec::new();
    }
    if !matches!(claim_type, None | Some(ClaimType::Text | ClaimType::Texts)) {
        let line = reader.line_of("values");
        reader.error(line, "`values` goes with texts only", None);
    }
    let values = reader.texts("values").unwrap_or_default();
    if values.is_empty() {
        let line = reader.line_of("values");
        reader.error(line, "`values` allows nothing", Some("leave it out to allow all".to_owned()));
    }
    values
}

impl ClaimSource {
    /// The claim's value, if it is there exactly as declared.
    pub(super) fn value(
        &self,
        token: &Map<String, Value>,
        definition: &ClaimDefinition,
    ) -> Option<ClaimValue> {
        let value = self.path.find(token)?;
        let allowed =
            |text: &&str| definition.values.is_empty() || definition.values.iter().any(|v| v == text);
        Some(match definition.claim_type {
            ClaimType::Text => ClaimValue::Text(text(value).filter(allowed)?.to_owned()),
            ClaimType::Integer => ClaimValue::Integer(value.as_i64()?),
            ClaimType::Boolean => ClaimValue::Boolean(value.as_bool()?),
            ClaimType::Date => ClaimValue::Date(parse_date(text(value)?)?),
            ClaimType::Texts => ClaimValue::Texts(
                list(value)?
                    .iter()
                    .map(|item| text(item).filter(allowed).map(str::to_owned))
                    .collect::<Option<_>>()?,
            ),
            ClaimType::Integers => {
                ClaimValue::Integers(list(value)?.iter().map(Value::as_i64).collect::<Option<_>>()?)
            }
        })
    }
}

impl Names {
    /// The same place for every issuer.
    pub(super) fn at(path: &str) -> Self {
        let entry = Path::parse(path).map(|path| NamesEntry { issuer: None, path });
        Self { entries: entry.into_iter().collect() }
    }

    /// `{ path: .. }`, `{ issuer: .., path: .. }` or a list of those.
    pub(super) fn read(reader: &mut Reader<'_, '_>, key: &str) -> Self {
        let file = reader.file();
        let Some(node) = reader.node(key) else {
            return Self::default();
        };
        let nodes: Vec<&Node> = match node.as_sequence() {
            Some(items) => items.iter().collect(),
            None => vec![node],
        };
        let mut entries: Vec<NamesEntry> = Vec::new();
        for node in nodes {
            let mut inner = Reader::new(file, node, reader.problems());
            let issuer = inner.text("issuer");
            let path = read_path(&mut inner);
            if entries.iter().any(|entry| entry.issuer == issuer) {
                inner.error(node.line, "there is an entry for this issuer already", None);
            }
            inner.finish(UnknownKeys::Error);
            entries.extend(path.map(|path| NamesEntry { issuer, path }));
        }
        Self { entries }
    }

    /// The names in a token of an issuer; none unless they are a list of texts.
    pub(super) fn of(&self, issuer: &str, token: &Map<String, Value>) -> BTreeSet<String> {
        let own = self.entries.iter().find(|entry| entry.issuer.as_deref() == Some(issuer));
        let entry = own.or_else(|| self.entries.iter().find(|entry| entry.issuer.is_none()));
        let names = entry
            .and_then(|entry| entry.path.find(token))
            .and_then(list)
            .and_then(|items| items.iter().map(|item| text(item).map(str::to_owned)).collect());
        names.unwrap_or_default()
    }
}

fn text(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| text.len() <= MAX_TEXT_BYTES)
}

fn list(value: &Value) -> Option<&Vec<Value>> {
    value.as_array().filter(|items| items.len() <= MAX_ENTRIES)
}
