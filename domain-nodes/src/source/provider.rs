//! The raw table of one statement. Its schema is exactly the contract's
//! columns, every one nullable; a column that the files cannot serve refuses
//! the scans that touch it and no others.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::{DataType as ArrowType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _};
use datafusion::config::{ParquetOptions, TableParquetOptions};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::ExecutionPlan;
use meshgate_engine::data_type;
use meshgate_policies::Table;

use super::definition::{SourceColumn, SourceDefinition};
use super::error::{Drift, SourceError};
use super::files::FileSet;
use super::findings::Findings;
use super::hive::{self, Partitions};
use super::layout::Layout;
use super::parquet::{Footer, PinnedReaders, ScannedFile};
use super::rows::{Heads, RowColumn, RowFile, RowScan};
use super::scan::{PinnedScan, store_url};

/// Files of one statement as a table.
#[derive(Debug)]
pub(super) struct FileTable {
    table: Arc<Table>,
    schema: SchemaRef,
    columns: Vec<SourceColumn>,
    files: Arc<FileSet>,
    partitions: Partitions,
    content: Content,
    /// By position in the contract.
    unavailable: BTreeMap<usize, Drift>,
    additional: BTreeSet<String>,
}

#[derive(Debug)]
enum Content {
    Parquet { footers: Vec<Arc<Footer>>, options: Box<TableParquetOptions> },
    Rows { heads: Heads, findings: Option<Arc<Findings>> },
}

impl FileTable {
    pub(super) fn parquet(
        table: &Arc<Table>,
        definition: &SourceDefinition,
        files: Arc<FileSet>,
        footers: Vec<Arc<Footer>>,
        options: &ParquetOptions,
    ) -> std::result::Result<Self, SourceError> {
        let mut options = TableParquetOptions { global: options.clone(), ..TableParquetOptions::default() };
        // The columns were compared with types that are not coerced.
        options.global.coerce_int96 = None;
        // Predicates prune; what they mean is decided above the raw table.
        options.global.pushdown_filters = false;
        Self::new(table, definition, files, Content::Parquet { footers, options: Box::new(options) })
    }

    /// Files that are read row by row. With `findings`, bad cells go there.
    pub(super) fn rows(
        table: &Arc<Table>,
        definition: &SourceDefinition,
        files: Arc<FileSet>,
        heads: Heads,
        findings: Option<Arc<Findings>>,
    ) -> std::result::Result<Self, SourceError> {
        Self::new(table, definition, files, Content::Rows { heads, findings })
    }

    fn new(
        table: &Arc<Table>,
        definition: &SourceDefinition,
        files: Arc<FileSet>,
        content: Content,
    ) -> std::result::Result<Self, SourceError> {
        let partitions = hive::read(table, definition, &files)?;
        let fields: Vec<Field> = table
            .columns
            .iter()
            .map(|column| data_type::field(&column.name, &column.data_type, true))
            .collect();
        let mut opened = Self {
            table: Arc::clone(table),
            schema: Arc::new(Schema::new(fields)),
            columns: definition.columns.clone(),
            files,
            partitions,
            content,
            unavailable: BTreeMap::new(),
            additional: BTreeSet::new(),
        };
        opened.compare();
        Ok(opened)
    }

    pub(super) fn files(&self) -> &Arc<FileSet> {
        &self.files
    }

    /// All rows, if the files tell how many they have.
    pub(super) fn rows_in_footers(&self) -> Option<u64> {
        let Content::Parquet { footers, .. } = &self.content else { return None };
        Some(footers.iter().map(|footer| footer.rows()).fold(0, u64::saturating_add))
    }

    /// Columns of the files that the contract does not name.
    pub(super) fn additional(&self) -> &BTreeSet<String> {
        &self.additional
    }

    /// Columns of the contract that the files cannot serve.
    pub(super) fn unavailable(&self) -> impl Iterator<Item = (&str, &Drift)> {
        self.unavailable
            .iter()
            .filter_map(|(position, drift)| Some((self.table.columns.get(*position)?.name.as_str(), drift)))
    }

    /// Compares the columns of all files with the contract.
    fn compare(&mut self) {
        for (position, (source, field)) in self.columns.iter().zip(self.schema.fields()).enumerate() {
            if self.partitions.columns.contains(&position) {
                continue;
            }
            let drift = match &self.content {
                Content::Parquet { footers, .. } => {
                    footers.iter().find_map(|footer| footer.drift(&source.name, field.data_type()))
                }
                Content::Rows { heads, .. } => heads.drift(&source.name, field.data_type()),
            };
            if let Some(drift) = drift {
                self.unavailable.insert(position, drift);
            }
        }
        let known: BTreeSet<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
        let found: Vec<&str> = match &self.content {
            Content::Parquet { footers, .. } => footers.iter().flat_map(|footer| footer.columns()).collect(),
            Content::Rows { heads, .. } => heads.columns(),
        };
        self.additional = found.into_iter().filter(|name| !known.contains(name)).map(str::to_owned).collect();
    }

    /// Refuses a scan that touches a column which cannot be served.
    fn check_available(
        &self,
        projection: &[usize],
        filters: &[Expr],
    ) -> std::result::Result<(), SourceError> {
        let filtered = filters
            .iter()
            .flat_map(Expr::column_refs)
            .filter_map(|column| self.schema.index_of(&column.name).ok());
        for position in projection.iter().copied().chain(filtered) {
            if let Some((drift, column)) =
                self.unavailable.get(&position).zip(self.table.columns.get(position))
            {
                return Err(SourceError::Drift {
                    table: self.table.name.clone(),
                    column: column.name.clone(),
                    drift: drift.clone(),
                });
            }
        }
        Ok(())
    }

    /// Contract names of columns whose statistics may not prune.
    fn untrusted(&self) -> BTreeSet<String> {
        let Content::Parquet { footers, .. } = &self.content else { return BTreeSet::new() };
        let named = self.columns.iter().zip(&self.table.columns).enumerate();
        named
            .filter(|(position, (source, _))| {
                let in_files = !self.partitions.columns.contains(position);
                in_files && !footers.iter().all(|footer| footer.has_trusted_statistics(&source.name))
            })
            .map(|(_, (_, column))| column.name.clone())
            .collect()
    }

    fn scan_parquet(
        &self,
        state: &dyn Session,
        projection: &[usize],
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Content::Parquet { footers, options } = &self.content else {
            return Err(DataFusionError::Internal("the files are not Parquet".to_owned()));
        };
        let layout = Layout::new(&self.columns, &self.schema, &self.partitions);
        let mut source = ParquetSource::new(layout.schema.clone())
            .with_table_parquet_options(options.as_ref().clone())
            .with_parquet_file_reader_factory(Arc::new(PinnedReaders { files: Arc::clone(&self.files) }));
        let predicate = self.predicate(state, filters, &layout)?;
        // A limit counts rows that pass; behind a predicate that only prunes it would cut short.
        let limit = limit.filter(|_| filters.is_empty());
        if let Some(predicate) = predicate {
            source = source.with_predicate(predicate);
        }
        let files = self.files.files.iter().zip(footers).zip(&self.partitions.values).enumerate();
        let files = files.map(|(number, ((file, footer), values))| {
            // The name shows in plans; where the file lies is nobody's business.
            PartitionedFile::new(format!("file-{number}"), file.size())
                .with_partition_values(values.clone())
                .with_extension(ScannedFile { file: Arc::clone(file), footer: Arc::clone(footer) })
        });
        let groups = FileGroup::new(files.collect()).split_files(state.config().target_partitions().max(1));
        let indices =
            projection.iter().filter_map(|position| layout.positions.get(*position).copied()).collect();
        let config = FileScanConfigBuilder::new(store_url()?, Arc::new(source))
            .with_file_groups(groups)
            .with_limit(limit)
            .with_projection_indices(Some(indices))?
            .build();
        let source_names = projection.iter().filter_map(|position| self.columns.get(*position));
        Ok(DataSourceExec::from_data_source(PinnedScan {
            files: Arc::clone(&self.files),
            inner: Arc::new(config),
            schema: Arc::new(self.schema.project(projection)?),
            source_names: source_names.map(|column| column.name.clone()).collect(),
            untrusted: Arc::new(self.untrusted()),
        }))
    }

    /// The filters over the layout of the files, as far as their statistics are trusted.
    fn predicate(
        &self,
        state: &dyn Session,
        filters: &[Expr],
        layout: &Layout,
    ) -> Result<Option<Arc<dyn PhysicalExpr>>> {
        let untrusted = self.untrusted();
        let trusted = filters.iter().filter(|filter| is_free_of(filter, &untrusted)).cloned();
        let Some(filter) = conjunction(trusted) else { return Ok(None) };
        let schema = DFSchema::try_from(self.schema.as_ref().clone())?;
        let filter = state.create_physical_expr(filter, &schema)?;
        let translated = filter.transform(|node| {
            let Some(column) = node.downcast_ref::<Column>() else { return Ok(Transformed::no(node)) };
            let known = self.columns.get(column.index()).zip(layout.positions.get(column.index()));
            let (source, position) = known.ok_or_else(|| {
                DataFusionError::Internal("a filter names a column that is not there".to_owned())
            })?;
            Ok(Transformed::yes(Arc::new(Column::new(&source.name, *position)) as Arc<dyn PhysicalExpr>))
        });
        translated.data().map(Some)
    }

    fn scan_rows(
        &self,
        state: &dyn Session,
        projection: &[usize],
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Content::Rows { heads, findings } = &self.content else {
            return Err(DataFusionError::Internal("the files are not read row by row".to_owned()));
        };
        let named = |position: &usize| self.table.columns.get(*position).zip(self.columns.get(*position));
        let columns = projection.iter().filter_map(named).map(|(column, source)| RowColumn {
            name: column.name.clone(),
            source_name: source.name.clone(),
            data_type: column.data_type.clone(),
        });
        let partitions = state.config().target_partitions().clamp(1, self.files.files.len().max(1));
        let mut groups = vec![Vec::new(); partitions];
        for number in 0..self.files.files.len() {
            let file = self.row_file(heads, number, projection)?;
            if let (Some(file), Some(group)) = (file, groups.get_mut(number % partitions)) {
                group.push(file);
            }
        }
        Ok(DataSourceExec::from_data_source(RowScan {
            files: Arc::clone(&self.files),
            schema: Arc::new(self.schema.project(projection)?),
            columns: columns.collect(),
            groups: groups.into(),
            fetch: limit.filter(|_| filters.is_empty()),
            findings: findings.clone(),
        }))
    }

    /// `None` for a file without a single byte, where that means no rows.
    fn row_file(&self, heads: &Heads, number: usize, projection: &[usize]) -> Result<Option<RowFile>> {
        let internal = || DataFusionError::Internal("a column of the scan is not in the file".to_owned());
        let file = self.files.files.get(number).ok_or_else(internal)?;
        let values = self.partitions.values.get(number).ok_or_else(internal)?;
        let in_path = |position: &usize| self.partitions.columns.iter().position(|column| column == position);
        let constants: Vec<_> = projection
            .iter()
            .map(|position| in_path(position).map(|index| values.get(index).cloned()))
            .map(|constant| constant.map(|value| value.ok_or_else(internal)).transpose())
            .collect::<Result<_>>()?;
        // What a file without names has, in its order.
        let in_file: Vec<usize> =
            (0..self.columns.len()).filter(|position| in_path(position).is_none()).collect();
        let source_name = |position: &usize| self.columns.get(*position).map(|column| column.name.as_str());
        let all: Vec<&str> = in_file.iter().filter_map(source_name).collect();
        let asked = projection.iter().filter(|position| in_path(position).is_none());
        let asked: Vec<&str> = asked.filter_map(source_name).collect();
        let content = heads.content(number, &asked, &all).ok_or_else(internal)?;
        Ok(content.map(|content| RowFile { file: Arc::clone(file), content, constants }))
    }
}

fn is_free_of(filter: &Expr, columns: &BTreeSet<String>) -> bool {
    filter.column_refs().iter().all(|column| !columns.contains(&column.name))
}

#[async_trait]
impl TableProvider for FileTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let projection = match projection {
            Some(projection) => projection.clone(),
            None => (0..self.columns.len()).collect(),
        };
        self.check_available(&projection, filters)?;
        match &self.content {
            Content::Parquet { .. } => self.scan_parquet(state, &projection, filters, limit),
            Content::Rows { .. } => self.scan_rows(state, &projection, filters, limit),
        }
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let untrusted = self.untrusted();
        let is_useful = |filter: &&Expr| {
            matches!(self.content, Content::Parquet { .. })
                && is_free_of(filter, &untrusted)
                && !filter.column_refs().iter().any(|column| is_nested(&self.schema, &column.name))
        };
        Ok(filters
            .iter()
            .map(|filter| match is_useful(filter) {
                true => TableProviderFilterPushDown::Inexact,
                false => TableProviderFilterPushDown::Unsupported,
            })
            .collect())
    }
}

fn is_nested(schema: &Schema, name: &str) -> bool {
    schema
        .field_with_name(name)
        .is_ok_and(|field| matches!(field.data_type(), ArrowType::List(_) | ArrowType::Struct(_)))
}
