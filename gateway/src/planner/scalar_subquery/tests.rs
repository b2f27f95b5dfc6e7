//! Orders are 1 to 4, people are 1 to 4, and both ids are required.

use arrow::{
    array::{Array, AsArray},
    compute::cast,
    datatypes::DataType,
};

use crate::testing::bench::{Bench, auditor};

/// The rows of a statement, cells joined by spaces.
async fn rows(bench: &Bench, sql: &str) -> String {
    let batches = match bench.query(&auditor(), sql).await {
        Ok(batches) => batches,
        Err(status) => return status.to_string(),
    };
    let mut rows = Vec::new();
    for batch in batches {
        let columns: Vec<_> =
            batch.columns().iter().map(|column| cast(column, &DataType::Utf8).unwrap()).collect();
        for row in 0..batch.num_rows() {
            let cell = |column: &dyn Array| {
                let column = column.as_string::<i32>();
                if column.is_null(row) { "NULL" } else { column.value(row) }.to_owned()
            };
            rows.push(columns.iter().map(|column| cell(column)).collect::<Vec<_>>().join(" "));
        }
    }
    rows.join(", ")
}

async fn check(cases: &[(&str, &str)]) {
    let bench = Bench::start().await;
    let mut wrong = Vec::new();
    for (sql, expected) in cases {
        let rows = rows(&bench, sql).await;
        if rows != *expected {
            wrong.push(format!("{sql}\n  gives {rows}\n  not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn without_a_row_it_is_null() {
    check(&[
        ("select (select id from hr.people where false)", "NULL"),
        ("select (select id from hr.people where id > 9)", "NULL"),
        ("select (select id from hr.people where id = 2)", "2"),
        ("select (select id from hr.people limit 0)", "NULL"),
        ("select (select id from hr.people limit 0 offset 1) is null, (select 1 limit 0)", "true NULL"),
        ("select order_id from sales.orders where (select id from hr.people limit 0) = 1", ""),
        ("select (select id from hr.people where id > 9) is null", "true"),
        ("select (select id from hr.people where id = 2) is null", "false"),
        ("select coalesce((select id from hr.people where id > 9), 7)", "7"),
        ("select (select 1 where false) is null", "true"),
        ("select (select count(*) from hr.people having count(*) > 9) is null", "true"),
        ("select (select count(*) from hr.people where id > 9)", "0"),
        ("select case when (select id from hr.people where id > 9) is null then 'empty' end", "empty"),
        ("select (select (select id from hr.people where id > 9) from sales.orders where order_id = 1) is null", "true"),
    ])
    .await;
}

#[tokio::test]
async fn wherever_it_stands() {
    check(&[
        ("select order_id from sales.orders where (select id from hr.people where id > 9) is null", "1, 2, 3, 4"),
        ("select order_id from sales.orders where (select id from hr.people where id > 9) is not null", ""),
        ("select order_id from sales.orders where coalesce((select id from hr.people where id > 9), 2) = order_id", "2"),
        ("select order_id from sales.orders where order_id = (select id from hr.people where id = 3)", "3"),
        ("select region from sales.orders group by region having (select id from hr.people where id > 9) is null", "DE"),
        ("select region from sales.orders group by region having count(*) > (select id from hr.people where id > 9)", ""),
        ("select order_id from sales.orders order by (select id from hr.people where id > 9), order_id desc limit 1", "4"),
        ("select count((select id from hr.people where id > 9)) from sales.orders", "0"),
        ("select count(*) from sales.orders o join hr.people p on o.order_id = p.id and (select id from hr.people where id > 9) is null", "4"),
        ("select o.order_id from sales.orders o left join hr.people p on p.id = (select id from hr.people where id > 9) where p.id is null order by 1", "1, 2, 3, 4"),
    ])
    .await;
}

#[tokio::test]
async fn operators_above_know_it() {
    let empty = "(select id from hr.people where id > 9) as x";
    let sql = |text: &str| text.replace("{empty}", empty);
    check(&[
        (&sql("select x is null from (select {empty}) t"), "true"),
        (&sql("select x is null from (select {empty} union all select 1) t order by 1"), "false, true"),
        (&sql("select x is null from (select 1 as x union all select {empty}) t order by 1"), "false, true"),
        (&sql("select distinct x is null from (select {empty} from sales.orders) t"), "true"),
        (&sql("with t as (select {empty}) select count(*) from t where x is null"), "1"),
        (&sql("select x is null, count(*) from (select {empty}, region from sales.orders) t group by x"), "true 4"),
        (&sql("select id from (select order_id as id, {empty} from sales.orders) t where exists (select 1 from hr.people p where p.id = t.id and t.x is null) order by 1"), "1, 2, 3, 4"),
        (&sql("select id from (select order_id as id, {empty} from sales.orders) t where id in (select p.id from hr.people p where t.x is null) order by 1"), "1, 2, 3, 4"),
        (&sql("with recursive r as (select {empty}, 1 as n union all select x, n + 1 from r where n < 3 and x is null) select count(x), count(*) from r"), "0 3"),
        (&sql("select max(x) over () is null from (select {empty}) t"), "true"),
    ])
    .await;
}

/// What is nullable only until the engine simplifies it.
#[tokio::test]
async fn simplified_columns_do_not_take_it_back() {
    check(&[
        ("select (select case when true then 1 end from hr.people where id > 9) is null", "true"),
        ("select (select nullif(1, 2) from hr.people where id > 9) is null", "true"),
        ("select (select b.id from hr.people a left join hr.people b on a.id = b.id where b.id > 9) is null", "true"),
    ])
    .await;
}

#[tokio::test]
async fn correlated_ones_as_well() {
    check(&[
        ("select o.order_id, (select count(p.id) from hr.people p where p.id = o.order_id and p.id < 3 group by p.id) as x from sales.orders o order by 1",
         "1 1, 2 1, 3 NULL, 4 NULL"),
        ("select o.order_id from sales.orders o where (select count(p.id) from hr.people p where p.id = o.order_id and p.id < 3 group by p.id) is null order by 1",
         "3, 4"),
        ("select o.order_id, coalesce((select count(p.id) from hr.people p where p.id = o.order_id and p.id < 3 group by p.id), 0) from sales.orders o order by 1",
         "1 1, 2 1, 3 0, 4 0"),
        ("select o.order_id, (select max(p.id) from hr.people p where p.id = o.order_id and p.id < 3) is null from sales.orders o order by 1",
         "1 false, 2 false, 3 true, 4 true"),
        ("select o.order_id from sales.orders o where o.order_id * 2 > (select 1.5 * max(p.id) from hr.people p where p.id = o.order_id and p.id < 3) order by 1",
         "1, 2"),
    ])
    .await;
}

#[tokio::test]
async fn counting_nothing_is_zero() {
    let count = "(select count(*) from hr.people p where p.id = o.order_id and p.id < 3)";
    let sql = |text: &str| text.replace("{count}", count);
    check(&[
        (&sql("select o.order_id, {count} from sales.orders o order by 1"), "1 1, 2 1, 3 0, 4 0"),
        (&sql("select o.order_id, {count} + 1 from sales.orders o order by 1"), "1 2, 2 2, 3 1, 4 1"),
        (&sql("select o.order_id from sales.orders o where {count} = 0 order by 1"), "3, 4"),
        (&sql("select o.order_id from sales.orders o where {count} is null"), ""),
        (&sql("select sum(n) from (select {count} as n from sales.orders o) t"), "2"),
        (
            "select o.order_id, (select coalesce(max(p.id), 7) from hr.people p where p.id = o.order_id and p.id < 3) \
             from sales.orders o order by 1",
            "1 1, 2 2, 3 7, 4 7",
        ),
        (
            "select count(*) from sales.orders o group by o.order_id having (select count(*) from hr.people p \
             where p.id = o.order_id and p.id < 3) = 0",
            "1, 1",
        ),
    ])
    .await;
}

#[tokio::test]
async fn names_stay() {
    let bench = Bench::start().await;
    let sql = "select (select id from hr.people where id = 1), (select 1 as one), (select id from hr.people where id = 1) as x";
    let batches = bench.query(&auditor(), sql).await.unwrap();
    let schema = batches[0].schema();
    let names: Vec<_> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names, ["id", "one", "x"]);
}

#[tokio::test]
async fn values_hold_none() {
    let bench = Bench::start().await;
    let sql = "select n from (values ((select id from hr.people where id > 9))) as t (n) where n is null";
    let (code, message) = bench.refusal(&auditor(), sql).await;
    assert_eq!(code, tonic::Code::InvalidArgument);
    assert!(message.contains("not supported"), "{message}");
}
