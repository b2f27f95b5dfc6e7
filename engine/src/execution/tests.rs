//! Plans that never end, that need too much memory, that panic or that nobody reads.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arrow::array::{Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemTable, MemoryCatalogProvider, MemoryCatalogProviderList,
    MemorySchemaProvider, SchemaProvider,
};
use datafusion::common::error::Result;
use datafusion::execution::{SendableRecordBatchStream, SessionState, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion::physical_plan::{ExecutionPlan, displayable};
use datafusion::sql::parser::DFParser;
use futures::StreamExt;

use crate::failure::{EngineFailure, Limit, classify};
use crate::{Engine, EngineLimits, QuerySettings, QueryStream};

fn limits() -> EngineLimits {
    EngineLimits {
        memory: 256 << 20,
        query_memory: 64 << 20,
        threads: 2,
        target_partitions: 2,
        ..EngineLimits::default()
    }
}

fn numbers(count: i64) -> Arc<MemTable> {
    let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]));
    let batches = (0..count)
        .step_by(8192)
        .map(|from| {
            let values = Int64Array::from_iter_values(from..(from + 8192).min(count));
            RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(values)]).unwrap()
        })
        .collect();
    Arc::new(MemTable::try_new(schema, vec![batches]).unwrap())
}

fn catalogs(rows: i64) -> Arc<dyn CatalogProviderList> {
    let domain = MemorySchemaProvider::new();
    domain.register_table("numbers".into(), numbers(rows)).unwrap();
    let mesh = MemoryCatalogProvider::new();
    mesh.register_schema("sales", Arc::new(domain)).unwrap();
    let list = MemoryCatalogProviderList::new();
    list.register_catalog("mesh".into(), Arc::new(mesh));
    Arc::new(list)
}

fn session(engine: &Engine, rows: i64) -> SessionState {
    let settings = QuerySettings {
        query_id: "0190".into(),
        instant: 1_795_437_000_123_456,
        zone: "Europe/Berlin".into(),
    };
    engine.session(settings, catalogs(rows)).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "tests of the engine plan their own text")]
async fn plan(state: &SessionState, sql: &str) -> Result<Arc<dyn ExecutionPlan>> {
    let statement = DFParser::parse_sql(sql)?.pop_front().unwrap();
    let logical = state.statement_to_plan(statement).await?;
    state.create_physical_plan(&logical).await
}

async fn start(engine: &Engine, rows: i64, sql: &str, time: Duration) -> QueryStream {
    let state = session(engine, rows);
    let plan = plan(&state, sql).await.unwrap();
    engine.execute(plan, state.task_ctx(), Instant::now() + time).unwrap()
}

async fn outcome(mut stream: QueryStream) -> std::result::Result<usize, EngineFailure> {
    let mut rows = 0;
    while let Some(batch) = stream.next().await {
        rows += batch.map_err(|error| classify(&error))?.num_rows();
    }
    assert!(stream.next().await.is_none());
    Ok(rows)
}

/// Waits until nothing of the engine's work is left.
async fn idle(engine: &Engine, within: Duration) {
    let until = Instant::now() + within;
    while engine.tasks_alive() > 0 {
        assert!(Instant::now() < until, "{} tasks go on", engine.tasks_alive());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn results_are_complete() {
    let engine = Engine::new(limits()).unwrap();
    for sql in [
        "SELECT n FROM sales.numbers",
        "SELECT a.n FROM sales.numbers a JOIN sales.numbers b ON a.n = b.n",
        "SELECT a.n FROM sales.numbers a LEFT JOIN sales.numbers b ON a.n = b.n ORDER BY a.n",
        "SELECT n FROM sales.numbers WHERE n IN (SELECT n FROM sales.numbers)",
    ] {
        let stream = start(&engine, 20_000, sql, MINUTE).await;
        assert_eq!(outcome(stream).await, Ok(20_000), "{sql}");
    }
    let sql = "SELECT a.n FROM sales.numbers a JOIN sales.numbers b ON a.n < b.n";
    assert_eq!(outcome(start(&engine, 1_000, sql, MINUTE).await).await, Ok(499_500));
    let sql = "SELECT a.n FROM sales.numbers a, sales.numbers b";
    assert_eq!(outcome(start(&engine, 300, sql, MINUTE).await).await, Ok(90_000));
    let sql = "SELECT n FROM sales.numbers WHERE n < 0";
    assert_eq!(outcome(start(&engine, 300, sql, MINUTE).await).await, Ok(0));
    idle(&engine, Duration::from_secs(5)).await;
}

#[tokio::test]
async fn r12_r15_r16_endless_work_ends_at_its_deadline() {
    let engine = Engine::new(limits()).unwrap();
    for sql in [
        "SELECT sum(a.n % 7 + b.n) FROM sales.numbers a, sales.numbers b",
        "SELECT count(*) FROM sales.numbers a JOIN sales.numbers b ON a.n + b.n < -1",
        "SELECT count(*) FROM sales.numbers a JOIN sales.numbers b ON a.n % 1 = b.n % 1 AND a.n + b.n < -1",
        "SELECT count(*) FROM sales.numbers a WHERE NOT EXISTS \
         (SELECT 1 FROM sales.numbers b WHERE a.n + b.n < -1)",
        "WITH RECURSIVE up AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM up) SELECT count(*) FROM up",
    ] {
        let begin = Instant::now();
        let stream = start(&engine, 1_000_000, sql, Duration::from_millis(700)).await;
        assert_eq!(outcome(stream).await, Err(EngineFailure::Deadline), "{sql}");
        let spent = begin.elapsed();
        assert!(spent < Duration::from_secs(4), "{sql}: {spent:?}");
        // Not only is the caller told: the work itself ends.
        idle(&engine, Duration::from_secs(3)).await;
    }
}

#[tokio::test]
async fn dropping_a_stream_ends_the_work() {
    let engine = Engine::new(limits()).unwrap();
    let sql = "SELECT sum(a.n % 7 + b.n) FROM sales.numbers a, sales.numbers b";
    let stream = start(&engine, 1_000_000, sql, MINUTE).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(engine.tasks_alive() > 0);
    drop(stream);
    idle(&engine, Duration::from_secs(3)).await;
}

#[tokio::test]
async fn nobody_waits_for_a_reader_beyond_the_deadline() {
    let engine = Engine::new(limits()).unwrap();
    let sql = "SELECT a.n FROM sales.numbers a, sales.numbers b";
    let stream = start(&engine, 100_000, sql, Duration::from_millis(300)).await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    idle(&engine, Duration::from_secs(3)).await;
    assert_eq!(outcome(stream).await, Err(EngineFailure::Deadline));
}

#[tokio::test]
async fn r13_memory_of_a_query_is_bounded() {
    let engine = Engine::new(EngineLimits { query_memory: 1 << 20, ..limits() }).unwrap();
    let exhausted = |limit| Err::<usize, _>(EngineFailure::ResourcesExhausted { limit });
    // The build side of a join cannot spill.
    let sql = "SELECT count(*) FROM sales.numbers a JOIN sales.numbers b ON a.n = b.n";
    assert_eq!(outcome(start(&engine, 500_000, sql, MINUTE).await).await, exhausted(Limit::QueryMemory));
    assert_eq!(outcome(start(&engine, 1_000, sql, MINUTE).await).await, Ok(1));

    let engine = Engine::new(EngineLimits { memory: 1 << 20, ..limits() }).unwrap();
    assert_eq!(outcome(start(&engine, 500_000, sql, MINUTE).await).await, exhausted(Limit::Memory));
}

#[tokio::test]
async fn r26_spilling_is_bounded() {
    let directory = std::env::temp_dir().join(format!("meshgate-spill-{}", std::process::id()));
    let small = EngineLimits {
        query_memory: 48 << 20,
        spill_directory: directory.clone(),
        target_partitions: 1,
        ..limits()
    };
    let sql = "SELECT n FROM sales.numbers ORDER BY n DESC";
    let engine = Engine::new(small.clone()).unwrap();
    assert_eq!(outcome(start(&engine, 6_000_000, sql, MINUTE).await).await, Ok(6_000_000));
    let engine = Engine::new(EngineLimits { spill_bytes: 1 << 20, ..small }).unwrap();
    let full = EngineFailure::ResourcesExhausted { limit: Limit::Spill };
    assert_eq!(outcome(start(&engine, 6_000_000, sql, MINUTE).await).await, Err(full));
    drop(engine);
    std::fs::remove_dir_all(directory).unwrap();
}

#[tokio::test]
async fn zero_limits_are_refused() {
    assert!(Engine::new(limits()).is_ok());
    for broken in [
        EngineLimits { memory: 0, ..limits() },
        EngineLimits { query_memory: 0, ..limits() },
        EngineLimits { threads: 0, ..limits() },
        EngineLimits { batch_size: 0, ..limits() },
        EngineLimits { target_partitions: 0, ..limits() },
    ] {
        assert!(Engine::new(broken).is_err());
    }
}

/// A source that fails or panics after some batches.
#[derive(Debug)]
struct Breaks {
    schema: SchemaRef,
    panics: bool,
    reached: Arc<AtomicBool>,
}

impl PartitionStream for Breaks {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (panics, reached) = (self.panics, Arc::clone(&self.reached));
        let values = Int64Array::from_iter_values(0..10);
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), vec![Arc::new(values)]).unwrap();
        let batches = futures::stream::iter(0..3).map(move |position| {
            if position < 2 {
                return Ok(batch.clone());
            }
            reached.store(true, Ordering::SeqCst);
            assert!(!panics, "SECRET-4711");
            Err(datafusion::error::DataFusionError::Execution("SECRET-4711".into()))
        });
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches))
    }
}

impl fmt::Display for Breaks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Breaks")
    }
}

#[tokio::test]
async fn a_stream_that_breaks_ends_in_an_error_and_is_never_short() {
    let engine = Engine::new(limits()).unwrap();
    for (panics, expected) in [(false, EngineFailure::Expression), (true, EngineFailure::Internal)] {
        for partitions in [1, 3] {
            let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]));
            let reached = Arc::new(AtomicBool::new(false));
            let sources = (0..partitions)
                .map(|_| {
                    let (schema, reached) = (Arc::clone(&schema), Arc::clone(&reached));
                    Arc::new(Breaks { schema, panics, reached }) as Arc<dyn PartitionStream>
                })
                .collect();
            let plan = StreamingTableExec::try_new(schema, sources, None, vec![], false, None).unwrap();
            let context = session(&engine, 1).task_ctx();
            let mut stream = engine.execute(Arc::new(plan), context, Instant::now() + MINUTE).unwrap();
            let mut last = None;
            while let Some(item) = stream.next().await {
                last = Some(item);
            }
            let error = last.unwrap().unwrap_err();
            assert_eq!(classify(&error), expected);
            assert!(reached.load(Ordering::SeqCst));
            assert!(!panics || !error.to_string().contains("SECRET"), "{error}");
        }
    }
}

#[tokio::test]
async fn other_work_of_a_query_has_a_deadline_too() {
    let engine = Engine::new(limits()).unwrap();
    let soon = || Instant::now() + Duration::from_millis(100);
    assert_eq!(engine.run(async { Ok(5) }, soon()).await.unwrap(), 5);
    let begin = Instant::now();
    let busy = engine.run(
        async {
            // Planning computes without yielding.
            std::thread::sleep(Duration::from_millis(1_000));
            Ok(())
        },
        soon(),
    );
    assert_eq!(classify(&busy.await.unwrap_err()), EngineFailure::Deadline);
    assert!(begin.elapsed() < Duration::from_millis(800));
    let panic = engine.run::<(), _>(async { panic!("SECRET-4711") }, soon()).await.unwrap_err();
    assert_eq!(classify(&panic), EngineFailure::Internal);
    assert!(!panic.to_string().contains("SECRET"));
}

#[tokio::test]
async fn joins_yield() {
    let engine = Engine::new(limits()).unwrap();
    let state = session(&engine, 10_000);
    for (sql, operator) in [
        ("SELECT 1 FROM sales.numbers a, sales.numbers b", "CrossJoinExec"),
        ("SELECT 1 FROM sales.numbers a JOIN sales.numbers b ON a.n < b.n", "NestedLoopJoinExec"),
        ("SELECT 1 FROM sales.numbers a JOIN sales.numbers b ON a.n = b.n", "HashJoinExec"),
    ] {
        let plan = plan(&state, sql).await.unwrap();
        let text = displayable(plan.as_ref()).indent(false).to_string();
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        let at = lines.iter().position(|line| line.starts_with(operator)).unwrap_or_else(|| panic!("{text}"));
        assert_eq!(lines[at - 1], "CooperativeExec", "{text}");
        assert_eq!(text.contains("SlicedExec"), operator != "CrossJoinExec", "{text}");
    }
}
