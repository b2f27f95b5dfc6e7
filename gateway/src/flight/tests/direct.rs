//! Direct reads: when they are offered, and what comes back to the gateway.

use std::sync::atomic::Ordering;

use arrow_flight::{FlightEndpoint, Ticket};
use meshgate_engine::{direct, permit::MAXIMUM_LIFETIME, seal::SealKeys};
use meshgate_policies::Digest;
use meshgate_proto::v1::{DirectAddress, DirectRead, Permit};
use prost::Message;
use serde_json::json;
use tonic::Code;

use crate::{
    config::Limits,
    identity::forge::{AUDIENCE, FORGE, START},
    testing::{
        bench::{Bench, statement, without_query_id},
        larkfield::{self, SALES_POLICY},
    },
};

const SQL: &str = "select order_id, region, card from sales.orders";
const ADDRESS: &str = "grpc+tls://sales.example:31401";
const FALLBACK: &str = "arrow-flight-reuse-connection://?";

fn keys() -> SealKeys {
    SealKeys::new([("2026a", &[5; 32])]).unwrap()
}

/// A mesh whose domain `sales` is read directly.
async fn bench() -> Bench {
    let bench = Bench::start().await;
    bench.read_sales_directly(&[("default", ADDRESS)], Some(keys()));
    bench
}

fn token_for(subject: &str, audience: &[&str]) -> String {
    FORGE.with_claims(|claims| {
        claims["sub"] = json!(subject);
        claims["aud"] = json!(audience);
        claims["realm_access"] = json!({ "roles": ["auditor"] });
    })
}

fn dora() -> String {
    token_for("dora", &[AUDIENCE, "sales-1"])
}

async fn endpoint(bench: &Bench, token: &str, sql: &str) -> FlightEndpoint {
    let mut info = bench.flight_info(token, statement(sql)).await.unwrap();
    assert_eq!(info.endpoint.len(), 1);
    info.endpoint.remove(0)
}

fn locations(endpoint: &FlightEndpoint) -> Vec<&str> {
    endpoint.location.iter().map(|location| location.uri.as_str()).collect()
}

fn bytes(endpoint: &FlightEndpoint) -> Vec<u8> {
    endpoint.ticket.as_ref().unwrap().ticket.to_vec()
}

async fn is_offered(bench: &Bench, token: &str, sql: &str) -> bool {
    let endpoint = endpoint(bench, token, sql).await;
    let offered = !endpoint.location.is_empty();
    assert_eq!(direct::statement(&bytes(&endpoint)).is_some(), offered);
    offered
}

#[tokio::test]
async fn the_nodes_address_comes_first_and_then_the_connection_that_is_there() {
    let bench = bench().await;
    let (token, before) = (dora(), bench.now.load(Ordering::Relaxed));
    let endpoint = endpoint(&bench, &token, SQL).await;
    assert_eq!(locations(&endpoint), [ADDRESS, FALLBACK]);

    let ticket = bytes(&endpoint);
    let read: DirectRead = direct::read(&keys(), "sales-1", &ticket).unwrap();
    assert_eq!(read.token_digest, Digest::of(token.as_bytes()).as_bytes());
    let limits = Limits::default();
    assert_eq!((read.result_rows, read.result_bytes), (limits.result_rows, limits.result_bytes));
    let info = bench.flight_info(&token, statement(SQL)).await.unwrap();
    assert_eq!(read.schema, info.schema);
    let request = read.request.unwrap();
    let permit = Permit::decode(request.permit.unwrap().permit.as_slice()).unwrap();
    assert_eq!((permit.audience.as_str(), permit.issued_at), ("sales-1", before));
    assert_eq!(permit.expires_at, before + MAXIMUM_LIFETIME);
    assert_eq!(permit.query_digest, Digest::of(&request.query).as_bytes());
    assert_eq!(permit.principal.unwrap().subject, "dora");
    assert!(bench.sales.scans().is_empty(), "nothing runs");
    let token = token.as_bytes();
    assert!(!ticket.windows(token.len()).any(|window| window == token), "the token is not in it");
}

#[tokio::test]
async fn an_offer_is_recorded_under_the_querys_id_and_a_look_is_not() {
    let bench = bench().await;
    let offered = bench.flight_info(&dora(), statement(SQL)).await.unwrap();
    let records = bench.records();
    assert_eq!(records.len(), 1);
    let expected = (&json!("offered"), &json!("sales"), &json!(0), &json!(["sales.orders"]));
    let record = &records[0];
    assert_eq!((&record["outcome"], &record["direct"], &record["rows"], &record["tables"]), expected);
    let ticket = offered.endpoint[0].ticket.as_ref().unwrap().ticket.clone();
    let read = direct::read(&keys(), "sales-1", &ticket).unwrap();
    let permit = Permit::decode(read.request.unwrap().permit.unwrap().permit.as_slice()).unwrap();
    assert_eq!(record["query_id"], permit.query_id);

    bench.flight_info(&token_for("dora", &[AUDIENCE]), statement(SQL)).await.unwrap();
    assert_eq!(bench.records().len(), 1);
}

#[tokio::test]
async fn a_token_that_does_not_name_the_node_is_not_for_it() {
    let bench = bench().await;
    assert!(is_offered(&bench, &dora(), SQL).await);
    for audience in [&[AUDIENCE][..], &[AUDIENCE, "hr-1"], &[AUDIENCE, "sales"], &[AUDIENCE, "sales-10"]] {
        assert!(!is_offered(&bench, &token_for("dora", audience), SQL).await, "{audience:?}");
    }
}

#[tokio::test]
async fn a_domain_whose_nodes_may_not_see_tokens_is_not_read_directly() {
    let bench = bench().await;
    bench.read_sales_directly(&[("default", ADDRESS)], None);
    assert!(!is_offered(&bench, &dora(), SQL).await);
}

#[tokio::test]
async fn a_zone_without_an_address_gets_none() {
    let bench = bench().await;
    for addresses in [&[][..], &[("office", ADDRESS)]] {
        bench.read_sales_directly(addresses, Some(keys()));
        assert!(!is_offered(&bench, &dora(), SQL).await, "{addresses:?}");
    }
}

#[tokio::test]
async fn the_address_is_that_of_the_clients_zone() {
    let loopback = crate::config::Networks::of(&[("127.0.0.0/8", "office")]);
    let bench = Bench::in_networks(loopback).await;
    let other = "grpc+tls://10.0.0.1:31401";
    bench.read_sales_directly(&[("default", ADDRESS), ("office", other)], Some(keys()));
    assert_eq!(locations(&endpoint(&bench, &dora(), SQL).await), [other, FALLBACK]);
    bench.read_sales_directly(&[("default", ADDRESS)], Some(keys()));
    assert!(!is_offered(&bench, &dora(), SQL).await, "another zone's address is not for it");
}

#[tokio::test]
async fn only_what_one_domain_answers_whole_is_read_directly() {
    let bench = bench().await;
    let token = token_for("dora", &[AUDIENCE, "sales-1", "hr-1"]);
    for (sql, expected) in [
        (SQL, true),
        ("select order_id + 1 from sales.orders", false),
        ("select 1", false),
        ("select o.order_id from sales.orders o cross join hr.people", false),
        ("explain select order_id from sales.orders", false),
        ("select subject from mesh.system.whoami", false),
    ] {
        assert_eq!(is_offered(&bench, &token, sql).await, expected, "{sql}");
    }
}

#[tokio::test]
async fn what_is_never_relayed_is_not_read_directly() {
    let bench = bench().await;
    bench.never_relay_sales_directly(&[("default", ADDRESS)], keys());
    assert!(!is_offered(&bench, &dora(), SQL).await);
    bench.read_sales_directly(&[("default", ADDRESS)], Some(keys()));
    assert!(is_offered(&bench, &dora(), SQL).await);
}

#[tokio::test]
async fn a_permit_ends_with_its_token() {
    let bench = bench().await;
    bench.now.store((START + 290) * 1_000_000, Ordering::Relaxed);
    let ticket = bytes(&endpoint(&bench, &dora(), SQL).await);
    let read = direct::read(&keys(), "sales-1", &ticket).unwrap();
    let permit = Permit::decode(read.request.unwrap().permit.unwrap().permit.as_slice()).unwrap();
    assert_eq!(permit.expires_at, (START + 300) * 1_000_000);
    // Clocks may differ: the gateway takes it a while longer, and no permit can end before it begins.
    bench.now.store((START + 310) * 1_000_000, Ordering::Relaxed);
    assert!(!is_offered(&bench, &dora(), SQL).await);
}

#[tokio::test]
async fn a_ticket_that_would_be_too_long_is_only_the_gateways() {
    let bench = Bench::with_limits(Limits { statement_bytes: 1 << 20, ..Limits::default() }).await;
    bench.read_sales_directly(&[("default", ADDRESS)], Some(keys()));
    let sql = |length: usize| format!("{SQL} /* {} */", "x".repeat(length));
    assert!(is_offered(&bench, &dora(), &sql(700_000)).await);
    // The statement's own ticket has room for this, and not for a domain query beside it.
    assert!(!is_offered(&bench, &dora(), &sql(direct::TICKET_BYTES_MAX - 600)).await);
}

#[tokio::test]
async fn whoever_comes_back_gets_the_same_rows() {
    let bench = bench().await;
    let (token, ticket) = (dora(), Ticket::new(bytes(&endpoint(&bench, &dora(), SQL).await)));
    let back = bench.do_get(&token, ticket.clone()).await.unwrap();
    let refreshed = FORGE.with_claims(|claims| {
        claims["sub"] = json!("dora");
        claims["exp"] = json!(START + 600);
        claims["realm_access"] = json!({ "roles": ["auditor"] });
    });
    assert_eq!(bench.do_get(&refreshed, ticket.clone()).await.unwrap(), back, "with a new token");
    bench.read_sales_directly(&[], None);
    assert_eq!(bench.query(&token, SQL).await.unwrap(), back, "without an offer");
    assert!(back.iter().map(arrow::array::RecordBatch::num_rows).sum::<usize>() > 0);

    let stranger = token_for("otto", &[AUDIENCE, "sales-1"]);
    let status = bench.do_get(&stranger, ticket).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let expected = "the ticket or handle cannot be used: run the statement again";
    assert_eq!(without_query_id(status.message()), expected);
}

#[tokio::test]
async fn parts_of_tickets_open_nothing_else() {
    let bench = bench().await;
    let ticket = bytes(&endpoint(&bench, &dora(), SQL).await);
    let twice = direct::ticket(&keys(), "sales-1", &DirectRead::default(), &ticket).unwrap();
    let empty = direct::ticket(&keys(), "sales-1", &DirectRead::default(), b"").unwrap();
    for (ticket, what) in [(twice, "a ticket in a ticket"), (empty, "no part"), (vec![2], "a byte")] {
        let status = bench.do_get(&dora(), Ticket::new(ticket)).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{what}");
    }
}

#[tokio::test]
async fn a_policy_that_changed_is_the_policy_for_who_comes_back() {
    let bench = bench().await;
    let ticket = Ticket::new(bytes(&endpoint(&bench, &dora(), SQL).await));
    bench.sales_policy(&SALES_POLICY.replace("roles: [auditor]", "roles: [nobody]"));
    assert_eq!(bench.do_get(&dora(), ticket).await.unwrap_err().code(), Code::NotFound);
}

#[test]
fn addresses_of_a_description_are_good_or_it_is_not_used() {
    let with = |addresses: Vec<(&str, String)>| {
        let mut descriptor = larkfield::descriptor("sales", SALES_POLICY);
        let address = |(zone, uri): (&str, String)| DirectAddress { zone: zone.to_owned(), uri };
        descriptor.direct_addresses = addresses.into_iter().map(address).collect();
        crate::mesh::Described::read("sales", descriptor)
    };
    assert!(with(vec![("default", ADDRESS.to_owned()), ("office", ADDRESS.to_owned())]).is_ok());
    for (zone, uri) in [
        ("Office", ADDRESS.to_owned()),
        ("", ADDRESS.to_owned()),
        ("office", String::new()),
        ("office", "https://sales.example:31401".to_owned()),
        ("office", "grpc+tls://user@sales.example:31401".to_owned()),
        ("office", "grpc+tls://sales.example:31401/path".to_owned()),
        ("office", format!("grpc+tls://{}:31401", "x".repeat(600))),
    ] {
        assert!(with(vec![(zone, uri.clone())]).is_err(), "{zone} {uri}");
    }
    assert!(with(vec![("default", ADDRESS.to_owned()); 65]).is_err());
}
