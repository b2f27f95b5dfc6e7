//! Rows: however a statement reads a table, it reads the visible rows.

use meshgate_tests::fixture;

use super::views;

/// On `sales.orders` without cards, so that every caller can ask.
const ORDERS: &[&str] = &[
    // a003: whatever the caller's precedence.
    "select id from sales.orders where region = 'EU' or 1 = 1",
    "select id from sales.orders where not (region = 'EU')",
    "select id from sales.orders where region = 'US' or true and amount > 0 or id > 0",
    "select id from sales.orders where not (region <> 'EU' and amount is null)",
    "select id from sales.orders where (region = 'EU') is not true",
    "select id from sales.orders where true or false and 1 = 2",
    // Predicates that travel, in three-valued logic.
    "select id from sales.orders where amount not in (100, null)",
    "select id from sales.orders where not (amount in (100, null))",
    "select id from sales.orders where amount in (100, null, 300)",
    "select id from sales.orders where not (amount > 100)",
    "select id from sales.orders where not (amount between 5 and 150)",
    "select id from sales.orders where amount not between 150 and 5",
    "select id from sales.orders where (amount > 5) is unknown",
    "select id from sales.orders where not (amount > 5 and region = 'EU')",
    "select id from sales.orders where not (amount > 5 or region = 'US')",
    "select id from sales.orders where amount is distinct from 5",
    "select id from sales.orders where amount is not distinct from null",
    "select id from sales.orders where region not in ('EU')",
    "select id from sales.orders where amount <> 100 or amount is null",
    "select id from sales.orders where 100 <= amount and 300 > amount",
    "select id from sales.orders where amount = 100.0",
    "select id from sales.orders where amount < 100.5",
    "select id from sales.orders where amount = '100'",
    "select id from sales.orders where amount > 'no number'",
    "select id from sales.orders where amount = 99999999999999999999",
    "select id from sales.orders where cast(amount as double) = 'NaN'",
    "select id from sales.orders where region > 'E' and region < 'F'",
    "select id from sales.orders where null",
    "select id from sales.orders where amount in (select amount from sales.orders where id <> 1)",
    "select id from sales.orders where amount not in (select amount from sales.orders where id > 1)",
    // a007: each occurrence.
    "select a.id, b.id, c.id from sales.orders a, sales.orders b, sales.orders c where a.customer_id <= b.customer_id and b.id < c.id",
    "select count(*) from sales.orders a join sales.orders b using (customer_id) join sales.orders c using (customer_id)",
    "select count(*) from sales.orders a natural join sales.orders b",
    // a008: common table expressions once, twice, joined, unused, shadowing.
    "with c as (select * from sales.orders) select id from c",
    "with c as (select id, amount from sales.orders) select a.id, b.amount from c a join c b on a.id >= b.id",
    "with c as (select id from sales.orders) select 1",
    "with orders as (select id from sales.orders where amount > 100) select * from orders",
    "with c as (select * from sales.orders), d as (select * from c) select count(*), max(amount) from d",
    // a009: nine places of a subquery.
    "select (select max(id) from sales.orders)",
    "select id from sales.orders where amount = (select max(amount) from sales.orders)",
    "select region, sum(amount) from sales.orders group by region having count(*) >= (select count(*) from sales.orders) - 1",
    "select id from sales.orders order by (select count(*) from sales.orders), id",
    "select count(*) from sales.orders group by amount > (select min(amount) from sales.orders)",
    "select a.id from sales.orders a join sales.orders b on a.id = b.id and b.amount > (select min(amount) from sales.orders)",
    "select case when (select count(*) from sales.orders) > 2 then 'many' else 'few' end",
    "select coalesce((select amount from sales.orders where id = 6), (select max(id) from sales.orders))",
    "select sum((select max(amount) from sales.orders)) over (order by id) from sales.orders",
    "select id from sales.orders o where exists (select 1 from sales.orders i where i.customer_id = o.customer_id and i.id <> o.id)",
    "select id from sales.orders o where not exists (select 1 from sales.orders i where i.id > o.id)",
    "select id, (select count(*) from sales.orders i where i.customer_id = o.customer_id) from sales.orders o",
    "select id from sales.orders where amount >= all (select amount from sales.orders where amount is not null)",
    "select id from sales.orders where amount = any (select max(amount) from sales.orders)",
    "select o.id, l.n from sales.orders o, lateral (select count(*) as n from sales.orders i where i.customer_id = o.customer_id) l",
    // a010: set operations, with NULL.
    "select amount from sales.orders union select null",
    "select region from sales.orders union all select region from sales.orders",
    "select amount from sales.orders intersect select amount from sales.orders where id < 6",
    "select amount from sales.orders except select amount from sales.orders where id = 1",
    "select amount from sales.orders except all select null",
    "select id from (select id from sales.orders except select 1) union (select id from sales.orders intersect select 3)",
    // a011: recursion, with the table as anchor and in the step.
    "with recursive r as (select min(id) as n from sales.orders union all select n + 1 from r where n < (select max(id) from sales.orders)) select n from r",
    "with recursive r as (select id, 0 as depth from sales.orders union all select o.id, r.depth + 1 from r join sales.orders o on o.id = r.id + 1 where r.depth < 3) select id, depth from r",
    // a012: windows.
    "select id, row_number() over (order by id) from sales.orders",
    "select id, lag(amount) over (order by id), lead(amount) over (order by id) from sales.orders",
    "select id, count(*) over () from sales.orders",
    "select id, ntile(2) over (order by id) from sales.orders",
    "select id, rank() over (partition by region order by amount), cume_dist() over (order by id) from sales.orders",
    "select id, sum(amount) over (order by id rows between 1 preceding and 1 following) from sales.orders",
    "select id, first_value(amount) over (order by amount desc nulls last) from sales.orders",
    // a013: grouping sets, DISTINCT ON, FILTER.
    "select region, customer_id, count(*) from sales.orders group by grouping sets ((region), (customer_id), ())",
    "select region, customer_id, sum(amount), grouping(region) from sales.orders group by rollup (region, customer_id)",
    "select region, customer_id, count(*) from sales.orders group by cube (region, customer_id)",
    "select distinct on (region) region, id from sales.orders order by region, id",
    "select count(*) filter (where amount > 100), count(*) filter (where region = 'US') from sales.orders",
    "select region, count(distinct customer_id) from sales.orders group by region",
    // a014: as many rows as asked for, of the visible ones.
    "select id from sales.orders order by id limit 2",
    "select id from sales.orders order by id desc limit 1 offset 1",
    "select count(*) from (select id from sales.orders limit 2)",
    "select count(*) from (select id from sales.orders where amount > 0 limit 2)",
    "select count(*) from (select 1 from sales.orders limit 2)",
    "select count(*) from (select id from sales.orders offset 1)",
    "select id from sales.orders order by amount desc nulls last, id limit 1",
    "select id from sales.orders limit 0",
    "select count(*) from (select a.id from sales.orders a cross join sales.orders b limit 3)",
    // a016: spellings.
    "select id from mesh.sales.orders",
    "select id from \"sales\".\"orders\"",
    "select ID from SALES.Orders",
    "select \"id\" from \"mesh\".\"sales\".\"orders\"",
    "select \"ID\" from sales.orders",
    "select id from \"SALES\".orders",
    "select id from orders",
    "select id from other.sales.orders",
    "select people.id from sales.orders as people",
    "select \"hr.people\".id from sales.orders as \"hr.people\"",
    "select sales.orders.id from sales.orders",
    "select mesh.sales.orders.id from mesh.sales.orders",
    // Without columns, with constants, with whole rows.
    "select 1 from sales.orders",
    "select count(*), count(1), count(null) from sales.orders",
    "select o.id from sales.orders o where o.id = o.id",
    "select u from (select unnest(array_agg(id)) as u from sales.orders)",
    "select unnest([id, amount]) from sales.orders",
    // a053: of the visible rows only one, or more.
    "select (select id from sales.orders where customer_id = 10)",
    "select (select id from sales.orders where customer_id = 12)",
    "select id from sales.orders where id = (select id from sales.orders where amount > 100)",
    // a054: overflow by hidden rows.
    "select sum(cast(amount * 100 as smallint)) from sales.orders",
    "select max(cast(amount * 150 as smallint)) from sales.orders",
    "select cast(sum(amount) as tinyint) from sales.orders where amount < 10",
    "select count(*) from sales.orders where power(10, amount) > 0",
];

/// With people, whom bob does not see.
const PEOPLE: &[&str] = &[
    // a006: on the nullable side, and on both.
    "select o.id, p.name from sales.orders o left join hr.people p on o.customer_id = p.id",
    "select o.id, p.name from sales.orders o right join hr.people p on o.customer_id = p.id",
    "select o.id, p.name from sales.orders o full join hr.people p on o.customer_id = p.id",
    "select p.name, o.id from hr.people p left join sales.orders o on o.customer_id = p.id and o.amount > 150",
    "select p.name, o.id from hr.people p left join sales.orders o on o.customer_id = p.id where o.amount is null",
    "select p.name, count(o.id) from hr.people p left join sales.orders o on o.customer_id = p.id group by p.name",
    "select p.name from hr.people p where p.id not in (select customer_id from sales.orders)",
    "select p.name from hr.people p where not exists (select 1 from sales.orders o where o.customer_id = p.id)",
    "select o.id from sales.orders o left semi join hr.people p on o.customer_id = p.id",
    "select o.id from sales.orders o left anti join hr.people p on o.customer_id = p.id",
    "select id from sales.orders join hr.people using (id)",
    "select count(*) from sales.orders natural join hr.people",
    "select id from sales.orders union select id from hr.people",
    "select id from hr.people except select customer_id from sales.orders",
    "select customer_id from sales.orders intersect select id from hr.people",
    "select p.name, (select sum(amount) from sales.orders o where o.customer_id = p.id) from hr.people p",
    "select p.name from hr.people p order by (select count(*) from sales.orders), p.name limit 1",
    "select tenant, count(*) from hr.people group by tenant",
    "select * from hr.people",
];

#[tokio::test(flavor = "multi_thread")]
async fn a003_a054_every_way_of_asking_gives_the_visible_rows() {
    let mesh = fixture::leaks().start().await;
    let mut callers = [views::alice(&mesh).await, views::bob(&mesh).await, views::auditor(&mesh).await];
    for caller in &mut callers {
        let mut compared = 0;
        for sql in ORDERS {
            compared += usize::from(caller.compare(sql).await);
        }
        // Some statements are errors on purpose; if all were, nothing would be shown.
        assert!(compared + 12 > ORDERS.len(), "{}: only {compared} gave rows", caller.name);
    }
    for caller in callers.iter_mut().filter(|caller| caller.name != "bob") {
        for sql in PEOPLE {
            caller.compare(sql).await;
        }
    }
}
