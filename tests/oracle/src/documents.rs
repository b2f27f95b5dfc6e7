//! Contracts and policy documents, read straight from the files as plain JSON trees.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value as Json};

use crate::cells::glob;

/// The documents of one domain and the operator's.
pub struct Documents {
    pub mesh: Json,
    /// Grants of all the domain's files: file-name, then document order.
    pub grants: Vec<Json>,
    /// The owner's restrictions, then the operator's.
    pub restrictions: Vec<Json>,
    /// The owner's masks by name.
    pub masks: Json,
    /// The owner's lookups by name.
    pub lookups: Json,
    pub tables: Vec<Table>,
    /// The node's key of each space of pseudonyms.
    pub pseudonym_keys: BTreeMap<String, Vec<u8>>,
}

/// A table of a contract.
pub struct Table {
    pub domain: String,
    pub product: String,
    pub name: String,
    pub columns: Vec<Column>,
    pub primary_key: Vec<String>,
    /// Path of the data as the contract says it, with `{model}` filled in.
    pub path: String,
    pub format: String,
}

/// A column of a contract.
pub struct Column {
    pub name: String,
    pub physical_name: String,
    pub logical_type: String,
    pub physical_type: String,
    pub classification: Option<String>,
    pub tags: Vec<String>,
    pub partitioned: bool,
    /// Those inside a column of structs, or of lists of structs.
    pub fields: Vec<Column>,
}

impl Documents {
    /// Reads mesh.yaml, the contracts and the policies of one domain, and the
    /// keys of its node.yaml if that lies beside the policies.
    pub fn read(domain: &str, mesh: &Path, contracts: &Path, policies: &Path) -> Self {
        let mesh = yaml(&std::fs::read_to_string(mesh).expect("mesh.yaml"));
        let mut documents = Self {
            restrictions: Vec::new(),
            mesh,
            grants: Vec::new(),
            masks: Json::Object(Map::new()),
            lookups: Json::Object(Map::new()),
            tables: Vec::new(),
            pseudonym_keys: policies.parent().map(pseudonym_keys).unwrap_or_default(),
        };
        for text in files(policies) {
            let file = yaml(&text);
            documents.grants.extend(list(&file["grants"]));
            documents.restrictions.extend(list(&file["restrictions"]));
            for (name, mask) in file["masks"].as_object().into_iter().flatten() {
                documents.masks[name] = mask.clone();
            }
            for (name, lookup) in file["lookups"].as_object().into_iter().flatten() {
                documents.lookups[name] = lookup.clone();
            }
        }
        documents.restrictions.extend(list(&documents.mesh["restrictions"]));
        for text in files(contracts) {
            documents.tables.extend(tables(domain, &yaml(&text), contracts));
        }
        documents.mark_columns();
        documents
    }

    /// What mesh.yaml says of columns: tags pinned to them, and which classifications are any.
    fn mark_columns(&mut self) {
        let known = self.mesh["classifications"].as_array();
        let pinned = self.mesh["pinned_tags"].as_object();
        let is_known = |class: &str| known.is_none_or(|known| known.iter().any(|own| own == class));
        for table in &mut self.tables {
            let (domain, name) = (table.domain.clone(), table.name.clone());
            let pin = |column: &mut Column, called: &str| {
                let pins = pinned.into_iter().flatten().filter(|(_, places)| {
                    list(places).iter().any(|place| is_place(place, [&domain, &name, called]))
                });
                column.tags.extend(pins.map(|(tag, _)| tag.clone()));
            };
            for column in &mut table.columns {
                column.classification.take_if(|class| !is_known(class));
                let called = column.name.clone();
                pin(column, &called);
                let (around, tags) = (column.classification.clone(), column.tags.clone());
                for field in &mut column.fields {
                    // One that mesh.yaml does not know is none, and not that of what is around.
                    field.classification = match field.classification.take() {
                        None => around.clone(),
                        Some(own) => Some(own).filter(|own| is_known(own)),
                    };
                    field.tags.extend(tags.clone());
                    pin(field, &format!("{called}.{}", field.name));
                }
            }
        }
    }

    pub fn table(&self, name: &str) -> &Table {
        self.tables.iter().find(|table| table.name == name).unwrap_or_else(|| panic!("no contract of {name}"))
    }
}

/// Does `domain.table.column` name this column, or `domain.table.column.field` this field?
fn is_place(place: &Json, of: [&str; 3]) -> bool {
    let parts: Vec<&str> = place.as_str().expect("a column").splitn(3, '.').collect();
    let is_as_deep = parts.last().is_some_and(|last| last.contains('.') == of[2].contains('.'));
    is_as_deep && parts.iter().zip(of).all(|(pattern, name)| glob(pattern, name))
}

fn pseudonym_keys(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let Ok(written) = std::fs::read_to_string(folder.join("node.yaml")) else { return BTreeMap::new() };
    let node = yaml(&written);
    let key = |space: &Json| {
        let written = text(&space["keys"][0]["key"]);
        let file = written.trim_start_matches("${file:").trim_end_matches('}');
        let key = std::fs::read_to_string(folder.join(file)).expect("the key's file");
        STANDARD.decode(key.trim()).expect("base64")
    };
    let spaces = node["pseudonyms"].as_object().into_iter().flatten();
    spaces.map(|(name, space)| (name.clone(), key(space))).collect()
}

fn tables(domain: &str, contract: &Json, folder: &Path) -> Vec<Table> {
    let server = &contract["servers"][0];
    let path = server["path"].as_str().expect("a local server");
    list(&contract["schema"])
        .iter()
        .map(|object| {
            let name = text(&object["name"]);
            let model = object["physicalName"].as_str().unwrap_or(&name).to_owned();
            let properties = list(&object["properties"]);
            Table {
                domain: domain.to_owned(),
                product: text(&contract["name"]),
                primary_key: properties
                    .iter()
                    .filter(|property| property["primaryKey"] == Json::Bool(true))
                    .map(|property| text(&property["name"]))
                    .collect(),
                columns: properties.iter().map(column).collect(),
                path: folder.join(path.replace("{model}", &model)).to_string_lossy().into_owned(),
                format: text(&server["format"]),
                name,
            }
        })
        .collect()
}

fn column(property: &Json) -> Column {
    let name = text(&property["name"]);
    Column {
        physical_name: property["physicalName"].as_str().unwrap_or(&name).to_owned(),
        logical_type: text(&property["logicalType"]),
        physical_type: property["physicalType"].as_str().unwrap_or_default().to_owned(),
        classification: property["classification"].as_str().map(str::to_owned),
        tags: list(&property["tags"]).iter().map(text).collect(),
        partitioned: property["partitioned"] == Json::Bool(true),
        fields: list(&property["properties"])
            .iter()
            .chain(&list(&property["items"]["properties"]))
            .map(column)
            .collect(),
        name,
    }
}

fn text(value: &Json) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} should be a text")).to_owned()
}

pub(crate) fn list(value: &Json) -> Vec<Json> {
    value.as_array().cloned().unwrap_or_default()
}

/// Texts of the YAML files of a folder, by file name.
fn files(folder: &Path) -> Vec<String> {
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read_to_string(path).expect("a readable file")).collect()
}

/// One YAML document as JSON.
pub fn yaml(text: &str) -> Json {
    let documents = Yaml::load_from_str(text).expect("YAML");
    json(documents.first().expect("one document"))
}

fn json(node: &Yaml<'_>) -> Json {
    match node {
        Yaml::Sequence(items) => Json::Array(items.iter().map(json).collect()),
        Yaml::Mapping(entries) => {
            Json::Object(entries.iter().map(|(key, value)| (text(&json(key)), json(value))).collect())
        }
        Yaml::Value(Scalar::String(value)) => Json::String(value.to_string()),
        Yaml::Value(Scalar::Boolean(value)) => Json::Bool(*value),
        Yaml::Value(Scalar::Integer(value)) => Json::from(*value),
        Yaml::Value(Scalar::FloatingPoint(value)) => Json::from(value.into_inner()),
        Yaml::Value(Scalar::Null) => Json::Null,
        other => panic!("the oracle does not read {other:?}"),
    }
}
