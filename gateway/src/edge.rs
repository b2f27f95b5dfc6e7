//! Results in the types that every known client reads: no views, no
//! dictionaries, no rare widths, no metadata of the engine's, and no unsigned
//! numbers, whose upper halves JDBC's driver reads as negative ones.

use std::{collections::HashMap, sync::Arc};

use arrow::{
    array::ArrayRef,
    compute::{CastOptions, cast_with_options},
    datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef},
    error::ArrowError,
    record_batch::{RecordBatch, RecordBatchOptions},
};

pub(crate) use meshgate_engine::pieces::{MESSAGE_BYTES, size, split};

/// The schema in which a result with `schema` leaves the gateway.
pub(crate) fn schema(schema: &Schema) -> SchemaRef {
    let sized = |field: &FieldRef| {
        let metadata = decimal_size(field.data_type());
        Arc::new(field.as_ref().clone().with_metadata(metadata))
    };
    Arc::new(Schema::new(fields(schema.fields()).iter().map(sized).collect::<Fields>()))
}

/// A key of Flight SQL's metadata of columns.
pub(crate) fn metadata_key(key: &str) -> String {
    format!("ARROW:FLIGHT:SQL:{key}")
}

/// Precision and scale where drivers look for them: they do not take them from the type.
pub(crate) fn decimal_size(data_type: &DataType) -> HashMap<String, String> {
    match data_type {
        DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) => HashMap::from([
            (metadata_key("PRECISION"), precision.to_string()),
            (metadata_key("SCALE"), scale.to_string()),
        ]),
        _ => HashMap::new(),
    }
}

/// `batch` with the types of `schema`, which came from [`schema`] of the batch's own.
pub(crate) fn convert(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    if batch.num_columns() != schema.fields().len() {
        return Err(ArrowError::SchemaError("the result has another number of columns".to_owned()));
    }
    let columns = batch
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(column, field)| convert_column(column, field.data_type()))
        .collect::<Result<Vec<_>, _>>()?;
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &rows)
}

fn convert_column(column: &ArrayRef, to: &DataType) -> Result<ArrayRef, ArrowError> {
    // What does not fit is an error: the default would make it NULL.
    let strictly = CastOptions { safe: false, ..CastOptions::default() };
    if column.data_type() == to { Ok(Arc::clone(column)) } else { cast_with_options(column, to, &strictly) }
}

fn fields(fields: &Fields) -> Fields {
    fields.iter().map(field).collect()
}

/// A field in the type in which it leaves the gateway, without metadata.
pub(crate) fn field(field: &FieldRef) -> FieldRef {
    Arc::new(Field::new(field.name(), data_type(field.data_type()), field.is_nullable()))
}

fn data_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        DataType::Dictionary(_, values) => self::data_type(values),
        DataType::RunEndEncoded(_, values) => self::data_type(values.data_type()),
        DataType::Float16 => DataType::Float32,
        DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        // Row numbers and ranks are such: a decimal would be right too, and nobody expects it.
        DataType::UInt32 | DataType::UInt64 => DataType::Int64,
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
            DataType::Decimal128(*precision, *scale)
        }
        DataType::List(element) | DataType::ListView(element) => DataType::List(field(element)),
        DataType::LargeList(element) | DataType::LargeListView(element) => {
            DataType::LargeList(field(element))
        }
        DataType::FixedSizeList(element, length) => DataType::FixedSizeList(field(element), *length),
        DataType::Struct(children) => DataType::Struct(fields(children)),
        DataType::Map(entries, sorted) => DataType::Map(field(entries), *sorted),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests;
