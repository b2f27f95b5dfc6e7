use arrow::{
    datatypes::{DataType, Field},
    ipc::{Message, MessageArgs, MessageHeader, MetadataVersion, Schema as Header, SchemaArgs},
};
use flatbuffers::FlatBufferBuilder;

use super::*;

fn schema(data_type: DataType, nullable: bool) -> Schema {
    Schema::new(vec![Field::new("c", data_type, nullable)])
}

#[test]
fn only_what_leaves_as_it_is_keeps_its_types() {
    let text = || schema(DataType::Utf8, true);
    assert!(keeps_types(&text(), &text()));
    // Names and metadata are the schema's own, which is ours.
    let renamed = Schema::new(vec![Field::new("other", DataType::Utf8, true)]);
    assert!(keeps_types(&text(), &renamed));
    assert!(keeps_types(&schema(DataType::Utf8, false), &text()));
    assert!(!keeps_types(&text(), &schema(DataType::Utf8, false)));
    assert!(!keeps_types(&text(), &Schema::empty()));
    assert!(!keeps_types(&schema(DataType::UInt8, true), &edge::schema(&schema(DataType::UInt8, true))));
    // Nothing widens it, and its layout is not known.
    let union = || {
        schema(
            DataType::Union(arrow::datatypes::UnionFields::empty(), arrow::datatypes::UnionMode::Dense),
            true,
        )
    };
    assert!(!keeps_types(&union(), &union()));
}

/// A schema without columns, whose numbers are written this way.
fn schema_message(endianness: Endianness) -> FlightData {
    let mut builder = FlatBufferBuilder::new();
    let no_fields = Some(builder.create_vector::<flatbuffers::ForwardsUOffset<arrow::ipc::Field<'_>>>(&[]));
    let schema = SchemaArgs { endianness, fields: no_fields, custom_metadata: None, features: None };
    let schema = Header::create(&mut builder, &schema);
    let message = MessageArgs {
        version: MetadataVersion::V5,
        header_type: MessageHeader::Schema,
        header: Some(schema.as_union_value()),
        bodyLength: 0,
        custom_metadata: None,
    };
    let message = Message::create(&mut builder, &message);
    builder.finish(message, None);
    FlightData { data_header: builder.finished_data().to_vec().into(), ..FlightData::default() }
}

#[test]
fn numbers_that_are_written_the_other_way_are_not_relayed() {
    let schema = little_endian_schema(&schema_message(Endianness::Little));
    assert_eq!(schema.map(|schema| schema.fields().len()), Some(0));
    assert!(little_endian_schema(&schema_message(Endianness::Big)).is_none());
}
