//! The types of contracts beside those that random queries compute with: they are masked, hidden,
//! filtered and carried as the others, and compared with each other.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryArray, Float32Array, Int8Array, Int16Array, Int64Array, ListArray, StringArray,
    StructArray, Time64MicrosecondArray, TimestampMicrosecondArray, TimestampMillisecondArray,
    TimestampNanosecondArray, TimestampSecondArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, Fields, TimeUnit};
use meshgate_oracle::Value;
use serde_json::{Value as Json, json};

use super::random::Random;
use super::secrets;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Rare {
    Int8,
    Int16,
    UInt8,
    UInt16,
    UInt32,
    UInt64,
    Float32,
    Binary,
    Time,
    Seconds,
    Millis,
    Nanos,
    /// A timestamp with a zone.
    Instant,
    /// `{ a: int64, b: text }`
    Object,
    Texts,
    Numbers,
    /// Lists of `{ a: int64, b: text }`
    Objects,
}

const IN_CSV: [Rare; 7] =
    [Rare::Int8, Rare::Int16, Rare::UInt8, Rare::UInt16, Rare::UInt32, Rare::UInt64, Rare::Float32];
const IN_BINARY: [Rare; 9] = [
    Rare::Binary,
    Rare::Time,
    Rare::Seconds,
    Rare::Millis,
    Rare::Nanos,
    Rare::Instant,
    Rare::Object,
    Rare::Texts,
    Rare::Numbers,
];
/// Much can be said of their fields.
const WITH_FIELDS: [Rare; 2] = [Rare::Object, Rare::Objects];

impl Rare {
    pub(crate) fn any(random: &mut Random, is_binary: bool) -> Self {
        match random.below(10) {
            0..3 if is_binary => random.pick(&WITH_FIELDS),
            3..7 if is_binary => random.pick(&IN_BINARY),
            _ => random.pick(&IN_CSV),
        }
    }

    /// For the counters.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Int8 => "type int8",
            Self::Int16 => "type int16",
            Self::UInt8 => "type uint8",
            Self::UInt16 => "type uint16",
            Self::UInt32 => "type uint32",
            Self::UInt64 => "type uint64",
            Self::Float32 => "type float32",
            Self::Binary => "type binary",
            Self::Time => "type time",
            Self::Seconds => "type timestamp(s)",
            Self::Millis => "type timestamp(ms)",
            Self::Nanos => "type timestamp(ns)",
            Self::Instant => "type timestamp(us,UTC)",
            Self::Object => "type struct",
            Self::Texts => "type list of texts",
            Self::Numbers => "type list of numbers",
            Self::Objects => "type list of structs",
        }
    }

    pub(crate) fn is_nested(self) -> bool {
        matches!(self, Self::Object | Self::Texts | Self::Numbers | Self::Objects)
    }

    pub(crate) fn is_number(self) -> bool {
        IN_CSV.contains(&self)
    }

    /// What a contract says of a column, beside its name.
    pub(crate) fn contract(self) -> Json {
        let simple =
            |logical: &str, physical: &str| json!({ "logicalType": logical, "physicalType": physical });
        match self {
            Self::Int8 => simple("integer", "tinyint"),
            Self::Int16 => simple("integer", "smallint"),
            Self::UInt8 => simple("integer", "uint8"),
            Self::UInt16 => simple("integer", "uint16"),
            Self::UInt32 => simple("integer", "uint32"),
            Self::UInt64 => simple("integer", "uint64"),
            Self::Float32 => simple("number", "real"),
            Self::Binary => simple("string", "binary"),
            Self::Time => simple("time", "time"),
            Self::Seconds => simple("timestamp", "timestamp_s"),
            Self::Millis => simple("timestamp", "timestamp_ms"),
            Self::Nanos => simple("timestamp", "timestamp_ns"),
            Self::Instant => simple("timestamp", "timestamptz"),
            Self::Object => object(),
            Self::Objects => json!({ "logicalType": "array", "items": object() }),
            Self::Texts => json!({ "logicalType": "array", "items": { "logicalType": "string" } }),
            Self::Numbers => json!({ "logicalType": "array", "items": { "logicalType": "integer" } }),
        }
    }

    pub(crate) fn arrow(self) -> DataType {
        let list = |item| DataType::List(Arc::new(Field::new_list_field(item, true)));
        match self {
            Self::Int8 => DataType::Int8,
            Self::Int16 => DataType::Int16,
            Self::UInt8 => DataType::UInt8,
            Self::UInt16 => DataType::UInt16,
            Self::UInt32 => DataType::UInt32,
            Self::UInt64 => DataType::UInt64,
            Self::Float32 => DataType::Float32,
            Self::Binary => DataType::Binary,
            Self::Time => DataType::Time64(TimeUnit::Microsecond),
            Self::Seconds => DataType::Timestamp(TimeUnit::Second, None),
            Self::Millis => DataType::Timestamp(TimeUnit::Millisecond, None),
            Self::Nanos => DataType::Timestamp(TimeUnit::Nanosecond, None),
            Self::Instant => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Object => DataType::Struct(object_fields()),
            Self::Texts => list(DataType::Utf8),
            Self::Numbers => list(DataType::Int64),
            Self::Objects => list(DataType::Struct(object_fields())),
        }
    }

    /// A value that is not NULL.
    pub(crate) fn value(self, random: &mut Random) -> Value {
        let moment = |random: &mut Random| {
            Value::Timestamp((random.between(19_700, 19_730) * 86_400 + random.between(-2, 2)) * 1_000_000)
        };
        let extreme = |random: &mut Random, low: i128, high: i128| {
            let usual = i128::from(random.between(0, 9));
            Value::Integer(if random.chance(8) { random.pick(&[low, high]) } else { usual })
        };
        match self {
            Self::Int8 => extreme(random, i8::MIN.into(), i8::MAX.into()),
            Self::Int16 => extreme(random, i16::MIN.into(), i16::MAX.into()),
            Self::UInt8 => extreme(random, 0, u8::MAX.into()),
            Self::UInt16 => extreme(random, 0, u16::MAX.into()),
            Self::UInt32 => extreme(random, 0, u32::MAX.into()),
            // What is more does not fit into the type in which it leaves the gateway.
            Self::UInt64 => extreme(random, 0, i64::MAX.into()),
            Self::Float32 => Value::Float(f64::from(i16::try_from(random.between(-8, 36)).unwrap()) * 0.25),
            Self::Binary => Value::Binary(text(random).into_bytes()),
            Self::Time => Value::Time(random.between(0, 23) * 3_600_000_000 + random.between(0, 3)),
            Self::Seconds | Self::Millis | Self::Nanos | Self::Instant => moment(random),
            Self::Object => struct_value(random),
            Self::Objects => list(random, struct_value),
            Self::Texts => list(random, |random| Value::Text(text(random))),
            Self::Numbers => list(random, |random| Value::Integer(random.between(-2, 9).into())),
        }
    }

    /// A literal of a statement.
    pub(crate) fn literal(self, random: &mut Random) -> String {
        match self {
            Self::Float32 => random.pick(&["0.5", "2.25", "0", "4"]).to_owned(),
            Self::Binary => "cast('x' as bytea)".to_owned(),
            Self::Time => format!("time '{:02}:00:00'", random.below(24)),
            Self::Seconds | Self::Millis | Self::Nanos | Self::Instant => {
                format!("timestamp '2023-12-{:02} 00:00:00'", random.between(10, 31))
            }
            Self::Object | Self::Texts | Self::Numbers | Self::Objects => "null".to_owned(),
            _ => random.between(0, 9).to_string(),
        }
    }

    pub(crate) fn array(self, cells: &[&Value]) -> ArrayRef {
        match self {
            Self::Int8 => Arc::new(Int8Array::from(integers(cells))),
            Self::Int16 => Arc::new(Int16Array::from(integers(cells))),
            Self::UInt8 => Arc::new(UInt8Array::from(integers(cells))),
            Self::UInt16 => Arc::new(UInt16Array::from(integers(cells))),
            Self::UInt32 => Arc::new(UInt32Array::from(integers(cells))),
            Self::UInt64 => Arc::new(UInt64Array::from(integers(cells))),
            Self::Float32 => Arc::new(Float32Array::from(of(cells, |cell| match cell {
                #[expect(clippy::cast_possible_truncation, reason = "quarters fit")]
                Value::Float(value) => Some(*value as f32),
                _ => None,
            }))),
            Self::Binary => Arc::new(BinaryArray::from_iter(of(cells, |cell| match cell {
                Value::Binary(bytes) => Some(bytes.clone()),
                _ => None,
            }))),
            Self::Time => Arc::new(Time64MicrosecondArray::from(of(cells, |cell| match cell {
                Value::Time(micros) => Some(*micros),
                _ => None,
            }))),
            Self::Seconds => {
                Arc::new(TimestampSecondArray::from(moments(cells, |micros| micros / 1_000_000)))
            }
            Self::Millis => Arc::new(TimestampMillisecondArray::from(moments(cells, |micros| micros / 1000))),
            Self::Nanos => Arc::new(TimestampNanosecondArray::from(moments(cells, |micros| micros * 1000))),
            Self::Instant => {
                let array = TimestampMicrosecondArray::from(moments(cells, |micros| micros));
                Arc::new(array.with_timezone("UTC"))
            }
            Self::Object => objects(cells),
            Self::Texts => lists(cells, |items| Arc::new(StringArray::from(texts(items)))),
            Self::Numbers => lists(cells, |items| Arc::new(Int64Array::from(integers(items)))),
            Self::Objects => lists(cells, objects),
        }
    }
}

fn object() -> Json {
    json!({ "logicalType": "object", "properties": [
        { "name": "a", "logicalType": "integer" }, { "name": "b", "logicalType": "string" }] })
}

fn struct_value(random: &mut Random) -> Value {
    Value::Struct(vec![
        ("a".to_owned(), maybe(random, |random| Value::Integer(random.between(-2, 9).into()))),
        ("b".to_owned(), maybe(random, |random| Value::Text(text(random)))),
    ])
}

fn object_fields() -> Fields {
    Fields::from(vec![Field::new("a", DataType::Int64, true), Field::new("b", DataType::Utf8, true)])
}

fn text(random: &mut Random) -> String {
    if random.chance(40) { secrets::word(random) } else { random.pick(&["x", "north", ""]).to_owned() }
}

fn maybe(random: &mut Random, value: impl Fn(&mut Random) -> Value) -> Value {
    if random.chance(20) { Value::Null } else { value(random) }
}

fn list(random: &mut Random, value: impl Fn(&mut Random) -> Value) -> Value {
    Value::List((0..random.below(4)).map(|_| maybe(random, &value)).collect())
}

/// The cells as this kind of value; another kind is a mistake.
pub(crate) fn of<T>(cells: &[&Value], read: impl Fn(&Value) -> Option<T>) -> Vec<Option<T>> {
    let read = |cell: &&Value| {
        (**cell != Value::Null).then(|| read(cell).unwrap_or_else(|| panic!("{cell:?} in another column")))
    };
    cells.iter().map(read).collect()
}

pub(crate) fn integers<T: TryFrom<i128>>(cells: &[&Value]) -> Vec<Option<T>> {
    of(cells, |cell| if let Value::Integer(value) = cell { T::try_from(*value).ok() } else { None })
}

pub(crate) fn texts(cells: &[&Value]) -> Vec<Option<String>> {
    of(cells, |cell| if let Value::Text(value) = cell { Some(value.clone()) } else { None })
}

fn moments(cells: &[&Value], count: impl Fn(i64) -> i64) -> Vec<Option<i64>> {
    of(cells, |cell| if let Value::Timestamp(micros) = cell { Some(count(*micros)) } else { None })
}

fn validity(cells: &[&Value]) -> NullBuffer {
    cells.iter().map(|cell| **cell != Value::Null).collect::<Vec<_>>().into()
}

fn field_of(cell: &Value, at: usize) -> &Value {
    if let Value::Struct(fields) = cell { &fields[at].1 } else { &Value::Null }
}

fn objects(cells: &[&Value]) -> ArrayRef {
    let field = |at: usize| cells.iter().map(|cell| field_of(cell, at)).collect::<Vec<_>>();
    let columns: Vec<ArrayRef> =
        vec![Arc::new(Int64Array::from(integers(&field(0)))), Arc::new(StringArray::from(texts(&field(1))))];
    Arc::new(StructArray::new(object_fields(), columns, Some(validity(cells))))
}

fn lists(cells: &[&Value], array: impl Fn(&[&Value]) -> ArrayRef) -> ArrayRef {
    let items_of = |cell: &&'_ Value| match cell {
        Value::List(items) => items.len(),
        _ => 0,
    };
    let offsets = OffsetBuffer::from_lengths(cells.iter().map(items_of));
    let items: Vec<&Value> = cells
        .iter()
        .flat_map(|cell| if let Value::List(items) = cell { items.as_slice() } else { &[] })
        .collect();
    let items = array(&items);
    let field = Arc::new(Field::new_list_field(items.data_type().clone(), true));
    Arc::new(ListArray::new(field, offsets, items, Some(validity(cells))))
}
