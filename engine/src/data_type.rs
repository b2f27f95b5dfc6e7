//! Contract types and Arrow types: one Arrow type for each type of the
//! contract language, and nothing else. Views, dictionaries and large variants
//! are turned into these in the sources, so that everything above is simple.

use std::sync::Arc;

use arrow::datatypes::{DataType as ArrowType, Field, TimeUnit as ArrowUnit};
use meshgate_policies::DataType;
use meshgate_policies::data_type::{Field as ContractField, TimeUnit};

/// Name that Arrow gives to the element of a list.
const ELEMENT: &str = "item";
/// Digits that a 128-bit decimal can hold.
const MAXIMUM_PRECISION: u8 = 38;
/// Nesting that `from_arrow` follows; a type from outside could be deeper.
const MAXIMUM_DEPTH: usize = 32;

/// Types of one value, nothing inside it, any two of which compare without failing. What runs below a barrier relies
/// on that.
pub fn is_simple(data_type: &ArrowType) -> bool {
    data_type.is_primitive()
        || matches!(
            data_type,
            ArrowType::Boolean
                | ArrowType::Utf8
                | ArrowType::LargeUtf8
                | ArrowType::Utf8View
                | ArrowType::Binary
                | ArrowType::LargeBinary
                | ArrowType::BinaryView
        )
}

/// The Arrow type that carries values of `data_type`.
pub fn to_arrow(data_type: &DataType) -> ArrowType {
    match data_type {
        DataType::Boolean => ArrowType::Boolean,
        DataType::Int8 => ArrowType::Int8,
        DataType::Int16 => ArrowType::Int16,
        DataType::Int32 => ArrowType::Int32,
        DataType::Int64 => ArrowType::Int64,
        DataType::UInt8 => ArrowType::UInt8,
        DataType::UInt16 => ArrowType::UInt16,
        DataType::UInt32 => ArrowType::UInt32,
        DataType::UInt64 => ArrowType::UInt64,
        DataType::Float32 => ArrowType::Float32,
        DataType::Float64 => ArrowType::Float64,
        // Scales are at most 38: see `from_arrow` and the contract reader.
        DataType::Decimal { precision, scale } => {
            ArrowType::Decimal128(*precision, i8::try_from(*scale).unwrap_or(i8::MAX))
        }
        DataType::Text => ArrowType::Utf8,
        DataType::Binary => ArrowType::Binary,
        DataType::Date => ArrowType::Date32,
        DataType::Time => ArrowType::Time64(ArrowUnit::Microsecond),
        DataType::Timestamp { unit, zone } => {
            ArrowType::Timestamp(unit_to_arrow(*unit), zone.as_deref().map(Arc::from))
        }
        DataType::List(element) => {
            ArrowType::List(Arc::new(field(ELEMENT, &element.data_type, element.nullable)))
        }
        DataType::Struct(fields) => ArrowType::Struct(
            fields.iter().map(|inner| field(&inner.name, &inner.data_type, inner.nullable)).collect(),
        ),
    }
}

/// The contract type whose Arrow type is exactly `data_type`, if there is one.
pub fn from_arrow(data_type: &ArrowType) -> Option<DataType> {
    convert(data_type, MAXIMUM_DEPTH)
}

/// An Arrow field for values of `data_type`, without metadata.
pub fn field(name: &str, data_type: &DataType, nullable: bool) -> Field {
    Field::new(name, to_arrow(data_type), nullable)
}

fn convert(data_type: &ArrowType, depth: usize) -> Option<DataType> {
    let depth = depth.checked_sub(1)?;
    Some(match data_type {
        ArrowType::Boolean => DataType::Boolean,
        ArrowType::Int8 => DataType::Int8,
        ArrowType::Int16 => DataType::Int16,
        ArrowType::Int32 => DataType::Int32,
        ArrowType::Int64 => DataType::Int64,
        ArrowType::UInt8 => DataType::UInt8,
        ArrowType::UInt16 => DataType::UInt16,
        ArrowType::UInt32 => DataType::UInt32,
        ArrowType::UInt64 => DataType::UInt64,
        ArrowType::Float32 => DataType::Float32,
        ArrowType::Float64 => DataType::Float64,
        ArrowType::Decimal128(precision, scale) => decimal(*precision, *scale)?,
        ArrowType::Utf8 => DataType::Text,
        ArrowType::Binary => DataType::Binary,
        ArrowType::Date32 => DataType::Date,
        ArrowType::Time64(ArrowUnit::Microsecond) => DataType::Time,
        ArrowType::Timestamp(unit, zone) => DataType::Timestamp {
            unit: unit_from_arrow(*unit),
            zone: zone.as_ref().map(|zone| zone.to_string()),
        },
        ArrowType::List(element) if element.name() == ELEMENT => {
            DataType::List(Box::new(contract_field(element, depth)?))
        }
        ArrowType::Struct(fields) => {
            DataType::Struct(fields.iter().map(|inner| contract_field(inner, depth)).collect::<Option<_>>()?)
        }
        _ => return None,
    })
}

fn contract_field(field: &Field, depth: usize) -> Option<ContractField> {
    Some(ContractField {
        name: field.name().clone(),
        data_type: convert(field.data_type(), depth)?,
        nullable: field.is_nullable(),
    })
}

fn decimal(precision: u8, scale: i8) -> Option<DataType> {
    let scale = u8::try_from(scale).ok()?;
    ((1..=MAXIMUM_PRECISION).contains(&precision) && scale <= precision)
        .then_some(DataType::Decimal { precision, scale })
}

fn unit_to_arrow(unit: TimeUnit) -> ArrowUnit {
    match unit {
        TimeUnit::Second => ArrowUnit::Second,
        TimeUnit::Millisecond => ArrowUnit::Millisecond,
        TimeUnit::Microsecond => ArrowUnit::Microsecond,
        TimeUnit::Nanosecond => ArrowUnit::Nanosecond,
    }
}

fn unit_from_arrow(unit: ArrowUnit) -> TimeUnit {
    match unit {
        ArrowUnit::Second => TimeUnit::Second,
        ArrowUnit::Millisecond => TimeUnit::Millisecond,
        ArrowUnit::Microsecond => TimeUnit::Microsecond,
        ArrowUnit::Nanosecond => TimeUnit::Nanosecond,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_type() -> Vec<DataType> {
        let mut types = vec![
            DataType::Boolean,
            DataType::Int8,
            DataType::Int16,
            DataType::Int32,
            DataType::Int64,
            DataType::UInt8,
            DataType::UInt16,
            DataType::UInt32,
            DataType::UInt64,
            DataType::Float32,
            DataType::Float64,
            DataType::Decimal { precision: 38, scale: 38 },
            DataType::Decimal { precision: 1, scale: 0 },
            DataType::Text,
            DataType::Binary,
            DataType::Date,
            DataType::Time,
        ];
        for unit in [TimeUnit::Second, TimeUnit::Millisecond, TimeUnit::Microsecond, TimeUnit::Nanosecond] {
            types.push(DataType::Timestamp { unit, zone: None });
            types.push(DataType::Timestamp { unit, zone: Some("Europe/Berlin".into()) });
        }
        let inner = ContractField { name: "item".into(), data_type: DataType::Text, nullable: false };
        types.push(DataType::List(Box::new(inner.clone())));
        types.push(DataType::Struct(vec![
            ContractField { name: "a".into(), data_type: DataType::List(Box::new(inner)), nullable: true },
            ContractField { name: "b".into(), data_type: DataType::Int64, nullable: false },
        ]));
        types
    }

    #[test]
    fn every_type_comes_back() {
        for data_type in every_type() {
            assert_eq!(from_arrow(&to_arrow(&data_type)), Some(data_type));
        }
    }

    #[test]
    fn other_arrow_types_are_none_of_ours() {
        let element = |name: &str| Arc::new(Field::new(name, ArrowType::Utf8, true));
        for data_type in [
            ArrowType::Null,
            ArrowType::Float16,
            ArrowType::Utf8View,
            ArrowType::LargeUtf8,
            ArrowType::BinaryView,
            ArrowType::FixedSizeBinary(16),
            ArrowType::Date64,
            ArrowType::Time32(ArrowUnit::Second),
            ArrowType::Time64(ArrowUnit::Nanosecond),
            ArrowType::Decimal128(39, 0),
            ArrowType::Decimal128(0, 0),
            ArrowType::Decimal128(5, 6),
            ArrowType::Decimal128(5, -1),
            ArrowType::Decimal256(5, 1),
            ArrowType::Dictionary(Box::new(ArrowType::Int32), Box::new(ArrowType::Utf8)),
            ArrowType::List(element("element")),
            ArrowType::LargeList(element("item")),
            ArrowType::List(Arc::new(Field::new("item", ArrowType::Utf8View, true))),
        ] {
            assert_eq!(from_arrow(&data_type), None, "{data_type}");
        }
    }

    #[test]
    fn bottomless_types_are_refused() {
        let mut data_type = ArrowType::Utf8;
        for _ in 0..MAXIMUM_DEPTH {
            data_type = ArrowType::List(Arc::new(Field::new("item", data_type, true)));
        }
        assert_eq!(from_arrow(&data_type), None);
    }
}
