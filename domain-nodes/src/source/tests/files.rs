//! Which files are read, and that they stay what they were.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::time::Duration;

use arrow::array::Int64Array;
use datafusion::physical_plan::execute_stream;
use futures::StreamExt as _;

use super::*;

const ID: [&str; 1] = ["name: id, logicalType: integer"];
const ID_AND_REGION: [&str; 2] =
    ["name: id, logicalType: integer", "name: region, logicalType: string, partitioned: true"];

fn ids(ids: &[i64]) -> Vec<(&'static str, ArrayRef)> {
    vec![("id", Arc::new(Int64Array::from(ids.to_vec())))]
}

#[tokio::test]
async fn a_file_a_folder_and_a_glob_are_read() {
    let fixture = Fixture::new();
    fixture.write("t/a.csv", "id\n1\n");
    fixture.write("t/deep/er/b.csv", "id\n2\n");
    fixture.write("t/x1.csv", "id\n3\n");
    fixture.write("t/notes.txt", "nothing");
    fixture.write("t/_SUCCESS", "");
    fixture.write("t/.hidden.csv", "id\n4\n");
    fixture.write("t/_temporary/c.csv", "id\n5\n");
    for (path, expected) in [
        ("t/a.csv", vec!["1"]),
        ("t", vec!["1", "2", "3"]),
        ("t/", vec!["1", "2", "3"]),
        ("t/*.csv", vec!["1", "3"]),
        ("t/x?.csv", vec!["3"]),
        ("t/**/*.csv", vec!["1", "2", "3"]),
        ("t/deep/**", vec!["2"]),
        ("t/de*", vec!["2"]),
        ("*/a.csv", vec!["1"]),
        ("./t/./*.csv", vec!["1", "3"]),
    ] {
        assert_eq!(rows(&fixture.csv(path, &ID).await).await, expected, "{path}");
    }
    for path in ["t/missing.csv", "missing", "t/*.json", "t/_temporary/*.json"] {
        let error = fixture.open(path, "csv", &ID).await.unwrap_err();
        assert!(
            matches!(error, SourceError::NotFound { .. } | SourceError::NoFiles { .. }),
            "{path}: {error}"
        );
    }
}

#[tokio::test]
async fn what_lies_outside_the_roots_is_not_read() {
    let fixture = Fixture::new();
    fixture.write("t/a.csv", "id\n1\n");
    fs::create_dir(fixture.dir.path().join("secret")).unwrap();
    fs::write(fixture.dir.path().join("secret/a.csv"), "id\n666\n").unwrap();
    fs::write(fixture.dir.path().join("secret.csv"), "id\n666\n").unwrap();
    symlink(fixture.dir.path().join("secret"), fixture.path("link")).unwrap();
    for path in [
        "../secret/a.csv",
        "../secret",
        "t/../../secret/a.csv",
        "../secret.csv",
        "link",
        "link/a.csv",
        "link/*.csv",
        "../*/a.csv",
    ] {
        let error = fixture.open(path, "csv", &ID).await.unwrap_err();
        assert!(matches!(error, SourceError::OutsideRoots { .. }), "{path}: {error}");
    }
    // Behind a wildcard `..` could lead anywhere.
    let error = fixture.open("*/../../secret/a.csv", "csv", &ID).await.unwrap_err();
    assert!(matches!(error, SourceError::OutsideRoots { .. }), "{error}");
    // A name that only begins like a root is another folder.
    fs::create_dir(fixture.dir.path().join("data2")).unwrap();
    fs::write(fixture.dir.path().join("data2/a.csv"), "id\n666\n").unwrap();
    let error = fixture.open("../data2/a.csv", "csv", &ID).await.unwrap_err();
    assert!(matches!(error, SourceError::OutsideRoots { .. }), "{error}");
    // And `..` that stays inside is fine.
    assert_eq!(rows(&fixture.csv("t/../t/a.csv", &ID).await).await, ["1"]);
}

#[tokio::test]
async fn symbolic_links_among_the_files_are_refused() {
    for (target, is_folder) in
        [("../secret.csv", false), ("../../data", true), ("a.csv", false), ("nowhere", false)]
    {
        let fixture = Fixture::new();
        fixture.write("t/a.csv", "id\n1\n");
        fs::write(fixture.dir.path().join("secret.csv"), "id\n666\n").unwrap();
        let name = if is_folder { "t/z" } else { "t/z.csv" };
        symlink(target, fixture.path(name)).unwrap();
        for path in ["t", "t/*", "**"] {
            let error = fixture.open(path, "csv", &ID).await.unwrap_err();
            assert!(matches!(error, SourceError::SymbolicLink { .. }), "{target} {path}: {error}");
        }
        assert_eq!(rows(&fixture.csv("t/a.csv", &ID).await).await, ["1"]);
    }
}

#[tokio::test]
async fn a_link_as_the_fixed_part_of_a_path_may_stay_inside() {
    let fixture = Fixture::new();
    fixture.write("v2/a.csv", "id\n1\n");
    symlink("v2", fixture.path("current")).unwrap();
    assert_eq!(rows(&fixture.csv("current/*.csv", &ID).await).await, ["1"]);
}

#[tokio::test]
async fn only_files_are_read_and_roots_must_exist() {
    let fixture = Fixture::new();
    let table = fixture.table("t", "csv", &ID);
    let error = Source::new(&table, &access(&[fixture.path("missing")])).unwrap_err();
    assert!(matches!(error, SourceError::Root { .. }));
    let nowhere = Source::new(&table, &access(&[])).unwrap();
    fixture.write("t/a.csv", "id\n1\n");
    assert!(matches!(nowhere.open(&state()).await.unwrap_err(), SourceError::OutsideRoots { .. }));
    let device = fixture.table("../../../../../../../../dev/null", "csv", &ID);
    let device = Source::new(&device, &access(&[PathBuf::from("/")])).unwrap();
    assert!(matches!(device.open(&state()).await.unwrap_err(), SourceError::NotAFile { .. }));
}

#[tokio::test]
async fn files_that_change_after_they_were_listed_end_the_query() {
    for format in ["csv", "parquet"] {
        let write = |fixture: &Fixture, values: &[i64]| match format {
            "csv" => {
                let lines: Vec<String> = values.iter().map(i64::to_string).collect();
                fixture.write("t/a.csv", format!("id\n{}\n", lines.join("\n")));
            }
            _ => fixture.write_parquet("t/a.parquet", ids(values)),
        };
        let name = if format == "csv" { "t/a.csv" } else { "t/a.parquet" };
        for change in ["rewrite", "append", "truncate", "replace", "remove", "touch", "directory"] {
            let fixture = Fixture::new();
            write(&fixture, &[1, 2]);
            let table = fixture.open("t", format, &ID).await.unwrap();
            let path = fixture.path(name);
            // Times of files may be as coarse as the kernel's tick.
            std::thread::sleep(Duration::from_millis(20));
            match change {
                "rewrite" => write(&fixture, &[3, 4]),
                "append" => OpenOptions::new().append(true).open(&path).unwrap().write_all(b"3\n").unwrap(),
                "truncate" => OpenOptions::new().write(true).open(&path).unwrap().set_len(3).unwrap(),
                "replace" => {
                    fs::copy(&path, fixture.path("t/other")).unwrap();
                    fs::rename(fixture.path("t/other"), &path).unwrap();
                }
                "remove" => fs::remove_file(&path).unwrap(),
                "touch" => OpenOptions::new()
                    .write(true)
                    .open(&path)
                    .unwrap()
                    .set_modified(std::time::SystemTime::now())
                    .unwrap(),
                _ => {
                    fs::remove_file(&path).unwrap();
                    fs::create_dir(&path).unwrap();
                }
            }
            let found = error(&table).await;
            assert!(matches!(found, SourceError::Changed { .. }), "{format} {change}: {found}");
            // An untouched statement reads on.
            if !matches!(change, "remove" | "directory" | "truncate")
                && format == "parquet"
                && change != "append"
            {
                assert_eq!(rows(&fixture.open("t", format, &ID).await.unwrap()).await.len(), 2, "{change}");
            }
        }
    }
}

#[tokio::test]
async fn files_that_change_while_they_are_read_end_the_query() {
    for format in ["csv", "parquet"] {
        let fixture = Fixture::new();
        let many: Vec<i64> = (0..50_000).collect();
        match format {
            "csv" => {
                let lines: Vec<String> = many.iter().map(i64::to_string).collect();
                fixture.write("t/a.csv", format!("id\n{}\n", lines.join("\n")));
            }
            _ => fixture.write_parquet("t/a.parquet", ids(&many)),
        }
        fixture.write_parquet("t/b.parquet", ids(&[1]));
        fixture.write("t/b.csv", "id\n1\n");
        let table = fixture.open("t", format, &ID).await.unwrap();
        let state = state_with(SessionConfig::new().with_target_partitions(1).with_batch_size(100));
        let plan = table.provider.scan(&state, None, &[], None).await.unwrap();
        let mut stream = execute_stream(plan, state.task_ctx()).unwrap();
        stream.next().await.unwrap().unwrap();
        // Its last row was not read yet, or it was and the statement goes on.
        fs::remove_file(fixture.path(&format!("t/a.{format}"))).unwrap();
        // Nobody reads on behind an error; batches that waited may come behind it.
        let mut failure = None;
        while let (None, Some(batch)) = (&failure, stream.next().await) {
            failure = batch.err();
        }
        let found = source_error(failure.unwrap());
        assert!(matches!(found, SourceError::Changed { .. }), "{format}: {found}");
    }
}

#[tokio::test]
async fn partition_values_come_from_the_paths() {
    for format in ["csv", "parquet"] {
        let fixture = Fixture::new();
        for (region, id) in [("DE", 1), ("FR%3AParis", 2), ("__HIVE_DEFAULT_PARTITION__", 3)] {
            fixture.write(&format!("t/region={region}/a.csv"), format!("id\n{id}\n"));
            // A column of that name in the file counts less than the path.
            let mut columns = ids(&[id]);
            columns.push(("region", Arc::new(Int64Array::from(vec![99]))));
            fixture.write_parquet(&format!("t/region={region}/a.parquet"), columns);
        }
        for path in ["t", "t/*", &format!("t/region=*/*.{format}"), &format!("t/**/*.{format}")] {
            if path == "t/*" || path.ends_with(format) || path == "t" {
                let table = fixture.open(path, format, &ID_AND_REGION).await.unwrap();
                assert_eq!(rows(&table).await, ["1|DE", "2|FR:Paris", "3|NULL"], "{format} {path}");
                let reversed = batches(&table, Some(vec![1, 0]), &[]).await.unwrap();
                assert_eq!(rows_of(&reversed), ["DE|1", "FR:Paris|2", "NULL|3"]);
                assert_eq!(
                    rows_of(&batches(&table, Some(vec![1]), &[]).await.unwrap()),
                    ["DE", "FR:Paris", "NULL"]
                );
                let counted = batches(&table, Some(vec![]), &[]).await.unwrap();
                assert_eq!(counted.iter().map(RecordBatch::num_rows).sum::<usize>(), 3);
            }
        }
    }
}

#[tokio::test]
async fn partition_values_are_of_the_contracts_type() {
    let fixture = Fixture::new();
    fixture.write("t/day=2026-11-23/n=7/a.csv", "id\n1\n");
    let columns = [
        "name: id, logicalType: integer",
        "name: day, logicalType: date, partitioned: true",
        "name: number, physicalName: n, logicalType: integer, physicalType: int, partitioned: true",
    ];
    let table = fixture.csv("t", &columns).await;
    assert_eq!(rows(&table).await, ["1|2026-11-23|7"]);

    fixture.write("t/day=2026-02-30/n=7/a.csv", "id\n1\n");
    let error = fixture.open("t", "csv", &columns).await.unwrap_err();
    assert!(matches!(error, SourceError::Partition { ref column, .. } if column == "day"), "{error}");
    fs::remove_dir_all(fixture.path("t/day=2026-02-30")).unwrap();

    fixture.write("t/day=2026-02-20/b.csv", "id\n1\n");
    let error = fixture.open("t", "csv", &columns).await.unwrap_err();
    assert!(matches!(error, SourceError::Partition { ref column, .. } if column == "number"), "{error}");
    fs::remove_dir_all(fixture.path("t/day=2026-02-20")).unwrap();

    fixture.write("t/day=2026-02-20/n=1/n=2/b.csv", "id\n1\n");
    let error = fixture.open("t", "csv", &columns).await.unwrap_err();
    assert!(matches!(error, SourceError::Partition { ref column, .. } if column == "number"), "{error}");
}

#[tokio::test]
async fn folders_above_the_root_are_no_partitions() {
    let fixture = Fixture::new();
    fixture.write("region=XX/t/region=DE/a.csv", "id\n1\n");
    let table = fixture.table("region=XX/t", "csv", &ID_AND_REGION);
    let inner = Source::new(&table, &access(&[fixture.path("region=XX")])).unwrap();
    assert_eq!(rows(&inner.open(&state()).await.unwrap()).await, ["1|DE"]);
    // Of two roots the inner one counts; with the outer one alone there are two values.
    let both = Source::new(&table, &access(&[fixture.path(""), fixture.path("region=XX")])).unwrap();
    assert_eq!(rows(&both.open(&state()).await.unwrap()).await, ["1|DE"]);
    let outer = Source::new(&table, &access(&[fixture.path("")])).unwrap();
    assert!(matches!(outer.open(&state()).await.unwrap_err(), SourceError::Partition { .. }));
}

#[tokio::test]
async fn no_file_is_passed_over_for_the_spelling_of_its_name() {
    use std::os::unix::ffi::OsStrExt as _;
    let fixture = Fixture::new();
    fixture.write("t/a.csv", "id\n1\n");
    fixture.write("t/B.CSV", "id\n2\n");
    assert_eq!(rows(&fixture.csv("t", &ID).await).await, ["1", "2"]);
    let odd = fixture.path("t").join(std::ffi::OsStr::from_bytes(b"\xff.csv"));
    fs::write(odd, "id\n3\n").unwrap();
    for path in ["t", "t/*"] {
        let error = fixture.open(path, "csv", &ID).await.unwrap_err();
        assert!(matches!(error, SourceError::Unreadable { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_partition_column_may_lie_in_a_single_file_instead() {
    let fixture = Fixture::new();
    fixture.write("t.csv", "id,region\n1,DE\n");
    assert_eq!(rows(&fixture.csv("t.csv", &ID_AND_REGION).await).await, ["1|DE"]);
}

#[tokio::test]
async fn several_files_are_several_partitions() {
    for format in ["csv", "parquet"] {
        let fixture = Fixture::new();
        for number in 0..5 {
            fixture.write(&format!("t/{number}.csv"), format!("id\n{number}\n"));
            fixture.write_parquet(&format!("t/{number}.parquet"), ids(&[number]));
        }
        let table = fixture.open("t", format, &ID).await.unwrap();
        let plan = plan(&table, None, &[], None).await.unwrap();
        assert_eq!(partitions(&plan), 2, "{format}");
        assert_eq!(rows(&table).await, ["0", "1", "2", "3", "4"]);
    }
}

#[tokio::test]
async fn estimates_come_without_reading_the_rows() {
    let fixture = Fixture::new();
    fixture.write_parquet("p/a.parquet", ids(&[1, 2, 3]));
    fixture.write_parquet("p/b.parquet", ids(&[4]));
    let survey = fixture.source("p", "parquet", &ID).survey().await.unwrap();
    assert_eq!((survey.rows, survey.is_whole), (Some(4), true));
    let size = |name: &str| fs::metadata(fixture.path(name)).unwrap().len();
    assert_eq!(survey.bytes, size("p/a.parquet") + size("p/b.parquet"));
    fixture.write("c/a.csv", format!("id\n{}", "1\n".repeat(999)));
    let survey = fixture.source("c", "csv", &ID).survey().await.unwrap();
    assert!((900..1100).contains(&survey.rows.unwrap()), "{survey:?}");
    assert_eq!(survey.bytes, size("c/a.csv"));
    assert!(fixture.source("missing", "csv", &ID).survey().await.is_err());
    let survey = fixture.source("c", "csv", &["name: other, logicalType: string"]).survey().await.unwrap();
    assert!(!survey.is_whole);
}
