//! Arrow IPC: what the two forms have, and files that are not what they say.

use arrow::array::{
    Decimal128Array, DictionaryArray, Float32Array, Int8Array, Int16Array, Int64Array, LargeStringArray,
    StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::Int32Type;
use arrow::ipc::CompressionType;
use arrow::ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};

use super::*;

const ID: [&str; 1] = ["name: id, logicalType: integer"];

fn written(batches: &[RecordBatch], extension: &str, options: IpcWriteOptions) -> Vec<u8> {
    let (mut bytes, schema) = (Vec::new(), batches[0].schema());
    if extension == "arrow" {
        let mut writer = FileWriter::try_new_with_options(&mut bytes, &schema, options).unwrap();
        batches.iter().for_each(|batch| writer.write(batch).unwrap());
        writer.finish().unwrap();
    } else {
        let mut writer = StreamWriter::try_new_with_options(&mut bytes, &schema, options).unwrap();
        batches.iter().for_each(|batch| writer.write(batch).unwrap());
        writer.finish().unwrap();
    }
    bytes
}

fn ids(ids: impl IntoIterator<Item = i64>) -> RecordBatch {
    nullable(vec![("id", Arc::new(Int64Array::from_iter_values(ids)))])
}

#[tokio::test]
async fn compressed_batches_and_dictionaries_are_read() {
    let colours = |values: Vec<&str>| -> ArrayRef {
        Arc::new(values.into_iter().collect::<DictionaryArray<Int32Type>>())
    };
    let batch = |values: Vec<&str>| {
        let repeated: Vec<&str> = values.iter().copied().cycle().take(1000).collect();
        nullable(vec![("colour", colours(repeated))])
    };
    for extension in ["arrow", "arrows"] {
        for compression in [None, Some(CompressionType::LZ4_FRAME), Some(CompressionType::ZSTD)] {
            let options = IpcWriteOptions::default().try_with_compression(compression).unwrap();
            // A file may not replace a dictionary; a stream may.
            let batches = match extension {
                "arrow" => vec![batch(vec!["red", "blue"]); 2],
                _ => vec![batch(vec!["red", "blue"]), batch(vec!["green"])],
            };
            let fixture = Fixture::new();
            fixture.write(&format!("t.{extension}"), written(&batches, extension, options));
            let table = fixture
                .open(&format!("t.{extension}"), "arrow", &["name: colour, logicalType: string"])
                .await
                .unwrap();
            let mut found = rows(&table).await;
            assert_eq!(found.len(), 2000);
            found.dedup();
            let expected: &[&str] =
                if extension == "arrow" { &["blue", "red"] } else { &["blue", "green", "red"] };
            assert_eq!(found, expected, "{extension} {compression:?}");
        }
    }
}

#[tokio::test]
async fn types_that_hold_less_are_widened_and_others_are_drift() {
    let fixture = Fixture::new();
    let stamps = TimestampMicrosecondArray::from(vec![0, 1_000_000]).with_timezone("Europe/Berlin");
    fixture.write_as(
        "t.arrow",
        "arrow",
        vec![
            ("small", Arc::new(Int8Array::from(vec![1, -2]))),
            ("large", Arc::new(LargeStringArray::from(vec!["a", "b"]))),
            ("half", Arc::new(Float32Array::from(vec![0.5, 1.5]))),
            (
                "cents",
                Arc::new(Decimal128Array::from(vec![150, 275]).with_precision_and_scale(9, 2).unwrap()),
            ),
            ("count", Arc::new(Int16Array::from(vec![1, 2]))),
            ("at", Arc::new(stamps)),
            ("wide", Arc::new(Int64Array::from(vec![1, 2]))),
        ],
    );
    let columns = [
        "name: small, logicalType: integer",
        "name: large, logicalType: string",
        "name: half, logicalType: number",
        "name: cents, logicalType: number, physicalType: 'decimal(12,2)'",
        "name: count, logicalType: number, physicalType: 'decimal(12,2)'",
        "name: at, logicalType: timestamp, physicalType: timestamptz",
        "name: wide, logicalType: integer, physicalType: int",
    ];
    let table = fixture.open("t.arrow", "arrow", &columns).await.unwrap();
    let read = batches(&table, Some(vec![0, 1, 2, 3, 4, 5]), &[]).await.unwrap();
    assert_eq!(
        rows_of(&read),
        ["-2|b|1.5|2.75|2.00|1970-01-01T00:00:01Z", "1|a|0.5|1.50|1.00|1970-01-01T00:00:00Z"]
    );
    let error = source_error(batches(&table, Some(vec![6]), &[]).await.unwrap_err());
    assert!(matches!(error, SourceError::Drift { ref column, .. } if column == "wide"), "{error}");
}

#[tokio::test]
async fn a_stream_or_file_that_was_cut_off_is_never_a_short_answer() {
    for extension in ["arrow", "arrows"] {
        let whole = written(&[ids(0..100), ids(100..200)], extension, IpcWriteOptions::default());
        for length in 0..whole.len() {
            let fixture = Fixture::new();
            fixture.write(&format!("t.{extension}"), &whole[..length]);
            if let Ok(table) = fixture.open(&format!("t.{extension}"), "arrow", &ID).await {
                let read = batches(&table, None, &[]).await;
                assert!(read.is_err(), "{extension}: {length} of {} bytes", whole.len());
            }
        }
        let fixture = Fixture::new();
        fixture.write(&format!("t.{extension}"), [whole.as_slice(), b"x"].concat());
        let opened = fixture.open(&format!("t.{extension}"), "arrow", &ID).await;
        let read = match opened {
            Ok(table) => batches(&table, None, &[]).await.map_err(source_error),
            Err(error) => Err(error),
        };
        assert!(read.is_err(), "{extension}: one byte more");
    }
}

/// Whatever a byte turns into, the answer is an error or one of these lengths;
/// nothing panics, and nothing is allocated that a length only claims.
#[tokio::test]
async fn damaged_files_end_in_errors() {
    let text: ArrayRef = Arc::new(StringArray::from(vec!["one", "two", "three"]));
    let batch = nullable(vec![("id", Arc::new(Int64Array::from(vec![1, 2, 3]))), ("text", text)]);
    let columns = ["name: id, logicalType: integer", "name: text, logicalType: string"];
    for extension in ["arrow", "arrows"] {
        for compression in [None, Some(CompressionType::LZ4_FRAME)] {
            let options = IpcWriteOptions::default().try_with_compression(compression).unwrap();
            let whole = written(std::slice::from_ref(&batch), extension, options);
            let fixture = Fixture::new();
            let name = format!("t.{extension}");
            for position in 0..whole.len() {
                let mut damaged = whole.clone();
                damaged[position] ^= [0xFF, 0x01, 0x80][position % 3];
                fixture.write(&name, &damaged);
                if let Ok(table) = fixture.open(&name, "arrow", &columns).await {
                    // Whether it is an error depends on the byte; that it ends does not.
                    let _ = batches(&table, None, &[]).await;
                }
            }
        }
    }
}

#[tokio::test]
async fn lengths_that_a_block_only_claims_are_not_allocated() {
    let options = IpcWriteOptions::default().try_with_compression(Some(CompressionType::ZSTD)).unwrap();
    let whole = written(&[ids((0..1000).map(|number| number % 3))], "arrows", options);
    // In front of a compressed buffer: the length it will have.
    let claimed = 8000_i64.to_le_bytes();
    let at = whole.windows(8).position(|bytes| bytes == claimed).unwrap();
    let mut lying = whole.clone();
    lying[at..at + 8].copy_from_slice(&(1_i64 << 50).to_le_bytes());
    let fixture = Fixture::new();
    fixture.write("t.arrows", lying);
    let table = fixture.open("t.arrows", "arrow", &ID).await.unwrap();
    assert!(matches!(error(&table).await, SourceError::Unreadable { .. }));
    fixture.write("t.arrows", whole);
    let table = fixture.open("t.arrows", "arrow", &ID).await.unwrap();
    assert_eq!(rows(&table).await.len(), 1000);
}

#[tokio::test]
async fn other_files_are_no_arrow() {
    let fixture = Fixture::new();
    for content in ["", "id\n1\n", "ARROW1", "ARROW1\0\0xxxxxxxxxxxxxxxxARROW1", "PAR1xxxxxxxxxxxxPAR1"] {
        fixture.write("t.arrow", content);
        let error = fixture.open("t.arrow", "arrow", &ID).await.unwrap_err();
        assert!(matches!(error, SourceError::Unreadable { .. }), "{content:?}: {error}");
    }
}
