//! TPC-DS at scale 0.01, 24 tables over four domains: the 99 queries give what DuckDB gives over the same files.

use std::time::Instant;

use meshgate_tests::tpcds;
use serde_json::json;

const SCALE: f64 = 0.01;

#[tokio::test(flavor = "multi_thread")]
async fn all_99_queries_equal_duckdb_over_the_same_files() {
    let data = tempfile::tempdir().unwrap();
    let queries = tpcds::write_data(data.path(), SCALE);
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

type Rows = [Vec<Option<String>>];

/// What is not the same in two results, in whatever order their rows are.
fn difference(expected: &Rows, actual: &Rows) -> Option<String> {
    if expected.len() != actual.len() {
        return Some(format!("{} rows, not {}", actual.len(), expected.len()));
    }
    let mut left: Vec<&Vec<Option<String>>> = actual.iter().collect();
    for row in expected {
        match left.iter().position(|other| is_same_row(row, other)) {
            Some(found) => drop(left.swap_remove(found)),
            None => {
                return Some(format!(
                    "{row:?} is not there; {:?} is",
                    left.iter().take(3).collect::<Vec<_>>()
                ));
            }
        }
    }
    None
}

fn is_same_row(one: &[Option<String>], other: &[Option<String>]) -> bool {
    one.len() == other.len()
        && one.iter().zip(other).all(|(one, other)| is_same(one.as_ref(), other.as_ref()))
}

/// Digits of averages and quotients differ: DuckDB's are floating, the mesh's of decimals are decimals.
const DIGITS: f64 = 1e-4;

fn is_same(one: Option<&String>, other: Option<&String>) -> bool {
    let (Some(one), Some(other)) = (one, other) else { return one == other };
    match (one.parse::<f64>(), other.parse::<f64>()) {
        (Ok(one), Ok(other)) => (one - other).abs() <= DIGITS * one.abs().max(1.0),
        _ => one == other,
    }
}
