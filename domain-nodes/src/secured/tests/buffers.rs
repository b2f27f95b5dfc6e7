//! What is in the buffers of scrubbed arrays, whatever of them a writer would send.

use std::sync::Arc;

use arrow::{
    array::{
        Array, ArrayData, ArrayRef, ArrowPrimitiveType, AsArray, BinaryArray, DictionaryArray, Int64Array,
        LargeBinaryArray, LargeStringArray, ListArray, PrimitiveArray, RunArray, StringArray,
    },
    buffer::OffsetBuffer,
    datatypes::{
        ArrowDictionaryKeyType, ArrowNativeType, DataType, Field, Int8Type, Int16Type, Int32Type, Int64Type,
        RunEndIndexType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
    },
};

use super::fixture::MARKER;
use crate::secured::scrub::rebuild;

fn scrubbed<A: Array + Clone + 'static>(array: &A) -> ArrayRef {
    // As it is: on the way through `ArrayData` bits of a validity that say nothing would be lost.
    let array: ArrayRef = Arc::new(array.clone());
    let rebuilt = rebuild(&array, array.data_type()).unwrap();
    rebuilt.to_data().validate_full().unwrap();
    rebuilt
}

fn holds_marker(data: &ArrayData) -> bool {
    let in_buffers = data
        .buffers()
        .iter()
        .any(|buffer| buffer.as_slice().windows(MARKER.len()).any(|window| window == MARKER.as_bytes()));
    in_buffers || data.child_data().iter().any(holds_marker)
}

#[test]
fn bytes_beside_a_slice_are_in_no_buffer() {
    let texts = [MARKER, "one", "two", MARKER];
    let of_bytes = || texts.iter().map(|text| text.as_bytes());
    let arrays: [ArrayRef; 4] = [
        Arc::new(StringArray::from_iter_values(texts)),
        Arc::new(LargeStringArray::from_iter_values(texts)),
        Arc::new(BinaryArray::from_iter_values(of_bytes())),
        Arc::new(LargeBinaryArray::from_iter_values(of_bytes())),
    ];
    for array in arrays {
        assert!(holds_marker(&array.slice(1, 2).to_data()), "{:?}", array.data_type());
        // What comes first is left out, what comes last, and both.
        for (whole, kept) in [(array.clone(), 1..3), (array.slice(0, 3), 1..3), (array.slice(1, 3), 0..2)] {
            let slice = whole.slice(kept.start, kept.len());
            let found = scrubbed(&slice);
            assert!(!holds_marker(&found.to_data()), "{:?} {kept:?}", array.data_type());
            assert_eq!(&found, &slice);
        }
    }
    for (texts, kept) in [(["one", "two", MARKER], 0), ([MARKER, "one", "two"], 1)] {
        let slice = StringArray::from_iter_values(texts).slice(kept, 2);
        assert!(!holds_marker(&scrubbed(&slice).to_data()), "{texts:?}");
    }
}

/// Nothing is copied of which each byte is shown.
#[test]
fn what_is_shown_whole_passes_as_it_is() {
    let at = |array: &ArrayRef, buffer: usize| array.to_data().buffers()[buffer].as_ptr();
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..9));
    assert_eq!(at(&scrubbed(&numbers), 0), at(&numbers, 0));
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values(["one", "two"]));
    assert_eq!(at(&scrubbed(&texts), 1), at(&texts, 1));
    let item = Arc::new(Field::new("item", DataType::Int64, true));
    let lists = ListArray::new(item, OffsetBuffer::from_lengths([4, 0, 5]), Arc::clone(&numbers), None);
    let found = scrubbed(&lists);
    assert_eq!(at(found.as_list::<i32>().values(), 0), at(&numbers, 0));
}

/// Which places beside a slice are NULL is in the bits of its validity.
#[test]
fn bits_beside_a_slice_are_gone() {
    let numbers = Int64Array::from(vec![None, Some(1), Some(2), None]).slice(1, 2);
    assert!(numbers.nulls().is_some_and(|nulls| nulls.null_count() == 0), "bits that say nothing of these");
    assert!(scrubbed(&numbers).nulls().is_none());
    let texts = StringArray::from(vec![None, Some("a"), Some("b"), None]).slice(1, 2);
    assert!(texts.nulls().is_some_and(|nulls| nulls.null_count() == 0));
    assert!(scrubbed(&texts).nulls().is_none());
}

fn dictionary<K: ArrowDictionaryKeyType>() {
    let key = |number: usize| K::Native::from_usize(number);
    let keys = PrimitiveArray::<K>::from_iter([key(2), None, key(1), key(2)]);
    let values = Arc::new(StringArray::from_iter_values([MARKER, "one", "two"]));
    let array = DictionaryArray::<K>::new(keys, values);
    assert!(holds_marker(&array.to_data()));
    let found = scrubbed(&array);
    assert!(!holds_marker(&found.to_data()), "{}", K::DATA_TYPE);
    let (found, expected) = (found.as_dictionary::<K>(), array.downcast_dict::<StringArray>().unwrap());
    let found = found.downcast_dict::<StringArray>().unwrap();
    assert!(found.into_iter().eq(expected), "{}", K::DATA_TYPE);
}

#[test]
fn values_that_no_key_shows_are_gone_for_each_type_of_keys() {
    dictionary::<Int8Type>();
    dictionary::<Int16Type>();
    dictionary::<Int32Type>();
    dictionary::<Int64Type>();
    dictionary::<UInt8Type>();
    dictionary::<UInt16Type>();
    dictionary::<UInt32Type>();
    dictionary::<UInt64Type>();
}

fn runs<R: RunEndIndexType + ArrowPrimitiveType>() {
    let end = |number: usize| R::Native::from_usize(number).unwrap();
    let ends = PrimitiveArray::<R>::from_iter_values([end(2), end(5), end(9)]);
    let values = StringArray::from_iter_values([MARKER, "one", "two"]);
    let array = RunArray::<R>::try_new(&ends, &values).unwrap().slice(2, 6);
    let found = scrubbed(&array);
    assert!(!holds_marker(&found.to_data()), "{}", R::DATA_TYPE);
    let (found, expected) = (found.as_run::<R>(), array.downcast::<StringArray>().unwrap());
    assert_eq!(found.run_ends().values().len(), 2, "as few runs as before");
    assert!(found.downcast::<StringArray>().unwrap().into_iter().eq(expected), "{}", R::DATA_TYPE);
}

#[test]
fn values_that_no_run_shows_are_gone_for_each_type_of_ends() {
    runs::<Int16Type>();
    runs::<Int32Type>();
    runs::<Int64Type>();
}
