use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, Date32Type, Int64Type};
use datafusion::catalog::MemoryCatalogProviderList;
use datafusion::common::error::Result;
use datafusion::physical_plan::collect;
use datafusion::sql::parser::DFParser;

use super::*;
use crate::Engine;
use crate::statement::{Asked, parse};

/// 2026-11-23T23:30:00Z: in Berlin it is the 24th.
const INSTANT: i64 = 1_795_476_600_000_000;

fn session(instant: i64, zone: &str) -> Result<SessionState> {
    let engine = Engine::new(EngineLimits { threads: 1, ..EngineLimits::default() }).unwrap();
    let settings = QuerySettings { query_id: "0190-query".into(), instant, zone: zone.into() };
    engine.session(settings, Arc::new(MemoryCatalogProviderList::new()))
}

#[expect(clippy::disallowed_methods, reason = "tests of the engine plan their own text")]
async fn run(state: &SessionState, sql: &str) -> Result<RecordBatch> {
    let statement = DFParser::parse_sql(sql)?.pop_front().unwrap();
    let logical = state.statement_to_plan(statement).await?;
    let plan = state.create_physical_plan(&logical).await?;
    Ok(collect(plan, state.task_ctx()).await?.remove(0))
}

#[tokio::test]
async fn the_time_is_that_of_the_statement() {
    let state = session(INSTANT, "Europe/Berlin").unwrap();
    assert_eq!(state.session_id(), "0190-query");
    for sql in ["SELECT now()", "SELECT current_timestamp"] {
        let batch = run(&state, sql).await.unwrap();
        assert!(batch.column(0).data_type().to_string().contains("Europe/Berlin"), "{sql}");
        let instant = arrow::compute::cast(batch.column(0), &DataType::Int64).unwrap();
        assert_eq!(instant.as_primitive::<Int64Type>().value(0), INSTANT * 1_000);
    }
    for (zone, day) in [("Europe/Berlin", 20_781), ("UTC", 20_780)] {
        let batch = run(&session(INSTANT, zone).unwrap(), "SELECT current_date").await.unwrap();
        assert_eq!(batch.column(0).as_primitive::<Date32Type>().value(0), day, "{zone}");
    }
    assert!(session(i64::MAX, "UTC").is_err());
}

#[tokio::test]
async fn text_is_plain_everywhere() {
    let state = session(INSTANT, "UTC").unwrap();
    for sql in [
        "SELECT 'a'",
        "SELECT CAST(1 AS VARCHAR)",
        "SELECT upper('a') || 'b'",
        "SELECT substr('abc', 2)",
        "SELECT max(x) FROM (VALUES ('a'), ('b')) AS t(x)",
    ] {
        let batch = run(&state, sql).await.unwrap();
        assert_eq!(batch.column(0).data_type(), &DataType::Utf8, "{sql}");
    }
}

#[tokio::test]
async fn syntax_that_becomes_functions_works() {
    let state = session(INSTANT, "UTC").unwrap();
    for sql in [
        "SELECT extract(year FROM DATE '2026-01-02')",
        "SELECT substring('abc' FROM 2 FOR 1)",
        "SELECT position('b' IN 'abc')",
        "SELECT overlay('abc' PLACING 'X' FROM 2)",
        "SELECT trim(BOTH ' ' FROM ' a ')",
        "SELECT [1, 2, 3][2]",
        "SELECT {'a': 1}['a']",
        "SELECT count(*), sum(x) FILTER (WHERE x > 1), first_value(x ORDER BY x) FROM (VALUES (1), (2)) t(x)",
        "SELECT row_number() OVER (ORDER BY x), lag(x) OVER (ORDER BY x) FROM (VALUES (1), (2)) t(x)",
        "SELECT CASE WHEN 1 = 1 THEN coalesce(NULL, 2) END, nullif(1, 1)",
        "SELECT DISTINCT x FROM (SELECT coalesce(y, true) AS x FROM (VALUES (true), (NULL)) t(y) UNION ALL SELECT true)",
        "SELECT coalesce(y, true) AS x FROM (VALUES (true), (NULL)) t(y) UNION SELECT true",
        "WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT sum(n) FROM t",
    ] {
        if let Err(error) = run(&state, sql).await {
            panic!("{sql}: {error}");
        }
    }
}

#[tokio::test]
async fn a074_refused_functions_do_not_exist() {
    let state = session(INSTANT, "UTC").unwrap();
    for sql in [
        "SELECT repeat('x', 2000000000)",
        "SELECT lpad('x', 2000000000)",
        "SELECT rpad('x', 2000000000)",
        "SELECT array_repeat(1, 2000000000)",
        "SELECT range(1, 2000000000)",
        "SELECT generate_series(1, 2000000000)",
        "SELECT * FROM generate_series(1, 1000000000000)",
        "SELECT * FROM range(1, 1000000000000)",
        "SELECT random()",
        "SELECT uuid()",
        "SELECT version()",
        "SELECT input_file_name()",
        "SELECT cast_to_type('a', 1)",
        "SELECT arrow_metadata(1)",
        "SELECT levenshtein('a', 'b')",
        "SELECT array_transform([1], x -> x)",
        "SELECT @variable",
    ] {
        assert!(run(&state, sql).await.is_err(), "{sql}");
    }
}

#[tokio::test]
async fn a071_a073_nothing_outside_of_the_catalogs_can_be_named() {
    let state = session(INSTANT, "UTC").unwrap();
    for sql in [
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM '/etc/passwd.csv'",
        "SELECT * FROM 'https://example.org/a.parquet'",
        "SELECT * FROM information_schema.tables",
        "SELECT * FROM information_schema.df_settings",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM orders",
        "SHOW TABLES",
        "SHOW ALL",
    ] {
        assert!(run(&state, sql).await.is_err(), "{sql}");
    }
    assert!(state.table_functions().is_empty());
    assert!(state.table_factories().is_empty());
    assert!(state.higher_order_functions().is_empty());
    assert!(state.function_factory().is_none());
    assert!(state.catalog_list().catalog_names().is_empty());
    for format in ["csv", "parquet", "json", "arrow"] {
        assert!(state.get_file_format_factory(format).is_none(), "{format}");
    }
}

#[test]
fn settings_are_those_that_the_design_relies_on() {
    let state = session(INSTANT, "Europe/Berlin").unwrap();
    let options = state.config_options();
    assert!(!options.catalog.information_schema);
    assert!(!options.catalog.create_default_catalog_and_schema);
    assert!(!options.execution.collect_statistics);
    assert_eq!(options.execution.hash_join_buffering_capacity, 0);
    assert!(!options.execution.parquet.schema_force_view_types);
    assert!(!options.sql_parser.map_string_types_to_utf8view);
    assert!(options.sql_parser.enable_ident_normalization);
    assert_eq!(options.execution.time_zone.as_deref(), Some("Europe/Berlin"));
    assert_eq!(state.physical_optimizers().last().unwrap().name(), "cooperation");
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "tests of the engine plan their own text")]
async fn r18_to_r21_what_the_bounds_on_statements_let_through_never_ends_the_process() {
    let engine = Engine::new(EngineLimits { threads: 2, ..EngineLimits::default() }).unwrap();
    let chain = |unit: &str, count: usize| unit.repeat(count);
    for sql in [
        format!("SELECT {}x FROM (VALUES (1)) t(x)", chain("x + ", 1_000)),
        format!("SELECT {}'b' FROM (VALUES ('a')) t(x)", chain("x || ", 1_000)),
        format!("SELECT x FROM (VALUES (1)) t(x) WHERE {}x = -1", chain("x = 1 OR ", 499)),
        format!("SELECT {}x{} FROM (VALUES (1)) t(x)", chain("abs(", 48), chain(")", 48)),
        format!("SELECT CASE {} END FROM (VALUES (1)) t(x)", chain("WHEN x = 5 THEN 1 ", 500)),
        format!("SELECT x FROM (VALUES (1)) t(x) WHERE x IN ({}1)", chain("1,", 4_999)),
        format!("SELECT 1{}", chain(" UNION ALL SELECT 1", 128)),
        format!("SELECT count(*) FROM (VALUES (1)) t(x){}", chain(" JOIN (VALUES (1)) t(x) USING (x)", 8)),
        format!("SELECT {}1", chain("1,", 1_999)),
        format!("SELECT {}1{}", chain("(SELECT ", 24), chain(")", 24)),
    ] {
        let Ok(Asked::Query(statement)) = parse(&sql, &Default::default()) else { panic!("a query") };
        let settings = QuerySettings { query_id: "q".into(), instant: INSTANT, zone: "UTC".into() };
        let state = engine.session(settings, Arc::new(MemoryCatalogProviderList::new())).unwrap();
        let work = async move {
            let logical = state.statement_to_plan(statement).await?;
            if crate::plan_check::check(&logical).is_err() {
                return Ok(0);
            }
            let plan = state.create_physical_plan(&logical).await?;
            Ok(collect(plan, state.task_ctx()).await?.len())
        };
        // A result, an error or a deadline: an overflowing stack would end this test run.
        let _ = engine.run(work, std::time::Instant::now() + std::time::Duration::from_secs(5)).await;
    }
}
