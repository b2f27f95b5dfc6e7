//! Which columns a rule selects.

use super::{
    compiler::Compiler,
    nested,
    tables::{RuleOf, Selected},
};
use crate::{
    Column, NestedField, Table,
    document::{ColumnSelection, Pattern, Vocabulary, Where},
    yaml::{Problem, Warning, nearest, nearest_hint},
};

/// What of a column is selected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Nothing,
    Whole,
    /// Fields inside it, by their paths.
    Fields(Vec<Vec<String>>),
}

/// For each column of the table: what of it is selected?
pub(super) fn select(table: &Table, selection: &ColumnSelection, words: &Vocabulary) -> Vec<Part> {
    table.columns.iter().map(|column| part(column, selection, words)).collect()
}

fn part(column: &Column, selection: &ColumnSelection, words: &Vocabulary) -> Part {
    if is_selected(column, selection, words) {
        return Part::Whole;
    }
    let fields = match selection {
        ColumnSelection::Names(patterns) => {
            let named = |path: &Vec<String>| {
                let name = nested::name(&column.name, path);
                patterns.iter().any(|pattern| is_of_field(pattern) && pattern.matches(&name))
            };
            nested::fields(&column.data_type).into_iter().map(|(path, _)| path).filter(named).collect()
        }
        ColumnSelection::All | ColumnSelection::Unclassified | ColumnSelection::Marked { .. } => {
            let marked = |field: &&NestedField| is_field_selected(column, field, selection, words);
            column.nested.iter().filter(marked).map(|field| field.path.clone()).collect::<Vec<_>>()
        }
    };
    if fields.is_empty() { Part::Nothing } else { Part::Fields(fields) }
}

/// Fields of a selected column whose own marks leave them out.
pub(super) fn left_out(column: &Column, selection: &ColumnSelection, words: &Vocabulary) -> Vec<Vec<String>> {
    let marked = matches!(selection, ColumnSelection::Marked { .. });
    let out = |field: &&NestedField| marked && !is_field_selected(column, field, selection, words);
    column.nested.iter().filter(out).map(|field| field.path.clone()).collect()
}

/// Is the pattern one for fields inside columns, `column.field`?
pub(super) fn is_of_field(pattern: &Pattern) -> bool {
    pattern.text.contains('.')
}

fn is_selected(column: &Column, selection: &ColumnSelection, words: &Vocabulary) -> bool {
    match selection {
        ColumnSelection::All => true,
        ColumnSelection::Names(patterns) => {
            patterns.iter().any(|pattern| !is_of_field(pattern) && pattern.matches(&column.name))
        }
        ColumnSelection::Unclassified => is_unclassified(column.classification.as_ref(), words),
        ColumnSelection::Marked { .. } => {
            fits(selection, column.classification.as_ref(), &|tag| column.tags.contains(tag))
        }
    }
}

/// A field has the tags of all that is around it, and the classification of what is next to it.
fn is_field_selected(
    column: &Column,
    field: &NestedField,
    selection: &ColumnSelection,
    words: &Vocabulary,
) -> bool {
    let around = || column.nested.iter().filter(|outer| field.path.starts_with(&outer.path));
    let marked = around().filter(|outer| outer.classification.is_some());
    let nearest = marked.max_by_key(|outer| outer.path.len()).and_then(|outer| outer.classification.as_ref());
    let classification = nearest.or(column.classification.as_ref());
    match selection {
        ColumnSelection::Unclassified => is_unclassified(classification, words),
        _ => fits(selection, classification, &|tag| {
            column.tags.contains(tag) || around().any(|outer| outer.tags.contains(tag))
        }),
    }
}

fn fits(selection: &ColumnSelection, marked_as: Option<&String>, has_tag: &dyn Fn(&String) -> bool) -> bool {
    let ColumnSelection::Marked { classification, tags, except_tags } = selection else { return false };
    (classification.is_empty() || marked_as.is_some_and(|marked_as| classification.contains(marked_as)))
        && (tags.is_empty() || tags.iter().any(has_tag))
        && !except_tags.iter().any(has_tag)
}

/// A classification that the mesh does not declare classifies nothing: rules
/// by classification cannot mean it, so `Restricted` must not be less than
/// nothing where `restricted` was meant.
fn is_unclassified(classification: Option<&String>, words: &Vocabulary) -> bool {
    let Some(classification) = classification else { return true };
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
    let mut problem = Problem::warning(Warning::UndeclaredMark, "", 0, message);
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
            let marks = table.columns.iter().flat_map(|column| {
                let name = format!("{}.{}", table.name, column.name);
                let fields = column.nested.iter().map({
                    let name = name.clone();
                    move |field| {
                        (nested::name(&name, &field.path), field.classification.iter(), field.tags.iter())
                    }
                });
                std::iter::once((name, column.classification.iter(), column.tags.iter())).chain(fields)
            });
            for (name, classification, own_tags) in marks {
                for word in undeclared(classification, classifications.as_deref()) {
                    self.problems.push(not_declared(
                        &name,
                        "classification",
                        word,
                        classifications.as_deref(),
                    ));
                }
                for word in undeclared(own_tags, tags.as_deref()) {
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
        let columns = || {
            let tables = selected.tables.iter().filter_map(|position| tables.get(*position));
            tables.flat_map(|table| &table.columns)
        };
        let names: Vec<String> = if is_of_field(pattern) {
            let fields = |column: &Column| -> Vec<String> {
                let fields = nested::fields(&column.data_type);
                fields.iter().map(|(path, _)| nested::name(&column.name, path)).collect()
            };
            columns().flat_map(fields).collect()
        } else {
            columns().map(|column| column.name.clone()).collect()
        };
        if selected.tables.is_empty() || names.iter().any(|name| pattern.matches(name)) {
            return;
        }
        let message = format!("no selected table has a column `{}`", pattern.text);
        let mut problem = if pattern.is_glob() || selected.some_missing {
            Problem::warning(Warning::NothingSelected, &at.file, pattern.line, message)
        } else {
            Problem::error(&at.file, pattern.line, message)
        };
        problem.hint = nearest_hint(&pattern.text, names.iter().map(String::as_str));
        self.problems.push(problem);
    }
}
