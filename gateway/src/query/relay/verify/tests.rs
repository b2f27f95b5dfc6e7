//! Each check alone, and that what passes all of them is what the decoder takes.

use std::{collections::HashMap, sync::Arc};

use arrow::{
    array::{
        Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, FixedSizeBinaryArray,
        FixedSizeListArray, Float64Array, Int32Array, Int64Array, LargeListArray, LargeStringArray,
        ListArray, NullArray, RecordBatch, RecordBatchOptions, StringArray, StructArray,
        TimestampMicrosecondArray, UInt64Array,
        builder::{Int64Builder, MapBuilder, StringBuilder},
    },
    buffer::{NullBuffer, OffsetBuffer},
    datatypes::{Int32Type, Int64Type, SchemaRef},
    ipc::{
        BodyCompression, BodyCompressionArgs, KeyValue, KeyValueArgs, Message, MessageArgs, MessageHeader,
        RecordBatch as Header, RecordBatchArgs,
    },
};
use arrow_flight::utils::{batches_to_flight_data, flight_data_to_arrow_batch};
use flatbuffers::FlatBufferBuilder;

use super::*;
use crate::edge;

fn encoded(batch: &RecordBatch) -> FlightData {
    batches_to_flight_data(&batch.schema(), vec![batch.clone()]).unwrap().pop().unwrap()
}

fn decoded(message: &FlightData, schema: &SchemaRef) -> Result<RecordBatch, arrow::error::ArrowError> {
    flight_data_to_arrow_batch(message, Arc::clone(schema), &HashMap::new())
}

/// A message that can be changed before it is written.
struct Parts {
    schema: SchemaRef,
    version: MetadataVersion,
    rows: i64,
    nodes: Vec<(i64, i64)>,
    /// Where they begin, and how long they are.
    buffers: Vec<(i64, i64)>,
    variadic_counts: Vec<i64>,
    compressed: bool,
    metadata: bool,
    body: Vec<u8>,
    body_length: i64,
}

impl Parts {
    /// Of one column.
    fn of(column: impl Array + 'static, nullable: bool) -> Self {
        let column: ArrayRef = Arc::new(column);
        let batch = RecordBatch::try_from_iter_with_nullable([("c", column, nullable)]).unwrap();
        let message = encoded(&batch);
        let header = root_as_message(&message.data_header).unwrap();
        let of_batch = header.header_as_record_batch().unwrap();
        let parts = Self {
            schema: batch.schema(),
            version: header.version(),
            rows: of_batch.length(),
            nodes: of_batch.nodes().unwrap().iter().map(|node| (node.length(), node.null_count())).collect(),
            buffers: of_batch.buffers().unwrap().iter().map(|own| (own.offset(), own.length())).collect(),
            variadic_counts: Vec::new(),
            compressed: false,
            metadata: false,
            body: message.data_body.to_vec(),
            body_length: header.bodyLength(),
        };
        assert!(parts.look().unwrap().is_certain, "it is good before it is changed");
        parts
    }

    fn message(&self) -> FlightData {
        let mut builder = FlatBufferBuilder::new();
        let nodes: Vec<_> =
            self.nodes.iter().map(|(length, nulls)| FieldNode::new(*length, *nulls)).collect();
        let buffers: Vec<_> =
            self.buffers.iter().map(|(begin, length)| Buffer::new(*begin, *length)).collect();
        let (nodes, buffers) = (builder.create_vector(&nodes), builder.create_vector(&buffers));
        let counts = (!self.variadic_counts.is_empty()).then(|| builder.create_vector(&self.variadic_counts));
        let compression =
            self.compressed.then(|| BodyCompression::create(&mut builder, &BodyCompressionArgs::default()));
        let batch = RecordBatchArgs {
            length: self.rows,
            nodes: Some(nodes),
            buffers: Some(buffers),
            compression,
            variadicBufferCounts: counts,
        };
        let batch = Header::create(&mut builder, &batch);
        let metadata = self.metadata.then(|| {
            let key = builder.create_string("from the node");
            let entry = KeyValue::create(&mut builder, &KeyValueArgs { key: Some(key), value: None });
            builder.create_vector(&[entry])
        });
        let message = MessageArgs {
            version: self.version,
            header_type: MessageHeader::RecordBatch,
            header: Some(batch.as_union_value()),
            bodyLength: self.body_length,
            custom_metadata: metadata,
        };
        let message = Message::create(&mut builder, &message);
        builder.finish(message, None);
        let (header, body) = (builder.finished_data().to_vec(), self.body.clone());
        FlightData { data_header: header.into(), data_body: body.into(), ..FlightData::default() }
    }

    fn look(&self) -> Result<Verified, Fault> {
        batch(&self.message(), &self.schema)
    }

    /// The fault of the message once it is changed.
    fn fault(mut self, change: impl FnOnce(&mut Self)) -> Fault {
        change(&mut self);
        self.look().unwrap_err()
    }

    fn write(&mut self, buffer: usize, at: usize, bytes: &[u8]) {
        let begin = usize::try_from(self.buffers[buffer].0).unwrap() + at;
        self.body[begin..begin + bytes.len()].copy_from_slice(bytes);
    }
}

/// Buffers: validity, values.
fn numbers() -> Parts {
    Parts::of(Int64Array::from(vec![1, 2, 3]), false)
}

/// Buffers: validity, values.
fn numbers_with_a_null() -> Parts {
    Parts::of(Int64Array::from(vec![Some(1), None, Some(3)]), true)
}

/// Buffers: validity, offsets, values.
fn texts() -> Parts {
    Parts::of(StringArray::from(vec!["ab", "cd", "é"]), false)
}

/// Buffers: validity, offsets, validity of the elements, elements.
fn lists() -> Parts {
    let lists = [Some(vec![Some(1), Some(2)]), Some(vec![Some(3)])];
    Parts::of(ListArray::from_iter_primitive::<Int32Type, _, _>(lists), true)
}

#[test]
fn what_is_no_batch() {
    let message = |header: &[u8]| FlightData { data_header: header.to_vec().into(), ..FlightData::default() };
    let schema = numbers().schema;
    let of_schema = batches_to_flight_data(&schema, Vec::new()).unwrap().remove(0);
    for message in [message(b""), message(&[7; 64]), of_schema] {
        assert_eq!(batch(&message, &schema), Err(Fault::NoBatch));
    }
}

#[test]
fn the_header_as_a_whole() {
    assert_eq!(numbers().fault(|parts| parts.version = MetadataVersion::V4), Fault::Version);
    assert_eq!(numbers().fault(|parts| parts.metadata = true), Fault::Metadata);
    assert_eq!(numbers().fault(|parts| parts.compressed = true), Fault::Compressed);
    assert_eq!(numbers().fault(|parts| parts.body_length += 8), Fault::BodyLength);
    assert_eq!(numbers().fault(|parts| parts.body_length = -1), Fault::BodyLength);
    assert_eq!(numbers().fault(|parts| parts.body.extend([0; 8])), Fault::BodyLength);
}

#[test]
fn how_many_columns_and_buffers() {
    assert_eq!(numbers().fault(|parts| parts.nodes.clear()), Fault::Columns);
    assert_eq!(numbers().fault(|parts| parts.nodes.push((3, 0))), Fault::Columns);
    assert_eq!(numbers().fault(|parts| parts.buffers.truncate(parts.buffers.len() - 1)), Fault::Buffers);
    assert_eq!(numbers().fault(|parts| parts.buffers.push((0, 0))), Fault::Buffers);
    assert_eq!(numbers().fault(|parts| parts.variadic_counts.push(0)), Fault::Buffers);
    // Nested columns count.
    assert_eq!(lists().fault(|parts| parts.nodes.truncate(1)), Fault::Columns);
    assert_eq!(lists().fault(|parts| parts.buffers.truncate(parts.buffers.len() - 1)), Fault::Buffers);
}

#[test]
fn how_long_columns_are() {
    assert_eq!(numbers().fault(|parts| parts.rows = -1), Fault::Length);
    assert_eq!(numbers().fault(|parts| parts.rows = 2), Fault::Length);
    assert_eq!(numbers().fault(|parts| parts.nodes[0].0 = -3), Fault::Length);
    assert_eq!(numbers().fault(|parts| parts.nodes[0].0 = 2), Fault::Length);
    let field = Arc::new(Field::new("f", DataType::Int64, false));
    let structs = || {
        let inner: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
        let structs = StructArray::from(vec![(Arc::clone(&field), inner)]);
        Parts::of(structs, false)
    };
    assert_eq!(structs().fault(|parts| parts.nodes[1].0 = 2), Fault::Length);
    let pairs = || {
        let pairs = [Some(vec![Some(1), Some(2)]), Some(vec![Some(3), Some(4)])];
        let pairs = FixedSizeListArray::from_iter_primitive::<Int32Type, _, _>(pairs, 2);
        Parts::of(pairs, true)
    };
    assert_eq!(pairs().fault(|parts| parts.nodes[1].0 = 3), Fault::Length);
}

#[test]
fn how_many_nulls_there_are() {
    assert_eq!(numbers_with_a_null().fault(|parts| parts.nodes[0].1 = -1), Fault::NullCount);
    assert_eq!(numbers_with_a_null().fault(|parts| parts.nodes[0].1 = 4), Fault::NullCount);
    assert_eq!(numbers_with_a_null().fault(|parts| parts.nodes[0].1 = 2), Fault::NullCount);
    assert_eq!(numbers_with_a_null().fault(|parts| parts.nodes[0].1 = 0), Fault::NullCount);
    assert_eq!(numbers_with_a_null().fault(|parts| parts.buffers[0].1 = 0), Fault::Short);
    let nothing = || Parts::of(NullArray::new(3), true);
    assert_eq!(nothing().fault(|parts| parts.nodes[0].1 = 0), Fault::NullCount);
    let forbidden = |parts: &mut Parts| {
        let field = parts.schema.field(0).clone().with_nullable(false);
        parts.schema = Arc::new(Schema::new(vec![field]));
    };
    assert_eq!(numbers_with_a_null().fault(forbidden), Fault::Null);
}

#[test]
fn bits_beyond_the_last_row_are_no_cells() {
    let mut parts = numbers_with_a_null();
    let begin = usize::try_from(parts.buffers[0].0).unwrap();
    parts.body[begin] |= 0b1111_1000;
    assert!(parts.look().is_ok());
    assert_eq!((zeros(&[0xff, 0x01], 9), zeros(&[0xff, 0xff], 16), zeros(&[], 0)), (0, 0, 0));
    assert_eq!(zeros(&[0xfe, 0xf0], 12), 5);
}

#[test]
fn a_null_where_only_a_null_around_it_would_excuse_it_is_for_the_decoder() {
    let inner: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None]));
    let optional = Arc::new(Field::new("f", DataType::Int64, true));
    let structs =
        StructArray::new(vec![optional].into(), vec![inner], Some(NullBuffer::from(vec![true, false])));
    let mut parts = Parts::of(structs, true);
    let required = Field::new("f", DataType::Int64, false);
    let field = Field::new("s", DataType::Struct(vec![required].into()), true);
    parts.schema = Arc::new(Schema::new(vec![field]));
    assert!(!parts.look().unwrap().is_certain);
    assert!(decoded(&parts.message(), &parts.schema).is_ok());
}

#[test]
fn where_buffers_lie() {
    assert_eq!(numbers().fault(|parts| parts.buffers[1].0 = -8), Fault::Outside);
    assert_eq!(numbers().fault(|parts| parts.buffers[1].1 = -8), Fault::Outside);
    assert_eq!(numbers().fault(|parts| parts.buffers[1].0 = i64::MAX - 7), Fault::Outside);
    let long = |parts: &mut Parts| parts.buffers[1].1 = parts.body_length + 1;
    assert_eq!(numbers().fault(long), Fault::Outside);
    assert_eq!(numbers().fault(|parts| parts.buffers[1].0 = 4), Fault::Alignment);
}

#[test]
fn how_long_buffers_are() {
    assert_eq!(numbers().fault(|parts| parts.buffers[1].1 = 23), Fault::Short);
    assert_eq!(texts().fault(|parts| parts.buffers[1].1 = 12), Fault::Short);
    assert_eq!(lists().fault(|parts| parts.buffers[1].1 = 0), Fault::Short);
    assert_eq!(texts().fault(|parts| parts.buffers[1].1 = 17), Fault::Part);
    assert_eq!(lists().fault(|parts| parts.buffers[1].1 = 14), Fault::Part);
    let flags = || Parts::of(BooleanArray::from(vec![true; 9]), false);
    assert_eq!(flags().fault(|parts| parts.buffers[1].1 = 1), Fault::Short);
    let keys = || {
        let keys = FixedSizeBinaryArray::try_from_iter([[1_u8; 5], [2; 5]].into_iter()).unwrap();
        Parts::of(keys, false)
    };
    assert_eq!(keys().fault(|parts| parts.buffers[1].1 = 9), Fault::Short);
}

#[test]
fn where_offsets_point() {
    // Below zero, back, and beyond.
    assert_eq!(texts().fault(|parts| parts.write(1, 0, &(-1_i32).to_le_bytes())), Fault::Offset);
    assert_eq!(texts().fault(|parts| parts.write(1, 8, &1_i32.to_le_bytes())), Fault::Offset);
    assert_eq!(texts().fault(|parts| parts.write(1, 12, &1_000_000_i32.to_le_bytes())), Fault::Offset);
    assert_eq!(texts().fault(|parts| parts.buffers[2].1 = 5), Fault::Offset);
    assert_eq!(lists().fault(|parts| parts.write(1, 8, &4_i32.to_le_bytes())), Fault::Offset);
    let wide = || Parts::of(LargeStringArray::from(vec!["ab", "cd"]), false);
    assert_eq!(wide().fault(|parts| parts.write(1, 16, &i64::MAX.to_le_bytes())), Fault::Offset);
    assert_eq!(wide().fault(|parts| parts.write(1, 8, &5_i64.to_le_bytes())), Fault::Offset);
}

#[test]
fn what_is_no_text() {
    assert_eq!(texts().fault(|parts| parts.write(2, 0, &[0xff])), Fault::Text);
    // The middle of a character.
    assert_eq!(texts().fault(|parts| parts.write(1, 8, &5_i32.to_le_bytes())), Fault::Text);
    // Bytes may be anything.
    let mut bytes = Parts::of(BinaryArray::from_vec(vec![&b"ab"[..], &b"cd"[..]]), false);
    bytes.write(2, 0, &[0xff]);
    assert!(bytes.look().is_ok());
}

#[test]
fn no_rows_need_no_offsets() {
    let mut parts = Parts::of(StringArray::from(Vec::<&str>::new()), false);
    parts.buffers[1].1 = 0;
    assert_eq!(parts.look().map(|verified| verified.rows), Ok(0));
}

/// Each type that is known, with NULLs and without.
fn all_types() -> RecordBatch {
    const ROWS: usize = 5;
    let texts = || StringArray::from(vec![Some("a"), None, Some("é"), Some(""), Some("long enough")]);
    let numbers = || Int64Array::from(vec![Some(1), None, Some(3), Some(i64::MIN), Some(5)]);
    let lists = || {
        let lists = [Some(vec![Some(1), None]), None, Some(vec![]), Some(vec![Some(2)]), Some(vec![None])];
        lists.into_iter()
    };
    let field = |name: &str, data_type, nullable| Arc::new(Field::new(name, data_type, nullable));
    let structs = || {
        StructArray::new(
            vec![field("t", DataType::Utf8, true), field("n", DataType::Int64, true)].into(),
            vec![Arc::new(texts()) as _, Arc::new(numbers()) as _],
            Some(NullBuffer::from(vec![true, true, false, true, true])),
        )
    };
    let of_structs = ListArray::new(
        field("item", structs().data_type().clone(), true),
        OffsetBuffer::from_lengths([2, 0, 1, 1, 1]),
        Arc::new(structs()),
        Some(NullBuffer::from(vec![true, false, true, true, true])),
    );
    let pairs = [Some(vec![Some(1), None]), None, Some(vec![Some(3), Some(4)]), None, None];
    let mut map = MapBuilder::new(None, StringBuilder::new(), Int64Builder::new());
    for row in 0..ROWS {
        map.keys().append_value("key");
        map.values().append_option((row % 2 == 0).then_some(1));
        map.append(row != 3).unwrap();
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(NullArray::new(ROWS)),
        Arc::new(BooleanArray::from(vec![Some(true), None, Some(false), None, Some(true)])),
        Arc::new(Int32Array::from(vec![1, 2, 3, 4, 5])),
        Arc::new(numbers()),
        Arc::new(UInt64Array::from(vec![None, Some(u64::MAX), None, None, None])),
        Arc::new(Float64Array::from(vec![Some(f64::NAN), None, Some(-0.0), Some(1.5), None])),
        Arc::new(Decimal128Array::from(vec![Some(1), None, Some(-3), None, None])),
        Arc::new(Date32Array::from(vec![0, 1, 2, 3, 4])),
        Arc::new(TimestampMicrosecondArray::from(vec![Some(1); ROWS]).with_timezone("UTC")),
        Arc::new(texts()),
        Arc::new(LargeStringArray::from_iter(texts().iter())),
        Arc::new(BinaryArray::from_iter(texts().iter().map(|text| text.map(str::as_bytes)))),
        Arc::new(FixedSizeBinaryArray::try_from_iter((0..5_u8).map(|row| [row; 3])).unwrap()),
        Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(lists())),
        Arc::new(LargeListArray::from_iter_primitive::<Int32Type, _, _>(lists())),
        Arc::new(FixedSizeListArray::from_iter_primitive::<Int32Type, _, _>(pairs, 2)),
        Arc::new(structs()),
        Arc::new(of_structs),
        Arc::new(map.finish()),
        Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>([(); ROWS].map(|()| Some([Some(1)])))),
    ];
    let named = columns.into_iter().enumerate().map(|(number, column)| (format!("c{number}"), column, true));
    RecordBatch::try_from_iter_with_nullable(named).unwrap()
}

#[test]
fn what_nodes_encode_is_counted_as_it_is_once_it_is_decoded() {
    let all = all_types();
    assert!(all.schema().fields().iter().all(|field| is_known(field.data_type())));
    let counts = RecordBatchOptions::new().with_row_count(Some(7));
    let no_columns =
        RecordBatch::try_new_with_options(Arc::new(Schema::empty()), Vec::new(), &counts).unwrap();
    for (example, rows) in
        [(all.clone(), 5), (all.slice(0, 0), 0), (all.slice(1, 3), 3), (all.slice(4, 1), 1), (no_columns, 7)]
    {
        let message = encoded(&example);
        let verified = batch(&message, &example.schema()).unwrap();
        let decoded = decoded(&message, &example.schema()).unwrap();
        assert_eq!(decoded, example);
        assert_eq!(verified, Verified { rows, bytes: edge::size(&decoded), is_certain: true });
    }
}

/// Whatever is done to a message: what passes is what the decoder takes, and neither is led astray.
#[test]
fn what_passes_can_be_decoded_whatever_is_done_to_it() {
    const ATTEMPTS: u64 = 20_000;
    let (example, mut seed) = (all_types(), 0x9e37_79b9_7f4a_7c15_u64);
    let (good, schema) = (encoded(&example), example.schema());
    let mut random = |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % u64::try_from(below).unwrap()).unwrap()
    };
    let (mut passed, mut refused) = (0, 0);
    for _ in 0..ATTEMPTS {
        let (mut header, mut body) = (good.data_header.to_vec(), good.data_body.to_vec());
        for _ in 0..=random(2) {
            let bytes = if random(2) == 0 { &mut header } else { &mut body };
            let position = random(bytes.len());
            bytes[position] = [0, 1, 7, 0x7f, 0x80, 0xff, bytes[position] ^ 1][random(7)];
        }
        let message =
            FlightData { data_header: header.into(), data_body: body.into(), ..FlightData::default() };
        let Ok(verified) = batch(&message, &schema) else {
            refused += 1;
            continue;
        };
        passed += 1;
        let decoded = decoded(&message, &schema).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((verified.rows, verified.bytes), (decoded.num_rows(), edge::size(&decoded)));
        decoded.columns().iter().for_each(|column| column.to_data().validate_full().unwrap());
    }
    assert!(passed > 1_000 && refused > 1_000, "{passed} passed, {refused} refused");
}

#[test]
fn views_dictionaries_unions_and_runs_are_not_known() {
    let text = || Box::new(DataType::Utf8);
    let view = Arc::new(Field::new("item", DataType::Utf8View, true));
    for data_type in [
        DataType::Utf8View,
        DataType::BinaryView,
        DataType::Dictionary(Box::new(DataType::Int32), text()),
        DataType::List(Arc::clone(&view)),
        DataType::Struct(vec![view].into()),
        DataType::ListView(Arc::new(Field::new("item", DataType::Int32, true))),
    ] {
        assert!(!is_known(&data_type), "{data_type}");
    }
}
