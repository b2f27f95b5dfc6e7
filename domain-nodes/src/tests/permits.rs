//! Tickets that somebody tampered with.

use meshgate_engine::permit;
use meshgate_proto::v1::DomainRequest;
use tonic::Code;

use super::*;
use crate::testing::signer;

async fn refused(node: &Running, ticket: Vec<u8>) {
    let mut client = node.client().await;
    let status = messages(&mut client, ticket).await.err().expect("it was accepted");
    assert_eq!((status.code(), class(&status)), (Code::PermissionDenied, Class::Refused));
    // Nothing is said about why.
    assert_eq!(status.message(), "refused");
    assert_eq!(details(&status).table, "");
}

#[tokio::test]
async fn a104_forged_expired_foreign_and_replayed_permits_are_refused_alike() {
    let node = Running::start(Domain::new()).await;
    let request = || node.request(&["id"]);
    let signer_of_the_mesh = &node.domain.signer;

    refused(&node, request().ticket(&signer("test-key").0)).await;
    refused(&node, b"not a ticket".to_vec()).await;
    refused(&node, vec![0; 3 << 20][..crate::request::TICKET_BYTES + 1].to_vec()).await;

    let mut other_node = request();
    other_node.permit.audience = "hr-1".into();
    refused(&node, other_node.ticket(signer_of_the_mesh)).await;

    let mut expired = request();
    expired.permit.issued_at -= 120_000_000;
    expired.permit.expires_at -= 120_000_000;
    refused(&node, expired.ticket(signer_of_the_mesh)).await;

    let mut other_query = request();
    let sealed = other_query.seal();
    let signed = permit::sign(signer_of_the_mesh, &other_query.permit);
    let mut query = sealed.clone();
    query.extend([0x08, 0x01]);
    refused(&node, DomainRequest { permit: Some(signed), query, wire: None }.encode_to_vec()).await;

    let once = request().ticket(signer_of_the_mesh);
    let mut client = node.client().await;
    let answer = batches(messages(&mut client, once.clone()).await.unwrap()).await.unwrap();
    assert_eq!(rows(&answer), 4);
    refused(&node, once).await;
}

#[tokio::test]
async fn a105_a_column_that_policy_hides_is_refused_although_the_gateway_asks() {
    let node = Running::start(Domain::new()).await;
    let request = node.request(&["id", "note"]);
    refused(&node, request.ticket(&node.domain.signer)).await;
    let record = node.domain.audit_records().pop().unwrap();
    assert_eq!((&record["outcome"], &record["rows"]), (&"refused".into(), &0.into()));
}

#[tokio::test]
async fn a102_a_users_token_opens_nothing() {
    let node = Running::start(Domain::new()).await;
    refused(&node, b"eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhbm5hIn0.c2ln".to_vec()).await;
}
