//! An array of another type than the decision's is refused, however alike the two are.

use std::sync::Arc;

use arrow::{
    array::new_null_array,
    datatypes::{DataType, Field, Fields, TimeUnit, UnionFields, UnionMode},
};

use crate::secured::scrub::rebuild;

fn field(name: &str, data_type: DataType) -> Arc<Field> {
    Arc::new(Field::new(name, data_type, true))
}

fn structure(fields: &[(&str, DataType)]) -> DataType {
    DataType::Struct(fields.iter().map(|(name, data_type)| field(name, data_type.clone())).collect())
}

fn map(value: DataType) -> DataType {
    let key = Arc::new(Field::new("key", DataType::Utf8, false));
    let entries = DataType::Struct(Fields::from(vec![key, field("value", value)]));
    DataType::Map(Arc::new(Field::new("entries", entries, false)), false)
}

fn union(mode: UnionMode, variants: &[(i8, &str, DataType)]) -> DataType {
    let ids = variants.iter().map(|(id, _, _)| *id);
    let fields = variants.iter().map(|(_, name, data_type)| field(name, data_type.clone()));
    DataType::Union(UnionFields::try_new(ids, fields).unwrap(), mode)
}

fn dictionary(keys: DataType, values: DataType) -> DataType {
    DataType::Dictionary(Box::new(keys), Box::new(values))
}

fn runs(ends: DataType, values: DataType) -> DataType {
    DataType::RunEndEncoded(Arc::new(Field::new("run_ends", ends, false)), field("values", values))
}

/// Each is accepted as what it is, and neither as the other.
fn told_apart(one: &DataType, other: &DataType) {
    for (own, foreign) in [(one, other), (other, one)] {
        let array = new_null_array(own, 3);
        assert_eq!(rebuild(&array, own).unwrap().data_type(), own);
        assert!(rebuild(&array, foreign).is_err(), "{own} as {foreign}");
    }
}

#[test]
fn single_values_are_told_apart() {
    let microseconds = |zone: Option<&str>| DataType::Timestamp(TimeUnit::Microsecond, zone.map(Into::into));
    told_apart(&microseconds(None), &microseconds(Some("UTC")));
    told_apart(&microseconds(Some("UTC")), &microseconds(Some("Asia/Tokyo")));
    told_apart(&microseconds(None), &DataType::Timestamp(TimeUnit::Second, None));
    told_apart(&DataType::Decimal128(10, 2), &DataType::Decimal128(10, 3));
    told_apart(&DataType::Decimal128(10, 2), &DataType::Decimal128(38, 2));
    told_apart(&DataType::FixedSizeBinary(4), &DataType::FixedSizeBinary(5));
    told_apart(&DataType::Null, &DataType::Boolean);
    told_apart(&DataType::Int64, &DataType::UInt64);
    told_apart(&DataType::Utf8, &DataType::Binary);
    told_apart(&DataType::Utf8, &DataType::Utf8View);
}

#[test]
fn lists_are_told_apart() {
    let item = || field("item", DataType::Int64);
    let list = DataType::List(item());
    for other in [
        DataType::LargeList(item()),
        DataType::ListView(item()),
        DataType::LargeListView(item()),
        DataType::FixedSizeList(item(), 2),
        map(DataType::Int64),
        DataType::Int64,
    ] {
        told_apart(&list, &other);
    }
    told_apart(&DataType::ListView(item()), &DataType::LargeListView(item()));
    told_apart(&DataType::FixedSizeList(item(), 2), &DataType::FixedSizeList(item(), 3));
    let texts = field("item", DataType::Utf8);
    told_apart(&DataType::FixedSizeList(item(), 2), &DataType::FixedSizeList(texts, 2));
}

#[test]
fn structs_and_maps_are_told_apart() {
    let two = [("a", DataType::Int64), ("b", DataType::Int64)];
    told_apart(&structure(&two), &structure(&two[..1]));
    told_apart(&structure(&two), &structure(&[two[1].clone(), two[0].clone()]));
    told_apart(&structure(&two), &structure(&[two[0].clone(), ("b", DataType::Int32)]));
    told_apart(&structure(&two[..1]), &DataType::Int64);
    told_apart(&map(DataType::Utf8), &structure(&two));
    told_apart(&map(DataType::Utf8), &structure(&two[..1]));
}

#[test]
fn unions_are_told_apart() {
    let two = [(1, "a", DataType::Int64), (4, "b", DataType::Utf8)];
    for mode in [UnionMode::Sparse, UnionMode::Dense] {
        let whole = union(mode, &two);
        for other in [
            vec![two[0].clone()],
            vec![two[0].clone(), (5, "b", DataType::Utf8)],
            vec![two[0].clone(), (4, "c", DataType::Utf8)],
            vec![(1, "a", DataType::Int32), two[1].clone()],
            vec![two[0].clone(), two[1].clone(), (7, "c", DataType::Utf8)],
        ] {
            told_apart(&whole, &union(mode, &other));
        }
        told_apart(&whole, &structure(&[("a", DataType::Int64), ("b", DataType::Utf8)]));
    }
    told_apart(&union(UnionMode::Sparse, &two), &union(UnionMode::Dense, &two));
}

#[test]
fn encodings_are_told_apart() {
    let (text, number) = (DataType::Utf8, DataType::Int64);
    let short = || DataType::Int16;
    told_apart(&dictionary(short(), text.clone()), &dictionary(DataType::UInt16, text.clone()));
    told_apart(&dictionary(short(), text.clone()), &dictionary(short(), number.clone()));
    told_apart(&dictionary(short(), text.clone()), &text);
    told_apart(&runs(short(), text.clone()), &runs(DataType::Int32, text.clone()));
    told_apart(&runs(short(), text.clone()), &runs(short(), number));
    told_apart(&runs(short(), text.clone()), &dictionary(short(), text));
}
