//! TPC-H at scale 0.1, eight tables over three domains: all 22 queries give what one engine, and what DuckDB
//! gives over the same files. `MESHGATE_SCALE` is another scale.

use datafusion::prelude::SessionContext;
use meshgate_tests::duckdb::{answers_to, difference};
use meshgate_tests::render::Rendered;
use meshgate_tests::tpch;
use serde_json::json;

use crate::proofs::settings::number;

const SCALE: f64 = 0.1;

#[tokio::test(flavor = "multi_thread")]
async fn all_22_queries_equal_one_engine_over_the_same_files() {
    let data = tempfile::tempdir().unwrap();
    let scale = number("MESHGATE_SCALE").unwrap_or(SCALE);
    tpch::write_data(data.path(), scale);
    let queries: Vec<(u64, String)> =
        (1..=22).map(|number| (u64::try_from(number).unwrap(), tpch::query(number, scale))).collect();
    let answers = answers_to(&queries, data.path());
    let mesh = tpch::plan(data.path()).start().await;
    let mut client = mesh.client(&json!({ "sub": "analyst" })).await;
    let single = tpch::single_engine(data.path()).await;
    let mut rows = 0;
    for ((number, query), answer) in queries.into_iter().zip(answers) {
        let expected = run_single(&single, &query).await;
        let actual = client.rows(&tpch::over_the_mesh(&query)).await;
        assert_eq!(actual.columns, expected.columns, "q{number}");
        rows += expected.rows.len();
        assert_eq!(difference(&answer.rows, &actual.rows), None, "q{number}, DuckDB");
        assert_eq!(actual.sorted().rows, expected.sorted().rows, "q{number}");
    }
    assert!(rows > 1000, "{rows} rows: the queries compare something");
}

async fn run_single(context: &SessionContext, query: &str) -> Rendered {
    let frame = context.sql(query).await.unwrap_or_else(|error| panic!("{query}: {error}"));
    let columns = frame.schema().fields().iter().map(|field| field.name().clone()).collect();
    Rendered::of(columns, &frame.collect().await.unwrap())
}
