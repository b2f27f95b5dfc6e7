//! What files of text have in common: rows that are too long or not
//! well-formed, and cells that are not of their type.

use std::fmt;
use std::sync::Arc;

use super::RowColumn;
use crate::source::error::SourceError;
use crate::source::files::{FileSet, PinnedFile};
use crate::source::findings::{BadCell, Findings};

/// Longest row, which also bounds a cell and what a forgotten quote swallows.
pub(in crate::source) const MAX_ROW_BYTES: usize = 1024 * 1024;

/// A file of text that is read for some of its columns.
#[derive(Debug)]
pub(in crate::source) struct TextFile {
    pub(in crate::source) files: Arc<FileSet>,
    pub(in crate::source) file: Arc<PinnedFile>,
    /// Those that are asked for and stand in the file.
    pub(in crate::source) columns: Vec<RowColumn>,
    pub(in crate::source) findings: Option<Arc<Findings>>,
}

impl TextFile {
    /// What becomes of a cell that is not of its type: nothing more if a check
    /// collects it and has room, otherwise an error.
    pub(in crate::source) fn bad_cell(
        &self,
        column: &RowColumn,
        (row, line): (u64, u64),
        text: &str,
    ) -> Result<(), SourceError> {
        let cell = BadCell::new(&self.file, (row, line), (&column.name, &column.data_type), text);
        let error = self.bad_cell_error(column, (row, line));
        let Some(findings) = &self.findings else {
            cell.log(&self.files.table);
            return Err(error);
        };
        if findings.add(cell) { Ok(()) } else { Err(error) }
    }

    pub(in crate::source) fn bad_cell_error(&self, column: &RowColumn, (row, _): (u64, u64)) -> SourceError {
        SourceError::BadCell { table: self.files.table.clone(), column: column.name.clone(), row }
    }
}

/// Where a file stopped being what its format says: file and line to the log,
/// the row to the error.
pub(in crate::source) fn malformed(
    files: &FileSet,
    file: &PinnedFile,
    (row, line): (u64, u64),
    error: &dyn fmt::Display,
) -> SourceError {
    let table = &files.table;
    tracing::error!(table, path = %file, row, line, %error, "a row of a file is not well-formed");
    SourceError::Malformed { table: table.clone(), row }
}
