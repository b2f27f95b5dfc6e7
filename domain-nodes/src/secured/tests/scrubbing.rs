//! Every Arrow type: after the scrub, an array that once held hidden values
//! has the same bytes as one that never did.

use std::sync::Arc;

use arrow::{
    array::{
        Array, ArrayRef, ArrowPrimitiveType, BinaryArray, BinaryViewArray, BooleanArray, DictionaryArray,
        FixedSizeBinaryBuilder, FixedSizeListArray, LargeBinaryArray, LargeListArray, LargeListViewArray,
        LargeStringArray, ListArray, ListViewArray, MapArray, NullArray, PrimitiveArray, RecordBatch,
        RunArray, StringArray, StringViewArray, StructArray, UnionArray, make_array,
    },
    buffer::{NullBuffer, OffsetBuffer, ScalarBuffer},
    compute::{cast, filter, nullif},
    datatypes::{
        DataType, Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type,
        DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType, DurationSecondType, Field,
        Fields, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
        IntervalDayTimeType, IntervalMonthDayNanoType, IntervalYearMonthType, Schema, Time32MillisecondType,
        Time32SecondType, Time64MicrosecondType, Time64NanosecondType, TimestampMicrosecondType,
        TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type,
        UInt32Type, UInt64Type, UnionFields,
    },
    ipc::writer::StreamWriter,
    util::display::{ArrayFormatter, FormatOptions},
};

use crate::secured::scrub::rebuild;

/// Longer than what a view keeps inline.
const HIDDEN_TEXT: &str = "SECRET-SECRET-SECRET";
const PLACES: usize = 24;

/// One place: nothing, a visible value or a hidden one.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    Null,
    Visible(usize),
    Hidden,
}

impl Place {
    fn text(self) -> Option<String> {
        match self {
            Self::Null => None,
            Self::Visible(number) => Some(format!("visible value number {number}")),
            Self::Hidden => Some(HIDDEN_TEXT.to_owned()),
        }
    }
}

type Make = Box<dyn Fn(&[Place]) -> ArrayRef>;

fn primitive<T: ArrowPrimitiveType>(visible: T::Native, hidden: T::Native) -> (DataType, Make) {
    let make = move |places: &[Place]| -> ArrayRef {
        Arc::new(PrimitiveArray::<T>::from_iter(places.iter().map(|place| match place {
            Place::Null => None,
            Place::Visible(_) => Some(visible),
            Place::Hidden => Some(hidden),
        })))
    };
    (T::DATA_TYPE, Box::new(make))
}

macro_rules! numbers {
    ($($type:ty => $hidden:expr),* $(,)?) => {
        vec![$(primitive::<$type>(Default::default(), $hidden)),*]
    };
}

fn texts(places: &[Place]) -> Vec<Option<String>> {
    places.iter().map(|place| place.text()).collect()
}

fn bytes(places: &[Place]) -> Vec<Option<Vec<u8>>> {
    places.iter().map(|place| place.text().map(String::into_bytes)).collect()
}

fn leaves() -> Vec<(DataType, Make)> {
    use arrow::datatypes::{IntervalDayTime, IntervalMonthDayNano, i256};
    let hidden = 0x25A5_A5A5_A5A5_A5A5_i64;
    let narrow = 0x25A5_A5A5_i32;
    let mut all = numbers! {
        Int8Type => 0x25, Int16Type => 0x25A5, Int32Type => narrow, Int64Type => hidden,
        UInt8Type => 0xA5, UInt16Type => 0xA5A5, UInt32Type => 0xA5A5_A5A5, UInt64Type => 0xA5A5_A5A5_A5A5_A5A5,
        Float16Type => <Float16Type as ArrowPrimitiveType>::Native::from_f32(7.5),
        Float32Type => 7.5e30, Float64Type => 7.5e300,
        TimestampSecondType => hidden, TimestampMillisecondType => hidden,
        TimestampMicrosecondType => hidden, TimestampNanosecondType => hidden,
        Date32Type => narrow, Date64Type => hidden,
        Time32SecondType => narrow, Time32MillisecondType => narrow,
        Time64MicrosecondType => hidden, Time64NanosecondType => hidden,
        DurationSecondType => hidden, DurationMillisecondType => hidden,
        DurationMicrosecondType => hidden, DurationNanosecondType => hidden,
        IntervalYearMonthType => narrow,
        IntervalDayTimeType => IntervalDayTime::new(narrow, narrow),
        IntervalMonthDayNanoType => IntervalMonthDayNano::new(narrow, narrow, hidden),
        Decimal32Type => 123_456_789, Decimal64Type => 123_456_789_123_456_789,
        Decimal128Type => i128::from(hidden), Decimal256Type => i256::from_i128(i128::from(hidden)),
    };
    all.push((
        DataType::Boolean,
        Box::new(|places| {
            Arc::new(BooleanArray::from_iter(places.iter().map(|place| match place {
                Place::Null => None,
                Place::Visible(number) => Some(number % 3 == 0),
                Place::Hidden => Some(true),
            })))
        }),
    ));
    all.push((DataType::Utf8, Box::new(|places| Arc::new(StringArray::from(texts(places))))));
    all.push((DataType::LargeUtf8, Box::new(|places| Arc::new(LargeStringArray::from(texts(places))))));
    all.push((DataType::Utf8View, Box::new(|places| Arc::new(StringViewArray::from_iter(texts(places))))));
    all.push((DataType::Binary, Box::new(|places| Arc::new(BinaryArray::from_iter(bytes(places))))));
    all.push((
        DataType::LargeBinary,
        Box::new(|places| Arc::new(LargeBinaryArray::from_iter(bytes(places)))),
    ));
    all.push((DataType::BinaryView, Box::new(|places| Arc::new(BinaryViewArray::from_iter(bytes(places))))));
    all.push((
        DataType::FixedSizeBinary(6),
        Box::new(|places| {
            let mut builder = FixedSizeBinaryBuilder::new(6);
            for place in places {
                match place {
                    Place::Null => builder.append_null(),
                    Place::Visible(_) => builder.append_value(b"shown!").unwrap(),
                    Place::Hidden => builder.append_value(b"SECRET").unwrap(),
                }
            }
            Arc::new(builder.finish())
        }),
    ));
    all
}

fn validity(places: &[Place]) -> Option<NullBuffer> {
    let valid = NullBuffer::from_iter(places.iter().map(|place| *place != Place::Null));
    (valid.null_count() > 0).then_some(valid)
}

/// Two elements for each valid place, none for NULL.
fn twice(places: &[Place]) -> (Vec<Place>, Vec<usize>) {
    let lengths = places.iter().map(|place| if *place == Place::Null { 0 } else { 2 });
    let elements = places.iter().filter(|place| **place != Place::Null);
    (elements.flat_map(|place| [*place, *place]).collect(), lengths.collect())
}

fn item() -> Arc<Field> {
    Arc::new(Field::new("item", DataType::Utf8View, true))
}

fn nested() -> Vec<(&'static str, Make)> {
    let view = |places: &[Place]| -> ArrayRef { Arc::new(StringViewArray::from_iter(texts(places))) };
    vec![
        (
            "list",
            Box::new(move |places| {
                let (elements, lengths) = twice(places);
                let offsets = OffsetBuffer::from_lengths(lengths);
                Arc::new(ListArray::new(item(), offsets, view(&elements), validity(places)))
            }),
        ),
        (
            "large list",
            Box::new(move |places| {
                let (elements, lengths) = twice(places);
                let offsets = OffsetBuffer::from_lengths(lengths);
                Arc::new(LargeListArray::new(item(), offsets, view(&elements), validity(places)))
            }),
        ),
        (
            "list view",
            Box::new(move |places| {
                let (elements, lengths) = twice(places);
                let offsets = OffsetBuffer::<i32>::from_lengths(lengths.iter().copied());
                let starts: Vec<i32> = offsets.iter().take(places.len()).copied().collect();
                let sizes: Vec<i32> = lengths.iter().map(|length| *length as i32).collect();
                Arc::new(ListViewArray::new(
                    item(),
                    starts.into(),
                    sizes.into(),
                    view(&elements),
                    validity(places),
                ))
            }),
        ),
        (
            "large list view",
            Box::new(move |places| {
                let (elements, lengths) = twice(places);
                let offsets = OffsetBuffer::<i64>::from_lengths(lengths.iter().copied());
                let starts: Vec<i64> = offsets.iter().take(places.len()).copied().collect();
                let sizes: Vec<i64> = lengths.iter().map(|length| *length as i64).collect();
                Arc::new(LargeListViewArray::new(
                    item(),
                    starts.into(),
                    sizes.into(),
                    view(&elements),
                    validity(places),
                ))
            }),
        ),
        (
            "fixed size list",
            Box::new(move |places| {
                let elements: Vec<Place> = places.iter().flat_map(|place| [*place, *place]).collect();
                Arc::new(FixedSizeListArray::new(item(), 2, view(&elements), validity(places)))
            }),
        ),
        (
            "struct",
            Box::new(move |places| {
                let fields = Fields::from(vec![
                    Field::new("a", DataType::Utf8View, true),
                    Field::new("b", DataType::Int64, true),
                ]);
                let numbers = places.iter().map(|place| match place {
                    Place::Null => None,
                    Place::Visible(_) => Some(1),
                    Place::Hidden => Some(0x25A5_A5A5_A5A5_A5A5),
                });
                let b = Arc::new(PrimitiveArray::<Int64Type>::from_iter(numbers));
                Arc::new(StructArray::new(fields, vec![view(places), b], validity(places)))
            }),
        ),
        (
            "map",
            Box::new(move |places| {
                let (elements, lengths) = twice(places);
                let fields = Fields::from(vec![
                    Field::new("key", DataType::Utf8, false),
                    Field::new("value", DataType::Utf8View, true),
                ]);
                let keys = Arc::new(StringArray::from(texts(&elements)));
                let entries = StructArray::new(fields.clone(), vec![keys, view(&elements)], None);
                let field = Arc::new(Field::new("entries", DataType::Struct(fields), false));
                Arc::new(MapArray::new(
                    field,
                    OffsetBuffer::from_lengths(lengths),
                    entries,
                    validity(places),
                    false,
                ))
            }),
        ),
        (
            "dictionary",
            Box::new(move |places| {
                // All values are in the dictionary, whether a key uses them or not.
                let keys = places.iter().map(|place| match place {
                    Place::Null => None,
                    Place::Visible(number) => Some((*number % 2) as i8),
                    Place::Hidden => Some(2),
                });
                let values = StringArray::from(vec!["visible zero", "visible one", HIDDEN_TEXT]);
                Arc::new(DictionaryArray::<Int8Type>::new(PrimitiveArray::from_iter(keys), Arc::new(values)))
            }),
        ),
        (
            "dictionary with wide keys",
            Box::new(move |places| {
                let keys = places.iter().map(|place| match place {
                    Place::Null => None,
                    Place::Visible(number) => Some(1 + (*number % 2) as u64),
                    Place::Hidden => Some(0),
                });
                let values = StringArray::from(vec![HIDDEN_TEXT, "visible zero", "visible one"]);
                Arc::new(DictionaryArray::<UInt64Type>::new(
                    PrimitiveArray::from_iter(keys),
                    Arc::new(values),
                ))
            }),
        ),
    ]
}

/// Types without a validity of their own; NULL is NULL in a child.
fn without_validity() -> Vec<(&'static str, Make)> {
    let fields = || {
        UnionFields::try_new(
            [1, 4],
            [Field::new("a", DataType::Utf8, true), Field::new("b", DataType::Int64, true)],
        )
        .unwrap()
    };
    let variant =
        |place: &Place| if matches!(place, Place::Visible(number) if number % 4 == 0) { 4_i8 } else { 1 };
    vec![
        (
            "sparse union",
            Box::new(move |places| {
                let ids: Vec<i8> = places.iter().map(variant).collect();
                let a: ArrayRef = Arc::new(StringArray::from(texts(places)));
                let b: ArrayRef = Arc::new(PrimitiveArray::<Int64Type>::from_iter(places.iter().map(
                    |place| match place {
                        Place::Null => None,
                        Place::Visible(_) => Some(1),
                        Place::Hidden => Some(0x25A5_A5A5_A5A5_A5A5),
                    },
                )));
                Arc::new(UnionArray::try_new(fields(), ids.into(), None, vec![a, b]).unwrap())
            }),
        ),
        (
            "dense union",
            Box::new(move |places| {
                let ids: Vec<i8> = places.iter().map(variant).collect();
                let (numbers, named): (Vec<_>, Vec<_>) =
                    places.iter().copied().partition(|place| variant(place) == 4);
                let mut next = [0_i32; 2];
                let offsets: Vec<i32> = ids
                    .iter()
                    .map(|id| {
                        let next = &mut next[usize::from(*id == 4)];
                        *next += 1;
                        *next - 1
                    })
                    .collect();
                let a: ArrayRef = Arc::new(StringArray::from(texts(&named)));
                let b: ArrayRef =
                    Arc::new(PrimitiveArray::<Int64Type>::from_iter_values(numbers.iter().map(|_| 1)));
                Arc::new(
                    UnionArray::try_new(fields(), ids.into(), Some(ScalarBuffer::from(offsets)), vec![a, b])
                        .unwrap(),
                )
            }),
        ),
        (
            "run ends",
            Box::new(move |places| {
                let ends = PrimitiveArray::<Int32Type>::from_iter_values(1..=places.len() as i32);
                let values = StringArray::from(texts(places));
                Arc::new(RunArray::<Int32Type>::try_new(&ends, &values).unwrap())
            }),
        ),
    ]
}

/// Visible and hidden values in turn.
fn mixed() -> Vec<Place> {
    (0..PLACES).map(|place| if place % 2 == 0 { Place::Visible(place) } else { Place::Hidden }).collect()
}

fn with_nulls() -> Vec<Place> {
    (0..PLACES).map(|place| if place % 2 == 0 { Place::Visible(place) } else { Place::Null }).collect()
}

fn visible() -> Vec<Place> {
    (0..PLACES).step_by(2).map(Place::Visible).collect()
}

fn odd() -> BooleanArray {
    (0..PLACES).map(|place| Some(place % 2 == 1)).collect()
}

fn even() -> BooleanArray {
    (0..PLACES).map(|place| Some(place % 2 == 0)).collect()
}

/// The bytes that would travel.
fn encoded(array: &ArrayRef) -> Vec<u8> {
    let field = Field::new("c", array.data_type().clone(), true);
    let schema = Arc::new(Schema::new(vec![field]));
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::clone(array)]).unwrap();
    let mut writer = StreamWriter::try_new(Vec::new(), &schema).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    writer.into_inner().unwrap()
}

fn scrubbed(array: &ArrayRef) -> ArrayRef {
    let rebuilt = rebuild(array, array.data_type()).unwrap();
    assert_eq!(rebuilt.data_type(), array.data_type());
    assert_eq!(rebuilt.len(), array.len());
    rebuilt.to_data().validate_full().unwrap();
    rebuilt
}

/// The values as text.
fn shown(array: &ArrayRef) -> Vec<String> {
    let options = FormatOptions::default().with_null("NULL");
    let formatter = ArrayFormatter::try_new(array, &options).unwrap();
    (0..array.len()).map(|place| formatter.value(place).to_string()).collect()
}

fn has_hidden(bytes: &[u8]) -> bool {
    bytes.windows(6).any(|window| window == b"SECRET")
}

fn everything() -> Vec<(String, Make)> {
    let leaves = leaves().into_iter().map(|(data_type, make)| (data_type.to_string(), make));
    let nested = nested().into_iter().map(|(name, make)| (name.to_owned(), make));
    leaves.chain(nested).collect()
}

#[test]
fn a108_values_under_nulls_are_gone() {
    for (name, make) in everything() {
        let dirty = nullif(&make(&mixed()), &odd()).unwrap();
        let clean = make(&with_nulls());
        let expected = encoded(&scrubbed(&clean));
        assert_eq!(encoded(&scrubbed(&dirty)), expected, "{name}");
        assert_ne!(encoded(&dirty), expected, "{name}: the values were never there");
        assert_eq!(scrubbed(&dirty).logical_null_count(), PLACES / 2, "{name}");
        assert!(!has_hidden(&expected), "{name}");
    }
}

#[test]
fn a108_rows_that_a_filter_dropped_are_gone() {
    for (name, make) in everything().into_iter().chain(unnulled()) {
        let dirty = filter(&make(&mixed()), &even()).unwrap();
        let found = scrubbed(&dirty);
        let expected = scrubbed(&make(&visible()));
        assert_eq!(encoded(&found), encoded(&expected), "{name}");
        assert!(!has_hidden(&encoded(&found)), "{name}");
        assert_eq!(shown(&found), shown(&dirty), "{name}: the values have changed");
    }
}

fn unnulled() -> Vec<(String, Make)> {
    without_validity().into_iter().map(|(name, make)| (name.to_owned(), make)).collect()
}

#[test]
fn a108_what_a_slice_leaves_out_is_gone() {
    for (name, make) in everything().into_iter().chain(unnulled()) {
        let places: Vec<Place> = std::iter::repeat_n(Place::Hidden, 5)
            .chain((0..9).map(Place::Visible))
            .chain(std::iter::repeat_n(Place::Hidden, 5))
            .collect();
        let slice = make(&places).slice(5, 9);
        let expected = make(&(0..9).map(Place::Visible).collect::<Vec<_>>());
        let found = scrubbed(&slice);
        assert_eq!(encoded(&found), encoded(&scrubbed(&expected)), "{name}");
        assert!(!has_hidden(&encoded(&found)), "{name}");
        assert_eq!(scrubbed(&slice.slice(3, 0)).len(), 0, "{name}");
    }
}

/// What a parent hides is hidden in every child.
#[test]
fn a108_children_of_hidden_parents_are_gone() {
    for (name, make) in everything().into_iter().chain(unnulled()) {
        let child = make(&mixed());
        let nulls = NullBuffer::from_iter((0..PLACES).map(|place| place % 2 == 0));
        let fields = Fields::from(vec![Field::new("c", child.data_type().clone(), true)]);
        let parent: ArrayRef = Arc::new(StructArray::new(fields.clone(), vec![child], Some(nulls.clone())));
        let never: ArrayRef =
            Arc::new(StructArray::new(fields, vec![make(&with_nulls())], Some(nulls.clone())));
        let found = scrubbed(&parent);
        assert_eq!(encoded(&found), encoded(&scrubbed(&never)), "struct of {name}");
        assert!(!has_hidden(&encoded(&found)), "struct of {name}");

        let child = make(&mixed());
        let field = Arc::new(Field::new("item", child.data_type().clone(), true));
        let offsets = OffsetBuffer::from_lengths(vec![1; PLACES]);
        let list: ArrayRef = Arc::new(ListArray::new(field, offsets, child, Some(nulls)));
        let found = scrubbed(&list);
        assert!(!has_hidden(&encoded(&found)), "list of {name}");
        assert_eq!(shown(&found), shown(&list), "list of {name}");
    }
}

#[test]
fn nulls_and_other_edges() {
    let nulls: ArrayRef = Arc::new(NullArray::new(3));
    assert_eq!(scrubbed(&nulls).len(), 3);
    let empty: ArrayRef = Arc::new(StructArray::new_empty_fields(4, None));
    assert_eq!(scrubbed(&empty).len(), 4);
    let all_null = DictionaryArray::<Int32Type>::new(
        PrimitiveArray::from(vec![None, None]),
        Arc::new(StringArray::from(Vec::<&str>::new())),
    );
    assert_eq!(scrubbed(&(Arc::new(all_null) as ArrayRef)).null_count(), 2);
    let no_width = FixedSizeListArray::new_null(item(), 0, 3);
    assert_eq!(scrubbed(&(Arc::new(no_width) as ArrayRef)).len(), 3);
}

#[test]
fn metadata_of_nested_fields_is_the_contracts() {
    let noted = Field::new("a", DataType::Utf8, true)
        .with_metadata([("note".to_owned(), HIDDEN_TEXT.to_owned())].into());
    let child: ArrayRef = Arc::new(StringArray::from(vec!["x"]));
    let array: ArrayRef = Arc::new(StructArray::new(Fields::from(vec![noted]), vec![child], None));
    let target = DataType::Struct(vec![Field::new("a", DataType::Utf8, true)].into());
    let rebuilt = rebuild(&array, &target).unwrap();
    assert_eq!(rebuilt.data_type(), &target);
    assert!(has_hidden(&encoded(&array)) && !has_hidden(&encoded(&rebuilt)));
}

#[test]
fn other_types_and_broken_promises_are_refused() {
    let text: ArrayRef = Arc::new(StringArray::from(vec![Some("x"), None]));
    assert!(rebuild(&text, &DataType::Int64).is_err());
    assert!(rebuild(&text, &DataType::LargeUtf8).is_err());
    let required = DataType::Struct(vec![Field::new("a", DataType::Utf8, false)].into());
    let fields = Fields::from(vec![Field::new("a", DataType::Utf8, true)]);
    let structure: ArrayRef = Arc::new(StructArray::new(fields, vec![Arc::clone(&text)], None));
    assert!(rebuild(&structure, &required).is_err(), "a NULL in a required nested field");
    let renamed = DataType::Struct(vec![Field::new("b", DataType::Utf8, true)].into());
    assert!(rebuild(&structure, &renamed).is_err());
    let mut deep = DataType::Int64;
    let mut array: ArrayRef = Arc::new(PrimitiveArray::<Int64Type>::from(vec![1]));
    for _ in 0..100 {
        let field = Arc::new(Field::new("item", deep, true));
        array = Arc::new(ListArray::new(Arc::clone(&field), OffsetBuffer::from_lengths([1]), array, None));
        deep = array.data_type().clone();
    }
    assert!(rebuild(&array, &deep).is_err(), "nested without end");
    let zone = DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, Some("UTC".into()));
    let zoned = cast(&PrimitiveArray::<TimestampMicrosecondType>::from(vec![1]), &zone).unwrap();
    assert_eq!(rebuild(&zoned, &zone).unwrap().data_type(), &zone);
    assert!(make_array(zoned.to_data()).is_valid(0));
}
