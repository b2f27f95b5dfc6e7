//! What the demo writes is what the servers read.

use std::path::Path;

use chrono::NaiveDate;
use meshgate_domain_node::{NodeConfig, contract};
use meshgate_gateway::config::GatewayConfig;
use meshgate_policies::{Decision, Document, DomainPolicy, Mesh, Statement, Table};

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
    for domain in DOMAINS {
        let node = NodeConfig::load(&folder.path.join(domain).join("node.yaml"), &no_variables).unwrap();
        assert_eq!(node.domain, domain);
    }
}

fn mesh(folder: &DemoFolder) -> Mesh {
    let text = std::fs::read_to_string(folder.mesh().join("mesh.yaml")).unwrap();
    let (mesh, warnings) = Mesh::load("mesh.yaml", &text).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    mesh
}

fn policy(folder: &DemoFolder, mesh: &Mesh, domain: &str, tables: &[Table]) -> DomainPolicy {
    let name = format!("{domain}.yaml");
    let text = std::fs::read_to_string(folder.path.join(domain).join("policies").join(&name)).unwrap();
    let (policy, warnings) = DomainPolicy::load(domain, &[Document { name, text }], mesh, tables).unwrap();
    assert!(warnings.is_empty(), "{domain}: {warnings:?}");
    policy
}

#[test]
fn everybody_gets_the_tables_and_columns_of_the_story() {
    let (_parent, folder) = made();
    let mesh = mesh(&folder);
    let instant = "2026-11-23T12:00:00Z".parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    let statement = Statement { instant: instant.timestamp_micros(), zone: mesh.time_zone() };
    let mut visible = String::new();
    for (persona, claims) in folder::personas(&folder.mesh()).unwrap() {
        let principal = mesh.principal(crate::dev::ISSUER, &persona, &claims);
        visible.push_str(&persona);
        for domain in ["customers", "sales", "web"] {
            let tables = tables(&folder.path, domain);
            let policy = policy(&folder, &mesh, domain, &tables);
            for table in tables {
                if let Decision::Visible(decision) = policy.decide(&table.name, &principal, &statement) {
                    visible.push_str(&format!(" {}:{}", table.name, decision.columns.len()));
                }
            }
        }
        visible.push('\n');
    }
    assert_eq!(
        visible,
        "anna segments:4 order_forecast:3 orders:6 order_lines:4\n\
         dora feedback:4 profiles:7 segments:4 orders:6 clicks:5\n\
         eve orders:4\n\
         felix profiles:4 orders:6 order_lines:4 clicks:3\n\
         marco feedback:4 profiles:7 segments:4 order_forecast:3 orders:5 clicks:5 recommendations:3\n\
         otto\n\
         rita segments:4 order_forecast:3 orders:8\n\
         sven segments:4 order_forecast:3 orders:8 order_lines:4\n"
    );
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
