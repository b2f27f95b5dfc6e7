//! One contract file: text to product.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use meshgate_policies::Table;
use meshgate_policies::yaml::{Node, Problem, Reader, UnknownKeys};

use super::foreign_keys;
use super::quality::read_service_levels;
use super::read::{accept, given, optional_list, optional_text, optional_texts, required_name};
use super::server::{Server, read_server};
use super::table::{TableDraft, read_table};
use super::{Product, ProductTable};
use crate::source::SourceDefinition;

/// What a contract is read for.
pub(super) struct Setting<'a> {
    /// Relative paths of servers start here.
    pub(super) folder: &'a Path,
    pub(super) domain: &'a str,
    pub(super) environment: &'a str,
    pub(super) variables: &'a BTreeMap<String, String>,
}

/// A product and where in the file its names stand.
pub(super) struct Document {
    pub(super) product: Product,
    pub(super) id_line: usize,
    pub(super) name_line: usize,
    /// One per table.
    pub(super) table_lines: Vec<usize>,
}

/// Keys of the standard that mean nothing here.
const KEYS: [&str; 10] = [
    "tenant",
    "context",
    "support",
    "price",
    "roles",
    "slaDefaultElement",
    "authoritativeDefinitions",
    "customProperties",
    "contractCreatedTs",
    "dataProduct",
];

/// The product of a file, unless one of its problems is an error.
pub(super) fn read_document(
    file: &str,
    root: &Node,
    setting: &Setting<'_>,
    problems: &mut Vec<Problem>,
) -> Option<Document> {
    let before = problems.len();
    let document = read(file, root, setting, problems);
    let is_broken = problems.iter().skip(before).any(Problem::is_error);
    document.filter(|_| !is_broken)
}

fn read(file: &str, root: &Node, setting: &Setting<'_>, problems: &mut Vec<Problem>) -> Option<Document> {
    let mut reader = Reader::new(file, root, problems);
    check_kind_and_version(&mut reader);
    let id = reader.required_text("id");
    let version = reader.required_text("version");
    let name = required_name(&mut reader, "name", "data product");
    check_domain(&mut reader, setting.domain);
    let status = optional_text(&mut reader, "status").unwrap_or_default();
    let description = read_description(&mut reader);
    let tags = optional_texts(&mut reader, "tags");
    let owner = read_owner(&mut reader).unwrap_or_default();
    let service_levels = read_service_levels(&mut reader);
    accept(&mut reader, &KEYS);
    let server = read_server(&mut reader, setting.environment, setting.variables);
    let drafts = read_tables(&mut reader);
    if let Some(server) = &server {
        check_source(&mut reader, server, &drafts);
    }
    let (id_line, name_line) = (reader.line_of("id"), reader.line_of("name"));
    reader.finish(UnknownKeys::Warn);

    let (server, name) = (server?, name?);
    let table_lines = drafts.iter().map(|draft| draft.name_line).collect();
    let quality = drafts.iter().flat_map(|draft| draft.quality.iter().cloned()).collect();
    let tables = drafts.into_iter().map(|draft| bind(draft, &name, &server, setting)).collect();
    let product = Product {
        id: id?,
        name,
        version: version?,
        status,
        owner,
        description,
        tags,
        tables,
        quality,
        service_levels,
        foreign_keys: foreign_keys::read(root),
    };
    Some(Document { product, id_line, name_line, table_lines })
}

fn check_kind_and_version(reader: &mut Reader<'_, '_>) {
    if let Some(kind) = reader.required_text("kind")
        && kind != "DataContract"
    {
        let line = reader.line_of("kind");
        reader.error(
            line,
            format!("`kind: {kind}` is no data contract"),
            Some("write `kind: DataContract`".into()),
        );
    }
    if let Some(version) = reader.required_text("apiVersion")
        && !is_supported(&version)
    {
        let line = reader.line_of("apiVersion");
        let hint = "write `apiVersion: v3.2.0`; 3.0 and 3.1 are read too";
        reader.error(
            line,
            format!("version `{version}` of the contract standard cannot be read"),
            Some(hint.into()),
        );
    }
}

/// v3.0.x, v3.1.x, v3.2.x.
fn is_supported(version: &str) -> bool {
    let parts: Vec<&str> = version.split('.').collect();
    matches!(parts.as_slice(), ["v3", "0" | "1" | "2", patch]
        if !patch.is_empty() && patch.chars().all(|c| c.is_ascii_digit()))
}

/// A contract of another domain in this folder is a mistake worth stopping at.
fn check_domain(reader: &mut Reader<'_, '_>, domain: &str) {
    if let Some(written) = optional_text(reader, "domain")
        && written != domain
    {
        let line = reader.line_of("domain");
        let hint = format!("write `domain: {domain}` or leave it out");
        reader.error(
            line,
            format!("the contract is of domain `{written}`, this node serves `{domain}`"),
            Some(hint),
        );
    }
}

/// A text, or purpose, usage and limitations in this order.
fn read_description(reader: &mut Reader<'_, '_>) -> String {
    let Some(node) = given(reader, "description") else { return String::new() };
    if let Some(text) = node.as_scalar() {
        return text.to_owned();
    }
    let Some(mut parts) = reader.mapping("description") else { return String::new() };
    let texts: Vec<String> =
        ["purpose", "usage", "limitations"].iter().filter_map(|key| optional_text(&mut parts, key)).collect();
    accept(&mut parts, &["authoritativeDefinitions", "customProperties"]);
    parts.finish(UnknownKeys::Warn);
    texts.join("\n")
}

/// The team's name, or the member who is its owner, or its first member.
fn read_owner(reader: &mut Reader<'_, '_>) -> Option<String> {
    let team = given(reader, "team")?;
    let text = |node: &Node, key: &str| node.get(key).and_then(Node::as_scalar).map(str::to_owned);
    let named = text(team, "name");
    let members = team.as_sequence().or_else(|| team.get("members")?.as_sequence()).unwrap_or_default();
    let is_owner =
        |member: &&Node| text(member, "role").is_some_and(|role| role.eq_ignore_ascii_case("owner"));
    let member = members.iter().find(is_owner).or(members.first());
    named.or_else(|| text(member?, "username"))
}

fn read_tables(reader: &mut Reader<'_, '_>) -> Vec<TableDraft> {
    let nodes = optional_list(reader, "schema");
    if nodes.is_empty() {
        let line = reader.line_of("schema");
        reader.error(line, "the contract has no tables", Some("list them under `schema:`".to_owned()));
    }
    let mut names = BTreeSet::new();
    let mut drafts = Vec::with_capacity(nodes.len());
    for node in nodes {
        let Some(draft) = read_table(reader, node) else { continue };
        if !names.insert(draft.name.clone()) {
            reader.error(draft.name_line, format!("the table `{}` is there twice", draft.name), None);
        }
        drafts.push(draft);
    }
    drafts
}

/// What a path and a format cannot do for these tables.
fn check_source(reader: &mut Reader<'_, '_>, server: &Server, drafts: &[TableDraft]) {
    if drafts.len() > 1 && !server.place.contains("{model}") {
        let hint = "put `{model}` into the path: it stands for the table's name";
        reader.error(
            server.place_line,
            "all tables of the contract would be read from one place",
            Some(hint.into()),
        );
    }
    for draft in drafts {
        if server.place.contains("{model}") && !is_file_name(&draft.model) {
            let message = format!("`{}` cannot stand for `{{model}}` in a path", draft.model);
            reader.error(
                draft.name_line,
                message,
                Some("write a `physicalName` without `/` and `..`".into()),
            );
        }
        for column in draft.columns.iter().filter(|column| !server.format.can_hold(&column.data_type)) {
            let message = format!(
                "the column `{}` is of type {}, which files of this format cannot hold",
                column.name, column.data_type
            );
            reader.error(draft.name_line, message, Some("serve the table from Parquet or Arrow".into()));
        }
    }
}

fn is_file_name(model: &str) -> bool {
    !model.is_empty() && model != "." && model != ".." && !model.contains(['/', '\\', '\0', '*', '?'])
}

fn bind(draft: TableDraft, product: &str, server: &Server, setting: &Setting<'_>) -> ProductTable {
    ProductTable {
        table: Arc::new(Table {
            domain: setting.domain.to_owned(),
            product: product.to_owned(),
            name: draft.name,
            columns: draft.columns,
            primary_key: draft.primary_key,
        }),
        description: draft.description,
        column_descriptions: draft.column_descriptions,
        tags: draft.tags,
        source: SourceDefinition {
            location: server.location(setting.folder, &draft.model),
            format: server.format.clone(),
            columns: draft.source_columns,
        },
    }
}
