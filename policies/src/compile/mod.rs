//! Documents and tables to rules of tables: names resolved, expressions typed,
//! masks made for each column. What a decision needs and no more.

mod columns;
mod compiler;
mod mask;
mod rules;
mod tables;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

pub(crate) use compiler::{Rules, compile};

use crate::{
    DataType, Digest, Principal,
    decision::RuleRef,
    document::Matcher,
    expression::{Caller, Expr, truth},
    principal::ClaimType,
};

/// Everything that can apply to one table.
#[derive(Debug, Clone)]
pub(crate) struct TablePolicy {
    pub(crate) name: String,
    pub(crate) columns: Vec<PolicyColumn>,
    /// In file-name, then document order.
    pub(crate) grants: Vec<TableGrant>,
    /// The owner's, then the operator's.
    pub(crate) restrictions: Vec<TableRestriction>,
    /// Each different mask once: masks are equal if their positions are.
    pub(crate) masks: Vec<Mask>,
    /// The position of `redact` for each column.
    pub(crate) redact: Vec<MaskId>,
    pub(crate) claims_read: BTreeSet<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct PolicyColumn {
    pub(crate) name: String,
    pub(crate) data_type: DataType,
    pub(crate) required: bool,
}

/// A position in `TablePolicy::masks`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MaskId(pub(crate) usize);

#[derive(Debug, Clone)]
pub(crate) struct Mask {
    pub(crate) expr: Expr,
    pub(crate) needs: Needs,
}

#[derive(Debug, Clone)]
pub(crate) struct TableGrant {
    pub(crate) rule: RuleRef,
    pub(crate) digest: Digest,
    pub(crate) to: Arc<Matcher>,
    pub(crate) when: Option<Condition>,
    pub(crate) purpose: Option<String>,
    /// The last day, in days since the epoch.
    pub(crate) until: Option<i32>,
    /// The claims that the grant reads anywhere, for other tables too.
    pub(crate) needs: Needs,
    /// For each column: is it listed?
    pub(crate) lists: Vec<bool>,
    /// For each column: how it is masked.
    pub(crate) masks: Vec<Option<MaskId>>,
    pub(crate) rows: Option<Expr>,
}

#[derive(Debug, Clone)]
pub(crate) struct TableRestriction {
    pub(crate) rule: RuleRef,
    pub(crate) digest: Digest,
    pub(crate) to: Arc<Matcher>,
    pub(crate) when: Option<Condition>,
    pub(crate) unless: Arc<Vec<TableException>>,
    pub(crate) action: TableAction,
}

#[derive(Debug, Clone)]
pub(crate) struct TableException {
    pub(crate) to: Option<Matcher>,
    pub(crate) when: Option<Condition>,
    pub(crate) purpose: Option<String>,
}

#[derive(Debug, Clone)]
pub(crate) enum TableAction {
    Rows(Condition),
    /// For each column: the mask put on it.
    Mask(Vec<Option<MaskId>>),
    /// For each column: is it hidden?
    Hide(Vec<bool>),
    Deny,
}

/// A condition and the claims without which it is NULL.
#[derive(Debug, Clone)]
pub(crate) struct Condition {
    pub(crate) expr: Expr,
    pub(crate) needs: Needs,
}

/// Claims that must be present with their declared type.
#[derive(Debug, Clone, Default)]
pub(crate) struct Needs(pub(crate) Arc<BTreeMap<String, ClaimType>>);

impl Needs {
    pub(crate) fn are_met(&self, principal: &Principal) -> bool {
        self.0
            .iter()
            .all(|(name, claim_type)| principal.claims.get(name).is_some_and(|value| claim_type.holds(value)))
    }
}

impl Condition {
    /// The condition for a caller; NULL as a whole if a claim is missing.
    pub(crate) fn bind(&self, caller: &Caller<'_>) -> Expr {
        if self.needs.are_met(caller.principal) {
            caller.bind(&self.expr)
        } else {
            Expr::Null(DataType::Boolean)
        }
    }

    /// The truth of a condition that reads no row. `None` is NULL.
    pub(crate) fn truth(&self, caller: &Caller<'_>) -> Option<bool> {
        truth(&self.bind(caller)).flatten()
    }
}

impl Matcher {
    pub(crate) fn matches(&self, principal: &Principal) -> bool {
        self.everyone
            || self.subjects.contains(&principal.subject)
            || self.roles.iter().any(|role| principal.roles.contains(role))
            || self.groups.iter().any(|group| principal.groups.contains(group))
    }
}
