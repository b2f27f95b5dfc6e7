//! What a node says of a failure, as an error of the gateway.
//!
//! A node's text is never handed on: callers get our sentences.

use meshgate_proto::v1::{
    DomainError,
    domain_error::{Class, Fault},
};
use prost::Message;
use tonic::{Code, Status};

use super::{ExpressionFault, GatewayError, Limit, PlanningFault, ShownName};

impl GatewayError {
    /// The error that `status` of a node of `domain` stands for.
    pub(crate) fn from_domain(domain: &str, status: &Status) -> Self {
        match DomainError::decode(status.details()) {
            Ok(error) if error.class() != Class::Unspecified => from_error(domain, &error, status),
            _ => from_code(domain, status),
        }
    }
}

fn from_error(domain: &str, error: &DomainError, status: &Status) -> GatewayError {
    match error.class() {
        // A permit that is too old for a node that has just started: not the operator's matter.
        Class::Refused if error.retry => unavailable(domain, status),
        Class::Refused => refused(domain, status),
        Class::Moved => GatewayError::PolicyMoved,
        Class::TableUnavailable => {
            // A node that speaks of another domain's table is not believed.
            let table = error.table.strip_prefix(domain).and_then(|rest| rest.strip_prefix('.'));
            let table = table.unwrap_or(&error.table);
            GatewayError::TableUnavailable(ShownName::new(&format!("{domain}.{table}")))
        }
        Class::Limit => GatewayError::Limit(match error.limit.as_str() {
            "query_time" => Limit::QueryTime,
            "query_memory" => Limit::QueryMemory,
            _ if error.retry => Limit::DomainBusy,
            _ => Limit::Domain,
        }),
        Class::Cancelled => GatewayError::Cancelled,
        Class::AccessChanged => GatewayError::AccessChanged,
        Class::Planning => GatewayError::Planning(PlanningFault::Other),
        Class::Internal | Class::Unspecified => unavailable(domain, status),
        Class::Expression => GatewayError::Expression(match error.fault() {
            Fault::DivisionByZero => ExpressionFault::DivisionByZero,
            Fault::Overflow => ExpressionFault::Overflow,
            Fault::Conversion => ExpressionFault::Conversion,
            Fault::ManyRows => ExpressionFault::ManyRows,
            Fault::Unspecified => {
                let function = (!error.function.is_empty()).then(|| ShownName::new(&error.function));
                ExpressionFault::Other(function)
            }
        }),
    }
}

/// A status without details: of the transport, or of a node of another version.
fn from_code(domain: &str, status: &Status) -> GatewayError {
    match status.code() {
        Code::DeadlineExceeded => GatewayError::Limit(Limit::QueryTime),
        Code::Unauthenticated | Code::PermissionDenied | Code::Unimplemented | Code::InvalidArgument => {
            refused(domain, status)
        }
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::NotFound
        | Code::AlreadyExists
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange
        | Code::Internal
        | Code::Unavailable
        | Code::DataLoss => unavailable(domain, status),
    }
}

fn refused(domain: &str, status: &Status) -> GatewayError {
    GatewayError::DomainRefused { domain: domain.to_owned(), detail: detail(status) }
}

fn unavailable(domain: &str, status: &Status) -> GatewayError {
    GatewayError::DomainUnavailable { domain: domain.to_owned(), detail: detail(status) }
}

fn detail(status: &Status) -> String {
    format!("{:?}: {}", status.code(), status.message())
}
