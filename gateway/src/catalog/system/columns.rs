//! `mesh.system.columns`: what contracts say of the columns that the caller sees.

use std::sync::{Arc, LazyLock};

use arrow::{
    array::{ArrayRef, BooleanArray, Int32Array, RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema, SchemaRef},
    error::ArrowError,
};
use meshgate_policies::{Cell, Column, DecidedColumn};

use super::{given, text_list, texts};
use crate::catalog::{PrincipalCatalog, VisibleTable};

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        Field::new("domain", DataType::Utf8, false),
        Field::new("product", DataType::Utf8, false),
        Field::new("table_name", DataType::Utf8, false),
        Field::new("column_name", DataType::Utf8, false),
        Field::new("ordinal_position", DataType::Int32, false),
        Field::new("data_type", DataType::Utf8, false),
        Field::new("nullable", DataType::Boolean, false),
        Field::new("primary_key", DataType::Boolean, false),
        Field::new("masked", DataType::Boolean, false),
        Field::new("description", DataType::Utf8, true),
        Field::new("classification", DataType::Utf8, true),
        Field::new("tags", text_list(), false),
        Field::new("owner", DataType::Utf8, true),
        Field::new("status", DataType::Utf8, true),
    ]))
});

pub(super) fn schema() -> SchemaRef {
    Arc::clone(&SCHEMA)
}

struct Row<'a> {
    table: &'a VisibleTable,
    /// Among the visible columns, from 1: a gap would tell of a hidden one.
    position: i32,
    decided: &'a DecidedColumn,
    contract: &'a Column,
}

/// One row for each column, by domain, table and position.
pub(super) fn rows(catalog: &PrincipalCatalog) -> Result<RecordBatch, ArrowError> {
    let tables = catalog.all();
    let rows: Vec<Row<'_>> = tables
        .iter()
        .flat_map(|table| {
            (1..).zip(table.columns()).map(move |(position, (decided, contract))| Row {
                table,
                position,
                decided,
                contract,
            })
        })
        .collect();
    let text = |of: fn(&Row<'_>) -> Option<String>| -> ArrayRef {
        Arc::new(rows.iter().map(of).collect::<StringArray>())
    };
    let flag = |of: fn(&Row<'_>) -> bool| -> ArrayRef {
        Arc::new(rows.iter().map(|row| Some(of(row))).collect::<BooleanArray>())
    };
    let if_given = |text: &str| given(text).map(str::to_owned);
    let columns = vec![
        text(|row| Some(row.table.domain.clone())),
        text(|row| Some(row.table.described().product.name.clone())),
        text(|row| Some(row.table.name.clone())),
        text(|row| Some(row.decided.name.clone())),
        Arc::new(rows.iter().map(|row| row.position).collect::<Int32Array>()),
        text(|row| Some(row.decided.data_type.to_string())),
        flag(|row| row.decided.nullable),
        flag(|row| row.table.primary_key.contains(&row.decided.name)),
        flag(|row| matches!(row.decided.cell, Cell::Computed(_))),
        Arc::new(rows.iter().map(|row| if_given(row.table.remarks(row.decided))).collect::<StringArray>()),
        text(|row| row.contract.classification.clone()),
        texts(rows.iter().map(|row| &row.contract.tags)),
        Arc::new(
            rows.iter().map(|row| if_given(&row.table.described().product.owner)).collect::<StringArray>(),
        ),
        Arc::new(
            rows.iter().map(|row| if_given(&row.table.described().product.status)).collect::<StringArray>(),
        ),
    ];
    RecordBatch::try_new(schema(), columns)
}
