//! What can go wrong between a contract and its files.
//!
//! The texts name table, column and row and never a cell or a path: those go
//! to the node's log, where the error is made. Callers do not even see these
//! texts; the barrier replaces them.

use datafusion::error::DataFusionError;

/// Why a table cannot be read, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("a folder that sources may lie in cannot be resolved")]
    Root {
        #[source]
        cause: std::io::Error,
    },
    #[error("the files of `{table}` cannot be found")]
    NotFound {
        table: String,
        #[source]
        cause: std::io::Error,
    },
    #[error("the path of `{table}` leaves what sources may lie in")]
    OutsideRoots { table: String },
    #[error("a symbolic link lies among the files of `{table}`")]
    SymbolicLink { table: String },
    #[error("what lies at the path of `{table}` is not a file")]
    NotAFile { table: String },
    #[error("there are no files for `{table}`")]
    NoFiles { table: String },
    #[error("node.yaml has no `credentials` for the server `{server}` that `{table}` lies on")]
    NoCredentials { table: String, server: String },
    #[error(
        "the object store refuses access to what `{table}` is made of: {reason}; \
         the keys in node.yaml, under `credentials`, must be allowed `s3:ListBucket` and `s3:GetObject` there"
    )]
    Refused { table: String, reason: String },
    #[error("the object store of `{table}` cannot be used: {reason}")]
    Store { table: String, reason: String },
    #[error("`{table}` has more than {limit} files or folders")]
    TooManyFiles { table: String, limit: usize },
    #[error("the folders of `{table}` are nested deeper than {limit}")]
    TooDeep { table: String, limit: usize },
    #[error("a path of `{table}` does not hold one value of the type of `{column}`")]
    Partition { table: String, column: String },
    #[error("the files of `{table}` changed while they were read")]
    Changed { table: String },
    #[error("`{table}.{column}` does not fit its contract: {drift}")]
    Drift { table: String, column: String, drift: Drift },
    #[error("row {row} of a file of `{table}` is not well-formed")]
    Malformed { table: String, row: u64 },
    #[error("row {row} of a file of `{table}` is longer than {limit} bytes")]
    RowTooLong { table: String, row: u64, limit: usize },
    #[error("`{table}.{column}` holds a value that is not of its type in row {row} of a file")]
    BadCell { table: String, column: String, row: u64 },
    #[error("a field of `{table}.{column}` is NULL although the contract requires it")]
    BrokenPromise { table: String, column: String },
    #[error("a file of `{table}` cannot be read")]
    Unreadable {
        table: String,
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// How a column of the files differs from the contract.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Drift {
    #[error("the files do not have it")]
    Missing,
    #[error("a file has it more than once")]
    Ambiguous,
    #[error("no row at the beginning of any file has it")]
    InNoRow,
    #[error("a file holds {found}, the contract says {expected}")]
    Type { found: String, expected: String },
}

impl SourceError {
    pub(super) fn unreadable(
        table: &str,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Unreadable { table: table.to_owned(), cause: cause.into() }
    }

    pub(super) fn changed(table: &str) -> Self {
        Self::Changed { table: table.to_owned() }
    }
}

impl From<SourceError> for DataFusionError {
    fn from(error: SourceError) -> Self {
        Self::External(Box::new(error))
    }
}
