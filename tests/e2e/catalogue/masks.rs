//! A2: masks. Wherever a masked column stands in a statement, it is its mask.

use super::{Alice, Auditor, Bob, Otto, run};

/// Who sees cards: one masked, one raw.
const CARDS: &[super::views::Who] = &[Alice, Auditor];
/// Who sees parcels: raw, with three masks, raw.
const PARCELS: &[super::views::Who] = &[Alice, Bob, Auditor];

#[test]
fn a022_every_use_of_a_masked_column_uses_the_mask() {
    run(async |case| {
        case.rows(
            CARDS,
            &[
                "select card from sales.orders",
                "select card as c, upper(card), substr(card, 13), card || '!', length(card) from sales.orders",
                "select cast(right(card, 4) as int) from sales.orders",
                "select try_cast(card as int) from sales.orders",
                "select case when card like 'SECRET%' then case when card is null then 1 else 2 end else 3 end from sales.orders",
                "select id from sales.orders where card in ('SECRETSECRET1111', '************2222')",
                "select id from sales.orders where card not in ('SECRETSECRET1111', '************2222')",
                "select id from sales.orders where card between 'A' and 'Z'",
                "select id from sales.orders where card is null",
                "select id from sales.orders where card is not null and card <> 'x'",
                "select id from sales.orders where (card, id) = ('SECRETSECRET1111', 1)",
                "select struct(card, id) is null from sales.orders",
                "select strpos(card, 'SECRET'), md5(card), sha256(card) from sales.orders",
                "select coalesce(card, 'none') from sales.orders",
                "select nullif(card, 'SECRETSECRET1111') from sales.orders",
                "select ascii(card), reverse(card), bit_length(card), octet_length(card) from sales.orders",
                "select translate(card, 'SECRT*', 'secrt+'), replace(card, 'SECRET', 'x') from sales.orders",
                "select split_part(card, 'S', 2), left(card, 3), overlay(card placing 'x' from 1 for 4) from sales.orders",
                "select concat(card, note_length) from (select card, length(card) as note_length from sales.orders)",
                "select greatest(card, 'S'), least(card, 'S') from sales.orders",
                "select encode(cast(card as bytea), 'hex') from sales.orders",
                "select ssn from hr.people",
                "select name from hr.people where ssn is null",
                "select ssn is distinct from 'SECRET-10' from hr.people",
            ],
        )
        .await;
        case.rows(
            PARCELS,
            &[
                "select due, extract(year from due), extract(day from due), extract(doy from due) from sales.parcels",
                "select to_char(due, '%Y-%m-%d'), due + interval '1 day', cast(due as text) from sales.parcels",
                "select code, code || region, price, price * 2, price is null from sales.parcels",
                "select id from sales.parcels where due between '2026-02-01' and '2026-03-01'",
                "select id from sales.parcels where due = '2026-01-01' or price > 20",
                "select id from sales.parcels where extract(month from due) > 1",
            ],
        )
        .await;
        // The auditor sees days that no timestamp holds.
        case.rows(
            &[Alice, Bob],
            &["select date_trunc('month', due), date_trunc('year', due) from sales.parcels"],
        )
        .await;
    });
}

#[test]
fn a023_predicates_find_the_mask_and_not_the_cell() {
    run(async |case| {
        case.rows(
            CARDS,
            &[
                "select id from sales.orders where card = 'SECRETSECRET1111'",
                "select id from sales.orders where card = '************1111'",
                "select id from sales.orders where card like '%1111'",
                "select id from sales.orders where card like '%SECRET%'",
                "select id from sales.orders where card ilike '%secret%'",
                "select id from sales.orders where card not like 'SECRET%'",
                "select id from sales.orders where card similar to '(SECRET)+[0-9]*'",
                "select id from sales.orders where card ~ '^SECRET'",
                "select id from sales.orders where card ~* '^secret' or card !~ '[*]'",
                "select id from sales.orders where starts_with(card, 'SECRET') or contains(card, 'SECRET')",
                "select id from sales.orders where regexp_like(card, 'S(E)CRET') or regexp_count(card, 'SECRET') > 0",
                "select id from sales.orders where card > 'B'",
                "select regexp_like(card, '^SECRET'), regexp_replace(card, 'SECRET', 'x'), regexp_match(card, '[A-Z]+') is null from sales.orders",
                "select id from sales.orders where left(card, 6) = 'SECRET' and right(card, 4) = '1111'",
                "select id from sales.orders where md5(card) = md5('SECRETSECRET1111')",
                "select name from hr.people where ssn = 'SECRET-10'",
                "select name from hr.people where ssn <> 'SECRET-10'",
                "select name from hr.people where ssn not in ('SECRET-10')",
                "select name from hr.people where ssn like '%'",
            ],
        )
        .await;
        case.rows(
            PARCELS,
            &[
                "select id from sales.parcels where code = '33'",
                "select id from sales.parcels where code = '***'",
                "select id from sales.parcels where price = 16",
                "select id from sales.parcels where due > '2026-01-01'",
            ],
        )
        .await;
    });
}

#[test]
fn a024_joins_on_a_mask_match_masks() {
    run(async |case| {
        case.rows(
            CARDS,
            &[
                "select o.id from sales.orders o join (values ('SECRETSECRET1111'), ('************2222')) g(card) using (card)",
                "select o.id, g.card from sales.orders o left join (values ('SECRETSECRET1111')) g(card) on o.card = g.card",
                "select o.id, g.card from sales.orders o right join (values ('SECRETSECRET1111')) g(card) on o.card = g.card",
                "select a.id, b.id from sales.orders a join sales.orders b on a.card = b.card",
                "select a.id from sales.orders a natural join (values ('SECRETSECRET1111', 1)) g(card, id)",
                "select id from sales.orders where card in (select card from sales.orders where amount = 100)",
                "select id from sales.orders where card not in (select c from (values ('SECRETSECRET1111')) g(c))",
                "select id from sales.orders o where exists (select 1 from (values ('SECRETSECRET2222')) g(c) where g.c = o.card)",
                "select o.id from sales.orders o join (values ('SECRET')) g(c) on o.card like g.c || '%'",
                "select o.id, g.c from sales.orders o join (values ('A'), ('T')) g(c) on o.card > g.c",
                "select p.name from hr.people p join (values ('SECRET-10')) g(ssn) using (ssn)",
                "select a.name from hr.people a join hr.people b on a.ssn is not distinct from b.ssn where b.id = 10",
                "select o.id, p.id from sales.orders o join hr.people p on o.card = p.ssn",
                "select o.id, p.id from sales.orders o full join hr.people p on o.card is not distinct from p.ssn",
            ],
        )
        .await;
        case.rows(
            PARCELS,
            &[
                "select p.id from sales.parcels p join (values ('33'), ('***')) g(code) using (code)",
                "select p.id from sales.parcels p join (values (date '2026-02-28'), (date '2026-01-01')) g(due) using (due)",
                "select p.id, g.v from sales.parcels p left join (values (16.0)) g(v) on p.price = g.v",
            ],
        )
        .await;
    });
}

#[test]
fn a025_masks_are_what_is_ordered() {
    run(async |case| {
        case.rows(
            CARDS,
            &[
                "select id from sales.orders order by card limit 2",
                "select id from sales.orders order by card desc nulls last limit 1",
                "select id from sales.orders order by card desc limit 5",
                "select id from sales.orders where card > 'B' order by card",
                "select id from sales.orders order by substr(card, 13), id",
                "select name from hr.people order by ssn nulls first, name limit 1",
                "select name from hr.people order by ssn desc, name desc limit 1",
            ],
        )
        .await;
        case.rows(
            PARCELS,
            &[
                "select id from sales.parcels order by due, id limit 1",
                "select id from sales.parcels order by price desc nulls last, id limit 1",
                "select id from sales.parcels order by code desc, id desc limit 1",
            ],
        )
        .await;
    });
}

#[test]
fn a026_masks_are_what_is_grouped_and_counted() {
    run(async |case| {
        case.rows(
            CARDS,
            &[
                "select card, count(*) from sales.orders group by card",
                "select count(*) from sales.orders group by card having card like 'SECRET%'",
                "select distinct left(card, 6) from sales.orders",
                "select count(distinct card), count(distinct left(card, 6)) from sales.orders",
                "select left(card, 6), count(*) from sales.orders group by rollup (left(card, 6))",
                "select count(ssn), count(distinct ssn), min(ssn) from hr.people",
                "select ssn, count(*) from hr.people group by ssn",
                "select distinct ssn from hr.people",
            ],
        )
        .await;
        case.rows(
            PARCELS,
            &[
                "select due, count(*) from sales.parcels group by due",
                "select code, price, count(*) from sales.parcels group by grouping sets ((code), (price), ())",
                "select count(distinct code), count(distinct due), count(price) from sales.parcels",
            ],
        )
        .await;
    });
}

#[test]
fn a027_windows_over_masks() {
    run(async |case| {
        case.rows(
            CARDS,
            &[
                "select id, count(*) over (partition by left(card, 6)) from sales.orders",
                "select id, row_number() over (order by card, id) from sales.orders",
                "select id, lag(card) over (order by id), first_value(card) over (order by id) from sales.orders",
                "select id, rank() over (order by ssn) from hr.people",
            ],
        )
        .await;
        case.rows(
            PARCELS,
            &[
                "select id, rank() over (order by due), count(*) over (partition by code) from sales.parcels",
                "select id, sum(price) over (order by id), max(due) over () from sales.parcels",
            ],
        )
        .await;
    });
}

#[test]
fn a033_only_the_column_of_the_table_is_masked() {
    run(async |case| {
        case.rows(
            CARDS,
            &[
                "select o.card, g.card from sales.orders o join (values (1, 'SECRETSECRET1111')) as g(id, card) on o.id = g.id",
                "select o.card, p.ssn from sales.orders o join hr.people p on o.customer_id = p.id",
                "select card from (values ('SECRETSECRET1111')) g(card) union all select card from sales.orders",
            ],
        )
        .await;
        // Two products in one query, of which one masks `code` and the other has a name like it.
        case.rows(
            &[Bob],
            &[
                "select p.code, g.code from sales.parcels p join (values (3, '33')) g(id, code) on p.id = g.id",
                "select p.due, o.amount from sales.parcels p join sales.orders o on p.order_id = o.id",
            ],
        )
        .await;
    });
}

#[test]
fn a034_masks_pass_through_derived_tables() {
    run(async |case| {
        case.rows(
            CARDS,
            &[
                "with c as (select card from sales.orders) select * from c where card like 'SECRET%'",
                "select d.c from (select card as c from sales.orders) d",
                "select card from sales.orders union select 'SECRETSECRET1111'",
                "select card from sales.orders intersect select 'SECRETSECRET1111'",
                "select 'SECRETSECRET1111' except select card from sales.orders",
                "with recursive r as (select card, 1 as n from sales.orders union all select card || '!', n + 1 from r where n < 3) select card, n from r",
                "select c from (select unnest(array_agg(card)) as c from sales.orders)",
            ],
        )
        .await;
        case.rows(
            PARCELS,
            &["with c as (select code, due as d from sales.parcels) select a.code, b.d from c a cross join c b"],
        )
        .await;
    });
}

#[test]
fn a035_aggregates_take_masks() {
    run(async |case| {
        case.rows(
            CARDS,
            &[
                "select min(card), max(card) from sales.orders",
                "select string_agg(card, ',' order by id) from sales.orders",
                "select array_to_string(array_agg(card order by id), ',') from sales.orders",
                "select array_agg(card order by card) from sales.orders",
                "select first_value(card order by id), last_value(card order by id) from sales.orders",
                "select approx_distinct(card), any_value(left(card, 1)) from sales.orders where id = 1",
                "select max(card) filter (where card like 'SECRET%') from sales.orders",
                "select nth_value(card, 2 order by id) from sales.orders",
                "select bool_or(card like 'SECRET%'), bool_and(card like 'SECRET%') from sales.orders",
                "select sum(length(card)), count(nullif(card, 'SECRETSECRET1111')) from sales.orders",
                "select string_agg(ssn, ','), array_agg(ssn) from hr.people",
            ],
        )
        .await;
        case.rows(
            PARCELS,
            &[
                "select min(due), max(due), min(code), sum(price), avg(price) from sales.parcels",
                "select array_agg(due order by id), approx_percentile_cont(0.5) within group (order by price) from sales.parcels",
            ],
        )
        .await;
    });
}

#[test]
fn a038_stars_leave_hidden_columns_out() {
    run(async |case| {
        case.rows(
            &[Alice, Bob, Auditor],
            &[
                "select * from sales.orders",
                "select o.* from sales.orders o",
                "select o.*, p.* from (select id, region from sales.orders) o cross join (select code from sales.parcels) p",
                "select count(*) from sales.orders",
                "select * exclude (id) from sales.orders",
                "select * except (id) from sales.orders",
                "select * replace (id + 1 as id) from sales.orders",
                "select o.*, p.id as parcel from sales.orders o join sales.parcels p on o.id = p.order_id",
            ],
        )
        .await;
        case.rows(&[Alice, Auditor], &["select * from hr.people", "select p.* from hr.people p"]).await;
        case.refused(
            &[Alice, Bob],
            &["select * exclude (note) from sales.orders", "select * except (note) from sales.orders"],
        )
        .await;
        case.refused(&[Otto], &["select * from sales.orders", "select * exclude (note) from sales.orders"])
            .await;
    });
}
