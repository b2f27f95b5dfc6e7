//! Rules as they are written: whom they are for, what they select, what they do.

use std::collections::BTreeSet;

use super::{Keys, MaskSpec, Pattern, Sql};
use crate::{
    PseudonymSpace, Table,
    names::{ID_HINT, is_id},
    yaml::{Node, Reader, UnknownKeys, nearest_hint},
};

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Where {
    pub(crate) file: String,
    pub(crate) line: usize,
}

/// Whom a rule is for: any listed thing that matches is enough.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Matcher {
    pub(crate) everyone: bool,
    pub(crate) roles: BTreeSet<String>,
    pub(crate) groups: BTreeSet<String>,
    pub(crate) subjects: BTreeSet<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct Grant {
    pub(crate) id: String,
    pub(crate) why: Option<String>,
    pub(crate) at: Where,
    pub(crate) to: Matcher,
    pub(crate) when: Option<Sql>,
    pub(crate) purpose: Option<String>,
    /// The last day, in days since the epoch.
    pub(crate) until: Option<i32>,
    pub(crate) selection: Selection,
    pub(crate) columns: ColumnSelection,
    pub(crate) rows: RowsSpec,
    pub(crate) masks: Vec<(Pattern, MaskSpec)>,
}

#[derive(Debug, Clone)]
pub(crate) struct Restriction {
    pub(crate) id: String,
    pub(crate) why: Option<String>,
    pub(crate) at: Where,
    pub(crate) to: Matcher,
    pub(crate) when: Option<Sql>,
    pub(crate) unless: Vec<Exception>,
    /// `None`: all tables.
    pub(crate) selection: Option<Selection>,
    pub(crate) action: Action,
}

/// An entry of `unless`: all that it says must hold.
#[derive(Debug, Clone)]
pub(crate) struct Exception {
    pub(crate) to: Option<Matcher>,
    pub(crate) when: Option<Sql>,
    pub(crate) purpose: Option<String>,
}

#[derive(Debug, Clone)]
pub(crate) enum Action {
    Rows(RowsSpec),
    Mask(ColumnSelection, MaskSpec),
    Hide(ColumnSelection),
    Deny,
}

#[derive(Debug, Clone)]
pub(crate) enum Selection {
    Tables(Vec<Pattern>),
    Products(Vec<Pattern>),
}

#[derive(Debug, Clone)]
pub(crate) enum ColumnSelection {
    All,
    Names(Vec<Pattern>),
    /// All named conditions hold; an empty list names none.
    Marked {
        classification: Vec<String>,
        tags: Vec<String>,
        except_tags: Vec<String>,
    },
    /// No classification.
    Unclassified,
}

#[derive(Debug, Clone)]
pub(crate) enum RowsSpec {
    All,
    One(Sql),
    PerTable(Vec<(Pattern, Sql)>),
}

impl RowsSpec {
    /// What is written for a table; `None` for all rows, and where its entry is missing.
    pub(crate) fn for_table(&self, table: &Table) -> Option<&Sql> {
        match self {
            Self::All => None,
            Self::One(sql) => Some(sql),
            Self::PerTable(entries) => {
                entries.iter().find(|(name, _)| name.text == table.name).map(|(_, sql)| sql)
            }
        }
    }
}

/// The mesh's words, as far as they are declared, and the owner's masks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Vocabulary {
    pub(crate) classifications: Option<Vec<String>>,
    pub(crate) tags: Option<Vec<String>>,
    pub(crate) purposes: Vec<String>,
    pub(crate) pseudonyms: Vec<PseudonymSpace>,
    pub(crate) own_masks: Vec<String>,
}

impl Grant {
    pub(super) fn read(
        file: &str,
        node: &Node,
        words: &Vocabulary,
        reader: &mut Reader<'_, '_>,
    ) -> Option<Self> {
        let mut reader = Reader::new(file, node, reader.problems());
        let id = read_id(&mut reader);
        let why = reader.text("why");
        let to = reader.require("to").map(|node| read_to(&mut reader, node));
        let when = reader.sql("when");
        let purpose = read_purpose(&mut reader, words);
        let until = read_until(&mut reader);
        let selection = read_selection(&mut reader);
        if selection.is_none() && !reader.has("tables") && !reader.has("products") {
            reader.error(node.line, "`tables` (or `products`) is missing", None);
        }
        let columns = match reader.require("columns") {
            Some(node) => read_columns(&mut reader, node, words, false),
            None => None,
        };
        refuse_fields(&mut reader, columns.as_ref());
        let rows = read_rows(&mut reader);
        let masks = read_masks(&mut reader, words);
        reader.finish(UnknownKeys::Error);
        Some(Self {
            id: id?,
            why,
            at: Where { file: file.to_owned(), line: node.line },
            to: to?,
            when,
            purpose,
            until,
            selection: selection?,
            columns: columns?,
            rows,
            masks,
        })
    }
}

/// The restrictions under `restrictions`.
pub(crate) fn read_restrictions(reader: &mut Reader<'_, '_>, words: &Vocabulary) -> Vec<Restriction> {
    let file = reader.file();
    let Some(nodes) = reader.list("restrictions") else {
        return Vec::new();
    };
    nodes.iter().filter_map(|node| Restriction::read(file, node, words, reader)).collect()
}

impl Restriction {
    fn read(file: &str, node: &Node, words: &Vocabulary, reader: &mut Reader<'_, '_>) -> Option<Self> {
        let mut reader = Reader::new(file, node, reader.problems());
        let id = read_id(&mut reader);
        let why = reader.text("why");
        let to = match reader.node("to") {
            Some(node) => read_to(&mut reader, node),
            None => Matcher { everyone: true, ..Matcher::default() },
        };
        let when = reader.sql("when");
        let unless = read_unless(file, &mut reader, words);
        let named = reader.has("tables") || reader.has("products");
        let selection = read_selection(&mut reader);
        let action = read_action(&mut reader, words);
        reader.finish(UnknownKeys::Error);
        if named && selection.is_none() {
            return None;
        }
        let at = Where { file: file.to_owned(), line: node.line };
        Some(Self { id: id?, why, at, to, when, unless, selection, action: action? })
    }
}

fn read_action(reader: &mut Reader<'_, '_>, words: &Vocabulary) -> Option<Action> {
    let given: Vec<&str> =
        ["rows", "mask", "hide", "deny"].into_iter().filter(|action| reader.has(action)).collect();
    let columns_node = reader.node("columns");
    let columns = columns_node.and_then(|node| read_columns(reader, node, words, true));
    let line = reader.line();
    let [action] = given.as_slice() else {
        let hint =
            "write one of rows: .., columns: .. with mask: .., columns: .. with hide: true, deny: true";
        reader.error(line, "a restriction does exactly one thing", Some(hint.to_owned()));
        return None;
    };
    let needs_columns = matches!(*action, "mask" | "hide");
    if needs_columns && columns_node.is_none() {
        reader.error(line, format!("`{action}` needs `columns`"), None);
    }
    if !needs_columns && columns_node.is_some() {
        let message = format!("`columns` does not go with `{action}`, which is about whole rows or tables");
        reader.error(line, message, None);
        return None;
    }
    match *action {
        "rows" => match read_rows(reader) {
            RowsSpec::All => None,
            rows => Some(Action::Rows(rows)),
        },
        "mask" => {
            let node = reader.node("mask")?;
            let mask = MaskSpec::read(reader, node, words);
            Some(Action::Mask(columns?, mask?))
        }
        "hide" => reader.flag("hide").then_some(Action::Hide(columns?)),
        _ => reader.flag("deny").then_some(Action::Deny),
    }
}

fn read_unless(file: &str, reader: &mut Reader<'_, '_>, words: &Vocabulary) -> Vec<Exception> {
    let Some(nodes) = reader.list("unless") else {
        return Vec::new();
    };
    let mut exceptions = Vec::with_capacity(nodes.len());
    for node in nodes {
        let mut inner = Reader::new(file, node, reader.problems());
        let named = ["everyone", "roles", "groups", "subjects"].iter().any(|key| node.get(key).is_some());
        let to = named.then(|| read_matcher(&mut inner));
        let when = inner.sql("when");
        let purpose = read_purpose(&mut inner, words);
        if !named && node.get("when").is_none() && node.get("purpose").is_none() {
            inner.error(node.line, "an entry of `unless` says nobody", None);
        }
        inner.finish(UnknownKeys::Error);
        exceptions.push(Exception { to, when, purpose });
    }
    exceptions
}

fn read_id(reader: &mut Reader<'_, '_>) -> Option<String> {
    let id = reader.required_text("id")?;
    if !is_id(&id) {
        let line = reader.line_of("id");
        reader.error(line, format!("`{id}` is not an id"), Some(ID_HINT.to_owned()));
        return None;
    }
    Some(id)
}

/// `policy_readers`: who may read the expressions of rules.
pub(crate) fn read_readers(reader: &mut Reader<'_, '_>) -> Option<Matcher> {
    let node = reader.node("policy_readers")?;
    Some(read_to(reader, node))
}

fn read_to(reader: &mut Reader<'_, '_>, node: &Node) -> Matcher {
    let file = reader.file();
    let mut inner = Reader::new(file, node, reader.problems());
    let matcher = read_matcher(&mut inner);
    inner.finish(UnknownKeys::Error);
    matcher
}

fn read_matcher(reader: &mut Reader<'_, '_>) -> Matcher {
    let everyone = reader.flag("everyone");
    let mut names = |key: &str| reader.names(key).unwrap_or_default().into_iter().collect::<BTreeSet<_>>();
    let (roles, groups, subjects) = (names("roles"), names("groups"), names("subjects"));
    let matcher = Matcher { everyone, roles, groups, subjects };
    if matcher == Matcher::default() {
        let hint = "write roles: [..], groups: [..], subjects: [..] or everyone: true".to_owned();
        let line = reader.line();
        reader.error(line, "this matches nobody", Some(hint));
    }
    matcher
}

fn read_purpose(reader: &mut Reader<'_, '_>, words: &Vocabulary) -> Option<String> {
    let purpose = reader.text("purpose")?;
    if !words.purposes.contains(&purpose) {
        let line = reader.line_of("purpose");
        let hint = nearest_hint(&purpose, words.purposes.iter().map(String::as_str));
        reader.error(line, format!("mesh.yaml declares no purpose `{purpose}`"), hint);
    }
    Some(purpose)
}

fn read_until(reader: &mut Reader<'_, '_>) -> Option<i32> {
    let text = reader.text("until")?;
    let day = crate::expression::parse_date(&text);
    if day.is_none() {
        let line = reader.line_of("until");
        let hint = "write the last day as YYYY-MM-DD".to_owned();
        reader.error(line, format!("`{text}` is not a day"), Some(hint));
    }
    day
}

fn read_selection(reader: &mut Reader<'_, '_>) -> Option<Selection> {
    if reader.has("tables") && reader.has("products") {
        let line = reader.line_of("products");
        reader.error(
            line,
            "`tables` and `products` together are ambiguous",
            Some("write two rules".to_owned()),
        );
        return None;
    }
    if reader.has("tables") {
        return reader.patterns("tables").map(Selection::Tables);
    }
    if reader.has("products") {
        return reader.patterns("products").map(Selection::Products);
    }
    None
}

fn read_columns(
    reader: &mut Reader<'_, '_>,
    node: &Node,
    words: &Vocabulary,
    restriction: bool,
) -> Option<ColumnSelection> {
    if node.as_scalar() == Some("all") {
        return Some(ColumnSelection::All);
    }
    if node.as_sequence().is_some() {
        return reader.patterns("columns").map(ColumnSelection::Names);
    }
    if node.as_mapping().is_none() {
        let hint = "write `all`, a list of names, or { tags: [..], classification: [..] }".to_owned();
        reader.error(node.line, "`columns` does not say which", Some(hint));
        return None;
    }
    let file = reader.file();
    let mut inner = Reader::new(file, node, reader.problems());
    let unclassified = restriction && inner.flag("unclassified");
    let classification = inner.names("classification").unwrap_or_default();
    let tags = inner.names("tags").unwrap_or_default();
    let except_tags = inner.names("except_tags").unwrap_or_default();
    check_words(&mut inner, "classification", &classification, words.classifications.as_deref());
    check_words(&mut inner, "tag", &tags, words.tags.as_deref());
    check_words(&mut inner, "tag", &except_tags, words.tags.as_deref());
    let marked = !(classification.is_empty() && tags.is_empty() && except_tags.is_empty());
    if unclassified && marked {
        inner.error(node.line, "`unclassified` stands alone", Some("write two restrictions".to_owned()));
    }
    if !unclassified && !marked {
        inner.error(node.line, "`columns` selects by nothing", Some("write `all`".to_owned()));
    }
    inner.finish(UnknownKeys::Error);
    if unclassified {
        return Some(ColumnSelection::Unclassified);
    }
    Some(ColumnSelection::Marked { classification, tags, except_tags })
}

/// A column comes with all its fields, or there would be no column of its type.
fn refuse_fields(reader: &mut Reader<'_, '_>, columns: Option<&ColumnSelection>) {
    let Some(ColumnSelection::Names(patterns)) = columns else { return };
    for pattern in patterns.iter().filter(|pattern| pattern.text.contains('.')) {
        let hint = "list the column, and mask the fields that are not to be seen".to_owned();
        reader.error(pattern.line, format!("`{}` is a field, not a column", pattern.text), Some(hint));
    }
}

/// A restriction by a word that nobody uses restricts nothing: a typing mistake must not open.
fn check_words(reader: &mut Reader<'_, '_>, what: &str, used: &[String], declared: Option<&[String]>) {
    let Some(declared) = declared else { return };
    for word in used.iter().filter(|word| !declared.contains(word)) {
        let hint = nearest_hint(word, declared.iter().map(String::as_str));
        let line = reader.line();
        reader.error(line, format!("mesh.yaml declares no {what} `{word}`"), hint);
    }
}

fn read_rows(reader: &mut Reader<'_, '_>) -> RowsSpec {
    let Some(node) = reader.node("rows") else {
        return RowsSpec::All;
    };
    let Some(entries) = node.as_mapping() else {
        return reader.sql("rows").map_or(RowsSpec::All, RowsSpec::One);
    };
    let mut per_table = Vec::with_capacity(entries.len());
    for entry in entries {
        if let Some(sql) = reader.sql_of(&entry.key, &entry.value) {
            per_table.push((Pattern { text: entry.key.clone(), line: entry.key_line }, sql));
        }
    }
    RowsSpec::PerTable(per_table)
}

fn read_masks(reader: &mut Reader<'_, '_>, words: &Vocabulary) -> Vec<(Pattern, MaskSpec)> {
    let Some(entries) = reader.entries("masks") else {
        return Vec::new();
    };
    let mut masks = Vec::with_capacity(entries.len());
    for entry in entries {
        if let Some(mask) = MaskSpec::read(reader, &entry.value, words) {
            masks.push((Pattern { text: entry.key.clone(), line: entry.key_line }, mask));
        }
    }
    masks
}
