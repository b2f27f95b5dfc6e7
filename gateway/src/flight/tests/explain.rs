//! EXPLAIN and EXPLAIN POLICY: to each caller what is its own to know.

use arrow::datatypes::Schema;
use arrow_flight::{
    FlightDescriptor,
    sql::{ActionCreatePreparedStatementRequest, ProstMessageExt},
};
use prost::Message;
use serde_json::json;
use tonic::Code;

use crate::testing::{
    bench::{Bench, anna, auditor, otto, statement, token, with_token},
    larkfield::SALES_POLICY,
};

async fn lines(bench: &Bench, token: &str, sql: &str) -> Vec<String> {
    let table = bench.table(token, sql).await;
    let cells = |line: &str| line.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>().join(",");
    table.lines().filter(|line| !line.starts_with('+')).skip(1).map(cells).collect()
}

fn owner() -> String {
    token("olga", "owner")
}

#[tokio::test]
async fn explain_policy_tells_rules_reasons_and_whom_to_ask() {
    let bench = Bench::start().await;
    let rest = "analysts-own-regions,owner,Analysts work on their regions.,sales@larkfield.example,";
    let line = |column: &str, effect: &str| format!("sales,orders,{column},{effect},{rest}");
    assert_eq!(
        lines(&bench, &anna(), "explain policy select * from sales.orders").await,
        [
            line("(rows)", "gives some rows"),
            line("order_id", "shows"),
            line("region", "shows"),
            line("total", "shows"),
            line("card", "masks"),
        ]
    );
    // Only what the query reads, wherever it reads it.
    let sql = "explain policy select count(*) from sales.orders where total > (select max(order_id) from sales.orders)";
    assert_eq!(
        lines(&bench, &anna(), sql).await,
        [line("(rows)", "gives some rows"), line("order_id", "shows"), line("total", "shows")]
    );
    for nothing in ["select 1", "select * from system.whoami"] {
        assert_eq!(lines(&bench, &anna(), &format!("explain policy {nothing}")).await, Vec::<String>::new());
    }
    assert!(bench.sales.scans().is_empty(), "nothing is read");
}

#[tokio::test]
async fn explain_policy_shows_expressions_to_those_who_may_read_rules() {
    let bench = Bench::start().await;
    let policy = SALES_POLICY.replace("roles: [analyst] }", "roles: [analyst, owner] }");
    bench.sales_policy(&policy);
    let sql = "explain policy select card from sales.orders";
    let told = lines(&bench, &owner(), sql).await;
    assert!(told[0].ends_with(",claim_has('regions'; region)".replace(';', ",").as_str()), "{told:?}");
    assert!(told[1].ends_with(",owners,owner,,sales@larkfield.example,total > 100"), "{told:?}");
    assert!(told[2].ends_with(",last(4)"), "{told:?}");
    for other in [anna(), auditor()] {
        let text = bench.table(&other, sql).await;
        assert!(!text.contains("claim_has") && !text.contains("last(4)") && !text.contains("100"), "{text}");
    }
}

#[tokio::test]
async fn explain_policy_names_nothing_that_is_hidden() {
    let bench = Bench::start().await;
    bench.sales_policy(&format!(
        "{SALES_POLICY}restrictions:\n  - {{ id: no-margins, tables: [orders], columns: [margin], hide: true }}\n  \
         - {{ id: no-totals, to: {{ roles: [analyst] }}, tables: [orders], columns: [total], hide: true }}\n"
    ));
    for token in [anna(), owner()] {
        let told = lines(&bench, &token, "explain policy select * from sales.orders").await;
        for line in &told {
            let cells: Vec<&str> = line.split(',').collect();
            assert!(!["margin", "total"].contains(&cells[2]), "{line}");
            assert!(
                !line.contains("margin") && !line.contains("no-totals") && !line.contains("auditors"),
                "{line}"
            );
        }
        assert!(told.len() > 2, "{told:?}");
        let (code, _) = bench.refusal(&token, "explain policy select margin from sales.orders").await;
        assert_eq!(code, Code::InvalidArgument);
    }
    let (code, _) = bench.refusal(&otto(), "explain policy select * from sales.orders").await;
    assert_eq!(code, Code::NotFound);
}

#[tokio::test]
async fn a047_explain_tells_who_does_what_and_nothing_else() {
    let bench = Bench::start().await;
    let sql = "explain select o.region, count(*) as n, sum(o.total + 1) from sales.orders o
               join hr.people p on p.id = o.order_id
               where o.total > 5 and o.card = 'x' and p.salary + o.total > 3 group by o.region order by n desc limit 2";
    let steps = lines(&bench, &auditor(), sql).await;
    assert_eq!(
        steps,
        [
            "1,domain sales,reads sales.orders as far as you may see it: order_id, region, total, card; where total > 5 and card = 'x'",
            "2,gateway,keeps rows of 1 where sales.orders.total > 5 and sales.orders.card = 'x'",
            "3,domain hr,reads hr.people as far as you may see it: id, salary",
            "4,gateway,joins 2 with 3, on o.order_id = p.id and (p.salary + o.total) > 3",
            "5,gateway,groups 4 by o.region: count(*), sum(o.total + 1)",
            "6,gateway,sorts 5 by n desc; the first 2 rows",
        ]
    );
    // A restricted table is as opaque as a free one: nothing of its policy is in the plan.
    let steps =
        lines(&bench, &anna(), "explain select order_id from sales.orders where card = 'x' and total > 5")
            .await;
    assert_eq!(
        steps,
        [
            "1,domain sales,reads sales.orders as far as you may see it: order_id, total, card; where total > 5",
            "2,gateway,keeps rows of 1 where sales.orders.card = 'x' and sales.orders.total > 5",
        ]
    );
    assert!(bench.sales.scans().is_empty() && bench.hr.scans().is_empty(), "nothing is read");
}

#[tokio::test]
async fn explain_covers_every_kind_of_query() {
    let bench = Bench::start().await;
    for sql in [
        "select 1",
        "values (1), (2)",
        "select distinct region from sales.orders",
        "select distinct on (region) region, total from sales.orders order by region, total",
        "select order_id from sales.orders union all select id from hr.people limit 3 offset 1",
        "select order_id from sales.orders intersect select id from hr.people",
        "select order_id, row_number() over (partition by region order by total) from sales.orders",
        "select * from sales.orders where order_id in (select id from hr.people)",
        "select * from sales.orders where order_id not in (select id from hr.people)",
        "select (select max(salary) from hr.people), order_id from sales.orders",
        "select * from sales.orders, hr.people",
        "select * from sales.orders o full join hr.people p on o.order_id = p.id and o.total > p.salary",
        "select * from sales.orders o left join hr.people p on o.order_id = p.id where p.id is null",
        "with recursive r as (select 1 as n union all select n + 1 from r where n < 5) select * from r",
        "select unnest([1, 2, 3])",
        "select region, count(*) from sales.orders group by rollup (region) having count(*) > 1",
        "select subject from system.whoami",
        "select * from sales.orders where false",
    ] {
        let steps = lines(&bench, &auditor(), &format!("explain {sql}")).await;
        assert!(!steps.is_empty(), "{sql}");
        for (position, step) in steps.iter().enumerate() {
            assert!(step.starts_with(&format!("{},", position + 1)), "{sql}: {steps:?}");
            let has = |word: &str| step.contains(word);
            assert!(
                !has("127.0.0.1") && !has("scalar_or_null") && !has("__") && !has("Int64("),
                "{sql}: {step}"
            );
        }
    }
}

#[tokio::test]
async fn explanations_come_by_every_way_and_promise_their_columns() {
    let bench = Bench::start().await;
    for (sql, columns) in [
        ("explain select * from sales.orders", 3),
        ("explain policy select * from sales.orders", 9),
        ("show tables", 3),
        ("describe sales.orders", 4),
    ] {
        let info = bench.flight_info(&anna(), statement(sql)).await.unwrap();
        let rows = bench.do_get(&anna(), info.endpoint[0].ticket.clone().unwrap()).await.unwrap();
        let promised = Schema::try_from(info).unwrap();
        assert_eq!((promised.fields().len(), &promised), (columns, rows[0].schema().as_ref()), "{sql}");
        let request = ActionCreatePreparedStatementRequest { query: sql.to_owned(), transaction_id: None };
        let body = request.as_any().encode_to_vec().into();
        let action = arrow_flight::Action { r#type: "CreatePreparedStatement".to_owned(), body };
        assert!(bench.client().do_action(with_token(action, &anna())).await.is_ok(), "{sql}");
        let text = bench.flight_info(&anna(), FlightDescriptor::new_cmd(sql)).await.unwrap();
        // A ticket is the caller's own, and what it gives is planned for who brings it.
        assert!(bench.do_get(&otto(), text.endpoint[0].ticket.clone().unwrap()).await.is_err(), "{sql}");
    }
}

#[tokio::test]
async fn explaining_is_recorded_like_a_query() {
    let bench = Bench::start().await;
    bench.query(&anna(), "explain policy select * from sales.orders").await.unwrap();
    let records = bench.records();
    assert_eq!(records.len(), 1, "{records:?}");
    assert_eq!((&records[0]["outcome"], &records[0]["tables"][0]), (&"ok".into(), &"sales.orders".into()));
}

/// What came from a domain is what the caller could have had; of the rest of the work nothing is told.
#[tokio::test]
async fn explain_analyze_runs_the_query_and_says_what_each_domain_gave() {
    let bench = Bench::start().await;
    let sql = "select o.order_id, p.salary from sales.orders o join hr.people p on o.order_id = p.id";
    let told = lines(&bench, &auditor(), &format!("explain analyze {sql}")).await;
    let given = |place: &str| {
        let of = |line: &&String| line.split(',').nth(1) == Some(place);
        let line = told.iter().rfind(of).unwrap_or_else(|| panic!("{place}: {told:?}"));
        let cells: Vec<&str> = line.rsplit(',').take(3).collect();
        (cells[2].to_owned(), cells[1].parse::<u64>().ok(), cells[0].parse::<f64>().unwrap() > 0.0)
    };
    assert_eq!(given("domain sales"), ("4".to_owned(), Some(32), true), "{told:?}");
    assert_eq!(given("domain hr"), ("4".to_owned(), Some(64), true), "{told:?}");
    let rows =
        bench.query(&auditor(), sql).await.unwrap().iter().map(|batch| batch.num_rows()).sum::<usize>();
    assert_eq!(given("gateway"), (rows.to_string(), None, true), "{told:?}");
    // The steps are those of EXPLAIN, and the one that would give the result.
    let steps = lines(&bench, &auditor(), &format!("explain {sql}")).await;
    assert_eq!(told.len(), steps.len() + 1);
    assert!(steps.iter().zip(&told).all(|(step, told)| told.starts_with(step.as_str())), "{told:?}");
    // It ran, as far as the audit is concerned.
    let record = bench
        .records()
        .into_iter()
        .rfind(|record| record["statement"].as_str().is_some_and(|text| text.starts_with("explain analyze")));
    assert_eq!(record.unwrap()["tables"], json!(["hr.people", "sales.orders"]));
}

#[tokio::test]
async fn explain_analyze_is_for_the_roles_that_the_operator_names() {
    let bench = Bench::start().await;
    let plain = "select order_id from sales.orders";
    assert!(bench.query(&anna(), plain).await.is_ok());
    let asked = bench.sales.scans().len();
    let refused = bench.refusal(&anna(), &format!("explain analyze {plain}")).await;
    // Whether there is such a table makes no difference.
    assert_eq!(refused, bench.refusal(&anna(), "explain analyze select * from sales.nothing").await);
    assert_eq!(refused.0, Code::InvalidArgument);
    assert_eq!(
        refused.1,
        "EXPLAIN ANALYZE is not accepted: EXPLAIN says which domain does what, without running the query"
    );
    assert_eq!(bench.sales.scans().len(), asked, "nothing is read");
    // Who may do it sees no more tables by it.
    let missing = bench.refusal(&auditor(), "explain analyze select * from sales.nothing").await;
    assert_eq!(missing, bench.refusal(&auditor(), "select * from sales.nothing").await);
}

/// A query that fails is not explained as if it had run.
#[tokio::test]
async fn explain_analyze_of_a_query_that_fails_fails() {
    let bench = Bench::start().await;
    let sql = "select 1 / (order_id - order_id) from sales.orders where total > 0 or total is null";
    let (plain, analyzed) = (
        bench.refusal(&auditor(), sql).await,
        bench.refusal(&auditor(), &format!("explain analyze {sql}")).await,
    );
    assert_eq!(plain, analyzed);
}
