//! A statement that was described is not planned again for its result; unless something else would come of it.

use std::sync::atomic::Ordering;

use arrow_flight::{FlightDescriptor, FlightInfo, Ticket};
use serde_json::{Value, json};

use super::prepared::{bind, number, prepare, prepared};
use crate::{
    identity::forge::{FORGE, START},
    testing::{
        bench::{Bench, anna, auditor, statement, token},
        larkfield::SALES_POLICY,
    },
};

const SQL: &str = "select order_id from sales.orders";

const MISSING: &str = "table `sales.orders` does not exist or is not granted to you";

/// Moves the clock on by this many seconds.
fn wait(bench: &Bench, seconds: i64) {
    bench.now.fetch_add(seconds * 1_000_000, Ordering::Relaxed);
}

/// When the last statement was planned, in seconds after the start, and the id that it ran as.
fn last(bench: &Bench) -> (i64, String) {
    let permit = bench.sales.state.lock().unwrap().permits.last().unwrap().clone();
    (permit.instant / 1_000_000 - START, permit.query_id)
}

fn ticket(info: &FlightInfo) -> Ticket {
    info.endpoint[0].ticket.clone().unwrap()
}

fn query_id(info: &FlightInfo) -> String {
    let notice: Value = serde_json::from_slice(&info.app_metadata).unwrap();
    notice["query_id"].as_str().unwrap().to_owned()
}

async fn described(bench: &Bench, descriptor: FlightDescriptor) -> FlightInfo {
    bench.flight_info(&anna(), descriptor).await.unwrap()
}

#[tokio::test]
async fn a_plan_is_used_once_and_not_for_long() {
    let bench = Bench::start().await;
    let info = described(&bench, statement(SQL)).await;
    wait(&bench, 10);
    assert_eq!(bench.do_get(&anna(), ticket(&info)).await.unwrap()[0].num_rows(), 4);
    assert_eq!(last(&bench), (0, query_id(&info)));
    // Once more: planned anew.
    assert_eq!(bench.do_get(&anna(), ticket(&info)).await.unwrap()[0].num_rows(), 4);
    assert_eq!(last(&bench), (10, query_id(&info)));

    let info = described(&bench, statement(SQL)).await;
    wait(&bench, 11);
    bench.do_get(&anna(), ticket(&info)).await.unwrap();
    assert_eq!(last(&bench), (21, query_id(&info)));
    // A clock that is put back is not trusted.
    let info = described(&bench, statement(SQL)).await;
    wait(&bench, -1);
    bench.do_get(&anna(), ticket(&info)).await.unwrap();
    assert_eq!(last(&bench), (20, query_id(&info)));
    assert_eq!(bench.records().len(), 4);
}

#[tokio::test]
async fn a_prepared_statement_is_planned_once_for_all_of_its_calls() {
    let bench = Bench::start().await;
    let handle = prepare(&bench, &anna(), SQL).await.unwrap().prepared_statement_handle;
    wait(&bench, 3);
    let info = described(&bench, prepared(&handle)).await;
    wait(&bench, 3);
    bench.do_get(&anna(), ticket(&info)).await.unwrap();
    assert_eq!(last(&bench), (0, query_id(&info)));
    // The next result of the same handle is planned when it is asked for.
    let info = described(&bench, prepared(&handle)).await;
    wait(&bench, 3);
    bench.do_get(&anna(), ticket(&info)).await.unwrap();
    assert_eq!(last(&bench), (6, query_id(&info)));
}

#[tokio::test]
async fn a_plan_is_for_the_values_that_were_bound() {
    let bench = Bench::start().await;
    let sql = "select order_id from sales.orders where order_id = ?";
    let handle = prepare(&bench, &anna(), sql).await.unwrap().prepared_statement_handle;
    for value in [1, 2] {
        wait(&bench, 1);
        let handle = bind(&bench, &anna(), &handle, vec![number(value)]).await.unwrap();
        let info = described(&bench, prepared(&handle)).await;
        wait(&bench, 1);
        bench.do_get(&anna(), ticket(&info)).await.unwrap();
        assert_eq!(last(&bench), (2 * value - 1, query_id(&info)));
        let scan = bench.sales.scans().pop().unwrap();
        assert!(format!("{:?}", scan.predicates).contains(&format!("Integer({value})")), "{scan:?}");
    }
}

#[tokio::test]
async fn what_was_planned_is_not_used_under_another_policy() {
    let bench = Bench::start().await;
    let info = described(&bench, statement(SQL)).await;
    bench.sales_policy(&SALES_POLICY.replace("roles: [analyst]", "roles: [nobody]"));
    let status = bench.do_get(&anna(), ticket(&info)).await.unwrap_err();
    assert!(status.message().starts_with(MISSING), "{status}");
    assert!(bench.sales.scans().is_empty());
    // The twin: what gives the same under another policy is given.
    bench.sales_policy(SALES_POLICY);
    let info = described(&bench, statement(SQL)).await;
    wait(&bench, 2);
    bench.sales_policy(&SALES_POLICY.replace("Where to look.", "Where they may look."));
    bench.do_get(&anna(), ticket(&info)).await.unwrap();
    assert_eq!(last(&bench).0, 2);
}

#[tokio::test]
async fn what_was_planned_is_not_used_under_other_claims() {
    let bench = Bench::start().await;
    let handle = prepare(&bench, &anna(), SQL).await.unwrap().prepared_statement_handle;
    let info = described(&bench, statement(SQL)).await;
    let demoted = token("anna", "nobody");
    for status in [
        bench.do_get(&demoted, ticket(&info)).await.unwrap_err(),
        bench.flight_info(&demoted, prepared(&handle)).await.unwrap_err(),
    ] {
        assert!(status.message().starts_with(MISSING), "{status}");
    }
    // Other rows of the same table.
    let info = described(&bench, statement(SQL)).await;
    wait(&bench, 2);
    let moved = FORGE.with_claims(|claims| claims["regions"] = json!(["FR"]));
    bench.do_get(&moved, ticket(&info)).await.unwrap();
    assert_eq!(last(&bench).0, 2);
}

#[tokio::test]
async fn what_was_planned_is_not_used_when_a_grant_has_ended() {
    let bench = Bench::start().await;
    bench.sales_policy(&SALES_POLICY.replacen("    to:", "    until: 2026-11-18\n    to:", 1));
    // Three seconds before midnight.
    wait(&bench, 42_797);
    let late = FORGE.with_claims(|claims| {
        claims["nbf"] = json!(START + 42_700);
        claims["iat"] = json!(START + 42_700);
        claims["exp"] = json!(START + 42_900);
    });
    let info = bench.flight_info(&late, statement(SQL)).await.unwrap();
    wait(&bench, 2);
    assert_eq!(bench.do_get(&late, ticket(&info)).await.unwrap()[0].num_rows(), 4);
    assert_eq!(last(&bench).0, 42_797);
    let info = bench.flight_info(&late, statement(SQL)).await.unwrap();
    wait(&bench, 2);
    let status = bench.do_get(&late, ticket(&info)).await.unwrap_err();
    assert!(status.message().starts_with(MISSING), "{status}");
}

#[tokio::test]
async fn tables_of_the_gateway_are_read_when_their_result_is_asked_for() {
    let bench = Bench::start().await;
    let sql = "select count(*) as n from system.audit where statement = 'select order_id from sales.orders'";
    let info = described(&bench, statement(sql)).await;
    bench.query(&anna(), SQL).await.unwrap();
    let rows = bench.do_get(&anna(), ticket(&info)).await.unwrap();
    let rows = arrow::util::pretty::pretty_format_batches(&rows).unwrap().to_string();
    assert!(rows.contains("| 1 |"), "{rows}");
}

#[tokio::test]
async fn few_and_small_plans_wait() {
    let bench = Bench::start().await;
    let kept = || bench.gateway.kept_plans.len();
    let first = bench.flight_info(&auditor(), statement(SQL)).await.unwrap();
    for _ in 1..300 {
        bench.flight_info(&auditor(), statement(SQL)).await.unwrap();
    }
    assert_eq!(kept(), 256);
    // What had to go is planned again, and given.
    wait(&bench, 1);
    bench.do_get(&auditor(), ticket(&first)).await.unwrap();
    assert_eq!((last(&bench).0, kept()), (1, 256));
    let last_one = bench.flight_info(&auditor(), statement(SQL)).await.unwrap();
    bench.do_get(&auditor(), ticket(&last_one)).await.unwrap();
    assert_eq!(kept(), 255);

    // Each that is kept takes those away that waited for too long.
    wait(&bench, 20);
    bench.flight_info(&auditor(), statement(SQL)).await.unwrap();
    assert_eq!(kept(), 1);
    let long = format!("{SQL} where order_id <> 0{}", " ".repeat(4 << 10));
    let tables = 0..50;
    let columns = tables.clone().map(|n| format!("t{n}.id x{n}, t{n}.salary y{n}")).collect::<Vec<_>>();
    let tables = tables.map(|n| format!("hr.people t{n}")).collect::<Vec<_>>();
    let wide = format!("select {} from {}", columns.join(", "), tables.join(", "));
    assert!(wide.len() < 4 << 10);
    for sql in [&long, &wide, "select 1", "select * from system.whoami", "explain select 1 from hr.people"] {
        bench.flight_info(&auditor(), statement(sql)).await.unwrap();
        assert_eq!(kept(), 1, "{sql}");
    }
}
