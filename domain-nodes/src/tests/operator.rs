//! The operator's document as gateways bring it.

use meshgate_proto::OPERATOR_DOCUMENT_ACTION;
use meshgate_proto::v1::OperatorDocumentReceipt;
use meshgate_proto::v1::operator_document_receipt::Outcome;

use super::*;
use crate::testing::{MESH, operator_signer};

async fn bring(node: &Running, text: &str) -> (Outcome, u64) {
    let action = Action::new(OPERATOR_DOCUMENT_ACTION, text.to_owned());
    let mut answers = node.client().await.do_action(action).await.unwrap().into_inner();
    let receipt = OperatorDocumentReceipt::decode(answers.next().await.unwrap().unwrap().body).unwrap();
    assert!(answers.next().await.is_none());
    (receipt.outcome(), receipt.version)
}

/// What everybody is denied under.
fn closed(version: u64) -> String {
    let restriction = "restrictions: [ { id: closed, why: A test., deny: true } ]\n";
    MESH.replace("version: 3", &format!("version: {version}")) + restriction
}

async fn until_version(node: &Running, text: &str) {
    let mesh = meshgate_policies::Mesh::load("mesh.yaml", text).unwrap().0;
    let mut stream = descriptors(&mut node.client().await).await.unwrap();
    while next(&mut stream).await.unwrap().unwrap().operator_policy_version != mesh.version().as_bytes() {}
}

#[tokio::test]
async fn a_document_that_a_gateway_brings_is_in_use_and_survives_a_restart() {
    let mut node = Running::start(Domain::new()).await;
    let open = node.request(&["id"]);
    let next = node.domain.signed(&closed(4));
    assert_eq!(bring(&node, &next).await, (Outcome::Taken, 4));
    until_version(&node, &next).await;
    assert_eq!(class(&node.query(open).await.unwrap_err()), Class::Moved);
    assert_eq!(bring(&node, &next).await, (Outcome::Held, 4));
    assert_eq!(std::fs::read_to_string(node.domain.path("mesh.yaml")).unwrap(), next);

    node.stop();
    let node = Running::start(node.domain).await;
    node.until_ready("\"ready\":true").await;
    until_version(&node, &next).await;
}

#[tokio::test]
async fn a_node_without_a_document_serves_once_a_gateway_brought_one() {
    let domain = Domain::new();
    std::fs::remove_file(domain.path("mesh.yaml")).unwrap();
    let node = Running::start(domain).await;
    node.until_ready("mesh_yaml").await;
    assert_eq!(bring(&node, &node.domain.signed(MESH)).await, (Outcome::Taken, 3));
    node.until_ready("\"ready\":true").await;
    assert_eq!(rows(&node.query(node.request(&["id"])).await.unwrap()), 4);
}

#[tokio::test]
async fn a115_what_is_not_the_operators_or_not_newer_changes_nothing() {
    let node = Running::start(Domain::new()).await;
    let five = node.domain.signed(&closed(5));
    assert_eq!(bring(&node, &five).await, (Outcome::Taken, 5));
    until_version(&node, &five).await;
    let stranger = meshgate_engine::operator::sign("mesh.yaml", MESH, &operator_signer(), Some(9)).unwrap();
    for (text, outcome) in [
        (node.domain.signed(MESH), Outcome::Older),
        (node.domain.signed(&MESH.replace("version: 3", "version: 5")), Outcome::SameVersion),
        (node.domain.signed(&closed(6).replace("mesh: test", "mesh: other")), Outcome::OtherMesh),
        (closed(6), Outcome::Unusable),
        (node.domain.signed(&closed(6)).replace("deny: true", "hide: true"), Outcome::Unusable),
        (stranger, Outcome::Unusable),
        (" ".repeat(1_100_000), Outcome::Unusable),
        (String::new(), Outcome::Unusable),
    ] {
        assert_eq!(bring(&node, &text).await, (outcome, 5), "{text:.60}");
        assert_eq!(std::fs::read_to_string(node.domain.path("mesh.yaml")).unwrap(), five);
    }
    node.until_ready("\"ready\":true").await;
    until_version(&node, &five).await;
}

#[tokio::test]
async fn an_older_copy_on_the_disk_is_refused_also_after_a_restart() {
    let mut node = Running::start(Domain::new()).await;
    let old = node.domain.signed(MESH);
    let new = node.domain.signed(&closed(4));
    assert_eq!(bring(&node, &new).await, (Outcome::Taken, 4));
    until_version(&node, &new).await;
    // While it runs, the last good one stays.
    node.domain.write("mesh.yaml", &old);
    node.until_ready("mesh_yaml").await;
    until_version(&node, &new).await;
    node.stop();
    // At the start, everything is denied, until a gateway brings what is not older.
    let node = Running::start(node.domain).await;
    node.until_ready("mesh_yaml").await;
    assert_eq!(bring(&node, &old).await, (Outcome::Older, 4));
    assert_eq!(bring(&node, &new).await, (Outcome::Taken, 4));
    until_version(&node, &new).await;
    node.until_ready("\"ready\":true").await;
}

#[tokio::test]
async fn a_node_that_does_not_know_what_it_has_seen_denies_everything() {
    let domain = Domain::new();
    domain.write("mesh.yaml.highest", "{}");
    let node = Running::start(domain).await;
    node.until_ready("mesh_yaml").await;
    assert_eq!(bring(&node, &node.domain.signed(&closed(9))).await, (Outcome::NotKept, 0));
    std::fs::remove_file(node.domain.path("mesh.yaml.highest")).unwrap();
    assert_eq!(bring(&node, &node.domain.signed(&closed(9))).await, (Outcome::Taken, 9));
    node.until_ready("\"ready\":true").await;
}

#[tokio::test]
async fn the_operators_key_changes_while_both_are_known() {
    let domain = Domain::new();
    let new_key = operator_signer();
    let signed = meshgate_engine::operator::sign("mesh.yaml", &closed(4), &new_key, None).unwrap();
    use base64::Engine as _;
    let public = base64::engine::general_purpose::STANDARD.encode(new_key.public_key());
    domain.write("tls/operator-2.pub", &public);
    let mut node = Running::start(domain).await;
    assert_eq!(bring(&node, &signed).await, (Outcome::Unusable, 3));
    node.stop();
    let lists = |keys: &str| {
        let text = std::fs::read_to_string(node.domain.path("node.yaml")).unwrap();
        text.replace("operator_key: tls/operator.pub", &format!("operator_key: {keys}"))
    };
    let (both, new_only) = (lists("[tls/operator.pub, tls/operator-2.pub]"), lists("tls/operator-2.pub"));
    node.domain.write("node.yaml", &both);
    let mut node = Running::start(node.domain).await;
    node.until_ready("\"ready\":true").await;
    assert_eq!(bring(&node, &signed).await, (Outcome::Taken, 4));
    until_version(&node, &signed).await;
    node.stop();
    node.domain.write("node.yaml", &new_only);
    let node = Running::start(node.domain).await;
    node.until_ready("\"ready\":true").await;
    assert_eq!(bring(&node, &node.domain.signed(&closed(5))).await, (Outcome::Unusable, 4));
}
