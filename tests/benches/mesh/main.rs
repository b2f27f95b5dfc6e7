//! What Meshgate costs, beside what it is compared with, in the same run:
//!
//! ```text
//! cargo bench --bench mesh                       # everything
//! cargo bench --bench mesh -- policies points    # some of it
//! ```
//!
//! Sections: `policies`, `tpch`, `points`, `relay`, `direct`, `peer`. `MESHGATE_SCALE` is TPC-H's scale (1), `MESHGATE_ROUNDS` how often
//! each is measured (7). Gateway, nodes and client share this process and machine. The results stand in
//! docs/benchmarks.md.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a benchmark stops at the first thing that is not as it must be"
)]

mod direct;
mod engine;
mod from_memory;
mod own_gateway;
mod peer;
mod points;
mod policies;
mod relay;
mod rounds;
mod rows;
mod tpch;

use meshgate_tests::tpch::write_data;

fn main() {
    let chosen: Vec<String> = std::env::args().skip(1).filter(|name| !name.starts_with('-')).collect();
    let is_chosen = |name: &str| chosen.is_empty() || chosen.iter().any(|own| own == name);
    let scale: f64 = setting("MESHGATE_SCALE", 1.0);
    let rounds: usize = setting("MESHGATE_ROUNDS", 7);
    assert!(rounds >= 5, "no ratio without its spread: at least five rounds");
    let data = tempfile::tempdir().expect("a folder");
    write_data(data.path(), scale);
    println!("TPC-H scale {scale}, {rounds} rounds; times are medians, in brackets the least and the most");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        if is_chosen("policies") {
            policies::measure(data.path(), rounds).await;
        }
        if is_chosen("points") {
            points::measure(data.path(), rounds).await;
        }
        if is_chosen("relay") {
            relay::measure(data.path(), rounds).await;
        }
        if is_chosen("direct") {
            direct::measure(data.path(), rounds).await;
        }
        if is_chosen("peer") {
            peer::measure(data.path(), scale, rounds).await;
        }
        if is_chosen("tpch") {
            tpch::measure(data.path(), scale, rounds).await;
        }
    });
}

fn setting<T: std::str::FromStr>(name: &str, default: T) -> T {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")),
        Err(_) => default,
    }
}
