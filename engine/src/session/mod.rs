//! The session of one query: an explicit list of what it has, never the
//! engine's defaults. There is no catalog but the caller's, no table function,
//! no file format, no table factory, and no function that the classification
//! does not allow.

mod pushdown;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use chrono::DateTime;
use datafusion::catalog::CatalogProviderList;
use datafusion::common::error::Result;
use datafusion::common::exec_err;
use datafusion::execution::context::ExecutionProps;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::execution::{SessionState, SessionStateDefaults};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::prelude::SessionConfig;

use self::pushdown::FilterPushdownByName;
use crate::classification::{Kind, is_allowed};
use crate::engine::OptimizerRuleRef;
use crate::execution::Cooperation;
use crate::limits::EngineLimits;

/// The SQL catalog that holds the whole mesh.
const CATALOG: &str = "mesh";
/// Reserved, so that a name without a schema finds nothing.
const NO_SCHEMA: &str = "public";
/// Nesting of SQL that the parser follows: see `statement` for the bound that callers see.
const PARSER_DEPTH: usize = 128;
/// Sorts that are pushed into sources may buffer this much; the engine's default is a gibibyte.
const SORT_BUFFER_BYTES: usize = 16 * 1024 * 1024;

/// What is particular to one query.
#[derive(Debug, Clone)]
pub struct QuerySettings {
    pub query_id: String,
    /// The statement's instant, microseconds since the epoch: what `now()` says.
    pub instant: i64,
    /// The mesh's time zone.
    pub zone: String,
}

pub(crate) fn build(
    settings: QuerySettings,
    catalogs: Arc<dyn CatalogProviderList>,
    environment: Arc<RuntimeEnv>,
    limits: &EngineLimits,
    optimizer_rules: Vec<OptimizerRuleRef>,
) -> Result<SessionState> {
    let Some(instant) = DateTime::from_timestamp_micros(settings.instant) else {
        return exec_err!("the instant of the statement is out of range");
    };
    let config = config(&settings.zone, limits);
    let mut properties = ExecutionProps::new().with_query_execution_start_time(instant);
    properties.config_options = Some(Arc::clone(config.options()));
    Ok(SessionStateBuilder::new()
        .with_session_id(settings.query_id)
        .with_config(config)
        .with_runtime_env(environment)
        .with_execution_props(properties)
        .with_catalog_list(catalogs)
        .with_expr_planners(SessionStateDefaults::default_expr_planners())
        .with_scalar_functions(allowed(Kind::Scalar, SessionStateDefaults::default_scalar_functions(), |f| {
            f.name().to_owned()
        }))
        .with_aggregate_functions(allowed(
            Kind::Aggregate,
            SessionStateDefaults::default_aggregate_functions(),
            |f| f.name().to_owned(),
        ))
        .with_window_functions(allowed(Kind::Window, SessionStateDefaults::default_window_functions(), |f| {
            f.name().to_owned()
        }))
        .with_higher_order_functions(Vec::new())
        .with_table_functions(HashMap::new())
        .with_table_factories(HashMap::new())
        .with_file_formats(Vec::new())
        .with_optimizer_rules(optimizer_rules)
        .with_physical_optimizer_rules(physical_rules())
        .build())
}

fn allowed<F>(kind: Kind, functions: Vec<Arc<F>>, name: impl Fn(&F) -> String) -> Vec<Arc<F>> {
    functions.into_iter().filter(|function| is_allowed(kind, &name(function))).collect()
}

/// Puts what statistics say in the place of aggregates: the sum of no rows is 0 by them, and NULL in SQL.
const LEFT_OUT: &str = "aggregate_statistics";

/// The engine's own rules but one, two of them with a condition, and behind them the one that makes plans yield.
fn physical_rules() -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let mut rules = PhysicalOptimizer::new().rules;
    rules.retain(|rule| rule.name() != LEFT_OUT);
    for rule in &mut rules {
        if rule.name().starts_with(pushdown::NAME) {
            *rule = Arc::new(FilterPushdownByName(Arc::clone(rule)));
        }
    }
    rules.push(Arc::new(Cooperation));
    rules
}

fn config(zone: &str, limits: &EngineLimits) -> SessionConfig {
    let mut config = SessionConfig::new()
        .with_create_default_catalog_and_schema(false)
        .with_default_catalog_and_schema(CATALOG, NO_SCHEMA)
        .with_information_schema(false)
        .with_batch_size(limits.batch_size)
        .with_target_partitions(limits.target_partitions)
        .with_collect_statistics(false);
    let options = config.options_mut();
    options.execution.time_zone = Some(zone.to_owned());
    options.execution.planning_concurrency = limits.target_partitions;
    options.execution.enforce_batch_size_in_joins = true;
    // The two plans may say different things of NULL (`coalesce(x, true)` below a union): a check that
    // only refuses right queries.
    options.execution.skip_physical_aggregate_schema_check = true;
    options.execution.sort_pushdown_buffer_capacity = SORT_BUFFER_BYTES;
    // Buffering the probe side would start it before the build side's filter is known.
    options.execution.hash_join_buffering_capacity = 0;
    // Views save copies, but clients at the edge cannot read them: text is Utf8 everywhere.
    options.execution.parquet.schema_force_view_types = false;
    options.sql_parser.map_string_types_to_utf8view = false;
    options.sql_parser.enable_ident_normalization = true;
    if let Ok(depth) = datafusion::common::config::ConfigNonZeroUsize::try_new(PARSER_DEPTH) {
        options.sql_parser.recursion_limit = depth;
    }
    config
}
