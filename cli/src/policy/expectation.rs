//! What a case of a test expects.

use meshgate_policies::{
    Table,
    yaml::{Node, Reader, UnknownKeys, Value, nearest_hint},
};

/// What must come out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expectation {
    NoSuchTable,
    NoSuchColumn,
    /// The result as CSV.
    Csv(String),
    Seen(Seen),
}

/// What is said of the parts of a result. At least one of them is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) columns: Option<Vec<String>>,
    pub(crate) rows: Option<Rows>,
    pub(crate) never_clear: Vec<String>,
}

/// Which rows there must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rows {
    All,
    /// By the primary key, as texts.
    Keys(Vec<Vec<String>>),
}

const HINT: &str = "write { columns: [..], rows: [..] }, { never_clear: [..] }, the result as CSV, `no such table` or `no such column`";

/// Reads `expect`; `table` is what the case reads, if it is no statement.
pub(crate) fn read(reader: &mut Reader<'_, '_>, table: Option<&Table>, is_read: bool) -> Option<Expectation> {
    let line = reader.line();
    let Some(node) = reader.node("expect") else {
        reader.error(
            line,
            "there is no `expect`: the case would pass whatever comes out",
            Some(HINT.to_owned()),
        );
        return None;
    };
    match &node.value {
        Value::Mapping(_) => {
            let mut inner = reader.over(node);
            let seen = read_seen(&mut inner, table, is_read);
            inner.finish(UnknownKeys::Error);
            seen.map(Expectation::Seen)
        }
        Value::Scalar { text, .. } if !node.is_null() && !text.trim().is_empty() => match text.trim() {
            "no such table" => Some(Expectation::NoSuchTable),
            "no such column" if is_read => {
                let hint = "write the `columns` that are to be there, or a statement that names the column";
                reader.error(node.line, "`no such column` goes with `sql` only", Some(hint.to_owned()));
                None
            }
            "no such column" => Some(Expectation::NoSuchColumn),
            csv => Some(Expectation::Csv(csv.to_owned())),
        },
        _ => {
            reader.error(
                node.line,
                "`expect` says nothing: the case would pass whatever comes out",
                Some(HINT.to_owned()),
            );
            None
        }
    }
}

fn read_seen(reader: &mut Reader<'_, '_>, table: Option<&Table>, is_read: bool) -> Option<Seen> {
    let line = reader.line();
    let columns = if reader.has("columns") { Some(reader.texts("columns")?) } else { None };
    let never_clear = if reader.has("never_clear") { reader.texts("never_clear")? } else { Vec::new() };
    if reader.has("never_clear") && never_clear.is_empty() {
        let line = reader.line_of("never_clear");
        reader.error(line, "`never_clear` names no column: it would hold whatever comes out", None);
        return None;
    }
    let rows = match reader.node("rows") {
        None => None,
        Some(node) => Some(read_rows(reader, node, table)?),
    };
    if !is_read {
        for key in ["rows", "never_clear"] {
            if reader.has(key) {
                let line = reader.line_of(key);
                let hint = "write the result as CSV".to_owned();
                reader.error(line, format!("`{key}` goes with `read` only"), Some(hint));
            }
        }
    }
    if let Some(table) = table {
        check_columns(reader, "columns", columns.as_deref().unwrap_or_default(), table);
        check_columns(reader, "never_clear", &never_clear, table);
    }
    if columns.is_none() && rows.is_none() && never_clear.is_empty() {
        reader.error(
            line,
            "`expect` says nothing: the case would pass whatever comes out",
            Some(HINT.to_owned()),
        );
        return None;
    }
    Some(Seen { columns, rows, never_clear })
}

fn check_columns(reader: &mut Reader<'_, '_>, key: &str, named: &[String], table: &Table) {
    let line = reader.line_of(key);
    for name in named {
        if table.columns.iter().all(|column| column.name != *name) {
            let known = table.columns.iter().map(|column| column.name.as_str());
            let message = format!("the contract of `{}` has no column `{name}`", table.name);
            reader.error(line, message, nearest_hint(name, known));
        }
    }
}

fn read_rows(reader: &mut Reader<'_, '_>, node: &Node, table: Option<&Table>) -> Option<Rows> {
    if node.as_scalar() == Some("all") {
        return Some(Rows::All);
    }
    let Some(items) = node.as_sequence() else {
        let hint = "write a list of keys, [] for no rows, or `all`".to_owned();
        reader.error(node.line, "`rows` does not say which", Some(hint));
        return None;
    };
    let width = table.map_or(1, |table| table.primary_key.len());
    if let (0, Some(table)) = (width, table) {
        let hint = "mark the columns of its key with `primaryKey: true`".to_owned();
        let message = format!("the contract of `{}` names no primary key", table.name);
        reader.error(node.line, message, Some(hint));
        return None;
    }
    let mut keys = Vec::with_capacity(items.len());
    for item in items {
        let key: Option<Vec<String>> = match &item.value {
            Value::Sequence(parts) => parts.iter().map(|part| part.as_scalar().map(str::to_owned)).collect(),
            _ => item.as_scalar().map(|text| vec![text.to_owned()]),
        };
        match key {
            Some(key) if key.len() == width => keys.push(key),
            _ => {
                let hint = "write `[1, 2]`, or `[[1, a], [2, b]]` where the key has two columns".to_owned();
                reader.error(item.line, format!("this is no key of {width} columns"), Some(hint));
                return None;
            }
        }
    }
    Some(Rows::Keys(keys))
}
