//! Files that are read from their beginning to their end, as a data source:
//! one blocking task per partition, which reads its files one after the other.
//! The formats differ in their [`FileReader`] only.

mod heads;
mod partition;
mod text;

use std::fmt;
use std::sync::Arc;

use arrow::array::ArrayRef;
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

use super::arrow_ipc::Header as ArrowHeader;
use super::definition::CsvOptions;
use super::error::SourceError;
use super::files::{FileSet, PinnedFile};
use super::findings::Findings;
use partition::PartitionReader;

pub(super) use heads::Heads;
pub(super) use text::{MAX_ROW_BYTES, TextFile, malformed};

/// Batches that wait for their reader.
const WAITING_BATCHES: usize = 2;
/// A batch ends early when the text of its rows is longer than this.
pub(super) const MAX_BATCH_BYTES: usize = 8 * 1024 * 1024;

/// Reads one file.
pub(super) trait FileReader {
    /// The next rows, at most so many; `None` at the end of the file.
    fn read(&mut self, rows: usize) -> std::result::Result<Option<Rows>, SourceError>;

    /// At the end: is what was read still what was listed?
    fn check(&self) -> std::result::Result<(), SourceError>;
}

/// Rows of one file.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) count: usize,
    /// The columns that are asked for and stand in the file, in their order.
    pub(super) arrays: Vec<ArrayRef>,
}

/// A column that is asked for.
#[derive(Debug, Clone)]
pub(super) struct RowColumn {
    pub(super) name: String,
    /// What the files call it.
    pub(super) source_name: String,
    pub(super) data_type: DataType,
}

/// A file and where the columns that are asked for stand.
#[derive(Debug, Clone)]
pub(super) struct RowFile {
    pub(super) file: Arc<PinnedFile>,
    pub(super) content: Content,
    /// One per column that is asked for: its value if that stands in the path.
    pub(super) constants: Vec<Option<ScalarValue>>,
}

/// How a file is read.
#[derive(Debug, Clone)]
pub(super) enum Content {
    /// The cells of every row, and the positions of the columns that are in the file.
    Csv { options: Arc<CsvOptions>, width: usize, positions: Vec<usize> },
    /// Columns go by name.
    JsonLines,
    /// The positions of the columns that are in the file.
    Arrow { header: Arc<ArrowHeader>, positions: Vec<usize> },
}

/// A scan over files in groups, one group per partition.
#[derive(Debug, Clone)]
pub(super) struct RowScan {
    pub(super) files: Arc<FileSet>,
    pub(super) schema: SchemaRef,
    pub(super) columns: Arc<[RowColumn]>,
    pub(super) groups: Arc<[Vec<RowFile>]>,
    /// Rows per partition that are enough.
    pub(super) fetch: Option<usize>,
    /// Where bad cells go; without it the first one ends the query.
    pub(super) findings: Option<Arc<Findings>>,
}

impl DataSource for RowScan {
    fn open(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let mut builder = RecordBatchReceiverStreamBuilder::new(Arc::clone(&self.schema), WAITING_BATCHES);
        let sender = builder.tx();
        let batch_rows = context.session_config().batch_size().max(1);
        let scan = self.clone();
        builder.spawn_blocking(move || {
            // A reader that went away needs no more rows, and no error either.
            let mut send = |batch| sender.blocking_send(Ok(batch)).is_ok();
            PartitionReader::new(&scan, batch_rows).run(partition, &mut send)?;
            Ok(())
        });
        Ok(builder.build())
    }

    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "files={}", self.files.files.len())
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
