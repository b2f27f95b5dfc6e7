//! The barrier by itself, over children that nothing else would put below it.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StructArray},
    buffer::NullBuffer,
    datatypes::{DataType, Field, Int64Type, Schema, SchemaRef},
};
use datafusion::{
    common::config::ConfigOptions,
    datasource::memory::MemorySourceConfig,
    logical_expr::Operator,
    physical_expr::{
        PhysicalExpr,
        expressions::{BinaryExpr, Column, lit},
    },
    physical_plan::{
        ExecutionPlan, collect,
        filter_pushdown::{FilterPushdownPhase, PushedDown},
    },
    prelude::SessionContext,
};

use crate::{
    secured::{
        barrier::{BarrierExec, BarrierTable, same_columns},
        walker::Fingerprint,
    },
    tests::logs,
};

fn schema(fields: &[(&str, DataType, bool)]) -> SchemaRef {
    let field = |(name, data_type, nullable): &(&str, DataType, bool)| {
        Field::new(*name, data_type.clone(), *nullable)
    };
    Arc::new(Schema::new(fields.iter().map(field).collect::<Vec<_>>()))
}

/// `a` is plain, `b` is not.
fn two_columns() -> SchemaRef {
    schema(&[("a", DataType::Int64, false), ("b", DataType::Int64, true)])
}

fn child(schema: &SchemaRef, batches: &[RecordBatch]) -> Arc<dyn ExecutionPlan> {
    MemorySourceConfig::try_new_exec(&[batches.to_vec()], Arc::clone(schema), None).unwrap()
}

fn table(schema: SchemaRef, all_rows: bool) -> Arc<BarrierTable> {
    let plain: Vec<bool> = (0..schema.fields().len()).map(|index| index == 0).collect();
    let scrubbed = plain.iter().map(|plain| !plain).collect();
    let name = "sales.barrier".to_owned();
    Arc::new(BarrierTable { name, schema, plain, scrubbed, all_rows, fingerprint: Fingerprint::default() })
}

fn barrier(all_rows: bool) -> BarrierExec {
    BarrierExec::try_new(table(two_columns(), all_rows), child(&two_columns(), &[])).unwrap()
}

#[test]
fn only_what_names_a_plain_column_in_its_place_and_type_passes() {
    let barrier = barrier(false);
    let compared = |name: &str, index, value: Arc<dyn PhysicalExpr>| -> Arc<dyn PhysicalExpr> {
        Arc::new(BinaryExpr::new(Arc::new(Column::new(name, index)), Operator::Eq, value))
    };
    for (filter, expected) in [
        (compared("a", 0, lit(1_i64)), true),
        // Not plain.
        (compared("b", 1, lit(1_i64)), false),
        // The name of a plain column in another's place, and the other way round.
        (compared("a", 1, lit(1_i64)), false),
        (compared("b", 0, lit(1_i64)), false),
        (compared("c", 0, lit(1_i64)), false),
        (compared("a", 2, lit(1_i64)), false),
        // Of another type.
        (compared("a", 0, lit(1_i32)), false),
        (compared("a", 0, lit("1")), false),
    ] {
        let text = filter.to_string();
        let description = barrier
            .gather_filters_for_pushdown(FilterPushdownPhase::Pre, vec![filter], &ConfigOptions::default())
            .unwrap();
        let offered = description.parent_filters();
        let passes = matches!(offered[0][0].discriminant, PushedDown::Yes);
        assert_eq!(passes, expected, "{text}");
    }
}

#[test]
fn other_columns_below_are_refused() {
    let int = DataType::Int64;
    let expected = two_columns();
    for (found, are_same) in [
        (two_columns(), true),
        // Whether there are NULLs is looked at in the data.
        (schema(&[("a", int.clone(), true), ("b", int.clone(), true)]), true),
        (schema(&[("a", int.clone(), false), ("b", DataType::Utf8, true)]), false),
        (schema(&[("a", int.clone(), false), ("c", int.clone(), true)]), false),
        (schema(&[("b", int.clone(), false), ("a", int.clone(), true)]), false),
        (schema(&[("a", int.clone(), false)]), false),
        (schema(&[("a", int.clone(), false), ("b", int.clone(), true), ("c", int, true)]), false),
    ] {
        assert_eq!(same_columns(&expected, &found), are_same, "{found:?}");
        let built = BarrierExec::try_new(table(two_columns(), false), child(&found, &[]));
        assert_eq!(built.is_ok(), are_same, "{found:?}");
    }
}

#[test]
fn limits_pass_where_no_row_is_hidden() {
    assert!(barrier(true).supports_limit_pushdown());
    assert!(!barrier(false).supports_limit_pushdown());
    assert_eq!(barrier(true).name(), "BarrierExec");
}

/// A column of which all is visible is not copied, but nested metadata does not leave with it.
#[tokio::test]
async fn nested_metadata_is_gone_from_columns_that_are_not_scrubbed() {
    let shape = |inner: Field| schema(&[("a", DataType::Struct(vec![inner].into()), true)]);
    let inner = Field::new("b", DataType::Int64, true);
    let noted = inner.clone().with_metadata([("note".to_owned(), "x".to_owned())].into());
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values([1, 2]));
    for found in [inner.clone(), noted] {
        let raw = shape(found.clone());
        let cells: ArrayRef =
            Arc::new(StructArray::new(vec![found].into(), vec![Arc::clone(&numbers)], None));
        let batch = RecordBatch::try_new(Arc::clone(&raw), vec![cells]).unwrap();
        let clean = shape(inner.clone());
        let barrier = BarrierExec::try_new(table(Arc::clone(&clean), true), child(&raw, &[batch])).unwrap();
        let released = collect(Arc::new(barrier), SessionContext::new().task_ctx()).await.unwrap();
        assert_eq!(released[0].schema(), clean);
        assert_eq!(released[0].column(0).data_type(), clean.field(0).data_type());
        let values = released[0].column(0).as_struct().column(0).to_data();
        assert_eq!(values.buffers()[0].as_ptr(), numbers.to_data().buffers()[0].as_ptr());
    }
}

/// The log says in which row of all that passed the promise was broken, and that it was one.
#[tokio::test]
async fn the_row_of_a_broken_promise_is_counted_over_batches() {
    let nullable = schema(&[("a", DataType::Int64, true)]);
    let batch = |values: [Option<i64>; 3]| {
        let array: ArrayRef = Arc::new(Int64Array::from(values.to_vec()));
        RecordBatch::try_new(Arc::clone(&nullable), vec![array]).unwrap()
    };
    let batches = [
        batch([Some(1), Some(2), Some(3)]),
        batch([Some(4), Some(5), Some(6)]),
        batch([Some(7), None, None]),
    ];
    let required = table(schema(&[("a", DataType::Int64, false)]), true);
    let barrier = BarrierExec::try_new(required, child(&nullable, &batches)).unwrap();
    logs::start();
    assert!(collect(Arc::new(barrier), SessionContext::new().task_ctx()).await.is_err());
    assert_eq!(logs::lines_with(&["sales.barrier", "required column \"a\" is NULL in row 7 "]).len(), 1);
}

/// Of a plain column everything is visible, and still: what comes of it follows from its cells alone.
#[tokio::test]
async fn nothing_is_left_under_nulls_of_plain_columns() {
    let schema = schema(&[("a", DataType::Int64, true)]);
    let valid = NullBuffer::from(vec![true, false]);
    let array: ArrayRef = Arc::new(Int64Array::new(vec![7, 4711].into(), Some(valid)));
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![array]).unwrap();
    let barrier =
        BarrierExec::try_new(table(Arc::clone(&schema), true), child(&schema, std::slice::from_ref(&batch)))
            .unwrap();
    let released = collect(Arc::new(barrier), SessionContext::new().task_ctx()).await.unwrap();
    assert_eq!(released, [batch]);
    assert_eq!(released[0].column(0).as_primitive::<Int64Type>().values(), &[7, 0]);
}
