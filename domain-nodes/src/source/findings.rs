//! Cells that are not of their type. A query ends at the first one; the check
//! of a contract collects them, with what is in them, for the owner alone.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use meshgate_policies::DataType;

/// Most bad cells of a table that a check collects.
pub(super) const MAX_BAD_CELLS: usize = 100;
/// As much of a cell as is shown.
const TEXT_CHARS: usize = 64;

/// A cell that is not of its column's type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadCell {
    pub file: String,
    /// Of the file, from 1; the header counts.
    pub row: u64,
    pub line: u64,
    pub column: String,
    pub data_type: String,
    /// The beginning of what is in it.
    pub text: String,
}

/// The bad cells of one check.
#[derive(Debug, Default)]
pub(super) struct Findings(Mutex<Vec<BadCell>>);

impl Findings {
    /// Keeps a cell; `false` if there are enough of them.
    pub(super) fn add(&self, cell: BadCell) -> bool {
        // A poisoned lock only means that another thread died in here.
        let mut cells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cells.push(cell);
        cells.len() < MAX_BAD_CELLS
    }

    /// What was collected.
    pub(super) fn take(&self) -> Vec<BadCell> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl BadCell {
    pub(super) fn new(
        file: &impl fmt::Display,
        (row, line): (u64, u64),
        (column, data_type): (&str, &DataType),
        text: &str,
    ) -> Self {
        // Control characters could forge lines of a log or move a terminal's cursor.
        let visible = text.chars().take(TEXT_CHARS).map(|c| if c.is_control() { '\u{fffd}' } else { c });
        Self {
            file: file.to_string(),
            row,
            line,
            column: column.to_owned(),
            data_type: data_type.to_string(),
            text: visible.collect(),
        }
    }

    /// Says where the cell is. What is in it is for those who ask for it by
    /// name: the readers of a log need not be those of the data.
    pub(super) fn log(&self, table: &str) {
        let Self { file, row, line, column, data_type, text } = self;
        tracing::error!(table, column, path = file, row, line, data_type, "a cell is not of its type");
        tracing::trace!(target: "meshgate_cells", table, column, path = file, row, line, text);
    }
}

impl fmt::Display for BadCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, row, line, column, data_type, text } = self;
        write!(f, "{file}: row {row} (line {line}), column `{column}`: {text:?} is no {data_type}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_beginning_of_a_cell_is_kept_and_nothing_that_moves_a_cursor() {
        let text = format!("a\u{1b}[2J\n{}", "x".repeat(1000));
        let cell = BadCell::new(&"f.csv", (3, 4), ("c", &DataType::Date), &text);
        assert_eq!(cell.text.chars().count(), TEXT_CHARS);
        assert!(cell.text.starts_with("a\u{fffd}[2J\u{fffd}x"));
        assert_eq!(
            BadCell::new(&"f.csv", (3, 4), ("c", &DataType::Date), "x").to_string(),
            "f.csv: row 3 (line 4), column `c`: \"x\" is no date"
        );
    }

    #[test]
    fn a_check_collects_so_many_and_no_more() {
        let findings = Findings::default();
        let cell = BadCell::new(&"f", (1, 1), ("c", &DataType::Date), "");
        let added = (0..MAX_BAD_CELLS).filter(|_| findings.add(cell.clone())).count();
        assert_eq!(added, MAX_BAD_CELLS - 1);
        assert_eq!(findings.take().len(), MAX_BAD_CELLS);
    }
}
