//! A bound value in the type that its parameter has. What a driver binds is
//! seldom exactly that type; only what keeps the value is converted.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, new_null_array},
    compute::cast,
    datatypes::{DataType, Float32Type},
};

use super::ParameterFault;

/// Types between which values are converted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Boolean,
    Integer,
    Decimal,
    Float,
    Text,
    Binary,
    Time,
    /// Days, and times of days without a zone.
    Local,
    /// Instants.
    Zoned,
    /// Converted only to itself.
    Other,
}

/// The one value of `array` as a value of type `to`.
pub(super) fn value(array: &ArrayRef, to: &DataType, number: usize) -> Result<ArrayRef, ParameterFault> {
    if array.len() != 1 {
        return Err(ParameterFault::Rows);
    }
    if array.is_null(0) || array.data_type() == &DataType::Null {
        return Ok(new_null_array(to, 1));
    }
    if array.data_type() == to {
        return Ok(Arc::clone(array));
    }
    if !converts(family(array.data_type()), family(to)) {
        let (expected, given) = (to.clone(), array.data_type().clone());
        return Err(ParameterFault::Type { number, expected, given });
    }
    exactly(array, to).ok_or_else(|| ParameterFault::Value { number, expected: to.clone() })
}

/// The value, if it is the same after converting it back.
fn exactly(array: &ArrayRef, to: &DataType) -> Option<ArrayRef> {
    let converted = cast(array, to).ok().filter(|converted| converted.is_valid(0))?;
    // A client that has no shorter float means the nearest one.
    let nearest = to == &DataType::Float32 && family(array.data_type()) == Family::Float;
    let same = if nearest {
        converted.as_primitive::<Float32Type>().value(0).is_finite()
    } else {
        cast(&converted, array.data_type()).ok()?.to_data() == array.to_data()
    };
    same.then_some(converted)
}

fn converts(from: Family, to: Family) -> bool {
    use Family::{Decimal, Float, Integer, Other};
    match (from, to) {
        (Other, Other) => false,
        (Integer | Decimal | Float, Integer | Decimal | Float) => true,
        (from, to) => from == to,
    }
}

fn family(data_type: &DataType) -> Family {
    match data_type {
        DataType::Boolean => Family::Boolean,
        data_type if data_type.is_integer() => Family::Integer,
        data_type if data_type.is_decimal() => Family::Decimal,
        data_type if data_type.is_floating() => Family::Float,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Family::Text,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            Family::Binary
        }
        DataType::Time32(_) | DataType::Time64(_) => Family::Time,
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(_, None) => Family::Local,
        DataType::Timestamp(_, Some(_)) => Family::Zoned,
        _ => Family::Other,
    }
}
