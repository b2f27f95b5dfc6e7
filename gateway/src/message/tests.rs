use std::sync::Arc;

use arrow::{
    array::{Int64Array, StringArray},
    ipc::writer::{DictionaryTracker, IpcDataGenerator, IpcWriteContext, IpcWriteOptions},
    record_batch::RecordBatch,
};

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
fn batches_of_nodes_may_be_compressed_in_the_way_that_has_a_bound() {
    assert_eq!(check(&message(None), RESULT), Ok(()));
    assert_eq!(check(&message(Some(CompressionType::ZSTD)), RESULT), Ok(()));
    assert!(check(&message(Some(CompressionType::LZ4_FRAME)), RESULT).is_err());
    // Clients were told to send plain ones.
    assert_eq!(check(&message(None), PARAMETERS), Ok(()));
    assert!(check(&message(Some(CompressionType::ZSTD)), PARAMETERS).is_err());
}

#[test]
fn r07_what_a_compressed_buffer_says_of_its_length_is_not_believed() {
    for length in [0, 1000, 60 << 20] {
        assert_eq!(check(&saying(length), RESULT), Ok(()), "{length}");
    }
    for length in [64 << 20, i64::MAX, i64::MIN, -2] {
        assert!(check(&saying(length), RESULT).is_err(), "{length}");
    }
    let mut short = message(Some(CompressionType::ZSTD));
    short.data_body = short.data_body.slice(0..20);
    assert!(check(&short, RESULT).is_err());
}
