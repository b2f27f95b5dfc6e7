//! A1: row filters. However a statement reads a table, it reads the visible rows.

use super::{Alice, Auditor, Bob, Otto, run};

const ALL: &[super::views::Who] = &[Alice, Bob, Auditor];

#[test]
fn a001_plain_reads_give_the_visible_rows() {
    run(async |case| {
        case.rows(
            ALL,
            &[
                "select * from sales.orders",
                "select count(*) from sales.orders",
                "select * from sales.parcels",
                "select count(*) from sales.parcels",
                "select 1 from sales.orders",
                "select o.id from sales.orders o where o.id = o.id",
            ],
        )
        .await;
        case.rows(&[Alice, Auditor], &["select * from hr.people"]).await;
        case.refused(&[Otto], &["select * from sales.orders", "select count(*) from hr.people"]).await;
        case.refused(&[Alice, Bob, Otto], &["select * from fin.ledger"]).await;
    });
}

#[test]
fn a002_figures_are_of_the_visible_rows() {
    run(async |case| {
        case.rows(
            ALL,
            &[
                "select count(*) from sales.orders",
                "select count(id), count(amount), count(1), count(null) from sales.orders",
                "select min(amount), max(amount) from sales.orders",
                "select min(id), max(id), count(*) from sales.orders",
                "select approx_distinct(region), approx_distinct(amount) from sales.orders",
                "select sum(amount), avg(amount), stddev(amount) from sales.orders",
                "select min(n), max(n), min(price), max(price), min(due), max(shipped_at) from sales.parcels",
                "select min(region), max(region), min(fragile), max(weight) from sales.parcels",
                "select approx_median(n), median(price), approx_percentile_cont(0.5) within group (order by price) from sales.parcels",
                "select count(*) from sales.parcels where n is null",
                "select count(distinct region), count(distinct n) from sales.parcels",
            ],
        )
        .await;
    });
}

#[test]
fn a003_the_policy_is_a_condition_of_its_own() {
    run(async |case| {
        case.rows(
            ALL,
            &[
                "select id from sales.orders where region = 'EU' or 1 = 1",
                "select id from sales.orders where not (region = 'EU')",
                "select id from sales.orders where region = 'US' or true and amount > 0 or id > 0",
                "select id from sales.orders where not (region <> 'EU' and amount is null)",
                "select id from sales.orders where (region = 'EU') is not true",
                "select id from sales.orders where true or false and 1 = 2",
                "select id from sales.orders where null",
                // Predicates that travel to the node, in three-valued logic.
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
                "select id from sales.orders where amount = 99999999999999999999",
                "select id from sales.orders where cast(amount as double) = 'NaN'",
                "select id from sales.orders where region > 'E' and region < 'F'",
                "select id from sales.parcels where fragile or not fragile",
                "select id from sales.parcels where due < '2026-03-01' or shipped_at > '2026-12-01'",
                "select id from sales.parcels where weight > 2 and price <> 9",
                "select id from sales.parcels where region is null or region <> 'EU'",
            ],
        )
        .await;
        case.failed(ALL, &["select id from sales.orders where amount > 'no number'"]).await;
    });
}

#[test]
fn a005_a_filter_that_is_null_hides_the_row() {
    run(async |case| {
        // The region of parcel 7 is NULL.
        case.rows(
            ALL,
            &[
                "select id from sales.parcels where region is null",
                "select count(*) from sales.parcels where region is not distinct from null",
                "select id from sales.parcels where coalesce(region, 'none') = 'none'",
                "select count(*) - count(region) from sales.parcels",
            ],
        )
        .await;
        case.rows(&[Alice, Auditor], &["select id from hr.people where tenant is null or tenant <> 'acme'"])
            .await;
    });
}

#[test]
fn a006_the_filter_stays_below_outer_joins() {
    run(async |case| {
        case.rows(
            &[Alice, Auditor],
            &[
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
                "select x.v, o.id from (values (5), (100), (7)) x(v) left join sales.orders o on o.amount = x.v",
                "select x.v, o.region from (values ('EU'), ('SECRET-land')) x(v) left join sales.orders o on o.region = x.v",
            ],
        )
        .await;
        case.rows(
            ALL,
            &[
                "select o.id, p.id from sales.orders o full join sales.parcels p on o.id = p.order_id and p.n > 1",
                "select o.id, p.id from sales.orders o left join sales.parcels p on o.region = p.region",
            ],
        )
        .await;
    });
}

#[test]
fn a007_each_occurrence_of_a_table_is_filtered() {
    run(async |case| {
        case.rows(
            ALL,
            &[
                "select a.id, b.id, c.id from sales.orders a, sales.orders b, sales.orders c where a.customer_id <= b.customer_id and b.id < c.id",
                "select count(*) from sales.orders a join sales.orders b using (customer_id) join sales.orders c using (customer_id)",
                "select count(*) from sales.orders a natural join sales.orders b",
                "select count(*) from sales.parcels a cross join sales.parcels b cross join sales.orders c",
            ],
        )
        .await;
    });
}

#[test]
fn a008_common_table_expressions_are_filtered() {
    run(async |case| {
        case.rows(
            ALL,
            &[
                "with c as (select * from sales.orders) select id from c",
                "with c as (select id, amount from sales.orders) select a.id, b.amount from c a join c b on a.id >= b.id",
                "with c as (select id from sales.orders) select 1",
                "with orders as (select id from sales.orders where amount > 100) select * from orders",
                "with c as (select * from sales.orders), d as (select * from c) select count(*), max(amount) from d",
                "with c as (select 1 as id) select c.id, o.id from c, sales.orders o",
            ],
        )
        .await;
    });
}

#[test]
fn a009_subqueries_in_each_of_their_places_are_filtered() {
    run(async |case| {
        case.rows(
            ALL,
            &[
                // SELECT
                "select (select max(id) from sales.orders)",
                "select id, (select count(*) from sales.orders i where i.customer_id = o.customer_id) from sales.orders o",
                // WHERE: scalar, IN, EXISTS, quantified, correlated
                "select id from sales.orders where amount = (select max(amount) from sales.orders)",
                "select id from sales.orders where amount in (select amount from sales.orders where id <> 1)",
                "select id from sales.orders where amount not in (select amount from sales.orders where id > 1)",
                "select id from sales.orders o where exists (select 1 from sales.orders i where i.customer_id = o.customer_id and i.id <> o.id)",
                "select id from sales.orders o where not exists (select 1 from sales.orders i where i.id > o.id)",
                "select id from sales.orders where amount >= all (select amount from sales.orders where amount is not null)",
                "select id from sales.orders where amount = any (select max(amount) from sales.orders)",
                "select id from sales.orders o where amount > (select avg(amount) from sales.orders i where i.region = o.region)",
                // HAVING
                "select region, sum(amount) from sales.orders group by region having count(*) >= (select count(*) from sales.orders) - 1",
                // ORDER BY
                "select id from sales.orders order by (select count(*) from sales.orders), id",
                // GROUP BY
                "select count(*) from sales.orders group by amount > (select min(amount) from sales.orders)",
                // JOIN ON
                "select a.id from sales.orders a join sales.orders b on a.id = b.id and b.amount > (select min(amount) from sales.orders)",
                // CASE
                "select case when (select count(*) from sales.orders) > 2 then 'many' else 'few' end",
                // Argument of a function
                "select coalesce((select amount from sales.orders where id = 6), (select max(id) from sales.orders))",
                // Window clause
                "select sum((select max(amount) from sales.orders)) over (order by id) from sales.orders",
                "select id, count(*) over (partition by (select count(*) from sales.orders)) from sales.orders",
                // FROM
                "select o.id, l.n from sales.orders o, lateral (select count(*) as n from sales.orders i where i.customer_id = o.customer_id) l",
                // Two levels down
                "select id from sales.orders where id in (select order_id from sales.parcels where n in (select min(n) from sales.parcels))",
            ],
        )
        .await;
        case.rows(
            &[Alice, Auditor],
            &[
                "select p.name, (select sum(amount) from sales.orders o where o.customer_id = p.id) from hr.people p",
                "select p.name from hr.people p order by (select count(*) from sales.orders), p.name limit 1",
                // Masked columns in the same places.
                "select (select max(card) from sales.orders), (select min(ssn) from hr.people)",
                "select id from sales.orders o where card = (select max(card) from sales.orders i where i.id = o.id)",
                "select id from sales.orders where card in (select card from sales.orders where amount = 100)",
                "select id from sales.orders o where exists (select 1 from sales.orders i where i.card = o.card and i.card like '***%')",
                "select count(*) from sales.orders group by card > (select min(card) from sales.orders)",
                "select count(*) from sales.orders having max(card) = (select max(card) from sales.orders)",
                "select a.id from sales.orders a join sales.orders b on a.id = b.id and b.card = (select max(card) from sales.orders)",
                "select case when (select max(card) from sales.orders) like '*%' then 'masked' else 'raw' end",
                "select length((select max(card) from sales.orders)), upper((select min(card) from sales.orders))",
                "select id, row_number() over (order by (select max(card) from sales.orders), id) from sales.orders",
                "select id from sales.orders order by (select max(card) from sales.orders), id",
            ],
        )
        .await;
    });
}

#[test]
fn a010_arms_of_set_operations_are_filtered() {
    run(async |case| {
        case.rows(
            ALL,
            &[
                "select amount from sales.orders union select null",
                "select region from sales.orders union all select region from sales.orders",
                "select amount from sales.orders intersect select amount from sales.orders where id < 6",
                "select amount from sales.orders except select amount from sales.orders where id = 1",
                "select amount from sales.orders except all select null",
                "select id from (select id from sales.orders except select 1) union (select id from sales.orders intersect select 3)",
                "select 5 intersect select amount from sales.orders",
                "select id from sales.parcels except all select order_id from sales.parcels",
            ],
        )
        .await;
        case.rows(
            &[Alice, Auditor],
            &[
                "select id from sales.orders union select id from hr.people",
                "select id from hr.people except select customer_id from sales.orders",
                "select customer_id from sales.orders intersect select id from hr.people",
            ],
        )
        .await;
    });
}

#[test]
fn a011_anchor_and_step_of_a_recursion_are_filtered() {
    run(async |case| {
        case.rows(
            ALL,
            &[
                "with recursive r as (select min(id) as n from sales.orders union all select n + 1 from r where n < (select max(id) from sales.orders)) select n from r",
                "with recursive r as (select id, 0 as depth from sales.orders union all select o.id, r.depth + 1 from r join sales.orders o on o.id = r.id + 1 where r.depth < 3) select id, depth from r",
                "with recursive r as (select 1 as n union all select n + 1 from r where n < 7) select r.n, o.region from r join sales.orders o on o.id = r.n",
                "with recursive r as (select 0 as n, region from sales.orders where id < 4 union all select r.n + 1, o.region from r join sales.orders o on o.region > r.region where r.n < 2) select n, region from r",
            ],
        )
        .await;
    });
}

#[test]
fn a012_windows_are_of_the_visible_rows() {
    run(async |case| {
        case.rows(
            ALL,
            &[
                "select id, row_number() over (order by id) from sales.orders",
                "select id, lag(amount) over (order by id), lead(amount) over (order by id) from sales.orders",
                "select id, count(*) over () from sales.orders",
                "select id, ntile(2) over (order by id) from sales.orders",
                "select id, rank() over (partition by region order by amount), cume_dist() over (order by id) from sales.orders",
                "select id, percent_rank() over (order by id), dense_rank() over (order by region) from sales.orders",
                "select id, sum(amount) over (order by id rows between 1 preceding and 1 following) from sales.orders",
                "select id, sum(amount) over (order by id range between 2 preceding and current row) from sales.orders",
                "select id, count(*) over (order by region groups between 1 preceding and 1 following) from sales.orders",
                "select id, first_value(amount) over (order by amount desc nulls last) from sales.orders",
                "select id, last_value(region) over (order by id rows between unbounded preceding and unbounded following) from sales.orders",
                "select id, nth_value(amount, 2) over (order by id) from sales.orders",
                "select id, max(n) over (order by id rows between unbounded preceding and unbounded following) from sales.parcels",
                "select id, lag(code, 1, 'none') over (order by id) from sales.parcels",
                "select id, count(*) over w, min(n) over w from sales.parcels window w as (partition by fragile order by id)",
            ],
        )
        .await;
    });
}

#[test]
fn a013_grouping_sets_and_filters_of_aggregates() {
    run(async |case| {
        case.rows(
            ALL,
            &[
                "select region, customer_id, count(*) from sales.orders group by grouping sets ((region), (customer_id), ())",
                "select region, customer_id, sum(amount), grouping(region) from sales.orders group by rollup (region, customer_id)",
                "select region, customer_id, count(*) from sales.orders group by cube (region, customer_id)",
                "select distinct on (region) region, id from sales.orders order by region, id",
                "select count(*) filter (where amount > 100), count(*) filter (where region = 'US') from sales.orders",
                "select region, count(distinct customer_id) from sales.orders group by region",
                "select fragile, code, count(*) from sales.parcels group by grouping sets ((fragile), (code), (fragile, code), ())",
                "select region, count(*) from sales.parcels group by rollup (region) having count(*) > 0",
            ],
        )
        .await;
    });
}

#[test]
fn a014_limits_come_after_the_filter() {
    run(async |case| {
        case.rows(
            ALL,
            &[
                "select id from sales.orders order by id limit 2",
                "select id from sales.orders order by id desc limit 1 offset 1",
                "select count(*) from (select id from sales.orders limit 2)",
                "select count(*) from (select id from sales.orders where amount > 0 limit 2)",
                "select count(*) from (select 1 from sales.orders limit 2)",
                "select count(*) from (select id from sales.orders offset 1)",
                "select id from sales.orders order by amount desc nulls last, id limit 1",
                "select id from sales.orders limit 0",
                "select count(*) from (select a.id from sales.orders a cross join sales.orders b limit 3)",
                "select count(*) from (select id from sales.parcels where region <> 'x' limit 2)",
                "select count(*) from (select id from sales.parcels limit 100)",
                "select id from sales.parcels order by n desc nulls last limit 1",
                "select id from sales.parcels order by due limit 1",
            ],
        )
        .await;
    });
}

#[test]
fn a016_every_spelling_is_the_same_table() {
    run(async |case| {
        case.rows(
            ALL,
            &[
                "select id from mesh.sales.orders",
                "select id from \"sales\".\"orders\"",
                "select ID from SALES.Orders",
                "select \"id\" from \"mesh\".\"sales\".\"orders\"",
                "select people.id from sales.orders as people",
                "select \"hr.people\".id from sales.orders as \"hr.people\"",
                "select sales.orders.id from sales.orders",
                "select mesh.sales.orders.id from mesh.sales.orders",
                "select ledger.id from sales.orders ledger",
                "select \"fin.ledger\".* from sales.orders \"fin.ledger\"",
            ],
        )
        .await;
        case.refused(
            ALL,
            &[
                "select \"ID\" from sales.orders",
                "select id from \"SALES\".orders",
                "select id from orders",
                "select id from other.sales.orders",
                "select id from \"sales.orders\"",
                "select id from \"mesh.sales\".orders",
                "select id from \"sales\".\"orders \"",
            ],
        )
        .await;
        case.refused(
            &[Alice, Bob, Otto],
            &[
                "select id from mesh.fin.ledger",
                "select id from \"fin\".\"ledger\"",
                "select ID from FIN.LEDGER",
                "select id from \"FIN\".\"Ledger\"",
                "select fin.ledger.id from sales.orders",
                "select id from (select * from fin.ledger) sales",
            ],
        )
        .await;
    });
}
