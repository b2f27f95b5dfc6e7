//! Parquet footers: the columns of a file, and which of them have statistics
//! that can be trusted to skip row groups. Cached by the identity of the file.

mod reader;

use std::collections::BTreeSet;
use std::fs::File;
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::parquet::arrow::parquet_to_arrow_schema;
use datafusion::parquet::basic::Type as PhysicalType;
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};

use super::columns;
use super::error::{Drift, SourceError};
use super::files::{FileSet, Identity};

pub(super) use reader::{PinnedReaders, ScannedFile};

/// Memory for the footers of one table.
const CACHE_BYTES: u64 = 16 * 1024 * 1024;

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
    let (cache, files_to_read) = (cache.clone(), Arc::clone(files));
    let read = tokio::task::spawn_blocking(move || {
        files_to_read.files.iter().map(|file| footer(&cache, &files_to_read, file)).collect()
    });
    // A panic while reading a damaged file is an unreadable file.
    read.await.unwrap_or_else(|cause| Err(SourceError::unreadable(&files.table, cause)))
}

fn footer(
    cache: &FooterCache,
    files: &FileSet,
    file: &super::files::PinnedFile,
) -> Result<Arc<Footer>, SourceError> {
    if let Some(footer) = cache.0.get(&file.identity) {
        return Ok(footer);
    }
    let opened = files.open(file)?;
    let footer = read_footer(&opened).map_err(|cause| {
        tracing::error!(table = files.table, path = %file.path.display(), %cause, "a Parquet file cannot be read");
        SourceError::unreadable(&files.table, cause)
    })?;
    if !file.is_same(&opened).unwrap_or(false) {
        return Err(SourceError::changed(&files.table));
    }
    let footer = Arc::new(footer);
    cache.0.insert(file.identity, Arc::clone(&footer));
    Ok(footer)
}

fn read_footer(file: &File) -> Result<Footer, ParquetError> {
    let metadata =
        ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Skip).parse_and_finish(file)?;
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
