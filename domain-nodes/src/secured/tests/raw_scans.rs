//! What raw tables are asked for, and those that read something else.

use std::sync::{Arc, Mutex};

use arrow::{
    array::{ArrayRef, Int64Array, RecordBatch},
    datatypes::SchemaRef,
};
use async_trait::async_trait;
use datafusion::{
    catalog::{MemTable, Session, TableProvider},
    error::Result,
    logical_expr::{Expr, Operator, TableProviderFilterPushDown, TableType, col, lit},
    physical_plan::{ExecutionPlan, collect},
};
use meshgate_policies::{
    Cell, DataType, Table,
    expression::{Expr as Expression, Literal},
};

use super::fixture::{Source, column, decision, equals, raw_schema, rows, secured, session, table};
use crate::secured::{ReadError, SecuredTable, TableError};
use crate::touched::{Columns, Touched};

/// Reads `columns`, whatever it is asked for.
#[derive(Debug)]
struct Stubborn {
    raw: Arc<dyn TableProvider>,
    columns: Vec<usize>,
}

#[async_trait]
impl TableProvider for Stubborn {
    fn schema(&self) -> SchemaRef {
        self.raw.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        _: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.raw.scan(state, Some(&self.columns), filters, limit).await
    }
}

/// Knows what to do with comparisons that ask for equality, and keeps what it is told.
#[derive(Debug)]
struct Listening {
    raw: Arc<dyn TableProvider>,
    told: Mutex<Vec<String>>,
}

#[async_trait]
impl TableProvider for Listening {
    fn schema(&self) -> SchemaRef {
        self.raw.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let supported = |filter: &&Expr| match filter {
            Expr::BinaryExpr(binary) if binary.op == Operator::Eq => TableProviderFilterPushDown::Inexact,
            _ => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(supported).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.told.lock().unwrap().extend(filters.iter().map(ToString::to_string));
        self.raw.scan(state, projection, filters, limit).await
    }
}

fn three_columns() -> (Table, RecordBatch) {
    let contract = table(&["a", "b", "c"].map(|name| (name, DataType::Int64, false)));
    let column = |values: [i64; 2]| -> ArrayRef { Arc::new(Int64Array::from_iter_values(values)) };
    let columns = vec![column([1, 10]), column([2, 20]), column([3, 30])];
    let batch = RecordBatch::try_new(raw_schema(&contract), columns).unwrap();
    (contract, batch)
}

#[tokio::test]
async fn a_source_is_told_what_it_can_use_and_all_is_applied_again() {
    let (contract, batch) = three_columns();
    let raw = Arc::new(MemTable::try_new(batch.schema(), vec![vec![batch]]).unwrap());
    let listening = Arc::new(Listening { raw, told: Mutex::default() });
    let own = equals(column(&contract, "c"), Literal::Integer { value: 3, data_type: DataType::Int64 });
    let table = secured(&decision(&contract, Some(own)), &contract, Arc::clone(&listening) as _);
    let context = session(8, Source::Memory { partitions: 1 });
    let users = [col("a").eq(lit(1_i64)), col("b").lt(lit(9_i64))];
    let scan = table.scan(&context.state(), Some(&vec![0]), &users, None).await.unwrap();
    assert_eq!(rows(&collect(scan, context.task_ctx()).await.unwrap()), ["1"]);
    assert_eq!(*listening.told.lock().unwrap(), ["c = Int64(3)", "a = Int64(1)"]);
}

/// For the audit: what a scan reads, what of it shows something else, and what nobody may know of.
#[tokio::test]
async fn what_a_scan_reads_is_noted() {
    let (contract, batch) = three_columns();
    let own = equals(column(&contract, "c"), Literal::Integer { value: 3, data_type: DataType::Int64 });
    let mut decision = decision(&contract, Some(own));
    decision.columns.truncate(2);
    decision.columns[1].cell = Cell::Computed(Expression::Null(DataType::Int64));
    decision.columns[1].plain = false;
    let context = session(8, Source::Memory { partitions: 1 });
    let noted = async |projection: &[usize], filters: &[Expr]| {
        let raw = Arc::new(MemTable::try_new(batch.schema(), vec![vec![batch.clone()]]).unwrap());
        let table = SecuredTable::new(&decision, Arc::new(contract.clone()), raw).unwrap();
        let touched = Arc::new(Touched::default());
        let table = table.noting(Arc::clone(&touched));
        table.scan(&context.state(), Some(&projection.to_vec()), filters, None).await.unwrap();
        touched.columns()
    };
    let names = |names: &[&str]| names.iter().map(|name| format!("sales.people.{name}")).collect();
    let columns = |read: &[&str], masked: &[&str], hidden: &[&str]| Columns {
        read: names(read),
        masked: names(masked),
        hidden: names(hidden),
    };
    assert_eq!(noted(&[0], &[]).await, columns(&["a"], &[], &["c"]));
    assert_eq!(noted(&[0, 1], &[]).await, columns(&["a", "b"], &["b"], &["c"]));
    let filter = col("a").eq(lit(1_i64));
    assert_eq!(noted(&[1], &[filter]).await, columns(&["a", "b"], &["b"], &["c"]));
}

#[tokio::test]
async fn a_scan_of_other_columns_than_asked_for_is_no_table() {
    let (contract, batch) = three_columns();
    let context = session(8, Source::Memory { partitions: 1 });
    for (columns, honest) in [
        (vec![0, 1], true),
        (vec![1, 0], false),
        (vec![0, 1, 2], false),
        (vec![2, 0, 1], false),
        (vec![0, 2], false),
        (vec![0], false),
    ] {
        let raw = Arc::new(MemTable::try_new(batch.schema(), vec![vec![batch.clone()]]).unwrap());
        let raw = Arc::new(Stubborn { raw, columns: columns.clone() });
        let table = secured(&decision(&contract, None), &contract, raw);
        let scan = table.scan(&context.state(), Some(&vec![0, 1]), &[], None).await;
        match scan {
            Ok(scan) if honest => {
                assert_eq!(rows(&collect(scan, context.task_ctx()).await.unwrap()), ["10|20", "1|2"]);
            }
            Err(error) if !honest => {
                let found = TableError::find(&error).unwrap().error;
                assert!(matches!(found, ReadError::Unavailable { .. }), "{columns:?}: {error:?}");
            }
            other => panic!("{columns:?}: {other:?}"),
        }
    }
}
