//! Results, their records, and how they end.

use arrow::array::{AsArray, Int64Array};
use arrow::datatypes::Int64Type;
use meshgate_proto::v1::predicate::Kind;
use meshgate_proto::v1::{Comparison, ComparisonOperator, Literal, Predicate, literal};
use tonic::Code;

use super::*;
use crate::testing::{orders, orders_of};

#[tokio::test]
async fn an_analyst_gets_the_rows_columns_and_values_that_policy_grants() {
    let node = Running::start(Domain::new()).await;
    let request = node.request(&["card", "id"]);
    let query_id = request.permit.query_id.clone();
    let answer = node.query(request).await.unwrap();
    let text = arrow::util::pretty::pretty_format_batches(&answer).unwrap().to_string();
    assert_eq!(
        text,
        "\
+------------------+----+
| card             | id |
+------------------+----+
| ************0001 | 1  |
| ************0003 | 3  |
| ************0004 | 4  |
| ************0006 | 6  |
+------------------+----+"
    );
    let record = node.domain.audit_records().pop().unwrap();
    assert_eq!(record["query_id"], query_id.as_str());
    assert_eq!(record["principal"]["subject"], "anna");
    assert_eq!(record["tables"][0], "sales.orders");
    assert_eq!(record["rules"][0], "sales.orders: analysts");
    assert_eq!((&record["outcome"], &record["rows"]), (&"ok".into(), &4.into()));
    assert!(record["bytes"].as_u64().unwrap() > 0);
}

#[tokio::test]
async fn the_answer_names_its_query() {
    let node = Running::start(Domain::new()).await;
    let request = node.request(&["id"]);
    let query_id = request.permit.query_id.clone();
    let ticket = request.ticket(&node.domain.signer);
    let response = node.client().await.do_get(Ticket::new(ticket)).await.unwrap();
    assert_eq!(response.metadata().get("x-query-id").unwrap(), query_id.as_str());
}

#[tokio::test]
async fn a002_no_columns_still_count_the_visible_rows() {
    let node = Running::start(Domain::new()).await;
    let answer = node.query(node.request(&[])).await.unwrap();
    assert_eq!(rows(&answer), 4);
    let mut limited = node.request(&[]);
    limited.scan().limit = Some(3);
    assert_eq!(rows(&node.query(limited).await.unwrap()), 3);
}

fn id_above(value: i64) -> Predicate {
    let comparison = Comparison {
        column: "id".into(),
        operator: ComparisonOperator::Greater.into(),
        literal: Some(Literal { value: Some(literal::Value::Integer(value)) }),
    };
    Predicate { kind: Some(Kind::Comparison(comparison)) }
}

fn ids(batches: &[RecordBatch]) -> Vec<i64> {
    let ids = |batch: &RecordBatch| batch["id"].as_primitive::<Int64Type>().values().to_vec();
    batches.iter().flat_map(ids).collect()
}

#[tokio::test]
async fn a014_predicates_and_limits_come_after_the_policy() {
    let node = Running::start(Domain::new()).await;
    let mut request = node.request(&["id"]);
    request.scan().predicates = vec![id_above(1)];
    assert_eq!(ids(&node.query(request.clone()).await.unwrap()), [3, 4, 6]);

    let mut limited = node.request(&["id"]);
    limited.scan().predicates = vec![id_above(1)];
    limited.scan().limit = Some(2);
    assert_eq!(ids(&node.query(limited).await.unwrap()), [3, 4]);

    // A predicate on a column that is not in the result, and no column at all.
    let mut counted = node.request(&[]);
    counted.scan().predicates = vec![id_above(3)];
    assert_eq!(rows(&node.query(counted).await.unwrap()), 2);
}

#[tokio::test]
async fn a020_no_visible_row_is_an_empty_result_with_its_schema() {
    let domain = Domain::new();
    domain.write_orders(&orders_of(&["US", "US"]));
    let node = Running::start(domain).await;
    let ticket = node.request(&["id"]).ticket(&node.domain.signer);
    let all: Vec<_> = messages(&mut node.client().await, ticket).await.unwrap().collect().await;
    assert!(all.iter().all(Result::is_ok) && !all.is_empty(), "{all:?}");
}

#[tokio::test]
async fn a108_hidden_bytes_do_not_leave_the_process() {
    let node = Running::start(Domain::new()).await;
    let ticket = node.request(&["id", "region", "amount", "card"]).ticket(&node.domain.signer);
    let all: Vec<_> = messages(&mut node.client().await, ticket).await.unwrap().collect().await;
    for message in all {
        let bytes = message.unwrap().encode_to_vec();
        for hidden in ["SECRET-", "411111", "US"] {
            assert!(!bytes.windows(hidden.len()).any(|window| window == hidden.as_bytes()), "{hidden}");
        }
    }
}

#[tokio::test]
async fn a_large_result_is_complete_and_its_messages_are_bounded() {
    let domain = Domain::new();
    domain.write_orders(&orders_of(&vec!["EU"; 200_000]));
    let node = Running::start(domain).await;
    let ticket = node.request(&["id", "card", "amount"]).ticket(&node.domain.signer);
    let all: Vec<_> = messages(&mut node.client().await, ticket).await.unwrap().collect().await;
    let all: Vec<FlightData> = all.into_iter().collect::<Result<_, _>>().unwrap();
    assert!(all.iter().all(|message| message.encoded_len() < 1 << 20));
    let answer = batches(futures::stream::iter(all.into_iter().map(Ok))).await.unwrap();
    assert_eq!(rows(&answer), 200_000);
}

#[tokio::test]
async fn a_table_without_its_file_is_unavailable_and_others_are_not_told_why() {
    let node = Running::start(Domain::new()).await;
    std::fs::remove_file(node.domain.path("data/orders.parquet")).unwrap();
    let status = node.query(node.request(&["id"])).await.unwrap_err();
    let error = details(&status);
    assert_eq!((error.class(), error.table.as_str()), (Class::TableUnavailable, "orders"));
    assert!(!status.message().contains("parquet") && !status.message().contains('/'));
    assert_eq!(node.domain.audit_records().pop().unwrap()["outcome"], "error");
}

#[tokio::test]
async fn r28_an_error_in_the_middle_of_a_stream_is_an_error_status() {
    let domain = Domain::new();
    // The last rows break the contract's promise that there is an id.
    let count = 300_000_usize;
    let whole = orders_of(&vec!["EU"; count]);
    let ids: Int64Array = (0..count).map(|row| (row < count - 10).then_some(row as i64)).collect();
    let mut columns = whole.columns().to_vec();
    columns[0] = std::sync::Arc::new(ids);
    let names = whole.schema();
    let pairs = names.fields().iter().zip(columns).map(|(field, column)| (field.name(), column, true));
    domain.write_orders(&RecordBatch::try_from_iter_with_nullable(pairs).unwrap());
    let node = Running::start(domain).await;
    let ticket = node.request(&["id", "card"]).ticket(&node.domain.signer);
    let all: Vec<_> = messages(&mut node.client().await, ticket).await.unwrap().collect().await;
    let last = all.last().unwrap().as_ref().unwrap_err();
    assert_eq!(class(last), Class::TableUnavailable);
    assert!(all.len() > 2, "nothing came before the error");
    let record = node.domain.audit_records().pop().unwrap();
    assert_eq!(record["outcome"], "error");
}

#[tokio::test]
async fn r09_a_client_that_leaves_cancels_the_query() {
    let domain = Domain::new();
    domain.write_orders(&orders_of(&vec!["EU"; 300_000]));
    let node = Running::start(domain).await;
    let ticket = node.request(&["id", "card", "amount", "region"]).ticket(&node.domain.signer);
    let mut client = node.client().await;
    let mut stream = messages(&mut client, ticket).await.unwrap();
    next(&mut stream).await.unwrap().unwrap();
    drop(stream);
    eventually(async || {
        node.domain.audit_records().pop().is_some_and(|record| record["outcome"] == "cancelled")
    })
    .await;
}

#[tokio::test]
async fn one_query_more_than_allowed_is_told_to_come_again() {
    let domain = Domain::new();
    domain.write_orders(&orders_of(&vec!["EU"; 300_000]));
    let mut config = domain.config();
    config.limits.concurrent_queries = 1;
    let node = Running::start_with(domain, config).await;
    let columns = ["id", "card", "amount", "region"];
    let ticket = node.request(&columns).ticket(&node.domain.signer);
    let mut client = node.client().await;
    let mut first = messages(&mut client, ticket).await.unwrap();
    next(&mut first).await.unwrap().unwrap();

    let status = node.query(node.request(&columns)).await.unwrap_err();
    let error = details(&status);
    assert_eq!((status.code(), error.class()), (Code::ResourceExhausted, Class::Limit));
    assert_eq!((error.limit.as_str(), error.retry), ("concurrent_queries", true));

    drop(first);
    let free = async || node.query(node.request(&["id"])).await.is_ok();
    eventually(free).await;
}

#[tokio::test]
async fn a_query_ends_at_its_deadline_although_nobody_reads() {
    let domain = Domain::new();
    domain.write_orders(&orders_of(&vec!["EU"; 300_000]));
    let mut config = domain.config();
    config.limits.query_time = Duration::from_secs(2);
    let node = Running::start_with(domain, config).await;
    let ticket = node.request(&["id", "card", "amount", "region"]).ticket(&node.domain.signer);
    let mut client = node.client().await;
    let mut stream = messages(&mut client, ticket).await.unwrap();
    next(&mut stream).await.unwrap().unwrap();
    eventually(async || node.domain.audit_records().pop().is_some_and(|record| record["outcome"] == "error"))
        .await;
    let last = stream.collect::<Vec<_>>().await.pop().unwrap().unwrap_err();
    assert_eq!((class(&last), details(&last).limit.as_str()), (Class::Limit, "query_time"));
}

#[tokio::test]
async fn without_an_audit_file_every_query_is_refused() {
    let node = Running::start(Domain::new()).await;
    let file = node.domain.path("audit/node.jsonl");
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    let status = node.query(node.request(&["id"])).await.unwrap_err();
    assert_eq!(class(&status), Class::Internal);
    node.until_ready("audit").await;

    std::fs::remove_dir(&file).unwrap();
    assert_eq!(rows(&node.query(node.request(&["id"])).await.unwrap()), 4);
    let outcomes: Vec<_> = node.domain.audit_records().iter().map(|r| r["outcome"].clone()).collect();
    assert_eq!(outcomes, ["error", "ok"], "the refused query has its record too");
}

#[tokio::test]
async fn a_result_whose_record_cannot_be_written_is_not_complete() {
    let domain = Domain::new();
    domain.write_orders(&orders());
    std::fs::create_dir_all(domain.path("audit")).unwrap();
    std::os::unix::fs::symlink("/dev/full", domain.path("audit/node.jsonl")).unwrap();
    let node = Running::start(domain).await;
    let status = node.query(node.request(&["id"])).await.unwrap_err();
    assert_eq!(class(&status), Class::Internal);
    assert_eq!(class(&node.query(node.request(&["id"])).await.unwrap_err()), Class::Internal);
}
