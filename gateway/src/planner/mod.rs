//! From SQL text to a plan that runs: the only caller of SQL planning.
//!
//! Text is bounded and parsed, planned against the principal's catalog alone,
//! checked against the allow-list, optimized, cut, and turned into operators.
//! What asks about a query or about the catalog ends here as rows of its answer.

mod correlated;
mod cut;
mod early_aggregate;
mod explain;
mod functions;
mod in_list;
mod in_subquery;
mod join_order;
mod multisets;
mod notice;
mod parameters;
mod reduce;
mod scalar_subquery;
mod show;
mod thread;
mod whole_part;

use std::sync::Arc;

use arrow::{datatypes::SchemaRef, record_batch::RecordBatch};
use datafusion::{
    common::TableReference,
    datasource::{MemTable, provider_as_source},
    execution::{SessionState, TaskContext},
    logical_expr::{LogicalPlan, LogicalPlanBuilder},
    physical_plan::ExecutionPlan,
    physical_planner::{DefaultPhysicalPlanner, PhysicalPlanner},
    sql::parser::Statement,
};
use meshgate_engine::{
    Engine, QuerySettings, plan_check,
    statement::{self, Asked, StatementLimits},
};

use crate::{
    catalog::{MeshCatalogList, PrincipalCatalog},
    query::{Disclosure, QueryContext, VALUES_MAX},
    status::{GatewayError, ShownName},
};
use cut::{CutPlan, DomainQueryPlanner};
use thread::PlanningThreads;

pub(crate) use functions::FunctionNames;
pub(crate) use join_order::rules as optimizer_rules;
pub(crate) use notice::Notice;
pub(crate) use parameters::Parameters;

/// Bytes of a join's keys, each as often as it is there, up to which they are listed.
const LISTED_KEYS_BYTES: usize = 1 << 20;

/// Plans statements.
#[derive(Debug)]
pub(crate) struct Planner {
    engine: Arc<Engine>,
    limits: StatementLimits,
    threads: PlanningThreads,
}

/// A statement that can run.
#[derive(Debug)]
pub(crate) struct Planned {
    /// Of the result.
    pub schema: SchemaRef,
    /// Types of the statement's parameters, named by their numbers.
    pub parameters: SchemaRef,
    pub notice: Notice,
    pub plan: Arc<dyn ExecutionPlan>,
    pub task: Arc<TaskContext>,
}

impl Planner {
    /// A planner for sessions of `engine`.
    pub(crate) fn new(engine: Arc<Engine>, limits: StatementLimits) -> Self {
        Self { engine, limits, threads: PlanningThreads::new() }
    }

    /// Plans `sql` for the principal of `catalog`.
    pub(crate) async fn plan(
        &self,
        sql: String,
        parameters: Parameters,
        catalog: Arc<PrincipalCatalog>,
        context: Arc<QueryContext>,
    ) -> Result<Planned, GatewayError> {
        let (engine, limits) = (Arc::clone(&self.engine), self.limits.clone());
        let deadline = context.deadline();
        let work = async move {
            let asked = statement::parse(&sql, &limits)
                .map_err(|error| GatewayError::Statement(error.to_string()))?;
            let state = session(&engine, &catalog, context)?;
            plan(&state, asked, &parameters, &catalog).await
        };
        self.threads.run(deadline, work).await
    }
}

async fn plan(
    state: &SessionState,
    asked: Asked,
    parameters: &Parameters,
    catalog: &Arc<PrincipalCatalog>,
) -> Result<Planned, GatewayError> {
    let (logical, types) = match asked {
        Asked::Query(statement) => query(state, statement, parameters, catalog).await?,
        Asked::Explain(statement) => {
            let (explained, types) = query(state, statement, parameters, catalog).await?;
            let explained = optimize(state, explained)?;
            let disclosures = disclosures(state, &explained).await?;
            (answer(explain::steps(&explained.plan, &disclosures)?)?, types)
        }
        Asked::ExplainAnalyze(_) if !catalog.may_analyze => {
            return Err(GatewayError::Statement(statement::analyze_is_refused().to_string()));
        }
        Asked::ExplainAnalyze(statement) => {
            let (explained, types) = query(state, statement, parameters, catalog).await?;
            return analyzed(state, optimize(state, explained)?, types).await;
        }
        Asked::ExplainPolicy(statement) => {
            let (explained, types) = query(state, statement, parameters, catalog).await?;
            let explained = optimize(state, explained)?;
            (answer(explain::policy(&explained.notice, catalog)?)?, types)
        }
        // These have no parameters, so nothing can be bound to them.
        Asked::Show(question) => parameters::fill(show::plan(question, catalog)?, 0, parameters)?,
    };
    operators(state, optimize(state, logical)?, types).await
}

/// The plan of a query over what the principal sees, and the types of its parameters.
#[expect(clippy::disallowed_methods, reason = "the one place in which SQL of callers is planned")]
async fn query(
    state: &SessionState,
    statement: Statement,
    parameters: &Parameters,
    catalog: &PrincipalCatalog,
) -> Result<(LogicalPlan, SchemaRef), GatewayError> {
    let references =
        state.resolve_table_references(&statement).map_err(|error| GatewayError::from_planning(&error))?;
    check_names(&references, catalog)?;
    let parameter_count = statement::parameter_count(&statement);
    let plan =
        state.statement_to_plan(statement).await.map_err(|error| planning_error(&error, &references))?;
    plan_check::check(&plan).map_err(|error| GatewayError::Statement(error.to_string()))?;
    parameters::fill(plan, parameter_count, parameters)
}

/// A plan that gives `rows`.
fn answer(rows: RecordBatch) -> Result<LogicalPlan, GatewayError> {
    let planning = |error| GatewayError::from_planning(&error);
    let table = MemTable::try_new(rows.schema(), vec![vec![rows]]).map_err(planning)?;
    LogicalPlanBuilder::scan("answer", provider_as_source(Arc::new(table)), None)
        .and_then(LogicalPlanBuilder::build)
        .map_err(planning)
}

/// A session that knows the principal's catalog and no other.
fn session(
    engine: &Engine,
    catalog: &Arc<PrincipalCatalog>,
    context: Arc<QueryContext>,
) -> Result<SessionState, GatewayError> {
    let settings = QuerySettings {
        query_id: context.query_id(),
        instant: catalog.statement.instant,
        zone: catalog.statement.zone.name().to_owned(),
    };
    let catalogs = Arc::new(MeshCatalogList::new(Arc::clone(catalog)));
    let mut state =
        engine.session(settings, catalogs).map_err(|error| GatewayError::Internal(error.to_string()))?;
    let config = state.config_mut();
    // Joins list keys only where a domain may be told of them.
    let optimizer = &mut config.options_mut().optimizer;
    optimizer.hash_join_inlist_pushdown_max_distinct_values = VALUES_MAX;
    optimizer.hash_join_inlist_pushdown_max_size = LISTED_KEYS_BYTES;
    config.set_extension(context);
    Ok(state)
}

/// Names with a domain are decided before anything else about the statement,
/// so that hidden and missing tables fail alike. A bare name can be a common
/// table expression: the SQL planner knows.
fn check_names(references: &[TableReference], catalog: &PrincipalCatalog) -> Result<(), GatewayError> {
    let missing =
        references.iter().find(|reference| reference.schema().is_some() && catalog.find(reference).is_none());
    match missing {
        Some(reference) => Err(unknown_table(reference)),
        None => Ok(()),
    }
}

fn planning_error(
    error: &datafusion::common::DataFusionError,
    references: &[TableReference],
) -> GatewayError {
    match (
        GatewayError::from_planning(error),
        references.iter().find(|reference| reference.schema().is_none()),
    ) {
        // DataFusion names the table with the schema it looked in.
        (GatewayError::UnknownTable(_), Some(bare)) => unknown_table(bare),
        (error, _) => error,
    }
}

fn unknown_table(reference: &TableReference) -> GatewayError {
    let parts = [reference.catalog(), reference.schema(), Some(reference.table())];
    GatewayError::UnknownTable(ShownName::new(&parts.into_iter().flatten().collect::<Vec<_>>().join(".")))
}

/// The optimized plan, with its domain queries cut out.
fn optimize(state: &SessionState, plan: LogicalPlan) -> Result<CutPlan, GatewayError> {
    let planning = |error| GatewayError::from_planning(&error);
    // Before the check: it refuses windows where they would see too few rows.
    let plan = multisets::count(plan).map_err(planning)?;
    correlated::check(&plan).map_err(planning)?;
    let plan = scalar_subquery::allow_null(plan)
        .and_then(in_subquery::keep_null)
        .and_then(in_list::keep_null)
        .map_err(planning)?;
    let optimized = state.optimize(&plan).map_err(planning)?;
    cut::cut(optimized, state).map_err(planning)
}

/// A plan that runs the query and says what that took.
async fn analyzed(
    state: &SessionState,
    cut: CutPlan,
    parameters: SchemaRef,
) -> Result<Planned, GatewayError> {
    let explained = cut.plan.clone();
    let planned = operators(state, cut, parameters).await?;
    let disclosures =
        reduce::disclosures(&planned.plan).map_err(|error| GatewayError::from_planning(&error))?;
    let steps = explain::Steps::of_plan(&explained, &disclosures)?;
    let plan: Arc<dyn ExecutionPlan> = Arc::new(explain::AnalyzeExec::new(planned.plan, steps));
    Ok(Planned { schema: plan.schema(), plan, ..planned })
}

/// What joins of the plan may tell domains of one another.
async fn disclosures(state: &SessionState, cut: &CutPlan) -> Result<Vec<Disclosure>, GatewayError> {
    if !cut.notice.discloses() {
        return Ok(Vec::new());
    }
    let plan = physical(state, &cut.plan).await?;
    reduce::disclosures(&plan).map_err(|error| GatewayError::from_planning(&error))
}

async fn operators(
    state: &SessionState,
    cut: CutPlan,
    parameters: SchemaRef,
) -> Result<Planned, GatewayError> {
    let CutPlan { plan, notice } = cut;
    let schema = Arc::clone(plan.schema().inner());
    let plan = physical(state, &plan).await?;
    Ok(Planned { schema, parameters, notice, plan, task: state.task_ctx() })
}

#[expect(clippy::disallowed_methods, reason = "the one place in which plans of callers become operators")]
async fn physical(state: &SessionState, plan: &LogicalPlan) -> Result<Arc<dyn ExecutionPlan>, GatewayError> {
    let planner = DefaultPhysicalPlanner::with_extension_planners(vec![Arc::new(DomainQueryPlanner)]);
    let planned = planner.create_physical_plan(plan, state).await;
    planned.and_then(reduce::reduce).map_err(|error| GatewayError::from_planning(&error))
}

#[cfg(test)]
mod tests;
