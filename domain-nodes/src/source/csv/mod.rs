//! CSV files, read strictly: a row is as long as its header, a cell is of its
//! type or the query ends. Nothing is guessed, trimmed or rounded.

mod cell;
mod record;
mod scan;

use std::fs::File;
use std::io::Read as _;
use std::sync::Arc;

use datafusion::scalar::ScalarValue;
use meshgate_policies::DataType;

use super::definition::CsvOptions;
use super::error::{Drift, SourceError};
use super::files::{FileSet, PinnedFile};
use record::{Record, RecordError, RecordReader};

pub(super) use scan::{CsvCell, CsvColumn, CsvFile, CsvScan};

/// Bytes that are looked at to guess how many rows a file has.
const SAMPLE_BYTES: usize = 64 * 1024;

/// The first row of a file, for files with a header.
#[derive(Debug)]
pub(super) enum Header {
    /// The names of the columns.
    Names(Vec<String>),
    /// The file has no header row: columns stand in the contract's order.
    None,
    /// There is not even a header: no rows, whatever the columns.
    EmptyFile,
}

impl Header {
    /// Names of the columns of the file, as far as it tells them.
    pub(super) fn columns(&self) -> impl Iterator<Item = &str> {
        let names: &[String] = match self {
            Self::Names(names) => names,
            Self::None | Self::EmptyFile => &[],
        };
        names.iter().map(String::as_str)
    }

    pub(super) fn drift(&self, name: &str) -> Option<Drift> {
        let Self::Names(names) = self else { return None };
        match names.iter().filter(|found| *found == name).count() {
            0 => Some(Drift::Missing),
            1 => None,
            _ => Some(Drift::Ambiguous),
        }
    }
}

/// Can values of this type stand in a cell?
pub(crate) fn can_hold(data_type: &DataType) -> bool {
    cell::Parser::new(data_type).is_some()
}

/// The value that a text stands for, `None` being NULL; `None` if it is not of the type.
pub(super) fn parse_scalar(data_type: &DataType, text: Option<&str>) -> Option<ScalarValue> {
    let mut parser = cell::Parser::new(data_type)?;
    match text {
        Some(text) => parser.append(text).then_some(())?,
        None => parser.append_null(),
    }
    ScalarValue::try_from_array(&parser.finish(), 0).ok()
}

/// The headers of all files, in their order.
pub(super) async fn read_headers(
    options: &CsvOptions,
    files: &Arc<FileSet>,
) -> Result<Vec<Header>, SourceError> {
    let (options, files_to_read) = (options.clone(), Arc::clone(files));
    let read = tokio::task::spawn_blocking(move || {
        files_to_read.files.iter().map(|file| read_header(&options, &files_to_read, file)).collect()
    });
    read.await.unwrap_or_else(|cause| Err(SourceError::unreadable(&files.table, cause)))
}

fn read_header(options: &CsvOptions, files: &FileSet, file: &PinnedFile) -> Result<Header, SourceError> {
    if file.identity.size == 0 {
        return Ok(Header::EmptyFile);
    }
    if !options.header {
        return Ok(Header::None);
    }
    let mut reader = RecordReader::new(files.open(file)?, options.delimiter);
    let mut record = Record::default();
    match reader.read(&mut record) {
        Ok(true) => match record.texts() {
            Some(names) => Ok(Header::Names(names)),
            None => Err(malformed(files, file, &reader, RecordError::NotUtf8)),
        },
        Ok(false) => Ok(Header::EmptyFile),
        Err(error) => Err(malformed(files, file, &reader, error)),
    }
}

/// Where a file stopped being CSV: file and line to the log, the row to the error.
fn malformed(
    files: &FileSet,
    file: &PinnedFile,
    reader: &RecordReader<File>,
    error: RecordError,
) -> SourceError {
    let (table, path) = (&files.table, file.path.display());
    let (row, line) = (reader.rows(), reader.line());
    tracing::error!(table, %path, row, line, %error, "a CSV file is not well-formed");
    match error {
        RecordError::TooLong => {
            SourceError::RowTooLong { table: table.clone(), row, limit: record::MAX_ROW_BYTES }
        }
        RecordError::Io(cause) => SourceError::unreadable(table, cause),
        _ => SourceError::Malformed { table: table.clone(), row },
    }
}

/// Rows by the number of lines in the first bytes of the largest file.
pub(super) async fn estimate_rows(files: &Arc<FileSet>) -> Option<u64> {
    let files = Arc::clone(files);
    let sampled = tokio::task::spawn_blocking(move || {
        let largest = files.files.iter().max_by_key(|file| file.identity.size)?;
        let sample_bytes = u64::try_from(SAMPLE_BYTES).ok()?;
        let mut sample = Vec::new();
        files.open(largest).ok()?.take(sample_bytes).read_to_end(&mut sample).ok()?;
        let lines = u64::try_from(sample.iter().filter(|byte| **byte == b'\n').count()).ok()?;
        let length = u64::try_from(sample.len()).ok()?.max(1);
        Some(files.bytes().saturating_mul(lines) / length)
    });
    sampled.await.ok()?
}
