use std::time::{Duration, Instant};

use meshgate_policies::Principal;

use super::*;
use crate::{
    catalog::PrincipalCatalog,
    query::{DomainQueryExec, QueryContext},
    testing::{bench::Bench, larkfield::SALES_POLICY},
};
use meshgate_proto::v1;
use prost::Message;

pub(super) async fn plan_as(bench: &Bench, role: &str, sql: &str) -> Result<Planned, GatewayError> {
    let mut principal = Principal { issuer: "i".to_owned(), subject: "s".to_owned(), ..Principal::default() };
    principal.roles.insert(role.to_owned());
    let regions = meshgate_policies::ClaimValue::Texts(vec!["DE".to_owned()]);
    principal.claims.insert("regions".to_owned(), regions);
    let (principal, snapshot) = (Arc::new(principal), bench.gateway.mesh.snapshot());
    let catalog =
        PrincipalCatalog::new(Arc::clone(&snapshot), Arc::clone(&principal), bench.gateway.clock.now());
    let context = QueryContext::new(
        "query".to_owned(),
        principal,
        snapshot,
        Arc::clone(&bench.gateway.permits),
        Instant::now() + Duration::from_secs(60),
        Duration::from_secs(10),
    );
    bench.gateway.planner.plan(sql.to_owned(), Parameters::Open, Arc::new(catalog), Arc::new(context)).await
}

/// The scans in a plan, those in subqueries included.
fn scans(plan: &Arc<dyn ExecutionPlan>) -> Vec<v1::Scan> {
    let mut found = Vec::new();
    let mut open = vec![Arc::clone(plan)];
    while let Some(node) = open.pop() {
        if let Some(domain_query) = node.downcast_ref::<DomainQueryExec>() {
            let query = v1::DomainQuery::decode(domain_query.query().bytes.clone()).unwrap();
            let Some(v1::domain_query::Form::Scan(scan)) = query.form else { panic!("a scan") };
            found.push(scan);
        }
        open.extend(node.children().into_iter().cloned());
    }
    found.sort_by(|left, right| (&left.domain, &left.table).cmp(&(&right.domain, &right.table)));
    found
}

fn tables(planned: &Planned) -> Vec<String> {
    scans(&planned.plan).iter().map(|scan| format!("{}.{}", scan.domain, scan.table)).collect()
}

#[tokio::test]
async fn a_scan_asks_for_what_is_needed() {
    let bench = Bench::start().await;
    let sql = "select total + 1 from sales.orders where region = 'DE' and order_id in (1, 2) and total > 5";
    let planned = plan_as(&bench, "analyst", sql).await.unwrap();
    let scan = scans(&planned.plan).remove(0);
    assert_eq!(scan.columns, ["order_id", "region", "total"]);
    assert_eq!(scan.predicates.len(), 3);
}

#[tokio::test]
async fn masked_columns_are_never_compared_by_the_node() {
    let bench = Bench::start().await;
    let planned =
        plan_as(&bench, "analyst", "select order_id from sales.orders where card = 'x'").await.unwrap();
    let scan = scans(&planned.plan).remove(0);
    assert_eq!((scan.columns, scan.predicates.len()), (vec!["order_id".to_owned(), "card".to_owned()], 0));
    let planned =
        plan_as(&bench, "auditor", "select order_id from sales.orders where card = 'x'").await.unwrap();
    assert_eq!(scans(&planned.plan).remove(0).predicates.len(), 1);
}

#[tokio::test]
async fn a_limit_goes_along_only_without_conditions() {
    let bench = Bench::start().await;
    let planned = plan_as(&bench, "analyst", "select order_id from sales.orders limit 3").await.unwrap();
    assert_eq!(scans(&planned.plan).remove(0).limit, Some(3));
    let sql = "select order_id from sales.orders where total > 5 limit 3";
    let planned = plan_as(&bench, "analyst", sql).await.unwrap();
    assert_eq!(scans(&planned.plan).remove(0).limit, None);
}

#[tokio::test]
async fn a116_scans_in_subqueries_are_cut_as_well() {
    let bench = Bench::start().await;
    for sql in [
        "select * from sales.orders where total > (select max(salary) from hr.people)",
        "select (select max(salary) from hr.people), order_id from sales.orders",
        "select * from sales.orders o where exists (select 1 from hr.people p where p.id = o.order_id)",
        "select * from sales.orders where order_id not in (select id from hr.people)",
        "with x as (select id from hr.people) select * from sales.orders join x on id = order_id",
        "select order_id from sales.orders union all select id from hr.people",
    ] {
        let planned = plan_as(&bench, "auditor", sql).await.unwrap();
        assert_eq!(tables(&planned), ["hr.people", "sales.orders"], "{sql}");
    }
}

#[tokio::test]
async fn counting_needs_no_columns() {
    let bench = Bench::start().await;
    let planned = plan_as(&bench, "analyst", "select count(*) from sales.orders").await.unwrap();
    assert_eq!(scans(&planned.plan).remove(0).columns, Vec::<String>::new());
}

#[tokio::test]
async fn the_notice_counts_rules_and_masks_of_what_is_read() {
    let bench = Bench::start().await;
    let notice = |planned: Planned| planned.notice.to_json("q");
    let all = plan_as(&bench, "analyst", "select * from sales.orders").await.unwrap();
    assert_eq!(notice(all), r#"{"query_id":"q","policies":{"row_rules":1,"masked_columns":1}}"#);
    let some = plan_as(&bench, "analyst", "select order_id from sales.orders").await.unwrap();
    assert_eq!(notice(some), r#"{"query_id":"q","policies":{"row_rules":1,"masked_columns":0}}"#);
    let free = plan_as(&bench, "auditor", "select * from sales.orders").await.unwrap();
    assert_eq!(notice(free), r#"{"query_id":"q","policies":{"row_rules":0,"masked_columns":0}}"#);
}

#[tokio::test]
async fn the_notice_counts_only_rules_that_can_leave_rows_out() {
    let bench = Bench::start().await;
    bench.sales_policy(&format!(
        "{SALES_POLICY}restrictions:\n  - {{ id: small, tables: [orders], rows: total < 500 }}\n  \
         - {{ id: everyone, tables: [orders], rows: \"subject() = 's'\" }}\n  \
         - {{ id: cards, tables: [orders], columns: [card], mask: redact }}\n"
    ));
    for (role, expected) in [("analyst", 2), ("auditor", 1)] {
        let planned = plan_as(&bench, role, "select * from sales.orders").await.unwrap();
        let notice: serde_json::Value = serde_json::from_str(&planned.notice.to_json("q")).unwrap();
        assert_eq!(notice["policies"]["row_rules"], expected, "{role}");
        assert_eq!(notice["policies"]["masked_columns"], 1, "{role}");
    }
}
