//! Where a contract says that a table's data lies.

use std::path::PathBuf;

/// Files, their format, and how their columns are called.
#[derive(Debug, Clone)]
pub struct SourceDefinition {
    /// A file, a folder or a glob; relative paths start at the contract's folder.
    pub(crate) path: PathBuf,
    pub(crate) format: Format,
    /// One per column of the contract, in its order.
    pub(crate) columns: Vec<SourceColumn>,
}

/// Format of the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Format {
    Parquet,
    Csv(CsvOptions),
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
    /// Extension of files in a folder.
    pub(crate) fn extension(&self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Csv(_) => "csv",
        }
    }
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self { delimiter: b',', header: true, null_text: String::new() }
    }
}
