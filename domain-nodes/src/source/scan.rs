//! A Parquet scan of DataFusion with what it does not do itself: it reads only
//! the pinned files, gives columns the contract's names and exact types, keeps
//! predicates away from misleading statistics, and looks at the end whether
//! the files stayed what they were.

use std::any::Any;
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use datafusion::common::Statistics;
use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _, TreeNodeRecursion};
use datafusion::config::ConfigOptions;
use datafusion::datasource::source::{DataSource, OpenArgs};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::object_store::{
    DefaultObjectStoreRegistry, ObjectStoreRegistry as _, ObjectStoreUrl,
};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_expr::{EquivalenceProperties, LexOrdering, PhysicalExpr};
use datafusion::physical_plan::filter_pushdown::{FilterPushdownPropagation, PushedDown};
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayFormatType, Partitioning};
use futures::{Stream, StreamExt as _};
use meshgate_engine::failure::external;
use object_store::memory::InMemory;

use super::error::SourceError;
use super::files::FileSet;
use super::promise;

/// Scheme under which DataFusion asks for a store; there is nothing in it.
const STORE_URL: &str = "meshgate-files://pinned";

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct PinnedScan {
    pub(super) files: Arc<FileSet>,
    pub(super) inner: Arc<dyn DataSource>,
    /// What comes out: names and types of the contract.
    pub(super) schema: SchemaRef,
    /// One per column of `schema`: what the files call it.
    pub(super) source_names: Arc<[String]>,
    /// Contract names of columns that predicates may not prune by.
    pub(super) untrusted: Arc<BTreeSet<String>>,
}

/// The store that DataFusion insists on and that nothing is read from.
pub(super) fn store_url() -> Result<ObjectStoreUrl> {
    ObjectStoreUrl::parse(STORE_URL)
}

impl PinnedScan {
    fn around(&self, inner: Arc<dyn DataSource>) -> Arc<dyn DataSource> {
        Arc::new(Self { inner, ..self.clone() })
    }

    fn is_trusted(&self, filter: &Arc<dyn PhysicalExpr>) -> bool {
        collect_columns(filter).iter().all(|column| !self.untrusted.contains(column.name()))
    }

    /// The same filter over the names that the files use.
    fn translated(&self, filter: Arc<dyn PhysicalExpr>) -> Result<Arc<dyn PhysicalExpr>> {
        filter
            .transform(|node| {
                let Some(column) = node.downcast_ref::<Column>() else { return Ok(Transformed::no(node)) };
                let name = self.source_names.get(column.index()).ok_or_else(|| {
                    DataFusionError::Internal(
                        "a filter names a column that the scan does not have".to_owned(),
                    )
                })?;
                Ok(Transformed::yes(Arc::new(Column::new(name, column.index())) as Arc<dyn PhysicalExpr>))
            })
            .data()
    }
}

impl DataSource for PinnedScan {
    fn open(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.open_with_args(OpenArgs::new(partition, context))
    }

    fn open_with_args(&self, args: OpenArgs) -> Result<SendableRecordBatchStream> {
        let context = Arc::new(without_stores(&args.context)?);
        let stream = self.inner.open_with_args(OpenArgs { context, ..args })?;
        let checked = checked(stream, Arc::clone(&self.schema), Arc::clone(&self.files));
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), checked)))
    }

    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt_as(format, f)
    }

    fn repartitioned(
        &self,
        target_partitions: usize,
        repartition_file_min_size: usize,
        output_ordering: Option<LexOrdering>,
    ) -> Result<Option<Arc<dyn DataSource>>> {
        let inner =
            self.inner.repartitioned(target_partitions, repartition_file_min_size, output_ordering)?;
        Ok(inner.map(|inner| self.around(inner)))
    }

    fn output_partitioning(&self) -> Partitioning {
        Partitioning::UnknownPartitioning(self.inner.output_partitioning().partition_count())
    }

    fn eq_properties(&self) -> EquivalenceProperties {
        // The inner ones would take a predicate that only prunes for one that holds.
        EquivalenceProperties::new(Arc::clone(&self.schema))
    }

    fn partition_statistics(&self, _partition: Option<usize>) -> Result<Arc<Statistics>> {
        Ok(Arc::new(Statistics::new_unknown(&self.schema)))
    }

    fn with_fetch(&self, limit: Option<usize>) -> Option<Arc<dyn DataSource>> {
        self.inner.with_fetch(limit).map(|inner| self.around(inner))
    }

    fn fetch(&self) -> Option<usize> {
        self.inner.fetch()
    }

    fn metrics(&self) -> ExecutionPlanMetricsSet {
        self.inner.metrics()
    }

    fn try_swapping_with_projection(
        &self,
        _projection: &ProjectionExprs,
    ) -> Result<Option<Arc<dyn DataSource>>> {
        Ok(None)
    }

    fn try_pushdown_filters(
        &self,
        filters: Vec<Arc<dyn PhysicalExpr>>,
        config: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn DataSource>>> {
        // Predicates only skip row groups here: whoever asks keeps filtering.
        let answers = vec![PushedDown::No; filters.len()];
        let trusted = filters.into_iter().filter(|filter| self.is_trusted(filter));
        let translated = trusted.map(|filter| self.translated(filter)).collect::<Result<Vec<_>>>()?;
        let unchanged = FilterPushdownPropagation::with_parent_pushdown_result(answers);
        if translated.is_empty() {
            return Ok(unchanged);
        }
        let pushed = self.inner.try_pushdown_filters(translated, config)?;
        Ok(match pushed.updated_node {
            Some(inner) => unchanged.with_updated_node(self.around(inner)),
            None => unchanged,
        })
    }

    fn with_preserve_order(&self, preserve_order: bool) -> Option<Arc<dyn DataSource>> {
        self.inner.with_preserve_order(preserve_order).map(|inner| self.around(inner))
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.inner.apply_expressions(f)
    }

    fn with_new_state(&self, state: Arc<dyn Any + Send + Sync>) -> Option<Arc<dyn DataSource>> {
        self.inner.with_new_state(state).map(|inner| self.around(inner))
    }

    fn create_sibling_state(&self, config: &ConfigOptions) -> Option<Arc<dyn Any + Send + Sync>> {
        self.inner.create_sibling_state(config)
    }
}

/// The same context over an empty store: the scan's own readers bring the bytes.
fn without_stores(context: &TaskContext) -> Result<TaskContext> {
    let stores = DefaultObjectStoreRegistry::new();
    stores.register_store(store_url()?.as_ref(), Arc::new(InMemory::new()));
    let runtime = context.runtime_env();
    let runtime = RuntimeEnv {
        memory_pool: Arc::clone(&runtime.memory_pool),
        disk_manager: Arc::clone(&runtime.disk_manager),
        cache_manager: Arc::clone(&runtime.cache_manager),
        object_store_registry: Arc::new(stores),
    };
    Ok(TaskContext::new(
        context.task_id(),
        context.session_id(),
        context.session_config().clone(),
        HashMap::new(),
        HashMap::new(),
        HashMap::new(),
        HashMap::new(),
        Arc::new(runtime),
    ))
}

/// Batches under the contract's schema, and at the end a look at the files.
fn checked(
    stream: SendableRecordBatchStream,
    schema: SchemaRef,
    files: Arc<FileSet>,
) -> impl Stream<Item = Result<RecordBatch>> + Send {
    futures::stream::unfold(Some(stream), move |stream| {
        let (schema, files) = (Arc::clone(&schema), Arc::clone(&files));
        async move {
            let mut stream = stream?;
            match stream.next().await {
                Some(Ok(batch)) => match under_contract(&batch, &schema, &files) {
                    Ok(batch) => Some((Ok(batch), Some(stream))),
                    Err(error) => Some((Err(error.into()), None)),
                },
                Some(Err(error)) => Some((Err(explained(error, files).await), None)),
                None => check(files).await.err().map(|error| (Err(error.into()), None)),
            }
        }
    })
}

fn under_contract(
    batch: &RecordBatch,
    schema: &SchemaRef,
    files: &FileSet,
) -> std::result::Result<RecordBatch, SourceError> {
    let columns = batch.columns().iter().zip(schema.fields());
    let arrays =
        columns.map(|(array, field)| promise::kept(files, field, array)).collect::<Result<_, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), arrays, &options)
        .map_err(|cause| SourceError::unreadable(&files.table, cause))
}

/// What an error of the reader means. A file that was replaced explains any
/// of them; memory that ran out is not the file's fault.
async fn explained(error: DataFusionError, files: Arc<FileSet>) -> DataFusionError {
    if matches!(error.find_root(), DataFusionError::ResourcesExhausted(_)) {
        return error;
    }
    let table = files.table.clone();
    if let Err(changed) = check(files).await {
        return changed.into();
    }
    match external::<SourceError>(&error) {
        Some(SourceError::Changed { .. }) => SourceError::changed(&table).into(),
        // Told to the log where it was made.
        Some(_) => error,
        None => {
            tracing::error!(table, cause = %error, "a Parquet file cannot be read");
            SourceError::unreadable(&table, error).into()
        }
    }
}

async fn check(files: Arc<FileSet>) -> std::result::Result<(), SourceError> {
    let table = files.table.clone();
    let checked = tokio::task::spawn_blocking(move || files.check()).await;
    checked.unwrap_or_else(|cause| Err(SourceError::unreadable(&table, cause)))
}
