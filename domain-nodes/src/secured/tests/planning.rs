//! What the planner may and may not do with a secured table.

use std::sync::Arc;

use arrow::compute::SortOptions;
use datafusion::{
    catalog::TableProvider,
    common::stats::Precision,
    logical_expr::{TableProviderFilterPushDown, col, lit},
    physical_expr::{LexOrdering, PhysicalSortExpr, expressions::Column},
    physical_plan::{
        ExecutionPlanProperties, displayable,
        statistics::{StatisticsArgs, StatisticsContext},
    },
    prelude::SessionContext,
};
use meshgate_policies::{Cell, DataType, TableDecision, expression::Expr};

use super::fixture::{
    Source, contract, decision, plan, raw_batch, raw_table, row_predicates, run_checked, secured, session,
};
use crate::secured::{BarrierExec, SecuredTable};

const PARQUET: Source = Source::Parquet { pushdown: false, reorder: false };

/// Everything visible but `ssn`, which is nullified.
fn masked_ssn(rows: Option<Expr>) -> TableDecision {
    let mut decision = decision(&contract(), rows);
    decision.columns[2].cell = Cell::Computed(Expr::Null(DataType::Text));
    decision.columns[2].plain = false;
    decision
}

struct Fixture {
    context: SessionContext,
    table: Arc<SecuredTable>,
    _folder: tempfile::TempDir,
}

fn fixture(decision: &TableDecision) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let context = session(8192, PARQUET);
    let raw = raw_table(&raw_batch(false), PARQUET, folder.path());
    let table = secured(decision, &contract(), raw);
    context.register_table("t", Arc::clone(&table) as Arc<dyn TableProvider>).unwrap();
    Fixture { context, table, _folder: folder }
}

/// The plan's text above and below its first barrier.
async fn halves(fixture: &Fixture, sql: &str) -> (String, String) {
    let plan = plan(&fixture.context, sql).await.unwrap();
    crate::secured::check(&plan).unwrap();
    let text = displayable(plan.as_ref()).indent(true).to_string();
    let (above, below) = text.split_once("BarrierExec").unwrap();
    (above.to_owned(), below.to_owned())
}

#[tokio::test]
async fn accepted_predicates_reach_the_source() {
    let fixture = fixture(&masked_ssn(row_predicates().into_iter().next()));
    let (above, below) = halves(&fixture, "SELECT id FROM t WHERE x = 3 AND id > 150").await;
    let source = below.split_once("DataSourceExec").unwrap().1;
    assert!(!above.contains("FilterExec"), "{above}");
    assert!(source.contains("id@0 > 150") && source.contains("x@"), "{source}");
    assert!(source.contains("= EU"), "the row predicate prunes as well: {source}");
}

/// Long chains are accepted, and recognised again behind the physical planner.
#[tokio::test]
async fn long_predicates_are_accepted() {
    let fixture = fixture(&masked_ssn(row_predicates().into_iter().next()));
    let chain =
        |term: &dyn Fn(usize) -> String, operator| (0..400).map(term).collect::<Vec<_>>().join(operator);
    let any = chain(&|n| format!("(id = {n} AND x <> {n})"), " OR ");
    let all = chain(&|n| format!("(id <> {n} OR x <> {n})"), " AND ");
    let list = chain(&|n| n.to_string(), ", ");
    for predicate in [any, all, format!("id IN ({list})"), format!("id NOT IN ({list}) OR x IS NULL")] {
        let (above, _) = halves(&fixture, &format!("SELECT id FROM t WHERE {predicate}")).await;
        assert!(!above.contains("FilterExec"), "{above}");
    }
}

#[tokio::test]
async fn predicates_on_masked_columns_stay_above() {
    let fixture = fixture(&masked_ssn(row_predicates().into_iter().next()));
    for predicate in ["ssn = '7'", "ssn IS NULL OR id = 1", "ssn IN ('1', '2')", "ssn BETWEEN '1' AND '2'"] {
        let (above, below) = halves(&fixture, &format!("SELECT id FROM t WHERE {predicate}")).await;
        assert!(above.contains("FilterExec"), "{predicate}: {above}");
        assert!(!below.contains("ssn@"), "{predicate}: {below}");
    }
}

#[tokio::test]
async fn a_limit_passes_only_where_all_rows_are_visible() {
    let statement = "SELECT id FROM t LIMIT 3";
    let (_, below) = halves(&fixture(&masked_ssn(None)), statement).await;
    assert!(below.contains("limit=3"), "{below}");
    let filtered = fixture(&masked_ssn(row_predicates().into_iter().next()));
    let (_, below) = halves(&filtered, statement).await;
    assert!(!below.contains("limit=") && !below.contains("fetch="), "{below}");
    let (_, below) = halves(&fixture(&masked_ssn(None)), "SELECT id FROM t WHERE 10/(x-9) < 0 LIMIT 3").await;
    assert!(!below.contains("limit=") && !below.contains("fetch="), "{below}");
}

#[tokio::test]
async fn dynamic_filters_pass_for_plain_columns_only() {
    let fixture = fixture(&masked_ssn(row_predicates().into_iter().next()));
    let (_, below) = halves(&fixture, "SELECT id FROM t ORDER BY id LIMIT 3").await;
    assert!(below.contains("DynamicFilter"), "{below}");
    let (_, below) = halves(&fixture, "SELECT id, ssn FROM t ORDER BY ssn LIMIT 3").await;
    assert!(!below.contains("DynamicFilter"), "{below}");
    let (_, below) = halves(&fixture, "SELECT id FROM t ORDER BY id + 1 LIMIT 3").await;
    assert!(!below.contains("DynamicFilter"), "{below}");
    let join = "SELECT a.id FROM t a JOIN t b ON a.{c} = b.{c} WHERE a.x = 1";
    let text = whole(&fixture, &join.replace("{c}", "id")).await;
    assert!(text.contains("DynamicFilter"), "{text}");
    let text = whole(&fixture, &join.replace("{c}", "ssn")).await;
    assert!(!text.contains("DynamicFilter"), "{text}");
}

async fn whole(fixture: &Fixture, sql: &str) -> String {
    let plan = plan(&fixture.context, sql).await.unwrap();
    crate::secured::check(&plan).unwrap();
    displayable(plan.as_ref()).indent(true).to_string()
}

#[tokio::test]
async fn the_provider_tells_nothing() {
    let fixture = fixture(&masked_ssn(row_predicates().into_iter().next()));
    let table = &fixture.table;
    assert!(table.statistics().is_none());
    assert!(table.constraints().is_none());
    assert!(table.get_logical_plan().is_none());
    assert!(table.get_table_definition().is_none());
    assert!(table.get_column_default("id").is_none());
    assert!(table.schema().metadata().is_empty());
    assert_eq!(format!("{table:?}"), "SecuredTable { name: \"sales.people\", .. }");
    let offered = [
        (col("id").gt(lit(5_i64)), TableProviderFilterPushDown::Exact),
        (col("t.id").gt(lit(5_i64)), TableProviderFilterPushDown::Exact),
        (col("ssn").eq(lit("7")), TableProviderFilterPushDown::Unsupported),
        ((lit(10_i64) / col("x")).gt(lit(1_i64)), TableProviderFilterPushDown::Unsupported),
        (col("nothing").eq(lit(1_i64)), TableProviderFilterPushDown::Unsupported),
    ];
    for (filter, expected) in offered {
        let found = table.supports_filters_pushdown(&[&filter]).unwrap();
        assert_eq!(found, vec![expected], "{filter}");
    }
    let state = fixture.context.state();
    let refused = [col("ssn").eq(lit("7")), (lit(10_i64) / col("x")).gt(lit(1_i64))];
    for filter in refused {
        assert!(table.scan(&state, None, &[filter], None).await.is_err());
    }
}

#[tokio::test]
async fn the_barrier_reports_only_its_partitions() {
    let fixture = fixture(&masked_ssn(None));
    let state = fixture.context.state();
    let scan = fixture.table.scan(&state, None, &[], None).await.unwrap();
    assert!(scan.is::<BarrierExec>());
    assert_eq!(format!("{scan:?}"), "BarrierExec { table: \"sales.people\", .. }");
    assert!(scan.output_ordering().is_none());
    assert!(scan.maintains_input_order().iter().all(|kept| !kept));
    assert!(scan.equivalence_properties().constraints().is_empty());
    assert!(scan.fetch().is_none() && scan.with_fetch(Some(1)).is_none());
    assert!(scan.metrics().is_none());
    assert!(scan.downcast_delegate().is_none());
    let statistics = StatisticsContext::new().compute(scan.as_ref(), &StatisticsArgs::new()).unwrap();
    assert_eq!(statistics.num_rows, Precision::Absent);
    assert_eq!(statistics.total_byte_size, Precision::Absent);
    let order = [PhysicalSortExpr::new(Arc::new(Column::new("id", 0)), SortOptions::default())];
    let pushed = scan.try_pushdown_sort(&order).unwrap();
    assert!(pushed.into_inner().is_none());
    assert!(LexOrdering::new(order).is_some());
    assert_eq!(run_checked(&fixture.context, "SELECT count(*) FROM t").await.unwrap(), ["200"]);
}

/// `SELECT count(*)` and other statements without columns still count visible rows only.
#[tokio::test]
async fn rows_are_counted_behind_the_barrier() {
    let fixture = fixture(&masked_ssn(row_predicates().into_iter().next()));
    for sql in ["SELECT count(*) FROM t", "SELECT count(1) FROM t WHERE 1 = 1", "SELECT count(id) FROM t"] {
        assert_eq!(run_checked(&fixture.context, sql).await.unwrap(), ["120"], "{sql}");
    }
}
