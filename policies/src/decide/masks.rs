//! The masks of one column, and how they come together.

use super::Shown;
use crate::{
    compile::{MaskId, TablePolicy, nested},
    expression::Expr,
};

/// The masks that rules can put on a column, and those that come of two of them.
pub(super) struct ColumnMasks<'a> {
    policy: &'a TablePolicy,
    index: usize,
    /// Their ids follow those of the policy's.
    combined: Vec<Expr>,
}

impl<'a> ColumnMasks<'a> {
    pub(super) fn new(policy: &'a TablePolicy, index: usize) -> Self {
        Self { policy, index, combined: Vec::new() }
    }

    fn redact(&self) -> MaskId {
        self.policy.redact.get(self.index).copied().unwrap_or(MaskId(usize::MAX))
    }

    pub(super) fn expr(&self, id: MaskId) -> Option<&Expr> {
        match self.policy.masks.get(id.0) {
            Some(mask) => Some(&mask.expr),
            None => self.combined.get(id.0.checked_sub(self.policy.masks.len())?),
        }
    }

    /// Several masks as one; `None` if there are none.
    pub(super) fn all(&mut self, masks: &[MaskId]) -> Option<MaskId> {
        masks.iter().copied().reduce(|left, right| self.both(left, right))
    }

    /// Two different masks never combine, but where they are of different fields inside the column.
    fn both(&mut self, left: MaskId, right: MaskId) -> MaskId {
        if left == right {
            return left;
        }
        let fields =
            self.expr(left).zip(self.expr(right)).and_then(|(left, right)| nested::both(left, right));
        let Some(fields) = fields else { return self.redact() };
        self.combined.push(fields);
        MaskId(self.policy.masks.len() + self.combined.len() - 1)
    }

    /// What restrictions leave of what grants show.
    pub(super) fn restricted(&mut self, shown: Shown, put: Option<MaskId>) -> Shown {
        let result = match (shown, put) {
            (Shown::Hidden, _) => Shown::Hidden,
            (shown, None) => shown,
            (Shown::Raw, Some(put)) => Shown::Masked(put),
            (Shown::Masked(mask), Some(put)) => Shown::Masked(self.both(mask, put)),
        };
        match result {
            Shown::Masked(mask) if self.is_null(mask) => Shown::Hidden,
            other => other,
        }
    }

    fn is_null(&self, mask: MaskId) -> bool {
        self.expr(mask).is_none_or(|mask| matches!(mask, Expr::Null(_)))
    }
}

impl TablePolicy {
    /// Do two masks of a column leave each other as they are?
    pub(super) fn agree(&self, left: MaskId, right: MaskId) -> bool {
        let expr = |id: MaskId| self.masks.get(id.0).map(|mask| &mask.expr);
        left == right || expr(left).zip(expr(right)).is_some_and(|(left, right)| nested::agree(left, right))
    }
}
