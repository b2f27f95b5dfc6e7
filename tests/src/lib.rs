//! The harness of the end-to-end tests: meshes in this process and as real
//! processes, tokens, clients in Rust, Python and Java, results as text.
//!
//! Failing to set something up is a failing test, so the harness panics with
//! a sentence instead of returning errors.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_debug_implementations,
    reason = "a harness stops at the first thing that is not as it must be"
)]

pub mod client;
pub mod demo;
pub mod direct_reads;
pub mod documents;
pub mod duckdb;
pub mod fixture;
pub mod issuer;
pub mod java;
pub mod logs;
pub mod mesh;
pub mod object_store;
pub mod page;
pub mod process;
pub mod python;
pub mod render;
pub mod repository;
pub mod tap;
pub mod token;
pub mod tpcds;
pub mod tpch;

use std::time::{Duration, Instant};

/// Waits until `condition` gives a value; panics with `what` after `limit`.
pub fn eventually<T>(what: &str, limit: Duration, mut condition: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(started.elapsed() < limit, "{what}: not within {limit:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// As [`eventually`], for conditions that wait themselves.
pub async fn eventually_async<T>(
    what: &str,
    limit: Duration,
    mut condition: impl AsyncFnMut() -> Option<T>,
) -> T {
    let started = Instant::now();
    loop {
        if let Some(value) = condition().await {
            return value;
        }
        assert!(started.elapsed() < limit, "{what}: not within {limit:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
