//! A domain is served by its own nodes, whatever a file of the operator's says.

use std::time::Duration;

use meshgate_tests::mesh::{Mesh, http_get, http_status};
use meshgate_tests::{eventually_async, fixture, logs};

const LIMIT: Duration = Duration::from_secs(15);
const ORDERS: &str = "select id from sales.orders";
const LEDGER: &str = "select id from fin.ledger";

fn domain_file(mesh: &Mesh, domain: &str) -> String {
    std::fs::read_to_string(mesh.path(&format!("domains/{domain}.yaml"))).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a106_a_file_that_points_to_another_domains_node_gives_nothing_of_it() {
    let mesh = fixture::leaks().start().await;
    let mut auditor = mesh.client(&fixture::auditor()).await;
    assert_eq!(auditor.rows(LEDGER).await.rows.len(), 2);
    let (own, sales, hr) = (domain_file(&mesh, "fin"), domain_file(&mesh, "sales"), domain_file(&mesh, "hr"));
    let address_of_hr = hr.split('"').nth(1).unwrap();
    let cases = [
        // The certificate is of the name that the file says, and the node is another domain's.
        (
            sales.replace("domain: sales", "domain: fin"),
            vec!["fin", "the node describes the domain `sales`: correct `nodes` in this domain's file"],
        ),
        // The node proves to be another one.
        (
            hr.replace("domain: hr", "domain: fin").replace("certificate: hr.", "certificate: fin."),
            vec!["fin", address_of_hr, "carry the name that the domain's file has as `certificate`"],
        ),
    ];
    for (text, logged) in cases {
        std::fs::write(mesh.path("domains/fin.yaml"), text).unwrap();
        logs::until(&logged).await;
        for table in ["fin.ledger", "fin.orders", "fin.people"] {
            auditor.refused(&format!("select id from {table}")).await;
        }
        assert_eq!(auditor.rows(ORDERS).await.rows.len(), 6);
        assert_eq!(auditor.rows("select id from hr.people").await.rows.len(), 4);
        std::fs::write(mesh.path("domains/fin.yaml"), &own).unwrap();
        eventually_async("the domain's own node serves it again", LIMIT, async || {
            (auditor.query(LEDGER).await.ok()?.rows.len() == 2).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_file_for_a_domain_is_refused_while_the_first_goes_on() {
    let mesh = fixture::leaks().start().await;
    let mut auditor = mesh.client(&fixture::auditor()).await;
    let claim = domain_file(&mesh, "hr").replace("domain: hr", "domain: sales");
    // Whichever of both is read first.
    for (name, read_last) in [("domains/a.yaml", "domains/sales.yaml"), ("domains/z.yaml", "domains/z.yaml")]
    {
        std::fs::write(mesh.path(name), &claim).unwrap();
        logs::until(&[
            mesh.path(read_last).to_str().unwrap(),
            "domain `sales` is already defined in another file",
            "a domain has one file",
        ])
        .await;
        eventually_async("readiness", LIMIT, async || {
            http_get(mesh.gateway_http, "/readyz").await.1.contains("configuration_broken").then_some(())
        })
        .await;
        assert_eq!(auditor.rows(ORDERS).await.rows.len(), 6);
        assert_eq!(auditor.rows(LEDGER).await.rows.len(), 2);
        std::fs::remove_file(mesh.path(name)).unwrap();
        eventually_async("readiness", LIMIT, async || {
            (http_status(mesh.gateway_http, "/readyz").await == 200).then_some(())
        })
        .await;
    }
}
