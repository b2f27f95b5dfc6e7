use std::{collections::HashMap, sync::Arc};

use arrow::{
    array::{Int64Array, RecordBatch, StringArray},
    ipc::writer::{DictionaryTracker, IpcDataGenerator, IpcWriteContext, IpcWriteOptions},
};
use arrow_flight::utils::flight_data_to_arrow_batch;

use super::*;

fn batch() -> RecordBatch {
    let ids = Int64Array::from_iter((0..1000).map(|id| (id % 3 > 0).then_some(7)));
    let texts = StringArray::from(vec!["the same"; 1000]);
    RecordBatch::try_from_iter([("id", Arc::new(ids) as _), ("text", Arc::new(texts) as _)]).unwrap()
}

fn message(codec: Option<CompressionType>) -> FlightData {
    let options = IpcWriteOptions::default().try_with_compression(codec).unwrap();
    let (mut tracker, mut context) = (DictionaryTracker::new(true), IpcWriteContext::default());
    let (_, encoded) =
        IpcDataGenerator::default().encode(&batch(), &mut tracker, &options, &mut context).unwrap();
    encoded.into()
}

/// The same message whose first compressed buffer says that it is this long.
fn saying(length: i64) -> FlightData {
    let mut message = message(Some(CompressionType::ZSTD));
    let header = root_as_message(&message.data_header).unwrap();
    let buffers = header.header_as_record_batch().unwrap().buffers().unwrap();
    let first = buffers.iter().find(|buffer| buffer.length() > 0).unwrap();
    let start = usize::try_from(first.offset()).unwrap();
    let mut body = message.data_body.to_vec();
    body[start..start + 8].copy_from_slice(&length.to_le_bytes());
    message.data_body = body.into();
    message
}

#[test]
fn batches_of_nodes_that_were_asked_to_may_be_compressed_in_the_way_that_has_a_bound() {
    assert_eq!(check(&message(None), COMPRESSED_RESULT), Ok(()));
    assert_eq!(check(&message(Some(CompressionType::ZSTD)), COMPRESSED_RESULT), Ok(()));
    assert!(check(&message(Some(CompressionType::LZ4_FRAME)), COMPRESSED_RESULT).is_err());
    for bounds in [RESULT, PARAMETERS] {
        assert_eq!(check(&message(None), bounds), Ok(()));
        assert!(check(&message(Some(CompressionType::ZSTD)), bounds).is_err());
    }
}

#[test]
fn r07_what_a_compressed_buffer_says_of_its_length_is_not_believed() {
    let decoded = |message: &FlightData| {
        flight_data_to_arrow_batch(message, batch().schema(), &HashMap::new())
            .map(|decoded| decoded == batch())
    };
    assert!(decoded(&message(Some(CompressionType::ZSTD))).unwrap());
    // Within the bound, the decoder finds out.
    for length in [1, 60 << 20] {
        assert_eq!(check(&saying(length), COMPRESSED_RESULT), Ok(()), "{length}");
        assert!(decoded(&saying(length)).is_err(), "{length}");
    }
    for length in [64 << 20, i64::MAX, i64::MIN, -2] {
        assert!(check(&saying(length), COMPRESSED_RESULT).is_err(), "{length}");
    }
}

#[test]
fn buffers_outside_of_a_message_are_refused() {
    for (codec, bounds) in [(None, RESULT), (Some(CompressionType::ZSTD), COMPRESSED_RESULT)] {
        let mut short = message(codec);
        short.data_body = short.data_body.slice(0..20);
        assert!(check(&short, bounds).is_err(), "{codec:?}");
    }
}
