//! What the demo writes is what the servers read.

use std::path::Path;

use chrono::NaiveDate;
use meshgate_domain_node::contract;
use meshgate_gateway::config::GatewayConfig;
use meshgate_policies::{Document, DomainPolicy, Mesh, Table};

use super::folder::{self, DOMAINS, DemoFolder, FILES};

fn made() -> (tempfile::TempDir, DemoFolder) {
    let parent = tempfile::tempdir().unwrap();
    let today = NaiveDate::from_ymd_opt(2026, 11, 23).unwrap();
    let folder = DemoFolder::open(&parent.path().join("demo"), None, today).unwrap();
    (parent, folder)
}

fn no_variables(_: &str) -> Option<String> {
    None
}

fn tables(folder: &Path, domain: &str) -> Vec<Table> {
    let contracts =
        contract::load_folder(&folder.join(domain).join("products"), domain, "dev", &Default::default());
    assert!(contracts.problems.is_empty(), "{:?}", contracts.problems);
    let tables = contracts.products.iter().flat_map(|product| &product.tables);
    tables.map(|table| table.table.as_ref().clone()).collect()
}

#[test]
fn the_servers_read_their_configuration() {
    let (_parent, folder) = made();
    let gateway = GatewayConfig::load(&folder.mesh().join("gateway.yaml"), &no_variables).unwrap();
    let names: Vec<&str> = gateway.domains.iter().map(|domain| domain.domain.as_str()).collect();
    assert_eq!(names, ["customers", "sales", "web"]);
}

#[test]
fn contracts_and_policies_load_without_a_word() {
    let (_parent, folder) = made();
    let text = std::fs::read_to_string(folder.mesh().join("mesh.yaml")).unwrap();
    let (mesh, warnings) = Mesh::load("mesh.yaml", &text).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    for (domain, count) in DOMAINS.into_iter().zip([5, 3, 2]) {
        let tables = tables(&folder.path, domain);
        assert_eq!(tables.len(), count, "{domain}");
        let name = format!("{domain}.yaml");
        let text = std::fs::read_to_string(folder.path.join(domain).join("policies").join(&name)).unwrap();
        let (_, warnings) = DomainPolicy::load(domain, &[Document { name, text }], &mesh, &tables).unwrap();
        assert!(warnings.is_empty(), "{domain}: {warnings:?}");
    }
}

#[test]
fn every_column_is_classified_and_tagged_as_the_story_needs_it() {
    let (_parent, folder) = made();
    let mut tagged = Vec::new();
    for domain in DOMAINS {
        for table in tables(&folder.path, domain) {
            for column in &table.columns {
                assert!(column.classification.is_some(), "{}.{}", table.name, column.name);
                let name = format!("{}.{}", table.name, column.name);
                tagged.extend(column.tags.iter().map(|tag| format!("{name} {tag}")));
            }
        }
    }
    tagged.sort();
    assert_eq!(
        tagged,
        [
            "clicks.customer_id person-key",
            "clicks.ip pii",
            "feedback.customer_id person-key",
            "feedback.text pii",
            "orders.card pci",
            "orders.customer_id person-key",
            "profiles.birth_date pii",
            "profiles.customer_id person-key",
            "profiles.email contact",
            "profiles.email pii",
            "profiles.full_name pii",
            "recommendations.customer_id person-key",
        ]
    );
}

#[test]
fn all_eight_personas_are_there_from_the_start() {
    let (_parent, folder) = made();
    let personas = folder::personas(&folder.mesh()).unwrap();
    let names: Vec<&str> = personas.keys().map(String::as_str).collect();
    assert_eq!(names, ["anna", "dora", "eve", "felix", "marco", "otto", "rita", "sven"]);
}

/// A file that is in the repository and not in the list would be missed by nobody.
#[test]
fn every_example_file_is_written() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/larkfield");
    let mut folders = vec![examples.clone()];
    let mut found = Vec::new();
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(&examples).unwrap().display().to_string());
            }
        }
    }
    found.sort();
    let mut listed: Vec<&str> = FILES.iter().map(|(path, _)| *path).collect();
    listed.sort_unstable();
    assert_eq!(found, listed);
}
