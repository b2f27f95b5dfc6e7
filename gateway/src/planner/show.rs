//! SHOW and DESCRIBE: queries over the tables that tell what there is.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema},
    error::ArrowError,
};
use datafusion::{
    common::{DataFusionError, Result, TableReference},
    datasource::provider_as_source,
    logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, col, lit},
};
use meshgate_engine::statement::{Like, SchemaReference, Show};

use super::{answer, unknown_table};
use crate::{
    catalog::{CATALOG, ExistingTable, PrincipalCatalog, SystemTable, SystemTableProvider, sql_type},
    status::GatewayError,
};

/// What SHOW COLUMNS says of a column, of all that the standard has.
const OF_COLUMNS: [&str; 6] =
    ["table_catalog", "table_schema", "table_name", "column_name", "data_type", "is_nullable"];

/// The plan of a question about what there is.
pub(super) fn plan(show: Show, catalog: &Arc<PrincipalCatalog>) -> Result<LogicalPlan, GatewayError> {
    match show {
        Show::Tables { schema, like } => {
            let rows = tables(schema.as_ref(), catalog);
            planned(tables_by_name(rows_of(rows)?, like))
        }
        Show::Schemas { like } => planned(schemas(like, catalog)),
        Show::Columns { table, like } => {
            let rows = SystemTable::columns_of(&existing(&table, catalog)?);
            planned(columns(rows_of(rows)?, like))
        }
        Show::Describe { table } => rows_of(describe(&existing(&table, catalog)?)),
    }
}

fn planned(plan: Result<LogicalPlan>) -> Result<LogicalPlan, GatewayError> {
    plan.map_err(|error| GatewayError::from_planning(&error))
}

fn rows_of(rows: Result<RecordBatch, ArrowError>) -> Result<LogicalPlan, GatewayError> {
    answer(rows.map_err(|error| GatewayError::from_planning(&DataFusionError::from(error)))?)
}

/// Hidden and missing tables fail alike, and as in a query.
fn existing(table: &TableReference, catalog: &PrincipalCatalog) -> Result<ExistingTable, GatewayError> {
    catalog.find(table).ok_or_else(|| unknown_table(table))
}

/// The tables of domains; those of the gateway's own if their schema is named.
fn tables(named: Option<&SchemaReference>, catalog: &PrincipalCatalog) -> Result<RecordBatch, ArrowError> {
    let is_wanted = |schema: &str| match named {
        None => true,
        Some(named) => {
            named.schema == schema && named.catalog.as_deref().is_none_or(|catalog| catalog == CATALOG)
        }
    };
    let all = catalog.all();
    let of_domains = all.iter().map(|table| {
        let description = table.described().description.as_str();
        (table.domain.as_str(), table.name.as_str(), (!description.is_empty()).then_some(description))
    });
    let own = SystemTable::ALL.into_iter().filter(|_| named.is_some());
    let own = own.map(|table| (table.schema_name(), table.name(), None));
    let wanted: Vec<_> = of_domains.chain(own).filter(|(schema, _, _)| is_wanted(schema)).collect();
    let schema = Schema::new(vec![
        Field::new("table_schema", DataType::Utf8, false),
        Field::new("table_name", DataType::Utf8, false),
        Field::new("description", DataType::Utf8, true),
    ]);
    let columns = vec![
        Arc::new(wanted.iter().map(|(schema, _, _)| Some(*schema)).collect::<StringArray>()) as ArrayRef,
        Arc::new(wanted.iter().map(|(_, name, _)| Some(*name)).collect::<StringArray>()),
        Arc::new(wanted.iter().map(|(_, _, description)| *description).collect::<StringArray>()),
    ];
    RecordBatch::try_new(Arc::new(schema), columns)
}

/// Those whose name is like the pattern, by schema and name.
fn tables_by_name(all: LogicalPlan, like: Option<Like>) -> Result<LogicalPlan> {
    filtered(LogicalPlanBuilder::new(all), like.map(|like| matches("table_name", like)))?
        .sort(["table_schema", "table_name"].map(|column| col(column).sort(true, false)))?
        .build()
}

fn schemas(like: Option<Like>, catalog: &Arc<PrincipalCatalog>) -> Result<LogicalPlan> {
    let plan = scan(SystemTable::InformationSchemata, catalog)?;
    filtered(plan, like.map(|like| matches("schema_name", like)))?
        .sort([col("schema_name").sort(true, false)])?
        .project([col("schema_name")])?
        .build()
}

fn columns(all: LogicalPlan, like: Option<Like>) -> Result<LogicalPlan> {
    filtered(LogicalPlanBuilder::new(all), like.map(|like| matches("column_name", like)))?
        .sort([col("ordinal_position").sort(true, false)])?
        .project(OF_COLUMNS.map(col))?
        .build()
}

fn scan(table: SystemTable, catalog: &Arc<PrincipalCatalog>) -> Result<LogicalPlanBuilder> {
    let provider = SystemTableProvider::new(table, Arc::clone(catalog));
    LogicalPlanBuilder::scan(table.name(), provider_as_source(Arc::new(provider)), None)
}

fn filtered(plan: LogicalPlanBuilder, condition: Option<Expr>) -> Result<LogicalPlanBuilder> {
    match condition {
        Some(condition) => plan.filter(condition),
        None => Ok(plan),
    }
}

fn matches(column: &str, like: Like) -> Expr {
    let Like { pattern, ignore_case } = like;
    if ignore_case { col(column).ilike(lit(pattern)) } else { col(column).like(lit(pattern)) }
}

fn describe(table: &ExistingTable) -> Result<RecordBatch, ArrowError> {
    let schema = Schema::new(vec![
        Field::new("column_name", DataType::Utf8, false),
        Field::new("data_type", DataType::Utf8, false),
        Field::new("is_nullable", DataType::Utf8, false),
        Field::new("description", DataType::Utf8, true),
    ]);
    let columns = table.columns();
    let fields = columns.fields();
    let texts = |of: fn(&Field) -> String| -> ArrayRef {
        Arc::new(fields.iter().map(|field| Some(of(field))).collect::<StringArray>())
    };
    let arrays = vec![
        texts(|field| field.name().clone()),
        texts(|field| sql_type(field.data_type())),
        texts(|field| if field.is_nullable() { "YES".to_owned() } else { "NO".to_owned() }),
        Arc::new(table.descriptions().into_iter().collect::<StringArray>()),
    ];
    RecordBatch::try_new(Arc::new(schema), arrays)
}
