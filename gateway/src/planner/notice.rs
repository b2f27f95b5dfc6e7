//! What policy does to a result, in numbers that tell nothing of hidden rows:
//! otherwise people think the product loses data.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::catalog::VisibleTable;

/// Rules and masks of the tables and columns that a plan reads.
#[derive(Debug, Clone, Default)]
pub(crate) struct Notice {
    /// How many rules can leave rows out, by table.
    row_rules: BTreeMap<String, usize>,
    masked_columns: BTreeSet<(String, usize)>,
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
    pub(super) fn add(&mut self, table: &VisibleTable, columns: Option<&[usize]>) {
        let name = table.qualified_name();
        self.row_rules.insert(name.clone(), table.decision.row_rules.len());
        let read: Vec<usize> = match columns {
            Some(columns) => columns.to_vec(),
            None => (0..table.schema.fields().len()).collect(),
        };
        let masked = read.into_iter().filter(|position| table.is_masked(*position));
        self.masked_columns.extend(masked.map(|position| (name.clone(), position)));
    }

    /// The notice as clients get it with a result.
    pub(crate) fn to_json(&self, query_id: &str) -> String {
        let policies = PoliciesJson {
            row_rules: self.row_rules.values().sum(),
            masked_columns: self.masked_columns.len(),
        };
        // Two numbers and a text always have a JSON form.
        serde_json::to_string(&NoticeJson { query_id, policies }).unwrap_or_default()
    }
}
