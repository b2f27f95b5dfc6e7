//! The rows of CSV files as a data source: one blocking task per partition,
//! which reads its files one after the other.

use std::fmt;
use std::fs::File;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use datafusion::common::Statistics;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::source::DataSource;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::stream::RecordBatchReceiverStreamBuilder;
use datafusion::physical_plan::{DisplayFormatType, Partitioning};
use datafusion::scalar::ScalarValue;
use meshgate_policies::DataType;

use super::cell::Parser;
use super::record::{Record, RecordError, RecordReader};
use super::{CsvOptions, malformed};
use crate::source::error::SourceError;
use crate::source::files::{FileSet, PinnedFile};

/// Batches that wait for their reader.
const WAITING_BATCHES: usize = 2;
/// A batch ends early when the text of its rows is longer than this.
const MAX_BATCH_BYTES: usize = 8 * 1024 * 1024;

/// A column that is asked for.
#[derive(Debug, Clone)]
pub(in crate::source) struct CsvColumn {
    pub(in crate::source) name: String,
    pub(in crate::source) data_type: DataType,
}

/// A file and where the columns that are asked for stand in it.
#[derive(Debug, Clone)]
pub(in crate::source) struct CsvFile {
    pub(in crate::source) file: Arc<PinnedFile>,
    /// Cells of every row.
    pub(in crate::source) width: usize,
    pub(in crate::source) cells: Vec<CsvCell>,
}

/// Where the value of a column comes from.
#[derive(Debug, Clone)]
pub(in crate::source) enum CsvCell {
    Position(usize),
    /// From the path.
    Constant(ScalarValue),
}

/// A scan over files in groups, one group per partition.
#[derive(Debug, Clone)]
pub(in crate::source) struct CsvScan {
    pub(in crate::source) files: Arc<FileSet>,
    pub(in crate::source) options: CsvOptions,
    pub(in crate::source) schema: SchemaRef,
    pub(in crate::source) columns: Arc<[CsvColumn]>,
    pub(in crate::source) groups: Arc<[Vec<CsvFile>]>,
    /// Rows per partition that are enough.
    pub(in crate::source) fetch: Option<usize>,
}

impl DataSource for CsvScan {
    fn open(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let mut builder = RecordBatchReceiverStreamBuilder::new(Arc::clone(&self.schema), WAITING_BATCHES);
        let sender = builder.tx();
        let batch_rows = context.session_config().batch_size().max(1);
        let scan = self.clone();
        builder.spawn_blocking(move || {
            // A reader that went away needs no more rows, and no error either.
            let mut send = |batch| sender.blocking_send(Ok(batch)).is_ok();
            PartitionReader::new(&scan, batch_rows)?.run(partition, &mut send)?;
            Ok(())
        });
        Ok(builder.build())
    }

    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "format=csv, files={}", self.files.files.len())
    }

    fn output_partitioning(&self) -> Partitioning {
        Partitioning::UnknownPartitioning(self.groups.len())
    }

    fn eq_properties(&self) -> EquivalenceProperties {
        EquivalenceProperties::new(Arc::clone(&self.schema))
    }

    fn partition_statistics(&self, _partition: Option<usize>) -> Result<Arc<Statistics>> {
        Ok(Arc::new(Statistics::new_unknown(&self.schema)))
    }

    fn with_fetch(&self, fetch: Option<usize>) -> Option<Arc<dyn DataSource>> {
        Some(Arc::new(Self { fetch, ..self.clone() }))
    }

    fn fetch(&self) -> Option<usize> {
        self.fetch
    }

    fn try_swapping_with_projection(
        &self,
        _projection: &ProjectionExprs,
    ) -> Result<Option<Arc<dyn DataSource>>> {
        Ok(None)
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }
}

/// Reads the files of one partition into batches.
struct PartitionReader<'a> {
    scan: &'a CsvScan,
    /// One per column; constants have one too, for the sake of simplicity.
    parsers: Vec<Parser>,
    batch_rows: usize,
    rows: usize,
    bytes: usize,
    /// Rows that are still wanted.
    left: usize,
}

impl<'a> PartitionReader<'a> {
    fn new(scan: &'a CsvScan, batch_rows: usize) -> std::result::Result<Self, SourceError> {
        let parsers: Option<Vec<Parser>> =
            scan.columns.iter().map(|column| Parser::new(&column.data_type)).collect();
        let parsers = parsers.ok_or_else(|| {
            SourceError::unreadable(&scan.files.table, "a column has a type that CSV cannot hold")
        })?;
        Ok(Self { scan, parsers, batch_rows, rows: 0, bytes: 0, left: scan.fetch.unwrap_or(usize::MAX) })
    }

    fn run(
        mut self,
        partition: usize,
        send: &mut dyn FnMut(RecordBatch) -> bool,
    ) -> std::result::Result<(), SourceError> {
        for file in self.scan.groups.get(partition).into_iter().flatten() {
            if self.left == 0 {
                break;
            }
            if !self.read_file(file, send)? {
                return Ok(());
            }
        }
        self.scan.files.check()
    }

    /// `false` if nobody wants more rows.
    fn read_file(
        &mut self,
        file: &CsvFile,
        send: &mut dyn FnMut(RecordBatch) -> bool,
    ) -> std::result::Result<bool, SourceError> {
        let mut reader = RecordReader::new(self.scan.files.open(&file.file)?, self.scan.options.delimiter);
        let mut record = Record::default();
        let mut is_header = self.scan.options.header;
        while self.left > 0 && self.next(&mut reader, &mut record, file)? {
            if std::mem::take(&mut is_header) {
                continue;
            }
            self.append(&record, file, &reader)?;
            self.left -= 1;
            if (self.rows >= self.batch_rows || self.bytes >= MAX_BATCH_BYTES) && !send(self.flush(file)?) {
                return Ok(false);
            }
        }
        if !file.file.is_same(reader.input()).unwrap_or(false) {
            return Err(SourceError::changed(&self.scan.files.table));
        }
        // Constants differ from file to file, so no batch spans two of them.
        Ok(self.rows == 0 || send(self.flush(file)?))
    }

    fn next(
        &self,
        reader: &mut RecordReader<File>,
        record: &mut Record,
        file: &CsvFile,
    ) -> std::result::Result<bool, SourceError> {
        let read = match reader.read(record) {
            Ok(true) if record.len() != file.width => {
                Err(RecordError::Width { found: record.len(), expected: file.width })
            }
            other => other,
        };
        read.map_err(|error| malformed(&self.scan.files, &file.file, reader, error))
    }

    fn append(
        &mut self,
        record: &Record,
        file: &CsvFile,
        reader: &RecordReader<File>,
    ) -> std::result::Result<(), SourceError> {
        let columns = self.scan.columns.iter();
        for ((parser, cell), column) in self.parsers.iter_mut().zip(&file.cells).zip(columns) {
            let CsvCell::Position(position) = cell else { continue };
            let Some((text, quoted)) = record.cell(*position) else {
                return Err(malformed(&self.scan.files, &file.file, reader, RecordError::NotUtf8));
            };
            if !quoted && text == self.scan.options.null_text {
                parser.append_null();
            } else if !parser.append(text) {
                return Err(bad_cell(&self.scan.files, file, column, reader));
            }
        }
        self.rows += 1;
        self.bytes += record.byte_len();
        Ok(())
    }

    fn flush(&mut self, file: &CsvFile) -> std::result::Result<RecordBatch, SourceError> {
        let rows = std::mem::take(&mut self.rows);
        self.bytes = 0;
        let table = &self.scan.files.table;
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.parsers.len());
        for (parser, cell) in self.parsers.iter_mut().zip(&file.cells) {
            arrays.push(match cell {
                CsvCell::Position(_) => parser.finish(),
                CsvCell::Constant(value) => {
                    value.to_array_of_size(rows).map_err(|cause| SourceError::unreadable(table, cause))?
                }
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.scan.schema), arrays, &options)
            .map_err(|cause| SourceError::unreadable(table, cause))
    }
}

/// Where the cell is, for the owner in the node's log. What is in it is in no
/// log: its readers may not be the data's.
fn bad_cell(files: &FileSet, file: &CsvFile, column: &CsvColumn, reader: &RecordReader<File>) -> SourceError {
    let (row, line) = (reader.rows(), reader.line());
    let (table, path, data_type) = (&files.table, file.file.path.display(), &column.data_type);
    tracing::error!(table, column = column.name, %path, row, line, %data_type, "a cell is not of its type");
    SourceError::BadCell { table: table.clone(), column: column.name.clone(), row }
}
