//! Schemas and readers know the same keys: every mapping of a schema is
//! written with all its keys and one that nobody knows, and given to the
//! reader. It must complain of that one alone, and the keys that it then
//! lists must be the schema's.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use meshgate_domain_node::NodeConfig;
use meshgate_gateway::config::{self, GatewayConfig};
use meshgate_policies::{Document, DomainPolicy, Mesh, yaml::Problem};
use serde_json::Value;

use super::*;

/// More than any schema has alternatives.
const VARIANTS: usize = 4;
const UNKNOWN: &str = "zzz_unknown";
/// A mask per group of types has a message of its own.
const GROUP: &str = "`zzz_unknown";

/// A document made of a schema, and which keys its mappings may have, by the line of the unknown one.
struct Written {
    text: String,
    mappings: BTreeMap<usize, (String, BTreeSet<String>)>,
}

struct Writer<'s> {
    root: &'s Value,
    variant: usize,
    lines: Vec<String>,
    mappings: BTreeMap<usize, (String, BTreeSet<String>)>,
}

fn write(schema: &Value, variant: usize) -> Written {
    let mut writer = Writer { root: schema, variant, lines: Vec::new(), mappings: BTreeMap::new() };
    writer.value(schema, "", 0, "");
    Written { text: writer.lines.join("\n") + "\n", mappings: writer.mappings }
}

impl Writer<'_> {
    fn resolved<'v>(&'v self, schema: &'v Value) -> &'v Value {
        match schema["$ref"].as_str() {
            Some(reference) => &self.root["$defs"][reference.trim_start_matches("#/$defs/")],
            None => schema,
        }
    }

    /// Appends a value behind `key`, which is empty for the document itself.
    fn value(&mut self, schema: &Value, key: &str, indent: usize, path: &str) {
        let schema = self.resolved(schema).clone();
        let alternatives =
            schema["oneOf"].as_array().filter(|all| schema.get("properties").is_none() && !all.is_empty());
        if let Some(alternatives) = alternatives {
            let chosen = alternatives[self.variant % alternatives.len()].clone();
            return self.value(&chosen, key, indent, path);
        }
        let pad = " ".repeat(indent);
        if schema.get("properties").is_some() || schema["additionalProperties"].is_object() {
            let inner = if key.is_empty() { indent } else { indent + 2 };
            if !key.is_empty() {
                self.lines.push(format!("{pad}{key}:"));
            }
            self.mapping(&schema, inner, path);
        } else if schema["type"] == "array" {
            self.lines.push(format!("{pad}{key}:"));
            self.value(&schema["items"], "-", indent + 2, &format!("{path}[]"));
        } else {
            let scalar = scalar(&schema);
            let separator = if key == "-" { "" } else { ":" };
            self.lines.push(format!("{pad}{key}{separator} {scalar}"));
        }
    }

    fn mapping(&mut self, schema: &Value, indent: usize, path: &str) {
        if let Some(value) = schema.get("additionalProperties").filter(|value| value.is_object()) {
            let key = schema["x-example-key"].as_str().unwrap_or("x").to_owned();
            return self.value(value, &key, indent, &format!("{path}.*"));
        }
        let properties = schema["properties"].as_object().unwrap().clone();
        let left_out = self.left_out(schema);
        for (key, value) in &properties {
            if !left_out.contains(key) {
                self.value(value, key, indent, &format!("{path}.{key}"));
            }
        }
        if schema["additionalProperties"] == false {
            self.lines.push(format!("{}{UNKNOWN}: 1", " ".repeat(indent)));
            self.mappings.insert(self.lines.len(), (path.to_owned(), properties.keys().cloned().collect()));
        }
    }

    /// Keys of the alternatives that are not this variant's.
    fn left_out(&self, schema: &Value) -> BTreeSet<String> {
        let Some(alternatives) = schema["oneOf"].as_array() else { return BTreeSet::new() };
        let keys = |alternative: &Value| -> BTreeSet<String> {
            alternative["required"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|key| Some(key.as_str()?.to_owned()))
                .collect()
        };
        let chosen = keys(&alternatives[self.variant % alternatives.len()]);
        alternatives.iter().flat_map(keys).filter(|key| !chosen.contains(key)).collect()
    }
}

fn scalar(schema: &Value) -> String {
    let example = schema["examples"].get(0).or_else(|| schema.get("const")).or_else(|| schema["enum"].get(0));
    match (example, schema["type"].as_str()) {
        (Some(Value::String(text)), _) => format!("'{}'", text.replace('\'', "''")),
        (Some(other), _) => other.to_string(),
        (None, Some("integer")) => "1".to_owned(),
        (None, Some("boolean")) => "true".to_owned(),
        (None, _) => "text".to_owned(),
    }
}

/// A mapping in a list begins on the line of its dash.
fn with_dashes(written: &mut Written) {
    let mut text = String::new();
    let lines: Vec<&str> = written.text.lines().collect();
    let mut skipped = 0;
    let mut mappings = BTreeMap::new();
    let mut dash: Option<usize> = None;
    for (number, line) in lines.iter().enumerate() {
        if line.trim() == "-:" {
            dash = Some(line.len() - 2);
            skipped += 1;
            continue;
        }
        match dash.take() {
            // The mapping's keys stand two behind the dash.
            Some(at) => {
                let _ = writeln!(text, "{}- {}", " ".repeat(at), line.trim_start());
            }
            None => {
                let _ = writeln!(text, "{line}");
            }
        }
        if let Some(mapping) = written.mappings.get(&(number + 1)) {
            mappings.insert(number + 1 - skipped, mapping.clone());
        }
    }
    *written = Written { text, mappings };
}

/// Compares a schema with what its reader says of documents made of it.
fn compare(kind: FileKind, read: impl Fn(&str) -> Vec<Problem>) {
    let schema: Value = serde_json::from_str(kind.schema()).unwrap();
    let (mut all, mut read_mappings) = (BTreeSet::new(), BTreeSet::new());
    for variant in 0..VARIANTS {
        let mut written = write(&schema, variant);
        with_dashes(&mut written);
        all.extend(written.mappings.values().map(|(path, _)| path.clone()));
        for problem in read(&written.text) {
            let message = problem.message.replace("` is not a group of types", "`");
            let Some(key) = message.strip_prefix("unknown key `").or_else(|| message.strip_prefix(GROUP))
            else {
                continue;
            };
            assert!(
                key.starts_with(UNKNOWN) || message.starts_with(GROUP),
                "the reader does not know {problem}\n{}",
                written.text
            );
            let Some((path, keys)) = written.mappings.get(&problem.line) else {
                panic!("{problem}\n{}", written.text)
            };
            let hint = problem.hint.as_deref().unwrap_or_default();
            let known = hint.strip_prefix("known: ").unwrap_or_else(|| panic!("{problem}"));
            let mut known: BTreeSet<String> = known.split(", ").map(str::to_owned).collect();
            if message.starts_with(GROUP) {
                // A mask may also be one expression: the other alternative of the schema.
                known.remove("sql");
            }
            assert_eq!(&known, keys, "{kind:?} {path}: left the reader, right the schema");
            read_mappings.insert(path.clone());
        }
    }
    assert!(!all.is_empty());
    assert_eq!(read_mappings, all, "{kind:?}: mappings that the reader looked into, and those of the schema");
}

#[test]
fn node_yaml() {
    compare(FileKind::Node, |text| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("node.yaml");
        std::fs::write(&file, text).unwrap();
        NodeConfig::load(&file, &|_| None).unwrap_err()
    });
}

#[test]
fn gateway_yaml() {
    compare(FileKind::Gateway, |text| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gateway.yaml");
        std::fs::create_dir(folder.path().join("tls")).unwrap();
        for key in ["tls/permit.key", "tls/sealing.key"] {
            std::fs::write(folder.path().join(key), "x").unwrap();
        }
        std::fs::write(&file, text).unwrap();
        GatewayConfig::load(&file, &|_| None).unwrap_err()
    });
}

#[test]
fn files_of_domains() {
    compare(FileKind::Domain, |text| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("sales.yaml"), text).unwrap();
        config::load_folder(folder.path()).unwrap_err()
    });
}

#[test]
fn mesh_yaml() {
    compare(FileKind::Mesh, |text| Mesh::load("mesh.yaml", text).unwrap_err());
}

#[test]
fn policies() {
    let mesh = "mesh: m\ntimezone: UTC\nclassifications: [internal]\ntags: [pii]\npurposes: { fraud: { title: Fraud } }\n";
    let (mesh, _) = Mesh::load("mesh.yaml", mesh).unwrap();
    compare(FileKind::Policies, |text| {
        let document = Document { name: "sales.yaml".to_owned(), text: text.to_owned() };
        DomainPolicy::load("sales", &[document], &mesh, &[]).unwrap_err()
    });
}

#[test]
fn personas_yaml() {
    // Claims are free: there is no key that could be unknown, only the two that mean something here.
    let schema: Value = serde_json::from_str(FileKind::Personas.schema()).unwrap();
    let written = write(&schema, 0);
    let text = written.text.replace("zzz_unknown: 1\n", "");
    let personas = meshgate_policies::Persona::read_file("personas.yaml", &text).unwrap();
    assert_eq!(personas[0].claims["sub"], "anna", "{}", written.text);
    assert_eq!(personas[0].purpose.as_deref(), Some("fraud"), "{}", written.text);
}

#[test]
fn tests_of_policies() {
    compare(FileKind::Tests, crate::policy::problems_of_a_test);
}

#[test]
fn every_schema_is_shipped() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/schemas");
    let files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    assert_eq!(files.len(), FileKind::value_variants().len());
    for kind in FileKind::value_variants() {
        assert!(files.iter().any(|text| text == kind.schema()), "{kind:?}");
    }
}
