//! Results that one domain answers whole: relayed, or decoded and encoded again.

use std::time::Duration;

use arrow::{
    datatypes::{DataType, Field, Schema},
    ipc::writer::IpcWriteOptions,
};
use arrow_flight::{FlightData, SchemaAsIpc};
use futures::TryStreamExt;
use tonic::{Code, Status, Streaming};

use crate::{
    config::Limits,
    edge,
    testing::{
        bench::{Bench, anna, auditor},
        fake_node::Mood,
        larkfield::SALES_POLICY,
    },
};

const SQL: &str = "select order_id, region, card from sales.orders";

async fn all(bench: &Bench, sql: &str) -> Vec<FlightData> {
    bench.messages(&auditor(), sql).await.unwrap().try_collect().await.unwrap()
}

fn sent(bench: &Bench) -> Vec<FlightData> {
    std::mem::take(&mut bench.sales.state.lock().unwrap().sent)
}

/// Rows and bytes of the newest result in the audit.
fn counted(bench: &Bench) -> (u64, u64) {
    let record = bench.records().pop().unwrap();
    assert_eq!(record["outcome"], "ok");
    (record["rows"].as_u64().unwrap(), record["bytes"].as_u64().unwrap())
}

#[tokio::test]
async fn a_relayed_batch_is_the_nodes_own_and_nothing_else_of_the_node_is_handed_on() {
    let bench = Bench::start().await;
    let (messages, sent) = (all(&bench, SQL).await, sent(&bench));
    assert_eq!((messages.len(), sent.len()), (2, 2));
    assert!(sent.iter().all(|message| !message.app_metadata.is_empty()));
    assert_eq!(
        (&messages[1].data_header, &messages[1].data_body),
        (&sent[1].data_header, &sent[1].data_body)
    );
    for message in &messages {
        assert!(message.app_metadata.is_empty() && message.flight_descriptor.is_none());
    }
}

#[tokio::test]
async fn what_is_not_relayed_is_the_same_and_counts_the_same() {
    let bench = Bench::start().await;
    let statements = [SQL, "select card from sales.orders"];
    for sql in statements {
        let (relayed, counts) = (bench.table(&auditor(), sql).await, counted(&bench));
        assert!(counts.0 > 0 && counts.1 > 0, "{counts:?}");
        bench.never_relay_sales();
        sent(&bench);
        assert_eq!(bench.table(&auditor(), sql).await, relayed);
        assert_eq!(counted(&bench), counts, "{sql}");
        let (messages, sent) = (all(&bench, sql).await, sent(&bench));
        assert_ne!(messages[1].data_body, sent[1].data_body, "{sql}: it was encoded again");
        bench.sales_policy(SALES_POLICY);
    }
}

#[tokio::test]
async fn what_the_gateway_works_on_is_not_relayed() {
    let bench = Bench::start().await;
    for sql in
        ["select order_id from sales.orders order by order_id", "select order_id + 1 from sales.orders"]
    {
        let (messages, sent) = (all(&bench, sql).await, sent(&bench));
        assert_ne!(messages[1].data_body, sent[1].data_body, "{sql}");
    }
}

fn schema_of(columns: usize, data_type: DataType) -> FlightData {
    let fields: Vec<_> =
        ["order_id", "region", "card"].map(|name| Field::new(name, data_type.clone(), true)).into();
    SchemaAsIpc::new(&Schema::new(fields[..columns].to_vec()), &IpcWriteOptions::default()).into()
}

#[tokio::test]
async fn what_a_node_may_not_send_ends_in_an_error_that_names_the_domain() {
    type Change = fn(usize, FlightData) -> FlightData;
    let of_batch: [(&str, Change); 6] = [
        ("a body that is cut", |number, mut message| {
            let kept = message.data_body.len().saturating_sub(8 * number);
            message.data_body.truncate(kept);
            message
        }),
        ("no header", |number, mut message| {
            message.data_header.truncate(if number == 0 { usize::MAX } else { 0 });
            message
        }),
        ("garbage", |number, message| match number {
            0 => message,
            _ => FlightData { data_header: vec![7; 64].into(), ..message },
        }),
        ("two schemas", |number, message| match number {
            0 => message,
            _ => schema_of(3, DataType::Utf8),
        }),
        ("too few columns", |number, message| match number {
            0 => schema_of(2, DataType::Utf8),
            _ => message,
        }),
        ("other types", |number, message| match number {
            0 => schema_of(3, DataType::Int64),
            _ => message,
        }),
    ];
    let bench = Bench::start().await;
    for (what, change) in of_batch {
        bench.sales.set_mood(Mood::Changes(change));
        let (code, text) = bench.refusal(&auditor(), SQL).await;
        assert_eq!(code, Code::Unavailable, "{what}: {text}");
        assert!(text.contains("`sales`"), "{what}: {text}");
        assert_eq!(bench.records().pop().unwrap()["outcome"], "failed", "{what}");
    }
}

#[tokio::test]
async fn a_message_that_is_too_long_for_clients_is_cut() {
    const LENGTH: usize = 700_000;
    let bench = Bench::start().await;
    bench.sales.set_mood(Mood::LongTexts(LENGTH));
    let sql = "select order_id, card from sales.orders";
    let messages = all(&bench, sql).await;
    assert!(sent(&bench)[1].data_body.len() > edge::MESSAGE_BYTES);
    assert!(messages.len() > 2 && messages.iter().all(|own| own.data_body.len() <= edge::MESSAGE_BYTES));
    let rows = bench.query(&auditor(), sql).await.unwrap();
    assert_eq!(rows.iter().map(arrow::array::RecordBatch::num_rows).sum::<usize>(), 4);
    let counts = counted(&bench);
    bench.never_relay_sales();
    all(&bench, sql).await;
    assert_eq!(counted(&bench), counts);
}

/// A result of which one batch has arrived, and no more comes.
async fn stalled(bench: &Bench) -> Streaming<FlightData> {
    bench.sales.set_mood(Mood::Stalls);
    let mut messages = bench.messages(&auditor(), SQL).await.unwrap();
    for _ in 0..2 {
        assert!(messages.message().await.unwrap().is_some());
    }
    messages
}

async fn end(mut messages: Streaming<FlightData>) -> Status {
    let next = tokio::time::timeout(Duration::from_secs(20), messages.message()).await;
    next.expect("it ends").expect_err("it does not end well")
}

#[tokio::test]
async fn a_relayed_result_that_does_not_go_on_ends_in_an_error() {
    let short = Duration::from_millis(300);
    let silent = Bench::with_limits(Limits { idle_time: short, ..Limits::default() }).await;
    let status = end(stalled(&silent).await).await;
    assert!(status.code() == Code::Unavailable && status.message().contains("`sales`"), "{status}");

    let late = Bench::with_limits(Limits { query_time: Duration::from_secs(3), ..Limits::default() }).await;
    let status = end(stalled(&late).await).await;
    assert!(status.message().contains("took longer than is allowed"), "{status}");

    let stopping = Bench::start().await;
    let messages = stalled(&stopping).await;
    stopping.gateway.stopping.send_replace(true);
    assert!(end(messages).await.message().contains("stopping"));
}

#[tokio::test]
async fn a_relayed_result_ends_when_its_caller_loses_access_and_not_for_others() {
    let within = Duration::from_millis(100);
    let bench = Bench::with_limits(Limits { revocation_time: within, ..Limits::default() }).await;
    let messages = stalled(&bench).await;
    let mut annas = bench.messages(&anna(), "select order_id from sales.orders").await.unwrap();
    bench.sales_policy(&SALES_POLICY.replace("roles: [auditor]", "roles: [nobody]"));
    let status = end(messages).await;
    assert_eq!(status.code(), Code::PermissionDenied, "{status}");
    assert_eq!(bench.records().pop().unwrap()["error"], "access_changed");
    let waits = tokio::time::timeout(within * 3, async { while annas.message().await.unwrap().is_some() {} });
    assert!(waits.await.is_err(), "hers goes on");
}

#[tokio::test]
async fn bounds_of_results_hold_for_relayed_ones() {
    for limits in
        [Limits { result_rows: 3, ..Limits::default() }, Limits { result_bytes: 10, ..Limits::default() }]
    {
        let bench = Bench::with_limits(limits).await;
        let (relayed, _) = (bench.refusal(&auditor(), SQL).await, bench.never_relay_sales());
        assert_eq!(bench.refusal(&auditor(), SQL).await, relayed);
        assert!(relayed.1.contains("more rows") || relayed.1.contains("larger"), "{}", relayed.1);
    }
}
