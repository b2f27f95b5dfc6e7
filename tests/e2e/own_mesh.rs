//! "Your own mesh", as the page says it: from empty folders, with separate processes.

use std::path::Path;

use meshgate_tests::page::{Shell, blocks};
use meshgate_tests::{java, mesh::closed_port, object_store, process, python};

const PAGE: &str = include_str!("../../docs/own-mesh.md");

#[test]
fn the_page_about_ones_own_mesh_holds_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    // The store's program lies in an environment that has another python.
    let programs: Vec<String> =
        [process::meshgate(), python::interpreter().to_owned(), object_store::interpreter().to_owned()]
            .iter()
            .map(|program| program.parent().unwrap_or(Path::new("/")).display().to_string())
            .chain([std::env::var("PATH").unwrap()])
            .collect();
    let mut variables = vec![("PATH", programs.join(":"))];
    for name in ["GATEWAY", "GATEWAY_HTTP", "SALES", "SALES_HTTP", "CUSTOMERS", "CUSTOMERS_HTTP"] {
        variables.push((name, closed_port().to_string()));
    }
    for name in ["ISSUER_PORT", "STORE_PORT"] {
        variables.push((name, closed_port().port().to_string()));
    }
    variables.push(("JDBC_DRIVER", java::driver().display().to_string()));
    let blocks = blocks(PAGE);
    assert!(
        blocks.iter().filter(|block| block.is_server).count() == 5,
        "two nodes, a gateway, an issuer and a store"
    );
    assert!(blocks.iter().filter(|block| block.prints.is_some()).count() >= 4);
    let mut shell = Shell::start(folder.path(), &variables);
    for block in &blocks {
        shell.run(block);
    }
    let answer = std::fs::read_to_string(folder.path().join("mesh/operator/answer.txt")).unwrap();
    assert!(answer.contains("sales.orders"), "{answer}");
}
