//! Prepared statements: parameters are bound, never written into the text; and
//! every use is decided anew.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, Date32Array, Float64Array, Int64Array, NullArray, RecordBatch, StringArray},
    compute::concat_batches,
    datatypes::{DataType, Schema},
};
use arrow_flight::{
    Action, FlightData, FlightDescriptor, IpcMessage, Ticket,
    encode::FlightDataEncoderBuilder,
    sql::{
        ActionClosePreparedStatementRequest, ActionCreatePreparedStatementRequest,
        ActionCreatePreparedStatementResult, Any, CommandPreparedStatementQuery,
        CommandPreparedStatementUpdate, DoPutPreparedStatementResult, ProstMessageExt,
    },
};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use prost::Message;
use tonic::{Code, Status};

use crate::testing::{
    bench::{Bench, anna, auditor, statement, token, with_token, without_query_id},
    larkfield::SALES_POLICY,
};

pub(super) async fn prepare(
    bench: &Bench,
    token: &str,
    sql: &str,
) -> Result<ActionCreatePreparedStatementResult, tonic::Status> {
    let request = ActionCreatePreparedStatementRequest { query: sql.to_owned(), transaction_id: None };
    let body = request.as_any().encode_to_vec().into();
    let action = Action { r#type: "CreatePreparedStatement".to_owned(), body };
    let mut results = bench.client().do_action(with_token(action, token)).await?.into_inner();
    let any = Any::decode(results.message().await?.unwrap().body).unwrap();
    // Field 4, `is_update`: false.
    assert!(any.value.ends_with(&[0x20, 0x00]));
    Ok(any.unpack().unwrap().unwrap())
}

pub(super) fn prepared(handle: &Bytes) -> FlightDescriptor {
    let command = CommandPreparedStatementQuery { prepared_statement_handle: handle.clone() };
    FlightDescriptor::new_cmd(command.as_any().encode_to_vec())
}

#[tokio::test]
async fn prepared_statements_run_and_close() {
    let bench = Bench::start().await;
    let statement =
        prepare(&bench, &anna(), "select order_id from sales.orders where total > 100").await.unwrap();
    let schema = Schema::try_from(IpcMessage(statement.dataset_schema.clone())).unwrap();
    assert_eq!(schema.fields().len(), 1);
    assert!(statement.parameter_schema.is_empty());
    let info = bench.flight_info(&anna(), prepared(&statement.prepared_statement_handle)).await.unwrap();
    let rows = bench.do_get(&anna(), info.endpoint[0].ticket.clone().unwrap()).await.unwrap();
    assert_eq!(rows.iter().map(arrow::array::RecordBatch::num_rows).sum::<usize>(), 2);
    for _ in 0..2 {
        let request = ActionClosePreparedStatementRequest {
            prepared_statement_handle: statement.prepared_statement_handle.clone(),
        };
        let body = request.as_any().encode_to_vec().into();
        let action = Action { r#type: "ClosePreparedStatement".to_owned(), body };
        bench.client().do_action(with_token(action, &anna())).await.unwrap();
    }
}

#[tokio::test]
async fn a060_a066_handles_and_tickets_without_parameters_are_the_callers_own() {
    let bench = Bench::start().await;
    let statement_ = prepare(&bench, &anna(), "select order_id from sales.orders").await.unwrap();
    let handle = &statement_.prepared_statement_handle;
    let bob = token("bob", "analyst");
    let of_bob = bench.flight_info(&bob, prepared(handle)).await.unwrap_err();
    let unknown = bench.flight_info(&bob, prepared(&Bytes::from_static(b"nonsense"))).await.unwrap_err();
    assert_eq!(of_bob.code(), unknown.code());
    let (left, right) = (of_bob.message().split(" (").next(), unknown.message().split(" (").next());
    assert_eq!(left, right);

    let info = bench.flight_info(&anna(), statement("select order_id from sales.orders")).await.unwrap();
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    assert!(bench.do_get(&bob, ticket.clone()).await.is_err());
    // A121: a handle is no ticket, and a ticket no handle.
    assert!(bench.do_get(&anna(), Ticket { ticket: handle.clone() }).await.is_err());
    assert!(bench.flight_info(&anna(), prepared(&ticket.ticket)).await.is_err());
    assert!(bench.do_get(&anna(), ticket).await.is_ok());
}

fn row(values: Vec<ArrayRef>) -> RecordBatch {
    RecordBatch::try_from_iter(values.into_iter().enumerate().map(|(n, value)| (n.to_string(), value)))
        .unwrap()
}

pub(super) fn number(value: i64) -> ArrayRef {
    Arc::new(Int64Array::from(vec![value]))
}

fn text(value: &str) -> ArrayRef {
    Arc::new(StringArray::from(vec![value]))
}

async fn messages(handle: &Bytes, batches: Vec<RecordBatch>) -> Vec<FlightData> {
    let mut messages: Vec<FlightData> = FlightDataEncoderBuilder::new()
        .with_schema(batches[0].schema())
        .build(stream::iter(batches).map(Ok))
        .try_collect()
        .await
        .unwrap();
    messages[0].flight_descriptor = Some(prepared(handle));
    messages
}

/// The handle that holds what was bound.
async fn put(bench: &Bench, token: &str, messages: Vec<FlightData>) -> Result<Bytes, Status> {
    let mut results = bench.client().do_put(with_token(stream::iter(messages), token)).await?.into_inner();
    let result = results.message().await?.unwrap();
    let result = DoPutPreparedStatementResult::decode(result.app_metadata).unwrap();
    Ok(result.prepared_statement_handle.unwrap())
}

pub(super) async fn bind(
    bench: &Bench,
    token: &str,
    handle: &Bytes,
    values: Vec<ArrayRef>,
) -> Result<Bytes, Status> {
    put(bench, token, messages(handle, vec![row(values)]).await).await
}

async fn execute(bench: &Bench, token: &str, handle: &Bytes) -> Result<RecordBatch, Status> {
    let info = bench.flight_info(token, prepared(handle)).await?;
    let schema = Schema::try_from(info.clone()).unwrap();
    let batches = bench.do_get(token, info.endpoint[0].ticket.clone().unwrap()).await?;
    Ok(concat_batches(&Arc::new(schema), &batches).unwrap())
}

/// Prepares, binds and runs.
async fn run(bench: &Bench, token: &str, sql: &str, values: Vec<ArrayRef>) -> Result<RecordBatch, Status> {
    let handle = prepare(bench, token, sql).await?.prepared_statement_handle;
    let handle = bind(bench, token, &handle, values).await?;
    execute(bench, token, &handle).await
}

async fn parameter_types(bench: &Bench, sql: &str) -> Vec<DataType> {
    let prepared = prepare(bench, &auditor(), sql).await.unwrap_or_else(|status| panic!("{sql}: {status}"));
    let schema = Schema::try_from(IpcMessage(prepared.parameter_schema)).unwrap();
    schema.fields().iter().map(|field| field.data_type().clone()).collect()
}

fn drawn(batch: &RecordBatch) -> String {
    arrow::util::pretty::pretty_format_batches(std::slice::from_ref(batch)).unwrap().to_string()
}

#[tokio::test]
async fn values_are_bound_to_parameters() {
    let bench = Bench::start().await;
    for (sql, values, same) in [
        (
            "select * from sales.orders where order_id = ?",
            vec![number(2)],
            "select * from sales.orders where order_id = 2",
        ),
        (
            "select * from sales.orders where total between ? and ? or region = ?",
            vec![number(100), number(200), text("FR")],
            "select * from sales.orders where total between 100 and 200 or region = 'FR'",
        ),
        (
            "select * from sales.orders where order_id in ($2, $1) and $3 in (order_id, 3) order by 1",
            vec![number(1), number(3), number(3)],
            "select * from sales.orders where order_id in (3, 1) and 3 in (order_id, 3) order by 1",
        ),
        (
            "select order_id from sales.orders order by 1 limit ? offset ?",
            vec![number(2), number(1)],
            "select order_id from sales.orders order by 1 limit 2 offset 1",
        ),
        (
            "select cast(? as bigint) + total as x from sales.orders",
            vec![number(1)],
            "select 1 + total as x from sales.orders",
        ),
        (
            "select count(*) as n from sales.orders where region like ?",
            vec![text("D%")],
            "select count(*) as n from sales.orders where region like 'D%'",
        ),
        (
            "select count(*) as n from sales.orders where lower(region) = lower(?)",
            vec![text("De")],
            "select count(*) as n from sales.orders where lower(region) = 'de'",
        ),
        (
            "select order_id from sales.orders where total > (select max(salary) from hr.people where id < ?) order by 1",
            vec![number(4)],
            "select order_id from sales.orders where total > (select max(salary) from hr.people where id < 4) order by 1",
        ),
        (
            "select x from (values (?, 1), (?, 2)) as t(x, y) order by y",
            vec![text("a"), text("b")],
            "select x from (values ('a', 1), ('b', 2)) as t(x, y) order by y",
        ),
        ("select ? as x", vec![text("' or 1 = 1 --")], "select ''' or 1 = 1 --' as x"),
    ] {
        let bound =
            run(&bench, &auditor(), sql, values).await.unwrap_or_else(|status| panic!("{sql}: {status}"));
        assert_eq!(drawn(&bound), bench.table(&auditor(), same).await, "{sql}");
    }
    // The condition went to the node, as it does when it is written down.
    let scans = bench.sales.scans();
    assert_eq!(scans[0].predicates, scans[1].predicates);
    assert_eq!(scans[0].predicates.len(), 1);
}

#[tokio::test]
async fn nulls_can_be_bound() {
    let bench = Bench::start().await;
    let null = || Arc::new(NullArray::new(1)) as ArrayRef;
    let sql = "select count(*) as n from sales.orders where total = ? or cast(? as bigint) is null";
    let bound = run(&bench, &anna(), sql, vec![number(80), null()]).await.unwrap();
    assert!(drawn(&bound).contains("| 4 |"), "{}", drawn(&bound));
    let bound = run(&bench, &anna(), sql, vec![null(), number(1)]).await.unwrap();
    assert!(drawn(&bound).contains("| 0 |"), "{}", drawn(&bound));
}

#[tokio::test]
async fn types_of_parameters_are_told() {
    use DataType::{Boolean, Date32, Decimal128, Float64, Int64, Utf8};
    let bench = Bench::start().await;
    for (sql, types) in [
        ("select 1 from sales.orders where order_id = ? and region = ?", vec![Int64, Utf8]),
        ("select 1 from sales.orders where ? < total or region like ?", vec![Int64, Utf8]),
        ("select 1 from sales.orders where ? between order_id and total", vec![Int64]),
        ("select 1 from sales.orders limit ? offset ?", vec![Int64, Int64]),
        (
            "select cast(? as decimal(12, 2)), cast(? as date), ?::double",
            vec![Decimal128(12, 2), Date32, Float64],
        ),
        ("select try_cast(? as bigint)", vec![Utf8]),
        ("select cast(? as boolean) and true", vec![Boolean]),
        ("select ?, upper(?), coalesce(?, 'x'), ? is null", vec![Utf8, Utf8, Utf8, Utf8]),
        ("select ? = ?", vec![Utf8, Utf8]),
        ("select $1 is null or total = $1 from sales.orders", vec![Int64]),
        ("select total = $1 or $1 is null from sales.orders", vec![Int64]),
        ("with unused as (select ? as x) select 1 from sales.orders where order_id = ?", vec![Utf8, Int64]),
        (
            "select 1 from sales.orders where order_id in (select id from hr.people where salary > ?)",
            vec![Int64],
        ),
        ("select sum(total) from sales.orders group by region having sum(total) > ?", vec![Int64]),
    ] {
        assert_eq!(parameter_types(&bench, sql).await, types, "{sql}");
    }
}

#[tokio::test]
async fn a_result_is_described_before_values_are_bound() {
    let bench = Bench::start().await;
    let sql = "select order_id, card, cast(? as date) as day from sales.orders where total > ?";
    let handle = prepare(&bench, &anna(), sql).await.unwrap();
    let described = Schema::try_from(IpcMessage(handle.dataset_schema)).unwrap();
    let handle = handle.prepared_statement_handle;
    let by_schema = bench.client().get_schema(with_token(prepared(&handle), &anna())).await.unwrap();
    assert_eq!(Schema::try_from(by_schema.into_inner()).unwrap(), described);
    let unbound = bench.flight_info(&anna(), prepared(&handle)).await.unwrap_err();
    assert!(unbound.message().contains("2 parameters and 0 values"), "{unbound}");
    let values = vec![Arc::new(Date32Array::from(vec![1])) as ArrayRef, number(100)];
    let handle = bind(&bench, &anna(), &handle, values).await.unwrap();
    let result = execute(&bench, &anna(), &handle).await.unwrap();
    let names = |schema: &Schema| {
        let fields = schema.fields().iter();
        fields.map(|field| (field.name().clone(), field.data_type().clone())).collect::<Vec<_>>()
    };
    assert_eq!(names(&described), names(&result.schema()));
    assert_eq!(result.num_rows(), 2);
}

#[tokio::test]
async fn a_bound_statement_can_be_bound_again() {
    let bench = Bench::start().await;
    let sql = "select order_id from sales.orders where order_id = ?";
    let first = prepare(&bench, &anna(), sql).await.unwrap().prepared_statement_handle;
    let mut handle = first.clone();
    for order in [1, 4, 2] {
        handle = bind(&bench, &anna(), &handle, vec![number(order)]).await.unwrap();
        assert_ne!(handle, first);
        let rows = execute(&bench, &anna(), &handle).await.unwrap();
        assert!(drawn(&rows).contains(&format!("| {order} ")), "{}", drawn(&rows));
    }
    let schema = bench.client().get_schema(with_token(prepared(&handle), &anna())).await.unwrap();
    assert_eq!(Schema::try_from(schema.into_inner()).unwrap().fields().len(), 1);
}

/// The refusal, without its query id.
fn refused<T: std::fmt::Debug>(result: Result<T, Status>) -> (Code, String) {
    let status = result.unwrap_err();
    (status.code(), without_query_id(status.message()))
}

#[tokio::test]
async fn values_that_do_not_fit_are_refused() {
    let bench = Bench::start().await;
    let sql = "select order_id from sales.orders where order_id = ? and region = ?";
    let handle = prepare(&bench, &anna(), sql).await.unwrap().prepared_statement_handle;
    let one_and_a_half = || Arc::new(Float64Array::from(vec![1.5])) as ArrayRef;
    for (values, expected) in [
        (vec![number(1)], "2 parameters and 1 values"),
        (vec![number(1), text("DE"), text("DE")], "2 parameters and 3 values"),
        (vec![text("1"), text("DE")], "parameter 1 is BIGINT and the value is VARCHAR"),
        (vec![number(1), number(1)], "parameter 2 is VARCHAR and the value is BIGINT"),
        (vec![one_and_a_half(), text("DE")], "parameter 1 does not fit BIGINT exactly"),
        (vec![number(1), text(&"x".repeat(70_000))], "more than 65536 bytes"),
    ] {
        let (code, sentence) = refused(bind(&bench, &anna(), &handle, values).await);
        assert!(code == Code::InvalidArgument && sentence.contains(expected), "{sentence}");
    }
    let two_rows = vec![row(vec![number(1), text("DE")]), row(vec![number(2), text("DE")])];
    let (_, sentence) = refused(put(&bench, &anna(), messages(&handle, two_rows).await).await);
    assert!(sentence.contains("one row"), "{sentence}");
    let no_rows = vec![row(vec![number(1), text("DE")]).slice(0, 0)];
    let (_, sentence) = refused(put(&bench, &anna(), messages(&handle, no_rows).await).await);
    assert!(sentence.contains("one row"), "{sentence}");
    let without = prepare(&bench, &anna(), "select order_id from sales.orders").await.unwrap();
    let bound = bind(&bench, &anna(), &without.prepared_statement_handle, vec![number(1)]).await;
    assert!(refused(bound).1.contains("0 parameters and 1 values"));
    assert!(bench.sales.scans().is_empty());
    // What fits, works.
    let handle = bind(&bench, &anna(), &handle, vec![number(1), text("DE")]).await.unwrap();
    assert_eq!(execute(&bench, &anna(), &handle).await.unwrap().num_rows(), 1);
}

#[tokio::test]
async fn statements_with_unclear_parameters_are_refused() {
    let bench = Bench::start().await;
    for (sql, expected) in [
        (
            "select 1 from sales.orders where order_id = $1 and region = $1",
            "parameter 1 would have several types",
        ),
        ("select 1 from sales.orders where order_id = ? and region = $1", "not both"),
        ("select $2", "no parameter $1"),
        ("select :name", "not :name"),
        ("select * from ?", "does not parse"),
        ("select order_id as ? from sales.orders", "does not parse"),
    ] {
        let (code, sentence) = refused(prepare(&bench, &anna(), sql).await);
        assert!(code == Code::InvalidArgument && sentence.contains(expected), "{sql}: {sentence}");
    }
    // A parameter is a value, not a name: this compares two texts.
    let sql = "select count(*) as n from sales.orders where ? = 'margin'";
    let bound = run(&bench, &anna(), sql, vec![text("margin")]).await.unwrap();
    assert!(drawn(&bound).contains("| 4 |"), "{}", drawn(&bound));
    // Only prepared statements have parameters.
    let (code, sentence) = bench.refusal(&anna(), "select 1 from sales.orders where order_id = ?").await;
    assert!(code == Code::InvalidArgument && sentence.contains("1 parameters and 0 values"), "{sentence}");
}

#[tokio::test]
async fn a060_a066_a121_only_the_callers_own_handles_are_bound() {
    let bench = Bench::start().await;
    let sql = "select order_id from sales.orders where order_id = ?";
    let handle = prepare(&bench, &anna(), sql).await.unwrap().prepared_statement_handle;
    let bound = bind(&bench, &anna(), &handle, vec![number(1)]).await.unwrap();
    let nonsense = refused(bind(&bench, &anna(), &Bytes::from_static(b"nonsense"), vec![number(1)]).await);
    assert_eq!(nonsense.0, Code::InvalidArgument);
    let bob = token("bob", "analyst");
    for handle in [&handle, &bound] {
        assert_eq!(refused(bind(&bench, &bob, handle, vec![number(1)]).await), nonsense);
        assert_eq!(refused(bench.flight_info(&bob, prepared(handle)).await), nonsense);
        for position in [0, 1, handle.len() / 2, handle.len() - 1] {
            let mut tampered = handle.to_vec();
            tampered[position] ^= 1;
            let tampered = Bytes::from(tampered);
            assert_eq!(refused(bind(&bench, &anna(), &tampered, vec![number(1)]).await), nonsense);
            assert_eq!(refused(bench.flight_info(&anna(), prepared(&tampered)).await), nonsense);
        }
        // A handle is no ticket.
        assert_eq!(refused(bench.do_get(&anna(), Ticket { ticket: handle.clone() }).await), nonsense);
    }
    // A ticket is no handle.
    let info = bench.flight_info(&anna(), prepared(&bound)).await.unwrap();
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    assert_eq!(refused(bind(&bench, &anna(), &ticket.ticket, vec![number(1)]).await), nonsense);
    assert_eq!(refused(bench.do_get(&bob, ticket.clone()).await), nonsense);
    assert!(bench.do_get(&anna(), ticket).await.is_ok());
}

#[tokio::test]
async fn a059_policy_is_decided_again_at_each_execution() {
    let bench = Bench::start().await;
    let sql = "select order_id, card from sales.orders where order_id = ? and card like ?";
    let handle = prepare(&bench, &anna(), sql).await.unwrap().prepared_statement_handle;
    let bound = bind(&bench, &anna(), &handle, vec![number(1), text("%")]).await.unwrap();
    assert_eq!(execute(&bench, &anna(), &bound).await.unwrap().num_rows(), 1);
    let info = bench.flight_info(&anna(), prepared(&bound)).await.unwrap();
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    let without_card =
        SALES_POLICY.replace("total, card]", "total]").replace("\n    masks: { card: last(4) }", "");
    bench.sales_policy(&without_card);
    // A hidden column fails as a missing one does.
    let hidden = refused(execute(&bench, &anna(), &bound).await);
    let missing = bench.refusal(&anna(), "select 1 from sales.orders where crad = 'x'").await;
    assert_eq!(hidden, (missing.0, missing.1.replace("crad", "card")));
    assert_eq!(refused(bench.do_get(&anna(), ticket).await), hidden);
    bench.sales_policy("domain: sales\nowner: x\ngrants: []");
    assert_eq!(refused(execute(&bench, &anna(), &bound).await).0, Code::NotFound);
    bench.sales_policy(SALES_POLICY);
    assert_eq!(execute(&bench, &anna(), &bound).await.unwrap().num_rows(), 1);
}

#[tokio::test]
async fn messages_that_bind_are_bounded() {
    let bench = Bench::start().await;
    let sql = "select order_id from sales.orders where order_id = ?";
    let handle = prepare(&bench, &anna(), sql).await.unwrap().prepared_statement_handle;
    let good = messages(&handle, vec![row(vec![number(1)])]).await;
    let [schema, batch] = good.as_slice() else { panic!("a schema and a batch") };
    let junk = |header: &[u8]| FlightData { data_header: header.to_vec().into(), ..schema.clone() };
    let long = FlightData { data_body: vec![0; 600 << 10].into(), ..batch.clone() };
    let alone = FlightData { flight_descriptor: schema.flight_descriptor.clone(), ..batch.clone() };
    for (messages, expected) in [
        (vec![schema.clone()], "one row"),
        (vec![schema.clone(), long], "more than"),
        (std::iter::once(schema.clone()).chain(vec![batch.clone(); 20]).collect(), "one row"),
        (vec![junk(b"")], "cannot be read"),
        (vec![junk(b"nonsense")], "cannot be read"),
        (vec![schema.clone(), junk(b"nonsense")], "cannot be read"),
        (vec![alone], "cannot be read"),
    ] {
        let (code, sentence) = refused(put(&bench, &anna(), messages).await);
        assert!(code == Code::InvalidArgument && sentence.contains(expected), "{sentence}");
    }
    // Every byte of the schema changed once: an error or a value, and the server goes on.
    for position in 0..schema.data_header.len() {
        let mut header = schema.data_header.to_vec();
        header[position] ^= 0x55;
        if let Err(status) = put(&bench, &anna(), vec![junk(&header), batch.clone()]).await {
            assert_eq!(status.code(), Code::InvalidArgument, "{position}: {status}");
        }
    }
    assert!(put(&bench, &anna(), good.clone()).await.is_ok());
    assert_eq!(refused(put(&bench, &anna(), vec![]).await).0, Code::InvalidArgument);
    let update = CommandPreparedStatementUpdate { prepared_statement_handle: handle };
    let mut writing = good;
    writing[0].flight_descriptor = Some(FlightDescriptor::new_cmd(update.as_any().encode_to_vec()));
    assert_eq!(refused(put(&bench, &anna(), writing).await).0, Code::Unimplemented);
}

#[tokio::test]
async fn as_many_parameters_as_are_accepted_can_be_bound() {
    let bench = Bench::start().await;
    let list = vec!["?"; 500].join(", ");
    let padding = " ".repeat(60_000);
    let sql = format!("select order_id from sales.orders where order_id in ({list}){padding}");
    let handle = prepare(&bench, &anna(), &sql).await.unwrap().prepared_statement_handle;
    let values = (1..=500).map(number).collect();
    let handle = bind(&bench, &anna(), &handle, values).await.unwrap();
    assert_eq!(execute(&bench, &anna(), &handle).await.unwrap().num_rows(), 4);
}

#[tokio::test]
async fn bound_values_are_in_the_audit() {
    let bench = Bench::start().await;
    let sql = "select order_id from sales.orders where order_id = ? and region = ?";
    run(&bench, &anna(), sql, vec![number(1), text("DE")]).await.unwrap();
    let records = bench.records();
    assert_eq!(records.len(), 1, "{records:?}");
    assert_eq!(records[0]["statement"], sql);
    assert_eq!(records[0]["parameters"], serde_json::json!(["1", "DE"]));
    bench.query(&anna(), "select 1").await.unwrap();
    assert_eq!(bench.records()[1].get("parameters"), None);
}
