//! What policy does to a result, in numbers that tell nothing of hidden rows:
//! otherwise people think the product loses data.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use datafusion::logical_expr::Expr;
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

    fn masked(&self) -> impl Iterator<Item = String> {
        let masked = self.columns.iter().filter(|position| self.table.is_masked(**position));
        let names = masked.filter_map(|position| self.table.decision.columns.get(*position));
        names.map(|column| format!("{}.{}", self.table.qualified_name(), column.name))
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
    /// A plan reads these columns of the table (`None`: all), and those that filters of its scan name.
    pub(super) fn add(&mut self, table: Arc<VisibleTable>, columns: Option<&[usize]>, filters: &[Expr]) {
        let all = 0..table.schema.fields().len();
        let filtered: Vec<usize> = filters
            .iter()
            .flat_map(Expr::column_refs)
            .filter_map(|column| table.schema.index_of(&column.name).ok())
            .collect();
        let name = table.qualified_name();
        let read = self.reads.entry(name).or_insert_with(|| Read { table, columns: BTreeSet::new() });
        read.columns.extend(filtered);
        match columns {
            Some(columns) => read.columns.extend(columns),
            None => read.columns.extend(all),
        }
    }

    /// What is read, by qualified name.
    pub(super) fn reads(&self) -> impl Iterator<Item = &Read> {
        self.reads.values()
    }

    /// Is a column read of which another domain may be told something?
    pub(super) fn discloses(&self) -> bool {
        let disclosed = |read: &Read| {
            let mut columns =
                read.columns.iter().filter_map(|position| read.table.decision.columns.get(*position));
            columns.any(|column| !column.disclosed.is_empty())
        };
        self.reads().any(disclosed)
    }

    /// Is the column of this table (`domain.table`) read?
    pub(crate) fn reads_column(&self, table: &str, column: &str) -> bool {
        self.reads.get(table).is_some_and(|read| read.column(column))
    }

    /// Masked columns that are read, as `domain.table.column`.
    pub(crate) fn masked(&self) -> Vec<String> {
        self.reads().flat_map(Read::masked).collect()
    }

    /// The notice as clients get it with a result.
    pub(crate) fn to_json(&self, query_id: &str) -> String {
        let policies = PoliciesJson {
            row_rules: self.reads().map(|read| read.table.decision.row_rules.len()).sum(),
            masked_columns: self.reads().map(|read| read.masked().count()).sum(),
        };
        // Two numbers and a text always have a JSON form.
        serde_json::to_string(&NoticeJson { query_id, policies }).unwrap_or_default()
    }
}
