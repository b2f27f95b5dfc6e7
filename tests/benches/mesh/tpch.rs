//! The 22 queries of TPC-H over three domains, beside one engine over the same files: as long as no domain is told keys of
//! another one, and where their owners disclose them.

use std::path::Path;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use meshgate_tests::client::Client;
use meshgate_tests::mesh::{Mesh, MeshPlan};
use meshgate_tests::tpch::{disclosing, over_the_mesh, plan, query, single_engine};
use serde_json::json;

use crate::rounds::{Spread, Times};
use crate::rows::{count, rows_of};

/// A mesh, a caller of it, and what its queries took.
struct Side {
    mesh: Mesh,
    client: Client,
    sums: Vec<f64>,
}

impl Side {
    async fn start(mut plan: MeshPlan, rounds: usize) -> Self {
        plan.gateway_lines = "analyze_roles: [bench]\n".to_owned();
        let mesh = plan.start().await;
        let client = mesh.client(&json!({ "sub": "bench", "roles": ["bench"] })).await;
        Self { mesh, client, sums: vec![0.0; rounds] }
    }

    /// Rows that left all domains, as `EXPLAIN ANALYZE` counts them.
    async fn shipped(&mut self, sql: &str) -> i64 {
        let info = self.client.plan(&format!("explain analyze {sql}")).await.expect("a plan");
        let batches = self.client.batches(&info).await.expect("steps");
        let of_domains = |batch: &arrow::array::RecordBatch| {
            let (places, rows) =
                (batch.column(1).as_string::<i32>(), batch.column(3).as_primitive::<Int64Type>());
            let of_domains = places.iter().zip(rows).filter(|(place, _)| *place != Some("gateway"));
            of_domains.filter_map(|(_, rows)| rows).sum::<i64>()
        };
        batches.iter().map(of_domains).sum()
    }
}

pub(crate) async fn measure(data: &Path, scale: f64, rounds: usize) {
    let mut sides = [Side::start(plan(data), rounds).await, Side::start(disclosing(data), rounds).await];
    let single = single_engine(data).await;
    println!(
        "\n## TPC-H over three domains, with TLS\n\n| query | one engine | nothing disclosed | ratio | rows shipped | \
         keys disclosed | ratio | rows shipped |\n|---|---|---|---|---|---|---|---|"
    );
    let mut sums = vec![0.0; rounds];
    for number in 1..=22 {
        let text = query(number, scale);
        let over_the_mesh = over_the_mesh(&text);
        let mut failed = false;
        for side in &mut sides {
            // Not in the sums either.
            if let Err(error) = count(&mut side.client, &over_the_mesh).await {
                println!("| {number} | | {error} |");
                failed = true;
            }
        }
        if failed {
            continue;
        }
        let mut one = Times::new("one engine");
        let mut many = [Times::new("nothing disclosed"), Times::new("keys disclosed")];
        let last = |times: &Times| times.rounds.last().expect("a round").as_secs_f64();
        for (round, sum) in sums.iter_mut().enumerate() {
            let expected = one.time(async {
                let frame = single.sql(&text).await.unwrap_or_else(|error| panic!("q{number}: {error}"));
                let batches = frame.collect().await.unwrap_or_else(|error| panic!("q{number}: {error}"));
                batches.iter().map(arrow::array::RecordBatch::num_rows).sum::<usize>()
            });
            let expected = expected.await;
            *sum += last(&one);
            for (side, times) in sides.iter_mut().zip(&mut many) {
                assert_eq!(
                    times.time(rows_of(&mut side.client, &over_the_mesh)).await,
                    expected,
                    "q{number}"
                );
                side.sums[round] += last(times);
            }
        }
        let mut line = format!("| {number} | {:.3} s |", one.median());
        for (side, times) in sides.iter_mut().zip(&many) {
            let shipped = side.shipped(&over_the_mesh).await;
            line += &format!(" {:.3} s | {} | {shipped} |", times.median(), times.ratio(&one).shown(2));
        }
        println!("{line}");
    }
    let mut line = format!("| sum | {} s |", Spread::of(sums.clone()).shown(2));
    for side in &sides {
        let ratios = side.sums.iter().zip(&sums).map(|(many, one)| many / one).collect();
        line +=
            &format!(" {} s | {} | |", Spread::of(side.sums.clone()).shown(2), Spread::of(ratios).shown(2));
    }
    println!("{line}");
    for side in sides {
        side.mesh.stop().await;
    }
}
