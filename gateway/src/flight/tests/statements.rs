//! Statements that work, by every way there is to run one.

use arrow::datatypes::Schema;
use arrow_flight::FlightDescriptor;
use meshgate_proto::v1;
use serde_json::Value;

use crate::testing::{
    bench::{Bench, anna, auditor, otto, statement, with_token},
    fake_node::FakeNode,
};

const ORDERS: &str = "\
+----------+--------+-------+---------+
| order_id | region | total | card    |
+----------+--------+-------+---------+
| 1        | DE     | 120   | ***1111 |
| 2        | DE     | 80    |         |
| 3        | DE     |       | ***0004 |
| 4        | DE     | 999   | ***9999 |
+----------+--------+-------+---------+";

#[tokio::test]
async fn the_same_rows_by_every_descriptor() {
    let bench = Bench::start().await;
    let sql = "select * from sales.orders";
    let descriptors = [
        statement(sql),
        FlightDescriptor::new_cmd(sql),
        FlightDescriptor::new_path(vec!["sales".to_owned(), "orders".to_owned()]),
        FlightDescriptor::new_path(vec!["sales/orders".to_owned()]),
    ];
    for descriptor in descriptors {
        let info = bench.flight_info(&anna(), descriptor).await.unwrap();
        assert_eq!((info.total_records, info.total_bytes, info.endpoint.len()), (-1, -1, 1));
        assert!(info.endpoint[0].location.is_empty());
        let batches = bench.do_get(&anna(), info.endpoint[0].ticket.clone().unwrap()).await.unwrap();
        assert_eq!(arrow::util::pretty::pretty_format_batches(&batches).unwrap().to_string(), ORDERS);
        assert_eq!(Schema::try_from(info).unwrap(), *batches[0].schema());
    }
}

#[tokio::test]
async fn joins_across_domains_and_aggregates() {
    let bench = Bench::start().await;
    let sql = "select count(*) as n, sum(o.total) as total, max(p.salary) as salary
               from sales.orders o join hr.people p on p.id = o.order_id where o.total > 100";
    let expected = "\
+---+-------+--------+
| n | total | salary |
+---+-------+--------+
| 2 | 1119  | 4      |
+---+-------+--------+";
    assert_eq!(bench.table(&auditor(), sql).await, expected);
    assert_eq!(
        bench.table(&anna(), "select count(*) as n from sales.orders").await.lines().nth(3),
        Some("| 4 |")
    );
}

#[tokio::test]
async fn a119_no_value_of_one_domain_is_in_a_message_to_another() {
    let bench = Bench::start().await;
    let scans = |node: &FakeNode| std::mem::take(&mut node.state.lock().unwrap().scans);
    for sql in [
        "select o.total from sales.orders o join hr.people p on p.id = o.order_id",
        "select o.total from sales.orders o left join hr.people p on p.id = o.order_id and p.salary > o.total",
        "select order_id from sales.orders where total > (select max(salary) from hr.people)",
        "select order_id from sales.orders where order_id in (select id from hr.people)",
        "select order_id from sales.orders where order_id not in (select salary from hr.people)",
        "select p.id from hr.people p where exists (select 1 from sales.orders o where o.order_id = p.id)",
        "select o.order_id from sales.orders o join hr.people p on p.id = o.order_id order by p.salary limit 1",
        "select max(p.salary) from hr.people p where p.id = (select min(order_id) from sales.orders)",
    ] {
        bench.query(&auditor(), sql).await.unwrap();
        for node in [&bench.sales, &bench.hr] {
            let scans = scans(node);
            assert!(!scans.is_empty(), "{sql}");
            let is_free = |scan: &v1::Scan| scan.predicates.is_empty() && scan.limit.is_none();
            assert!(scans.iter().all(is_free), "{sql}: {scans:?}");
        }
    }
    // The twin: what the caller writes does travel.
    bench.query(&auditor(), "select total from sales.orders where order_id > 1").await.unwrap();
    assert_eq!(scans(&bench.sales)[0].predicates.len(), 1);
}

#[tokio::test]
async fn whoami_tells_who_is_asking() {
    let bench = Bench::start().await;
    let sql = "select subject, roles, groups, claims, purpose from mesh.system.whoami";
    let expected = "\
+---------+-----------+--------+--------------------+---------+
| subject | roles     | groups | claims             | purpose |
+---------+-----------+--------+--------------------+---------+
| anna    | [analyst] | []     | {\"regions\":[\"DE\"]} |         |
+---------+-----------+--------+--------------------+---------+";
    assert_eq!(bench.table(&anna(), sql).await, expected);
    assert!(bench.table(&otto(), "select * from system.whoami").await.contains("otto"));
}

#[tokio::test]
async fn sums_of_no_rows_are_null_in_memory_too() {
    let bench = Bench::start().await;
    let sql = "select sum(x) as s, count(x) as n from (select 6 as x from information_schema.views) as v";
    let expected = "\
+---+---+
| s | n |
+---+---+
|   | 0 |
+---+---+";
    assert_eq!(bench.table(&anna(), sql).await, expected);
    let one = sql.replace("information_schema.views", "system.whoami");
    assert!(bench.table(&anna(), &one).await.contains("| 6 | 1 |"));
}

#[tokio::test]
async fn the_notice_names_the_query_of_the_result() {
    let bench = Bench::start().await;
    let info = bench.flight_info(&anna(), statement("select * from sales.orders")).await.unwrap();
    let notice: Value = serde_json::from_slice(&info.app_metadata).unwrap();
    assert_eq!(notice["policies"]["masked_columns"], 1);
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    let response = bench.client().do_get(with_token(ticket, &anna())).await.unwrap();
    let header = |metadata: &tonic::metadata::MetadataMap| -> Value {
        serde_json::from_slice(metadata.get("meshgate-notice").unwrap().as_bytes()).unwrap()
    };
    assert_eq!(header(response.metadata()), notice);
    let plain = with_token(statement("select order_id from sales.orders"), &anna());
    let planned = bench.client().get_flight_info(plain).await.unwrap();
    let policies = header(planned.metadata())["policies"].take();
    assert_eq!(policies, serde_json::json!({ "row_rules": 1, "masked_columns": 0 }));
    // What reads no table has nothing to tell, and says so.
    let planned = bench.client().get_flight_info(with_token(statement("select 1"), &anna())).await.unwrap();
    assert_eq!(header(planned.metadata())["policies"]["row_rules"], 0);
    assert_eq!(response.metadata().get("x-query-id").unwrap().to_str().unwrap(), notice["query_id"]);
}

#[tokio::test]
async fn get_schema_and_poll_tell_the_same() {
    let bench = Bench::start().await;
    let descriptor = statement("select order_id, card from sales.orders");
    let info = bench.flight_info(&anna(), descriptor.clone()).await.unwrap();
    let schema =
        bench.client().get_schema(with_token(descriptor.clone(), &anna())).await.unwrap().into_inner();
    let promised = Schema::try_from(info).unwrap();
    assert_eq!(Schema::try_from(schema).unwrap(), promised);
    let poll = bench.client().poll_flight_info(with_token(descriptor, &anna())).await.unwrap().into_inner();
    assert!(poll.flight_descriptor.is_none());
    assert_eq!(Schema::try_from(poll.info.unwrap()).unwrap(), promised);
}

#[tokio::test]
async fn a059_a067_the_policy_of_the_moment_counts() {
    let bench = Bench::start().await;
    let info = bench.flight_info(&anna(), statement("select * from sales.orders")).await.unwrap();
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    bench.sales_policy(
        &crate::testing::larkfield::SALES_POLICY
            .replace("total, card]", "total]")
            .replace("\n    masks: { card: last(4) }", ""),
    );
    let changed = bench.do_get(&anna(), ticket.clone()).await.unwrap_err();
    assert!(changed.message().contains("run it again"), "{changed}");
    bench.sales_policy("domain: sales\nowner: x\ngrants: []");
    let gone = bench.do_get(&anna(), ticket).await.unwrap_err();
    assert_eq!(gone.code(), tonic::Code::NotFound);
}

#[tokio::test]
async fn every_query_is_recorded_once() {
    let bench = Bench::start().await;
    bench.query(&anna(), "select order_id from sales.orders").await.unwrap();
    bench.query(&anna(), "select margin from sales.orders").await.unwrap_err();
    let records = bench.records();
    assert_eq!(records.len(), 2, "{records:?}");
    let (ran, refused) = (&records[0], &records[1]);
    assert_eq!(
        (&ran["outcome"], &ran["rows"], &ran["principal"]["subject"]),
        (&"ok".into(), &4.into(), &"anna".into())
    );
    assert_eq!(ran["tables"][0], "sales.orders");
    assert_eq!(ran["rules"][0], "sales.orders: analysts-own-regions");
    assert_eq!((&refused["outcome"], &refused["error"]), (&"refused".into(), &"unknown_column".into()));
}

#[tokio::test]
async fn unsigned_numbers_are_signed_for_clients_or_an_error() {
    use arrow::{array::AsArray, datatypes::Int64Type};
    let bench = Bench::start().await;
    let sql = "select row_number() over (order by order_id) as n, 9223372036854775807 as most from sales.orders limit 1";
    let rows = bench.query(&anna(), sql).await.unwrap();
    let number = |column: usize| rows[0].column(column).as_primitive::<Int64Type>().value(0);
    assert_eq!((number(0), number(1)), (1, i64::MAX));
    let (code, text) = bench.refusal(&anna(), "select 9223372036854775808 as more").await;
    assert!(code == tonic::Code::InvalidArgument && text.contains("too large"), "{text}");
    let decimal = bench.table(&anna(), "select cast(9223372036854775808 as decimal(20, 0)) as more").await;
    assert!(decimal.contains("9223372036854775808"), "{decimal}");
}
