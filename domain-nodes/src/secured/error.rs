//! What can go wrong with a secured table, and how little of it gets out.

use std::fmt;

use datafusion::error::DataFusionError;
use uuid::Uuid;

use super::scrub::ScrubError;
use crate::lookups::LookupError;
use crate::source::SourceError;

/// Why a decision cannot be enforced on a table. For the node's log: some
/// texts name hidden columns.
#[derive(Debug, thiserror::Error)]
pub enum SecureError {
    #[error("the source's columns are not the contract's: {0}")]
    SourceColumns(String),
    #[error("the decision does not fit the contract: column {0:?}")]
    DecisionColumns(String),
    #[error("the decision shows no column")]
    NothingVisible,
    #[error("an expression of the decision cannot be computed: {0}")]
    Expression(String),
    #[error("a space of pseudonyms has no key")]
    NoPseudonymKey,
}

/// The end of a scan, as far as anybody above the barrier may know. The
/// cause stands in the node's log under the same id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The source is missing or broken, or does not keep a promise of its contract.
    #[error("table unavailable ({id})")]
    Unavailable { id: Uuid },
    /// The data changed while the query read it; the query can be run again.
    #[error("the table's data changed while it was read ({id})")]
    Changed { id: Uuid },
    /// The query used up its memory or its space for spilling.
    #[error("a limit of the query was reached ({id})")]
    LimitReached { id: Uuid },
    #[error("the query was cancelled ({id})")]
    Cancelled { id: Uuid },
}

/// A [`ReadError`] as it comes out of a barrier, with the table that was read.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct TableError {
    /// Without its domain.
    pub table: String,
    pub error: ReadError,
}

impl fmt::Debug for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // No name: between barriers it may be that of a lookup's table, which callers do not know.
        self.error.fmt(f)
    }
}

impl TableError {
    /// The error of this kind that `error` is or wraps.
    #[must_use]
    pub fn find(error: &DataFusionError) -> Option<&Self> {
        match error {
            DataFusionError::External(external) => Self::find_in(external.as_ref()),
            DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => Self::find(inner),
            DataFusionError::Shared(inner) => Self::find(inner),
            DataFusionError::Collection(errors) => errors.iter().find_map(Self::find),
            DataFusionError::ArrowError(inner, _) => match inner.as_ref() {
                arrow::error::ArrowError::ExternalError(external) => Self::find_in(external.as_ref()),
                _ => None,
            },
            _ => None,
        }
    }

    fn find_in<'e>(external: &'e (dyn std::error::Error + Send + Sync + 'static)) -> Option<&'e Self> {
        external
            .downcast_ref::<Self>()
            .or_else(|| external.downcast_ref::<DataFusionError>().and_then(Self::find))
    }
}

impl From<TableError> for DataFusionError {
    fn from(error: TableError) -> Self {
        Self::External(Box::new(error))
    }
}

/// What a barrier stops at. Displayed in the node's log only.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("{0}")]
    Below(#[from] DataFusionError),
    #[error(
        "required column {column:?} is NULL in row {row} of the rows that passed in partition {partition}"
    )]
    PromiseBroken { column: String, row: u64, partition: usize },
    #[error("column {column:?}: {cause}")]
    Scrub { column: String, cause: ScrubError },
    #[error("{0}")]
    Shape(String),
}

/// Writes the cause to the log and gives what may be said about it.
pub(super) fn withhold(table: &str, failure: &Failure) -> TableError {
    let name = table.split_once('.').map_or(table, |(_, name)| name);
    let of_table = |error| TableError { table: name.to_owned(), error };
    if let Failure::Below(below) = failure
        && let Some(known) = TableError::find(below)
    {
        return of_table(known.error);
    }
    let id = Uuid::now_v7();
    let (error, class) = classify(failure, id);
    tracing::warn!(%id, table, class, cause = %failure, "reading a table failed");
    of_table(error)
}

fn classify(failure: &Failure, id: Uuid) -> (ReadError, &'static str) {
    match failure {
        Failure::Below(DataFusionError::External(external)) if external.is::<LookupError>() => {
            let lookup = external.downcast_ref::<LookupError>();
            (lookup.map_or(ReadError::Unavailable { id }, |lookup| lookup.seen_above(id)), "lookup")
        }
        Failure::Below(below) => classify_below(below.find_root(), id),
        Failure::PromiseBroken { .. } => (ReadError::Unavailable { id }, "promise_broken"),
        Failure::Scrub { .. } | Failure::Shape(_) => (ReadError::Unavailable { id }, "inconsistent_data"),
    }
}

fn classify_below(root: &DataFusionError, id: Uuid) -> (ReadError, &'static str) {
    match root {
        DataFusionError::ResourcesExhausted(_) => (ReadError::LimitReached { id }, "limit"),
        DataFusionError::ExecutionJoin(join) if join.is_cancelled() => {
            (ReadError::Cancelled { id }, "cancelled")
        }
        DataFusionError::External(external) => match external.downcast_ref::<SourceError>() {
            Some(SourceError::Changed { .. }) => (ReadError::Changed { id }, "changed"),
            Some(SourceError::BrokenPromise { .. }) => (ReadError::Unavailable { id }, "promise_broken"),
            Some(SourceError::Drift { .. }) => (ReadError::Unavailable { id }, "drift"),
            Some(SourceError::BadCell { .. } | SourceError::Malformed { .. }) => {
                (ReadError::Unavailable { id }, "broken_data")
            }
            Some(SourceError::Refused { .. } | SourceError::Store { .. }) => {
                (ReadError::Unavailable { id }, "storage")
            }
            _ => (ReadError::Unavailable { id }, "source"),
        },
        DataFusionError::ObjectStore(store) => match store.as_ref() {
            object_store::Error::Precondition { .. } | object_store::Error::NotModified { .. } => {
                (ReadError::Changed { id }, "changed")
            }
            _ => (ReadError::Unavailable { id }, "storage"),
        },
        DataFusionError::ParquetError(_) | DataFusionError::ArrowError(_, _) => {
            (ReadError::Unavailable { id }, "broken_data")
        }
        DataFusionError::IoError(_) => (ReadError::Unavailable { id }, "storage"),
        _ => (ReadError::Unavailable { id }, "other"),
    }
}
