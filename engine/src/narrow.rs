//! Decimals on their way from a node to a gateway: those of at most 18 digits fit into 64 bits, half of what they have in
//! the engine. That is half of what is copied, encrypted and decrypted.
//!
//! Columns only, not what lies inside of lists and structs.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, PrimitiveArray, RecordBatch, RecordBatchOptions},
    datatypes::{DataType, Decimal64Type, Decimal128Type, DecimalType, Field, Schema, SchemaRef},
    error::ArrowError,
};

/// The narrow form of a type, if it has one.
pub fn narrow_type(wide: &DataType) -> Option<DataType> {
    match wide {
        DataType::Decimal128(precision, scale) if *precision <= Decimal64Type::MAX_PRECISION => {
            Some(DataType::Decimal64(*precision, *scale))
        }
        _ => None,
    }
}

/// The same schema, its columns in their narrow forms.
pub fn narrow_schema(wide: &Schema) -> Schema {
    let field = |field: &Arc<Field>| match narrow_type(field.data_type()) {
        Some(narrow) => Arc::new(field.as_ref().clone().with_data_type(narrow)),
        None => Arc::clone(field),
    };
    Schema::new_with_metadata(wide.fields().iter().map(field).collect::<Vec<_>>(), wide.metadata().clone())
}

/// The same rows under `narrow`, which is the narrow form of their schema.
///
/// # Errors
///
/// A number has more digits than its type.
pub fn narrow_batch(batch: &RecordBatch, narrow: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let columns = batch.columns().iter().map(narrow_column).collect::<Result<Vec<_>, _>>()?;
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(narrow), columns, &rows)
}

fn narrow_column(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let (Some(_), DataType::Decimal128(precision, scale)) =
        (narrow_type(column.data_type()), column.data_type())
    else {
        return Ok(Arc::clone(column));
    };
    let too_long = |_| ArrowError::ArithmeticOverflow("a decimal has more digits than its type".to_owned());
    let numbers = column.as_primitive::<Decimal128Type>();
    let numbers: PrimitiveArray<Decimal64Type> =
        numbers.try_unary(|number| i64::try_from(number).map_err(too_long))?;
    Ok(Arc::new(numbers.with_precision_and_scale(*precision, *scale)?))
}

/// The column in the type `wide`, if it is in its narrow form; others as they are.
///
/// # Errors
///
/// Precision and scale of `wide` contradict each other.
pub fn widened(column: &ArrayRef, wide: &DataType) -> Result<ArrayRef, ArrowError> {
    let DataType::Decimal128(precision, scale) = wide else { return Ok(Arc::clone(column)) };
    let Some(numbers) = column.as_primitive_opt::<Decimal64Type>() else { return Ok(Arc::clone(column)) };
    let numbers: PrimitiveArray<Decimal128Type> = numbers.unary(i128::from);
    Ok(Arc::new(numbers.with_precision_and_scale(*precision, *scale)?))
}

#[cfg(test)]
mod tests {
    use arrow::array::{Decimal128Array, Int64Array};

    use super::*;

    fn batch(number: i128) -> RecordBatch {
        let price = |precision, scale| {
            let numbers = Decimal128Array::from(vec![Some(-1), None, Some(number)]);
            Arc::new(numbers.with_precision_and_scale(precision, scale).unwrap()) as ArrayRef
        };
        let id = Arc::new(Int64Array::from(vec![1, 2, 3])) as ArrayRef;
        RecordBatch::try_from_iter([("short", price(18, 2)), ("id", id), ("long", price(19, 2))]).unwrap()
    }

    #[test]
    fn what_was_narrow_on_its_way_arrives_as_it_was() {
        for number in [0, 7, 10_i128.pow(18) - 1, 1 - 10_i128.pow(18), i128::from(i64::MIN)] {
            let batch = batch(number);
            let narrow = Arc::new(narrow_schema(&batch.schema()));
            let types: Vec<_> = narrow.fields().iter().map(|field| field.data_type().clone()).collect();
            assert_eq!(types, [DataType::Decimal64(18, 2), DataType::Int64, DataType::Decimal128(19, 2)]);
            let sent = narrow_batch(&batch, &narrow).unwrap();
            let columns = sent.columns().iter().zip(batch.schema_ref().fields());
            let columns =
                columns.map(|(column, field)| widened(column, field.data_type()).unwrap()).collect();
            assert_eq!(RecordBatch::try_new(batch.schema(), columns).unwrap(), batch);
        }
    }

    #[test]
    fn a_number_with_more_digits_than_its_type_is_refused_and_not_cut() {
        let batch = batch(i128::from(i64::MAX) + 1);
        let narrow = Arc::new(narrow_schema(&batch.schema()));
        assert!(narrow_batch(&batch, &narrow).is_err());
    }

    #[test]
    fn rows_without_columns_stay_as_many() {
        let rows = RecordBatchOptions::new().with_row_count(Some(5));
        let schema = Arc::new(Schema::empty());
        let batch = RecordBatch::try_new_with_options(Arc::clone(&schema), Vec::new(), &rows).unwrap();
        assert_eq!(narrow_batch(&batch, &schema).unwrap().num_rows(), 5);
    }
}
