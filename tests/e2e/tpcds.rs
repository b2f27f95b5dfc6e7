//! TPC-DS at scale 0.01, 24 tables over four domains: the 99 queries give what DuckDB gives over the same files.
//! `MESHGATE_SCALE` is another scale.

use std::time::Instant;

use meshgate_tests::duckdb::difference;
use meshgate_tests::tpcds;
use serde_json::json;

use crate::proofs::settings::number;

const SCALE: f64 = 0.01;

#[tokio::test(flavor = "multi_thread")]
async fn all_99_queries_equal_duckdb_over_the_same_files() {
    let data = tempfile::tempdir().unwrap();
    let queries = tpcds::write_data(data.path(), number("MESHGATE_SCALE").unwrap_or(SCALE));
    assert_eq!(queries.len(), 99);
    let mesh = tpcds::plan(data.path()).start().await;
    let mut client = mesh.client(&json!({ "sub": "analyst" })).await;
    let (mut rows, mut with_rows, mut wrong) = (0, 0, Vec::new());
    for query in &queries {
        let number = query.number;
        let started = Instant::now();
        let answer = client.query(&tpcds::over_the_mesh(&query.sql)).await;
        match answer {
            Err(status) => wrong.push(format!("q{number}: {status:?}")),
            Ok(answer) => {
                rows += query.rows.len();
                with_rows += usize::from(!query.rows.is_empty());
                if let Some(difference) = difference(&query.rows, &answer.rows) {
                    wrong.push(format!("q{number}: {difference}"));
                }
            }
        }
        println!("q{number}: {} rows, {:?}", query.rows.len(), started.elapsed());
    }
    mesh.stop().await;
    println!("{rows} rows, and {with_rows} queries that have some");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(rows > 3000 && with_rows > 60, "{rows} rows of {with_rows} queries: they compare something");
}
