//! The operator's document on its way from the operator to every node.

use std::path::{Path, PathBuf};
use std::time::Duration;

use meshgate_tests::client::Client;
use meshgate_tests::mesh::{Mesh, http_get};
use meshgate_tests::{eventually_async, fixture, logs, process};

const LIMIT: Duration = Duration::from_secs(10);
const SQL: &str = "select id from sales.orders";

fn closed() -> String {
    let restriction = "restrictions: [ { id: closed, why: A test., to: { subjects: [ivy] }, deny: true } ]";
    fixture::MESH.replace("restrictions: []", restriction)
}

async fn until_seen(client: &mut Client, rows: Option<usize>) {
    eventually_async("what the operator decided", LIMIT, async || {
        (client.query(SQL).await.ok().map(|result| result.rows.len()) == rows).then_some(())
    })
    .await;
}

async fn until_mesh_yaml_is(mesh: &Mesh, broken: bool) {
    eventually_async("readiness", LIMIT, async || {
        let (_, body) = http_get(mesh.gateway_http, "/readyz").await;
        (body.contains("mesh_yaml") == broken).then_some(())
    })
    .await;
}

async fn until_three_domains_are_there(mesh: &Mesh) {
    eventually_async("the domains are there", LIMIT, async || {
        let (_, body) = http_get(mesh.gateway_http, "/readyz").await;
        body.contains("\"ready\":3").then_some(())
    })
    .await;
}

const DOMAINS: [&str; 3] = ["sales", "hr", "fin"];

async fn restart_everything(mesh: &mut Mesh) {
    for domain in DOMAINS {
        mesh.start_node_again(domain).await;
    }
    mesh.restart_gateway().await;
}

async fn until_nodes_hold_the_gateways(mesh: &Mesh) {
    for domain in DOMAINS {
        eventually_async("the node's copy", LIMIT, async || {
            (read(mesh, &format!("{domain}/mesh.yaml")) == read(mesh, "mesh.yaml")).then_some(())
        })
        .await;
    }
}

/// Signs in place, as whoever has this key does.
fn sign(mesh: &Mesh, text: &str, key: &Path, version: &str) {
    let file = mesh.path("elsewhere.yaml");
    std::fs::write(&file, text).unwrap();
    let (file_name, key) = (file.to_str().unwrap(), key.to_str().unwrap());
    let signed = process::run(&["mesh", "sign", file_name, "--key", key, "--version", version]);
    assert!(signed.status.success(), "{signed:?}");
    std::fs::rename(file, mesh.path("mesh.yaml")).unwrap();
}

/// A copy of the key that the operator has now, wherever it got to.
fn copy_of_key(mesh: &Mesh) -> PathBuf {
    let copy = mesh.path("copy-of-operator.key");
    std::fs::copy(mesh.path("keys/operator/operator.key"), &copy).unwrap();
    copy
}

fn read(mesh: &Mesh, file: &str) -> String {
    std::fs::read_to_string(mesh.path(file)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_published_document_is_in_force_at_the_gateway_and_on_every_nodes_disk() {
    let mesh = fixture::leaks().start().await;
    let mut auditor = mesh.client(&fixture::auditor()).await;
    until_seen(&mut auditor, Some(6)).await;
    mesh.publish(&closed());
    until_seen(&mut auditor, None).await;
    until_nodes_hold_the_gateways(&mesh).await;
    mesh.publish(fixture::MESH);
    until_seen(&mut auditor, Some(6)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a115_an_older_or_altered_document_changes_nothing() {
    let mesh = fixture::leaks().start().await;
    let mut auditor = mesh.client(&fixture::auditor()).await;
    let open = read(&mesh, "mesh.yaml");
    mesh.publish(&closed());
    until_seen(&mut auditor, None).await;
    let closed = read(&mesh, "mesh.yaml");
    for text in
        [open, closed.replace("deny: true", "rows: \"true\""), fixture::MESH.to_owned(), String::new()]
    {
        std::fs::write(mesh.path("mesh.yaml"), &text).unwrap();
        until_mesh_yaml_is(&mesh, true).await;
        assert!(auditor.query(SQL).await.is_err(), "{text}");
        std::fs::write(mesh.path("mesh.yaml"), &closed).unwrap();
        until_mesh_yaml_is(&mesh, false).await;
    }
    assert_eq!(read(&mesh, "sales/mesh.yaml"), closed);
}

/// A gateway whose mesh.yaml was taken back while it was down, with what it
/// takes to sign permits: nodes have seen the newer one.
#[tokio::test(flavor = "multi_thread")]
async fn a115_a_gateway_that_starts_with_an_older_document_gives_nothing_more() {
    let mut plan = fixture::leaks();
    plan.before_gateway = Some(|root| {
        let file = root.join("sales/mesh.yaml");
        let text = closed();
        std::fs::write(root.join("newer.yaml"), text).unwrap();
        let (newer, key) = (root.join("newer.yaml"), root.join("keys/operator/operator.key"));
        let arguments =
            ["mesh", "sign", newer.to_str().unwrap(), "--key", key.to_str().unwrap(), "--version", "7"];
        assert!(process::run(&arguments).status.success());
        std::fs::rename(newer, file).unwrap();
    });
    let mesh = plan.start().await;
    let mut auditor = mesh.client(&fixture::auditor()).await;
    // Where nothing newer is known, the older one is in force.
    let ledger = auditor.rows("select id from fin.ledger").await;
    assert_eq!(ledger.rows.len(), 2);
    eventually_async("the node has read its copy", LIMIT, async || {
        mesh.path("sales/mesh.yaml.highest").exists().then_some(())
    })
    .await;
    eventually_async("the node refuses", LIMIT, async || auditor.query(SQL).await.err()).await;
    for _ in 0..2 {
        let refused = auditor.refused(SQL).await;
        assert!(refused.message().contains("run it again"), "{refused:?}");
    }
    assert!(read(&mesh, "sales/mesh.yaml").contains("version: 7\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn d15_a_gateway_without_a_good_document_runs_and_denies_everything() {
    let mut plan = fixture::leaks();
    plan.before_gateway = Some(|root| std::fs::write(root.join("mesh.yaml"), fixture::MESH).unwrap());
    let mesh = plan.start_unready().await;
    until_mesh_yaml_is(&mesh, true).await;
    let mut auditor = mesh.client(&fixture::auditor()).await;
    until_three_domains_are_there(&mesh).await;
    assert_eq!(auditor.refused(SQL).await.code(), tonic::Code::NotFound);
    assert_eq!(auditor.rows("select 1 as one").await.rows.len(), 1);
    mesh.publish(fixture::MESH);
    until_seen(&mut auditor, Some(6)).await;
    until_mesh_yaml_is(&mesh, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operators_key_is_changed_while_what_was_signed_stays_in_force() {
    let mut mesh = fixture::leaks().start().await;
    let old = copy_of_key(&mesh);
    mesh.new_operator_key("new.pub");
    mesh.nodes_know(&["operator.pub", "new.pub"]);
    mesh.gateway_knows(&["operator.pub", "new.pub"]);
    restart_everything(&mut mesh).await;
    let mut auditor = mesh.client(&fixture::auditor()).await;
    until_seen(&mut auditor, Some(6)).await;
    mesh.publish(&closed());
    until_seen(&mut auditor, None).await;
    mesh.publish(fixture::MESH);
    until_seen(&mut auditor, Some(6)).await;
    until_nodes_hold_the_gateways(&mesh).await;

    mesh.nodes_know(&["new.pub"]);
    mesh.gateway_knows(&["new.pub"]);
    restart_everything(&mut mesh).await;
    let mut auditor = mesh.client(&fixture::auditor()).await;
    until_seen(&mut auditor, Some(6)).await;
    until_mesh_yaml_is(&mesh, false).await;
    // What the old key signs is nothing any more.
    sign(&mesh, &closed(), &old, "9");
    until_mesh_yaml_is(&mesh, true).await;
    until_seen(&mut auditor, Some(6)).await;
}

/// Each side refuses for itself, whatever the other one believes.
#[tokio::test(flavor = "multi_thread")]
async fn who_starts_with_the_new_key_alone_denies_everything_until_it_has_signed() {
    let mut mesh = fixture::leaks().start().await;
    mesh.new_operator_key("new.pub");
    mesh.nodes_know(&["new.pub"]);
    for domain in DOMAINS {
        mesh.start_node_again(domain).await;
    }
    let copy = mesh.path("sales/mesh.yaml");
    logs::until(&[copy.to_str().unwrap(), "which is not an operator's key here"]).await;
    until_three_domains_are_there(&mesh).await;
    let mut auditor = mesh.client(&fixture::auditor()).await;
    auditor.refused(SQL).await;
    until_mesh_yaml_is(&mesh, false).await;

    mesh.gateway_knows(&["new.pub"]);
    mesh.restart_gateway().await;
    until_mesh_yaml_is(&mesh, true).await;
    let mut auditor = mesh.client(&fixture::auditor()).await;
    assert_eq!(auditor.refused(SQL).await.code(), tonic::Code::NotFound);
    mesh.publish(fixture::MESH);
    until_seen(&mut auditor, Some(6)).await;
    until_mesh_yaml_is(&mesh, false).await;
}

/// As docs/gateway.md has it: what a thief signed last may have a version that nothing follows.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_theft_of_the_key_a_huge_version_is_no_obstacle() {
    const HUGE: &str = "1000000000000";
    let mut mesh = fixture::leaks().start().await;
    let stolen = copy_of_key(&mesh);
    sign(&mesh, &closed(), &stolen, HUGE);
    let mut auditor = mesh.client(&fixture::auditor()).await;
    until_seen(&mut auditor, None).await;
    until_nodes_hold_the_gateways(&mesh).await;

    mesh.new_operator_key("new.pub");
    mesh.nodes_know(&["new.pub"]);
    mesh.gateway_knows(&["new.pub"]);
    restart_everything(&mut mesh).await;
    mesh.publish(fixture::MESH);
    until_mesh_yaml_is(&mesh, false).await;
    let mut auditor = mesh.client(&fixture::auditor()).await;
    // The nodes remember the thief's version.
    logs::until(&["does not take the operator's document", "sales", &format!("held={HUGE}")]).await;
    auditor.refused(SQL).await;
    for domain in DOMAINS {
        std::fs::remove_file(mesh.path(&format!("{domain}/mesh.yaml.highest"))).unwrap();
    }
    mesh.publish(fixture::MESH);
    until_seen(&mut auditor, Some(6)).await;
    until_nodes_hold_the_gateways(&mesh).await;
}
