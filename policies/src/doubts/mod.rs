//! What a domain's policies probably do not mean, for those who write them.
//! Nothing here decides anything, and no server asks for it.

mod claims;
mod foreign_keys;
mod grants;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::{
    DomainPolicy, Principal, Statement, WrittenRule,
    compile::{TableGrant, TablePolicy},
    yaml::{Problem, Warning},
};

/// A column whose values are those of another table of the domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKey {
    pub table: String,
    pub column: String,
    pub to_table: String,
    pub to_column: String,
}

/// What is known beside the policies themselves.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    pub statement: &'a Statement,
    /// Those who are known to ask. None: nothing is known of tokens.
    pub callers: &'a [Principal],
    pub foreign_keys: &'a [ForeignKey],
}

/// A policy and where its rules stand.
struct Doubts<'a> {
    tables: BTreeMap<&'a str, &'a TablePolicy>,
    places: BTreeMap<&'a str, &'a WrittenRule>,
    problems: Vec<Problem>,
}

impl DomainPolicy {
    /// Warnings of the owner's rules, each at the rule that it is about.
    pub fn doubts(&self, around: &Surroundings<'_>) -> Vec<Problem> {
        let places = self.written_rules().iter().map(|rule| (rule.id.as_str(), rule));
        let tables = self.table_policies().map(|table| (table.name.as_str(), table));
        let mut doubts = Doubts { tables: tables.collect(), places: places.collect(), problems: Vec::new() };
        doubts.foreign_keys(around.foreign_keys);
        doubts.claims(around.callers);
        doubts.grants(around.statement.today());
        let mut problems = doubts.problems;
        problems.sort_by(|left, right| (&left.file, left.line).cmp(&(&right.file, right.line)));
        problems
    }
}

impl<'a> Doubts<'a> {
    /// Every grant once, with a table that it is about.
    fn grants_once(&self) -> BTreeMap<&'a str, (&'a TableGrant, &'a TablePolicy)> {
        let tables = self.tables.values();
        let of_table = |table: &&'a TablePolicy| {
            let table = *table;
            table.grants.iter().map(move |grant| (grant.rule.id.as_str(), (grant, table)))
        };
        tables.flat_map(of_table).collect()
    }

    fn add(&mut self, warning: Warning, id: &str, message: String, hint: String) {
        let Some(place) = self.places.get(id) else { return };
        self.problems.push(Problem::warning(warning, &place.file, place.line, message).with_hint(hint));
    }
}
