//! The 22 queries of TPC-H over three domains, beside one engine over the same files.

use std::path::Path;

use meshgate_tests::tpch::{over_the_mesh, plan, query, single_engine};
use serde_json::json;

use crate::rounds::{Spread, Times};
use crate::rows::{count, rows_of};

pub(crate) async fn measure(data: &Path, scale: f64, rounds: usize) {
    let mesh = plan(data).start().await;
    let mut client = mesh.client(&json!({ "sub": "bench" })).await;
    let single = single_engine(data).await;
    println!(
        "\n## TPC-H over three domains, with TLS\n\n| query | one engine | mesh | ratio |\n|---|---|---|---|"
    );
    let mut sums = vec![(0.0, 0.0); rounds];
    for number in 1..=22 {
        let text = query(number, scale);
        let over_the_mesh = over_the_mesh(&text);
        // Not in the sums either.
        if let Err(error) = count(&mut client, &over_the_mesh).await {
            println!("| {number} | | | {error} |");
            continue;
        }
        let (mut one, mut many) = (Times::new("one engine"), Times::new("mesh"));
        for sum in &mut sums {
            let expected = one.time(async {
                let frame = single.sql(&text).await.unwrap_or_else(|error| panic!("q{number}: {error}"));
                let batches = frame.collect().await.unwrap_or_else(|error| panic!("q{number}: {error}"));
                batches.iter().map(arrow::array::RecordBatch::num_rows).sum::<usize>()
            });
            let expected = expected.await;
            assert_eq!(many.time(rows_of(&mut client, &over_the_mesh)).await, expected, "q{number}");
            let last = |times: &Times| times.rounds.last().expect("a round").as_secs_f64();
            *sum = (sum.0 + last(&one), sum.1 + last(&many));
        }
        let ratio = many.ratio(&one).shown(2);
        println!("| {number} | {:.3} s | {:.3} s | {ratio} |", one.median(), many.median());
    }
    let (one, many) = sums.iter().copied().unzip();
    let ratio = Spread::of(sums.iter().map(|(one, many)| many / one).collect()).shown(2);
    println!("| sum | {} s | {} s | {ratio} |", Spread::of(one).shown(2), Spread::of(many).shown(2));
    mesh.stop().await;
}
