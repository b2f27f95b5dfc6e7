//! The rows of one CSV file.

use std::sync::Arc;

use super::record::{Record, RecordError, RecordReader};
use super::{CsvOptions, bad_row};
use crate::source::cell::Parser;
use crate::source::error::SourceError;
use crate::source::input::Input;
use crate::source::rows::{FileReader, MAX_BATCH_BYTES, Rows, TextFile};

/// Reads the columns at some positions of a file.
pub(in crate::source) struct CsvReader {
    text: TextFile,
    null_text: String,
    /// Cells of every row.
    width: usize,
    /// One per column of the text, as the parsers.
    positions: Vec<usize>,
    parsers: Vec<Parser>,
    records: RecordReader<Input>,
    record: Record,
    is_header: bool,
}

impl CsvReader {
    pub(in crate::source) fn new(
        text: TextFile,
        options: &Arc<CsvOptions>,
        width: usize,
        positions: Vec<usize>,
    ) -> Result<Self, SourceError> {
        let parsers: Option<Vec<Parser>> =
            text.columns.iter().map(|column| Parser::new(&column.data_type)).collect();
        let parsers = parsers.ok_or_else(|| {
            SourceError::unreadable(&text.files.table, "a column has a type that CSV cannot hold")
        })?;
        let input = text.files.open(&text.file)?;
        Ok(Self {
            null_text: options.null_text.clone(),
            width,
            positions,
            parsers,
            records: RecordReader::new(input, options.delimiter),
            record: Record::default(),
            is_header: options.header,
            text,
        })
    }

    fn next(&mut self) -> Result<bool, SourceError> {
        let read = match self.records.read(&mut self.record) {
            Ok(true) if self.record.len() != self.width => {
                Err(RecordError::Width { found: self.record.len(), expected: self.width })
            }
            other => other,
        };
        read.map_err(|error| self.bad_row(error))
    }

    fn bad_row(&self, error: RecordError) -> SourceError {
        bad_row(&self.text.files, &self.text.file, (self.records.rows(), self.records.line()), error)
    }

    fn append(&mut self) -> Result<(), SourceError> {
        for (number, position) in self.positions.iter().enumerate() {
            let (Some(parser), Some(column)) = (self.parsers.get_mut(number), self.text.columns.get(number))
            else {
                continue;
            };
            let Some((cell, quoted)) = self.record.cell(*position) else {
                return Err(self.bad_row(RecordError::NotUtf8));
            };
            if !quoted && cell == self.null_text {
                parser.append_null();
            } else if !parser.append(cell) {
                self.text.bad_cell(column, (self.records.rows(), self.records.line()), cell)?;
                parser.append_null();
            }
        }
        Ok(())
    }
}

impl FileReader for CsvReader {
    fn read(&mut self, rows: usize) -> Result<Option<Rows>, SourceError> {
        let (mut count, mut bytes) = (0, 0);
        while count < rows && bytes < MAX_BATCH_BYTES && self.next()? {
            if std::mem::take(&mut self.is_header) {
                continue;
            }
            self.append()?;
            count += 1;
            bytes += self.record.byte_len();
        }
        if count == 0 {
            return Ok(None);
        }
        Ok(Some(Rows { count, arrays: self.parsers.iter_mut().map(Parser::finish).collect() }))
    }

    fn check(&self) -> Result<(), SourceError> {
        self.text.files.check_read(&self.text.file, self.records.input())
    }
}
