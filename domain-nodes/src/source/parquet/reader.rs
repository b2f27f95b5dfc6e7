//! Reads byte ranges of pinned files for DataFusion's Parquet source. None of
//! its own stores is involved: only the files of the statement can be read.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::ParquetFileReaderFactory;
use datafusion::error::{DataFusionError, Result as EngineResult};
use datafusion::parquet::arrow::arrow_reader::ArrowReaderOptions;
use datafusion::parquet::arrow::async_reader::{AsyncFileReader, MetadataFetch};
use datafusion::parquet::errors::{ParquetError, Result};
use datafusion::parquet::file::metadata::ParquetMetaData;
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder};
use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::Footer;
use crate::source::files::{FileSet, PinnedFile};
use crate::source::ranges::RangeReader;

/// Travels with a file through DataFusion's plan.
#[derive(Debug)]
pub(in crate::source) struct ScannedFile {
    pub(in crate::source) file: Arc<PinnedFile>,
    pub(in crate::source) footer: Arc<Footer>,
}

/// Makes readers for the files of one statement.
#[derive(Debug)]
pub(in crate::source) struct PinnedReaders {
    pub(in crate::source) files: Arc<FileSet>,
}

impl ParquetFileReaderFactory for PinnedReaders {
    fn create_reader(
        &self,
        partition: usize,
        file: PartitionedFile,
        _metadata_size_hint: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> EngineResult<Box<dyn AsyncFileReader + Send>> {
        let scanned = file
            .extension::<ScannedFile>()
            .ok_or_else(|| DataFusionError::Internal("a file of the scan was not listed".to_owned()))?;
        Ok(Box::new(PinnedReader {
            ranges: RangeReader::new(&self.files, &scanned.file),
            metadata: Arc::clone(&scanned.footer.metadata),
            bytes_read: MetricBuilder::new(metrics).counter("bytes_read", partition),
        }))
    }
}

struct PinnedReader {
    ranges: RangeReader,
    metadata: Arc<ParquetMetaData>,
    bytes_read: Count,
}

impl AsyncFileReader for PinnedReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        async move {
            let parts = self.get_byte_ranges(vec![range]).await?;
            parts.into_iter().next().ok_or_else(nothing)
        }
        .boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>>> {
        async move {
            let parts = self.ranges.read(ranges).await.map_err(external)?;
            self.bytes_read.add(parts.iter().map(Bytes::len).sum());
            Ok(parts)
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>>> {
        // The footer that the columns were checked against, not whatever lies there now.
        let metadata = Arc::clone(&self.metadata);
        async move { Ok(metadata) }.boxed()
    }
}

/// Ranges for the reader of footers.
pub(super) struct Fetch<'a>(pub(super) &'a mut RangeReader);

impl MetadataFetch for &mut Fetch<'_> {
    fn fetch(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        let read = self.0.read(vec![range]);
        async move { read.await.map_err(external)?.into_iter().next().ok_or_else(nothing) }.boxed()
    }
}

fn nothing() -> ParquetError {
    ParquetError::General("nothing was read".to_owned())
}

fn external(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ParquetError {
    ParquetError::External(error.into())
}
