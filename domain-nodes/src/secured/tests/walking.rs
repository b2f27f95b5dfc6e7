//! The walker finds what does not belong below a barrier.

use std::sync::Arc;

use datafusion::{
    catalog::TableProvider,
    logical_expr::Operator,
    physical_expr::{
        LexOrdering, PhysicalSortExpr,
        expressions::{Column, binary, cast, col, lit},
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
use crate::secured::{WalkerError, check};

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
    let with = |predicate: &dyn Fn(
        &arrow::datatypes::Schema,
    ) -> Arc<dyn datafusion::physical_expr::PhysicalExpr>| {
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
