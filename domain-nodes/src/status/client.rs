//! What a client is told that reads from the node itself: the gateway's
//! sentences as far as they are a client's matter, and a way to the gateway,
//! which knows more.

use meshgate_engine::failure::ExpressionFault;
use meshgate_engine::sentences;
use meshgate_proto::v1::domain_error::{Class, Fault};
use tonic::{Code, Status};

use super::{Bound, QueryError, Verdict};

/// The status of an error, without details.
pub(super) fn status(error: &QueryError, verdict: &Verdict, query_id: &str) -> Status {
    let (code, sentence) = match error {
        QueryError::Bound(bound) => of_bound(*bound),
        _ => of_class(verdict),
    };
    // A ticket without a good permit is nobody's query.
    let query = if query_id.is_empty() { String::new() } else { format!(" (query {query_id})") };
    Status::new(code, format!("{sentence}{query}"))
}

fn of_bound(bound: Bound) -> (Code, String) {
    let (code, sentence) = match bound {
        Bound::Rows => (Code::InvalidArgument, sentences::RESULT_ROWS),
        Bound::Bytes => (Code::InvalidArgument, sentences::RESULT_BYTES),
        Bound::IdleTime => (Code::DeadlineExceeded, sentences::IDLE_TIME),
    };
    (code, sentence.to_owned())
}

fn of_class(verdict: &Verdict) -> (Code, String) {
    let (code, sentence) = match verdict.class {
        // Which of the two it is tells of policies.
        Class::Refused | Class::Moved => (
            Code::Unavailable,
            "the statement is not answered here as it was planned: run it again through the gateway",
        ),
        Class::TableUnavailable => {
            (Code::Unavailable, "a table cannot be read now: ask the domain's owner and name the query")
        }
        Class::Limit if verdict.limit == "query_time" => (Code::DeadlineExceeded, sentences::QUERY_TIME),
        Class::Limit if verdict.retry => (
            Code::Unavailable,
            "the domain's node does as much as it can: try again in a moment, or run it through the gateway",
        ),
        Class::Limit => (
            Code::InvalidArgument,
            "the query reached a bound of the domain's node: read less, or aggregate more",
        ),
        Class::Cancelled => (Code::Cancelled, sentences::CANCELLED),
        Class::AccessChanged => (Code::PermissionDenied, sentences::ACCESS_CHANGED),
        Class::Planning => (Code::InvalidArgument, sentences::NOT_PLANNED),
        Class::Expression => return (Code::InvalidArgument, of_fault(verdict.fault).to_string()),
        Class::Internal | Class::Unspecified => (
            Code::Unavailable,
            "the domain's node cannot answer now: run it again through the gateway, or ask the domain's owner",
        ),
    };
    (code, sentence.to_owned())
}

fn of_fault(fault: Fault) -> ExpressionFault {
    match fault {
        Fault::DivisionByZero => ExpressionFault::DivisionByZero,
        Fault::Overflow => ExpressionFault::Overflow,
        Fault::Conversion => ExpressionFault::Conversion,
        Fault::ManyRows => ExpressionFault::ManyRows,
        Fault::Unspecified => ExpressionFault::Other,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::error::DataFusionError;
    use meshgate_engine::permit::PermitError;
    use uuid::Uuid;

    use super::*;
    use crate::request::{Moved, Refusal};
    use crate::secured::ReadError;
    use crate::status::Told;

    fn said(error: &QueryError) -> (Code, String) {
        let status = error.report("q-1", Told::Client);
        assert!(status.details().is_empty() && status.metadata().is_empty(), "{status:?}");
        assert!(status.message().ends_with(" (query q-1)"), "{status:?}");
        (status.code(), status.message().to_owned())
    }

    #[test]
    fn a_client_gets_a_sentence_of_a_closed_set_and_nothing_of_the_node() {
        let id = Uuid::nil();
        let table = |error| QueryError::unavailable("hidden_table", error);
        let engine = QueryError::engine;
        let text = || "SECRET-1".to_owned();
        for (error, code, beginning) in [
            (Refusal::Digest.into(), Code::Unavailable, "the statement is not answered here"),
            (Refusal::Permit(PermitError::BeforeStart).into(), Code::Unavailable, "the statement is not"),
            (Moved::Decision.into(), Code::Unavailable, "the statement is not answered here"),
            (table(ReadError::Unavailable { id }), Code::Unavailable, "a table cannot be read now"),
            (table(ReadError::LimitReached { id }), Code::InvalidArgument, "the query reached a bound"),
            (QueryError::TooMany("direct_queries"), Code::Unavailable, "the domain's node does as much"),
            (QueryError::QueryTime, Code::DeadlineExceeded, "the query took longer"),
            (QueryError::Bound(Bound::Rows), Code::InvalidArgument, "the result has more rows"),
            (QueryError::Bound(Bound::Bytes), Code::InvalidArgument, "the result is larger"),
            (QueryError::Bound(Bound::IdleTime), Code::DeadlineExceeded, "the result was not read"),
            (QueryError::AccessChanged, Code::PermissionDenied, "what you may see changed"),
            (QueryError::Cancelled, Code::Cancelled, "the query was cancelled"),
            (QueryError::Stopping, Code::Unavailable, "the domain's node cannot answer now"),
            (QueryError::Internal("x"), Code::Unavailable, "the domain's node cannot answer now"),
            (engine(DataFusionError::Plan(text())), Code::Unavailable, "the domain's node cannot answer"),
            (
                QueryError::planning(DataFusionError::Plan(text())),
                Code::InvalidArgument,
                "the statement cannot be planned",
            ),
            (engine(DataFusionError::Execution(text())), Code::InvalidArgument, "an expression failed"),
        ] {
            let (said_code, sentence) = said(&error);
            assert_eq!(said_code, code, "{error:?}");
            assert!(sentence.starts_with(beginning), "{error:?}: {sentence}");
            assert!(!sentence.contains("SECRET") && !sentence.contains("hidden"), "{sentence}");
        }
    }

    #[test]
    fn refused_and_moved_look_the_same() {
        assert_eq!(said(&Refusal::Digest.into()), said(&Moved::Table.into()));
    }
}
