//! How grants show one column: a list of conditions and what is shown where
//! they hold, as short as it can be.

use super::Rows;
use crate::{compile::MaskId, expression::Expr};

/// What a cell shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// NULL.
    Hidden,
    Raw,
    Masked(MaskId),
}

/// A grant that lists the column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Listing<'a> {
    pub(super) rows: &'a Rows,
    pub(super) mask: Option<MaskId>,
}

/// A condition (`None`: always) and what is shown where it is the first to hold.
pub(super) type Branch = (Option<Expr>, Shown);

/// base(x,c): raw if some grant shows it raw, else masked by the first grant,
/// else hidden. The last branch has no condition.
pub(super) fn branches(listings: &[Listing<'_>], always_listed: bool) -> Vec<Branch> {
    let raw = any_of(listings.iter().filter(|listing| listing.mask.is_none()).map(|listing| listing.rows));
    let mut branches = Vec::with_capacity(listings.len() + 1);
    match raw {
        Rows::All => return vec![(None, Shown::Raw)],
        Rows::Never => {}
        Rows::Some(condition) => branches.push((Some(condition), Shown::Raw)),
    }
    for listing in listings {
        let Some(mask) = listing.mask else { continue };
        match listing.rows {
            Rows::Never => {}
            Rows::All => {
                branches.push((None, Shown::Masked(mask)));
                return branches;
            }
            Rows::Some(condition) => branches.push((Some(condition.clone()), Shown::Masked(mask))),
        }
    }
    match branches.last_mut() {
        Some((condition, _)) if always_listed => *condition = None,
        _ => branches.push((None, Shown::Hidden)),
    }
    branches
}

/// Joins neighbours that show the same.
pub(super) fn merge(branches: Vec<Branch>) -> Vec<Branch> {
    let mut merged: Vec<Branch> = Vec::with_capacity(branches.len());
    for (condition, shown) in branches {
        match merged.last_mut() {
            Some((before, same)) if *same == shown => {
                *before = match (before.take(), condition) {
                    (Some(before), Some(condition)) => Some(either(before, condition)),
                    _ => None,
                };
            }
            _ => merged.push((condition, shown)),
        }
    }
    merged
}

/// The rows that some of these give.
pub(super) fn any_of<'a>(rows: impl Iterator<Item = &'a Rows>) -> Rows {
    let mut joined = Rows::Never;
    for rows in rows {
        joined = match (joined, rows) {
            (Rows::All, _) | (_, Rows::All) => return Rows::All,
            (joined, Rows::Never) => joined,
            (Rows::Never, Rows::Some(condition)) => Rows::Some(condition.clone()),
            (Rows::Some(before), Rows::Some(condition)) => Rows::Some(either(before, condition.clone())),
        };
    }
    joined
}

fn either(left: Expr, right: Expr) -> Expr {
    if left == right {
        return left;
    }
    match left {
        Expr::Or(mut terms) => {
            if !terms.contains(&right) {
                terms.push(right);
            }
            Expr::Or(terms)
        }
        left => Expr::Or(vec![left, right]),
    }
}
