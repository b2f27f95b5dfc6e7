//! One row by its key, from one domain: what the mesh adds to the engine's own time, and what many clients get.

use std::path::Path;
use std::time::{Duration, Instant};

use futures::future::join_all;
use meshgate_tests::mesh::Mesh;
use meshgate_tests::tpch::{plan, single_engine};
use serde_json::json;

use crate::own_gateway::OwnGateway;
use crate::rounds::{Spread, median};
use crate::rows::rows_of;

const QUERIES: usize = 100;
const CLIENTS: usize = 64;

pub(crate) async fn measure(data: &Path, rounds: usize) {
    let mesh = plan(data).start().await;
    let mut client = mesh.client(&json!({ "sub": "bench" })).await;
    let single = single_engine(data).await;
    let (mut inside, mut through, mut added) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=rounds {
        let (mut own, mut mesh) = (Vec::new(), Vec::new());
        for number in 0..QUERIES {
            let key = key(round * QUERIES + number);
            let begin = Instant::now();
            let sql = format!("select s_name, s_acctbal from supplier where s_suppkey = {key}");
            let found = single.sql(&sql).await.expect("a plan").collect().await.expect("rows");
            own.push(begin.elapsed());
            let begin = Instant::now();
            let sql = format!("select s_name, s_acctbal from supply.supplier where s_suppkey = {key}");
            let rows = rows_of(&mut client, &sql).await;
            mesh.push(begin.elapsed());
            assert_eq!(rows, found.iter().map(arrow::array::RecordBatch::num_rows).sum::<usize>());
        }
        // The first round warms up.
        if round > 0 {
            added.push((
                percentile(&mesh, 50) - percentile(&own, 50),
                percentile(&mesh, 99) - percentile(&own, 99),
            ));
            inside.append(&mut own);
            through.append(&mut mesh);
        }
    }
    println!("\n## One row by its key\n\n| | p50 | p99 |\n|---|---|---|");
    for (name, times) in [("one engine", &inside), ("mesh", &through)] {
        println!("| {name} | {:.2} ms | {:.2} ms |", percentile(times, 50), percentile(times, 99));
    }
    let (p50, p99): (Vec<f64>, Vec<f64>) = added.into_iter().unzip();
    println!("| the mesh adds | {} ms | {} ms |", Spread::of(p50).shown(2), Spread::of(p99).shown(2));
    parts(&mesh, rounds * QUERIES).await;
    concurrent(&mesh, rounds, QUERIES).await;
    mesh.stop().await;
}

/// Where the time goes: to the promise of a result and to the result, and what the gateway computes for both.
async fn parts(mesh: &Mesh, queries: usize) {
    let sql =
        |number| format!("select s_name, s_acctbal from supply.supplier where s_suppkey = {}", key(number));
    let gateway = OwnGateway::start(mesh).await;
    let mut client = gateway.client(mesh, &sql(0)).await;
    let (mut promised, mut given, mut computed) = (Vec::new(), Vec::new(), 0.0);
    for number in 0..2 * queries {
        // The first half warms up.
        if number == queries {
            (promised, given, computed) = (Vec::new(), Vec::new(), gateway.computed());
        }
        let begin = Instant::now();
        let info = client.plan(&sql(number)).await.expect("a promise");
        promised.push(begin.elapsed());
        let begin = Instant::now();
        client.batches(&info).await.expect("a row");
        given.push(begin.elapsed());
    }
    let computed = (gateway.computed() - computed) * 1000.0 / count(queries);
    println!(
        "\nOf a query, GetFlightInfo takes {:.2} ms and DoGet {:.2} ms (p50); the gateway, in a process of its own, \
         computes {computed:.2} ms for both.",
        percentile(&promised, 50),
        percentile(&given, 50)
    );
}

/// Clients that ask one after the other, each as soon as it has its answer.
async fn concurrent(mesh: &Mesh, rounds: usize, queries: usize) {
    println!("\n## {CLIENTS} clients at once\n\n| | per second | p99 / mean |\n|---|---|---|");
    let (mut alone, mut together, mut ratios, mut tails) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        let (one, _) = clients(mesh, 1, queries, round).await;
        let (many, latencies) = clients(mesh, CLIENTS, queries / 5, round).await;
        let mean = latencies.iter().map(Duration::as_secs_f64).sum::<f64>() * 1000.0 / count(latencies.len());
        tails.push(percentile(&latencies, 99) / mean);
        ratios.push(many / one);
        alone.push(one);
        together.push(many);
    }
    println!("| one client | {} | |", Spread::of(alone).shown(0));
    println!("| {CLIENTS} clients | {} | {} |", Spread::of(together).shown(0), Spread::of(tails).shown(1));
    println!("| ratio | {} | |", Spread::of(ratios).shown(2));
}

/// Queries a second, and how long each took.
async fn clients(mesh: &Mesh, clients: usize, queries: usize, round: usize) -> (f64, Vec<Duration>) {
    let mut connected = Vec::new();
    for at in 0..clients {
        // What one caller may ask at the same time is bounded.
        connected.push(mesh.client(&json!({ "sub": format!("bench{at}") })).await);
    }
    let begin = Instant::now();
    let asked = connected.into_iter().enumerate().map(|(at, mut client)| {
        tokio::spawn(async move {
            let mut times = Vec::new();
            for number in 0..queries {
                let key = key((round * clients + at) * queries + number);
                let sql = format!("select s_name, s_acctbal from supply.supplier where s_suppkey = {key}");
                let begin = Instant::now();
                assert_eq!(rows_of(&mut client, &sql).await, 1);
                times.push(begin.elapsed());
            }
            times
        })
    });
    let times: Vec<Duration> =
        join_all(asked).await.into_iter().flat_map(|times| times.expect("answers")).collect();
    (count(times.len()) / begin.elapsed().as_secs_f64(), times)
}

/// A supplier of those of any scale above 0.01; the same ones in each run.
fn key(number: usize) -> usize {
    1 + number * 7919 % 100
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).expect("a count"))
}

/// In milliseconds.
fn percentile(times: &[Duration], percent: usize) -> f64 {
    let mut times: Vec<f64> = times.iter().map(|time| time.as_secs_f64() * 1000.0).collect();
    times.sort_by(f64::total_cmp);
    if percent == 50 { median(times) } else { times[(times.len() * percent / 100).min(times.len() - 1)] }
}
