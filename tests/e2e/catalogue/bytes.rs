//! Bytes: what a caller may not see is in none that leaves.

use std::sync::Arc;

use super::ask::{Road, holds_marker, reply};
use super::{Alice, Auditor, Bob, run};

const QUESTIONS: &[&str] = &[
    "select * from sales.orders",
    "select * from sales.parcels",
    "select * from sales.orders limit 1",
    "select * from sales.orders offset 1",
    "select * from sales.orders union all select * from sales.orders",
    "select region from sales.orders order by region",
    "select * from sales.parcels order by id desc",
    "select array_agg(region) from sales.orders",
    "select string_agg(code, ',') from sales.parcels",
    "select lag(region) over (order by id) from sales.orders",
    "select max(region), min(region), count(distinct region) from sales.orders",
    "with c as (select * from sales.parcels) select a.code, b.zone from c a join c b using (id)",
    "select o.*, p.* from (select id as o_id, region as o_region from sales.orders) o full join sales.parcels p on o.o_id = p.id",
];

/// On columns and tables that bob does not see.
const MASKED: &[&str] = &[
    "select card from sales.orders order by card",
    "select * from hr.people",
    "select max(card), min(card), count(distinct card) from sales.orders",
    "select array_agg(card) from sales.orders",
    "select string_agg(card, ',') from sales.orders",
    "select o.card, p.ssn from sales.orders o full join hr.people p on o.customer_id = p.id",
    "select lag(card) over (order by id) from sales.orders",
    "with c as (select * from sales.orders) select a.card from c a join c b using (id)",
];

#[test]
fn a108_no_message_holds_a_hidden_byte() {
    run(async |case| {
        // Each answer is searched for the marker.
        case.rows(&[Alice, Bob], QUESTIONS).await;
        case.rows(&[Alice], MASKED).await;
        case.nested_rows(
            &[Alice, Bob],
            &[
                "select size, tags from sales.parcels",
                "select size['label'], tags[1] from sales.parcels",
                "select unnest(tags) from sales.parcels",
                "select array_agg(size), array_agg(tags) from sales.parcels",
                "select unnest(size) from sales.parcels",
            ],
        )
        .await;
        case.nested_rows(
            &[Alice],
            &["select meta from sales.orders", "select o.meta['ip'] from sales.orders o"],
        )
        .await;
        // The twin: the same search finds the marker where it may be seen.
        let sources = Arc::clone(&case.sources);
        for source in sources.iter() {
            for road in Road::ALL {
                let reply = reply(road, source.clients(Auditor), "select * from sales.orders").await;
                case.check(holds_marker(&reply.bytes), "the auditor sees it");
            }
        }
    });
}
