//! One object of a contract's `schema` list: a table with its columns.

use std::collections::BTreeSet;

use meshgate_policies::data_type::Field;
use meshgate_policies::yaml::{Node, Reader, UnknownKeys};
use meshgate_policies::{Column, DataType, NestedField};

use super::quality::{QualityRule, read_quality};
use super::read::{
    accept, flag, given, optional_integer, optional_list, optional_text, optional_texts, required_name,
};
use super::types::{self, Spelled};
use crate::source::SourceColumn;

/// Keys of the standard that every element may have and that mean nothing here.
const ELEMENT_KEYS: [&str; 6] =
    ["id", "businessName", "deprecated", "synonyms", "authoritativeDefinitions", "customProperties"];
const PROPERTY_KEYS: [&str; 10] = [
    "unique",
    "encryptedName",
    "transformSourceObjects",
    "transformLogic",
    "transformDescription",
    "examples",
    "enum",
    "criticalDataElement",
    "relationships",
    "map",
];
/// Of `logicalTypeOptions`: they describe the content, not the type.
const OPTION_KEYS: [&str; 15] = [
    "minLength",
    "maxLength",
    "pattern",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
    "required",
    "dimensions",
];
/// Nesting of objects and arrays that is followed.
const MAX_NESTING: usize = 16;

/// A table as its contract describes it, before it is bound to a source.
pub(super) struct TableDraft {
    pub(super) name: String,
    pub(super) name_line: usize,
    /// Stands for `{model}` in paths.
    pub(super) model: String,
    pub(super) description: String,
    pub(super) tags: Vec<String>,
    pub(super) columns: Vec<Column>,
    pub(super) column_descriptions: Vec<String>,
    pub(super) source_columns: Vec<SourceColumn>,
    pub(super) primary_key: Vec<String>,
    pub(super) quality: Vec<QualityRule>,
}

struct ColumnDraft {
    column: Column,
    description: String,
    source: SourceColumn,
    /// Position in the primary key, if the column is part of it.
    key_position: Option<i64>,
    quality: Vec<QualityRule>,
}

/// Reads a table; errors go to the reader's problems.
pub(super) fn read_table(reader: &mut Reader<'_, '_>, node: &Node) -> Option<TableDraft> {
    let file = reader.file();
    let mut reader = Reader::new(file, node, reader.problems());
    let name = required_name(&mut reader, "name", "table");
    let name_line = reader.line_of("name");
    let physical = optional_text(&mut reader, "physicalName");
    let description = optional_text(&mut reader, "description").unwrap_or_default();
    let tags = optional_texts(&mut reader, "tags");
    if let Some(kind) = optional_text(&mut reader, "logicalType")
        && kind != "object"
    {
        let line = reader.line_of("logicalType");
        reader.error(
            line,
            format!("a table cannot be of `logicalType: {kind}`"),
            Some("write `object`".into()),
        );
    }
    accept(&mut reader, &ELEMENT_KEYS);
    accept(&mut reader, &["physicalType", "dataGranularityDescription", "relationships", "context"]);
    let mut quality = read_quality(&mut reader, name.as_deref().unwrap_or_default(), None);
    let drafts = read_columns(&mut reader, name.as_deref().unwrap_or_default());
    reader.finish(UnknownKeys::Warn);

    let name = name?;
    let primary_key = primary_key(&drafts);
    let mut table = TableDraft {
        model: physical.unwrap_or_else(|| name.clone()),
        name,
        name_line,
        description,
        tags,
        columns: Vec::new(),
        column_descriptions: Vec::new(),
        source_columns: Vec::new(),
        primary_key,
        quality: Vec::new(),
    };
    for draft in drafts {
        table.columns.push(draft.column);
        table.column_descriptions.push(draft.description);
        table.source_columns.push(draft.source);
        quality.extend(draft.quality);
    }
    table.quality = quality;
    Some(table)
}

fn read_columns(reader: &mut Reader<'_, '_>, table: &str) -> Vec<ColumnDraft> {
    let properties = optional_list(reader, "properties");
    let mut names = BTreeSet::new();
    let mut sources = BTreeSet::new();
    let mut drafts = Vec::with_capacity(properties.len());
    for node in properties {
        let Some(draft) = read_column(reader, node, table) else { continue };
        if !names.insert(draft.column.name.clone()) {
            reader.error(node.line, format!("the column `{}` is there twice", draft.column.name), None);
        } else if !sources.insert(draft.source.name.clone()) {
            let message = format!("two columns are read from `{}`", draft.source.name);
            reader.error(node.line, message, Some("give each its own `physicalName`".to_owned()));
        } else {
            drafts.push(draft);
        }
    }
    if properties.is_empty() {
        let line = reader.line();
        reader.error(line, "the table has no columns", Some("list them under `properties:`".to_owned()));
    }
    drafts
}

/// `None` for a property that is no column, and after an error.
fn read_column(parent: &mut Reader<'_, '_>, node: &Node, table: &str) -> Option<ColumnDraft> {
    let file = parent.file();
    let mut reader = Reader::new(file, node, parent.problems());
    // A measure is a formula over columns; it has no cells.
    let is_measure = optional_text(&mut reader, "semanticType").as_deref() == Some("measure");
    if is_measure {
        return None;
    }
    let name = required_name(&mut reader, "name", "column");
    let mut inside = Inside::default();
    let data_type = read_type(&mut reader, &mut inside);
    let physical = optional_text(&mut reader, "physicalName");
    let required = flag(&mut reader, "required");
    let description = optional_text(&mut reader, "description").unwrap_or_default();
    let classification = optional_text(&mut reader, "classification");
    let tags = optional_texts(&mut reader, "tags");
    let is_key = flag(&mut reader, "primaryKey");
    let key_position = optional_integer(&mut reader, "primaryKeyPosition");
    let partition = flag(&mut reader, "partitioned");
    accept(&mut reader, &ELEMENT_KEYS);
    accept(&mut reader, &PROPERTY_KEYS);
    accept(&mut reader, &["partitionKeyPosition"]);
    let quality = read_quality(&mut reader, table, name.as_deref());
    reader.finish(UnknownKeys::Warn);
    let (name, data_type) = name.zip(data_type)?;
    Some(ColumnDraft {
        source: SourceColumn { name: physical.unwrap_or_else(|| name.clone()), partition },
        column: Column { name, data_type, required, classification, tags, nested: inside.marked },
        description,
        // Without a position a key column stands where it stands in the contract.
        key_position: is_key.then(|| key_position.filter(|position| *position > 0).unwrap_or(i64::MAX)),
        quality,
    })
}

fn primary_key(drafts: &[ColumnDraft]) -> Vec<String> {
    let mut key: Vec<(i64, &str)> =
        drafts.iter().filter_map(|draft| Some((draft.key_position?, draft.column.name.as_str()))).collect();
    key.sort_by_key(|(position, _)| *position);
    key.into_iter().map(|(_, name)| name.to_owned()).collect()
}

/// What is known of the fields inside a column while its type is read.
#[derive(Default)]
pub(super) struct Inside {
    nesting: usize,
    /// Names on the way to where the reader is.
    path: Vec<String>,
    marked: Vec<NestedField>,
}

/// The type of the property that `reader` reads; nested ones too.
pub(super) fn read_type(reader: &mut Reader<'_, '_>, inside: &mut Inside) -> Option<DataType> {
    let spelled = read_spelled(reader);
    if inside.nesting > MAX_NESTING {
        let line = reader.line();
        reader.error(line, format!("objects and arrays are nested deeper than {MAX_NESTING}"), None);
        return None;
    }
    match spelled.logical.as_deref() {
        Some("object") => {
            accept(reader, &["items"]);
            read_struct(reader, inside)
        }
        Some("array") => {
            accept(reader, &["properties"]);
            read_list(reader, inside)
        }
        _ => {
            accept(reader, &["items", "properties"]);
            match types::resolve(&spelled) {
                Ok(data_type) => Some(data_type),
                Err(problem) => {
                    let key = if spelled.physical.is_some() { "physicalType" } else { "logicalType" };
                    let line = reader.line_of(key);
                    reader.error(line, problem.message, problem.hint);
                    None
                }
            }
        }
    }
}

fn read_spelled(reader: &mut Reader<'_, '_>) -> Spelled {
    let mut spelled = Spelled {
        logical: optional_text(reader, "logicalType"),
        physical: optional_text(reader, "physicalType"),
        ..Spelled::default()
    };
    if given(reader, "logicalTypeOptions").is_none() {
        return spelled;
    }
    let Some(mut options) = reader.mapping("logicalTypeOptions") else { return spelled };
    spelled.format = optional_text(&mut options, "format");
    spelled.precision = optional_integer(&mut options, "precision");
    spelled.scale = optional_integer(&mut options, "scale");
    spelled.timezone = flag(&mut options, "timezone");
    spelled.default_timezone = optional_text(&mut options, "defaultTimezone");
    accept(&mut options, &OPTION_KEYS);
    options.finish(UnknownKeys::Warn);
    spelled
}

fn read_struct(reader: &mut Reader<'_, '_>, inside: &mut Inside) -> Option<DataType> {
    let properties = optional_list(reader, "properties");
    if properties.is_empty() {
        let line = reader.line();
        reader.error(line, "the object has no fields", Some("list them under `properties:`".to_owned()));
        return None;
    }
    let mut fields: Vec<Field> = Vec::with_capacity(properties.len());
    for node in properties {
        let field = read_field(reader, node, inside)?;
        if fields.iter().any(|known| known.name == field.name) {
            reader.error(node.line, format!("the field `{}` is there twice", field.name), None);
            return None;
        }
        fields.push(field);
    }
    Some(DataType::Struct(fields))
}

fn read_list(reader: &mut Reader<'_, '_>, inside: &mut Inside) -> Option<DataType> {
    let Some(node) = given(reader, "items") else {
        let line = reader.line();
        let hint = "say of what: `items: { logicalType: string }`";
        reader.error(line, "the array has no `items`", Some(hint.to_owned()));
        return None;
    };
    let file = reader.file();
    let mut items = Reader::new(file, node, reader.problems());
    inside.nesting += 1;
    let data_type = read_type(&mut items, inside);
    inside.nesting -= 1;
    let nullable = !flag(&mut items, "required");
    refuse_marks(&mut items);
    accept_nested(&mut items);
    accept(&mut items, &["name"]);
    items.finish(UnknownKeys::Warn);
    Some(DataType::List(Box::new(Field { name: "item".to_owned(), data_type: data_type?, nullable })))
}

fn read_field(parent: &mut Reader<'_, '_>, node: &Node, inside: &mut Inside) -> Option<Field> {
    let file = parent.file();
    let mut reader = Reader::new(file, node, parent.problems());
    let name = required_name(&mut reader, "name", "field");
    inside.path.push(name.clone().unwrap_or_default());
    inside.nesting += 1;
    let classification = optional_text(&mut reader, "classification");
    let tags = optional_texts(&mut reader, "tags");
    if classification.is_some() || !tags.is_empty() {
        inside.marked.push(NestedField { path: inside.path.clone(), classification, tags });
    }
    let data_type = read_type(&mut reader, inside);
    inside.nesting -= 1;
    inside.path.pop();
    let nullable = !flag(&mut reader, "required");
    if let (Some(physical), Some(name)) = (optional_text(&mut reader, "physicalName"), &name)
        && physical != *name
    {
        let line = reader.line_of("physicalName");
        reader.error(
            line,
            "fields inside an object cannot be renamed",
            Some(format!("write `name: {physical}`")),
        );
    }
    accept_nested(&mut reader);
    reader.finish(UnknownKeys::Warn);
    Some(Field { name: name?, data_type: data_type?, nullable })
}

/// Elements of a list have no name that a policy could mask them by: on them,
/// classification and tags would protect nothing.
fn refuse_marks(reader: &mut Reader<'_, '_>) {
    for key in ["classification", "tags"] {
        if given(reader, key).is_some() {
            let line = reader.line_of(key);
            let hint = "put it on the column or field of the list, or on fields of its elements";
            reader.error(line, format!("`{key}` of `items` has no effect"), Some(hint.to_owned()));
        }
    }
}

fn accept_nested(reader: &mut Reader<'_, '_>) {
    accept(reader, &ELEMENT_KEYS);
    accept(reader, &PROPERTY_KEYS);
    accept(
        reader,
        &["description", "physicalName", "semanticType", "primaryKey", "primaryKeyPosition", "partitioned"],
    );
    accept(reader, &["partitionKeyPosition", "quality"]);
}
