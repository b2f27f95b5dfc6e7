//! JSON values to the values of a column, nested ones included. The grammar of
//! single values is that of cells of text; JSON adds which of them are quoted.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanBufferBuilder, ListArray, StructArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType as ArrowType, FieldRef, Fields};
use arrow::error::ArrowError;
use meshgate_engine::data_type;
use meshgate_policies::DataType;
use serde_json::value::RawValue;

use super::line::Object;
use crate::source::cell::{self, Parser};
use crate::source::columns::without_promises;

/// Collects the values of one column, or of one nested field.
pub(super) enum Column {
    Single { parser: Parser, quoted: Quoted },
    List { field: FieldRef, values: Box<Column>, ends: Vec<i32>, valid: BooleanBufferBuilder },
    Struct { fields: Fields, columns: Vec<Column>, valid: BooleanBufferBuilder },
}

/// Is a value of the type written in quotes?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quoted {
    Never,
    Always,
    /// Decimals: a number, or a text where the writer feared for its digits.
    Either,
}

/// Can values of this type stand in a row?
pub(crate) fn can_hold(data_type: &DataType) -> bool {
    match data_type {
        DataType::List(element) => can_hold(&element.data_type),
        DataType::Struct(fields) => fields.iter().all(|field| can_hold(&field.data_type)),
        single => cell::can_hold(single),
    }
}

impl Column {
    /// `None` for types that a row cannot hold.
    pub(super) fn new(data_type: &DataType) -> Option<Self> {
        let arrow = without_promises(&data_type::to_arrow(data_type));
        Some(match (data_type, arrow) {
            (DataType::List(element), ArrowType::List(field)) => Self::List {
                field,
                values: Box::new(Self::new(&element.data_type)?),
                ends: Vec::new(),
                valid: BooleanBufferBuilder::new(0),
            },
            (DataType::Struct(nested), ArrowType::Struct(fields)) => Self::Struct {
                fields,
                columns: nested.iter().map(|field| Self::new(&field.data_type)).collect::<Option<_>>()?,
                valid: BooleanBufferBuilder::new(0),
            },
            (single, _) => Self::Single { parser: Parser::new(single)?, quoted: Quoted::of(single) },
        })
    }

    /// Adds a value, `None` being a key that is not there; `false` if it is
    /// not of the type, and then the column is of no use but for [`Self::replace_bad`].
    #[must_use]
    pub(super) fn append(&mut self, json: Option<&str>) -> bool {
        let Some(json) = json.filter(|json| *json != "null") else {
            self.append_null();
            return true;
        };
        match self {
            Self::Single { parser, quoted } => append_single(parser, *quoted, json),
            Self::List { values, ends, valid, .. } => {
                let Ok(elements) = serde_json::from_str::<Vec<&RawValue>>(json) else { return false };
                valid.append(true);
                let last = ends.last().copied().unwrap_or_default();
                let end = i32::try_from(elements.len()).ok().and_then(|length| last.checked_add(length));
                let Some(end) = end else { return false };
                ends.push(end);
                elements.into_iter().all(|element| values.append(Some(element.get())))
            }
            Self::Struct { fields, columns, valid } => {
                let Ok(object) = Object::parse(json) else { return false };
                valid.append(true);
                fields.iter().zip(columns).all(|(field, column)| column.append(object.get(field.name())))
            }
        }
    }

    pub(super) fn append_null(&mut self) {
        match self {
            Self::Single { parser, .. } => parser.append_null(),
            Self::List { ends, valid, .. } => {
                ends.push(ends.last().copied().unwrap_or_default());
                valid.append(false);
            }
            Self::Struct { columns, valid, .. } => {
                columns.iter_mut().for_each(Self::append_null);
                valid.append(false);
            }
        }
    }

    /// Puts a NULL in the place of a bad value that was just refused; `false`
    /// if a part of it was added already, as it is with nested values.
    pub(super) fn replace_bad(&mut self) -> bool {
        let is_single = matches!(self, Self::Single { .. });
        if is_single {
            self.append_null();
        }
        is_single
    }

    /// The column so far; it is empty again.
    pub(super) fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        Ok(match self {
            Self::Single { parser, .. } => parser.finish(),
            Self::List { field, values, ends, valid } => {
                let offsets: Vec<i32> = std::iter::once(0).chain(std::mem::take(ends)).collect();
                let values = values.finish()?;
                let nulls = NullBuffer::new(valid.finish());
                Arc::new(ListArray::try_new(
                    Arc::clone(field),
                    OffsetBuffer::new(offsets.into()),
                    values,
                    Some(nulls),
                )?)
            }
            Self::Struct { fields, columns, valid } => {
                let columns = columns.iter_mut().map(Self::finish).collect::<Result<Vec<_>, _>>()?;
                let nulls = NullBuffer::new(valid.finish());
                Arc::new(StructArray::try_new(fields.clone(), columns, Some(nulls))?)
            }
        })
    }
}

impl Quoted {
    fn of(data_type: &DataType) -> Self {
        match data_type {
            DataType::Decimal { .. } => Self::Either,
            DataType::Text | DataType::Date | DataType::Time | DataType::Timestamp { .. } => Self::Always,
            _ => Self::Never,
        }
    }
}

fn append_single(parser: &mut Parser, quoted: Quoted, json: &str) -> bool {
    match (json.starts_with('"'), quoted) {
        (true, Quoted::Never) | (false, Quoted::Always) => false,
        (false, _) => parser.append(json),
        (true, _) => match json.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
            Some(text) if !text.contains('\\') => parser.append(text),
            _ => serde_json::from_str::<String>(json).is_ok_and(|text| parser.append(&text)),
        },
    }
}

#[cfg(test)]
mod tests {
    use arrow::util::display::array_value_to_string;
    use meshgate_policies::data_type::{Field, TimeUnit};

    use super::*;

    fn shown(data_type: &DataType, json: &str) -> Option<String> {
        let mut column = Column::new(data_type).unwrap();
        column.append(Some(json)).then(|| {
            let array = column.finish().unwrap();
            assert_eq!(array.data_type(), &without_promises(&data_type::to_arrow(data_type)));
            match array.is_null(0) {
                true => "NULL".to_owned(),
                false => array_value_to_string(&array, 0).unwrap(),
            }
        })
    }

    fn timestamp(zone: Option<&str>) -> DataType {
        DataType::Timestamp { unit: TimeUnit::Microsecond, zone: zone.map(str::to_owned) }
    }

    fn list(data_type: DataType) -> DataType {
        DataType::List(Box::new(Field { name: "item".to_owned(), data_type, nullable: true }))
    }

    fn field(name: &str, data_type: DataType) -> Field {
        Field { name: name.to_owned(), data_type, nullable: true }
    }

    #[test]
    fn values_of_every_type_are_read_exactly() {
        let decimal = DataType::Decimal { precision: 38, scale: 2 };
        for (data_type, json, expected) in [
            (DataType::Boolean, "true", "true"),
            (DataType::Int8, "-128", "-128"),
            (DataType::Int64, "9223372036854775807", "9223372036854775807"),
            (DataType::UInt64, "18446744073709551615", "18446744073709551615"),
            (DataType::Float32, "1.5", "1.5"),
            (DataType::Float64, "-1.25e3", "-1250.0"),
            (
                decimal.clone(),
                "123456789012345678901234567890123456.10",
                "123456789012345678901234567890123456.10",
            ),
            (decimal, "\"-0.5\"", "-0.50"),
            (DataType::Text, "\"x \\\"y\\\" \\u00e4\"", "x \"y\" ä"),
            (DataType::Text, "\"null\"", "null"),
            (DataType::Date, "\"2026-11-23\"", "2026-11-23"),
            (DataType::Time, "\"10:00:00\"", "10:00:00"),
            (timestamp(None), "\"2026-11-23T10:00:00\"", "2026-11-23T10:00:00"),
            (timestamp(Some("UTC")), "\"2026-11-23T10:00:00+01:00\"", "2026-11-23T09:00:00Z"),
            (DataType::Int64, "null", "NULL"),
            (list(DataType::Int64), "[1, null, 3]", "[1, , 3]"),
            (list(DataType::Int64), "[]", "[]"),
            (list(DataType::Int64), "null", "NULL"),
            (list(list(DataType::Text)), "[[\"a\"], [], null]", "[[a], [], ]"),
            (
                DataType::Struct(vec![field("a", DataType::Int64), field("b", list(DataType::Date))]),
                "{\"b\": [\"2026-11-23\"], \"ignored\": {}}",
                "{a: , b: [2026-11-23]}",
            ),
        ] {
            assert_eq!(shown(&data_type, json).as_deref(), Some(expected), "{data_type} {json}");
        }
    }

    #[test]
    fn what_is_not_exactly_a_value_of_the_type_is_refused() {
        let decimal = DataType::Decimal { precision: 5, scale: 2 };
        for (data_type, json) in [
            (DataType::Boolean, "1"),
            (DataType::Boolean, "\"true\""),
            (DataType::Int64, "1.0"),
            (DataType::Int64, "1e3"),
            (DataType::Int64, "\"1\""),
            (DataType::Int64, "9223372036854775808"),
            (DataType::UInt8, "-1"),
            (DataType::Float64, "\"1.5\""),
            (DataType::Float64, "\"NaN\""),
            (DataType::Float64, "1e999"),
            (decimal.clone(), "0.001"),
            (decimal.clone(), "1e1"),
            (decimal, "1000"),
            (DataType::Text, "1"),
            (DataType::Text, "{}"),
            (DataType::Text, "\"\\ud800\""),
            (DataType::Date, "20261123"),
            (DataType::Date, "\"23.11.2026\""),
            (timestamp(None), "\"2026-11-23T10:00:00Z\""),
            (timestamp(Some("UTC")), "\"2026-11-23T10:00:00\""),
            (list(DataType::Int64), "1"),
            (list(DataType::Int64), "[\"1\"]"),
            (list(DataType::Int64), "{}"),
            (DataType::Struct(vec![field("a", DataType::Int64)]), "[]"),
            (DataType::Struct(vec![field("a", DataType::Int64)]), "{\"a\": \"1\"}"),
            (DataType::Struct(vec![field("a", DataType::Int64)]), "{\"a\": 1, \"a\": 2}"),
        ] {
            assert_eq!(shown(&data_type, json), None, "{data_type} {json}");
        }
    }

    #[test]
    fn a_column_is_empty_again_after_each_batch() {
        let mut column = Column::new(&list(DataType::Int64)).unwrap();
        assert!(column.append(Some("[1, 2]")) && column.append(None));
        assert_eq!(column.finish().unwrap().len(), 2);
        assert!(column.append(Some("[3]")));
        let array = column.finish().unwrap();
        assert_eq!((array.len(), array_value_to_string(&array, 0).unwrap().as_str()), (1, "[3]"));
    }

    #[test]
    fn binary_has_no_spelling_in_json() {
        assert!(!can_hold(&DataType::Binary) && !can_hold(&list(DataType::Binary)));
        assert!(can_hold(&list(DataType::Text)));
    }
}
