//! What the relay costs and saves: a large result of one domain to a client, and the memory that takes.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow_flight::Ticket;
use arrow_flight::flight_service_client::FlightServiceClient;
use meshgate_tests::client::{Client, ticket};
use meshgate_tests::mesh::{Mesh, MeshPlan, Taps};
use meshgate_tests::tpch::plan;
use serde_json::json;

use crate::from_memory::{FromMemory, bare_relay, node_channel};
use crate::own_gateway::OwnGateway;
use crate::rounds::Times;
use crate::rows::{bytes_of, rows_of};

const SQL: &str = "select * from logistics.lineitem";
const GIBIBYTE: u64 = 1 << 30;
/// Of the result that is relayed while memory is looked at.
const LARGE_GIBIBYTES: u64 = 10;

pub(crate) async fn measure(data: &Path, rounds: usize) {
    throughput(data, rounds).await;
    against_decoding(data, rounds).await;
}

/// The relay beside one that looks at nothing, and beside the node itself, which answers from memory.
async fn throughput(data: &Path, rounds: usize) {
    let node = FromMemory::of(&data.join("lineitem.parquet"));
    let stand_in = Arc::clone(&node);
    let taps = Taps::StandIn(Box::new(move |_, _| Arc::<FromMemory>::clone(&stand_in)));
    let gateway_lines = "limits: { result_rows: 1000000000, result_bytes: 64GiB }\n".to_owned();
    let mesh = MeshPlan { taps, gateway_lines, ..plan(data) }.start().await;
    let mut through = mesh.client(&json!({ "sub": "bench" })).await;
    let bytes = gateway_bytes(&mut through).await;
    let request = Ticket { ticket: mesh.exchanges().pop().expect("an exchange").ticket.into() };
    // The result has to be of about a GiB, whatever the scale.
    let times = (GIBIBYTE / bytes.max(1)).max(1);
    node.times.store(usize::try_from(times).expect("a number"), Ordering::Relaxed);
    let channel = node_channel(&mesh, "logistics");
    let relay = bare_relay(mesh.directory.path(), channel.clone()).await;
    let mut bare = Client::connect(&relay.to_string(), &mesh.ca(), "").await;
    let mut direct = FlightServiceClient::new(channel).max_decoding_message_size(64 << 20);
    let (mut own, mut other, mut none) =
        (Times::new("the gateway"), Times::new("a bare relay"), Times::new("the node itself"));
    for _ in 0..rounds {
        let expected = times * bytes;
        assert_eq!(own.time(gateway_bytes(&mut through)).await, expected);
        let passed = async { bare.flight().do_get(request.clone()).await.expect("an answer").into_inner() };
        assert_eq!(other.time(async { bytes_of(passed.await).await }).await, expected);
        let read = async { direct.do_get(request.clone()).await.expect("an answer").into_inner() };
        assert_eq!(none.time(async { bytes_of(read.await).await }).await, expected);
        drop(mesh.exchanges());
    }
    let mebibytes = (times * bytes) >> 20;
    println!(
        "\n## Relay: {mebibytes} MiB from memory, with TLS\n\n| through | time | ratio |\n|---|---|---|"
    );
    for base in [&other, &none] {
        println!("{}", own.line(base));
    }
    println!("{}", other.line(&none));
    println!("{}", none.line(&none));
    memory(&mesh, &node, bytes).await;
    mesh.stop().await;
}

/// What a gateway in a process of its own takes while it relays.
async fn memory(mesh: &Mesh, node: &FromMemory, bytes: u64) {
    let gateway = OwnGateway::start(mesh).await;
    let mut client = gateway.client(mesh, SQL).await;
    node.times.store(1, Ordering::Relaxed);
    assert_eq!(gateway_bytes(&mut client).await, bytes);
    let before = gateway.resident("VmRSS:");
    let times = LARGE_GIBIBYTES * GIBIBYTE / bytes;
    node.times.store(usize::try_from(times).expect("a number"), Ordering::Relaxed);
    assert_eq!(gateway_bytes(&mut client).await, times * bytes);
    let most = gateway.resident("VmHWM:");
    println!(
        "\nA gateway of its own that relays {} MiB: {} MiB resident after a first result of {} MiB, at most {} MiB \
         over its whole life.",
        (times * bytes) >> 20,
        before >> 20,
        bytes >> 20,
        most >> 20
    );
}

/// Bytes of the bodies of a result's messages.
async fn gateway_bytes(client: &mut Client) -> u64 {
    let info = client.plan(SQL).await.expect("a plan");
    bytes_of(client.flight().do_get(ticket(&info)).await.expect("an answer").into_inner()).await
}

/// Relayed, and decoded and encoded again.
async fn against_decoding(data: &Path, rounds: usize) {
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
            let rows = times.time(rows_of(client, SQL)).await;
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
