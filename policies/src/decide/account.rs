//! Why a principal sees a table as it does, or not at all: every rule of the
//! table, also those that do not apply and what they hide. For the owner's own
//! tools; nothing of it may get to callers.

use super::{Matched, Rows};
use crate::{
    compile::{Needs, TableAction, TableException, TableGrant, TablePolicy, TableRestriction},
    decision::RuleRef,
    expression::Caller,
    statement::day_from_epoch,
};

/// Every rule of a table, for one principal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account<'a> {
    /// Grants, then restrictions, in the order in which they count.
    pub rules: Vec<RuleAccount<'a>>,
    /// The columns that are not there, with why, in contract order.
    pub absent: Vec<(&'a str, Absence<'a>)>,
}

/// One rule, for one principal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleAccount<'a> {
    pub rule: &'a RuleRef,
    pub standing: Standing,
    /// Its condition on rows, as it is written.
    pub rows: Option<&'a str>,
}

/// Does a rule apply to a principal, and if not, why not?
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    Applies,
    /// A grant whose condition on rows is never TRUE for the principal.
    GivesNoRows,
    /// `to` names neither the principal nor a role or group of it.
    NotTo,
    OtherPurpose(String),
    /// The last day, as YYYY-MM-DD.
    Ended(String),
    MissingClaims(Vec<String>),
    /// `when` of a grant is not TRUE.
    WhenNotTrue,
    /// `when` of a restriction is FALSE.
    WhenFalse,
    /// By an entry of `unless`.
    Excused,
}

/// Why a column is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Absence<'a> {
    /// No grant that applies lists it.
    NotListed,
    HiddenBy(&'a RuleRef),
}

impl TablePolicy {
    /// Every rule of the table, for the caller.
    pub(crate) fn account<'a>(&'a self, caller: &Caller<'_>) -> Account<'a> {
        let grants = self.grants.iter().map(|grant| RuleAccount {
            rule: &grant.rule,
            standing: grant.standing(caller),
            rows: grant.written.rows.as_deref(),
        });
        let restrictions = self.restrictions.iter().map(|restriction| RuleAccount {
            rule: &restriction.rule,
            standing: restriction.standing(caller),
            rows: restriction.written.rows.as_deref(),
        });
        Account { rules: grants.chain(restrictions).collect(), absent: self.absent(caller) }
    }

    fn absent<'a>(&'a self, caller: &Caller<'_>) -> Vec<(&'a str, Absence<'a>)> {
        let (grants, restrictions) = (self.matched_grants(caller), self.matched_restrictions(caller));
        let absence = |index: usize| {
            if !grants.iter().any(|matched: &Matched<'_>| matched.grant.lists(index)) {
                return Some(Absence::NotListed);
            }
            let hides = |restriction: &&&'a TableRestriction| {
                restriction.hides(index) || matches!(restriction.action, TableAction::Deny)
            };
            restrictions.iter().find(hides).map(|restriction| Absence::HiddenBy(&restriction.rule))
        };
        let columns = self.columns.iter().enumerate();
        columns.filter_map(|(index, column)| Some((column.name.as_str(), absence(index)?))).collect()
    }
}

impl TableGrant {
    fn standing(&self, caller: &Caller<'_>) -> Standing {
        let principal = caller.principal;
        if !self.to.matches(principal) {
            return Standing::NotTo;
        }
        if let Some(purpose) =
            self.purpose.as_ref().filter(|purpose| principal.purpose.as_ref() != Some(purpose))
        {
            return Standing::OtherPurpose(purpose.clone());
        }
        if let Some(last) =
            self.until.filter(|last| caller.statement.today().is_none_or(|today| today > *last))
        {
            return Standing::Ended(day_from_epoch(last).map(|day| day.to_string()).unwrap_or_default());
        }
        let missing = self.needs.missing(caller);
        if !missing.is_empty() {
            return Standing::MissingClaims(missing);
        }
        if self.when.as_ref().is_some_and(|when| when.truth(caller) != Some(true)) {
            return Standing::WhenNotTrue;
        }
        match Rows::of(self.rows.as_ref(), caller) {
            Rows::Never => Standing::GivesNoRows,
            Rows::All | Rows::Some(_) => Standing::Applies,
        }
    }
}

impl TableRestriction {
    fn standing(&self, caller: &Caller<'_>) -> Standing {
        if !self.to.matches(caller.principal) {
            Standing::NotTo
        } else if self.when.as_ref().is_some_and(|when| when.truth(caller) == Some(false)) {
            Standing::WhenFalse
        } else if self.unless.iter().any(|exception: &TableException| exception.excuses(caller)) {
            Standing::Excused
        } else {
            Standing::Applies
        }
    }
}

impl Needs {
    fn missing(&self, caller: &Caller<'_>) -> Vec<String> {
        let claims = &caller.principal.claims;
        let holds = |name: &str| {
            self.0.get(name).is_some_and(|kind| claims.get(name).is_some_and(|value| kind.holds(value)))
        };
        self.0.keys().filter(|name| !holds(name)).cloned().collect()
    }
}
