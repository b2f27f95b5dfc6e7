//! Results as text, written while they arrive.

use std::io::{self, Write};

use arrow::{
    array::RecordBatch,
    datatypes::SchemaRef,
    error::ArrowError,
    json::{LineDelimitedWriter, WriterBuilder, writer::LineDelimited},
    util::display::{ArrayFormatter, FormatOptions},
};
use clap::ValueEnum;

use super::table::TableWriter;
use crate::failure::Failure;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Aligned columns for people.
    Table,
    /// RFC 4180 with a header; NULL is an empty field.
    Csv,
    /// One JSON object a line.
    Json,
}

/// Writes one result.
pub(crate) enum Output<W: Write> {
    Table(TableWriter<W>),
    Csv(W),
    Json(Box<LineDelimitedWriter<W>>),
}

impl<W: Write> Output<W> {
    pub(crate) fn begin(format: Format, mut target: W, schema: &SchemaRef) -> Result<Self, Failure> {
        Ok(match format {
            Format::Table => Self::Table(TableWriter::new(target, schema)),
            Format::Csv => {
                let names = schema.fields().iter().map(|field| csv_field(field.name()));
                write_csv_line(&mut target, names).map_err(|error| Failure::output(&error))?;
                Self::Csv(target)
            }
            Format::Json => {
                let writer = WriterBuilder::new().with_explicit_nulls(true);
                Self::Json(Box::new(writer.build::<W, LineDelimited>(target)))
            }
        })
    }

    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        match self {
            Self::Table(writer) => writer.write(batch),
            Self::Csv(target) => write_csv(target, batch),
            Self::Json(writer) => writer.write(batch).map_err(unprintable),
        }
    }

    pub(crate) fn finish(self) -> Result<(), Failure> {
        match self {
            Self::Table(writer) => writer.finish(),
            Self::Csv(mut target) => target.flush().map_err(|error| Failure::output(&error)),
            Self::Json(mut writer) => {
                writer.finish().map_err(unprintable)?;
                writer.into_inner().flush().map_err(|error| Failure::output(&error))
            }
        }
    }
}

/// Every cell of a batch as text, row by row; `None` is NULL.
pub(crate) fn rows(batch: &RecordBatch) -> Result<Vec<Vec<Option<String>>>, Failure> {
    let options = FormatOptions::default();
    let formatters = batch
        .columns()
        .iter()
        // Logical: a column that is nothing but `null` has no validity of its own.
        .map(|column| Ok((column.logical_nulls(), ArrayFormatter::try_new(column, &options)?)))
        .collect::<Result<Vec<_>, ArrowError>>()
        .map_err(unprintable)?;
    (0..batch.num_rows())
        .map(|row| {
            formatters
                .iter()
                .map(|(nulls, formatter)| {
                    if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
                        return Ok(None);
                    }
                    formatter.value(row).try_to_string().map(Some).map_err(unprintable)
                })
                .collect()
        })
        .collect()
}

fn write_csv(target: &mut impl Write, batch: &RecordBatch) -> Result<(), Failure> {
    for row in rows(batch)? {
        let cells = row.into_iter().map(|cell| cell.map_or_else(String::new, |text| csv_field(&text)));
        write_csv_line(target, cells).map_err(|error| Failure::output(&error))?;
    }
    Ok(())
}

fn write_csv_line(target: &mut impl Write, cells: impl Iterator<Item = String>) -> io::Result<()> {
    let line = cells.collect::<Vec<_>>().join(",");
    writeln!(target, "{line}")
}

/// An empty text is quoted, so that it differs from NULL.
fn csv_field(text: &str) -> String {
    let needs_quotes = text.is_empty() || text.contains([',', '"', '\n', '\r']);
    if needs_quotes { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

pub(super) fn unprintable(error: ArrowError) -> Failure {
    match error {
        ArrowError::IoError(_, error) => Failure::output(&error),
        other => Failure::Found(format!("the result cannot be printed in this format: {other}")),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use arrow::{
        array::{ArrayRef, Date32Array, Decimal128Array, Int64Array, StringArray},
        datatypes::{DataType, Field, Schema},
    };

    use super::*;

    pub(crate) fn sample() -> RecordBatch {
        let total = Decimal128Array::from(vec![Some(12_000), None]).with_precision_and_scale(12, 2).unwrap();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(vec![1001, 1002])),
            Arc::new(StringArray::from(vec![Some("a,\"b\""), Some("")])),
            Arc::new(total),
            Arc::new(Date32Array::from(vec![Some(20_000), None])),
        ];
        let schema = Schema::new(vec![
            Field::new("order_id", DataType::Int64, false),
            Field::new("note", DataType::Utf8, true),
            Field::new("total", DataType::Decimal128(12, 2), true),
            Field::new("day", DataType::Date32, true),
        ]);
        RecordBatch::try_new(Arc::new(schema), columns).unwrap()
    }

    pub(crate) fn printed(format: Format, batches: &[RecordBatch]) -> String {
        let mut text = Vec::new();
        let mut output = Output::begin(format, &mut text, &sample().schema()).unwrap();
        for batch in batches {
            output.write(batch).unwrap();
        }
        output.finish().unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn csv_quotes_and_tells_null_from_empty() {
        assert_eq!(
            printed(Format::Csv, &[sample()]),
            "order_id,note,total,day\n1001,\"a,\"\"b\"\"\",120.00,2024-10-04\n1002,\"\",,\n"
        );
        assert_eq!(printed(Format::Csv, &[]), "order_id,note,total,day\n");
    }

    #[test]
    fn a_null_without_a_type_is_null() {
        let schema = Schema::new(vec![Field::new("n", DataType::Null, true)]);
        let column: ArrayRef = Arc::new(arrow::array::NullArray::new(1));
        let batch = RecordBatch::try_new(Arc::new(schema), vec![column]).unwrap();
        assert_eq!(rows(&batch).unwrap(), [[None]]);
    }

    #[test]
    fn json_is_one_object_a_line_with_nulls() {
        let text = printed(Format::Json, &[sample()]);
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["order_id"], 1001);
        assert_eq!(lines[1]["total"], serde_json::Value::Null);
        assert_eq!(printed(Format::Json, &[]), "");
    }

    #[test]
    fn a_closed_pipe_is_not_an_error_of_ours() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        for format in [Format::Csv, Format::Json, Format::Table] {
            let result = Output::begin(format, Closed, &sample().schema()).and_then(|mut output| {
                output.write(&sample())?;
                output.finish()
            });
            assert!(matches!(result, Err(Failure::OutputClosed)), "{format:?}");
        }
    }
}
