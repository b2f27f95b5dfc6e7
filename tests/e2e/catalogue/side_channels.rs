//! A4: side channels. What happens on a hidden row, or on the cell under a mask, nobody notices.

use super::case::Kind;
use super::{Alice, Auditor, Bob, run};

const HALF: &[super::views::Who] = &[Alice, Bob];
/// The twin of a question that does not fail: who sees the row sees the error.
const WHOLE: &[super::views::Who] = &[Auditor];

#[test]
fn a050_division_by_zero_on_a_hidden_row() {
    // 5 is the amount of a hidden order only.
    const QUESTIONS: &[&str] = &[
        "select id from sales.orders where 1/(amount - 5) < 10",
        "select 1/(amount - 5) from sales.orders",
        "select id from sales.orders order by 1/(amount - 5), id",
        "select sum(1/(amount - 5)) from sales.orders",
        "select count(*) from sales.orders group by 1/(amount - 5)",
        "select count(*) from sales.orders having sum(1/(amount - 5)) < 10",
        "select a.id from sales.orders a join sales.orders b on a.id = b.id and 1/(a.amount - 5) < 10",
        "select a.id from sales.orders a left join sales.orders b on 1/(a.amount - 5) = b.id",
        "select id, row_number() over (order by 1/(amount - 5), id) from sales.orders",
        "select case when amount > 0 then 1/(amount - 5) end from sales.orders",
        "select id from sales.orders where amount in (select 1/(amount - 5) from sales.orders)",
        "select amount % (amount - 5) from sales.orders",
        "select distinct 1/(amount - 5) from sales.orders",
        "select 1/(amount - 5) from sales.orders union all select 1",
        "select (select max(1/(amount - 5)) from sales.orders)",
        "select id from sales.orders o where exists (select 1 from sales.orders i where 1/(i.amount - 5) = o.id)",
        "select count(*) filter (where 1/(amount - 5) > 0) from sales.orders",
        "with recursive r as (select 1/(amount - 5) as n from sales.orders union all select n + 1 from r where n < 1) select n from r",
        "select sum(amount) over (partition by 1/(amount - 5)) from sales.orders",
        "select coalesce(nullif(1/(amount - 5), 0), amount) from sales.orders",
    ];
    run(async |case| {
        case.rows(HALF, QUESTIONS).await;
        // A failing expression that a limit makes unnecessary need not fail, but may.
        case.rows(HALF, &["select id from sales.orders order by 1/(amount - 5) desc, id limit 1"]).await;
        case.failed(WHOLE, QUESTIONS).await;
    });
}

#[test]
fn a051_failing_cast_on_hidden_rows() {
    // Codes of hidden parcels are no numbers, their stamps no dates; bob's codes are masked.
    const QUESTIONS: &[&str] = &[
        "select id from sales.parcels where cast(code as int) > 15",
        "select cast(code as bigint) from sales.parcels",
        "select code::smallint from sales.parcels",
        "select cast(stamp as date) from sales.parcels",
        "select cast(stamp as timestamp) from sales.parcels",
        "select id from sales.parcels order by cast(code as int), id",
        "select max(cast(code as double)) from sales.parcels",
        "select count(*) from sales.parcels group by cast(code as decimal(10,2))",
        "select p.id from sales.parcels p join sales.orders o on cast(p.code as int) = o.amount",
        "select id from sales.parcels where code > 15",
        "select id from sales.parcels where code = 11",
        "select id from sales.parcels where stamp > date '2026-01-01'",
        "select id, rank() over (order by cast(code as int)) from sales.parcels",
        "select case when region = 'EU' then cast(code as int) else 0 end from sales.parcels",
        "select n from sales.parcels where n in (select cast(code as int) from sales.parcels)",
        "select to_date(stamp), to_unixtime(stamp) from sales.parcels",
    ];
    run(async |case| {
        case.rows(&[Alice], QUESTIONS).await;
        // One need not look at the code: what is no number is no EU code.
        let twin = case.same(WHOLE, QUESTIONS).await;
        case.check(twin.percent(Kind::Failed) >= 85, &format!("the twin fails: {twin:#?}"));
        // To bob a code is a mask, which is no number: that says nothing of the cell.
        case.failed(&[Bob], &["select cast(code as int) from sales.parcels"]).await;
        case.rows(&[Bob], &["select cast(stamp as date), try_cast(code as int) from sales.parcels"]).await;
    });
}

#[test]
fn a052_failing_functions_on_hidden_rows() {
    // Each of these fails on what a hidden parcel holds.
    const QUESTIONS: &[&str] = &[
        "select cast(n as int) from sales.parcels",
        "select cast(n as tinyint) from sales.parcels",
        "select abs(n) from sales.parcels",
        "select n * 10 from sales.parcels where cast(n * 2 as int) > 0",
        "select region ~ pattern from sales.parcels",
        "select regexp_like(region, pattern) from sales.parcels",
        "select regexp_replace(region, pattern, 'x') from sales.parcels",
        "select regexp_count(region, pattern) from sales.parcels",
        "select regexp_match(region, pattern) is null from sales.parcels",
        "select regexp_instr(region, pattern) from sales.parcels",
        "select weight * weight * weight * weight * weight from sales.parcels where cast(weight as decimal(4,2)) > 0",
        "select cast(weight as decimal(4,2)) from sales.parcels",
        "select chr(n + 64) from sales.parcels",
        "select factorial(n) from sales.parcels",
        "select lcm(n, 7), gcd(n, 3) from sales.parcels",
        "select arrow_typeof(n), decode(code, 'hex') from sales.parcels",
        "select to_timestamp_seconds(n * 1000000000) from sales.parcels",
        "select make_date(2026, cast(n as int), 1) from sales.parcels",
        "select from_unixtime(n * 100000000000) from sales.parcels",
        "select due + cast(n || ' years' as interval) from sales.parcels",
        "select left(code, n), right(code, n), substr(code, n) from sales.parcels where cast(n as int) > 0",
        "select split_part(stamp, '-', n) from sales.parcels where cast(n as smallint) is not null",
        "select cast(price as int) from sales.parcels",
        "select cast(price as decimal(10,2)) from sales.parcels",
        "select round(cast(price as decimal(20,2)), 1) from sales.parcels",
        "select to_char(due, form) from sales.parcels where cast(code as int) > 0",
        "select shipped_at + interval '300000 days' from sales.parcels where cast(n as int) > 0",
        "select cast(shipped_at as timestamp(9)) from sales.parcels",
        "select date_bin(interval '1 day', shipped_at, timestamp '2026-01-01') from sales.parcels where cast(n as int) > 0",
        "select power(n, 3), n << 2 from sales.parcels where cast(n as int) > 0",
        "select -n, n + 1 from sales.parcels where cast(n as int) is not null",
        "select cast(code as interval) is null from sales.parcels where cast(code as int) < 0",
        "select cast(fragile as int) / cast(n as int) from sales.parcels",
    ];
    run(async |case| {
        case.rows(&[Alice], QUESTIONS).await;
        let twin = case.same(WHOLE, QUESTIONS).await;
        case.check(twin.percent(Kind::Failed) >= 75, &format!("the twins fail: {twin:#?}"));
    });
}

#[test]
fn a053_subqueries_count_the_visible_rows() {
    run(async |case| {
        case.same(
            &[Alice, Bob, Auditor],
            &[
                "select (select id from sales.orders where customer_id = 10)",
                "select (select id from sales.orders where customer_id = 12)",
                "select (select id from sales.orders where amount = 5)",
                "select id from sales.orders where id = (select id from sales.orders where amount > 100)",
                "select (select n from sales.parcels where n > 4)",
                "select id, (select i.id from sales.parcels i where i.region = o.region and i.fragile) from sales.orders o",
            ],
        )
        .await;
        // Two orders of customer 10, of which alice and bob see one each.
        let question = &["select (select id from sales.orders where customer_id = 10)"];
        case.rows(HALF, question).await;
        case.failed(WHOLE, question).await;
    });
}

#[test]
fn a054_sums_do_not_overflow_by_hidden_rows() {
    const QUESTIONS: &[&str] = &[
        "select cast(sum(n) as int) from sales.parcels",
        "select cast(max(n) as smallint) from sales.parcels",
        "select cast(max(price) as int) from sales.parcels",
        "select cast(max(n) - min(n) as tinyint) from sales.parcels",
        "select cast(sum(weight) as decimal(5,2)) from sales.parcels",
    ];
    run(async |case| {
        case.rows(&[Alice], QUESTIONS).await;
        let twin = case.same(WHOLE, QUESTIONS).await;
        case.check(twin.percent(Kind::Failed) >= 60, &format!("the twins fail: {twin:#?}"));
        case.same(
            &[Alice, Bob, Auditor],
            &[
                "select sum(n) from sales.parcels",
                "select sum(weight), avg(weight) from sales.parcels",
                "select sum(cast(amount * 100 as smallint)) from sales.orders",
                "select max(cast(amount * 150 as smallint)) from sales.orders",
                "select cast(sum(amount) as tinyint) from sales.orders where amount < 10",
                "select count(*) from sales.orders where power(10, amount) > 0",
            ],
        )
        .await;
    });
}

#[test]
fn a109_orders_and_windows_over_expressions_that_fail() {
    const QUESTIONS: &[&str] = &[
        "select id from sales.orders order by 1/(amount - 5), id",
        "select id from sales.parcels order by cast(code as int), id",
        "select id, row_number() over (order by cast(code as int)) from sales.parcels",
        "select id, rank() over (partition by 1/(n - 9223372036854775807) order by id) from sales.parcels",
        "select array_agg(id order by cast(code as int)) from sales.parcels",
        "select first_value(id order by cast(code as int)) from sales.parcels",
        "select distinct on (cast(code as int)) id from sales.parcels order by cast(code as int), id",
    ];
    run(async |case| {
        case.rows(&[Alice], QUESTIONS).await;
        case.failed(WHOLE, QUESTIONS).await;
        // The same under the policy with a claim in it.
        case.rows(
            &[Alice],
            &[
                "select id, row_number() over (order by cast(replace(replace(tenant, 'acme', '1'), 'x', '2') as int), id) from hr.people",
                "select name from hr.people order by 1/(id - 13), name",
            ],
        )
        .await;
        case.failed(WHOLE, &["select name from hr.people order by 1/(id - 13), name"]).await;
    });
}

#[test]
fn a110_joins_and_first_rows_over_expressions_that_fail() {
    const QUESTIONS: &[&str] = &[
        "select p.id from sales.parcels p join sales.orders o on cast(p.code as int) * 0 + p.order_id = o.id",
        "select p.id from sales.parcels p left join (values (11), (33)) g(v) on cast(p.code as int) = g.v",
        "select p.id from sales.parcels p where cast(p.code as int) in (select amount / 10 from sales.orders)",
        "select id from sales.parcels order by cast(code as int) limit 1",
        "select id from sales.parcels order by cast(code as int) desc nulls last limit 1",
        "select id from sales.parcels order by cast(stamp as date), id limit 2",
        "select a.id, b.id from sales.parcels a full join sales.parcels b on cast(a.code as int) = cast(b.code as int) + 11",
    ];
    run(async |case| {
        case.rows(&[Alice], QUESTIONS).await;
        case.failed(WHOLE, QUESTIONS).await;
    });
}
