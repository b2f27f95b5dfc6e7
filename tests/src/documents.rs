//! The documents of one domain, loaded as its node loads them, for tests that put its parts together themselves.

use std::collections::BTreeMap;
use std::path::Path;

use meshgate_domain_node::contract::{self, ProductTable};
use meshgate_policies::{Document, DomainPolicy, Mesh, Table};

/// The policy and the tables of `domain` in the mesh whose files lie in `root`, or what is wrong with them.
pub fn load(root: &Path, domain: &str) -> Result<(DomainPolicy, Vec<ProductTable>), String> {
    let folder = root.join(domain);
    let contracts = contract::load_folder(&folder.join("products"), domain, "test", &BTreeMap::new());
    let tables: Vec<ProductTable> =
        contracts.products.into_iter().flat_map(|product| product.tables).collect();
    let owned: Vec<Table> = tables.iter().map(|table| (*table.table).clone()).collect();
    let text = |path: &Path| std::fs::read_to_string(path).expect("a document");
    let problems = |problems| format!("{problems:?}");
    let (mesh, _) = Mesh::load("mesh.yaml", &text(&root.join("mesh.yaml"))).map_err(problems)?;
    let name = format!("{domain}.yaml");
    let document = Document { text: text(&folder.join("policies").join(&name)), name };
    let (policy, _) = DomainPolicy::load(domain, &[document], &mesh, &owned).map_err(problems)?;
    Ok((policy, tables))
}
