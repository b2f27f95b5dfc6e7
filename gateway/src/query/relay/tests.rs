use arrow::datatypes::{DataType, Field};

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
