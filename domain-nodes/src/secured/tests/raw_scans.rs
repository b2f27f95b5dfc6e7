//! Raw tables that read other columns than they were asked for.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, Int64Array, RecordBatch},
    datatypes::SchemaRef,
};
use async_trait::async_trait;
use datafusion::{
    catalog::{MemTable, Session, TableProvider},
    error::Result,
    logical_expr::{Expr, TableType},
    physical_plan::{ExecutionPlan, collect},
};
use meshgate_policies::DataType;

use super::fixture::{Source, decision, raw_schema, rows, secured, session, table};
use crate::secured::{ReadError, TableError};

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

#[tokio::test]
async fn a_scan_of_other_columns_than_asked_for_is_no_table() {
    let contract = table(&["a", "b", "c"].map(|name| (name, DataType::Int64, false)));
    let column = |value: i64| -> ArrayRef { Arc::new(Int64Array::from_iter_values([value])) };
    let batch = RecordBatch::try_new(raw_schema(&contract), vec![column(1), column(2), column(3)]).unwrap();
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
                assert_eq!(rows(&collect(scan, context.task_ctx()).await.unwrap()), ["1|2"]);
            }
            Err(error) if !honest => {
                let found = TableError::find(&error).unwrap().error;
                assert!(matches!(found, ReadError::Unavailable { .. }), "{columns:?}: {error:?}");
            }
            other => panic!("{columns:?}: {other:?}"),
        }
    }
}
