//! The operator's document on its way from the operator to every node.

use std::time::Duration;

use meshgate_tests::client::Client;
use meshgate_tests::mesh::{Mesh, http_get};
use meshgate_tests::process;
use meshgate_tests::{eventually_async, fixture};

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
    for domain in ["sales", "hr", "fin"] {
        eventually_async("the node's copy", LIMIT, async || {
            (read(&mesh, &format!("{domain}/mesh.yaml")) == read(&mesh, "mesh.yaml")).then_some(())
        })
        .await;
    }
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
    eventually_async("the domains are there", LIMIT, async || {
        let (_, body) = http_get(mesh.gateway_http, "/readyz").await;
        body.contains("\"ready\":3").then_some(())
    })
    .await;
    assert_eq!(auditor.refused(SQL).await.code(), tonic::Code::NotFound);
    assert_eq!(auditor.rows("select 1 as one").await.rows.len(), 1);
    mesh.publish(fixture::MESH);
    until_seen(&mut auditor, Some(6)).await;
    until_mesh_yaml_is(&mesh, false).await;
}
