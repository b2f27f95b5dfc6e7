//! What the relay saves: all of `lineitem` to a client, relayed, and decoded and encoded again.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use meshgate_tests::mesh::MeshPlan;
use meshgate_tests::tpch::plan;
use serde_json::json;

use crate::rounds::Times;
use crate::rows::rows_of;

pub(crate) async fn measure(data: &Path, rounds: usize) {
    let relaying = plan(data).start().await;
    let decoding = MeshPlan { before_gateway: Some(never_relay), ..plan(data) }.start().await;
    let mut ways = Vec::new();
    for (name, mesh) in [("relayed", &relaying), ("decoded", &decoding)] {
        ways.push((Times::new(name), mesh.client(&json!({ "sub": "bench" })).await));
    }
    println!(
        "\n## Relay: all columns of lineitem, to a client of the gateway\n\n| way | time | ratio |\n|---|---|---|"
    );
    let mut all = None;
    for _ in 0..rounds {
        for (times, client) in &mut ways {
            let rows = times.time(rows_of(client, "select * from logistics.lineitem")).await;
            assert_eq!(*all.get_or_insert(rows), rows, "{}", times.name);
        }
    }
    ways.iter().for_each(|(own, _)| println!("{}", own.line(&ways[1].0)));
    relaying.stop().await;
    decoding.stop().await;
}

fn never_relay(root: &Path) {
    let file = OpenOptions::new().append(true).open(root.join("domains/logistics.yaml"));
    file.and_then(|mut file| file.write_all(b"relay: never\n")).expect("the domain's file");
}
