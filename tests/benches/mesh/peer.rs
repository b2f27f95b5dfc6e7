//! The same work on another Flight SQL server, ROAPI: the same Parquet files, the same ADBC client, turn by turn.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use meshgate_tests::eventually;
use meshgate_tests::mesh::closed_port;
use meshgate_tests::process::Running;
use meshgate_tests::python::environment;
use meshgate_tests::tpch::{over_the_mesh, plan, query};
use serde_json::{Value, json};

use crate::rounds::Spread;

const PACKAGES: &[&str] = &["adbc-driver-flightsql==1.13.0", "pyarrow==26.0.1", "roapi==0.12.7"];
const TABLES: [&str; 8] =
    ["customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier"];

pub(crate) async fn measure(data: &Path, scale: f64, rounds: usize) {
    let python = environment(PACKAGES);
    let peer = closed_port();
    let mut command = Command::new(python.with_file_name("roapi"));
    command.args(["--addr-http", &closed_port().to_string(), "--addr-postgres", &closed_port().to_string()]);
    command.args(["--addr-flight-sql", &peer.to_string()]);
    for table in TABLES {
        command.args(["-t", &format!("{table}={}", data.join(format!("{table}.parquet")).display())]);
    }
    let _peer = Running::spawn(command.stdout(Stdio::null()).stderr(Stdio::null()));
    eventually("ROAPI listens", Duration::from_secs(60), || std::net::TcpStream::connect(peer).ok());
    let mut plan = plan(data);
    // Its clients are one principal here.
    plan.gateway_lines = "limits: { per_principal: 64 }\n".to_owned();
    let mesh = plan.start().await;
    let queries: Vec<Value> = (1..=22)
        .map(|number| {
            let text = query(number, scale);
            json!({ "number": number, "mesh": over_the_mesh(&text), "peer": text })
        })
        .collect();
    let task = json!({
        "rounds": rounds,
        "peer": format!("grpc://{peer}"),
        "mesh": format!("grpc+tls://localhost:{}", mesh.gateway.port()),
        "ca": mesh.ca(),
        "token": mesh.forge.token(&json!({ "sub": "bench" })),
        "queries": queries,
    });
    let file = mesh.path("task.json");
    std::fs::write(&file, task.to_string()).expect("a file");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/peer_bench.py");
    let run = move || Command::new(python).arg(script).arg(file).stderr(Stdio::inherit()).output();
    let output = tokio::task::spawn_blocking(run).await.expect("a task").expect("python runs");
    assert!(output.status.success(), "the clients failed");
    let measured: Value = serde_json::from_slice(&output.stdout).expect("figures");
    println!(
        "\n## The same work on ROAPI 0.12.7, ADBC in Python\n\n| | ROAPI | mesh | ratio |\n|---|---|---|---|"
    );
    for (name, unit, digits) in [("tpch", "s", 2), ("lineitem", "rows/s", 0), ("points", "queries/s", 0)] {
        let of = |who: &str| -> Vec<f64> {
            let rounds = measured[name][who].as_array().expect("rounds");
            rounds.iter().map(|figure| figure.as_f64().expect("a figure")).collect()
        };
        let (peer, mesh) = (of("peer"), of("mesh"));
        // How many times as fast, whether figures are times or rates.
        let faster = |(peer, mesh): (&f64, &f64)| if unit == "s" { peer / mesh } else { mesh / peer };
        let ratio = Spread::of(peer.iter().zip(&mesh).map(faster).collect()).shown(2);
        println!(
            "| {name} | {} {unit} | {} {unit} | {ratio} times as fast |",
            Spread::of(peer).shown(digits),
            Spread::of(mesh).shown(digits)
        );
    }
    for failed in measured["failed"].as_array().expect("failures") {
        println!("\nIn no sum: {}", failed.as_str().expect("a text"));
    }
    mesh.stop().await;
}
