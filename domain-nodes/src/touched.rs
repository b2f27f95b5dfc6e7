//! Which columns a query reads, noted by its secured tables while it is planned.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// Most names of a kind that are noted.
const NAMES: usize = 1_000;

/// Columns, as `domain.table.column`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Columns {
    /// Visible ones.
    pub(crate) read: BTreeSet<String>,
    /// Those of them that show something else than the raw value.
    pub(crate) masked: BTreeSet<String>,
    /// Columns that do not exist for the caller and that rules look at.
    pub(crate) hidden: BTreeSet<String>,
}

/// The columns of one query.
#[derive(Debug, Default)]
pub(crate) struct Touched(Mutex<Columns>);

impl Touched {
    pub(crate) fn note(&self, note: impl FnOnce(&mut Columns)) {
        note(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// What was noted, within the bound.
    pub(crate) fn columns(&self) -> Columns {
        let columns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let some = |names: &BTreeSet<String>| names.iter().take(NAMES).cloned().collect();
        Columns { read: some(&columns.read), masked: some(&columns.masked), hidden: some(&columns.hidden) }
    }
}
