//! The files of one partition, one after the other, as batches under the
//! contract's schema.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};

use super::{Content, FileReader, RowFile, RowScan, Rows, TextFile};
use crate::source::arrow_ipc::ArrowReader;
use crate::source::csv::CsvReader;
use crate::source::error::SourceError;
use crate::source::json::JsonReader;
use crate::source::promise;

pub(super) struct PartitionReader<'a> {
    scan: &'a RowScan,
    batch_rows: usize,
    /// Rows that are still wanted.
    left: usize,
}

impl<'a> PartitionReader<'a> {
    pub(super) fn new(scan: &'a RowScan, batch_rows: usize) -> Self {
        Self { scan, batch_rows, left: scan.fetch.unwrap_or(usize::MAX) }
    }

    pub(super) fn run(
        mut self,
        partition: usize,
        send: &mut dyn FnMut(RecordBatch) -> bool,
    ) -> Result<(), SourceError> {
        for file in self.scan.groups.get(partition).into_iter().flatten() {
            if self.left == 0 {
                break;
            }
            if !self.read_file(file, send)? {
                return Ok(());
            }
        }
        self.scan.files.check()
    }

    /// `false` if nobody wants more rows.
    fn read_file(
        &mut self,
        file: &RowFile,
        send: &mut dyn FnMut(RecordBatch) -> bool,
    ) -> Result<bool, SourceError> {
        let mut reader = self.reader(file)?;
        while self.left > 0 {
            let Some(rows) = reader.read(self.batch_rows.min(self.left))? else { break };
            self.left = self.left.saturating_sub(rows.count);
            if !send(self.batch(file, rows)?) {
                return Ok(false);
            }
        }
        reader.check()?;
        Ok(true)
    }

    fn reader(&self, file: &RowFile) -> Result<Box<dyn FileReader>, SourceError> {
        let scan = self.scan;
        let in_file = scan.columns.iter().zip(&file.constants).filter(|(_, constant)| constant.is_none());
        let columns = in_file.map(|(column, _)| column.clone()).collect();
        let text = TextFile {
            files: Arc::clone(&scan.files),
            file: Arc::clone(&file.file),
            columns,
            findings: scan.findings.clone(),
        };
        Ok(match &file.content {
            Content::Csv { options, width, positions } => {
                Box::new(CsvReader::new(text, options, *width, positions.clone())?)
            }
            Content::JsonLines => Box::new(JsonReader::new(text)?),
            Content::Arrow { header, positions } => {
                Box::new(ArrowReader::new(&scan.files, &file.file, header, positions.clone())?)
            }
        })
    }

    fn batch(&self, file: &RowFile, rows: Rows) -> Result<RecordBatch, SourceError> {
        let files = &self.scan.files;
        let mut read = rows.arrays.into_iter();
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.scan.columns.len());
        for (constant, field) in file.constants.iter().zip(self.scan.schema.fields()) {
            let array = match constant {
                Some(value) => value
                    .to_array_of_size(rows.count)
                    .map_err(|cause| SourceError::unreadable(&files.table, cause))?,
                None => read
                    .next()
                    .ok_or_else(|| SourceError::unreadable(&files.table, "a column was not read"))?,
            };
            arrays.push(promise::kept(files, field, &array)?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows.count));
        RecordBatch::try_new_with_options(Arc::clone(&self.scan.schema), arrays, &options)
            .map_err(|cause| SourceError::unreadable(&files.table, cause))
    }
}
