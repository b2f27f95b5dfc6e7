use std::{collections::BTreeMap, fs, fs::File, path::PathBuf};

use arrow::{array::RecordBatch, util::pretty::pretty_format_batches};
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::*;

fn extent(scale: u32) -> Extent {
    Extent::new(scale, NaiveDate::from_ymd_opt(2026, 11, 23).unwrap())
}

/// Every file of a demo of this scale, by path.
fn files(extent: &Extent) -> BTreeMap<PathBuf, Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), extent).unwrap();
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.path().to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.insert(path.strip_prefix(folder.path()).unwrap().to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    files
}

fn orders(extent: &Extent) -> Vec<RecordBatch> {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), extent).unwrap();
    let mut batches = Vec::new();
    for region in sales::REGIONS {
        let path = folder.path().join(format!("sales/data/orders/region={region}/part-0.parquet"));
        let reader =
            ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap().build().unwrap();
        batches.extend(reader.map(Result::unwrap));
    }
    batches
}

#[test]
fn the_same_bytes_each_time() {
    let first = files(&extent(1));
    assert_eq!(first.len(), 12);
    assert_eq!(first, files(&extent(1)));
    assert_ne!(first, files(&extent(2)));
}

#[test]
fn scale_multiplies_rows() {
    let rows = |scale| orders(&extent(scale)).iter().map(RecordBatch::num_rows).sum::<usize>();
    assert_eq!(rows(1), 1000);
    assert_eq!(rows(3), 8 + 3 * 992);
}

#[test]
fn story_rows_are_there_at_every_scale() {
    for scale in [1, 3] {
        let text = pretty_format_batches(&orders(&extent(scale))).unwrap().to_string();
        for line in [
            "| 1001     | 1           | berlin   | 2026-08-22 | 120.00  | 30.00  | 4111111111111111 |",
            "| 1003     | 2           | berlin   | 2026-10-01 | 999.00  | 250.00 | 5500000000000004 |",
        ] {
            assert!(text.contains(line), "{line} at scale {scale}");
        }
        let profiles =
            String::from_utf8(files(&extent(scale))[&PathBuf::from("customers/data/profiles.csv")].clone())
                .unwrap();
        assert!(profiles.contains("\n1,Greta Winter,greta@winter.example,1984-02-11,DE,gold,true\n"));
    }
}

#[test]
fn only_one_order_has_the_secret_total() {
    let text = pretty_format_batches(&orders(&extent(3))).unwrap().to_string();
    assert_eq!(text.matches("| 999.00 ").count(), 1);
}

#[test]
fn quarters_begin_where_they_should() {
    let day = |text: &str| text.parse::<NaiveDate>().unwrap();
    for (today, start) in [
        ("2026-01-01", "2026-01-01"),
        ("2026-03-31", "2026-01-01"),
        ("2026-04-01", "2026-04-01"),
        ("2026-12-31", "2026-10-01"),
    ] {
        assert_eq!(quarter_start(day(today)), day(start));
    }
    assert_eq!(extent(1).first_monday(), day("2026-10-05"));
}
