//! Types of the files against types of the contract. Only conversions that
//! cannot fail and lose nothing are accepted; everything else is drift.

use arrow::datatypes::{DataType, Field, Fields, Schema, TimeUnit};

use super::error::Drift;

/// Can every value of type `found` be served as `expected`?
pub(crate) fn accepts(expected: &DataType, found: &DataType) -> bool {
    use DataType as T;
    if expected == found {
        return true;
    }
    match (expected, found) {
        (expected, T::Dictionary(_, values)) => accepts(expected, values),
        (T::Utf8, T::LargeUtf8 | T::Utf8View) => true,
        (T::Binary, T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_)) => true,
        (T::Int16, T::Int8 | T::UInt8) => true,
        (T::Int32, T::Int8 | T::Int16 | T::UInt8 | T::UInt16) => true,
        (T::Int64, T::Int8 | T::Int16 | T::Int32 | T::UInt8 | T::UInt16 | T::UInt32) => true,
        (T::UInt16, T::UInt8) => true,
        (T::UInt32, T::UInt8 | T::UInt16) => true,
        (T::UInt64, T::UInt8 | T::UInt16 | T::UInt32) => true,
        // Integers that the mantissa holds exactly.
        (T::Float32, T::Float16 | T::Int8 | T::Int16 | T::UInt8 | T::UInt16) => true,
        (T::Float64, T::Float16 | T::Float32) => true,
        (T::Float64, T::Int8 | T::Int16 | T::Int32 | T::UInt8 | T::UInt16 | T::UInt32) => true,
        (T::Decimal128(precision, scale), found) => decimal_holds(*precision, *scale, found),
        (T::Time64(TimeUnit::Microsecond), T::Time32(_)) => true,
        // The instants are the same; only the zone they are shown in differs.
        // Other units are refused: seconds can overflow, nanoseconds lose digits.
        (T::Timestamp(expected, Some(_)), T::Timestamp(found, Some(_))) => expected == found,
        (T::List(expected), T::List(found)) => accepts(expected.data_type(), found.data_type()),
        (T::Struct(expected), T::Struct(found)) => struct_holds(expected, found),
        _ => false,
    }
}

/// Do all values of `found` fit without rounding?
fn decimal_holds(precision: u8, scale: i8, found: &DataType) -> bool {
    use DataType as T;
    let (found_precision, found_scale) = match found {
        T::Decimal32(precision, scale)
        | T::Decimal64(precision, scale)
        | T::Decimal128(precision, scale)
        | T::Decimal256(precision, scale) => (*precision, *scale),
        T::Int8 | T::UInt8 => (3, 0),
        T::Int16 | T::UInt16 => (5, 0),
        T::Int32 | T::UInt32 => (10, 0),
        T::Int64 => (19, 0),
        T::UInt64 => (20, 0),
        _ => return false,
    };
    let whole_digits = |precision: u8, scale: i8| i16::from(precision) - i16::from(scale);
    scale >= found_scale && whole_digits(precision, scale) >= whole_digits(found_precision, found_scale)
}

/// Fields go by name; what the contract does not name is left out.
fn struct_holds(expected: &Fields, found: &Fields) -> bool {
    expected.iter().all(|field| {
        let mut same_name = found.iter().filter(|candidate| candidate.name() == field.name());
        matches!((same_name.next(), same_name.next()), (Some(one), None) if accepts(field.data_type(), one.data_type()))
    })
}

/// How the column `name` of a file differs from the contract, if it does.
pub(super) fn drift(name: &str, expected: &DataType, file: &Schema) -> Option<Drift> {
    let mut same_name = file.fields().iter().filter(|field| field.name() == name);
    match (same_name.next(), same_name.next()) {
        (None, _) => Some(Drift::Missing),
        (Some(_), Some(_)) => Some(Drift::Ambiguous),
        (Some(field), None) if accepts(expected, field.data_type()) => None,
        (Some(field), None) => {
            Some(Drift::Type { found: field.data_type().to_string(), expected: expected.to_string() })
        }
    }
}

/// The same type with nullable fields inside: what is read before the
/// contract's promises are checked.
pub(super) fn without_promises(data_type: &DataType) -> DataType {
    let nullable = |field: &Field| Field::new(field.name(), without_promises(field.data_type()), true);
    match data_type {
        DataType::List(element) => DataType::List(nullable(element).into()),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(|field| nullable(field)).collect()),
        other => other.clone(),
    }
}
