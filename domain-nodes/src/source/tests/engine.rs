//! Sources in a session of the engine: its optimizers, its threads, its bounds.

use datafusion::catalog::MemoryCatalogProviderList;
use datafusion::logical_expr::LogicalPlanBuilder;
use datafusion::prelude::{col, lit};
use futures::TryStreamExt as _;
use meshgate_engine::failure::external;
use meshgate_engine::{Engine, EngineLimits, QuerySettings};

use super::*;

/// Rows of `t` with an even number, the last five by number.
async fn run(fixture: &Fixture, format: &str) -> Result<Vec<String>, DataFusionError> {
    let limits = EngineLimits {
        spill_directory: fixture.dir.path().join("spill"),
        target_partitions: 3,
        batch_size: 100,
        ..EngineLimits::default()
    };
    let engine = Engine::new(limits).unwrap();
    let settings = QuerySettings { query_id: "q".into(), instant: 0, zone: "Europe/Berlin".into() };
    let state = engine.session(settings, Arc::new(MemoryCatalogProviderList::new())).unwrap();
    let columns = ["name: n, logicalType: integer", "name: part, logicalType: string, partitioned: true"];
    let table = fixture.source("t", format, &columns).open(&state).await.unwrap();
    let source = datafusion::datasource::provider_as_source(table.provider);
    let plan = LogicalPlanBuilder::scan("t", source, None)
        .and_then(|scan| scan.filter((col("n") % lit(2_i64)).eq(lit(0_i64))))
        .and_then(|scan| scan.filter(col("part").in_list(vec![lit("a"), lit("b")], false)))
        .and_then(|scan| scan.sort_with_limit([col("n").sort(false, false)], Some(5)))
        .and_then(LogicalPlanBuilder::build)?;
    let plan = state.query_planner().create_physical_plan(&state.optimize(&plan)?, &state).await?;
    let stream = engine.execute(plan, state.task_ctx(), engine.latest_deadline())?;
    Ok(rows_of(&stream.try_collect::<Vec<_>>().await?))
}

#[test]
fn a_session_of_the_engine_reads_sources() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for format in ["csv", "parquet"] {
        let fixture = Fixture::new();
        for (part, first) in [("a", 0_i64), ("b", 1000), ("c", 2000)] {
            let numbers: Vec<i64> = (first..first + 1000).collect();
            let lines: Vec<String> = numbers.iter().map(i64::to_string).collect();
            fixture.write(&format!("t/part={part}/1.csv"), format!("n\n{}\n", lines.join("\n")));
            let numbers: ArrayRef = Arc::new(arrow::array::Int64Array::from(numbers));
            fixture.write_groups(&format!("t/part={part}/1.parquet"), vec![("n", numbers)], Some(64));
        }
        let rows = runtime.block_on(run(&fixture, format)).unwrap();
        assert_eq!(rows, ["1990|b", "1992|b", "1994|b", "1996|b", "1998|b"], "{format}");
    }
}

#[test]
fn an_error_of_a_source_is_still_one_behind_the_engine() {
    let fixture = Fixture::new();
    fixture.write("t/part=a/1.csv", "n\n1\nx\n");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let error = runtime.block_on(run(&fixture, "csv")).unwrap_err();
    assert!(matches!(external::<SourceError>(&error), Some(SourceError::BadCell { row: 3, .. })), "{error}");
}
