//! What files hold, for somebody who is about to write a contract about them:
//! columns with types that the sources here read, and what speaks for a key.

mod json_type;
mod text_type;

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow::csv::ReaderBuilder;
use arrow::csv::reader::Format as CsvFormat;
use arrow::datatypes::{DataType as ArrowType, Field, Schema};
use arrow::error::ArrowError;
use arrow::ipc::reader::{FileReader, StreamReader};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use meshgate_policies::DataType;
use meshgate_policies::data_type::{Field as NestedField, TimeUnit};

use super::columns::accepts;
use super::definition::{CsvOptions, Format};
use super::disk::{self, Roots};
use super::error::SourceError;
use super::files::Place;
use super::glob::has_extension;
use super::json;
use json_type::JsonType;
use text_type::TextType;

/// How files of Arrow begin; streams do not.
const ARROW_FILE: &[u8] = b"ARROW1";
/// Rows that are looked at.
const ROWS_MAX: usize = 100_000;

/// What the files of one path hold.
#[derive(Debug)]
pub(crate) struct Sample {
    /// As contracts call it.
    pub(crate) format: &'static str,
    pub(crate) files: usize,
    /// Rows that were looked at.
    pub(crate) rows: usize,
    /// Were these all rows?
    pub(crate) complete: bool,
    /// Do the files lie where the node reads?
    pub(crate) in_roots: bool,
    pub(crate) columns: Vec<SampledColumn>,
}

/// A column of the files.
#[derive(Debug)]
pub(crate) struct SampledColumn {
    pub(crate) name: String,
    /// How the files call the type, if it cannot be served.
    pub(crate) data_type: Result<DataType, String>,
    pub(crate) partition: bool,
    /// No NULL and no value twice, as far as it was looked at.
    pub(crate) unique: bool,
}

/// Looks at a file, a folder or a glob. Blocks.
pub(crate) fn sample(from: &Path, data_roots: &[PathBuf]) -> Result<Sample, SourceError> {
    let anywhere = Roots::new(&[PathBuf::from("/")])?;
    let (format, paths) = list(from, &anywhere)?;
    let extensions = format.extensions();
    let in_roots = Roots::new(data_roots).and_then(|roots| disk::list("", from, extensions, &roots)).is_ok();
    let mut looked = Looked::default();
    let mut rows = 0;
    for path in &paths {
        rows += match &format {
            Format::Parquet => looked.parquet(path, ROWS_MAX - rows)?,
            Format::Csv(_) => looked.csv(path, ROWS_MAX - rows)?,
            Format::JsonLines => looked.json_lines(path, ROWS_MAX - rows)?,
            Format::Arrow => looked.arrow(path, ROWS_MAX - rows)?,
        };
    }
    if format == Format::JsonLines {
        looked.left_out_is_null(rows);
    }
    looked.partitions(&paths);
    let format = name_of(&format);
    let columns = looked.columns.into_iter().map(Column::sampled).collect();
    Ok(Sample { format, files: paths.len(), rows, complete: rows < ROWS_MAX, in_roots, columns })
}

/// As contracts call it.
fn name_of(format: &Format) -> &'static str {
    match format {
        Format::Parquet => "parquet",
        Format::Csv(_) => "csv",
        Format::JsonLines => "json",
        Format::Arrow => "arrow",
    }
}

/// The files of the first format that there are files of.
fn list(from: &Path, roots: &Roots) -> Result<(Format, Vec<PathBuf>), SourceError> {
    let formats = [Format::Parquet, Format::Csv(CsvOptions::default()), Format::JsonLines, Format::Arrow];
    let extensions: Vec<&str> = formats.iter().flat_map(Format::extensions).copied().collect();
    let files = disk::list("", from, &extensions, roots)?;
    let paths = files.files.iter().filter_map(|file| match &file.place {
        Place::Disk(file) => Some(file.path.clone()),
        Place::Bucket(_) => None,
    });
    let paths: Vec<PathBuf> = paths.collect();
    let is_of = |format: &Format, path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        has_extension(&name, format.extensions())
    };
    let format = formats.into_iter().find(|format| paths.iter().any(|path| is_of(format, path)));
    Ok(match format {
        Some(format) => {
            let paths = paths.into_iter().filter(|path| is_of(&format, path)).collect();
            (format, paths)
        }
        // One file that is called otherwise.
        None => (Format::Parquet, paths),
    })
}

#[derive(Default)]
struct Looked {
    columns: Vec<Column>,
}

struct Column {
    name: String,
    kind: Kind,
    partition: bool,
    has_null: bool,
    /// Values in rows of JSON, which may leave them out.
    values: usize,
    /// None once a value was there twice.
    distinct: Option<HashSet<String>>,
}

enum Kind {
    Typed(ArrowType),
    Text(TextType),
    Json(JsonType),
}

impl Looked {
    fn parquet(&mut self, path: &Path, rows_max: usize) -> Result<usize, SourceError> {
        let unreadable =
            |cause: Box<dyn std::error::Error + Send + Sync>| SourceError::unreadable(&shown(path), cause);
        let file = File::open(path).map_err(|cause| unreadable(cause.into()))?;
        let builder =
            ParquetRecordBatchReaderBuilder::try_new(file).map_err(|cause| unreadable(cause.into()))?;
        self.schema(&builder.schema().clone());
        let reader = builder.with_limit(rows_max).build().map_err(|cause| unreadable(cause.into()))?;
        self.batches(path, rows_max, reader)
    }

    fn csv(&mut self, path: &Path, rows_max: usize) -> Result<usize, SourceError> {
        let unreadable =
            |cause: Box<dyn std::error::Error + Send + Sync>| SourceError::unreadable(&shown(path), cause);
        let open = || File::open(path).map_err(|cause| unreadable(cause.into()));
        let header = CsvFormat::default().with_header(true);
        let (schema, _) = header.infer_schema(open()?, Some(0)).map_err(|cause| unreadable(cause.into()))?;
        let texts = schema.fields().iter().map(|field| Field::new(field.name(), ArrowType::Utf8, true));
        let schema = Schema::new(texts.collect::<Vec<_>>());
        for field in schema.fields() {
            self.column(field.name(), || Kind::Text(TextType::default()));
        }
        let reader = ReaderBuilder::new(schema.into()).with_header(true).with_bounds(0, rows_max);
        let reader = reader.build(open()?).map_err(|cause| unreadable(cause.into()))?;
        self.batches(path, rows_max, reader)
    }

    fn json_lines(&mut self, path: &Path, rows_max: usize) -> Result<usize, SourceError> {
        let file = File::open(path).map_err(|cause| SourceError::unreadable(&shown(path), cause))?;
        let look = &mut |key: &str, value: &str| {
            self.column(key, || Kind::Json(JsonType::default())).look_json(value);
        };
        json::each_row(file, rows_max, look).map_err(|cause| SourceError::unreadable(&shown(path), cause))
    }

    fn arrow(&mut self, path: &Path, rows_max: usize) -> Result<usize, SourceError> {
        let unreadable =
            |cause: Box<dyn std::error::Error + Send + Sync>| SourceError::unreadable(&shown(path), cause);
        let mut file = BufReader::new(File::open(path).map_err(|cause| unreadable(cause.into()))?);
        let begin = file.fill_buf().map_err(|cause| unreadable(cause.into()))?;
        if begin.starts_with(ARROW_FILE) {
            let reader = FileReader::try_new(file, None).map_err(|cause| unreadable(cause.into()))?;
            self.schema(&reader.schema());
            return self.batches(path, rows_max, reader);
        }
        let reader = StreamReader::try_new(file, None).map_err(|cause| unreadable(cause.into()))?;
        self.schema(&reader.schema());
        self.batches(path, rows_max, reader)
    }

    fn schema(&mut self, schema: &Schema) {
        for field in schema.fields() {
            self.column(field.name(), || Kind::Typed(field.data_type().clone()));
        }
    }

    fn batches(
        &mut self,
        path: &Path,
        rows_max: usize,
        batches: impl Iterator<Item = Result<RecordBatch, ArrowError>>,
    ) -> Result<usize, SourceError> {
        let mut rows = 0;
        for batch in batches {
            let batch = batch.map_err(|cause| SourceError::unreadable(&shown(path), cause))?;
            let batch = batch.slice(0, batch.num_rows().min(rows_max - rows));
            rows += batch.num_rows();
            self.look(&batch);
            if rows == rows_max {
                break;
            }
        }
        Ok(rows)
    }

    /// What a row of JSON leaves out is NULL.
    fn left_out_is_null(&mut self, rows: usize) {
        for column in &mut self.columns {
            column.has_null |= column.values < rows;
        }
    }

    /// Makes the column known.
    fn column(&mut self, name: &str, kind: impl FnOnce() -> Kind) -> &mut Column {
        let known = self.columns.iter().position(|column| column.name == name);
        let position = known.unwrap_or(self.columns.len());
        if known.is_none() {
            self.columns.push(Column {
                name: name.to_owned(),
                kind: kind(),
                partition: false,
                has_null: false,
                values: 0,
                distinct: Some(HashSet::new()),
            });
        }
        #[expect(clippy::indexing_slicing, reason = "it was found or added there")]
        &mut self.columns[position]
    }

    fn look(&mut self, batch: &RecordBatch) {
        for (field, values) in batch.schema().fields().iter().zip(batch.columns()) {
            let column = self.column(field.name(), || Kind::Typed(field.data_type().clone()));
            column.look(values);
        }
    }

    /// `name=value` in the paths below the first file's differences.
    fn partitions(&mut self, paths: &[PathBuf]) {
        let mut found: BTreeMap<String, TextType> = BTreeMap::new();
        for path in paths {
            for part in path.parent().into_iter().flat_map(Path::components) {
                let part = part.as_os_str().to_string_lossy();
                if let Some((name, value)) = part.split_once('=') {
                    found.entry(name.to_owned()).or_default().look(value);
                }
            }
        }
        for (name, text_type) in found {
            let column = self.column(&name, || Kind::Text(TextType::default()));
            column.kind = Kind::Text(text_type);
            column.partition = true;
            column.distinct = None;
        }
    }
}

impl Column {
    fn look(&mut self, values: &ArrayRef) {
        self.has_null |= values.logical_null_count() > 0;
        if let (Kind::Text(text_type), Some(texts)) =
            (&mut self.kind, values.as_any().downcast_ref::<StringArray>())
        {
            texts.iter().flatten().for_each(|text| text_type.look(text));
        }
        let Some(distinct) = &mut self.distinct else { return };
        let formatted = ArrayFormatter::try_new(values, &FormatOptions::new());
        let is_new = formatted.is_ok_and(|values_shown| {
            (0..values.len()).all(|row| distinct.insert(values_shown.value(row).to_string()))
        });
        if !is_new || self.has_null {
            self.distinct = None;
        }
    }

    fn look_json(&mut self, json: &str) {
        if json == "null" {
            return;
        }
        self.values += 1;
        if let Kind::Json(json_type) = &mut self.kind {
            json_type.look(json);
        }
        if self.distinct.as_mut().is_some_and(|distinct| !distinct.insert(json.to_owned())) {
            self.distinct = None;
        }
    }

    fn sampled(self) -> SampledColumn {
        let data_type = match self.kind {
            Kind::Json(json_type) => json_type.data_type(),
            Kind::Text(text_type) => Ok(text_type.data_type()),
            Kind::Typed(found) => {
                let served = served_as(&found);
                // Asked is the reader itself, not the table below.
                let reads =
                    |served: &DataType| accepts(&meshgate_engine::data_type::to_arrow(served), &found);
                served.filter(reads).ok_or_else(|| found.to_string())
            }
        };
        let unique = !self.has_null && self.distinct.is_some_and(|distinct| !distinct.is_empty());
        SampledColumn { name: self.name, data_type, partition: self.partition, unique }
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// The type of a contract that holds every value of a type of files.
fn served_as(found: &ArrowType) -> Option<DataType> {
    Some(match found {
        ArrowType::Boolean => DataType::Boolean,
        ArrowType::Int8 => DataType::Int8,
        ArrowType::Int16 => DataType::Int16,
        ArrowType::Int32 => DataType::Int32,
        ArrowType::Int64 => DataType::Int64,
        ArrowType::UInt8 => DataType::UInt8,
        ArrowType::UInt16 => DataType::UInt16,
        ArrowType::UInt32 => DataType::UInt32,
        ArrowType::UInt64 => DataType::UInt64,
        ArrowType::Float16 | ArrowType::Float32 => DataType::Float32,
        ArrowType::Float64 => DataType::Float64,
        ArrowType::Decimal32(precision, scale)
        | ArrowType::Decimal64(precision, scale)
        | ArrowType::Decimal128(precision, scale)
        | ArrowType::Decimal256(precision, scale) => {
            let scale = u8::try_from(*scale).ok().filter(|scale| scale <= precision)?;
            (*precision <= 38).then_some(DataType::Decimal { precision: *precision, scale })?
        }
        ArrowType::Utf8 | ArrowType::LargeUtf8 | ArrowType::Utf8View => DataType::Text,
        ArrowType::Binary
        | ArrowType::LargeBinary
        | ArrowType::BinaryView
        | ArrowType::FixedSizeBinary(_) => DataType::Binary,
        ArrowType::Date32 => DataType::Date,
        ArrowType::Time32(_) | ArrowType::Time64(_) => DataType::Time,
        ArrowType::Timestamp(unit, zone) => {
            let unit = match unit {
                arrow::datatypes::TimeUnit::Second => TimeUnit::Second,
                arrow::datatypes::TimeUnit::Millisecond => TimeUnit::Millisecond,
                arrow::datatypes::TimeUnit::Microsecond => TimeUnit::Microsecond,
                arrow::datatypes::TimeUnit::Nanosecond => TimeUnit::Nanosecond,
            };
            DataType::Timestamp { unit, zone: zone.as_ref().map(|_| "UTC".to_owned()) }
        }
        ArrowType::Dictionary(_, values) => served_as(values)?,
        ArrowType::List(element) => DataType::List(Box::new(nested("item", element)?)),
        ArrowType::Struct(fields) => {
            let fields = fields.iter().map(|field| nested(field.name(), field));
            DataType::Struct(fields.collect::<Option<_>>()?)
        }
        _ => return None,
    })
}

fn nested(name: &str, field: &Field) -> Option<NestedField> {
    Some(NestedField { name: name.to_owned(), data_type: served_as(field.data_type())?, nullable: true })
}
