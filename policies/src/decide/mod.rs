//! The cell rule: what policy says for one caller and one table.
//!
//! Everything is compiled already. Here rules are matched, expressions bound
//! to the caller, and what is known without a row is taken out. Whether and
//! how a cell is shown is decided per column in `cell`.

mod account;
mod cell;
mod explain;
mod index;
mod lookups;
mod masks;
#[cfg(test)]
pub(crate) mod tests;

pub use account::{Absence, Account, RuleAccount, Standing};
pub use explain::{Effect, EffectKind, Explanation, VisibleRule};

pub(crate) use self::index::OpenTables;
use self::{
    cell::{Listing, Shown},
    masks::ColumnMasks,
};
use crate::{
    Cell, DataType, DecidedColumn, Decision, Disclosed, POLICY_LANGUAGE, TableDecision,
    compile::{Compiled, MaskId, TableAction, TableException, TableGrant, TablePolicy, TableRestriction},
    decision::RuleRef,
    digest::DigestBuilder,
    expression::{Caller, Expr, Literal, truth},
};

/// The rows of a grant or of all grants together.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Rows {
    All,
    Never,
    Some(Expr),
}

/// A grant that matches, and its rows for this caller.
struct Matched<'a> {
    grant: &'a TableGrant,
    rows: Rows,
}

/// What the rules of a domain say about one of its tables.
pub(crate) fn decide(rules: &Compiled, table: &str, caller: &Caller<'_>) -> Decision {
    let Some(policy) = rules.tables.get(table) else { return Decision::Absent { rules: Vec::new() } };
    match policy.decide(caller) {
        Decision::Visible(decision) => Decision::Visible(lookups::complete(decision, rules, caller)),
        absent @ Decision::Absent { .. } => absent,
    }
}

impl TablePolicy {
    /// The decision but for the lookups in it.
    fn decide(&self, caller: &Caller<'_>) -> Decision {
        let grants = self.matched_grants(caller);
        if grants.is_empty() {
            return Decision::Absent { rules: Vec::new() };
        }
        let restrictions = self.matched_restrictions(caller);
        let denying: Vec<RuleRef> = restrictions
            .iter()
            .filter(|restriction| matches!(restriction.action, TableAction::Deny))
            .map(|restriction| restriction.rule.clone())
            .collect();
        if !denying.is_empty() {
            return Decision::Absent { rules: denying };
        }
        let rules = grants
            .iter()
            .map(|matched| matched.grant.rule.clone())
            .chain(restrictions.iter().map(|restriction| restriction.rule.clone()))
            .collect();
        let mut columns = self.decided_columns(&grants, &restrictions, caller);
        if columns.is_empty() {
            return Decision::Absent { rules };
        }
        let (rows, row_rules) = visible_rows(&grants, &restrictions, caller);
        if rows.is_none() {
            self.disclose(&mut columns);
        }
        let digest = self.digest(&columns, &grants, &restrictions);
        Decision::Visible(TableDecision { columns, rows, rules, row_rules, lookups: Vec::new(), digest })
    }

    fn matched_grants<'a>(&'a self, caller: &Caller<'_>) -> Vec<Matched<'a>> {
        self.grants
            .iter()
            .filter(|grant| grant.applies(caller))
            .map(|grant| Matched { grant, rows: Rows::of(grant.rows.as_ref(), caller) })
            .collect()
    }

    fn matched_restrictions(&self, caller: &Caller<'_>) -> Vec<&TableRestriction> {
        self.restrictions.iter().filter(|restriction| restriction.applies(caller)).collect()
    }

    fn decided_columns(
        &self,
        grants: &[Matched<'_>],
        restrictions: &[&TableRestriction],
        caller: &Caller<'_>,
    ) -> Vec<DecidedColumn> {
        let mut decided = Vec::with_capacity(self.columns.len());
        for (index, column) in self.columns.iter().enumerate() {
            let listed = grants.iter().any(|matched| matched.grant.lists(index));
            let hidden = restrictions.iter().any(|restriction| restriction.hides(index));
            if !listed || hidden {
                continue;
            }
            let put = self.masks_put_on(index, restrictions, caller);
            let plain = put.is_empty() && is_unmasked(index, grants);
            decided.push(DecidedColumn {
                index,
                name: column.name.clone(),
                data_type: column.data_type.clone(),
                nullable: !column.required || !plain,
                plain,
                // Wherever a plain column is visible at all, it is so raw.
                cell: if plain { Cell::Raw } else { self.cell(index, grants, &put, caller) },
                disclosed: Disclosed::new(),
            });
        }
        decided
    }

    /// Puts to columns of which nothing is kept from the principal what may be told of them.
    fn disclose(&self, columns: &mut [DecidedColumn]) {
        for column in columns.iter_mut().filter(|column| column.plain) {
            if let Some(of_policy) = self.columns.get(column.index) {
                column.disclosed.clone_from(&of_policy.disclosed);
            }
        }
    }

    /// M(c): the different masks that restrictions put on a column.
    fn masks_put_on(
        &self,
        index: usize,
        restrictions: &[&TableRestriction],
        caller: &Caller<'_>,
    ) -> Vec<MaskId> {
        let mut put = Vec::new();
        for restriction in restrictions {
            let TableAction::Mask(masks) = &restriction.action else { continue };
            let Some(Some(mask)) = masks.get(index) else { continue };
            let claims_there =
                self.masks.get(mask.0).is_some_and(|mask| mask.needs.are_met(caller.principal));
            let mask = if claims_there { Some(*mask) } else { self.redact.get(index).copied() };
            put.extend(mask.filter(|mask| !put.contains(mask)));
        }
        put
    }

    fn cell(&self, index: usize, grants: &[Matched<'_>], put: &[MaskId], caller: &Caller<'_>) -> Cell {
        let listings: Vec<Listing<'_>> = grants
            .iter()
            .filter(|matched| matched.grant.lists(index))
            .map(|matched| Listing { rows: &matched.rows, mask: matched.grant.mask(index) })
            .collect();
        // Every row that is visible at all comes from some grant; if all of
        // those list the column, its cell is never hidden.
        let always_listed =
            grants.iter().all(|matched| matched.rows == Rows::Never || matched.grant.lists(index));
        let mut masks = ColumnMasks::new(self, index);
        let put = masks.all(put);
        let shown = cell::branches(&listings, always_listed)
            .into_iter()
            .map(|(condition, shown)| (condition, masks.restricted(shown, put)))
            .collect();
        let branches = cell::merge(shown);
        match branches.as_slice() {
            [(None, Shown::Raw)] => Cell::Raw,
            _ => Cell::Computed(self.computed(index, branches, &masks, caller)),
        }
    }

    fn computed(
        &self,
        index: usize,
        branches: Vec<(Option<Expr>, Shown)>,
        masks: &ColumnMasks<'_>,
        caller: &Caller<'_>,
    ) -> Expr {
        let data_type = self.columns.get(index).map_or(DataType::Boolean, |column| column.data_type.clone());
        let mut otherwise = Expr::Null(data_type.clone());
        let mut cases = Vec::new();
        for (condition, shown) in branches {
            let result = match shown {
                Shown::Hidden => Expr::Null(data_type.clone()),
                Shown::Raw => self.raw(index, &data_type),
                Shown::Masked(mask) => match masks.expr(mask) {
                    Some(mask) => caller.bind(mask),
                    None => Expr::Null(data_type.clone()),
                },
            };
            match condition {
                Some(condition) => cases.push((condition, result)),
                None => otherwise = result,
            }
        }
        if cases.is_empty() {
            return otherwise;
        }
        let otherwise = match otherwise {
            Expr::Null(_) => None,
            shown => Some(Box::new(shown)),
        };
        Expr::Case { branches: cases, otherwise, data_type }
    }

    fn raw(&self, index: usize, data_type: &DataType) -> Expr {
        match self.columns.get(index) {
            Some(column) => Expr::Column { index, name: column.name.clone(), data_type: data_type.clone() },
            None => Expr::Null(data_type.clone()),
        }
    }

    /// In stable terms: what is visible, and which rules said so in which form.
    /// The caller's claims are not in it; both sides take them from the permit.
    fn digest(
        &self,
        columns: &[DecidedColumn],
        grants: &[Matched<'_>],
        restrictions: &[&TableRestriction],
    ) -> crate::Digest {
        let mut builder = DigestBuilder::new("meshgate-decision-v1")
            .part(&POLICY_LANGUAGE.to_be_bytes())
            .part(self.name.as_bytes())
            .part(&(columns.len() as u64).to_be_bytes());
        for column in columns {
            builder = builder
                .part(column.name.as_bytes())
                .part(column.data_type.to_string().as_bytes())
                .part(&[u8::from(column.nullable), u8::from(column.plain)]);
        }
        builder = builder
            .parts(grants.iter().map(|matched| matched.grant.digest.as_bytes().to_vec()))
            .parts(restrictions.iter().map(|restriction| restriction.digest.as_bytes().to_vec()));
        // A node whose owner has withdrawn a disclosure gives no rows to a gateway that still believes in it.
        for column in columns {
            for (domain, keys) in &column.disclosed {
                let parts = [column.name.as_str(), domain, keys.word()];
                builder = builder.part(b"disclosed").parts(parts.iter());
            }
        }
        builder.finish()
    }
}

/// Every grant lists the column unmasked, or some grant for all rows does.
fn is_unmasked(index: usize, grants: &[Matched<'_>]) -> bool {
    let unmasked = |matched: &&Matched<'_>| matched.grant.lists(index) && matched.grant.mask(index).is_none();
    grants.iter().all(|matched| unmasked(&matched))
        || grants.iter().filter(unmasked).any(|matched| matched.grant.rows.is_none())
}

/// Some grant gives the row, and every restriction with rows leaves it. With
/// the positions, grants first, of the rules that have a part in this.
fn visible_rows(
    grants: &[Matched<'_>],
    restrictions: &[&TableRestriction],
    caller: &Caller<'_>,
) -> (Option<Expr>, Vec<usize>) {
    let (mut terms, mut rules, mut never) = (Vec::new(), Vec::new(), false);
    match cell::any_of(grants.iter().map(|matched| &matched.rows)) {
        Rows::All => {}
        Rows::Never => {
            never = true;
            rules.extend(0..grants.len());
        }
        Rows::Some(expr) => {
            add_term(&mut terms, expr);
            rules.extend(0..grants.len());
        }
    }
    for (position, restriction) in (grants.len()..).zip(restrictions) {
        let TableAction::Rows(condition) = &restriction.action else { continue };
        let bound = condition.bind(caller);
        match truth(&bound) {
            Some(Some(true)) => continue,
            Some(_) => never = true,
            None => add_term(&mut terms, bound),
        }
        rules.push(position);
    }
    if never {
        return (Some(Expr::Literal(Literal::Boolean(false))), rules);
    }
    let rows = match (terms.pop(), terms.is_empty()) {
        (None, _) => None,
        (Some(only), true) => Some(only),
        (Some(last), false) => {
            terms.push(last);
            Some(Expr::And(terms))
        }
    };
    (rows, rules)
}

fn add_term(terms: &mut Vec<Expr>, expr: Expr) {
    match expr {
        Expr::And(inner) => terms.extend(inner),
        other => terms.push(other),
    }
}

impl Rows {
    fn of(rows: Option<&Expr>, caller: &Caller<'_>) -> Self {
        Self::from_predicate(rows.map(|rows| caller.bind(rows)))
    }
}

impl TableGrant {
    fn applies(&self, caller: &Caller<'_>) -> bool {
        self.to.matches(caller.principal)
            && self.purpose.as_ref().is_none_or(|purpose| caller.principal.purpose.as_ref() == Some(purpose))
            && self.until.is_none_or(|last| caller.statement.today().is_some_and(|today| today <= last))
            && self.needs.are_met(caller.principal)
            && self.when.as_ref().is_none_or(|when| when.truth(caller) == Some(true))
    }

    fn lists(&self, index: usize) -> bool {
        self.lists.get(index) == Some(&true)
    }

    fn mask(&self, index: usize) -> Option<MaskId> {
        self.masks.get(index).copied().flatten()
    }
}

impl TableRestriction {
    /// A `when` lifts the restriction only if it is FALSE.
    fn applies(&self, caller: &Caller<'_>) -> bool {
        self.to.matches(caller.principal)
            && self.when.as_ref().is_none_or(|when| when.truth(caller) != Some(false))
            && !self.unless.iter().any(|exception| exception.excuses(caller))
    }

    fn hides(&self, index: usize) -> bool {
        matches!(&self.action, TableAction::Hide(hidden) if hidden.get(index) == Some(&true))
    }
}

impl TableException {
    /// All that the entry says must be TRUE.
    fn excuses(&self, caller: &Caller<'_>) -> bool {
        self.to.as_ref().is_none_or(|to| to.matches(caller.principal))
            && self.purpose.as_ref().is_none_or(|purpose| caller.principal.purpose.as_ref() == Some(purpose))
            && self.when.as_ref().is_none_or(|when| when.truth(caller) == Some(true))
    }
}
