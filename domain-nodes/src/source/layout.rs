//! How a table lies in Parquet files: which of its columns are in the files
//! and which in their paths, and under which names.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema};
use datafusion::datasource::table_schema::TableSchema;

use super::columns::without_promises;
use super::definition::SourceColumn;
use super::hive::Partitions;

/// The table as Parquet files have it: their own columns first, those from
/// the paths behind, all under the names of the files.
pub(super) struct Layout {
    pub(super) schema: TableSchema,
    /// By position in the contract.
    pub(super) positions: Vec<usize>,
}

impl Layout {
    pub(super) fn new(columns: &[SourceColumn], schema: &Schema, partitions: &Partitions) -> Self {
        let in_paths = &partitions.columns;
        let in_files: Vec<usize> =
            (0..columns.len()).filter(|position| !in_paths.contains(position)).collect();
        let order: Vec<usize> = in_files.iter().chain(in_paths).copied().collect();
        let field = |position: &usize| {
            let (source, field) = columns.get(*position).zip(schema.fields().get(*position))?;
            Some(Field::new(&source.name, without_promises(field.data_type()), true))
        };
        let of_files: Vec<Field> = in_files.iter().filter_map(field).collect();
        let of_paths: Vec<_> = in_paths.iter().filter_map(field).map(Arc::new).collect();
        Self {
            schema: TableSchema::builder(Arc::new(Schema::new(of_files)))
                .with_table_partition_cols(of_paths)
                .build(),
            positions: (0..columns.len())
                .map(|position| order.iter().position(|at| *at == position).unwrap_or(usize::MAX))
                .collect(),
        }
    }
}
