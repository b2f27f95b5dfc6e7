//! Domain queries in the form of a plan: what they give, and what they do not.

use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::datasource::{MemTable, provider_as_source};
use datafusion::functions_aggregate::expr_fn::{count, max};
use datafusion::functions_aggregate::string_agg::string_agg;
use datafusion::logical_expr::{
    Expr, ExprFunctionExt as _, JoinType, LogicalPlan, LogicalPlanBuilder, cast, col, lit,
};
use meshgate_engine::plan_form;
use meshgate_proto::v1::Plan;
use meshgate_proto::v1::domain_error::Fault;
use meshgate_proto::v1::domain_query::Form;
use tonic::Code;

use super::*;
use crate::testing::{expected_schema, schema_message};

/// A scan of a table of the domain, as a gateway plans it: it knows the columns and no data.
pub(crate) fn scan_of(table: &str, columns: Schema) -> LogicalPlanBuilder {
    let provider = MemTable::try_new(Arc::new(columns), vec![Vec::new()]).unwrap();
    LogicalPlanBuilder::scan(table, provider_as_source(Arc::new(provider)), None).unwrap()
}

/// The message of a plan over `orders`, or over `people` if that has one column.
pub(crate) fn plan_bytes(plan: &LogicalPlan) -> Vec<u8> {
    let name = |table: &dyn TableProvider| {
        Some(if table.schema().fields().len() == 1 { "people" } else { "orders" }.to_owned())
    };
    plan_form::encode(&plan_form::bare(plan.clone()).unwrap(), name).unwrap()
}

/// All of `orders` that an analyst sees.
fn orders() -> LogicalPlanBuilder {
    scan_of("orders", expected_schema(&["id", "region", "amount", "card"]))
}

/// Asks `plan`, and expects `schema`.
fn asking(node: &Running, plan: &LogicalPlan, schema: &SchemaRef) -> Request {
    let mut request = node.request(&["id"]);
    request.query.schema = schema_message(schema);
    let logical_plan = plan_bytes(plan);
    request.query.form = Some(Form::Plan(Plan { format: plan_form::FORMAT, logical_plan }));
    request
}

async fn answer(node: &Running, plan: &LogicalPlan) -> Vec<RecordBatch> {
    node.query(asking(node, plan, plan.schema().inner())).await.unwrap()
}

fn text(batches: &[RecordBatch]) -> String {
    arrow::util::pretty::pretty_format_batches(batches).unwrap().to_string()
}

#[tokio::test]
async fn a_plan_runs_over_what_the_principal_sees() {
    let node = Running::start(Domain::new()).await;
    let grouped = orders().aggregate(vec![col("region")], vec![count(col("id")), max(col("card"))]).unwrap();
    let sorted = grouped.sort(vec![col("region").sort(true, true)]).unwrap().build().unwrap();
    let answer = answer(&node, &sorted).await;
    let shown = text(&answer);
    assert!(shown.contains("| EU     | 4 ") && shown.contains("************0006"), "{shown}");
    assert!(!shown.contains("US") && !shown.contains("4111"), "{shown}");
}

#[tokio::test]
async fn a_table_can_be_read_twice_under_one_decision() {
    let node = Running::start(Domain::new()).await;
    let left = orders().alias("a").unwrap();
    let right = orders().alias("b").unwrap().build().unwrap();
    let joined = left.join(right, JoinType::Inner, (vec!["a.card"], vec!["b.card"]), None).unwrap();
    let plan = joined.project(vec![col("a.id"), col("b.amount")]).unwrap().build().unwrap();
    assert_eq!(rows(&answer(&node, &plan).await), 4);
    assert_eq!(node.domain.audit_records().pop().unwrap()["tables"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a050_an_expression_meets_visible_rows_only() {
    let node = Running::start(Domain::new()).await;
    // Order 2 is hidden: its division by zero does not happen.
    let divided = |id: i64| {
        let quotient = lit(10_i64) / (col("id") - lit(id));
        orders().project(vec![quotient]).unwrap().build().unwrap()
    };
    assert_eq!(rows(&answer(&node, &divided(2)).await), 4);
    let failing = divided(3);
    let status = node.query(asking(&node, &failing, failing.schema().inner())).await.unwrap_err();
    let error = DomainError::decode(status.details()).unwrap();
    assert_eq!((error.class(), error.fault()), (Class::Expression, Fault::DivisionByZero));
}

#[tokio::test]
async fn a051_a_failing_cast_says_nothing_of_the_cell() {
    let node = Running::start(Domain::new()).await;
    let plan = orders().project(vec![cast(col("card"), DataType::Int64)]).unwrap().build().unwrap();
    let status = node.query(asking(&node, &plan, plan.schema().inner())).await.unwrap_err();
    let error = DomainError::decode(status.details()).unwrap();
    assert_eq!((error.class(), error.fault()), (Class::Expression, Fault::Conversion));
    assert!(!format!("{status:?}{error:?}").contains("000"), "{status:?}");
}

#[tokio::test]
async fn a_plan_that_the_engine_cannot_make_is_no_fault_of_the_node() {
    let node = Running::start(Domain::new()).await;
    let texts = |of: &str, by: &str| {
        string_agg(col(of), lit(",")).order_by(vec![col(by).sort(true, true)]).build().unwrap()
    };
    let of_all = |by: &str| {
        let lists = vec![texts("region", "id"), texts("card", by)];
        orders().aggregate(Vec::<Expr>::new(), lists).unwrap().build().unwrap()
    };
    assert_eq!(rows(&answer(&node, &of_all("id")).await), 1);
    let plan = of_all("amount");
    let status = node.query(asking(&node, &plan, plan.schema().inner())).await.unwrap_err();
    assert_eq!((class(&status), status.code()), (Class::Planning, Code::InvalidArgument));
}

#[tokio::test]
async fn a105_columns_that_are_not_visible_are_no_part_of_a_plan() {
    let node = Running::start(Domain::new()).await;
    let refused = |status: Status| assert_eq!(class(&status), Class::Refused);
    let mut columns = expected_schema(&["id", "region", "amount", "card"]).fields().to_vec();
    columns.push(Arc::new(Field::new("note", DataType::Utf8, true)));
    let with_hidden = scan_of("orders", Schema::new(columns)).project(vec![col("id")]).unwrap();
    let plan = with_hidden.build().unwrap();
    refused(node.query(asking(&node, &plan, plan.schema().inner())).await.unwrap_err());
    // Without a required column's promise, projections would count other positions.
    let fewer = scan_of("orders", expected_schema(&["region", "id"])).project(vec![col("id")]).unwrap();
    let plan = fewer.build().unwrap();
    refused(node.query(asking(&node, &plan, plan.schema().inner())).await.unwrap_err());
}

#[tokio::test]
async fn a114_the_result_has_the_schema_of_the_message() {
    let node = Running::start(Domain::new()).await;
    let plan = orders().project(vec![col("id")]).unwrap().build().unwrap();
    let ids: Vec<i64> = answer(&node, &plan)
        .await
        .iter()
        .flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values().to_vec())
        .collect();
    assert_eq!(ids, [1, 3, 4, 6]);
    for wrong in [
        Field::new("id", DataType::Int64, true),
        Field::new("id", DataType::Utf8, false),
        Field::new("card", DataType::Int64, false),
    ] {
        let schema = Arc::new(Schema::new(vec![wrong]));
        let status = node.query(asking(&node, &plan, &schema)).await.unwrap_err();
        assert_eq!(class(&status), Class::Refused);
    }
}

#[tokio::test]
async fn a108_a_plan_carries_no_hidden_bytes() {
    let node = Running::start(Domain::new()).await;
    let plan = orders().filter(col("amount").gt(lit(0_i64))).unwrap().build().unwrap();
    let ticket = asking(&node, &plan, plan.schema().inner()).ticket(&node.domain.signer);
    let all: Vec<_> = messages(&mut node.client().await, ticket).await.unwrap().collect().await;
    assert!(all.len() > 1);
    for message in all {
        let bytes = message.unwrap().encode_to_vec();
        for hidden in ["SECRET-", "411111", "US"] {
            assert!(!bytes.windows(hidden.len()).any(|window| window == hidden.as_bytes()), "{hidden}");
        }
    }
}
