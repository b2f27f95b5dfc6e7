//! The walker finds what does not belong below a barrier.

use std::sync::Arc;

use datafusion::{
    catalog::TableProvider,
    logical_expr::Operator,
    physical_expr::{
        LexOrdering, PhysicalExpr, PhysicalSortExpr,
        expressions::{BinaryExpr, Column, binary, cast, col, lit},
    },
    physical_plan::{
        ExecutionPlan,
        execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions},
        filter::FilterExec,
        limit::LocalLimitExec,
        sorts::sort::SortExec,
    },
    prelude::SessionContext,
};

use super::fixture::{
    Source, contract, decision, plan, raw_batch, raw_table, row_predicates, secured, session,
};
use crate::secured::{WalkerError, check, check_beside_values, walker::Fingerprint};

struct Fixture {
    context: SessionContext,
    scan: Arc<dyn ExecutionPlan>,
    _folder: tempfile::TempDir,
}

async fn fixture() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let source = Source::Memory { partitions: 2 };
    let context = session(100, source);
    let contract = contract();
    let raw = raw_table(&raw_batch(false), source, folder.path());
    context.register_table("raw", Arc::clone(&raw)).unwrap();
    let rows = row_predicates().into_iter().next();
    let table = secured(&decision(&contract, rows), &contract, raw);
    let scan = table.scan(&context.state(), None, &[], None).await.unwrap();
    context.register_table("t", table).unwrap();
    Fixture { context, scan, _folder: folder }
}

/// The barrier with something else below it.
fn over(
    barrier: &Arc<dyn ExecutionPlan>,
    change: impl FnOnce(Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan>,
) -> Arc<dyn ExecutionPlan> {
    let child = change(Arc::clone(barrier.children()[0]));
    let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
    Arc::clone(barrier).replace_children(vec![child], options).unwrap()
}

#[tokio::test]
async fn an_untouched_scan_passes() {
    let fixture = fixture().await;
    check(&fixture.scan).unwrap();
    check(&plan(&fixture.context, "SELECT 1").await.unwrap()).unwrap();
    check(&plan(&fixture.context, "SELECT 1/(x-5) FROM t WHERE id > 3").await.unwrap()).unwrap();
}

#[tokio::test]
async fn a_scan_without_barrier_is_found() {
    let fixture = fixture().await;
    for sql in ["SELECT id FROM raw", "SELECT a.id FROM t a JOIN raw b ON a.id = b.id"] {
        let found = check(&plan(&fixture.context, sql).await.unwrap());
        assert!(matches!(found, Err(WalkerError::OutsideBarrier { .. })), "{sql}: {found:?}");
    }
}

#[tokio::test]
async fn a_users_predicate_below_is_found() {
    let fixture = fixture().await;
    let with = |predicate: &dyn Fn(&arrow::datatypes::Schema) -> Arc<dyn PhysicalExpr>| {
        over(&fixture.scan, |child| {
            let predicate = predicate(&child.schema());
            Arc::new(FilterExec::try_new(predicate, child).unwrap())
        })
    };
    let harmful = with(&|schema| {
        let number = cast(col("ssn", schema).unwrap(), schema, arrow::datatypes::DataType::Int64);
        binary(number.unwrap(), Operator::Gt, lit(0_i64), schema).unwrap()
    });
    assert!(matches!(check(&harmful), Err(WalkerError::Expression { .. })));
    let harmless =
        with(&|schema| binary(col("id", schema).unwrap(), Operator::Gt, lit(0_i64), schema).unwrap());
    check(&harmless).unwrap();
}

#[tokio::test]
async fn other_operators_below_are_found() {
    let fixture = fixture().await;
    let sorted = over(&fixture.scan, |child| {
        let order = PhysicalSortExpr::new_default(Arc::new(Column::new("id", 0)));
        Arc::new(SortExec::new(LexOrdering::new([order]).unwrap(), child))
    });
    assert!(matches!(check(&sorted), Err(WalkerError::Operator { .. })));
    let nested = over(&fixture.scan, |_| Arc::clone(&fixture.scan));
    assert!(matches!(check(&nested), Err(WalkerError::Operator { .. })));
    let limited = over(&fixture.scan, |child| Arc::new(LocalLimitExec::new(child, 3)));
    assert!(matches!(check(&limited), Err(WalkerError::Limit { .. })));
}

#[tokio::test]
async fn a_lost_row_predicate_is_found() {
    let fixture = fixture().await;
    let open = over(&fixture.scan, |projection| {
        let filter = Arc::clone(projection.children()[0]);
        let raw = Arc::clone(filter.children()[0]);
        let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
        projection.replace_children(vec![raw], options).unwrap()
    });
    assert!(matches!(check(&open), Err(WalkerError::Missing { .. })));
}

/// Rows of a statement's own are in memory, and as many as it wrote; other leaves are never its own.
#[tokio::test]
async fn only_as_many_leaves_in_memory_as_there_are_values_pass() {
    let fixture = fixture().await;
    let values = plan(&fixture.context, "SELECT x FROM (VALUES (1), (2)) t(x)").await.unwrap();
    assert!(check_beside_values(&values, 1).is_ok());
    assert!(matches!(check_beside_values(&values, 0), Err(WalkerError::OutsideBarrier { .. })));
    let folder = tempfile::tempdir().unwrap();
    let file = raw_table(&raw_batch(false), Source::Csv, folder.path());
    fixture.context.register_table("file", file).unwrap();
    let leaf = plan(&fixture.context, "SELECT id FROM file").await.unwrap();
    assert!(matches!(check_beside_values(&leaf, 1), Err(WalkerError::OutsideBarrier { .. })));
}

/// What a source is told may have other names of its own; what stands above it may not.
#[tokio::test]
async fn other_names_are_known_in_a_source_only() {
    let fixture = fixture().await;
    let raw = plan(&fixture.context, "SELECT * FROM raw").await.unwrap();
    let schema = raw.schema();
    let compared = |name: &str, value: i64| {
        let column = Arc::new(Column::new(name, 0)) as Arc<dyn PhysicalExpr>;
        Arc::new(BinaryExpr::new(column, Operator::Eq, lit(value))) as _
    };
    let doubled = |name: &str| {
        let column = Arc::new(Column::new(name, 0)) as Arc<dyn PhysicalExpr>;
        let sum = BinaryExpr::new(Arc::clone(&column), Operator::Plus, column);
        Arc::new(BinaryExpr::new(Arc::new(sum), Operator::Eq, lit(4_i64))) as _
    };
    let built = Fingerprint::new(&raw, &[doubled("big")], &[], &[col("id", &schema).unwrap()]).unwrap();
    let accepts = |expression, in_source| built.accepts(&expression, in_source).unwrap();
    // What was built, and what is harmless on plain columns.
    for in_source in [true, false] {
        assert!(accepts(doubled("big"), in_source) && accepts(compared("id", 7), in_source));
        assert!(!accepts(compared("x", 7), in_source), "not plain");
        assert!(!accepts(doubled("x"), in_source), "of another column");
    }
    // By names that only a source can know.
    assert!(accepts(doubled("c4"), true) && !accepts(doubled("c4"), false));
    assert!(accepts(compared("c4", 7), true) && !accepts(compared("c4", 7), false));
    let other_shape = binary(col("id", &schema).unwrap(), Operator::Divide, lit(0_i64), &schema).unwrap();
    let other_shape = binary(other_shape, Operator::Eq, lit(4_i64), &schema).unwrap();
    assert!(!accepts(other_shape, true));
    let quotient: Arc<dyn PhysicalExpr> =
        Arc::new(BinaryExpr::new(Arc::new(Column::new("c4", 0)), Operator::Divide, lit(0_i64)));
    let quotient = Arc::new(BinaryExpr::new(quotient, Operator::Eq, lit(4_i64))) as _;
    assert!(!accepts(quotient, true), "what was not built can fail");
}
