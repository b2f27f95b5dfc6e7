//! The documentation's examples load, and it leaves no function out.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    Column, DataType, Decision, Document, DomainPolicy, Mesh, Principal, Statement, Table,
    data_type::TimeUnit,
    document::OwnerDocument,
    expression::{self, Scope},
    yaml::{Problem, Silence, Warning, silence},
};

const TEXT: &str = include_str!("../../docs/policies.md");

/// The fenced blocks of a language.
fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    TEXT.split(fence.as_str())
        .skip(1)
        .filter_map(|block| block.split_once("```"))
        .map(|(block, _)| block)
        .collect()
}

fn tables() -> Vec<Table> {
    let column = |(name, data_type, classification, tag): (&str, DataType, &str, &str)| Column {
        name: name.into(),
        data_type,
        required: false,
        classification: (!classification.is_empty()).then(|| classification.to_owned()),
        tags: tag.split(' ').filter(|tag| !tag.is_empty()).map(str::to_owned).collect(),
        nested: vec![],
    };
    let timestamp = DataType::Timestamp { unit: TimeUnit::Microsecond, zone: None };
    let columns = vec![
        ("region", DataType::Text, "internal", ""),
        ("store", DataType::Text, "internal", ""),
        ("note", DataType::Text, "confidential", "pii"),
        ("card", DataType::Text, "restricted", "pci"),
        ("total", DataType::Decimal { precision: 12, scale: 2 }, "internal", ""),
        ("day", DataType::Date, "internal", ""),
        ("created_at", timestamp, "internal", ""),
        ("score", DataType::Float64, "internal", ""),
        ("active", DataType::Boolean, "", ""),
    ];
    let table = |name: &str, columns: Vec<Column>| Table {
        domain: "sales".into(),
        product: "orders".into(),
        name: name.into(),
        columns,
        primary_key: vec![],
    };
    vec![
        table("orders", columns.into_iter().map(column).collect()),
        table(
            "stores",
            ["store", "path"].map(|name| column((name, DataType::Text, "internal", ""))).to_vec(),
        ),
        table("order_lines", vec![column(("sku", DataType::Text, "public", ""))]),
    ]
}

fn shown(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("{problem}\n")).collect()
}

fn mesh() -> Mesh {
    let (mesh, warnings) =
        Mesh::load("mesh.yaml", blocks("yaml")[0]).unwrap_or_else(|problems| panic!("{}", shown(&problems)));
    assert!(warnings.is_empty(), "{warnings:?}");
    mesh
}

#[test]
fn documents_of_the_documentation_load() {
    let document = Document { name: "sales.yaml".into(), text: blocks("yaml")[1].into() };
    let (policy, warnings) = DomainPolicy::load("sales", &[document], &mesh(), &tables())
        .unwrap_or_else(|problems| panic!("{}", shown(&problems)));
    assert!(warnings.is_empty(), "{warnings:?}");
    let principal = Principal { subject: "sven".into(), ..Principal::default() };
    let statement = Statement { instant: 1_795_390_200_000_000, zone: mesh().time_zone() };
    let Decision::Visible(decision) = policy.decide("orders", &principal, &statement) else {
        panic!("sven is a controller");
    };
    assert_eq!(decision.columns.len(), 8);
}

#[test]
fn expressions_of_the_documentation_read() {
    let (mesh, tables) = (mesh(), tables());
    let lookups = [("my_stores".to_owned(), DataType::Text)].into();
    let scope = Scope {
        columns: &tables[0].columns,
        claims: &mesh.claims,
        lookups: Some(&lookups),
        zone: mesh.time_zone(),
        cell: None,
    };
    let lines: Vec<&str> = blocks("sql").into_iter().flat_map(str::lines).collect();
    assert!(lines.len() > 20);
    for line in lines {
        if let Err(error) = expression::condition(line, scope) {
            panic!("{line}: {error}; {:?}", error.hint);
        }
    }
}

#[test]
fn every_function_is_documented() {
    let words: BTreeMap<&str, ()> =
        TEXT.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').map(|word| (word, ())).collect();
    for name in expression::FUNCTION_NAMES {
        assert!(words.contains_key(name), "{name}");
    }
}

#[test]
fn every_warning_has_its_place_in_the_documentation() {
    let headings = include_str!("../../docs/warnings.md").lines().filter_map(|line| line.strip_prefix("## "));
    let names = Warning::ALL.map(Warning::name);
    assert_eq!(headings.collect::<Vec<_>>(), names);
}

#[test]
fn the_documented_silence_silences() {
    let (_, rest) = include_str!("../../docs/warnings.md").split_once("```yaml\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let text = format!("domain: sales\n{example}");
    let mut problems = vec![Problem::warning(Warning::GrantEndsSoon, "sales.yaml", 4, "it ends")];
    let silences = Silence::read("sales.yaml", &text, &mut problems);
    assert_eq!((silence(&silences, &mut problems), problems.len()), (vec![], 0));
    let document = OwnerDocument::read("sales", "sales.yaml", &text, &mesh().words, &mut problems);
    assert_eq!((document.grants[0].at.line, problems.len()), (4, 0), "{problems:?}");
}

/// Schemas and readers know the same keys; this page names them all.
#[test]
fn every_key_is_documented() {
    let words: BTreeSet<&str> = TEXT.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
    for schema in [
        include_str!("../../docs/schemas/policies.schema.json"),
        include_str!("../../docs/schemas/mesh.schema.json"),
        include_str!("../../docs/schemas/tests.schema.json"),
        include_str!("../../docs/schemas/personas.schema.json"),
    ] {
        let mut keys = BTreeSet::new();
        keys_of(&serde_json::from_str(schema).unwrap(), &mut keys);
        assert!(keys.len() > 2, "{keys:?}");
        let missing: Vec<&String> = keys.iter().filter(|key| !words.contains(key.as_str())).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}

/// The keys of all mappings in a schema.
fn keys_of(schema: &serde_json::Value, keys: &mut BTreeSet<String>) {
    if let Some(properties) = schema["properties"].as_object() {
        keys.extend(properties.keys().cloned());
    }
    match schema {
        serde_json::Value::Object(inner) => inner.values().for_each(|schema| keys_of(schema, keys)),
        serde_json::Value::Array(inner) => inner.iter().for_each(|schema| keys_of(schema, keys)),
        _ => {}
    }
}
