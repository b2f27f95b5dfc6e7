//! `mesh.information_schema`: what there is, in the SQL standard's shape. The
//! engine's own is off: it would resolve every table, and list its settings.

use std::sync::{Arc, LazyLock};

use arrow::{
    array::{ArrayRef, Int32Array, RecordBatch, StringArray, new_null_array},
    datatypes::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit},
    error::ArrowError,
};

use super::SystemTable;
use crate::{
    catalog::{CATALOG, ExistingTable, PrincipalCatalog, VisibleTable, type_name},
    edge,
};

/// What the standard calls a table that holds rows.
const BASE_TABLE: &str = "BASE TABLE";
/// What drivers call a table that describes others.
const SYSTEM_TABLE: &str = "SYSTEM TABLE";

fn text(name: &str, nullable: bool) -> Field {
    Field::new(name, DataType::Utf8, nullable)
}

fn number(name: &str, nullable: bool) -> Field {
    Field::new(name, DataType::Int32, nullable)
}

static TABLES: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        text("table_catalog", false),
        text("table_schema", false),
        text("table_name", false),
        text("table_type", false),
    ]))
});

static COLUMNS: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        text("table_catalog", false),
        text("table_schema", false),
        text("table_name", false),
        text("column_name", false),
        number("ordinal_position", false),
        text("column_default", true),
        text("is_nullable", false),
        text("data_type", false),
        number("character_maximum_length", true),
        number("character_octet_length", true),
        number("numeric_precision", true),
        number("numeric_precision_radix", true),
        number("numeric_scale", true),
        number("datetime_precision", true),
    ]))
});

static SCHEMATA: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        text("catalog_name", false),
        text("schema_name", false),
        text("schema_owner", true),
    ]))
});

static VIEWS: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        text("table_catalog", false),
        text("table_schema", false),
        text("table_name", false),
        text("view_definition", true),
    ]))
});

pub(super) fn tables_schema() -> SchemaRef {
    Arc::clone(&TABLES)
}

pub(super) fn columns_schema() -> SchemaRef {
    Arc::clone(&COLUMNS)
}

pub(super) fn schemata_schema() -> SchemaRef {
    Arc::clone(&SCHEMATA)
}

/// There are no views.
pub(super) fn views_schema() -> SchemaRef {
    Arc::clone(&VIEWS)
}

/// A table that the caller sees, its own or the gateway's.
struct Listed<'a> {
    schema: &'a str,
    name: &'a str,
    table_type: &'static str,
    columns: SchemaRef,
}

/// By schema and name, the gateway's own behind those of the domains.
fn listed(tables: &[VisibleTable]) -> Vec<Listed<'_>> {
    let of_domains = tables.iter().map(|table| Listed {
        schema: &table.domain,
        name: &table.name,
        table_type: BASE_TABLE,
        columns: Arc::clone(&table.schema),
    });
    let own = SystemTable::ALL.into_iter().map(|table| Listed {
        schema: table.schema_name(),
        name: table.name(),
        table_type: SYSTEM_TABLE,
        columns: table.schema(),
    });
    of_domains.chain(own).collect()
}

fn strings<'a>(values: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(values.map(Some).collect::<StringArray>())
}

pub(super) fn tables(catalog: &PrincipalCatalog) -> Result<RecordBatch, ArrowError> {
    let all = catalog.all();
    let listed = listed(&all);
    let columns = vec![
        strings(listed.iter().map(|_| CATALOG)),
        strings(listed.iter().map(|table| table.schema)),
        strings(listed.iter().map(|table| table.name)),
        strings(listed.iter().map(|table| table.table_type)),
    ];
    RecordBatch::try_new(tables_schema(), columns)
}

pub(super) fn schemata(catalog: &PrincipalCatalog) -> Result<RecordBatch, ArrowError> {
    let schemas = catalog.schemas();
    let columns = vec![
        strings(schemas.iter().map(|_| CATALOG)),
        strings(schemas.iter().map(String::as_str)),
        new_null_array(&DataType::Utf8, schemas.len()),
    ];
    RecordBatch::try_new(schemata_schema(), columns)
}

pub(super) fn columns(catalog: &PrincipalCatalog) -> Result<RecordBatch, ArrowError> {
    columns_of_listed(&listed(&catalog.all()))
}

/// The columns of one table alone.
pub(super) fn columns_of(table: &ExistingTable) -> Result<RecordBatch, ArrowError> {
    let table_type = match table {
        ExistingTable::OfDomain(_) => BASE_TABLE,
        ExistingTable::Own(_) => SYSTEM_TABLE,
    };
    let (schema, name, columns) = (table.schema_name(), table.name(), table.columns());
    columns_of_listed(&[Listed { schema, name, table_type, columns }])
}

fn columns_of_listed(listed: &[Listed<'_>]) -> Result<RecordBatch, ArrowError> {
    // With the types that clients get.
    let rows: Vec<(&Listed<'_>, i32, FieldRef)> = listed
        .iter()
        .flat_map(|table| {
            (1..).zip(table.columns.fields()).map(move |(at, field)| (table, at, edge::field(field)))
        })
        .collect();
    let numbers = |of: fn(&DataType) -> Option<i32>| -> ArrayRef {
        Arc::new(rows.iter().map(|(_, _, field)| of(field.data_type())).collect::<Int32Array>())
    };
    let columns = vec![
        strings(rows.iter().map(|_| CATALOG)),
        strings(rows.iter().map(|(table, _, _)| table.schema)),
        strings(rows.iter().map(|(table, _, _)| table.name)),
        strings(rows.iter().map(|(_, _, field)| field.name().as_str())),
        Arc::new(rows.iter().map(|(_, position, _)| *position).collect::<Int32Array>()),
        new_null_array(&DataType::Utf8, rows.len()),
        strings(rows.iter().map(|(_, _, field)| if field.is_nullable() { "YES" } else { "NO" })),
        strings(rows.iter().map(|(_, _, field)| type_name(field.data_type()))),
        new_null_array(&DataType::Int32, rows.len()),
        new_null_array(&DataType::Int32, rows.len()),
        numbers(|data_type| precision(data_type).map(|(digits, _)| digits)),
        numbers(|data_type| precision(data_type).map(|(_, radix)| radix)),
        numbers(scale),
        numbers(datetime_precision),
    ];
    RecordBatch::try_new(columns_schema(), columns)
}

/// Digits of a number, and what they count: bits or decimals.
fn precision(data_type: &DataType) -> Option<(i32, i32)> {
    Some(match data_type {
        DataType::Int8 => (8, 2),
        DataType::Int16 => (16, 2),
        DataType::Int32 => (32, 2),
        DataType::Int64 => (64, 2),
        DataType::Float32 => (24, 2),
        DataType::Float64 => (53, 2),
        DataType::Decimal128(precision, _) => (i32::from(*precision), 10),
        _ => return None,
    })
}

fn scale(data_type: &DataType) -> Option<i32> {
    match data_type {
        DataType::Decimal128(_, scale) => Some(i32::from(*scale)),
        other if other.is_integer() => Some(0),
        _ => None,
    }
}

/// Digits behind the seconds.
fn datetime_precision(data_type: &DataType) -> Option<i32> {
    Some(match data_type {
        DataType::Date32 | DataType::Date64 => 0,
        DataType::Time32(unit) | DataType::Time64(unit) | DataType::Timestamp(unit, _) => match unit {
            TimeUnit::Second => 0,
            TimeUnit::Millisecond => 3,
            TimeUnit::Microsecond => 6,
            TimeUnit::Nanosecond => 9,
        },
        _ => return None,
    })
}
