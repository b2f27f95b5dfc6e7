//! What policy costs: the whole of `lineitem`, every column of it, as different rules show it.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use meshgate_tests::mesh::MeshPlan;
use meshgate_tests::tpch::contract;
use parquet::arrow::ArrowWriter;
use serde_json::json;

use crate::engine::Domain;
use crate::rounds::Times;
use crate::rows::rows_of;

const KEYS: i64 = 100_000;
const MESH: &str = "mesh: bench\ntimezone: UTC\nroles: { path: $.roles }\nclassifications: [internal]\n";
/// Every rule keeps every row. The lookup holds all suppliers among its keys.
const POLICY: &str = r#"
domain: logistics
owner: logistics@larkfield.example
lookups:
  suppliers: { of: keys, key: key }
grants:
  - { id: all, why: A benchmark., to: { roles: [all] }, tables: [lineitem], columns: all }
  - { id: rows, why: A benchmark., to: { roles: [rows] }, tables: [lineitem], columns: all, rows: "l_quantity > 0" }
  - { id: mask, why: A benchmark., to: { roles: [mask] }, tables: [lineitem], columns: all, masks: { l_comment: last(4) } }
  - { id: lookup, why: A benchmark., to: { roles: [lookup] }, tables: [lineitem], columns: all, rows: "in_lookup('suppliers', l_suppkey)" }
"#;
const KEYS_CONTRACT: &str = "  - name: keys\n    properties:\n      - { name: key, logicalType: integer, \
                             physicalType: bigint, required: true, classification: internal }\n";

pub(crate) async fn measure(data: &Path, rounds: usize) {
    write_keys(&data.join("keys.parquet"));
    let contract = contract("logistics", &["lineitem"], data) + KEYS_CONTRACT;
    let mut plan = MeshPlan::new(MESH, &["logistics"])
        .file("logistics/products/logistics.odcs.yaml", contract)
        .file("logistics/policies/logistics.yaml", POLICY);
    plan.node_lines = format!("data_roots: [\"{}\"]\n", data.display());
    let mesh = plan.start().await;
    let domain = Domain::read(mesh.directory.path(), "logistics", data);

    println!(
        "\n## Policy: all columns of lineitem, in the node's engine\n\n| scan | time | ratio |\n|---|---|---|"
    );
    let scans = [
        ("no policy", None),
        ("a grant for everything", Some("all")),
        ("a condition on rows", Some("rows")),
        ("a masked text", Some("mask")),
    ];
    let mut times: Vec<Times> = scans.iter().map(|(name, _)| Times::new(name)).collect();
    let all = domain.read_all("lineitem", None).await;
    for _ in 0..rounds {
        for ((name, role), times) in scans.iter().zip(&mut times) {
            let rows = times.time(domain.read_all("lineitem", *role)).await;
            assert_eq!(rows, all, "{name}");
        }
    }
    times.iter().for_each(|own| println!("{}", own.line(&times[0])));

    println!(
        "\n## Policy: all columns of lineitem, to a client of the gateway\n\n| rule | time | ratio |\n|---|---|---|"
    );
    let rules = [
        ("a grant for everything", "all"),
        ("a condition on rows", "rows"),
        ("a masked text", "mask"),
        ("a lookup of 100,000 keys", "lookup"),
    ];
    let mut times: Vec<Times> = rules.iter().map(|(name, _)| Times::new(name)).collect();
    let mut clients = Vec::new();
    for (_, role) in rules {
        clients.push(mesh.client(&json!({ "sub": "bench", "roles": [role] })).await);
    }
    for _ in 0..rounds {
        for ((client, times), (name, _)) in clients.iter_mut().zip(&mut times).zip(rules) {
            let rows = times.time(rows_of(client, "select * from logistics.lineitem")).await;
            assert_eq!(rows, all, "{name}");
        }
    }
    times.iter().for_each(|own| println!("{}", own.line(&times[0])));
    mesh.stop().await;
}

fn write_keys(path: &Path) {
    let schema = Arc::new(Schema::new(vec![Field::new("key", DataType::Int64, false)]));
    let keys =
        RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(Int64Array::from_iter_values(1..=KEYS))]);
    let mut writer =
        ArrowWriter::try_new(File::create(path).expect("a file"), schema, None).expect("a writer");
    writer.write(&keys.expect("a batch")).expect("rows");
    writer.close().expect("a file");
}
