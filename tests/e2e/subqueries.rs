//! Scalar subqueries over required columns: without a row they are NULL.

use meshgate_tests::client::Client;
use meshgate_tests::fixture;

async fn rows(client: &mut Client, sql: &str) -> Vec<String> {
    let rows = client.rows(sql).await.sorted().rows;
    let cell = |cell: Option<String>| cell.unwrap_or_else(|| "NULL".to_owned());
    rows.into_iter().map(|row| row.into_iter().map(cell).collect::<Vec<_>>().join(" ")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scalar_subquery_without_a_row_is_null() {
    let mesh = fixture::leaks().start().await;
    let mut alice = mesh.client(&fixture::alice()).await;
    for (sql, expected) in [
        ("select (select id from hr.people where false) as x", vec!["NULL"]),
        ("select (select id from hr.people where id = 999) is null as x", vec!["true"]),
        // A row that policy hides is no row: 12 is of another tenant.
        ("select coalesce((select id from hr.people where id = 12), -1) as x", vec!["-1"]),
        (
            "select id from sales.orders where (select id from hr.people where id = 999) is null",
            vec!["1", "2", "5"],
        ),
        (
            "select region from sales.orders group by region having (select id from hr.people where id = 999) is null",
            vec!["EU"],
        ),
        (
            "select o.id, (select count(p.id) from hr.people p where p.id = o.customer_id group by p.id) as x \
             from sales.orders o",
            vec!["1 1", "2 1", "5 NULL"],
        ),
        (
            "select o.id from sales.orders o \
             where (select count(p.id) from hr.people p where p.id = o.customer_id group by p.id) is null",
            vec!["5"],
        ),
        (
            "select o.id, (select count(*) from hr.people p where p.id = o.customer_id) as n from sales.orders o",
            vec!["1 1", "2 1", "5 0"],
        ),
        (
            "select o.id from sales.orders o where (select count(*) from hr.people p where p.id = o.customer_id) = 0",
            vec!["5"],
        ),
    ] {
        assert_eq!(rows(&mut alice, sql).await, expected, "{sql}");
    }
}
