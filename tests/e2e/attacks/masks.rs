//! Masks: wherever a masked column stands in a statement, it is its mask.

use meshgate_tests::fixture;

use super::views;

const CARDS: &[&str] = &[
    // a022: places of a masked column.
    "select card from sales.orders",
    "select card as c, upper(card), substr(card, 13), card || '!', length(card) from sales.orders",
    "select cast(right(card, 4) as int) from sales.orders",
    "select try_cast(card as int) from sales.orders",
    "select case when card like 'SECRET%' then case when card is null then 1 else 2 end else 3 end from sales.orders",
    "select id from sales.orders where card in ('SECRETSECRET1111', '************2222')",
    "select id from sales.orders where card not in ('SECRETSECRET1111', '************2222')",
    "select id from sales.orders where card between 'A' and 'Z'",
    "select id from sales.orders where card like '%SECRET%'",
    "select id from sales.orders where card = 'SECRETSECRET1111'",
    "select id from sales.orders where card = '************1111'",
    "select id from sales.orders where card is null",
    "select id from sales.orders where card is not null and card <> 'x'",
    "select id from sales.orders where (card, id) = ('SECRETSECRET1111', 1)",
    "select struct(card, id) is null from sales.orders",
    "select regexp_like(card, '^SECRET') from sales.orders",
    "select strpos(card, 'SECRET'), md5(card) from sales.orders",
    "select coalesce(card, 'none') from sales.orders",
    "select nullif(card, 'SECRETSECRET1111') from sales.orders",
    // a024: joins with guesses.
    "select o.id from sales.orders o join (values ('SECRETSECRET1111'), ('************2222')) g(card) using (card)",
    "select o.id, g.card from sales.orders o left join (values ('SECRETSECRET1111')) g(card) on o.card = g.card",
    "select a.id, b.id from sales.orders a join sales.orders b on a.card = b.card",
    "select a.id from sales.orders a natural join (values ('SECRETSECRET1111', 1)) g(card, id)",
    "select id from sales.orders where card in (select card from sales.orders where amount = 100)",
    "select id from sales.orders where card not in (select c from (values ('SECRETSECRET1111')) g(c))",
    "select id from sales.orders o where exists (select 1 from (values ('SECRETSECRET2222')) g(c) where g.c = o.card)",
    // a025: order.
    "select id from sales.orders order by card limit 2",
    "select id from sales.orders order by card desc nulls last limit 1",
    "select id from sales.orders where card > 'B' order by card",
    // a026: groups.
    "select card, count(*) from sales.orders group by card",
    "select count(*) from sales.orders group by card having card like 'SECRET%'",
    "select distinct left(card, 6) from sales.orders",
    "select count(distinct card), count(distinct left(card, 6)) from sales.orders",
    // a027: windows.
    "select id, count(*) over (partition by left(card, 6)) from sales.orders",
    "select id, row_number() over (order by card, id) from sales.orders",
    "select id, lag(card) over (order by id), first_value(card) over (order by id) from sales.orders",
    // a033: only the right one is masked.
    "select o.card, g.card from sales.orders o join (values (1, 'SECRETSECRET1111')) as g(id, card) on o.id = g.id",
    // a034: through tables that are not tables.
    "with c as (select card from sales.orders) select * from c where card like 'SECRET%'",
    "select d.c from (select card as c from sales.orders) d",
    "select card from sales.orders union select 'SECRETSECRET1111'",
    "select card from sales.orders intersect select 'SECRETSECRET1111'",
    "select 'SECRETSECRET1111' except select card from sales.orders",
    // a035: aggregates.
    "select min(card), max(card) from sales.orders",
    "select string_agg(card, ',' order by id) from sales.orders",
    "select array_to_string(array_agg(card order by id), ',') from sales.orders",
    "select first_value(card order by id), last_value(card order by id) from sales.orders",
    "select approx_distinct(card), any_value(left(card, 1)) from sales.orders where id = 1",
    "select max(card) filter (where card like 'SECRET%') from sales.orders",
];

const PEOPLE: &[&str] = &[
    "select ssn from hr.people",
    "select count(ssn), count(distinct ssn), min(ssn) from hr.people",
    "select name from hr.people where ssn is null",
    "select name from hr.people where ssn = 'SECRET-10'",
    "select name from hr.people where ssn <> 'SECRET-10'",
    "select name from hr.people where ssn not in ('SECRET-10')",
    "select name from hr.people order by ssn nulls first, name limit 1",
    "select p.name from hr.people p join (values ('SECRET-10')) g(ssn) using (ssn)",
    "select a.name from hr.people a join hr.people b on a.ssn is not distinct from b.ssn where b.id = 10",
    "select o.card, p.ssn from sales.orders o join hr.people p on o.customer_id = p.id",
];

#[tokio::test(flavor = "multi_thread")]
async fn a022_a035_every_use_of_a_masked_column_uses_the_mask() {
    let mesh = fixture::leaks().start().await;
    for mut caller in [views::alice(&mesh).await, views::auditor(&mesh).await] {
        for sql in CARDS.iter().chain(PEOPLE) {
            caller.compare(sql).await;
        }
    }
    // To whom the column is hidden, every use of it is an error.
    let mut bob = views::bob(&mesh).await;
    for sql in CARDS.iter().filter(|sql| sql.contains("card from")) {
        bob.compare(sql).await;
    }
}
