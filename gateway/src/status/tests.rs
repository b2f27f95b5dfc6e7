use std::sync::Arc;

use ::datafusion::{
    arrow::{
        array::{Int64Array, StringArray},
        error::ArrowError,
        record_batch::RecordBatch,
    },
    common::DataFusionError,
    physical_plan::collect,
    prelude::SessionContext,
};
use meshgate_engine::failure::Interruption;
use meshgate_proto::v1::{DomainError, domain_error::Class};
use prost::Message;

use super::*;

/// How running `sql` over `sales.orders(id, total, card)` fails.
#[allow(clippy::disallowed_methods, reason = "errors are made the simplest way")]
async fn failure(sql: &str) -> GatewayError {
    let context = SessionContext::new();
    let orders = RecordBatch::try_from_iter([
        ("id", Arc::new(Int64Array::from(vec![1, 2])) as _),
        ("total", Arc::new(Int64Array::from(vec![i64::MAX, 999])) as _),
        ("card", Arc::new(StringArray::from(vec!["4111", "SECRET"])) as _),
    ])
    .unwrap();
    context.register_batch("orders", orders).unwrap();
    let planned = async { context.sql(sql).await?.create_physical_plan().await };
    match planned.await {
        Err(error) => GatewayError::from_planning(&error),
        Ok(plan) => {
            let error = collect(plan, context.task_ctx()).await.expect_err(sql);
            GatewayError::from_execution(&error)
        }
    }
}

async fn sentence(sql: &str) -> String {
    let sentence = failure(sql).await.to_string();
    for leak in ["SECRET", "4111", "Did you mean", "alid fields", "orders.total", "9223"] {
        assert!(!sentence.contains(leak), "{sql}: {sentence}");
    }
    sentence
}

#[tokio::test]
async fn a039_a040_hidden_and_missing_names_look_the_same() {
    // A hidden column is absent from the schema; `totl` is near a visible one.
    for name in ["margin", "totl", "nothing"] {
        for sql in [
            format!("select {name} from orders"),
            format!("select id from orders where {name} > 1"),
            format!("select id from orders order by {name}"),
            format!("select count(*) from orders group by {name}"),
            format!("select upper({name}) from orders"),
        ] {
            let expected = sentence("select margin from orders").await.replace("margin", name);
            assert_eq!(sentence(&sql).await, expected, "{sql}");
        }
    }
    assert!(
        sentence("select o.nothing from orders o").await.starts_with("column `o.nothing` does not exist")
    );
}

#[tokio::test]
async fn a041_missing_tables() {
    let error = failure("select 1 from fin.nothing").await;
    assert_eq!(error.status("q1").code(), Code::NotFound);
    assert!(
        error.to_string().starts_with("table `datafusion.fin.nothing` does not exist or is not granted"),
        "{error}"
    );
    assert_eq!(error.class(), "unknown_table");
}

#[tokio::test]
async fn planning_errors_say_what_to_do() {
    for (sql, class, part) in [
        ("select nosuch(id) from orders", "unknown_function", "function `nosuch` does not exist here"),
        ("select * from nosuch(1)", "unknown_function", "function `nosuch` does not exist here"),
        ("select id, count(*) from orders", "planning", "add it to `group by`"),
        (
            "select a.id from orders a, orders b where id = 1",
            "ambiguous_column",
            "column `id` is in several tables",
        ),
        ("select id from orders union select id, total from orders", "planning", "select the same number"),
        ("select id + interval '1 day' from orders", "planning", "types of an operator's"),
        ("select upper() from orders", "planning", "types of an operator's"),
        ("select upper(id, id) from orders", "planning", "types of an operator's"),
        ("select id from", "statement", "the statement is not understood"),
        ("select id from orders where card", "planning", ""),
        ("select (select id, total from orders)", "planning", ""),
        ("select count(*) from orders where sum(id) > 1", "planning", ""),
    ] {
        let error = failure(sql).await;
        assert_eq!(error.class(), class, "{sql}: {error:?}");
        assert!(sentence(sql).await.contains(part), "{sql}: {error}");
        assert_eq!(error.status("q1").code(), Code::InvalidArgument, "{sql}");
    }
}

#[tokio::test]
async fn a051_failures_on_values_show_no_cell() {
    use ExpressionFault::{Conversion, DivisionByZero, ManyRows, Overflow};
    for (sql, expected) in [
        ("select 1/(total-999) from orders", DivisionByZero),
        ("select total % (total-999) from orders", DivisionByZero),
        ("select cast(card as int) from orders", Conversion),
        ("select arrow_cast(card, 'Int8') from orders", Conversion),
        ("select cast(card as date) from orders", Conversion),
        ("select to_timestamp(card) from orders", Conversion),
        ("select cast(total as int) from orders", Conversion),
        ("select d * d * d from (select cast(total as decimal(38, 0)) as d from orders)", Overflow),
        ("select (select id from orders)", ManyRows),
    ] {
        match failure(sql).await {
            GatewayError::Expression(fault) => assert_eq!(fault, expected, "{sql}"),
            other => panic!("{sql}: {other:?}"),
        }
        sentence(sql).await;
    }
    for pattern in ["card ~ ('(' || card)", "regexp_replace(card, '(' || card, 'x')"] {
        let regex = failure(&format!("select {pattern} from orders")).await;
        assert_eq!(regex.class(), "expression", "{regex:?}");
    }
}

#[test]
fn wrapped_errors_are_looked_through() {
    let moved = || DataFusionError::External(Box::new(GatewayError::PolicyMoved));
    let arrow = |error: DataFusionError| {
        DataFusionError::ArrowError(Box::new(ArrowError::ExternalError(Box::new(error))), None)
    };
    for error in [
        moved(),
        moved().context("x"),
        DataFusionError::Shared(Arc::new(moved())),
        DataFusionError::Collection(vec![moved(), DataFusionError::Internal("x".to_owned())]),
        arrow(moved().context("x")),
        DataFusionError::External(Box::new(arrow(DataFusionError::Shared(Arc::new(moved()))))),
    ] {
        assert!(matches!(GatewayError::from_execution(&error), GatewayError::PolicyMoved), "{error:?}");
        assert!(matches!(GatewayError::from_planning(&error), GatewayError::PolicyMoved), "{error:?}");
    }
    let deep = (0..1000).fold(moved(), |error, _| error.context("x"));
    assert_eq!(GatewayError::from_execution(&deep).class(), "internal");
    // Dropping it must not be what fails.
    drop(deep);
}

#[test]
fn what_is_not_known_is_a_mistake_of_ours() {
    for error in [
        DataFusionError::Internal("cell SECRET".to_owned()),
        DataFusionError::Plan("cell SECRET".to_owned()),
        DataFusionError::Configuration("SECRET".to_owned()),
        DataFusionError::External("SECRET".into()),
        DataFusionError::IoError(std::io::ErrorKind::PermissionDenied.into()),
        DataFusionError::IoError(std::io::Error::new(std::io::ErrorKind::StorageFull, "/spill/SECRET")),
        DataFusionError::Collection(Vec::new()),
    ] {
        let error = GatewayError::from_execution(&error);
        let status = error.status("q1");
        assert_eq!((error.class(), status.code()), ("internal", Code::Internal));
        assert!(!status.message().contains("SECRET"));
        assert!(status.message().contains("q1"));
    }
}

#[test]
fn bounds_and_interruptions_of_the_engine() {
    let limit = |error: DataFusionError| match GatewayError::from_execution(&error.context("x")) {
        GatewayError::Limit(limit) => limit,
        other => panic!("{other:?}"),
    };
    let exhausted = |text: &str| DataFusionError::ResourcesExhausted(text.to_owned());
    assert_eq!(limit(exhausted("the memory of this query is used up")), Limit::QueryMemory);
    assert_eq!(limit(exhausted("the memory of all queries is used up")), Limit::Memory);
    assert_eq!(limit(exhausted("SECRET")), Limit::Spill);
    let disk = || std::io::Error::other("/spill/SECRET");
    assert_eq!(limit(DataFusionError::IoError(disk())), Limit::Spill);
    assert!(
        !GatewayError::from_execution(&DataFusionError::IoError(disk()))
            .status("q1")
            .message()
            .contains("SECRET")
    );
    assert_eq!(limit(Interruption::Deadline.into()), Limit::QueryTime);
    let ended = |interruption: Interruption| GatewayError::from_execution(&interruption.into()).class();
    assert_eq!(ended(Interruption::Cancelled), "cancelled");
    assert_eq!(ended(Interruption::Panic), "internal");
}

#[test]
fn a077_hostile_names_are_not_repeated() {
    for name in ["a\nb", "a\0", "\u{202e}evil", "a`b", "<script>", "", "a\u{200b}b", "\x1b[31m"] {
        let error = GatewayError::UnknownTable(ShownName::new(name));
        assert!(error.to_string().starts_with("table of that name does not exist"), "{error}");
    }
    let long = "x".repeat(129);
    assert!(!GatewayError::UnknownTable(ShownName::new(&long)).to_string().contains("xxx"));
    let german = GatewayError::UnknownColumn(ShownName::new("größe"));
    assert!(german.to_string().starts_with("column `größe` does not exist"));
}

fn node_error(class: Class, code: Code, change: impl FnOnce(&mut DomainError)) -> GatewayError {
    let mut error = DomainError { query_id: "q1".to_owned(), ..DomainError::default() };
    error.set_class(class);
    change(&mut error);
    let status = Status::with_details(code, "SECRET of the node", error.encode_to_vec().into());
    GatewayError::from_domain("sales", &status)
}

#[test]
fn r32_errors_of_nodes() {
    for (class, expected) in [
        (Class::Refused, "domain_refused"),
        (Class::Moved, "policy_moved"),
        (Class::TableUnavailable, "table_unavailable"),
        (Class::Limit, "limit"),
        (Class::Cancelled, "cancelled"),
        (Class::Internal, "domain_unavailable"),
        (Class::Expression, "expression"),
        (Class::Planning, "planning"),
        (Class::Unspecified, "domain_unavailable"),
    ] {
        let error = node_error(class, Code::Internal, |_| ());
        assert_eq!(error.class(), expected, "{class:?}");
        assert!(!error.status("q1").message().contains("SECRET"), "{class:?}");
    }
    let table =
        node_error(Class::TableUnavailable, Code::Unavailable, |error| error.table = "orders".to_owned());
    assert!(table.to_string().starts_with("table `sales.orders` cannot be read now"), "{table}");
    let table = node_error(Class::TableUnavailable, Code::Unavailable, |error| {
        error.table = "sales.orders".to_owned();
    });
    assert!(table.to_string().starts_with("table `sales.orders` cannot be read now"), "{table}");
    let function =
        node_error(Class::Expression, Code::InvalidArgument, |error| error.function = "sqrt".to_owned());
    assert!(function.to_string().starts_with("function `sqrt` failed on a value"), "{function}");
    for (limit, retry, expected) in [
        ("query_time", false, Limit::QueryTime),
        ("query_memory", false, Limit::QueryMemory),
        ("concurrent_queries", true, Limit::DomainBusy),
        ("SECRET", false, Limit::Domain),
        ("", false, Limit::Domain),
    ] {
        let error = node_error(Class::Limit, Code::ResourceExhausted, |error| {
            error.limit = limit.to_owned();
            error.retry = retry;
        });
        assert!(matches!(error, GatewayError::Limit(reached) if reached == expected), "{limit}: {error:?}");
    }
    let early = node_error(Class::Refused, Code::PermissionDenied, |error| error.retry = true);
    assert_eq!(early.class(), "domain_unavailable");
}

#[test]
fn r32_codes_of_nodes_without_details() {
    for number in 0..17 {
        let code = Code::from(number);
        let error = GatewayError::from_domain("sales", &Status::new(code, "SECRET"));
        let expected = match code {
            Code::DeadlineExceeded => "limit",
            Code::Unauthenticated | Code::PermissionDenied | Code::Unimplemented | Code::InvalidArgument => {
                "domain_refused"
            }
            _ => "domain_unavailable",
        };
        assert_eq!(error.class(), expected, "{code:?}");
        let status = error.status("q1");
        assert!(!status.message().contains("SECRET"));
        assert_ne!(status.code(), Code::Ok);
    }
    let garbage = Status::with_details(Code::Unknown, "SECRET", vec![0xff; 9].into());
    assert_eq!(GatewayError::from_domain("sales", &garbage).class(), "domain_unavailable");
}

#[test]
fn each_status_has_the_query_id_and_a_code_that_clients_keep() {
    let name = || ShownName::new("x");
    let text = String::new;
    for error in [
        GatewayError::Unauthenticated(Unauthenticated::because(crate::identity::Reason::Missing)),
        GatewayError::Statement(text()),
        GatewayError::UnknownTable(name()),
        GatewayError::UnknownColumn(name()),
        GatewayError::AmbiguousColumn(name()),
        GatewayError::DuplicateColumn(name()),
        GatewayError::UnknownFunction(name()),
        GatewayError::Planning(PlanningFault::Other),
        GatewayError::Expression(ExpressionFault::Overflow),
        GatewayError::Limit(Limit::ResultRows),
        GatewayError::Limit(Limit::QueryTime),
        GatewayError::Limit(Limit::PerPrincipal),
        GatewayError::DomainUnavailable { domain: "sales".to_owned(), detail: text() },
        GatewayError::DomainRefused { domain: "sales".to_owned(), detail: text() },
        GatewayError::TableUnavailable(name()),
        GatewayError::PolicyMoved,
        GatewayError::SchemaChanged,
        GatewayError::AccessChanged,
        GatewayError::InvalidTicket,
        GatewayError::InvalidRequest("send SQL"),
        GatewayError::Unsupported("DoExchange"),
        GatewayError::Cancelled,
        GatewayError::Stopping,
        GatewayError::Internal(text()),
    ] {
        let status = error.status("0190-q");
        assert_eq!(status.metadata().get(QUERY_ID_HEADER).unwrap(), "0190-q");
        assert!(status.message().ends_with("(query 0190-q)"), "{}", status.message());
        assert!(!status.message().contains('\n'));
        let kept = [
            Code::InvalidArgument,
            Code::NotFound,
            Code::PermissionDenied,
            Code::Unauthenticated,
            Code::DeadlineExceeded,
            Code::Unavailable,
            Code::Unimplemented,
            Code::Cancelled,
            Code::Internal,
        ];
        assert!(kept.contains(&status.code()), "{error:?}");
    }
}
