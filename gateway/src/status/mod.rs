//! Every way in which a request can fail, and the one match that tells it to
//! the caller.
//!
//! A caller gets one sentence with a remedy and the query id: never a cell, a
//! hidden name, a path or policy text. Only codes that ADBC hands on unchanged
//! are used. What happened exactly goes to the log, under the same query id.

mod datafusion;
mod domain;
mod name;

use std::fmt;

use meshgate_engine::{audit::AuditError, failure::ExpressionFault as EngineFault, sentences};
use tonic::{Code, Status, metadata::MetadataValue};

use crate::{identity::Unauthenticated, parameters::ParameterFault, ticket::InvalidTicket};

pub(crate) use name::ShownName;

/// Response header, and key of the status metadata, with the query id.
pub(crate) const QUERY_ID_HEADER: &str = "x-query-id";

/// Request header that chooses the purpose of a call.
pub(crate) const PURPOSE_HEADER: &str = "meshgate-purpose";
/// Session option, and name in `SET`, that chooses the purpose of a session.
pub(crate) const PURPOSE_SETTING: &str = "meshgate.purpose";

/// Why a request failed.
#[derive(Debug, Clone)]
pub(crate) enum GatewayError {
    Unauthenticated(Unauthenticated),
    /// The text is not a statement that is accepted; the sentence is made of the caller's own text.
    Statement(String),
    /// A table that is hidden, or is not there: the same to the caller.
    UnknownTable(ShownName),
    /// A column that is hidden, or is not there: the same to the caller.
    UnknownColumn(ShownName),
    AmbiguousColumn(ShownName),
    DuplicateColumn(ShownName),
    /// A function that is refused, or is not there: the same to the caller.
    UnknownFunction(ShownName),
    /// A table or column that exists for the caller under another purpose, which it may choose.
    OtherPurpose {
        missing: Box<GatewayError>,
        purposes: Vec<String>,
    },
    /// A purpose that is not declared, or not the caller's to choose: the same to the caller.
    Purpose {
        chosen: ShownName,
        /// What the caller may choose.
        purposes: Vec<String>,
    },
    Session(SessionFault),
    Planning(PlanningFault),
    /// Values do not fit the statement's parameters.
    Parameters(ParameterFault),
    /// An expression of the statement failed on values that the caller may see.
    Expression(ExpressionFault),
    Limit(Limit),
    DomainUnavailable {
        domain: String,
        /// For the log.
        detail: String,
    },
    /// A node does not accept what this gateway sends.
    DomainRefused {
        domain: String,
        /// For the log.
        detail: String,
    },
    TableUnavailable(ShownName),
    /// Policies changed twice while the statement was planned.
    PolicyMoved,
    /// The result would have another schema than GetFlightInfo promised.
    SchemaChanged,
    /// What the caller may see changed while the result was given.
    AccessChanged,
    InvalidTicket,
    /// The request is malformed; says what is expected.
    InvalidRequest(&'static str),
    /// A command, action or method that this server does not offer.
    Unsupported(&'static str),
    Cancelled,
    Stopping,
    AuditUnwritable(AuditError),
    /// A mistake of ours. The text is for the log.
    Internal(String),
    /// An error of the engine that is not known here. Its text may quote cells: it is for the debug log.
    Engine(String),
}

/// What does not fit in a statement, beyond names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PlanningFault {
    /// A selected column is neither grouped nor aggregated.
    Grouping,
    /// Types of operands or arguments do not fit.
    Types,
    /// Sides of a set operation, or a subquery, with different numbers of columns.
    ColumnCount,
    /// SQL that is not supported.
    Unsupported,
    /// Anything else.
    Other,
}

/// What is wrong with a session or its settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SessionFault {
    /// The client keeps none, so that nothing can be set.
    NotKept,
    /// Expired, changed, or somebody else's.
    Unusable,
    /// The purpose is chosen by a header already.
    PurposeInHeader,
    UnknownSetting(ShownName),
}

/// How an expression failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ExpressionFault {
    DivisionByZero,
    Overflow,
    Conversion,
    /// A scalar subquery gave more than one row.
    ManyRows,
    /// Anything else, of this function if it is known.
    Other(Option<ShownName>),
}

/// A bound that was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    QueryTime,
    IdleTime,
    ResultRows,
    ResultBytes,
    QueryMemory,
    /// Memory of all queries.
    Memory,
    Spill,
    /// Queries of the gateway at the same time.
    Queries,
    /// Queries of one principal at the same time.
    PerPrincipal,
    /// A bound of a domain's node.
    Domain,
    /// Queries of a domain's node at the same time.
    DomainBusy,
}

impl GatewayError {
    /// The gRPC status of this error.
    pub(crate) fn status(&self, query_id: &str) -> Status {
        let (code, class) = self.code_and_class();
        self.log(query_id, class);
        let mut status = Status::new(code, format!("{self} (query {query_id})"));
        if let Ok(value) = MetadataValue::try_from(query_id) {
            status.metadata_mut().insert(QUERY_ID_HEADER, value);
        }
        status
    }

    /// The column that is not there for the caller, if that is what is wrong; without its table.
    pub(crate) fn missing_column(&self) -> Option<&str> {
        match self {
            Self::UnknownColumn(name) => name.text()?.rsplit('.').next(),
            Self::OtherPurpose { missing, .. } => missing.missing_column(),
            _ => None,
        }
    }

    /// The class of the error, for audit records and logs.
    pub(crate) fn class(&self) -> &'static str {
        self.code_and_class().1
    }

    /// The one place where errors become codes. No catch-all arm: a new error
    /// must be classified here.
    fn code_and_class(&self) -> (Code, &'static str) {
        match self {
            Self::Unauthenticated(_) => (Code::Unauthenticated, "unauthenticated"),
            Self::Statement(_) => (Code::InvalidArgument, "statement"),
            Self::UnknownTable(_) => (Code::NotFound, "unknown_table"),
            Self::UnknownColumn(_) => (Code::InvalidArgument, "unknown_column"),
            Self::AmbiguousColumn(_) => (Code::InvalidArgument, "ambiguous_column"),
            Self::DuplicateColumn(_) => (Code::InvalidArgument, "duplicate_column"),
            Self::UnknownFunction(_) => (Code::InvalidArgument, "unknown_function"),
            Self::OtherPurpose { missing, .. } => missing.code_and_class(),
            Self::Purpose { .. } => (Code::PermissionDenied, "purpose"),
            Self::Session(_) => (Code::InvalidArgument, "session"),
            Self::Planning(_) => (Code::InvalidArgument, "planning"),
            Self::Parameters(_) => (Code::InvalidArgument, "parameters"),
            Self::Expression(_) => (Code::InvalidArgument, "expression"),
            Self::Limit(limit) => (limit.code(), "limit"),
            Self::DomainUnavailable { .. } => (Code::Unavailable, "domain_unavailable"),
            Self::DomainRefused { .. } => (Code::Unavailable, "domain_refused"),
            Self::TableUnavailable(_) => (Code::Unavailable, "table_unavailable"),
            Self::PolicyMoved => (Code::Unavailable, "policy_moved"),
            Self::SchemaChanged => (Code::InvalidArgument, "schema_changed"),
            Self::AccessChanged => (Code::PermissionDenied, "access_changed"),
            Self::InvalidTicket => (Code::InvalidArgument, "invalid_ticket"),
            Self::InvalidRequest(_) => (Code::InvalidArgument, "invalid_request"),
            Self::Unsupported(_) => (Code::Unimplemented, "unsupported"),
            Self::Cancelled => (Code::Cancelled, "cancelled"),
            Self::Stopping => (Code::Unavailable, "stopping"),
            Self::AuditUnwritable(_) => (Code::Unavailable, "audit_unwritable"),
            Self::Internal(_) | Self::Engine(_) => (Code::Internal, "internal"),
        }
    }

    fn log(&self, query_id: &str, class: &'static str) {
        match self {
            Self::Internal(detail) => tracing::error!(query_id, class, detail, "request failed"),
            Self::Engine(detail) => {
                tracing::error!(query_id, class, "request failed: the debug log has the engine's text");
                tracing::debug!(query_id, detail, "error of the engine");
            }
            Self::AuditUnwritable(error) => {
                let cause = std::error::Error::source(error).map(ToString::to_string);
                tracing::error!(query_id, class, %error, cause, "request failed");
            }
            Self::DomainUnavailable { domain, detail } | Self::DomainRefused { domain, detail } => {
                tracing::warn!(query_id, class, domain, detail, "request failed");
            }
            _ => tracing::debug!(query_id, class, "request failed"),
        }
    }
}

impl fmt::Display for GatewayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unauthenticated(error) => error.fmt(f),
            Self::Statement(sentence) => f.write_str(sentence),
            Self::UnknownTable(name) => write!(
                f,
                "table {name} does not exist or is not granted to you: check its spelling (`domain.table`), list your tables, or see who you are with `select * from mesh.system.whoami`"
            ),
            Self::UnknownColumn(name) => write!(
                f,
                "column {name} does not exist or is not granted to you: check its spelling, or see your columns with `select * from <table> limit 0`"
            ),
            Self::AmbiguousColumn(name) => {
                write!(f, "column {name} is in several tables of the statement: write it as `table.column`")
            }
            Self::DuplicateColumn(name) => {
                write!(
                    f,
                    "column {name} would be in the result of a subquery twice: give one of them an alias with `as`"
                )
            }
            Self::UnknownFunction(name) => {
                write!(
                    f,
                    "function {name} does not exist here: the documentation lists the functions that can be used"
                )
            }
            Self::OtherPurpose { missing, purposes } => write!(
                f,
                "{missing}. It is there for who works for {}: choose with the header `{PURPOSE_HEADER}`, or with `SET {PURPOSE_SETTING} = '..'`",
                listed(purposes)
            ),
            Self::Purpose { chosen, purposes } => {
                write!(f, "purpose {chosen} does not exist or is not yours to choose: ")?;
                if purposes.is_empty() {
                    f.write_str("your token names no purpose of this mesh, ask its operator")
                } else {
                    write!(f, "choose {}", listed(purposes))
                }
            }
            Self::Session(fault) => fault.fmt(f),
            Self::Planning(fault) => fault.fmt(f),
            Self::Parameters(fault) => fault.fmt(f),
            Self::Expression(fault) => fault.fmt(f),
            Self::Limit(limit) => limit.fmt(f),
            Self::DomainUnavailable { domain, .. } => {
                write!(
                    f,
                    "domain `{domain}` is not available now: try again later, or ask the domain's owner"
                )
            }
            Self::DomainRefused { domain, .. } => {
                write!(
                    f,
                    "domain `{domain}` does not accept requests of this gateway: ask the mesh's operator"
                )
            }
            Self::TableUnavailable(table) => {
                write!(f, "table {table} cannot be read now: ask the domain's owner and name the query")
            }
            Self::PolicyMoved => {
                f.write_str("policies changed while the statement was planned: run it again")
            }
            Self::AccessChanged => f.write_str(sentences::ACCESS_CHANGED),
            Self::SchemaChanged => {
                f.write_str("the columns of the result changed since the statement was planned: run it again")
            }
            Self::InvalidTicket => InvalidTicket.fmt(f),
            Self::InvalidRequest(expected) => write!(f, "the request is not understood: {expected}"),
            Self::Unsupported(what) => write!(f, "{what} is not supported by this server"),
            Self::Cancelled => f.write_str(sentences::CANCELLED),
            Self::Stopping => f.write_str("the gateway is stopping: try again in a moment"),
            Self::AuditUnwritable(_) => {
                f.write_str("the query was refused because it cannot be recorded: ask the mesh's operator")
            }
            Self::Internal(_) | Self::Engine(_) => {
                f.write_str("the gateway made a mistake: report it to the mesh's operator and name the query")
            }
        }
    }
}

impl std::error::Error for GatewayError {}

impl From<Unauthenticated> for GatewayError {
    fn from(error: Unauthenticated) -> Self {
        Self::Unauthenticated(error)
    }
}

impl From<InvalidTicket> for GatewayError {
    fn from(InvalidTicket: InvalidTicket) -> Self {
        Self::InvalidTicket
    }
}

impl From<ParameterFault> for GatewayError {
    fn from(fault: ParameterFault) -> Self {
        Self::Parameters(fault)
    }
}

impl From<AuditError> for GatewayError {
    fn from(error: AuditError) -> Self {
        Self::AuditUnwritable(error)
    }
}

impl fmt::Display for PlanningFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Grouping => {
                "a selected column is neither in `group by` nor inside an aggregate function: add it to `group by`, or aggregate it"
            }
            Self::Types => {
                "the types of an operator's or function's arguments do not fit: check their number, or convert one with `cast(.. as ..)`"
            }
            Self::ColumnCount => "the sides have different numbers of columns: select the same number on each side",
            Self::Unsupported => "the statement uses SQL that is not supported here: rewrite that part",
            Self::Other => sentences::NOT_PLANNED,
        })
    }
}

impl fmt::Display for SessionFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotKept => write!(
                f,
                "this client keeps no session in which a setting could stay: send the header `{PURPOSE_HEADER}` with each call, or let the client keep cookies"
            ),
            Self::Unusable => f.write_str(
                "the session cannot be used any more and is given up: set again what was set, or connect again",
            ),
            Self::PurposeInHeader => write!(
                f,
                "this connection chooses its purpose with the header `{PURPOSE_HEADER}`: change it there, or leave the header out"
            ),
            Self::UnknownSetting(name) => {
                write!(f, "setting {name} does not exist: the purpose is the one setting, `{PURPOSE_SETTING}`")
            }
        }
    }
}

/// Names of purposes are plain words.
fn listed(purposes: &[String]) -> String {
    let quoted: Vec<String> = purposes.iter().map(|purpose| format!("`{purpose}`")).collect();
    quoted.join(" or ")
}

impl From<EngineFault> for ExpressionFault {
    fn from(fault: EngineFault) -> Self {
        match fault {
            EngineFault::DivisionByZero => Self::DivisionByZero,
            EngineFault::Overflow => Self::Overflow,
            EngineFault::Conversion => Self::Conversion,
            EngineFault::ManyRows => Self::ManyRows,
            EngineFault::Other => Self::Other(None),
        }
    }
}

impl fmt::Display for ExpressionFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DivisionByZero => EngineFault::DivisionByZero.fmt(f),
            Self::Overflow => EngineFault::Overflow.fmt(f),
            Self::Conversion => EngineFault::Conversion.fmt(f),
            Self::ManyRows => EngineFault::ManyRows.fmt(f),
            Self::Other(Some(function)) => {
                write!(f, "function {function} failed on a value: check its arguments")
            }
            Self::Other(None) => EngineFault::Other.fmt(f),
        }
    }
}

impl Limit {
    fn code(self) -> Code {
        match self {
            Self::QueryTime | Self::IdleTime => Code::DeadlineExceeded,
            // It helps to try again.
            Self::Memory | Self::Queries | Self::PerPrincipal | Self::DomainBusy => Code::Unavailable,
            Self::ResultRows | Self::ResultBytes | Self::QueryMemory | Self::Spill | Self::Domain => {
                Code::InvalidArgument
            }
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::QueryTime => sentences::QUERY_TIME,
            Self::IdleTime => sentences::IDLE_TIME,
            Self::ResultRows => sentences::RESULT_ROWS,
            Self::ResultBytes => sentences::RESULT_BYTES,
            Self::QueryMemory => {
                "the query needs more memory than is allowed: join, sort or aggregate fewer rows"
            }
            Self::Memory => "the queries of the gateway use all its memory: try again in a moment",
            Self::Spill => {
                "the query needs more disk space than is left: join, sort or aggregate fewer rows, or try again later"
            }
            Self::Queries => "the gateway runs as many queries as it can: try again in a moment",
            Self::PerPrincipal => {
                "you run as many queries as are allowed at the same time: wait until one ends"
            }
            Self::DomainBusy => "a domain's node runs as many queries as it can: try again in a moment",
            Self::Domain => "the query reached a bound of a domain's node: read less, or aggregate more",
        })
    }
}

#[cfg(test)]
mod tests;
