//! What holds for every format, on disk and in a bucket.

use arrow::array::{Array as _, Date32Array, Int64Array, ListArray, StringArray, StructArray};
use arrow::datatypes::{DataType, Field, Int64Type};

use super::buckets::Lake;
use super::*;

const COLUMNS: [&str; 3] = [
    "name: id, physicalName: ID, logicalType: integer, required: true",
    "name: name, logicalType: string",
    "name: day, logicalType: date",
];

fn columns(first: i64) -> Vec<(&'static str, ArrayRef)> {
    let ids: Vec<i64> = (first..first + 3).collect();
    let names = StringArray::from(vec![Some("a"), None, Some("ü, \"x\"")]);
    let days = Date32Array::from(vec![Some(0), Some(20_000), None]);
    vec![("ID", Arc::new(Int64Array::from(ids))), ("name", Arc::new(names)), ("day", Arc::new(days))]
}

const EXPECTED: [&str; 6] = [
    "1|a|1970-01-01",
    "2|NULL|2024-10-04",
    "3|ü, \"x\"|NULL",
    "4|a|1970-01-01",
    "5|NULL|2024-10-04",
    "6|ü, \"x\"|NULL",
];

#[tokio::test]
async fn every_format_gives_the_same_rows_from_disk() {
    for (format, extension) in FORMATS {
        let fixture = Fixture::new();
        fixture.write_as(&format!("t/1.{extension}"), extension, columns(1));
        fixture.write_as(&format!("t/x/2.{extension}"), extension, columns(4));
        fixture.write("t/notes.txt", "nothing");
        let table = fixture.open("t", format, &COLUMNS).await.unwrap();
        assert_eq!(rows(&table).await, EXPECTED, "{extension}");
        let ids = batches(&table, Some(vec![0]), &[]).await.unwrap();
        assert_eq!(rows_of(&ids), ["1", "2", "3", "4", "5", "6"], "{extension}");
        let none = batches(&table, Some(vec![]), &[]).await.unwrap();
        assert_eq!(none.iter().map(RecordBatch::num_rows).sum::<usize>(), 6, "{extension}");
        let turned = batches(&table, Some(vec![2, 0]), &[]).await.unwrap();
        assert!(rows_of(&turned).contains(&"2024-10-04|2".to_owned()), "{extension}");
    }
}

#[tokio::test]
async fn every_format_gives_the_same_rows_from_a_bucket() {
    for (format, extension) in FORMATS {
        let lake = Lake::new();
        lake.put(&format!("t/1.{extension}"), encoded(extension, &nullable(columns(1)))).await;
        lake.put(&format!("t/x/2.{extension}"), encoded(extension, &nullable(columns(4)))).await;
        lake.put("t/notes.txt", "nothing").await;
        lake.put(&format!("t/_temporary/3.{extension}"), "nothing").await;
        let table = lake.open("t/", format, &COLUMNS).await.unwrap();
        assert_eq!(rows(&table).await, EXPECTED, "{extension}");
        let ids = batches(&table, Some(vec![0]), &[]).await.unwrap();
        assert_eq!(rows_of(&ids), ["1", "2", "3", "4", "5", "6"], "{extension}");
    }
}

#[tokio::test]
async fn partitions_come_from_paths_in_every_format() {
    let partitioned = [COLUMNS[0], COLUMNS[1], "name: region, logicalType: string, partitioned: true"];
    let expected = ["1|a|DE", "2|NULL|DE", "3|ü, \"x\"|DE", "4|a|FR", "5|NULL|FR", "6|ü, \"x\"|FR"];
    for (format, extension) in FORMATS {
        let (fixture, lake) = (Fixture::new(), Lake::new());
        for (region, first) in [("DE", 1), ("FR", 4)] {
            let name = format!("t/region={region}/1.{extension}");
            let file = encoded(extension, &nullable(columns(first)));
            fixture.write(&name, &file);
            lake.put(&name, file).await;
        }
        let on_disk = fixture.open("t", format, &partitioned).await.unwrap();
        assert_eq!(rows(&on_disk).await, expected, "{extension}");
        let in_bucket = lake.open("t", format, &partitioned).await.unwrap();
        assert_eq!(rows(&in_bucket).await, expected, "{extension}");
        let only = batches(&in_bucket, Some(vec![2]), &[]).await.unwrap();
        assert_eq!(rows_of(&only), ["DE", "DE", "DE", "FR", "FR", "FR"], "{extension}");
    }
}

#[tokio::test]
async fn a_limit_ends_the_reading_in_every_format() {
    for (format, extension) in FORMATS {
        let fixture = Fixture::new();
        let many: ArrayRef = Arc::new(Int64Array::from((0..1000).collect::<Vec<_>>()));
        fixture.write_as(&format!("t.{extension}"), extension, vec![("ID", many)]);
        let table = fixture.open(&format!("t.{extension}"), format, &COLUMNS[..1]).await.unwrap();
        let state = state_with(SessionConfig::new().with_target_partitions(1).with_batch_size(64));
        for (limit, expected) in [(Some(100), 100), (None, 1000)] {
            let plan = table.provider.scan(&state, None, &[], limit).await.unwrap();
            let batches = collect(plan, state.task_ctx()).await.unwrap();
            assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), expected, "{extension}");
            assert!(batches.iter().all(|batch| batch.num_rows() <= 64), "{extension}");
        }
    }
}

#[tokio::test]
async fn a_missing_column_refuses_what_touches_it_in_every_format() {
    let more = [COLUMNS[0], "name: total, logicalType: integer"];
    for (format, extension) in FORMATS {
        let (fixture, lake) = (Fixture::new(), Lake::new());
        let file = encoded(extension, &nullable(columns(1)));
        fixture.write(&format!("t.{extension}"), &file);
        lake.put(&format!("t.{extension}"), file).await;
        let on_disk = fixture.open(&format!("t.{extension}"), format, &more).await.unwrap();
        let in_bucket = lake.open(&format!("t.{extension}"), format, &more).await.unwrap();
        for table in [on_disk, in_bucket] {
            let ids = batches(&table, Some(vec![0]), &[]).await.unwrap();
            assert_eq!(rows_of(&ids), ["1", "2", "3"], "{extension}");
            let error = source_error(batches(&table, None, &[]).await.unwrap_err());
            assert!(
                matches!(error, SourceError::Drift { ref column, .. } if column == "total"),
                "{extension}: {error}"
            );
        }
    }
}

#[tokio::test]
async fn a_file_that_changes_or_goes_after_it_was_listed_ends_the_query_in_every_format() {
    for (format, extension) in FORMATS {
        let name = format!("t/1.{extension}");
        let (old, new) =
            (encoded(extension, &nullable(columns(1))), encoded(extension, &nullable(columns(4))));
        for replacement in [Some(&new), Some(&old), None] {
            let (fixture, lake) = (Fixture::new(), Lake::new());
            fixture.write(&name, &old);
            lake.put(&name, old.clone()).await;
            let on_disk = fixture.open("t", format, &COLUMNS).await.unwrap();
            let in_bucket = lake.open("t", format, &COLUMNS).await.unwrap();
            fs::remove_file(fixture.path(&name)).unwrap();
            match replacement {
                Some(file) => {
                    fixture.write(&name, file);
                    lake.put(&name, file.clone()).await;
                }
                None => lake.delete(&name).await,
            }
            for table in [on_disk, in_bucket] {
                let error = error(&table).await;
                assert!(matches!(error, SourceError::Changed { .. }), "{extension}: {error}");
            }
        }
    }
}

/// A list and a struct with a list in it.
fn nested() -> Vec<(&'static str, ArrayRef)> {
    let numbers =
        || ListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(1), None]), None, Some(vec![])]);
    let inner = Field::new("numbers", numbers().data_type().clone(), true);
    let place = StructArray::from(vec![
        (
            Arc::new(Field::new("city", DataType::Utf8, true)),
            Arc::new(StringArray::from(vec![Some("B"), None, Some("P")])) as ArrayRef,
        ),
        (Arc::new(inner), Arc::new(numbers()) as ArrayRef),
    ]);
    vec![("numbers", Arc::new(numbers())), ("place", Arc::new(place))]
}

#[tokio::test]
async fn nested_columns_come_from_every_format_that_has_them() {
    let contract = [
        "name: numbers, logicalType: array, items: { logicalType: integer }",
        "name: place, logicalType: object, properties: [ \
         { name: city, logicalType: string }, \
         { name: numbers, logicalType: array, items: { logicalType: integer } } ]",
    ];
    for (format, extension) in FORMATS.into_iter().filter(|(format, _)| *format != "csv") {
        let fixture = Fixture::new();
        fixture.write_as(&format!("t.{extension}"), extension, nested());
        let table = fixture.open(&format!("t.{extension}"), format, &contract).await.unwrap();
        let expected =
            ["NULL|{city: , numbers: }", "[1, ]|{city: B, numbers: [1, ]}", "[]|{city: P, numbers: []}"];
        assert_eq!(rows(&table).await, expected, "{extension}");
        // A field that must not be NULL is, in the second row.
        let strict =
            contract[1].replace("city, logicalType: string", "city, logicalType: string, required: true");
        let table = fixture.open(&format!("t.{extension}"), format, &[&strict]).await.unwrap();
        let error = error(&table).await;
        assert!(matches!(error, SourceError::BrokenPromise { .. }), "{extension}: {error}");
    }
}
