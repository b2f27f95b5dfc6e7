//! Reads byte ranges of pinned files for DataFusion's Parquet source. No
//! object store is involved: only the files of the statement can be read, and
//! each read is followed by a look whether the file is still the same.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::ParquetFileReaderFactory;
use datafusion::error::{DataFusionError, Result as EngineResult};
use datafusion::parquet::arrow::arrow_reader::ArrowReaderOptions;
use datafusion::parquet::arrow::async_reader::AsyncFileReader;
use datafusion::parquet::errors::{ParquetError, Result};
use datafusion::parquet::file::metadata::ParquetMetaData;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::Footer;
use crate::source::error::SourceError;
use crate::source::files::{FileSet, PinnedFile};

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
        _partition: usize,
        file: PartitionedFile,
        _metadata_size_hint: Option<usize>,
        _metrics: &ExecutionPlanMetricsSet,
    ) -> EngineResult<Box<dyn AsyncFileReader + Send>> {
        let scanned = file
            .extension::<ScannedFile>()
            .ok_or_else(|| DataFusionError::Internal("a file of the scan was not listed".to_owned()))?;
        Ok(Box::new(PinnedReader {
            files: Arc::clone(&self.files),
            file: Arc::clone(&scanned.file),
            metadata: Arc::clone(&scanned.footer.metadata),
            opened: None,
        }))
    }
}

struct PinnedReader {
    files: Arc<FileSet>,
    file: Arc<PinnedFile>,
    metadata: Arc<ParquetMetaData>,
    opened: Option<Arc<File>>,
}

impl PinnedReader {
    async fn read(&mut self, ranges: Vec<Range<u64>>) -> Result<Vec<Bytes>> {
        let (files, file, opened) = (Arc::clone(&self.files), Arc::clone(&self.file), self.opened.take());
        let read = tokio::task::spawn_blocking(move || read_ranges(&files, &file, opened, ranges)).await;
        let (opened, parts) = read.map_err(external)?.map_err(external)?;
        self.opened = Some(opened);
        Ok(parts)
    }
}

impl AsyncFileReader for PinnedReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        async move {
            let parts = self.read(vec![range]).await?;
            parts.into_iter().next().ok_or_else(|| ParquetError::General("nothing was read".to_owned()))
        }
        .boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>>> {
        self.read(ranges).boxed()
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

fn read_ranges(
    files: &FileSet,
    file: &PinnedFile,
    opened: Option<Arc<File>>,
    ranges: Vec<Range<u64>>,
) -> std::result::Result<(Arc<File>, Vec<Bytes>), SourceError> {
    let opened = match opened {
        Some(opened) => opened,
        None => Arc::new(files.open(file)?),
    };
    let failed = |cause| SourceError::unreadable(&files.table, cause);
    let mut parts = Vec::with_capacity(ranges.len());
    for range in ranges {
        // The footer comes from the file: its offsets are not believed.
        if range.start > range.end || range.end > file.identity.size {
            return Err(SourceError::unreadable(&files.table, "a range outside the file was asked for"));
        }
        let length = usize::try_from(range.end - range.start)
            .map_err(|cause| SourceError::unreadable(&files.table, cause))?;
        let mut bytes = vec![0; length];
        opened.read_exact_at(&mut bytes, range.start).map_err(failed)?;
        parts.push(Bytes::from(bytes));
    }
    match file.is_same(&opened).map_err(failed)? {
        true => Ok((opened, parts)),
        false => Err(SourceError::changed(&files.table)),
    }
}

fn external(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ParquetError {
    ParquetError::External(error.into())
}
