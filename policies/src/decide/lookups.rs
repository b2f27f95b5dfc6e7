//! The lookups that a decision uses, for its caller.

use std::collections::BTreeSet;

use super::Rows;
use crate::{
    Cell, DecidedColumn, Decision, Disclosed, TableDecision,
    compile::{Compiled, Lookup},
    decision::DecidedLookup,
    digest::DigestBuilder,
    document::Rights,
    expression::{Caller, Expr, Literal, lookups_of, truth},
};

/// The decision with its lookups. What it takes from the rules of other tables is in its digest.
pub(super) fn complete(mut decision: TableDecision, rules: &Compiled, caller: &Caller<'_>) -> TableDecision {
    let mut found = Found { rules, caller, lookups: Vec::new(), of_tables: Vec::new() };
    for expr in decision.rows.iter().chain(decision.columns.iter().filter_map(computed)) {
        found.add_all(expr);
    }
    if !found.lookups.is_empty() {
        decision.digest = DigestBuilder::new("meshgate-decision-with-lookups-v1")
            .part(decision.digest.as_bytes())
            .parts(found.of_tables.iter())
            .finish();
        decision.lookups = found.lookups;
    }
    decision
}

fn computed(column: &DecidedColumn) -> Option<&Expr> {
    match &column.cell {
        Cell::Raw => None,
        Cell::Computed(expr) => Some(expr),
    }
}

struct Found<'a> {
    rules: &'a Compiled,
    caller: &'a Caller<'a>,
    lookups: Vec<DecidedLookup>,
    /// Names and decisions of tables that lookups read as the caller.
    of_tables: Vec<Vec<u8>>,
}

impl Found<'_> {
    fn add_all(&mut self, expr: &Expr) {
        let mut names = BTreeSet::new();
        lookups_of(expr, &mut names);
        for name in names {
            self.add(name);
        }
    }

    /// Ends, because no lookup uses itself.
    fn add(&mut self, name: &str) {
        if self.lookups.iter().any(|known| known.name == name) {
            return;
        }
        // One that is missing stays unknown to whoever computes: that denies.
        let Some(lookup) = self.rules.lookups.get(name) else { return };
        let rows = match (Rows::of(lookup.rows.as_ref(), self.caller), lookup.rights) {
            (rows, Rights::Policy) => rows,
            (rows, Rights::Caller) => rows.and(self.seen_by_caller(lookup)),
        };
        if let Rows::Some(expr) = &rows {
            self.add_all(expr);
        }
        self.lookups.extend(self.decided(name, lookup, rows));
    }

    /// The rows of the looked-up table that the caller may see.
    fn seen_by_caller(&mut self, lookup: &Lookup) -> Rows {
        let policy = self.rules.tables.get(&lookup.table);
        let decision = match policy.map(|policy| policy.decide(self.caller)) {
            Some(Decision::Visible(decision)) => Some(decision),
            Some(Decision::Absent { .. }) | None => None,
        };
        self.of_tables.push(lookup.table.as_bytes().to_vec());
        let digest = decision.as_ref().map(|decision| decision.digest.as_bytes().to_vec());
        self.of_tables.push(digest.unwrap_or_default());
        decision.map_or(Rows::Never, |decision| Rows::from_predicate(decision.rows))
    }

    fn decided(&self, name: &str, lookup: &Lookup, rows: Rows) -> Option<DecidedLookup> {
        let policy = self.rules.tables.get(&lookup.table)?;
        let key = policy.columns.get(lookup.key)?;
        let column = DecidedColumn {
            index: lookup.key,
            name: key.name.clone(),
            data_type: key.data_type.clone(),
            nullable: !key.required,
            plain: true,
            cell: Cell::Raw,
            disclosed: Disclosed::new(),
        };
        let keys = TableDecision {
            columns: vec![column],
            rows: rows.into_predicate(),
            rules: Vec::new(),
            row_rules: Vec::new(),
            lookups: Vec::new(),
            digest: lookup.digest,
        };
        Some(DecidedLookup { name: name.to_owned(), table: lookup.table.clone(), keys })
    }
}

impl Rows {
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Never, _) | (_, Self::Never) => Self::Never,
            (Self::All, rows) | (rows, Self::All) => rows,
            (Self::Some(left), Self::Some(right)) => {
                let mut terms = Vec::new();
                super::add_term(&mut terms, left);
                super::add_term(&mut terms, right);
                Self::Some(Expr::And(terms))
            }
        }
    }

    pub(super) fn from_predicate(predicate: Option<Expr>) -> Self {
        let Some(predicate) = predicate else { return Self::All };
        match truth(&predicate) {
            None => Self::Some(predicate),
            Some(Some(true)) => Self::All,
            Some(_) => Self::Never,
        }
    }

    fn into_predicate(self) -> Option<Expr> {
        match self {
            Self::All => None,
            Self::Never => Some(Expr::Literal(Literal::Boolean(false))),
            Self::Some(expr) => Some(expr),
        }
    }
}
