//! What policy does to a result, in numbers that tell nothing of hidden rows:
//! otherwise people think the product loses data.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::Serialize;

use crate::catalog::VisibleTable;

/// The tables and columns that a plan reads, with what is decided of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Notice {
    /// By qualified name.
    reads: BTreeMap<String, Read>,
}

/// A table that a plan reads, in one place or in several.
#[derive(Debug, Clone)]
pub(super) struct Read {
    pub(super) table: Arc<VisibleTable>,
    /// Positions of visible columns.
    columns: BTreeSet<usize>,
}

impl Read {
    /// Is the column of this name read?
    pub(super) fn column(&self, name: &str) -> bool {
        let name_at =
            |position: &usize| self.table.decision.columns.get(*position).map(|column| &column.name);
        self.columns.iter().filter_map(name_at).any(|read| read == name)
    }

    fn masked_columns(&self) -> usize {
        self.columns.iter().filter(|position| self.table.is_masked(**position)).count()
    }
}

#[derive(Serialize)]
struct NoticeJson<'a> {
    query_id: &'a str,
    policies: PoliciesJson,
}

#[derive(Serialize)]
struct PoliciesJson {
    row_rules: usize,
    masked_columns: usize,
}

impl Notice {
    /// A plan reads these columns of the table; `None`: all.
    pub(super) fn add(&mut self, table: Arc<VisibleTable>, columns: Option<&[usize]>) {
        let all = 0..table.schema.fields().len();
        let name = table.qualified_name();
        let read = self.reads.entry(name).or_insert_with(|| Read { table, columns: BTreeSet::new() });
        match columns {
            Some(columns) => read.columns.extend(columns),
            None => read.columns.extend(all),
        }
    }

    /// What is read, by qualified name.
    pub(super) fn reads(&self) -> impl Iterator<Item = &Read> {
        self.reads.values()
    }

    /// The notice as clients get it with a result.
    pub(crate) fn to_json(&self, query_id: &str) -> String {
        let policies = PoliciesJson {
            row_rules: self.reads().map(|read| read.table.decision.row_rules.len()).sum(),
            masked_columns: self.reads().map(Read::masked_columns).sum(),
        };
        // Two numbers and a text always have a JSON form.
        serde_json::to_string(&NoticeJson { query_id, policies }).unwrap_or_default()
    }
}
