//! Every way in which a domain query can fail, and the one place where that
//! becomes a gRPC status. A gateway is told a class, a client a sentence; the text
//! of the error, its causes included, goes to the log under the query's id.

use std::error::Error;

use datafusion::error::DataFusionError;
use meshgate_engine::audit::AuditError;
use meshgate_engine::failure::ExpressionFault;
use meshgate_engine::permit::PermitError;
use meshgate_engine::{EngineFailure, classify};
use meshgate_proto::v1::DomainError;
use meshgate_proto::v1::domain_error::{Class, Fault};
use prost::Message;
use tonic::{Code, Status};

use crate::audit::Outcome;
use crate::request::{Moved, Refusal};
use crate::secured::{ReadError, TableError};
use crate::source::SourceError;
use crate::state::OpenError;

mod client;

/// Why a domain query gave no complete result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum QueryError {
    #[error("refused")]
    Refused(#[from] Refusal),
    #[error("gateway and node differ")]
    Moved(#[from] Moved),
    #[error("the table `{table}` cannot be read")]
    Table { table: String, source: TableFault },
    #[error("the engine failed")]
    Engine(#[source] DataFusionError),
    #[error("the engine cannot plan it")]
    Planning(#[source] DataFusionError),
    #[error("more {0} than allowed at a time")]
    TooMany(&'static str),
    #[error("the query ran longer than it may")]
    QueryTime,
    #[error("the client's result reached the bound {}", .0.name())]
    Bound(Bound),
    #[error("no record of this query can be made")]
    Audit(#[from] AuditError),
    #[error("the gateway gave up")]
    Cancelled,
    #[error("what the caller may see changed while the query ran")]
    AccessChanged,
    #[error("the node is shutting down")]
    Stopping,
    #[error("the node is at fault: {0}")]
    Internal(&'static str),
}

/// Why a table cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TableFault {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// A bound of results that clients read themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bound {
    Rows,
    Bytes,
    IdleTime,
}

impl Bound {
    const fn name(self) -> &'static str {
        match self {
            Self::Rows => "result_rows",
            Self::Bytes => "result_bytes",
            Self::IdleTime => "direct_idle_time",
        }
    }
}

/// Who is told of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Told {
    /// A gateway, which makes a sentence of it.
    #[default]
    Gateway,
    /// A client: nothing of the node but what helps its user.
    Client,
}

/// What is said to the gateway.
struct Verdict {
    code: Code,
    class: Class,
    /// Which bound was reached.
    limit: &'static str,
    /// The same query may succeed when it is sent again.
    retry: bool,
    /// How an expression failed.
    fault: Fault,
    message: &'static str,
}

impl QueryError {
    pub(crate) fn unavailable(table: &str, fault: impl Into<TableFault>) -> Self {
        Self::Table { table: table.to_owned(), source: fault.into() }
    }

    /// An error of planning, before anything is executed.
    pub(crate) fn planning(error: DataFusionError) -> Self {
        match Self::engine(error) {
            Self::Engine(error) if classify(&error) == EngineFailure::Plan => Self::Planning(error),
            other => other,
        }
    }

    /// An error of planning or executing, which may have come up through the barrier.
    pub(crate) fn engine(error: DataFusionError) -> Self {
        match TableError::find(&error) {
            Some(found) => Self::unavailable(&found.table, found.error),
            None => Self::Engine(error),
        }
    }

    pub(crate) fn outcome(&self) -> Outcome {
        match self {
            Self::Refused(_) => Outcome::Refused,
            Self::Moved(_) => Outcome::Moved,
            Self::Cancelled => Outcome::Cancelled,
            Self::Table { .. }
            | Self::Engine(_)
            | Self::Planning(_)
            | Self::TooMany(_)
            | Self::QueryTime
            | Self::Bound(_)
            | Self::Audit(_)
            | Self::AccessChanged
            | Self::Stopping
            | Self::Internal(_) => Outcome::Error,
        }
    }

    /// What the audit record says of it: a text of ours, never one of the engine or of a source.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Refused(refusal) => refusal.to_string(),
            Self::Moved(moved) => moved.to_string(),
            Self::Table { .. }
            | Self::Engine(_)
            | Self::Planning(_)
            | Self::TooMany(_)
            | Self::QueryTime
            | Self::Bound(_)
            | Self::Audit(_)
            | Self::Cancelled
            | Self::AccessChanged
            | Self::Stopping
            | Self::Internal(_) => self.to_string(),
        }
    }

    /// Writes the whole error to the log and gives what may be said about it.
    pub(crate) fn report(&self, query_id: &str, told: Told) -> Status {
        let verdict = self.verdict();
        let cause = match self {
            // The engine's texts quote cells: they are for the debug log.
            Self::Engine(_) | Self::Planning(_) => {
                tracing::debug!(query_id, cause = causes(self), "the engine failed");
                self.to_string()
            }
            _ => causes(self),
        };
        match verdict.class {
            Class::Internal => tracing::error!(query_id, %cause, "a domain query failed"),
            Class::Unspecified
            | Class::Refused
            | Class::Moved
            | Class::TableUnavailable
            | Class::Limit
            | Class::Cancelled
            | Class::AccessChanged
            | Class::Planning
            | Class::Expression => tracing::warn!(query_id, %cause, "a domain query failed"),
        }
        let table = match self {
            Self::Table { table, .. } => table.clone(),
            _ => String::new(),
        };
        match told {
            Told::Gateway => verdict.status(query_id, table),
            Told::Client => client::status(self, &verdict, query_id),
        }
    }

    fn verdict(&self) -> Verdict {
        match self {
            Self::Refused(refusal) => Verdict {
                // A permit from before this node started: a fresh one will do.
                retry: *refusal == Refusal::Permit(PermitError::BeforeStart),
                ..Verdict::of(Code::PermissionDenied, Class::Refused, "refused")
            },
            Self::Moved(_) => Verdict {
                retry: true,
                ..Verdict::of(Code::Aborted, Class::Moved, "gateway and node hold different versions")
            },
            Self::Table { source, .. } => source.verdict(),
            Self::Audit(_) | Self::Internal(_) => Verdict::internal(),
            Self::Engine(error) => engine_verdict(error),
            Self::Planning(_) => {
                Verdict::of(Code::InvalidArgument, Class::Planning, "the engine cannot plan this")
            }
            Self::TooMany(limit) => Verdict { retry: true, ..Verdict::limit(limit) },
            Self::QueryTime => Verdict::time(),
            Self::Bound(bound) => Verdict::limit(bound.name()),
            Self::Cancelled => Verdict::cancelled(),
            Self::AccessChanged => Verdict::of(
                Code::Aborted,
                Class::AccessChanged,
                "what the principal may see changed while the query ran",
            ),
            Self::Stopping => Verdict {
                retry: true,
                ..Verdict::of(Code::Unavailable, Class::Internal, "the node is shutting down")
            },
        }
    }
}

impl TableFault {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Read(ReadError::LimitReached { .. }) => Verdict::limit("query_memory"),
            Self::Read(ReadError::Cancelled { .. }) => Verdict::cancelled(),
            Self::Read(ReadError::Changed { .. })
            | Self::Open(OpenError::Source(SourceError::Changed { .. })) => {
                Verdict { retry: true, ..Verdict::unavailable() }
            }
            Self::Open(_) | Self::Read(ReadError::Unavailable { .. }) => Verdict::unavailable(),
        }
    }
}

fn engine_verdict(error: &DataFusionError) -> Verdict {
    match classify(error) {
        EngineFailure::ResourcesExhausted { limit } => Verdict::limit(limit.name()),
        EngineFailure::Deadline => Verdict::time(),
        EngineFailure::Cancelled => Verdict::cancelled(),
        // Above a barrier, so of the statement's own and over visible values: what fails
        // below one comes out of it as a failure of its table.
        EngineFailure::Expression => Verdict::expression(ExpressionFault::of(error)),
        EngineFailure::Plan | EngineFailure::External | EngineFailure::Internal => Verdict::internal(),
    }
}

impl Verdict {
    fn of(code: Code, class: Class, message: &'static str) -> Self {
        Self { code, class, limit: "", retry: false, fault: Fault::Unspecified, message }
    }

    fn expression(fault: ExpressionFault) -> Self {
        let fault = match fault {
            ExpressionFault::DivisionByZero => Fault::DivisionByZero,
            ExpressionFault::Overflow => Fault::Overflow,
            ExpressionFault::Conversion => Fault::Conversion,
            ExpressionFault::ManyRows => Fault::ManyRows,
            ExpressionFault::Other => Fault::Unspecified,
        };
        Self { fault, ..Self::of(Code::InvalidArgument, Class::Expression, "an expression failed") }
    }

    fn internal() -> Self {
        Self::of(Code::Internal, Class::Internal, "the node failed")
    }

    fn cancelled() -> Self {
        Self::of(Code::Cancelled, Class::Cancelled, "cancelled")
    }

    fn unavailable() -> Self {
        // Not UNAVAILABLE: that is what a connection says that is gone.
        Self::of(Code::FailedPrecondition, Class::TableUnavailable, "the table is unavailable")
    }

    fn limit(limit: &'static str) -> Self {
        Self { limit, ..Self::of(Code::ResourceExhausted, Class::Limit, "a limit was reached") }
    }

    fn time() -> Self {
        let message = "the query ran longer than it may";
        Self { limit: "query_time", ..Self::of(Code::DeadlineExceeded, Class::Limit, message) }
    }

    fn status(self, query_id: &str, table: String) -> Status {
        let details = DomainError {
            class: self.class.into(),
            query_id: query_id.to_owned(),
            table,
            column: String::new(),
            function: String::new(),
            limit: self.limit.to_owned(),
            retry: self.retry,
            fault: self.fault.into(),
        };
        Status::with_details(self.code, self.message, details.encode_to_vec().into())
    }
}

/// The error and what caused it, in one line.
fn causes(error: &QueryError) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn said(error: QueryError) -> (Code, Class, String, bool) {
        let status = error.report("q-1", Told::Gateway);
        let details = DomainError::decode(status.details()).unwrap();
        assert_eq!(details.query_id, "q-1");
        assert!(!status.message().contains("SECRET") && !details.table.contains("SECRET"));
        (status.code(), details.class(), details.limit, details.retry)
    }

    #[test]
    fn every_class_has_its_code_and_no_text_of_the_cause() {
        let read = |error| QueryError::unavailable("orders", error);
        let id = Uuid::nil();
        let engine = QueryError::engine;
        let table = || "orders".to_owned();
        let text = || "SECRET-1".to_owned();
        let none = String::new();
        let limit = |name: &str| (Code::ResourceExhausted, Class::Limit, name.to_owned(), false);
        let unavailable = |retry| (Code::FailedPrecondition, Class::TableUnavailable, none.clone(), retry);
        let internal = (Code::Internal, Class::Internal, none.clone(), false);
        let expression = (Code::InvalidArgument, Class::Expression, none.clone(), false);
        for (error, expected) in [
            (Refusal::Digest.into(), (Code::PermissionDenied, Class::Refused, none.clone(), false)),
            (
                Refusal::Permit(PermitError::BeforeStart).into(),
                (Code::PermissionDenied, Class::Refused, none.clone(), true),
            ),
            (Moved::Decision.into(), (Code::Aborted, Class::Moved, none.clone(), true)),
            (read(ReadError::Unavailable { id }), unavailable(false)),
            (read(ReadError::Changed { id }), unavailable(true)),
            (read(ReadError::LimitReached { id }), limit("query_memory")),
            (
                engine(TableError { table: table(), error: ReadError::Changed { id } }.into()),
                unavailable(true),
            ),
            (engine(DataFusionError::ResourcesExhausted(text())), limit("spill")),
            (engine(DataFusionError::Execution(text())), expression),
            (engine(DataFusionError::Plan(text())), internal.clone()),
            (
                QueryError::planning(DataFusionError::NotImplemented(text())),
                (Code::InvalidArgument, Class::Planning, none.clone(), false),
            ),
            (QueryError::planning(DataFusionError::Internal(text())), internal.clone()),
            (QueryError::planning(DataFusionError::ResourcesExhausted(text())), limit("spill")),
            (QueryError::Internal("x"), internal),
            (QueryError::TooMany("x"), (Code::ResourceExhausted, Class::Limit, "x".into(), true)),
            (QueryError::QueryTime, (Code::DeadlineExceeded, Class::Limit, "query_time".into(), false)),
            (QueryError::Cancelled, (Code::Cancelled, Class::Cancelled, none.clone(), false)),
            (QueryError::AccessChanged, (Code::Aborted, Class::AccessChanged, none.clone(), false)),
            (QueryError::Stopping, (Code::Unavailable, Class::Internal, none.clone(), true)),
        ] {
            let name = format!("{error:?}");
            assert_eq!(said(error), expected, "{name}");
        }
    }
}
