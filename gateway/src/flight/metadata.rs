//! What there is, as one principal sees it: catalogs, schemas, tables, keys.
//! The schemas of these answers are compared exactly by drivers.

use arrow::{
    array::{ArrayRef, Int32Array, RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use arrow_flight::{
    error::FlightError,
    sql::{CommandGetPrimaryKeys, CommandGetTables, metadata::GetCatalogsBuilder},
};
use std::sync::Arc;

use super::{command::MetadataCommand, xdbc_type_info};
use crate::{
    app::Gateway,
    catalog::{CATALOG, PrincipalCatalog, SystemTable, VisibleTable},
    status::GatewayError,
};

/// Most table types that one request may name; there is one.
const TABLE_TYPES_MAX: usize = 100;
const TABLE: &str = "TABLE";
const SYSTEM_TABLE: &str = "SYSTEM TABLE";

/// The whole answer to a metadata command.
pub(super) fn answer(
    gateway: &Gateway,
    catalog: &PrincipalCatalog,
    command: MetadataCommand,
) -> Result<RecordBatch, GatewayError> {
    let answer = match command {
        MetadataCommand::Catalogs(_) => catalogs(),
        MetadataCommand::Schemas(command) => {
            let mut builder = command.into_builder();
            catalog.schemas().iter().for_each(|schema| builder.append(CATALOG, schema));
            builder.build()
        }
        MetadataCommand::Tables(command) => tables(catalog, command)?,
        MetadataCommand::TableTypes(command) => {
            let mut builder = command.into_builder();
            [TABLE, SYSTEM_TABLE].into_iter().for_each(|table_type| builder.append(table_type));
            builder.build()
        }
        MetadataCommand::PrimaryKeys(command) => primary_keys(catalog, &command),
        MetadataCommand::ExportedKeys(_)
        | MetadataCommand::ImportedKeys(_)
        | MetadataCommand::CrossReference(_) => Ok(RecordBatch::new_empty(foreign_key_schema())),
        MetadataCommand::SqlInfo(command) => gateway.sql_info.rows(&command.info),
        MetadataCommand::XdbcTypeInfo(command) => {
            xdbc_type_info::table().and_then(|table| table.record_batch(command.data_type))
        }
    };
    answer.map_err(|error| GatewayError::Internal(format!("metadata cannot be built: {error}")))
}

fn catalogs() -> Result<RecordBatch, FlightError> {
    let mut builder = GetCatalogsBuilder::new();
    builder.append(CATALOG);
    builder.build()
}

fn tables(
    catalog: &PrincipalCatalog,
    mut command: CommandGetTables,
) -> Result<Result<RecordBatch, FlightError>, GatewayError> {
    command.table_types.sort_unstable();
    command.table_types.dedup();
    if command.table_types.len() > TABLE_TYPES_MAX {
        return Err(GatewayError::InvalidRequest("too many table types are named"));
    }
    // Grafana asks for the standard's name of what is TABLE everywhere else.
    if command.table_types.iter().any(|table_type| table_type == "BASE TABLE") {
        command.table_types.push(TABLE.to_owned());
    }
    let mut builder = command.into_builder();
    let built = catalog
        .all()
        .iter()
        .try_for_each(|table| {
            builder.append(CATALOG, &table.domain, &table.name, TABLE, &table.schema_with_metadata())
        })
        .and_then(|()| {
            SystemTable::ALL.into_iter().try_for_each(|table| {
                builder.append(CATALOG, table.schema_name(), table.name(), SYSTEM_TABLE, &table.schema())
            })
        })
        .and_then(|()| builder.build());
    Ok(built)
}

fn primary_keys(
    catalog: &PrincipalCatalog,
    command: &CommandGetPrimaryKeys,
) -> Result<RecordBatch, FlightError> {
    let in_catalog = command.catalog.as_deref().is_none_or(|name| name == CATALOG);
    let tables: Vec<Arc<VisibleTable>> = match command.db_schema.as_deref() {
        Some(domain) => catalog.table(domain, &command.table).into_iter().collect(),
        None => catalog.all().into_iter().filter(|table| table.name == command.table).map(Arc::new).collect(),
    };
    let tables = if in_catalog { tables } else { Vec::new() };
    let keys: Vec<(&str, &str, &str, i32)> = tables
        .iter()
        .flat_map(|table| {
            let positions = 1..;
            let columns = table.primary_key.iter().zip(positions);
            columns.map(|(column, position)| {
                (table.domain.as_str(), table.name.as_str(), column.as_str(), position)
            })
        })
        .collect();
    let texts = |of: fn(&(&'_ str, &'_ str, &'_ str, i32)) -> String| -> ArrayRef {
        Arc::new(keys.iter().map(of).map(Some).collect::<StringArray>())
    };
    let columns: Vec<ArrayRef> = vec![
        texts(|_| CATALOG.to_owned()),
        texts(|key| key.0.to_owned()),
        texts(|key| key.1.to_owned()),
        texts(|key| key.2.to_owned()),
        Arc::new(keys.iter().map(|key| key.3).collect::<Int32Array>()),
        Arc::new(StringArray::new_null(keys.len())),
    ];
    Ok(RecordBatch::try_new(primary_key_schema(), columns)?)
}

fn primary_key_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("catalog_name", DataType::Utf8, true),
        Field::new("db_schema_name", DataType::Utf8, true),
        Field::new("table_name", DataType::Utf8, false),
        Field::new("column_name", DataType::Utf8, false),
        Field::new("key_sequence", DataType::Int32, false),
        Field::new("key_name", DataType::Utf8, true),
    ]))
}

/// Of exported and imported keys and of cross references.
fn foreign_key_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("pk_catalog_name", DataType::Utf8, true),
        Field::new("pk_db_schema_name", DataType::Utf8, true),
        Field::new("pk_table_name", DataType::Utf8, false),
        Field::new("pk_column_name", DataType::Utf8, false),
        Field::new("fk_catalog_name", DataType::Utf8, true),
        Field::new("fk_db_schema_name", DataType::Utf8, true),
        Field::new("fk_table_name", DataType::Utf8, false),
        Field::new("fk_column_name", DataType::Utf8, false),
        Field::new("key_sequence", DataType::Int32, false),
        Field::new("fk_key_name", DataType::Utf8, true),
        Field::new("pk_key_name", DataType::Utf8, true),
        Field::new("update_rule", DataType::UInt8, false),
        Field::new("delete_rule", DataType::UInt8, false),
    ]))
}
