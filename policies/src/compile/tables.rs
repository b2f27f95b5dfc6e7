//! Which tables a rule selects.

use super::compiler::Compiler;
use crate::{
    Table,
    document::{Pattern, Selection, Where},
    yaml::{Problem, Warning, nearest, nearest_hint},
};

/// The tables of a rule, by position.
#[derive(Debug, Default)]
pub(super) struct Selected {
    pub(super) tables: Vec<usize>,
    /// A table was named that is not there; perhaps only its contract is broken.
    pub(super) some_missing: bool,
    /// The rule is about this domain by name.
    pub(super) by_name: bool,
}

/// Whose rule, and what it would mean that it misses its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RuleOf {
    OwnerGrant,
    OwnerRestriction,
    Operator,
}

impl Compiler<'_> {
    pub(super) fn select(&mut self, selection: Option<&Selection>, of: RuleOf, at: &Where) -> Selected {
        let (patterns, name_of, word): (_, fn(&Table) -> &str, _) = match selection {
            None => {
                return Selected { tables: (0..self.tables.len()).collect(), ..Selected::default() };
            }
            Some(Selection::Tables(patterns)) => (patterns, |table| &table.name, "table"),
            Some(Selection::Products(patterns)) => (patterns, |table| &table.product, "product"),
        };
        let mut selected = Selected::default();
        let mut chosen = vec![false; self.tables.len()];
        for pattern in patterns {
            let Some((pattern, named_here)) = self.in_this_domain(pattern, of, at) else { continue };
            let mut found = false;
            for (table, chosen) in self.tables.iter().zip(&mut chosen) {
                if pattern.matches(name_of(table)) {
                    (*chosen, found) = (true, true);
                }
            }
            selected.by_name |= named_here && !pattern.is_glob();
            if !found && named_here {
                selected.some_missing |= !pattern.is_glob();
                self.missing(&pattern, of, at, word, name_of);
            }
        }
        selected.tables =
            chosen.iter().enumerate().filter(|(_, chosen)| **chosen).map(|(at, _)| at).collect();
        selected
    }

    /// The pattern without the domain in front, and whether it is meant for
    /// this domain for sure. `None`: it is about another domain.
    fn in_this_domain(&mut self, pattern: &Pattern, of: RuleOf, at: &Where) -> Option<(Pattern, bool)> {
        let Some((domain, name)) = pattern.text.split_once('.') else {
            return Some((pattern.clone(), of != RuleOf::Operator));
        };
        let bare = Pattern { text: name.to_owned(), line: pattern.line };
        let domain = Pattern { text: domain.to_owned(), line: pattern.line };
        if domain.matches(self.domain) {
            return Some((bare, !domain.is_glob()));
        }
        if of != RuleOf::Operator {
            let message = format!("`{}` is not in the domain `{}`", pattern.text, self.domain);
            let hint = "a domain's rules are about its own tables";
            self.problems.push(Problem::error(&at.file, pattern.line, message).with_hint(hint));
        }
        None
    }

    /// A name that selects nothing. A grant then grants nothing. A restriction
    /// that was meant for another table would leave that one open: a name near
    /// to a table's is an error; any other may be that of a broken contract,
    /// whose table is not served.
    fn missing(
        &mut self,
        pattern: &Pattern,
        of: RuleOf,
        at: &Where,
        word: &str,
        name_of: fn(&Table) -> &str,
    ) {
        let names = || self.tables.iter().map(|table| name_of(table));
        let message = format!("there is no {word} `{}` in the domain `{}`", pattern.text, self.domain);
        let near = nearest(&pattern.text, names()).is_some();
        let mut problem = if near && of != RuleOf::OwnerGrant && !pattern.is_glob() {
            Problem::error(&at.file, pattern.line, message)
        } else {
            Problem::warning(Warning::NothingSelected, &at.file, pattern.line, message)
        };
        problem.hint = nearest_hint(&pattern.text, names());
        self.problems.push(problem);
    }
}
