//! CSV files, read strictly: a row is as long as its header, a cell is of its
//! type or the query ends. Nothing is guessed, trimmed or rounded.

mod reader;
mod record;

use super::definition::CsvOptions;
use super::error::{Drift, SourceError};
use super::files::{FileSet, PinnedFile};
use super::input::explained;
use super::rows::{MAX_ROW_BYTES, malformed};
use record::{Record, RecordError, RecordReader};

pub(super) use reader::CsvReader;

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
    pub(super) fn columns(&self) -> &[String] {
        match self {
            Self::Names(names) => names,
            Self::None | Self::EmptyFile => &[],
        }
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

/// The header of a file. Blocks.
pub(super) fn read_header(
    options: &CsvOptions,
    files: &FileSet,
    file: &PinnedFile,
) -> Result<Header, SourceError> {
    if file.size() == 0 {
        return Ok(Header::EmptyFile);
    }
    if !options.header {
        return Ok(Header::None);
    }
    let mut reader = RecordReader::new(files.open(file)?, options.delimiter);
    let mut record = Record::default();
    let error = match reader.read(&mut record) {
        Ok(true) => match record.texts() {
            Some(names) => return Ok(Header::Names(names)),
            None => RecordError::NotUtf8,
        },
        Ok(false) => return Ok(Header::EmptyFile),
        Err(error) => error,
    };
    Err(bad_row(files, file, (reader.rows(), reader.line()), error))
}

fn bad_row(files: &FileSet, file: &PinnedFile, at: (u64, u64), error: RecordError) -> SourceError {
    match error {
        RecordError::Io(cause) => explained(&files.table, cause),
        RecordError::TooLong => {
            malformed(files, file, at, &error);
            SourceError::RowTooLong { table: files.table.clone(), row: at.0, limit: MAX_ROW_BYTES }
        }
        _ => malformed(files, file, at, &error),
    }
}
