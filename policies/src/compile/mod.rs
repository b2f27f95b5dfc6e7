//! Documents and tables to rules of tables: names resolved, expressions typed,
//! masks made for each column. What a decision needs and no more.

mod column_mask;
mod columns;
mod compiler;
mod disclosures;
mod lookups;
mod mask;
pub(crate) mod nested;
mod rules;
mod spelling;
mod tables;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

pub(crate) use compiler::{Rules, compile};
pub(crate) use lookups::Lookup;

use crate::{
    DataType, Digest, Principal,
    decision::{Disclosed, RuleRef},
    decision_cache::Moment,
    document::Matcher,
    expression::{Caller, Expr, Parameter, truth},
    principal::ClaimType,
};

/// The rules of a domain, by the tables that they apply to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Compiled {
    pub(crate) tables: HashMap<String, TablePolicy>,
    pub(crate) lookups: BTreeMap<String, Lookup>,
}

impl Compiled {
    /// What of a statement's instant its decisions can depend on.
    pub(crate) fn moment(&self) -> Moment {
        let lookups = self.lookups.values().filter_map(|lookup| lookup.rows.as_ref());
        let exact = self.tables.values().flat_map(TablePolicy::exprs).chain(lookups).any(reads_now);
        if exact { Moment::Instant } else { Moment::Day }
    }
}

fn reads_now(expr: &Expr) -> bool {
    expr.any(&mut |expr| matches!(expr, Expr::Parameter { parameter: Parameter::Now, .. }))
}

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
    /// What its owner lets other domains know of its values.
    pub(crate) disclosed: Disclosed,
}

impl TablePolicy {
    /// Every expression that a decision on the table can read.
    pub(crate) fn exprs(&self) -> impl Iterator<Item = &Expr> {
        let grants =
            self.grants.iter().flat_map(|grant| grant.when.iter().map(|when| &when.expr).chain(&grant.rows));
        let restrictions = self.restrictions.iter().flat_map(|restriction| {
            let rows = match &restriction.action {
                TableAction::Rows(rows) => Some(rows),
                TableAction::Mask(_) | TableAction::Hide(_) | TableAction::Deny => None,
            };
            let unless = restriction.unless.iter().filter_map(|exception| exception.when.as_ref());
            restriction.when.iter().chain(unless).chain(rows).map(|condition| &condition.expr)
        });
        grants.chain(restrictions).chain(self.masks.iter().map(|mask| &mask.expr))
    }
}

/// A position in `TablePolicy::masks`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MaskId(pub(crate) usize);

#[derive(Debug, Clone)]
pub(crate) struct Mask {
    pub(crate) expr: Expr,
    pub(crate) needs: Needs,
}

/// A rule as its author wrote it, for those who may read it. No decision looks at it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Written {
    /// Whom to ask about the rule.
    pub(crate) contact: Option<Arc<str>>,
    pub(crate) rows: Option<String>,
    /// By the positions of the columns that the rule masks.
    pub(crate) masks: BTreeMap<usize, String>,
}

#[derive(Debug, Clone)]
pub(crate) struct TableGrant {
    pub(crate) rule: RuleRef,
    pub(crate) written: Written,
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
    pub(crate) written: Written,
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
