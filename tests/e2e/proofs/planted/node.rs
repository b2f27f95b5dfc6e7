//! A node with one leak. It checks neither permits nor digests: the gateway before it is honest.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Schema, SchemaRef};
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use datafusion::catalog::{MemoryCatalogProviderList, TableProvider};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Column, TableReference};
use datafusion::datasource::{ViewTable, provider_as_source};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder};
use datafusion::physical_plan::{ExecutionPlan, collect};
use futures::TryStreamExt;
use futures::stream::iter;
use meshgate_domain_node::contract::ProductTable;
use meshgate_domain_node::secured::SecuredTable;
use meshgate_domain_node::source::{Access, Source};
use meshgate_engine::lower::lower;
use meshgate_engine::{Engine, EngineLimits, QuerySettings, data_type, permit, predicate};
use meshgate_policies::{Cell, Decision, DomainPolicy, Statement, Table, TableDecision};
use meshgate_proto::v1::domain_error::Class;
use meshgate_proto::v1::domain_query::Form;
use meshgate_proto::v1::{DomainError, DomainQuery, DomainRequest, Permit, Scan};
use meshgate_tests::documents::load;
use meshgate_tests::tap::{Answer, StandIn};
use prost::Message;
use tonic::{Code, Status};

use super::Leak;

pub(super) struct LeakyNode {
    leak: Leak,
    engine: Arc<Engine>,
    policy: DomainPolicy,
    tables: BTreeMap<String, (ProductTable, Arc<Source>)>,
}

/// A domain query, and what the principal may see of its table.
#[derive(Clone)]
struct Asked {
    leak: Leak,
    scan: Scan,
    table: Arc<Table>,
    decision: TableDecision,
    visible: Schema,
    filters: Vec<Expr>,
}

impl LeakyNode {
    /// The node of `domain` in the mesh whose files lie in `root`.
    pub(super) fn new(root: &Path, domain: &str, leak: Leak) -> Self {
        let (policy, tables) = load(root, domain).unwrap_or_else(|problem| panic!("{problem}"));
        let access = Access::new(vec![root.join(domain)], BTreeMap::new());
        let source = |table: ProductTable| {
            let source = Source::new(&table, &access).expect("a source");
            (table.table.name.clone(), (table, Arc::new(source)))
        };
        let engine = Engine::new(EngineLimits::default()).expect("an engine");
        Self { leak, engine, policy, tables: tables.into_iter().map(source).collect() }
    }

    async fn batches(&self, ticket: &[u8]) -> Result<(SchemaRef, Vec<RecordBatch>)> {
        let request = DomainRequest::decode(ticket).expect("a domain request");
        let signed = request.permit.expect("a permit");
        let permit = Permit::decode(signed.permit.as_slice()).expect("a permit");
        let query = DomainQuery::decode(request.query.as_slice()).expect("a domain query");
        let Some(Form::Scan(scan)) = query.form else { panic!("another form than a scan") };
        let principal = permit::principal_from_message(&permit.principal.expect("a principal"));
        let statement =
            Statement { instant: query.instant, zone: query.time_zone.parse().expect("a time zone") };
        let decision = match self.policy.decide(&scan.table, &principal.expect("a principal"), &statement) {
            Decision::Visible(decision) => decision,
            absent @ Decision::Absent { .. } => panic!("{absent:?}"),
        };
        let (table, source) = &self.tables[&scan.table];
        let fields = decision.columns.iter().map(|c| data_type::field(&c.name, &c.data_type, c.nullable));
        let visible = Schema::new(fields.collect::<Vec<_>>());
        let filters =
            scan.predicates.iter().map(|p| predicate::from_message(p, &visible).expect("a predicate"));
        let asked = Asked {
            leak: self.leak,
            filters: filters.collect(),
            table: Arc::clone(&table.table),
            visible,
            scan,
            decision,
        };
        let settings =
            QuerySettings { query_id: permit.query_id, instant: query.instant, zone: query.time_zone };
        let session = self.engine.session(settings, Arc::new(MemoryCatalogProviderList::new()))?;
        let source = Arc::clone(source);
        self.engine
            .run(async move { asked.batches(&session, &source).await }, self.engine.latest_deadline())
            .await
    }
}

#[tonic::async_trait]
impl StandIn for LeakyNode {
    async fn answer(&self, ticket: &[u8]) -> Answer {
        let (schema, batches) = match self.batches(ticket).await {
            Ok(found) => found,
            Err(error) => return Answer { messages: Vec::new(), end: Err(self.told(&error)) },
        };
        let messages = FlightDataEncoderBuilder::new()
            .with_schema(schema)
            .build(iter(batches.into_iter().map(Ok::<_, FlightError>)));
        Answer { messages: messages.try_collect().await.expect("messages"), end: Ok(()) }
    }
}

impl LeakyNode {
    fn told(&self, error: &DataFusionError) -> Status {
        let details = DomainError { class: Class::TableUnavailable.into(), ..DomainError::default() };
        let text = match self.leak {
            Leak::ErrorsPass => error.to_string(),
            _ => "the table is unavailable".to_owned(),
        };
        Status::with_details(Code::FailedPrecondition, text, details.encode_to_vec().into())
    }
}

impl Asked {
    async fn batches(
        &self,
        session: &SessionState,
        source: &Source,
    ) -> Result<(SchemaRef, Vec<RecordBatch>)> {
        let raw = source.open(session).await.map_err(DataFusionError::from)?.provider;
        let plan = match self.leak {
            Leak::NoScrub => without_barrier(self.plan(session, self.secured(raw)?, &self.filters).await?)?,
            Leak::PlainFilter => self.plan(session, self.view(raw)?, &self.filters).await?,
            Leak::HiddenColumnInPredicate => {
                let filtered = self.filtered(raw)?;
                self.plan(session, self.secured(filtered)?, &[]).await?
            }
            Leak::ErrorsPass => self.plan(session, self.secured(raw)?, &self.filters).await?,
            Leak::LimitBelowFilter => {
                let limited = self.limited(raw)?;
                self.plan(session, self.secured(limited)?, &self.filters).await?
            }
        };
        let batches = match (self.leak, collect(plan, session.task_ctx()).await) {
            (Leak::ErrorsPass, Err(_)) => {
                // Made again: an operator runs once.
                let raw = source.open(session).await.map_err(DataFusionError::from)?.provider;
                let plan = self.plan(session, self.secured(raw)?, &self.filters).await?;
                collect(without_barrier(plan)?, session.task_ctx()).await?
            }
            (_, collected) => collected?,
        };
        let names: Vec<usize> =
            self.scan.columns.iter().map(|name| self.visible.index_of(name).unwrap()).collect();
        let schema = Arc::new(self.visible.project(&names)?);
        let named = |batch: RecordBatch| {
            let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            RecordBatch::try_new_with_options(Arc::clone(&schema), batch.columns().to_vec(), &rows)
        };
        let batches: std::result::Result<Vec<_>, _> = batches.into_iter().map(named).collect();
        Ok((Arc::clone(&schema), batches?))
    }

    fn secured(&self, raw: Arc<dyn TableProvider>) -> Result<Arc<dyn TableProvider>> {
        let secured = SecuredTable::new(&self.decision, Arc::clone(&self.table), raw);
        Ok(Arc::new(secured.map_err(|error| DataFusionError::External(Box::new(error)))?))
    }

    /// What the honest node plans over its secured table.
    async fn plan(
        &self,
        session: &SessionState,
        table: Arc<dyn TableProvider>,
        filters: &[Expr],
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut builder =
            LogicalPlanBuilder::scan(TableReference::bare("t"), provider_as_source(table), None)?;
        for filter in filters {
            builder = builder.filter(filter.clone())?;
        }
        let columns = self.scan.columns.iter().map(|name| Expr::Column(Column::new_unqualified(name)));
        let limit = self.scan.limit.map(|limit| usize::try_from(limit).unwrap());
        let logical = builder.project(columns)?.limit(0, limit)?.build()?;
        session.create_physical_plan(&logical).await
    }

    /// Policy as a view would have it.
    fn view(&self, raw: Arc<dyn TableProvider>) -> Result<Arc<dyn TableProvider>> {
        let mut builder = raw_scan(raw)?;
        if let Some(rows) = &self.decision.rows {
            builder = builder.filter(lower(rows).expect("a predicate"))?;
        }
        let cells = self.decision.columns.iter().map(|column| match &column.cell {
            Cell::Raw => Expr::Column(Column::new_unqualified(&column.name)),
            Cell::Computed(cell) => lower(cell).expect("a cell").alias(&column.name),
        });
        Ok(Arc::new(ViewTable::new(builder.project(cells)?.build()?, None)))
    }

    /// The raw rows for which the query's predicates hold, with their columns mistaken.
    fn filtered(&self, raw: Arc<dyn TableProvider>) -> Result<Arc<dyn TableProvider>> {
        let all = raw.schema();
        let mistaken = |column: Column| {
            let position = self.visible.index_of(&column.name)?;
            let (meant, other) = (all.field_with_name(&column.name)?, all.field(position));
            let same = meant.data_type() == other.data_type();
            Ok(Expr::Column(Column::new_unqualified(if same { other } else { meant }.name())))
        };
        let mut builder = raw_scan(raw)?;
        for filter in &self.filters {
            let filter = filter.clone().transform(|expr| match expr {
                Expr::Column(column) => mistaken(column).map(Transformed::yes),
                other => Ok(Transformed::no(other)),
            });
            builder = builder.filter(filter.data()?)?;
        }
        Ok(Arc::new(ViewTable::new(builder.build()?, None)))
    }

    fn limited(&self, raw: Arc<dyn TableProvider>) -> Result<Arc<dyn TableProvider>> {
        let limit = self.scan.limit.map(|limit| usize::try_from(limit).unwrap());
        Ok(Arc::new(ViewTable::new(raw_scan(raw)?.limit(0, limit)?.build()?, None)))
    }
}

fn raw_scan(raw: Arc<dyn TableProvider>) -> Result<LogicalPlanBuilder> {
    LogicalPlanBuilder::scan(TableReference::bare("raw"), provider_as_source(raw), None)
}

fn without_barrier(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    plan.transform_up(|node| {
        let below = (node.name() == "BarrierExec").then(|| Arc::clone(node.children()[0]));
        Ok(below.map_or_else(|| Transformed::no(Arc::clone(&node)), Transformed::yes))
    })
    .data()
}
