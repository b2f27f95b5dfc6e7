//! One disclosure to the columns it selects.

use super::{
    columns::{self, Part},
    compiler::Compiler,
    tables::RuleOf,
};
use crate::document::Disclosure;

impl Compiler<'_> {
    /// One that selects nothing discloses nothing, as a grant of nothing grants nothing.
    pub(super) fn disclosure(&mut self, disclosure: &Disclosure) {
        let selected = self.select(Some(&disclosure.selection), RuleOf::OwnerGrant, &disclosure.at);
        self.check_columns(&selected, &disclosure.columns, RuleOf::OwnerGrant, &disclosure.at);
        for table in selected.tables {
            let (Some(source), Some(policy)) = (self.tables.get(table), self.policies.get_mut(table)) else {
                continue;
            };
            let parts = columns::select(source, &disclosure.columns, &self.mesh.words);
            let named = policy.columns.iter_mut().zip(parts).filter(|(_, part)| *part == Part::Whole);
            for (column, _) in named {
                for domain in &disclosure.to_domains {
                    let keys = column.disclosed.entry(domain.clone()).or_insert(disclosure.join_keys);
                    *keys = (*keys).max(disclosure.join_keys);
                }
            }
        }
    }
}
