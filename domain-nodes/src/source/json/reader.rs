//! The rows of one file of JSON lines.

use super::column::Column;
use super::line::{LineReader, Object, bad_row};
use crate::source::error::SourceError;
use crate::source::input::Input;
use crate::source::rows::{FileReader, MAX_BATCH_BYTES, Rows, TextFile};

/// Reads the columns by their names.
pub(in crate::source) struct JsonReader {
    text: TextFile,
    lines: LineReader<Input>,
    /// One per column of the text.
    columns: Vec<Column>,
}

impl JsonReader {
    pub(in crate::source) fn new(text: TextFile) -> Result<Self, SourceError> {
        let columns: Option<Vec<Column>> =
            text.columns.iter().map(|column| Column::new(&column.data_type)).collect();
        let columns = columns.ok_or_else(|| {
            SourceError::unreadable(&text.files.table, "a column has a type that JSON cannot hold")
        })?;
        let lines = LineReader::new(text.files.open(&text.file)?);
        Ok(Self { text, lines, columns })
    }

    /// Adds the next row and gives its length; `None` at the end of the file.
    fn append(&mut self) -> Result<Option<usize>, SourceError> {
        let Self { text, lines, columns } = self;
        let bad_row = |error, at| bad_row(&text.files, &text.file, at, error);
        if !lines.advance().map_err(|error| bad_row(error, lines.at()))? {
            return Ok(None);
        }
        let at = lines.at();
        let line = lines.text().map_err(|error| bad_row(error, at))?;
        let row = Object::parse(line).map_err(|error| bad_row(error, at))?;
        for (builder, column) in columns.iter_mut().zip(&text.columns) {
            let value = row.get(&column.source_name);
            if builder.append(value) {
                continue;
            }
            text.bad_cell(column, at, value.unwrap_or_default())?;
            if !builder.replace_bad() {
                return Err(text.bad_cell_error(column, at));
            }
        }
        Ok(Some(line.len()))
    }
}

impl FileReader for JsonReader {
    fn read(&mut self, rows: usize) -> Result<Option<Rows>, SourceError> {
        let (mut count, mut bytes) = (0, 0);
        while count < rows && bytes < MAX_BATCH_BYTES {
            let Some(length) = self.append()? else { break };
            count += 1;
            bytes += length;
        }
        if count == 0 {
            return Ok(None);
        }
        let arrays = self.columns.iter_mut().map(Column::finish).collect::<Result<_, _>>();
        let arrays = arrays.map_err(|cause| SourceError::unreadable(&self.text.files.table, cause))?;
        Ok(Some(Rows { count, arrays }))
    }

    fn check(&self) -> Result<(), SourceError> {
        self.text.files.check_read(&self.text.file, self.lines.input())
    }
}
