//! Which columns a rule selects.

use super::{
    compiler::Compiler,
    tables::{RuleOf, Selected},
};
use crate::{
    Column, Table,
    document::{ColumnSelection, Pattern, Where},
    yaml::{Problem, nearest_hint},
};

/// For each column of the table: is it selected?
pub(super) fn select(table: &Table, selection: &ColumnSelection) -> Vec<bool> {
    table.columns.iter().map(|column| is_selected(column, selection)).collect()
}

fn is_selected(column: &Column, selection: &ColumnSelection) -> bool {
    match selection {
        ColumnSelection::All => true,
        ColumnSelection::Names(patterns) => patterns.iter().any(|pattern| pattern.matches(&column.name)),
        ColumnSelection::Unclassified => column.classification.is_none(),
        ColumnSelection::Marked { classification, tags, except_tags } => {
            let has_tag = |tag: &String| column.tags.contains(tag);
            (classification.is_empty()
                || column.classification.as_ref().is_some_and(|c| classification.contains(c)))
                && (tags.is_empty() || tags.iter().any(has_tag))
                && !except_tags.iter().any(has_tag)
        }
    }
}

impl Compiler<'_> {
    /// Names of columns that none of the tables has are typing mistakes.
    pub(super) fn check_columns(
        &mut self,
        selected: &Selected,
        selection: &ColumnSelection,
        of: RuleOf,
        at: &Where,
    ) {
        let ColumnSelection::Names(patterns) = selection else { return };
        // The operator's lists may be meant for the columns of other domains.
        if of == RuleOf::Operator && !selected.by_name {
            return;
        }
        for pattern in patterns {
            self.check_column(selected, pattern, at);
        }
    }

    pub(super) fn check_column(&mut self, selected: &Selected, pattern: &Pattern, at: &Where) {
        let tables = self.tables;
        let names = || {
            let tables = selected.tables.iter().filter_map(|position| tables.get(*position));
            tables.flat_map(|table| table.columns.iter().map(|column| column.name.as_str()))
        };
        if selected.tables.is_empty() || names().any(|name| pattern.matches(name)) {
            return;
        }
        let message = format!("no selected table has a column `{}`", pattern.text);
        let mut problem = if pattern.is_glob() || selected.some_missing {
            Problem::warning(&at.file, pattern.line, message)
        } else {
            Problem::error(&at.file, pattern.line, message)
        };
        problem.hint = nearest_hint(&pattern.text, names());
        self.problems.push(problem);
    }
}
