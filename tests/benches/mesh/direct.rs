//! What a direct read costs: a large result of one domain that the client reads from the node, beside the same result
//! as the gateway would read it. Both come out of Parquet files and go through the same barrier.

use std::path::Path;

use arrow_flight::Ticket;
use arrow_flight::flight_service_client::FlightServiceClient;
use meshgate_engine::direct;
use meshgate_tests::client::{Client, ticket};
use meshgate_tests::direct_reads::keys;
use meshgate_tests::mesh::closed_port;
use meshgate_tests::tpch::plan;
use prost::Message;
use serde_json::json;

use crate::from_memory::node_channel;
use crate::rounds::Times;
use crate::rows::bytes_of;

const DOMAIN: &str = "logistics";
const SQL: &str = "select * from logistics.lineitem";

pub(crate) async fn measure(data: &Path, rounds: usize) {
    let address = closed_port();
    let mut plan = plan(data).directly_read(DOMAIN, address, address);
    plan.gateway_lines.push_str("limits: { result_rows: 1000000000, result_bytes: 64GiB }\n");
    let mesh = plan.start().await;
    let token = mesh.token_for_node(DOMAIN, &json!({ "sub": "bench" }));
    let mut gateway = mesh.client_with(&token).await;
    let mut client = Client::connect(&address.to_string(), &mesh.ca(), &token).await;
    let mut node = FlightServiceClient::new(node_channel(&mesh, DOMAIN)).max_decoding_message_size(64 << 20);
    let (mut direct, mut relayed, mut own) =
        (Times::new("the client, from the node"), Times::new("the gateway"), Times::new("the node itself"));
    // The first round warms up.
    for round in 0..=rounds {
        let sealed = ticket(&gateway.plan(SQL).await.expect("a plan"));
        let read = async { client.flight().do_get(sealed).await.expect("an answer").into_inner() };
        let bytes = direct.time(async { bytes_of(read.await).await }).await;
        let sealed = ticket(&gateway.plan(SQL).await.expect("a plan"));
        let fallback =
            Ticket { ticket: direct::statement(&sealed.ticket).expect("the gateway's part").into() };
        let passed = async { gateway.flight().do_get(fallback).await.expect("an answer").into_inner() };
        assert_eq!(relayed.time(async { bytes_of(passed.await).await }).await, bytes);
        let sealed = ticket(&gateway.plan(SQL).await.expect("a plan"));
        let read = direct::read(&keys(), &format!("{DOMAIN}-1"), &sealed.ticket).expect("the node's part");
        let request = Ticket { ticket: read.request.expect("a request").encode_to_vec().into() };
        let read = async { node.do_get(request).await.expect("an answer").into_inner() };
        assert_eq!(own.time(async { bytes_of(read.await).await }).await, bytes);
        if round == 0 {
            println!(
                "\n## Direct reads: {} MiB out of files\n\n| reads | time | ratio |\n|---|---|---|",
                bytes >> 20
            );
            for times in [&mut direct, &mut relayed, &mut own] {
                times.rounds.clear();
            }
        }
    }
    for times in [&direct, &relayed, &own] {
        println!("{}", times.line(&own));
    }
    mesh.stop().await;
}
