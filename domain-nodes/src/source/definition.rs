//! Where a contract says that a table's data lies.

use std::path::PathBuf;

use super::bucket::BucketLocation;

/// Files, their format, and how their columns are called.
#[derive(Debug, Clone)]
pub struct SourceDefinition {
    pub(crate) location: Location,
    pub(crate) format: Format,
    /// One per column of the contract, in its order.
    pub(crate) columns: Vec<SourceColumn>,
}

/// A file, a folder or a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Location {
    /// On this machine.
    Disk(PathBuf),
    /// In an object store.
    Bucket(BucketLocation),
}

/// Format of the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Format {
    Parquet,
    Csv(CsvOptions),
    /// One object a line.
    JsonLines,
    /// Arrow IPC, files and streams.
    Arrow,
}

/// How a CSV file is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CsvOptions {
    pub(crate) delimiter: u8,
    /// The first row holds the names of the columns.
    pub(crate) header: bool,
    /// An unquoted cell with this text is NULL.
    pub(crate) null_text: String,
}

/// A column as the files call it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SourceColumn {
    pub(crate) name: String,
    /// The value stands in the path as `name=value`, if it does.
    pub(crate) partition: bool,
}

impl Format {
    /// Extensions of files in a folder.
    pub(crate) fn extensions(&self) -> &'static [&'static str] {
        match self {
            Self::Parquet => &["parquet"],
            Self::Csv(_) => &["csv"],
            Self::JsonLines => &["jsonl", "ndjson", "json"],
            Self::Arrow => &["arrow", "arrows"],
        }
    }
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self { delimiter: b',', header: true, null_text: String::new() }
    }
}
