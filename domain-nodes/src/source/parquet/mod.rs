//! Parquet footers: the columns of a file, and which of them have statistics
//! that can be trusted to skip row groups. Cached by the identity of the file.

mod reader;

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::parquet::arrow::parquet_to_arrow_schema;
use datafusion::parquet::basic::Type as PhysicalType;
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};

use super::columns;
use super::error::{Drift, SourceError};
use super::files::{FileSet, Identity, PinnedFile};
use super::ranges::RangeReader;

pub(super) use reader::{PinnedReaders, ScannedFile};

/// Memory for the footers of one table.
const CACHE_BYTES: u64 = 16 * 1024 * 1024;
const FOOTERS_AT_A_TIME: usize = 8;
/// Of the end of a file, in which its footer usually is.
const FIRST_BYTES: usize = 64 * 1024;

/// What the end of a Parquet file says about it.
#[derive(Debug)]
pub(super) struct Footer {
    metadata: Arc<ParquetMetaData>,
    schema: SchemaRef,
    /// Columns stored as INT96, which has more digits than a timestamp of ours.
    int96: BTreeSet<String>,
    /// Columns whose statistics could make row groups with answers be skipped.
    misleading: BTreeSet<String>,
}

/// Footers by the identity of their files.
#[derive(Debug, Clone)]
pub(super) struct FooterCache(moka::sync::Cache<Identity, Arc<Footer>>);

impl FooterCache {
    pub(super) fn new() -> Self {
        let weigh = |_: &Identity, footer: &Arc<Footer>| {
            u32::try_from(footer.metadata.memory_size()).unwrap_or(u32::MAX)
        };
        Self(moka::sync::Cache::builder().weigher(weigh).max_capacity(CACHE_BYTES).build())
    }
}

impl Footer {
    pub(super) fn rows(&self) -> u64 {
        u64::try_from(self.metadata.file_metadata().num_rows()).unwrap_or(0)
    }

    /// Names of the columns of the file.
    pub(super) fn columns(&self) -> impl Iterator<Item = &str> {
        self.schema.fields().iter().map(|field| field.name().as_str())
    }

    pub(super) fn drift(&self, name: &str, expected: &DataType) -> Option<Drift> {
        if self.int96.contains(name) {
            return Some(Drift::Type { found: "INT96".to_owned(), expected: expected.to_string() });
        }
        columns::drift(name, expected, &self.schema)
    }

    /// May predicates on the column skip row groups?
    pub(super) fn has_trusted_statistics(&self, name: &str) -> bool {
        !self.misleading.contains(name)
    }
}

/// The footers of all files, in their order.
pub(super) async fn read_footers(
    cache: &FooterCache,
    files: &Arc<FileSet>,
) -> Result<Vec<Arc<Footer>>, SourceError> {
    let footers = futures::stream::iter(files.files.clone()).map(|file| {
        let (cache, files) = (cache.clone(), Arc::clone(files));
        async move { footer(&cache, &files, &file).await }
    });
    footers.buffered(FOOTERS_AT_A_TIME).try_collect().await
}

async fn footer(
    cache: &FooterCache,
    files: &Arc<FileSet>,
    file: &Arc<PinnedFile>,
) -> Result<Arc<Footer>, SourceError> {
    let identity = file.identity();
    if let Some(footer) = cache.0.get(&identity) {
        return Ok(footer);
    }
    // A panic while reading a damaged file is an unreadable file.
    let read = AssertUnwindSafe(read_footer(files, file)).catch_unwind().await;
    let footer = match read {
        Ok(footer) => footer.map_err(|cause| reported(files, file, cause))?,
        Err(_) => return Err(SourceError::unreadable(&files.table, "a Parquet file contradicts itself")),
    };
    let footer = Arc::new(footer);
    cache.0.insert(identity, Arc::clone(&footer));
    Ok(footer)
}

/// An error of the store or the disk is one already; others are of what was read.
fn reported(files: &FileSet, file: &PinnedFile, cause: ParquetError) -> SourceError {
    let cause = match cause {
        ParquetError::External(cause) => match cause.downcast::<SourceError>() {
            Ok(error) => return *error,
            Err(cause) => ParquetError::External(cause),
        },
        other => other,
    };
    tracing::error!(table = files.table, path = %file, %cause, "a Parquet file cannot be read");
    SourceError::unreadable(&files.table, cause)
}

async fn read_footer(files: &Arc<FileSet>, file: &Arc<PinnedFile>) -> Result<Footer, ParquetError> {
    let reader = ParquetMetaDataReader::new()
        .with_page_index_policy(PageIndexPolicy::Skip)
        .with_prefetch_hint(Some(FIRST_BYTES));
    let mut ranges = RangeReader::new(files, file);
    let metadata = reader.load_and_finish(&mut reader::Fetch(&mut ranges), file.size()).await?;
    let described = metadata.file_metadata();
    let schema = parquet_to_arrow_schema(described.schema_descr(), described.key_value_metadata())?;
    let int96 = int96_columns(&metadata, &schema);
    let misleading = misleading_columns(&metadata, &schema);
    Ok(Footer { metadata: Arc::new(metadata), schema: Arc::new(schema), int96, misleading })
}

fn int96_columns(metadata: &ParquetMetaData, schema: &Schema) -> BTreeSet<String> {
    let described = metadata.file_metadata().schema_descr();
    let roots = (0..described.num_columns())
        .filter(|leaf| described.column(*leaf).physical_type() == PhysicalType::INT96)
        .map(|leaf| described.get_column_root_idx(leaf));
    names(schema, roots)
}

/// Statistics mislead where they say less than the reader takes from them:
/// those of floats leave out NaN, which is greater than everything here; a
/// missing count of NULLs is read as none; the old kind of minimum and maximum
/// was made with the wrong order.
fn misleading_columns(metadata: &ParquetMetaData, schema: &Schema) -> BTreeSet<String> {
    let described = metadata.file_metadata().schema_descr();
    let is_float = |physical| matches!(physical, PhysicalType::FLOAT | PhysicalType::DOUBLE);
    let floats = (0..described.num_columns())
        .filter(|leaf| is_float(described.column(*leaf).physical_type()))
        .map(|leaf| described.get_column_root_idx(leaf));
    let doubtful = metadata.row_groups().iter().flat_map(|group| {
        group.columns().iter().enumerate().filter_map(|(leaf, column)| {
            let statistics = column.statistics()?;
            let is_doubtful = statistics.null_count_opt().is_none() || statistics.is_min_max_deprecated();
            is_doubtful.then(|| described.get_column_root_idx(leaf))
        })
    });
    // 16-bit floats are stored as bytes.
    let halves = schema.fields().iter().enumerate();
    let halves = halves.filter(|(_, field)| field.data_type() == &DataType::Float16).map(|(root, _)| root);
    names(schema, floats.chain(doubtful).chain(halves))
}

fn names(schema: &Schema, roots: impl Iterator<Item = usize>) -> BTreeSet<String> {
    roots.filter_map(|root| schema.fields().get(root).map(|field| field.name().clone())).collect()
}
