//! Which domain may be told what, by the shape of a plan.

use super::*;
use crate::{
    planner::tests::plan_as,
    testing::{bench::Bench, larkfield::SALES_POLICY},
};

const TOLD: &str = "
disclosures:
  - { tables: [orders], columns: [order_id, total], join_keys: values, to_domains: [hr], why: Joins. }
  - { tables: [order_lines], columns: [order_id], join_keys: bounds, to_domains: [hr] }
";

/// `column > domain: what` of all that joins of the statement may tell.
async fn told(bench: &Bench, role: &str, sql: &str) -> Vec<String> {
    let planned = plan_as(bench, role, sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let told =
        |Disclosure { of, to_domain, keys }: Disclosure| format!("{of} > {to_domain}: {}", keys.word());
    disclosures(&planned.plan).unwrap().into_iter().map(told).collect()
}

const ID: &str = "sales.orders.order_id > hr: values";

#[tokio::test]
async fn keys_are_told_where_one_column_of_one_table_gives_them() {
    let bench = Bench::start().await;
    bench.sales_policy(&[SALES_POLICY, TOLD].concat());
    for sql in [
        "select * from sales.orders o join hr.people p on p.id = o.order_id",
        "select count(*) from sales.orders o join hr.people p on p.id = o.order_id",
        "select p.id, o.total from sales.orders o join hr.people p on p.id = o.order_id where o.total > 5 and p.salary > 3",
        "select p.id from (select order_id as k from sales.orders where region = 'DE') o join hr.people p on p.id = o.k",
        "select p.id from sales.orders o left join hr.people p on p.id = o.order_id",
        "with o as (select * from sales.orders) select p.id from o join hr.people p on p.id = o.order_id and p.salary > o.total",
        "select order_id from sales.orders where not exists (select 1 from hr.people where id = order_id)",
    ] {
        assert_eq!(told(&bench, "auditor", sql).await, [ID], "{sql}");
    }
    let lines = "select * from sales.order_lines l join hr.people p on p.id = l.order_id";
    assert_eq!(told(&bench, "auditor", lines).await, ["sales.order_lines.order_id > hr: bounds"]);
}

#[tokio::test]
async fn nothing_is_told_where_more_than_one_column_decides_or_the_answer_could_change() {
    let bench = Bench::start().await;
    bench.sales_policy(&[SALES_POLICY, TOLD].concat());
    for sql in [
        // Not disclosed: another column, a computed key, what hr has.
        "select * from sales.orders o join hr.people p on p.id = o.margin",
        "select * from sales.orders o join hr.people p on p.id = o.order_id + 1",
        "select * from sales.orders o join hr.people p on p.id + 1 = o.order_id",
        "select * from hr.people p join sales.orders o on p.id = o.order_id",
        // Other values chose among the keys.
        "select * from (select order_id from sales.orders limit 3) o join hr.people p on p.id = o.order_id",
        "select * from (select distinct order_id from sales.orders) o join hr.people p on p.id = o.order_id",
        "select * from (select o.order_id from sales.orders o join sales.order_lines l on l.order_id = o.order_id) o join hr.people p on p.id = o.order_id",
        "select * from (select order_id from sales.orders where total > (select max(salary) from hr.people)) o join hr.people p on p.id = o.order_id",
        "select * from (select order_id from sales.orders where total > (select max(order_id) from sales.order_lines)) o join hr.people p on p.id = o.order_id",
        // Rows without a partner are in the answer, or NULL has partners.
        "select * from sales.orders o full join hr.people p on p.id = o.order_id",
        "select * from sales.orders o right join hr.people p on p.id = o.order_id",
        "select * from sales.orders o join hr.people p on p.id is not distinct from o.order_id",
        "select order_id from sales.orders where total not in (select salary from hr.people)",
        // Groups and first rows are the gateway's own here: fewer rows below make others.
        "select p.id from sales.orders o join (select id, count(*) from hr.people group by id) p on p.id = o.order_id",
        "select p.id from sales.orders o join (select id from hr.people order by salary limit 3) p on p.id = o.order_id",
        "select * from sales.orders o join (select id from hr.people limit 3) p on p.id = o.order_id",
    ] {
        assert_eq!(told(&bench, "auditor", sql).await, [""; 0], "{sql}");
    }
    // Rows are hidden from analysts, and they see nothing of hr.
    bench.sales_policy(SALES_POLICY);
    let sql = "select * from sales.orders o join hr.people p on p.id = o.order_id";
    assert_eq!(told(&bench, "auditor", sql).await, [""; 0], "without a disclosure");
}
