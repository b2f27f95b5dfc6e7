//! Which columns a rule selects.

use super::{
    compiler::Compiler,
    tables::{RuleOf, Selected},
};
use crate::{
    Column, Table,
    document::{ColumnSelection, Pattern, Vocabulary, Where},
    yaml::{Problem, nearest, nearest_hint},
};

/// For each column of the table: is it selected?
pub(super) fn select(table: &Table, selection: &ColumnSelection, words: &Vocabulary) -> Vec<bool> {
    table.columns.iter().map(|column| is_selected(column, selection, words)).collect()
}

fn is_selected(column: &Column, selection: &ColumnSelection, words: &Vocabulary) -> bool {
    match selection {
        ColumnSelection::All => true,
        ColumnSelection::Names(patterns) => patterns.iter().any(|pattern| pattern.matches(&column.name)),
        ColumnSelection::Unclassified => is_unclassified(column, words),
        ColumnSelection::Marked { classification, tags, except_tags } => {
            let has_tag = |tag: &String| column.tags.contains(tag);
            (classification.is_empty()
                || column.classification.as_ref().is_some_and(|c| classification.contains(c)))
                && (tags.is_empty() || tags.iter().any(has_tag))
                && !except_tags.iter().any(has_tag)
        }
    }
}

/// A classification that the mesh does not declare classifies nothing: rules
/// by classification cannot mean it, so `Restricted` must not be less than
/// nothing where `restricted` was meant.
fn is_unclassified(column: &Column, words: &Vocabulary) -> bool {
    let Some(classification) = &column.classification else { return true };
    words.classifications.as_ref().is_some_and(|declared| !declared.contains(classification))
}

fn undeclared<'a>(
    used: impl Iterator<Item = &'a String>,
    declared: Option<&[String]>,
) -> impl Iterator<Item = &'a String> {
    used.filter(move |word| declared.is_some_and(|declared| !declared.contains(word)))
}

fn not_declared(column: &str, what: &str, word: &str, declared: Option<&[String]>) -> Problem {
    let message = format!(
        "`{column}` has the {what} `{word}`, which mesh.yaml does not declare: no rule selects it by that"
    );
    let near = nearest(&word.to_lowercase(), declared.unwrap_or_default().iter().map(String::as_str));
    let mut problem = Problem::warning("", 0, message);
    problem.hint = near.map(|near| format!("did you mean `{near}`?"));
    problem
}

impl Compiler<'_> {
    /// A word of a contract that mesh.yaml does not declare: restrictions by the
    /// one that was meant miss the column. Contracts have tags for others, too:
    /// of those only the ones near to a declared one are doubtful.
    pub(super) fn check_contract_words(&mut self) {
        let Vocabulary { classifications, tags, .. } = &self.mesh.words;
        for table in self.tables {
            for column in &table.columns {
                let name = format!("{}.{}", table.name, column.name);
                for word in undeclared(column.classification.iter(), classifications.as_deref()) {
                    self.problems.push(not_declared(
                        &name,
                        "classification",
                        word,
                        classifications.as_deref(),
                    ));
                }
                for word in undeclared(column.tags.iter(), tags.as_deref()) {
                    let problem = not_declared(&name, "tag", word, tags.as_deref());
                    self.problems.extend(problem.hint.is_some().then_some(problem));
                }
            }
        }
    }

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
