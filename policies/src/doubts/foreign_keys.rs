//! Rows of a child table that stand open while those of its parent are chosen:
//! who may not see an order sees its lines.

use super::{Doubts, ForeignKey};
use crate::{
    compile::{Condition, TableAction, TableGrant, TablePolicy},
    document::Matcher,
    yaml::Warning,
};

impl Doubts<'_> {
    pub(super) fn foreign_keys(&mut self, keys: &[ForeignKey]) {
        for key in keys.iter().filter(|key| key.table != key.to_table) {
            let (Some(child), Some(parent)) =
                (self.tables.get(key.table.as_str()), self.tables.get(key.to_table.as_str()))
            else {
                continue;
            };
            if !chooses_rows(parent) {
                continue;
            }
            let open = child.grants.iter().filter(|grant| is_open(child, grant));
            let wider =
                open.filter(|grant| !parent.grants.iter().any(|other| gives_as_much(parent, other, grant)));
            let ids: Vec<String> = wider.map(|grant| grant.rule.id.clone()).collect();
            for id in ids {
                let ForeignKey { table, column, to_table, to_column } = key;
                let message = format!(
                    "`{id}` gives all rows of `{table}`, whose `{column}` leads to `{to_table}`, of which rules choose the rows: it shows what belongs to hidden ones"
                );
                let hint = format!(
                    "write `rows: \"in_lookup('visible_{to_table}', {column})\"` with the lookup `visible_{to_table}: {{ of: {to_table}, key: {to_column}, as: caller }}`"
                );
                self.add(Warning::ForeignKeyWithoutRule, &id, message, hint);
            }
        }
    }
}

fn chooses_rows(table: &TablePolicy) -> bool {
    table.grants.iter().any(|grant| grant.rows.is_some())
        || table.restrictions.iter().any(|restriction| matches!(restriction.action, TableAction::Rows(_)))
}

/// Does the grant give whoever it is for all rows of its table?
fn is_open(table: &TablePolicy, grant: &TableGrant) -> bool {
    let narrows = table.restrictions.iter().any(|restriction| {
        matches!(restriction.action, TableAction::Rows(_)) && share(&restriction.to, &grant.to)
    });
    grant.rows.is_none() && !narrows
}

/// Does `other` give all rows of the parent to whomever `grant` gives those of the child?
fn gives_as_much(parent: &TablePolicy, other: &TableGrant, grant: &TableGrant) -> bool {
    let same = |left: Option<&Condition>, right: Option<&Condition>| {
        left.is_none_or(|left| right.is_some_and(|right| left.expr == right.expr))
    };
    is_open(parent, other)
        && covers(&other.to, &grant.to)
        && same(other.when.as_ref(), grant.when.as_ref())
        && (other.purpose.is_none() || other.purpose == grant.purpose)
        && other.until.is_none_or(|until| grant.until.is_some_and(|other| other <= until))
}

fn covers(wide: &Matcher, narrow: &Matcher) -> bool {
    wide.everyone
        || !narrow.everyone
            && narrow.roles.is_subset(&wide.roles)
            && narrow.groups.is_subset(&wide.groups)
            && narrow.subjects.is_subset(&wide.subjects)
}

/// Do both name the same people? That a person may have two roles is left aside.
fn share(left: &Matcher, right: &Matcher) -> bool {
    left.everyone
        || right.everyone
        || !left.roles.is_disjoint(&right.roles)
        || !left.groups.is_disjoint(&right.groups)
        || !left.subjects.is_disjoint(&right.subjects)
}
