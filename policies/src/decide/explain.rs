//! Which rule made the visible rows and each visible column what they are.
//!
//! The same rules as in a decision, told instead of applied. Of what is hidden
//! nothing is told, not even to those who may read the rules: a restriction
//! that hides columns, or masks hidden ones, is nowhere in here.

use super::{Matched, Rows, visible_rows};
use crate::{
    DecidedColumn, Decision,
    compile::{MaskId, TableAction, TableGrant, TablePolicy, TableRestriction, Written},
    decision::RuleRef,
    expression::{Caller, truth},
};

/// What rules do to a table that exists for a principal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation<'a> {
    /// Those on rows, then those on columns, in contract order.
    pub effects: Vec<Effect<'a>>,
    /// There are more than were asked for.
    pub is_cut: bool,
}

/// What one rule does to the rows or to one column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect<'a> {
    /// The column; `None`: which rows there are.
    pub column: Option<&'a str>,
    pub kind: EffectKind,
    pub rule: &'a RuleRef,
    /// Whom to ask about the rule.
    pub contact: Option<&'a str>,
    /// Row condition or mask as the rule writes it, for those who may read it.
    pub expression: Option<&'a str>,
}

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EffectKind {
    GivesAllRows,
    /// Those that the grant's condition is TRUE for.
    GivesSomeRows,
    /// For this principal the grant's condition is never TRUE.
    GivesNoRows,
    /// Those that the restriction's condition is TRUE for.
    KeepsSomeRows,
    /// For this principal the restriction's condition is never TRUE.
    KeepsNoRows,
    Shows,
    /// On rows that only other grants give, the column is NULL.
    ShowsOnItsRows,
    Masks,
    /// The mask meets another one, or a claim that it needs is missing.
    Redacts,
}

/// A rule that has a visible effect on a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VisibleRule<'a> {
    pub rule: &'a RuleRef,
    /// Whom to ask about the rule.
    pub contact: Option<&'a str>,
}

impl TablePolicy {
    /// At most `most` effects on the rows and on the columns that `reads` names; `None` if the
    /// table does not exist for the caller.
    pub(crate) fn explain<'a>(
        &'a self,
        caller: &Caller<'_>,
        may_read: bool,
        reads: &dyn Fn(&str) -> bool,
        most: usize,
    ) -> Option<Explanation<'a>> {
        let (told, columns) = self.told(caller, may_read)?;
        let columns = columns.iter().filter(|column| reads(&column.name));
        let of_columns = columns.flat_map(|column| told.column(column.index));
        let mut effects: Vec<_> =
            told.rows().into_iter().chain(of_columns).take(most.saturating_add(1)).collect();
        let is_cut = effects.len() > most;
        effects.truncate(most);
        Some(Explanation { effects, is_cut })
    }

    /// The rules with an effect on something that the caller sees; `None` if that is nothing.
    pub(crate) fn visible_rules<'a>(&'a self, caller: &Caller<'_>) -> Option<Vec<VisibleRule<'a>>> {
        let (told, columns) = self.told(caller, false)?;
        let deciding = told.deciding_restrictions();
        let masks_visible = |action: &TableAction| match action {
            TableAction::Mask(masks) => {
                columns.iter().any(|column| masks.get(column.index).is_some_and(Option::is_some))
            }
            _ => false,
        };
        let grants = told.grants.iter().map(|matched| (&matched.grant.rule, &matched.grant.written));
        let restrictions = told
            .restrictions
            .iter()
            .enumerate()
            .filter(|(position, restriction)| {
                deciding.contains(position) || masks_visible(&restriction.action)
            })
            .map(|(_, restriction)| (&restriction.rule, &restriction.written));
        let visible = |(rule, written): (&'a RuleRef, &'a Written)| VisibleRule {
            rule,
            contact: written.contact.as_deref(),
        };
        Some(grants.chain(restrictions).map(visible).collect())
    }

    /// All rules of the table: grants, then restrictions.
    pub(crate) fn all_rules(&self) -> impl Iterator<Item = VisibleRule<'_>> {
        let grants = self.grants.iter().map(|grant| (&grant.rule, &grant.written));
        let restrictions =
            self.restrictions.iter().map(|restriction| (&restriction.rule, &restriction.written));
        let all = grants.chain(restrictions);
        all.map(|(rule, written)| VisibleRule { rule, contact: written.contact.as_deref() })
    }

    fn told<'a, 'c>(
        &'a self,
        caller: &'c Caller<'c>,
        may_read: bool,
    ) -> Option<(Told<'a, 'c>, Vec<DecidedColumn>)> {
        let Decision::Visible(decision) = self.decide(caller) else { return None };
        let (grants, restrictions) = (self.matched_grants(caller), self.matched_restrictions(caller));
        Some((Told { policy: self, caller, may_read, grants, restrictions }, decision.columns))
    }
}

struct Told<'a, 'c> {
    policy: &'a TablePolicy,
    caller: &'c Caller<'c>,
    may_read: bool,
    grants: Vec<Matched<'a>>,
    restrictions: Vec<&'a TableRestriction>,
}

impl<'a> Told<'a, '_> {
    fn rows(&self) -> Vec<Effect<'a>> {
        let mut effects = Vec::with_capacity(self.grants.len());
        for matched in &self.grants {
            let kind = match matched.rows {
                Rows::All => EffectKind::GivesAllRows,
                Rows::Some(_) => EffectKind::GivesSomeRows,
                Rows::Never => EffectKind::GivesNoRows,
            };
            effects.push(self.of_grant(matched.grant, None, kind));
        }
        let deciding = self.deciding_restrictions();
        for (position, restriction) in self.restrictions.iter().enumerate() {
            let TableAction::Rows(condition) = &restriction.action else { continue };
            if deciding.contains(&position) {
                let kind = match truth(&condition.bind(self.caller)) {
                    None => EffectKind::KeepsSomeRows,
                    Some(_) => EffectKind::KeepsNoRows,
                };
                effects.push(self.of_restriction(restriction, None, kind));
            }
        }
        effects
    }

    /// Positions of the restrictions that can leave rows out.
    fn deciding_restrictions(&self) -> Vec<usize> {
        let (_, deciding) = visible_rows(&self.grants, &self.restrictions, self.caller);
        deciding.into_iter().filter_map(|position| position.checked_sub(self.grants.len())).collect()
    }

    fn column(&self, index: usize) -> Vec<Effect<'a>> {
        let put = self.policy.masks_put_on(index, &self.restrictions, self.caller);
        let mut effects = Vec::new();
        for matched in self.grants.iter().filter(|matched| matched.grant.lists(index)) {
            let kind = match matched.grant.mask(index) {
                None if self.is_partial(matched, index) => EffectKind::ShowsOnItsRows,
                None => EffectKind::Shows,
                Some(mask) if put.iter().all(|other| self.policy.agree(*other, mask)) => EffectKind::Masks,
                Some(_) => EffectKind::Redacts,
            };
            effects.push(self.of_grant(matched.grant, Some(index), kind));
        }
        for restriction in &self.restrictions {
            let TableAction::Mask(masks) = &restriction.action else { continue };
            if let Some(mask) = masks.get(index).copied().flatten() {
                let kind = self.restriction_mask(index, mask, &put);
                effects.push(self.of_restriction(restriction, Some(index), kind));
            }
        }
        effects
    }

    /// Are there rows that other grants give and on which the column is not shown?
    fn is_partial(&self, matched: &Matched<'_>, index: usize) -> bool {
        matched.rows != Rows::All && self.grants.iter().any(|other| !other.grant.lists(index))
    }

    fn restriction_mask(&self, index: usize, mask: MaskId, put: &[MaskId]) -> EffectKind {
        let alone = put.iter().all(|other| self.policy.agree(*other, mask));
        let meets_no_other = self.grants.iter().any(|matched| {
            let own = matched.grant.mask(index);
            matched.grant.lists(index) && own.is_none_or(|own| self.policy.agree(own, mask))
        });
        if alone && meets_no_other { EffectKind::Masks } else { EffectKind::Redacts }
    }

    fn of_grant(&self, grant: &'a TableGrant, column: Option<usize>, kind: EffectKind) -> Effect<'a> {
        self.effect(&grant.rule, &grant.written, column, kind)
    }

    fn of_restriction(
        &self,
        restriction: &'a TableRestriction,
        column: Option<usize>,
        kind: EffectKind,
    ) -> Effect<'a> {
        self.effect(&restriction.rule, &restriction.written, column, kind)
    }

    fn effect(
        &self,
        rule: &'a RuleRef,
        written: &'a Written,
        column: Option<usize>,
        kind: EffectKind,
    ) -> Effect<'a> {
        let expression = match column {
            None => written.rows.as_deref(),
            Some(index) => written.masks.get(&index).map(String::as_str),
        };
        Effect {
            column: column
                .and_then(|index| self.policy.columns.get(index))
                .map(|column| column.name.as_str()),
            kind,
            rule,
            contact: written.contact.as_deref(),
            expression: expression.filter(|_| self.may_read),
        }
    }
}
