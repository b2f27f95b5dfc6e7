//! The keys of lookups: which values `in_lookup` finds for a caller.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::caller::Caller;
use crate::cells::{chooses, claims_are_there, visible_rows};
use crate::documents::{Documents, Table};
use crate::evaluate::evaluate;
use crate::value::{Row, Value};

/// Keys by lookup; `None` if a claim that a lookup reads is missing.
pub type Keys = BTreeMap<String, Option<Vec<Value>>>;

/// `caller` with the keys of the domain's lookups. `rows`: what the tables of the domain hold.
pub fn with_lookups(documents: &Documents, caller: &Caller, rows: &dyn Fn(&Table) -> Vec<Row>) -> Caller {
    let mut caller = caller.clone();
    caller.keys.clear();
    let names: Vec<String> =
        documents.lookups.as_object().map_or(Vec::new(), |all| all.keys().cloned().collect());
    for name in names {
        add(documents, &mut caller, rows, &name);
    }
    caller
}

/// Those behind a lookup come before it; that there is no circle was checked when the documents were loaded.
fn add(documents: &Documents, caller: &mut Caller, rows: &dyn Fn(&Table) -> Vec<Row>, name: &str) {
    if caller.keys.contains_key(name) {
        return;
    }
    let lookup = &documents.lookups[name];
    let table = documents.table(lookup["of"].as_str().expect("a table"));
    let mut read = lookup["where"].to_string();
    if lookup["as"].as_str() == Some("caller") {
        read += &rules_of(documents, table);
    }
    for other in named(&read) {
        add(documents, caller, rows, &other);
    }
    let keys = keys(documents, caller, table, lookup, rows(table));
    caller.keys.insert(name.to_owned(), keys);
}

/// What the lookups of one table hold for `caller` if these are the table's rows.
pub fn keys_of(documents: &Documents, caller: &Caller, table: &Table, rows: &[Row]) -> Keys {
    let lookups = documents.lookups.as_object().into_iter().flatten();
    lookups
        .filter(|(_, lookup)| lookup["of"].as_str() == Some(table.name.as_str()))
        .map(|(name, lookup)| (name.clone(), keys(documents, caller, table, lookup, rows.to_vec())))
        .collect()
}

/// The conditions on rows of the rules that have a say about the table.
fn rules_of(documents: &Documents, table: &Table) -> String {
    let grants = documents.grants.iter().filter(|grant| chooses(grant, table, false));
    let restrictions = documents.restrictions.iter().filter(|rule| chooses(rule, table, true));
    let rows = |rule: &Json| match &rule["rows"] {
        Json::Object(by_table) => by_table.get(&table.name).map_or(String::new(), Json::to_string),
        rows => rows.to_string(),
    };
    grants.chain(restrictions).map(rows).collect()
}

fn keys(
    documents: &Documents,
    caller: &Caller,
    table: &Table,
    lookup: &Json,
    rows: Vec<Row>,
) -> Option<Vec<Value>> {
    if !claims_are_there(documents, &lookup["where"], caller) {
        return None;
    }
    let rows = match lookup["as"].as_str() {
        Some("caller") => visible_rows(documents, table, caller, rows),
        _ => rows,
    };
    let key = lookup["key"].as_str().expect("a column");
    let passes =
        |row: &Row| lookup["where"].as_str().is_none_or(|sql| evaluate(sql, row, caller, None).is_true());
    Some(rows.iter().filter(|row| passes(row)).map(|row| row[key].clone()).collect())
}

/// Lookups that a text names.
pub(crate) fn named(text: &str) -> Vec<String> {
    let rest = text.split("in_lookup('").skip(1);
    rest.map(|rest| rest.split('\'').next().expect("a name").to_owned()).collect()
}
