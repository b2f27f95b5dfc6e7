//! Files of the demo: Parquet, CSV, JSON lines and Arrow IPC.

use std::{
    fmt,
    fs::{self, File},
    io::{BufWriter, Write},
    path::Path,
};

use arrow::{
    array::RecordBatch,
    datatypes::{DataType, Field, Schema, SchemaRef},
    ipc::writer::FileWriter,
    json::{Writer, WriterBuilder, writer::LineDelimited},
};
use datafusion::parquet::{arrow::ArrowWriter, basic::Compression, file::properties::WriterProperties};

use crate::failure::Failure;

/// Rows held in memory at once.
pub(super) const BATCH_ROWS: usize = 8192;

/// A Parquet file that is written batch by batch.
pub(super) struct ParquetFile<'a> {
    path: &'a Path,
    writer: ArrowWriter<File>,
}

impl<'a> ParquetFile<'a> {
    pub(super) fn create(path: &'a Path, schema: SchemaRef) -> Result<Self, Failure> {
        create_folder(path)?;
        let file = File::create_new(path).map_err(|error| Failure::file("write", path, &error))?;
        // The same bytes on every machine: no compressor that could change between versions.
        let properties = WriterProperties::builder()
            .set_compression(Compression::UNCOMPRESSED)
            .set_created_by("meshgate demo".to_owned())
            .build();
        let writer =
            ArrowWriter::try_new(file, schema, Some(properties)).map_err(|error| broken(path, &error))?;
        Ok(Self { path, writer })
    }

    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        self.writer.write(batch).map_err(|error| broken(self.path, &error))
    }

    pub(super) fn finish(self) -> Result<(), Failure> {
        let path = self.path;
        self.writer.close().map(|_| ()).map_err(|error| broken(path, &error))
    }
}

/// A file of JSON lines that is written batch by batch.
pub(super) struct JsonFile<'a> {
    path: &'a Path,
    writer: Writer<BufWriter<File>, LineDelimited>,
}

impl<'a> JsonFile<'a> {
    pub(super) fn create(path: &'a Path) -> Result<Self, Failure> {
        create_folder(path)?;
        let file = File::create_new(path).map_err(|error| Failure::file("write", path, &error))?;
        // A NULL that is written is no key that somebody forgot.
        let writer = WriterBuilder::new().with_explicit_nulls(true).build(BufWriter::new(file));
        Ok(Self { path, writer })
    }

    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        self.writer.write(batch).map_err(|error| broken(self.path, &error))
    }

    pub(super) fn finish(mut self) -> Result<(), Failure> {
        let path = self.path;
        self.writer.finish().map_err(|error| broken(path, &error))?;
        self.writer.into_inner().flush().map_err(|error| Failure::file("write", path, &error))
    }
}

/// One batch, one file of Arrow IPC.
pub(super) fn write_arrow(path: &Path, batch: &RecordBatch) -> Result<(), Failure> {
    create_folder(path)?;
    let file = File::create_new(path).map_err(|error| Failure::file("write", path, &error))?;
    let mut writer =
        FileWriter::try_new_buffered(file, &batch.schema()).map_err(|error| broken(path, &error))?;
    writer.write(batch).and_then(|()| writer.finish()).map_err(|error| broken(path, &error))
}

/// One batch, one file.
pub(super) fn write_parquet(path: &Path, batch: &RecordBatch) -> Result<(), Failure> {
    let mut file = ParquetFile::create(path, batch.schema())?;
    file.write(batch)?;
    file.finish()
}

/// A CSV file of lines that are made already.
pub(super) fn write_csv(
    path: &Path,
    header: &str,
    lines: impl Iterator<Item = String>,
) -> Result<(), Failure> {
    create_folder(path)?;
    let mut text = format!("{header}\n");
    for line in lines {
        text.push_str(&line);
        text.push('\n');
    }
    fs::write(path, text).map_err(|error| Failure::file("write", path, &error))
}

/// Columns with their types; `true`: may be NULL.
pub(super) fn schema(columns: &[(&str, DataType, bool)]) -> SchemaRef {
    let fields =
        columns.iter().map(|(name, data_type, nullable)| Field::new(*name, data_type.clone(), *nullable));
    Schema::new(fields.collect::<Vec<_>>()).into()
}

/// A batch of columns that are of the schema's types, all of the same length.
pub(super) fn batch(
    schema: &SchemaRef,
    columns: Vec<arrow::array::ArrayRef>,
) -> Result<RecordBatch, Failure> {
    RecordBatch::try_new(schema.clone(), columns)
        .map_err(|error| Failure::Usage(format!("the demo's data cannot be made: {error}")))
}

fn create_folder(path: &Path) -> Result<(), Failure> {
    match path.parent() {
        Some(folder) => fs::create_dir_all(folder).map_err(|error| Failure::file("create", folder, &error)),
        None => Ok(()),
    }
}

fn broken(path: &Path, error: &dyn fmt::Display) -> Failure {
    Failure::Usage(format!("cannot write {}: {error}", path.display()))
}
