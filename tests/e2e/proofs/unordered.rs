//! Messages whatever the order of their rows: the rows, and the bytes of every buffer.
//!
//! What lies under a NULL is a part of it: that is where hidden values would travel.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayData, RecordBatch, make_array};
use arrow::datatypes::DataType;
use arrow_flight::FlightData;
use arrow_flight::decode::FlightRecordBatchStream;
use futures::stream::iter;
use futures::{FutureExt, TryStreamExt};
use meshgate_tests::render::Rendered;

/// Rows in the order of their text, and for each buffer of a column its values in their order.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Unordered {
    rows: Vec<Vec<Option<String>>>,
    buffers: BTreeMap<String, Vec<Vec<u8>>>,
}

/// `None` if these are not the messages of a whole result.
pub(crate) fn unordered(messages: Vec<FlightData>) -> Option<Unordered> {
    let decoded = FlightRecordBatchStream::new_from_flight_data(iter(messages.into_iter().map(Ok)));
    // Nothing in this stream waits.
    let batches: Vec<RecordBatch> = decoded.try_collect().now_or_never()?.ok()?;
    let mut result = Unordered::default();
    for batch in &batches {
        let columns = batch.schema().fields().iter().map(|field| field.name().clone()).collect();
        result.rows.extend(Rendered::of(columns, std::slice::from_ref(batch)).rows);
        for (at, column) in batch.columns().iter().enumerate() {
            result.add(&at.to_string(), &column.to_data());
        }
    }
    result.rows.sort();
    for values in result.buffers.values_mut() {
        values.sort();
    }
    Some(result)
}

impl Unordered {
    pub(crate) fn count(&self) -> usize {
        self.rows.len()
    }

    /// Does `other` have all of it?
    pub(crate) fn is_part_of(&self, other: &Self) -> bool {
        let nothing = Vec::new();
        let have = |name: &String, values: &Vec<Vec<u8>>| {
            are_part_of(values, other.buffers.get(name).unwrap_or(&nothing))
        };
        are_part_of(&self.rows, &other.rows) && self.buffers.iter().all(|(name, values)| have(name, values))
    }

    fn add(&mut self, path: &str, data: &ArrayData) {
        let of = |name: &str| format!("{path} {name}");
        let nulls = (0..data.len()).map(|row| vec![u8::from(data.is_null(row))]);
        self.buffers.entry(of("nulls")).or_default().extend(nulls);
        match data.data_type() {
            DataType::Boolean => {
                // With its NULLs taken away an array shows what lies under them.
                let bare = data.clone().into_builder().nulls(None).build().expect("an array without NULLs");
                let array = make_array(bare);
                let values = arrow::array::AsArray::as_boolean(&array);
                let bits = (0..values.len()).map(|row| vec![u8::from(values.value(row))]);
                self.buffers.entry(of("values")).or_default().extend(bits);
            }
            DataType::Utf8 | DataType::Binary | DataType::LargeUtf8 | DataType::LargeBinary => {
                let bytes = data.buffers()[1].as_slice().iter().map(|byte| vec![*byte]);
                self.buffers.entry(of("bytes")).or_default().extend(bytes);
            }
            other => {
                if let Some(width) = other.primitive_width() {
                    let values = data.buffers()[0].as_slice().chunks(width).map(<[u8]>::to_vec);
                    self.buffers.entry(of("values")).or_default().extend(values);
                }
            }
        }
        for (at, child) in data.child_data().iter().enumerate() {
            self.add(&format!("{path}.{at}"), child);
        }
    }
}

/// Both are sorted; what stands twice has to be there twice.
fn are_part_of<T: Ord>(some: &[T], all: &[T]) -> bool {
    let mut all = all.iter();
    some.iter().all(|one| all.by_ref().find(|own| *own >= one) == Some(one))
}

#[test]
fn a_part_holds_nothing_that_the_whole_does_not_and_nothing_more_often() {
    let whole = [1, 2, 2, 5];
    for part in [&[][..], &[2, 2], &[1, 5], &whole] {
        assert!(are_part_of(part, &whole), "{part:?}");
    }
    for other in [&[2, 2, 2][..], &[3], &[1, 2, 2, 5, 6], &[0]] {
        assert!(!are_part_of(other, &whole), "{other:?}");
    }
}
