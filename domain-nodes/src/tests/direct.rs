//! Clients that read from the node themselves.

use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::{DataType, Field, Schema};
use arrow_flight::{Criteria, Empty, FlightDescriptor, HandshakeRequest};
use meshgate_engine::direct;
use meshgate_engine::seal::SealKeys;
use meshgate_policies::Digest;
use meshgate_proto::v1::{DirectRead, DomainRequest};
use meshgate_proto::{OPERATOR_DOCUMENT_ACTION, RELOAD_ACTION};
use tonic::Code;

use super::*;
use crate::testing::{NODE, expected_schema, orders_of, schema_message};

const TOKEN: &str = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhbm5hIn0.c2ln";
const KEY: [u8; 32] = [7; 32];

/// A node with a listener for clients.
async fn node() -> Running {
    node_with(Domain::new(), "").await
}

async fn node_with(domain: Domain, limits: &str) -> Running {
    let certificate = domain.authority.issue("client-side");
    domain.write("tls/direct.crt", &certificate.certificate);
    domain.write("tls/direct.key", &certificate.key);
    domain.write("direct.secret", &"07".repeat(32));
    let text = std::fs::read_to_string(domain.path("node.yaml")).unwrap();
    let text = text.replace("memory: 256MiB,", &format!("memory: 256MiB, {limits}"));
    let direct = "direct:\n  listen: 127.0.0.1:0\n  tls: { cert: tls/direct.crt, key: tls/direct.key }\n  \
                  keys: [ { id: new, key: \"${file:direct.secret}\" } ]\n  \
                  addresses: { default: 'grpc+tls://sales.example:31401', office: 'grpc+tls://10.0.0.1:31401' }\n";
    domain.write("node.yaml", &format!("{text}{direct}"));
    Running::start(domain).await
}

fn keys(id: &str, key: [u8; 32]) -> SealKeys {
    SealKeys::new([(id, &key)]).unwrap()
}

/// What a gateway lets read who came with `TOKEN`.
fn a_read(node: &Running, request: Request, columns: &[&str]) -> DirectRead {
    let request = request.ticket(&node.domain.signer);
    DirectRead {
        request: Some(DomainRequest::decode(request.as_slice()).unwrap()),
        token_digest: Digest::of(TOKEN.as_bytes()).as_bytes().to_vec(),
        schema: schema_message(&expected_schema(columns)),
        result_rows: 1_000,
        result_bytes: 1_000_000,
    }
}

fn good(node: &Running) -> DirectRead {
    a_read(node, node.request(&["id"]), &["id"])
}

fn ticket(read: &DirectRead) -> Vec<u8> {
    direct::ticket(&keys("new", KEY), NODE, read, b"the gateway's").unwrap()
}

async fn client(node: &Running) -> FlightServiceClient<Channel> {
    let endpoint = Endpoint::from_shared(format!("https://{}", node.direct.unwrap())).unwrap();
    // Without a certificate.
    FlightServiceClient::new(endpoint.tls_config(node.tls()).unwrap().connect().await.unwrap())
}

async fn get(node: &Running, authorization: &[&str], ticket: Vec<u8>) -> Result<Vec<RecordBatch>, Status> {
    let mut request = tonic::Request::new(Ticket::new(ticket));
    for value in authorization {
        request.metadata_mut().append("authorization", value.parse().unwrap());
    }
    batches(client(node).await.do_get(request).await?.into_inner()).await
}

async fn with_token(node: &Running, ticket: Vec<u8>) -> Result<Vec<RecordBatch>, Status> {
    get(node, &[&format!("Bearer {TOKEN}")], ticket).await
}

/// The one answer to what does not come to a query.
async fn unusable(node: &Running, authorization: &[&str], ticket: Vec<u8>, what: &str) {
    let before = node.domain.audit_records().len();
    let status = get(node, authorization, ticket).await.expect_err(what);
    assert_eq!(status.code(), Code::Unauthenticated, "{what}");
    assert_eq!(status.message(), "the ticket cannot be used here: ask the gateway", "{what}");
    assert!(status.details().is_empty(), "{what}");
    assert_eq!(node.domain.audit_records().len(), before, "{what}: nobody's query");
}

/// The answer to what comes to a query that is not answered.
fn is_refused(status: &Status) {
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert!(status.message().starts_with("the statement is not answered here"), "{status}");
    assert!(status.details().is_empty(), "{status}");
}

#[tokio::test]
async fn a_client_reads_what_its_caller_may_see_under_the_promised_schema() {
    let node = node().await;
    let columns = ["id", "region", "card"];
    let promised = ["Id", "Region", "Card"].map(|name| {
        let data_type = if name == "Id" { DataType::Int64 } else { DataType::Utf8 };
        Field::new(name, data_type, true).with_metadata([("k".to_owned(), "v".to_owned())].into())
    });
    let promised = Arc::new(Schema::new(promised.to_vec()));
    let read =
        DirectRead { schema: schema_message(&promised), ..a_read(&node, node.request(&columns), &columns) };
    let through_gateway = node.query(node.request(&columns)).await.unwrap();
    let read = with_token(&node, ticket(&read)).await.unwrap();
    assert_eq!(read[0].schema(), promised);
    assert_eq!(read[0].columns(), through_gateway[0].columns());
    assert_eq!(rows(&read), 4);

    let records = node.domain.audit_records();
    let direct: Vec<_> = records.iter().map(|record| record["direct"].as_bool().unwrap()).collect();
    assert_eq!(direct, [false, true]);
    assert_eq!((&records[1]["rows"], &records[1]["outcome"]), (&4.into(), &"ok".into()));
    assert_eq!(records[1]["principal"]["subject"], "anna");
}

#[tokio::test]
async fn a_direct_result_names_its_query() {
    let node = node().await;
    let mut request = tonic::Request::new(Ticket::new(ticket(&good(&node))));
    let authorization = format!("Bearer {TOKEN}").parse().unwrap();
    request.metadata_mut().insert("authorization", authorization);
    let response = client(&node).await.do_get(request).await.unwrap();
    let named = response.metadata().get("x-query-id").unwrap().to_str().unwrap().to_owned();
    batches(response.into_inner()).await.unwrap();
    assert_eq!(node.domain.audit_records()[0]["query_id"], named);
}

#[tokio::test]
async fn each_check_before_the_query_says_no_alike() {
    let node = node().await;
    let read = good(&node);
    let bearer = format!("Bearer {TOKEN}");
    let own = [bearer.as_str()];

    unusable(&node, &[], ticket(&read), "no token").await;
    for (other, what) in [
        (format!("Bearer {TOKEN}x"), "another token"),
        (format!("Basic {TOKEN}"), "another scheme"),
        (format!("Bearer  {TOKEN}"), "two spaces"),
        ("Bearer ".to_owned(), "an empty token"),
        (format!("Bearer {}", "x".repeat(33 << 10)), "a long token"),
    ] {
        unusable(&node, &[&other], ticket(&read), what).await;
    }
    unusable(&node, &[&bearer, &bearer], ticket(&read), "the token twice").await;

    let sealed = |keys: &SealKeys, node: &str| direct::ticket(keys, node, &read, b"x").unwrap();
    unusable(&node, &own, sealed(&keys("new", KEY), "hr-1"), "for another node").await;
    unusable(&node, &own, sealed(&keys("new", [8; 32]), NODE), "another key").await;
    unusable(&node, &own, sealed(&keys("old", KEY), NODE), "an unknown key").await;
    let mut changed = ticket(&read);
    *changed.last_mut().unwrap() ^= 1;
    unusable(&node, &own, changed, "a changed ticket").await;
    let long = vec![2; direct::TICKET_BYTES_MAX + 1];
    unusable(&node, &own, long, "a long ticket").await;
    unusable(&node, &own, Vec::new(), "no ticket").await;
    let gateways = node.request(&["id"]).ticket(&node.domain.signer);
    unusable(&node, &own, gateways, "a ticket for the listener of gateways").await;
    for digest in [Vec::new(), vec![0; 32], read.token_digest[..31].to_vec()] {
        let other = DirectRead { token_digest: digest, ..read.clone() };
        unusable(&node, &own, ticket(&other), "another digest").await;
    }

    // None of them used the permit up.
    assert_eq!(rows(&with_token(&node, ticket(&read)).await.unwrap()), 4);
}

#[tokio::test]
async fn permits_and_queries_are_checked_as_those_of_gateways() {
    let node = node().await;
    let once = ticket(&good(&node));
    assert_eq!(rows(&with_token(&node, once.clone()).await.unwrap()), 4);
    is_refused(&with_token(&node, once).await.unwrap_err());

    let mut expired = node.request(&["id"]);
    expired.permit.issued_at -= 120_000_000;
    expired.permit.expires_at -= 120_000_000;
    let mut foreign = node.request(&["id"]);
    foreign.permit.audience = "hr-1".to_owned();
    for request in [expired, foreign, node.request(&["note"])] {
        let read = a_read(&node, request, &["id"]);
        is_refused(&with_token(&node, ticket(&read)).await.unwrap_err());
    }
    let mut forged = good(&node);
    forged.request = Some(
        DomainRequest::decode(node.request(&["id"]).ticket(&crate::testing::signer("test-key").0).as_slice())
            .unwrap(),
    );
    is_refused(&with_token(&node, ticket(&forged)).await.unwrap_err());
    is_refused(&with_token(&node, ticket(&DirectRead { request: None, ..good(&node) })).await.unwrap_err());
    for schema in [Vec::new(), schema_message(&expected_schema(&["region"]))] {
        let read = DirectRead { schema, ..good(&node) };
        is_refused(&with_token(&node, ticket(&read)).await.unwrap_err());
    }
    assert!(node.domain.audit_records().iter().all(|record| record["direct"] == true));
}

#[tokio::test]
async fn the_node_decides_again() {
    let node = node().await;
    let read = good(&node);
    let policies = crate::testing::POLICIES.replace("roles: [analyst]", "roles: [nobody]");
    node.domain.write("policies/sales.yaml", &policies);
    let mut descriptions = descriptors(&mut node.client().await).await.unwrap();
    let changed = |descriptor: &Descriptor| {
        descriptor.owner_policies.clone().unwrap().documents[0].text.contains("nobody")
    };
    while !changed(&next(&mut descriptions).await.unwrap().unwrap()) {}
    is_refused(&with_token(&node, ticket(&read)).await.unwrap_err());
}

#[tokio::test]
async fn tickets_of_clients_are_nothing_to_the_listener_of_gateways() {
    let node = node().await;
    let Err(status) = messages(&mut node.client().await, ticket(&good(&node))).await else {
        panic!("it was accepted")
    };
    assert_eq!((status.code(), class(&status)), (Code::PermissionDenied, Class::Refused));
}

#[tokio::test]
async fn clients_reach_nothing_but_results() {
    let node = node().await;
    let mut client = client(&node).await;
    let descriptor = || FlightDescriptor::new_path(vec!["sales".into()]);
    let data = || futures::stream::iter([FlightData::default()]);
    let results = [
        client.handshake(futures::stream::iter([HandshakeRequest::default()])).await.err(),
        client.list_flights(Criteria::default()).await.err(),
        client.get_flight_info(descriptor()).await.err(),
        client.poll_flight_info(descriptor()).await.err(),
        client.get_schema(descriptor()).await.err(),
        client.do_put(data()).await.err(),
        client.do_exchange(data()).await.err(),
        client.list_actions(Empty::default()).await.err(),
        client.do_action(Action::new(DESCRIBE_ACTION, "")).await.err(),
        client.do_action(Action::new(OPERATOR_DOCUMENT_ACTION, "")).await.err(),
        client.do_action(Action::new(RELOAD_ACTION, "")).await.err(),
    ];
    for (position, error) in results.iter().enumerate() {
        assert_eq!(error.as_ref().map(Status::code), Some(Code::Unimplemented), "{position}");
    }
}

#[tokio::test]
async fn a_result_over_its_bounds_ends_in_an_error() {
    let node = node().await;
    let at = |rows: u64, bytes: u64| DirectRead { result_rows: rows, result_bytes: bytes, ..good(&node) };
    assert_eq!(rows(&with_token(&node, ticket(&at(4, 32))).await.unwrap()), 4);
    for (read, sentence) in [(at(3, 32), "more rows"), (at(4, 31), "is larger")] {
        let status = with_token(&node, ticket(&read)).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().contains(sentence) && status.message().contains("(query "), "{status}");
        assert_eq!(node.domain.audit_records().pop().unwrap()["outcome"], "error");
    }
}

#[tokio::test]
async fn clients_have_places_of_their_own_and_no_more() {
    let domain = Domain::new();
    domain.write_orders(&orders_of(&["EU"; 400_000]));
    let node = node_with(domain, "direct_queries: 1, direct_idle_time: 300s,").await;
    let columns = ["id", "region", "card"];
    let large = || DirectRead {
        result_rows: u64::MAX,
        result_bytes: u64::MAX,
        ..a_read(&node, node.request(&columns), &columns)
    };
    let mut held = held(&node, &large()).await;
    assert!(next(&mut held).await.unwrap().is_ok());

    let status = with_token(&node, ticket(&large())).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().starts_with("the domain's node does as much as it can"), "{status}");
    assert!(node.query(node.request(&["id"])).await.is_ok(), "gateways have theirs");

    drop(held);
    eventually(async || with_token(&node, ticket(&large())).await.is_ok()).await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_let_go() {
    let domain = Domain::new();
    domain.write_orders(&orders_of(&["EU"; 400_000]));
    let node = node_with(domain, "direct_idle_time: 200ms,").await;
    let columns = ["id", "region", "card"];
    let read = DirectRead {
        result_rows: u64::MAX,
        result_bytes: u64::MAX,
        ..a_read(&node, node.request(&columns), &columns)
    };
    let mut held = held(&node, &read).await;
    eventually(async || !node.domain.audit_records().is_empty()).await;
    let record = node.domain.audit_records().pop().unwrap();
    assert_eq!(record["outcome"], "error");
    assert!(record["error"].as_str().unwrap().contains("direct_idle_time"), "{record}");
    let status = loop {
        match next(&mut held).await {
            Some(Ok(_)) => {}
            Some(Err(status)) => break status,
            None => panic!("it ended well"),
        }
    };
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
}

/// The messages of a result, over a connection that takes few at once.
async fn held(
    node: &Running,
    read: &DirectRead,
) -> impl Stream<Item = Result<FlightData, Status>> + Unpin + use<> {
    let endpoint = Endpoint::from_shared(format!("https://{}", node.direct.unwrap())).unwrap();
    let endpoint = endpoint.initial_stream_window_size(64 << 10).initial_connection_window_size(64 << 10);
    let channel = endpoint.tls_config(node.tls()).unwrap().connect().await.unwrap();
    let mut request = tonic::Request::new(Ticket::new(ticket(read)));
    let authorization = format!("Bearer {TOKEN}").parse().unwrap();
    request.metadata_mut().insert("authorization", authorization);
    FlightServiceClient::new(channel).do_get(request).await.unwrap().into_inner()
}

#[tokio::test]
async fn connections_of_clients_are_bounded_and_take_none_of_gateways() {
    let node = node_with(Domain::new(), "direct_connections: 1,").await;
    let first = client(&node).await;
    let waits = tokio::time::timeout(Duration::from_millis(200), client(&node));
    assert!(waits.await.is_err(), "a second connection was accepted");
    assert!(node.query(node.request(&["id"])).await.is_ok());
    drop(first);
    let again = tokio::time::timeout(PATIENCE, client(&node));
    assert!(again.await.is_ok());
}

#[tokio::test]
async fn the_node_says_where_clients_reach_it() {
    let node = node().await;
    let mut descriptions = descriptors(&mut node.client().await).await.unwrap();
    let addresses = next(&mut descriptions).await.unwrap().unwrap().direct_addresses;
    let addresses: Vec<_> = addresses.iter().map(|at| (at.zone.as_str(), at.uri.as_str())).collect();
    assert_eq!(
        addresses,
        [("default", "grpc+tls://sales.example:31401"), ("office", "grpc+tls://10.0.0.1:31401")]
    );

    let without = Running::start(Domain::new()).await;
    let mut descriptions = descriptors(&mut without.client().await).await.unwrap();
    assert!(next(&mut descriptions).await.unwrap().unwrap().direct_addresses.is_empty());
    assert_eq!(without.direct, None);
}
