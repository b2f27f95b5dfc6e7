use meshgate_engine::operator::OperatorDocument;

use super::*;
use crate::{
    config::{CompressionMode, RelayMode},
    testing::{
        fake_node::FakeNode,
        larkfield::{HR_POLICY, MESH, SALES_POLICY, descriptor, document, operator_keys, signed},
        logs::Logs,
    },
    tls::tests::{Authority, node_at},
};

/// Waits until the present snapshot is as wanted.
async fn until(state: &MeshState, wanted: impl Fn(&crate::mesh::Snapshot) -> bool) {
    let waits = async {
        while !wanted(&state.snapshot()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), waits).await.expect("the snapshot becomes as wanted");
}

#[tokio::test]
async fn a_domain_is_as_its_node_said_last() {
    let (node, channel) = FakeNode::start("sales").await;
    node.description.send_replace(descriptor("sales", SALES_POLICY).encode_to_vec());
    let state = Arc::new(MeshState::new(Some(document())));
    let (listening, connection) = (Arc::clone(&state), Arc::new(NodeConnection::over(channel)));
    let task = tokio::spawn(async move { listen("sales", connection, &listening).await });
    until(&state, |mesh| mesh.domain("sales").is_some_and(|sales| sales.table("orders").is_some())).await;

    let mut without_orders = descriptor("sales", SALES_POLICY);
    without_orders.products.remove(0);
    node.description.send_replace(without_orders.encode_to_vec());
    until(&state, |mesh| mesh.domain("sales").is_some_and(|sales| sales.table("orders").is_none())).await;
    assert_eq!(state.snapshot().domain("sales").unwrap().generation, 2);

    // What is not understood, or is another domain's, is not there.
    node.description.send_replace(descriptor("hr", HR_POLICY).encode_to_vec());
    until(&state, |mesh| mesh.domain("sales").is_some_and(|sales| sales.table("order_lines").is_none()))
        .await;
    assert!(state.snapshot().domain("hr").is_none());

    node.description.send_replace(Vec::new());
    assert!(task.await.unwrap().is_ok());
}

#[tokio::test]
async fn a106_a_node_of_another_domain_is_told_with_what_to_do() {
    let logs = Logs::start();
    let (node, channel) = FakeNode::start("sales").await;
    node.description.send_replace(descriptor("sales", SALES_POLICY).encode_to_vec());
    let state = Arc::new(MeshState::new(Some(document())));
    let (listening, connection) = (Arc::clone(&state), Arc::new(NodeConnection::over(channel)));
    let task = tokio::spawn(async move { listen("sales", connection, &listening).await });
    until(&state, |mesh| mesh.domain("sales").is_some_and(|sales| sales.table("orders").is_some())).await;
    assert_eq!(logs.count("cannot be used"), 0);

    node.description.send_replace(descriptor("hr", HR_POLICY).encode_to_vec());
    let remedy = "correct `nodes` in this domain's file, or `domain` in the node's node.yaml";
    logs.until(&format!("the node describes the domain `hr`: {remedy}")).await;
    until(&state, |mesh| mesh.domain("sales").is_some_and(|sales| sales.table("orders").is_none())).await;
    assert!(state.snapshot().domain("hr").is_none());
    task.abort();
}

#[tokio::test]
async fn a_node_that_says_nothing_is_an_error() {
    let (node, channel) = FakeNode::start("sales").await;
    node.description.send_replace(Vec::new());
    let state = Arc::new(MeshState::new(Some(document())));
    let listened = listen("sales", Arc::new(NodeConnection::over(channel)), &state).await;
    assert!(matches!(listened, Err(ListenError::Ended)));
    assert!(state.snapshot().domain("sales").is_none());
}

#[tokio::test]
async fn what_is_known_of_a_domain_stays_when_it_goes_away() {
    let (_node, channel) = FakeNode::start("sales").await;
    let state = MeshState::new(Some(document()));
    let described = Described::read("sales", descriptor("sales", SALES_POLICY)).unwrap();
    state.described("sales", described, Arc::new(NodeConnection::over(channel)));
    let before = state.snapshot();
    assert!(before.domain("sales").unwrap().connection.is_some());
    state.unavailable("sales");
    let after = state.changed_since(&before, Duration::from_secs(1)).await;
    let sales = after.domain("sales").unwrap();
    assert!(sales.connection.is_none() && sales.table("orders").is_some());
    // Nothing changes twice.
    state.unavailable("sales");
    assert!(Arc::ptr_eq(&after, &state.snapshot()));
}

/// The documents that a node was brought.
fn brought(node: &FakeNode) -> Vec<String> {
    node.state.lock().unwrap().documents.clone()
}

#[tokio::test]
async fn a_node_gets_the_operators_document_unless_it_enforces_it() {
    let (node, channel) = FakeNode::start("sales").await;
    let state = Arc::new(MeshState::new(Some(document())));
    node.description.send_replace(descriptor("sales", SALES_POLICY).encode_to_vec());
    let (listening, connection) = (Arc::clone(&state), Arc::new(NodeConnection::over(channel)));
    let task = tokio::spawn(async move { listen("sales", connection, &listening).await });
    until(&state, |_| brought(&node).len() == 1).await;
    let first = signed(MESH);
    assert_eq!(brought(&node), [first.as_str()]);

    let changed = signed(&first.replace("Europe/Berlin", "Europe/Lisbon"));
    let changed = OperatorDocument::open("mesh.yaml", &changed, &operator_keys()).unwrap().0;
    state.mesh_changed(changed.clone()).unwrap();
    until(&state, |_| brought(&node).len() == 2).await;
    assert_eq!(brought(&node)[1], &**changed.text());

    // A node that enforces the next one already is left in peace.
    let last = signed(&changed.text().replace("Europe/Lisbon", "UTC"));
    let last = OperatorDocument::open("mesh.yaml", &last, &operator_keys()).unwrap().0;
    let mut enforcing = descriptor("sales", SALES_POLICY);
    enforcing.operator_policy_version = last.mesh().version().as_bytes().to_vec();
    node.description.send_replace(enforcing.encode_to_vec());
    until(&state, |mesh| mesh.domain("sales").is_some_and(|sales| sales.generation == 2)).await;
    state.mesh_changed(last).unwrap();
    node.description.send_replace(Vec::new());
    assert!(task.await.unwrap().is_ok());
    assert_eq!(brought(&node).len(), 2);
}

/// How long a second and a third attempt take.
const FURTHER_ATTEMPTS: Duration = Duration::from_millis(700);

#[tokio::test]
async fn a_node_that_comes_back_with_another_domains_certificate_is_told_with_what_to_do() {
    let (logs, mesh) = (Logs::start(), Authority::new());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let config = DomainConfig {
        domain: "sales".to_owned(),
        owner: None,
        nodes: vec![format!("grpc+tls://{address}").parse().unwrap()],
        certificate: "sales.mesh.example".to_owned(),
        relay: RelayMode::default(),
        compression: CompressionMode::default(),
        direct: None,
    };
    let state = Arc::new(MeshState::new(Some(document())));
    let task = tokio::spawn(keep_described(config, Arc::new(mesh.nodes_tls()), state));
    logs.until("refused").await;
    tokio::time::sleep(FURTHER_ATTEMPTS).await;
    assert_eq!((logs.count("no description"), logs.count("`certificate`")), (1, 0));

    let customers = mesh.issue("customers", &["customers.mesh.example"], &["meshgate:role:node"]);
    node_at(address, customers, &mesh).await;
    logs.until("carry the name that the domain's file has as `certificate`").await;
    assert_eq!(logs.count("customers.mesh.example"), 1, "the name that it carries");
    assert_eq!(logs.count("no description"), 2);
    task.abort();
}

#[test]
fn each_reason_of_each_node_is_news_once() {
    let nodes: [Uri; 2] = ["grpc+tls://one:31400", "grpc+tls://two:31400"].map(|uri| uri.parse().unwrap());
    let mut outage = Outage::default();
    for node in &nodes {
        assert!(outage.is_news(node, "refused"));
        assert!(!outage.is_news(node, "refused"));
    }
    assert!(outage.is_news(&nodes[0], "certificate expired (7 seconds ago)"));
    assert!(!outage.is_news(&nodes[0], "certificate expired (12 seconds ago)"));
    assert!(!outage.is_news(&nodes[1], "refused"));
    assert!(outage.is_news(&nodes[0], "refused"));
}
