//! Starting where somebody else listens, and stopping with queries running.

use tonic::Code;

use super::*;
use crate::testing::orders_of;

#[tokio::test]
async fn an_address_in_use_is_one_clear_sentence() {
    let node = Running::start(Domain::new()).await;
    let other = Domain::new();
    let mut config = other.config();
    config.listen.flight = node.flight;
    let error = NodeServer::bind(config).await.unwrap_err();
    let message = error.to_string();
    assert!(message.contains("in use") && message.contains("listen.flight"), "{message}");
    assert!(message.contains(&node.flight.to_string()));
}

#[tokio::test]
async fn what_cannot_be_used_at_start_is_named() {
    for (file, replacement, expected) in [
        ("tls/node.key", Some("no key"), "tls.key"),
        ("tls/ca.crt", None, "tls.client_ca"),
        ("tls/permit-keys.json", Some("{}"), "permit-keys.json"),
        ("products", None, "products"),
    ] {
        let domain = Domain::new();
        let path = domain.path(file);
        match replacement {
            Some(text) => std::fs::write(&path, text).unwrap(),
            None if path.is_dir() => std::fs::remove_dir_all(&path).unwrap(),
            None => std::fs::remove_file(&path).unwrap(),
        }
        let message = NodeServer::bind(domain.config()).await.unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
}

#[tokio::test]
async fn an_idle_node_stops_at_once_and_ends_its_descriptions_in_an_error() {
    let mut node = Running::start(Domain::new()).await;
    let mut stream = descriptors(&mut node.client().await).await.unwrap();
    next(&mut stream).await.unwrap().unwrap();
    node.stop();
    let last = stream.collect::<Vec<_>>().await.pop().unwrap();
    assert_eq!(last.unwrap_err().code(), Code::Unavailable);
    tokio::time::timeout(PATIENCE, node.task).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn r39_a_running_query_may_finish_within_the_grace_period() {
    let domain = Domain::new();
    domain.write_orders(&orders_of(&vec!["EU"; 300_000]));
    let mut config = domain.config();
    config.limits.shutdown_grace = PATIENCE;
    let mut node = Running::start_with(domain, config).await;
    let ticket = node.request(&["id", "card", "amount", "region"]).ticket(&node.domain.signer);
    let mut client = node.client().await;
    let stream = messages(&mut client, ticket).await.unwrap();
    node.stop();
    assert_eq!(rows(&batches(stream).await.unwrap()), 300_000);
    drop(client);
    tokio::time::timeout(PATIENCE, node.task).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn r39_a_query_that_does_not_finish_in_time_ends_in_an_error() {
    let domain = Domain::new();
    domain.write_orders(&orders_of(&vec!["EU"; 300_000]));
    let mut node = Running::start(domain).await;
    let ticket = node.request(&["id", "card", "amount", "region"]).ticket(&node.domain.signer);
    let mut client = node.client().await;
    let mut stream = messages(&mut client, ticket).await.unwrap();
    next(&mut stream).await.unwrap().unwrap();
    node.stop();
    // Not read during the grace period.
    eventually(async || node.domain.audit_records().pop().is_some()).await;
    let last = stream.collect::<Vec<_>>().await.pop().unwrap().unwrap_err();
    assert_eq!(last.code(), Code::Unavailable);
    assert!(details(&last).retry);
    tokio::time::timeout(PATIENCE, node.task).await.unwrap().unwrap().unwrap();
}
