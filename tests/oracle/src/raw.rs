//! Raw rows of a contract's table, straight from its files.

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes as types;
use arrow::ipc::reader::FileReader;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::documents::{Column, Table};
use crate::value::{Row, Value, parse_date};

/// All rows of `table`, by contract column names. Order: files by name, then as in the file.
pub fn read_rows(table: &Table) -> Vec<Row> {
    let mut files = Vec::new();
    let extensions = match table.format.as_str() {
        "json" => &["json", "jsonl", "ndjson"][..],
        format => &[format],
    };
    collect(Path::new(table.path.trim_end_matches("/**").trim_end_matches("/*")), extensions, &mut files);
    files.sort();
    assert!(!files.is_empty(), "no files at {}", table.path);
    files
        .iter()
        .flat_map(|file| match table.format.as_str() {
            "csv" => csv(file, table),
            "json" => json(file, table),
            "arrow" => arrow_ipc(file, table),
            _ => parquet(file, table),
        })
        .collect()
}

fn collect(path: &Path, extensions: &[&str], files: &mut Vec<PathBuf>) {
    if path.is_dir() {
        for entry in std::fs::read_dir(path).expect("a folder") {
            collect(&entry.expect("an entry").path(), extensions, files);
        }
    } else if path.extension().is_some_and(|found| extensions.iter().any(|extension| found == *extension)) {
        files.push(path.to_owned());
    }
}

/// The value of a hive partition in the file's path.
fn partition(file: &Path, column: &Column) -> Value {
    let marker = format!("{}=", column.physical_name);
    let found = file.iter().filter_map(|part| part.to_str()?.strip_prefix(&marker)).next();
    cell(found.unwrap_or_else(|| panic!("no partition {marker} in {}", file.display())), column)
}

/// CSV without line breaks in cells; an empty cell without quotes is NULL.
fn csv(file: &Path, table: &Table) -> Vec<Row> {
    let text = std::fs::read_to_string(file).expect("a readable file");
    let mut lines = text.lines().map(fields);
    let header = lines.next().expect("a header");
    lines
        .map(|cells| {
            let of = |column: &Column| {
                let at = header.iter().position(|name| name.text == column.physical_name);
                let found = &cells[at.expect("the column")];
                let is_null = found.text.is_empty() && !found.is_quoted;
                if is_null { Value::Null } else { cell(&found.text, column) }
            };
            table.columns.iter().map(|column| (column.name.clone(), of(column))).collect()
        })
        .collect()
}

/// One object a line, decimals in quotes; a key that is not there is NULL.
fn json(file: &Path, table: &Table) -> Vec<Row> {
    let text = std::fs::read_to_string(file).expect("a readable file");
    text.lines()
        .map(|line| {
            let object: serde_json::Value = serde_json::from_str(line).expect("JSON");
            let of = |column: &Column| match object.get(&column.physical_name) {
                None | Some(serde_json::Value::Null) => Value::Null,
                Some(serde_json::Value::String(text)) => cell(text, column),
                Some(other) => cell(&other.to_string(), column),
            };
            table.columns.iter().map(|column| (column.name.clone(), of(column))).collect()
        })
        .collect()
}

#[derive(Default)]
struct CsvCell {
    text: String,
    is_quoted: bool,
}

fn fields(line: &str) -> Vec<CsvCell> {
    let mut fields = vec![CsvCell::default()];
    let mut is_inside = false;
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        let field = fields.last_mut().unwrap();
        match character {
            // Inside quotes a quote is doubled.
            '"' if is_inside && characters.peek() == Some(&'"') => {
                characters.next();
                field.text.push('"');
            }
            '"' => {
                is_inside = !is_inside;
                field.is_quoted = true;
            }
            ',' if !is_inside => fields.push(CsvCell::default()),
            other => field.text.push(other),
        }
    }
    fields
}

fn cell(text: &str, column: &Column) -> Value {
    match column.logical_type.as_str() {
        "string" => Value::text(text),
        "integer" => Value::Integer(text.parse().expect("an integer")),
        "boolean" => Value::Boolean(text.parse().expect("a boolean")),
        "date" => Value::Date(parse_date(text)),
        "number" if column.physical_type.starts_with("decimal") => {
            let scale = column.physical_type.trim_end_matches(')').rsplit(',').next().unwrap();
            let scale: usize = scale.trim().parse().expect("a scale");
            let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
            let value = format!("{whole}{rest:0<scale$}").parse().expect("a decimal");
            Value::Decimal { value, scale: scale.try_into().unwrap() }
        }
        "number" => Value::Float(text.parse().expect("a number")),
        "timestamp" => {
            let moment = chrono::DateTime::parse_from_rfc3339(text).map(|moment| moment.to_utc());
            let moment =
                moment.or_else(|_| text.parse::<chrono::NaiveDateTime>().map(|moment| moment.and_utc()));
            Value::Timestamp(moment.expect("a timestamp").timestamp_micros())
        }
        other => panic!("the oracle does not read {other} from text"),
    }
}

fn parquet(file: &Path, table: &Table) -> Vec<Row> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(file).expect("a readable file"))
        .and_then(|builder| builder.build())
        .expect("a Parquet file");
    reader.flat_map(|batch| rows(&batch.expect("a batch"), file, table)).collect()
}

fn arrow_ipc(file: &Path, table: &Table) -> Vec<Row> {
    let reader = FileReader::try_new(File::open(file).expect("a readable file"), None);
    let batches = reader.expect("an Arrow file");
    batches.flat_map(|batch| rows(&batch.expect("a batch"), file, table)).collect()
}

fn rows(batch: &RecordBatch, file: &Path, table: &Table) -> Vec<Row> {
    let of = |row: usize, column: &Column| {
        if column.partitioned {
            return partition(file, column);
        }
        let array = batch.column_by_name(&column.physical_name);
        value(array.unwrap_or_else(|| panic!("no column {}", column.physical_name)), row)
    };
    (0..batch.num_rows())
        .map(|row| table.columns.iter().map(|column| (column.name.clone(), of(row, column))).collect())
        .collect()
}

/// One cell of an Arrow array.
pub fn value(array: &dyn Array, row: usize) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    match array.data_type() {
        types::DataType::Boolean => Value::Boolean(array.as_boolean().value(row)),
        types::DataType::UInt64 => {
            Value::Integer(array.as_primitive::<types::UInt64Type>().value(row).into())
        }
        types::DataType::UInt8 => Value::Integer(array.as_primitive::<types::UInt8Type>().value(row).into()),
        types::DataType::UInt32 => {
            Value::Integer(array.as_primitive::<types::UInt32Type>().value(row).into())
        }
        types::DataType::Int8 => Value::Integer(array.as_primitive::<types::Int8Type>().value(row).into()),
        types::DataType::Int16 => Value::Integer(array.as_primitive::<types::Int16Type>().value(row).into()),
        types::DataType::Int32 => Value::Integer(array.as_primitive::<types::Int32Type>().value(row).into()),
        types::DataType::Int64 => Value::Integer(array.as_primitive::<types::Int64Type>().value(row).into()),
        types::DataType::Float64 => Value::Float(array.as_primitive::<types::Float64Type>().value(row)),
        types::DataType::Date32 => Value::Date(array.as_primitive::<types::Date32Type>().value(row)),
        types::DataType::Utf8 => Value::text(array.as_string::<i32>().value(row)),
        types::DataType::LargeUtf8 => Value::text(array.as_string::<i64>().value(row)),
        types::DataType::Utf8View => Value::text(array.as_string_view().value(row)),
        types::DataType::UInt16 => {
            Value::Integer(array.as_primitive::<types::UInt16Type>().value(row).into())
        }
        types::DataType::Float32 => {
            Value::Float(array.as_primitive::<types::Float32Type>().value(row).into())
        }
        types::DataType::Binary => Value::Binary(array.as_binary::<i32>().value(row).to_vec()),
        types::DataType::Time64(types::TimeUnit::Microsecond) => {
            Value::Time(array.as_primitive::<types::Time64MicrosecondType>().value(row))
        }
        types::DataType::Timestamp(types::TimeUnit::Second, _) => {
            Value::Timestamp(array.as_primitive::<types::TimestampSecondType>().value(row) * 1_000_000)
        }
        types::DataType::Timestamp(types::TimeUnit::Millisecond, _) => {
            Value::Timestamp(array.as_primitive::<types::TimestampMillisecondType>().value(row) * 1000)
        }
        types::DataType::Timestamp(types::TimeUnit::Microsecond, _) => {
            Value::Timestamp(array.as_primitive::<types::TimestampMicrosecondType>().value(row))
        }
        types::DataType::Timestamp(types::TimeUnit::Nanosecond, _) => {
            let nanos = array.as_primitive::<types::TimestampNanosecondType>().value(row);
            assert_eq!(nanos % 1000, 0, "the oracle counts in microseconds");
            Value::Timestamp(nanos / 1000)
        }
        types::DataType::List(_) => {
            let items = array.as_list::<i32>().value(row);
            Value::List((0..items.len()).map(|item| value(&items, item)).collect())
        }
        types::DataType::Struct(fields) => {
            let columns = array.as_struct().columns();
            let of = |(field, column): (&types::FieldRef, &arrow::array::ArrayRef)| {
                (field.name().clone(), value(column, row))
            };
            Value::Struct(fields.iter().zip(columns).map(of).collect())
        }
        types::DataType::Decimal128(_, scale) => Value::Decimal {
            value: array.as_primitive::<types::Decimal128Type>().value(row),
            scale: u32::try_from(*scale).unwrap(),
        },
        other => panic!("the oracle does not read {other}"),
    }
}
