//! Plans go through a message and come out the same; a message that is spoiled
//! in one place is refused for that place alone.

mod codec;
mod mutated;
mod walked;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList,
    MemorySchemaProvider, SchemaProvider,
};
use datafusion::datasource::{MemTable, provider_as_source};
use datafusion::execution::SessionState;
use datafusion::logical_expr::{EmptyRelation, JoinType, LogicalPlanBuilder, col, lit};
use datafusion::sql::parser::DFParser;
use datafusion_proto::generated::datafusion_common as common;
use datafusion_proto::generated::datafusion_common::scalar_value::Value;
use datafusion_proto::protobuf::logical_expr_node::ExprType;
use datafusion_proto::protobuf::logical_plan_node::LogicalPlanType;
use datafusion_proto::protobuf::{self, LogicalExprNode};

use super::*;
use crate::{Engine, EngineLimits, QuerySettings};

/// Writes what a message can say of `plan`.
fn encode(
    plan: &LogicalPlan,
    name: impl Fn(&dyn TableProvider) -> Option<String> + Send + Sync + 'static,
) -> Result<Vec<u8>, Box<DataFusionError>> {
    super::encode(&bare(plan.clone())?, name)
}

fn table(fields: Vec<Field>) -> Arc<dyn TableProvider> {
    Arc::new(MemTable::try_new(Arc::new(Schema::new(fields)), vec![Vec::new()]).unwrap())
}

fn orders() -> Arc<dyn TableProvider> {
    table(vec![
        Field::new("id", DataType::Int64, false),
        Field::new("region", DataType::Utf8, true),
        Field::new("total", DataType::Decimal128(12, 2), true),
        Field::new("day", DataType::Date32, true),
    ])
}

fn lines() -> Arc<dyn TableProvider> {
    table(vec![Field::new("id", DataType::Int64, false), Field::new("sku", DataType::Utf8, true)])
}

fn tables() -> BTreeMap<String, Arc<dyn TableProvider>> {
    BTreeMap::from([("orders".to_owned(), orders()), ("lines".to_owned(), lines())])
}

fn state() -> SessionState {
    let schema = MemorySchemaProvider::new();
    for (name, table) in tables() {
        schema.register_table(name, table).unwrap();
    }
    let catalog = MemoryCatalogProvider::new();
    catalog.register_schema("sales", Arc::new(schema)).unwrap();
    let catalogs = MemoryCatalogProviderList::new();
    catalogs.register_catalog("mesh".to_owned(), Arc::new(catalog));
    let engine = Engine::new(EngineLimits { threads: 1, ..EngineLimits::default() }).unwrap();
    let settings = QuerySettings { query_id: "q".into(), instant: 1_795_476_600_000_000, zone: "UTC".into() };
    engine.session(settings, Arc::new(catalogs)).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "tests of the engine plan their own text")]
async fn plan(state: &SessionState, sql: &str) -> LogicalPlan {
    let statement = DFParser::parse_sql(sql).unwrap().pop_front().unwrap();
    state.optimize(&state.statement_to_plan(statement).await.unwrap()).unwrap()
}

/// Tables are told apart by their columns.
fn name(table: &dyn TableProvider) -> Option<String> {
    match table.schema().fields().len() {
        4 => Some("orders".to_owned()),
        2 => Some("lines".to_owned()),
        _ => None,
    }
}

async fn message(sql: &str) -> LogicalPlanNode {
    let bytes = encode(&plan(&state(), sql).await, name).unwrap();
    LogicalPlanNode::decode(bytes.as_slice()).unwrap()
}

fn judge(message: &LogicalPlanNode) -> Result<(), PlanFormError> {
    check(&message.encode_to_vec()).map(drop)
}

/// Every kind of relation that a domain query may have.
const STATEMENTS: [&str; 21] = [
    "SELECT id, total FROM sales.orders WHERE region = 'DE' AND total > 5",
    "SELECT region, count(*), sum(total), avg(total) FROM sales.orders GROUP BY region HAVING count(*) > 1",
    "SELECT o.id, l.sku FROM sales.orders o JOIN sales.lines l ON o.id = l.id AND o.total > 3",
    "SELECT o.id FROM sales.orders o LEFT JOIN sales.lines l ON o.id = l.id WHERE l.sku IS NULL",
    "SELECT o.id FROM sales.orders o FULL JOIN sales.lines l USING (id)",
    "SELECT id FROM sales.orders WHERE id NOT IN (SELECT id FROM sales.lines)",
    "SELECT id FROM sales.orders WHERE EXISTS (SELECT 1 FROM sales.lines l WHERE l.id = orders.id)",
    "SELECT region FROM sales.orders INTERSECT SELECT sku FROM sales.lines",
    "SELECT region FROM sales.orders EXCEPT SELECT sku FROM sales.lines",
    "SELECT region FROM sales.orders UNION ALL SELECT sku FROM sales.lines",
    "SELECT DISTINCT region FROM sales.orders",
    "SELECT id FROM sales.orders ORDER BY total DESC NULLS LAST LIMIT 3 OFFSET 2",
    "SELECT id, row_number() OVER (PARTITION BY region ORDER BY day ROWS 2 PRECEDING) FROM sales.orders",
    "SELECT id, lag(total) OVER (ORDER BY day) FROM sales.orders",
    "SELECT region, count(*) FROM sales.orders GROUP BY ROLLUP (region, day)",
    "SELECT CASE WHEN total > 1 THEN 'a' ELSE upper(region) END, CAST(id AS VARCHAR) FROM sales.orders",
    "SELECT array_agg(id ORDER BY day), count(DISTINCT region) FILTER (WHERE id > 1) FROM sales.orders",
    "SELECT id FROM sales.orders WHERE total > (SELECT avg(total) FROM sales.orders)",
    "SELECT x FROM (VALUES (1), (2)) AS t(x) JOIN sales.orders ON x = id",
    "SELECT a.id FROM sales.orders a JOIN sales.orders b ON a.region IS NOT DISTINCT FROM b.region",
    "SELECT date_trunc('month', day), extract(year FROM day) FROM sales.orders WHERE region LIKE 'D%'",
];

#[tokio::test]
async fn what_goes_through_a_message_is_the_same_plan() {
    let state = state();
    for sql in STATEMENTS {
        let before = plan(&state, sql).await;
        let bytes = encode(&before, name).unwrap();
        let checked = check(&bytes).unwrap_or_else(|error| panic!("{sql}: {error}"));
        let after =
            checked.decode(tables(), &state.task_ctx()).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        assert_eq!(after.schema(), before.schema(), "{sql}");
        // Nothing is lost on the way, but for what scans were told.
        assert_eq!(after, bare(before).unwrap(), "{sql}");
        assert_eq!(encode(&after, name).unwrap(), bytes, "{sql}");
    }
}

#[tokio::test]
async fn what_the_codec_loses_comes_back_as_another_plan() {
    let state = state();
    let orders = plan(&state, "SELECT id FROM sales.orders").await;
    let schema = Arc::clone(orders.schema());
    let none = LogicalPlan::EmptyRelation(EmptyRelation { produce_one_row: false, schema });
    let on = (vec!["id"], vec!["id"]);
    let marked = LogicalPlanBuilder::from(orders).join(none, JoinType::LeftMark, on, None).unwrap();
    let before = bare(marked.build().unwrap()).unwrap();
    let checked = check(&super::encode(&before, name).unwrap()).unwrap();
    let after = checked.decode(tables(), &state.task_ctx()).unwrap();
    assert_eq!(after.schema().inner(), before.schema().inner());
    assert_ne!(after, before);
}

#[tokio::test]
async fn the_tables_of_a_plan_are_found_in_subqueries_too() {
    let sql = "SELECT id FROM sales.orders WHERE total > (SELECT max(id) FROM sales.lines)";
    let bytes = encode(&plan(&state(), sql).await, name).unwrap();
    let names: Vec<_> = check(&bytes).unwrap().tables().iter().cloned().collect();
    assert_eq!(names, ["lines", "orders"]);
}

#[tokio::test]
async fn a_table_that_is_not_given_or_has_other_columns_is_no_plan() {
    let state = state();
    let bytes = encode(&plan(&state, "SELECT id FROM sales.orders").await, name).unwrap();
    let checked = check(&bytes).unwrap();
    let mut given = tables();
    assert!(checked.decode(given.clone(), &state.task_ctx()).is_ok());
    given.insert("orders".to_owned(), lines());
    assert!(checked.decode(given.clone(), &state.task_ctx()).is_err());
    given.remove("orders");
    assert!(checked.decode(given, &state.task_ctx()).is_err());
    assert!(encode(&plan(&state, "SELECT id FROM sales.orders").await, |_| None).is_err());
}

#[test]
fn filters_of_scans_are_left_to_the_operators() {
    let filter = || col("region").eq(lit("DE"));
    let source = provider_as_source(orders());
    let scan = LogicalPlanBuilder::scan_with_filters("orders", source, None, vec![filter()]).unwrap();
    let plan = scan.filter(filter()).unwrap().build().unwrap();
    let mut message = LogicalPlanNode::decode(encode(&plan, name).unwrap().as_slice()).unwrap();
    assert_eq!(judge(&message), Ok(()));
    assert!(matches!(message.logical_plan_type, Some(LogicalPlanType::Selection(_))));
    assert!(scan_of(&mut message).filters.is_empty());
}

/// The scan at the end of a chain of single inputs.
fn scan_of(message: &mut LogicalPlanNode) -> &mut protobuf::CustomTableScanNode {
    match message.logical_plan_type.as_mut().unwrap() {
        LogicalPlanType::CustomScan(scan) => scan,
        LogicalPlanType::Projection(node) => scan_of(node.input.as_mut().unwrap()),
        LogicalPlanType::Selection(node) => scan_of(node.input.as_mut().unwrap()),
        LogicalPlanType::Aggregate(node) => scan_of(node.input.as_mut().unwrap()),
        other => panic!("{other:?}"),
    }
}

fn expression(kind: ExprType) -> LogicalExprNode {
    LogicalExprNode { expr_type: Some(kind) }
}

fn literal(value: Value) -> LogicalExprNode {
    expression(ExprType::Literal(common::ScalarValue { value: Some(value) }))
}

#[tokio::test]
async fn a114_scans_have_no_filters_and_no_foreign_columns() {
    let good = message("SELECT id FROM sales.orders").await;
    assert_eq!(judge(&good), Ok(()));
    let spoiled = |spoil: &dyn Fn(&mut protobuf::CustomTableScanNode)| {
        let mut message = good.clone();
        spoil(scan_of(&mut message));
        judge(&message)
    };
    assert_eq!(
        spoiled(&|scan| scan.filters.push(literal(Value::BoolValue(true)))),
        Err(PlanFormError::ScanFilters)
    );
    let columns = |names: &[&str]| protobuf::ProjectionColumns {
        columns: names.iter().map(|name| (*name).to_owned()).collect(),
    };
    assert_eq!(spoiled(&|scan| scan.projection = Some(columns(&["region", "id"]))), Ok(()));
    for wrong in [["card"].as_slice(), &["id", "id"]] {
        assert_eq!(spoiled(&|scan| scan.projection = Some(columns(wrong))), Err(PlanFormError::Projection));
    }
    assert_eq!(spoiled(&|scan| scan.schema = None), Err(PlanFormError::Missing));
    assert_eq!(spoiled(&|scan| scan.table_name = None), Err(PlanFormError::Missing));
    assert_eq!(spoiled(&|scan| scan.custom_table_data = vec![0xff]), Err(PlanFormError::TableName));
    assert_eq!(spoiled(&|scan| scan.custom_table_data = vec![b'a'; 5_000]), Err(PlanFormError::Name));
    let twice = |scan: &mut protobuf::CustomTableScanNode| {
        let schema = scan.schema.as_mut().unwrap();
        schema.columns.push(schema.columns[0].clone());
    };
    assert_eq!(spoiled(&twice), Err(PlanFormError::Projection));
}

#[tokio::test]
async fn a114_relations_that_are_no_query_are_refused() {
    let input = Some(Box::new(message("SELECT id FROM sales.orders").await));
    let relations = [
        LogicalPlanType::ListingScan(protobuf::ListingTableScanNode {
            paths: vec!["/etc/passwd".to_owned()],
            ..Default::default()
        }),
        LogicalPlanType::ViewScan(Box::default()),
        LogicalPlanType::EmptyTableScan(protobuf::EmptyTableScanNode::default()),
        LogicalPlanType::Repartition(Box::default()),
        LogicalPlanType::CreateExternalTable(protobuf::CreateExternalTableNode::default()),
        LogicalPlanType::Explain(Box::new(protobuf::ExplainNode {
            input: input.clone(),
            ..Default::default()
        })),
        LogicalPlanType::Analyze(Box::new(protobuf::AnalyzeNode {
            input: input.clone(),
            ..Default::default()
        })),
        LogicalPlanType::CrossJoin(Box::default()),
        LogicalPlanType::Extension(protobuf::LogicalExtensionNode::default()),
        LogicalPlanType::CreateCatalogSchema(protobuf::CreateCatalogSchemaNode::default()),
        LogicalPlanType::CreateCatalog(protobuf::CreateCatalogNode::default()),
        LogicalPlanType::CreateView(Box::default()),
        LogicalPlanType::Prepare(Box::default()),
        LogicalPlanType::DropView(protobuf::DropViewNode::default()),
        LogicalPlanType::DistinctOn(Box::default()),
        LogicalPlanType::CopyTo(Box::new(protobuf::CopyToNode { input, ..Default::default() })),
        LogicalPlanType::Unnest(Box::default()),
        LogicalPlanType::RecursiveQuery(Box::default()),
        LogicalPlanType::CteWorkTableScan(protobuf::CteWorkTableScanNode::default()),
        LogicalPlanType::Dml(Box::default()),
        LogicalPlanType::Values(protobuf::ValuesNode {
            n_cols: 0,
            values_list: vec![literal(Value::Int64Value(1))],
        }),
    ];
    for relation in relations {
        let name = format!("{relation:?}");
        let message = LogicalPlanNode { logical_plan_type: Some(relation) };
        assert!(matches!(judge(&message), Err(PlanFormError::Relation(_))), "{name}");
        // Below another relation it is found as well.
        let aliased =
            LogicalPlanType::Distinct(Box::new(protobuf::DistinctNode { input: Some(Box::new(message)) }));
        let below = LogicalPlanNode { logical_plan_type: Some(aliased) };
        assert!(matches!(judge(&below), Err(PlanFormError::Relation(_))), "{name}");
    }
    assert_eq!(judge(&LogicalPlanNode { logical_plan_type: None }), Err(PlanFormError::Missing));
}

#[tokio::test]
async fn a114_joins_need_an_equality() {
    let mut message = message("SELECT o.id FROM sales.orders o JOIN sales.lines l ON o.id = l.id").await;
    assert_eq!(judge(&message), Ok(()));
    let mut node = &mut message;
    loop {
        match node.logical_plan_type.as_mut().unwrap() {
            LogicalPlanType::Projection(projection) => node = projection.input.as_mut().unwrap(),
            LogicalPlanType::Join(join) => {
                join.left_join_key.clear();
                join.right_join_key.clear();
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(judge(&message), Err(PlanFormError::Join));
}

/// A projection of one expression over a good scan.
async fn judge_expression(kind: ExprType) -> Result<(), PlanFormError> {
    let input = Some(Box::new(message("SELECT id FROM sales.orders").await));
    let projection = protobuf::ProjectionNode { input, expr: vec![expression(kind)], optional_alias: None };
    judge(&LogicalPlanNode { logical_plan_type: Some(LogicalPlanType::Projection(Box::new(projection))) })
}

#[tokio::test]
async fn a114_functions_are_those_of_the_list_without_a_definition() {
    let scalar = |name: &str, fun_definition| {
        let args = vec![literal(Value::Utf8Value("a".to_owned()))];
        ExprType::ScalarUdfExpr(protobuf::ScalarUdfExprNode {
            fun_name: name.to_owned(),
            args,
            fun_definition,
        })
    };
    assert_eq!(judge_expression(scalar("upper", None)).await, Ok(()));
    assert_eq!(
        judge_expression(scalar("upper", Some(vec![]))).await,
        Err(PlanFormError::Definition("upper".into()))
    );
    for refused in ["version", "arrow_cast", "random", "read_file"] {
        assert_eq!(
            judge_expression(scalar(refused, None)).await,
            Err(PlanFormError::Function(refused.to_owned()))
        );
    }
    let aggregate = |name: &str, fun_definition| {
        ExprType::AggregateUdfExpr(Box::new(protobuf::AggregateUdfExprNode {
            fun_name: name.to_owned(),
            fun_definition,
            ..Default::default()
        }))
    };
    assert_eq!(judge_expression(aggregate("max", None)).await, Ok(()));
    assert!(matches!(
        judge_expression(aggregate("max", Some(vec![1]))).await,
        Err(PlanFormError::Definition(_))
    ));
    assert!(matches!(judge_expression(aggregate("evil", None)).await, Err(PlanFormError::Function(_))));
    let window = |function, fun_definition| {
        ExprType::WindowExpr(Box::new(protobuf::WindowExprNode {
            window_function: Some(function),
            window_frame: Some(protobuf::WindowFrame::default()),
            fun_definition,
            ..Default::default()
        }))
    };
    use datafusion_proto::protobuf::window_expr_node::WindowFunction;
    assert_eq!(judge_expression(window(WindowFunction::Udwf("rank".into()), None)).await, Ok(()));
    assert!(matches!(
        judge_expression(window(WindowFunction::Udwf("rank".into()), Some(vec![1]))).await,
        Err(PlanFormError::Definition(_))
    ));
    for unknown in [WindowFunction::Udwf("max".into()), WindowFunction::Udaf("rank".into())] {
        assert!(matches!(judge_expression(window(unknown, None)).await, Err(PlanFormError::Function(_))));
    }
}

#[tokio::test]
async fn a114_expressions_and_literals_are_those_of_the_list() {
    let refused = [
        ExprType::Wildcard(protobuf::Wildcard::default()),
        ExprType::Placeholder(protobuf::PlaceholderNode::default()),
        ExprType::Unnest(protobuf::Unnest::default()),
        ExprType::HigherOrderUdfExpr(protobuf::HigherOrderUdfExprNode::default()),
        ExprType::Lambda(Box::default()),
        ExprType::LambdaVariable(protobuf::LambdaVariable::default()),
    ];
    for kind in refused {
        let name = format!("{kind:?}");
        assert!(matches!(judge_expression(kind).await, Err(PlanFormError::Expression(_))), "{name}");
    }
    let operator = |op: &str| {
        let operands = vec![literal(Value::Int64Value(1)), literal(Value::Int64Value(2))];
        ExprType::BinaryExpr(protobuf::BinaryExprNode { operands, op: op.to_owned() })
    };
    assert_eq!(judge_expression(operator("Plus")).await, Ok(()));
    assert!(matches!(judge_expression(operator("Nonsense")).await, Err(PlanFormError::Operator(_))));
    let value = |value| ExprType::Literal(common::ScalarValue { value: Some(value) });
    assert_eq!(judge_expression(value(Value::Int64Value(1))).await, Ok(()));
    for nested in [
        Value::ListValue(common::ScalarNestedValue::default()),
        Value::StructValue(common::ScalarNestedValue::default()),
        Value::DictionaryValue(Box::default()),
        Value::UnionValue(Box::default()),
        Value::Decimal128Value(common::Decimal128 { value: vec![1], p: 10, s: 2 }),
        Value::Decimal128Value(common::Decimal128 { value: vec![0; 16], p: 39, s: 2 }),
        Value::Decimal128Value(common::Decimal128 { value: vec![0; 16], p: 10, s: 11 }),
        Value::Decimal128Value(common::Decimal128 { value: vec![0; 16], p: 266, s: 2 }),
        Value::Decimal256Value(common::Decimal256 { value: vec![0; 32], p: 10, s: 300 }),
    ] {
        assert!(matches!(judge_expression(value(nested)).await, Err(PlanFormError::Literal(_))));
    }
    let alias = protobuf::AliasNode {
        expr: Some(Box::new(literal(Value::Int64Value(1)))),
        alias: "x".to_owned(),
        relation: Vec::new(),
        metadata: [("a".to_owned(), "b".to_owned())].into(),
    };
    assert_eq!(judge_expression(ExprType::Alias(Box::new(alias))).await, Err(PlanFormError::Metadata));
    let correlated = protobuf::SubqueryNode {
        subquery: Some(Box::new(message("SELECT id FROM sales.orders").await)),
        outer_ref_columns: vec![literal(Value::Int64Value(1))],
    };
    let subquery = protobuf::ScalarSubqueryExprNode { subquery: Some(Box::new(correlated)) };
    assert!(matches!(
        judge_expression(ExprType::ScalarSubqueryExpr(Box::new(subquery))).await,
        Err(PlanFormError::Expression(_))
    ));
}

#[tokio::test]
async fn a114_size_and_nesting_are_bounded() {
    assert_eq!(check(&vec![0; MAXIMUM_BYTES + 1]).map(drop), Err(PlanFormError::TooLong));
    assert_eq!(check(&[0xff; 64]).map(drop), Err(PlanFormError::Malformed));
    for depth in [101, 10_000] {
        // Written without recursion: a field of the message in itself, again and again.
        let mut bytes = Vec::new();
        for _ in 0..depth {
            let distinct = prefixed(1, &bytes);
            bytes = prefixed(23, &distinct);
        }
        assert!(bytes.len() < MAXIMUM_BYTES);
        assert_eq!(check(&bytes).map(drop), Err(PlanFormError::Malformed), "{depth}");
    }
    let many = vec![literal(Value::BoolValue(true)); MAXIMUM_NODES + 1];
    let values = protobuf::ValuesNode { n_cols: 1, values_list: many };
    let message = LogicalPlanNode { logical_plan_type: Some(LogicalPlanType::Values(values)) };
    assert_eq!(judge(&message), Err(PlanFormError::TooMany));
}

/// A message field that holds `content`.
fn prefixed(field: u32, content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    prost::encoding::encode_key(field, prost::encoding::WireType::LengthDelimited, &mut bytes);
    prost::encoding::encode_varint(content.len() as u64, &mut bytes);
    bytes.extend_from_slice(content);
    bytes
}

#[tokio::test]
async fn a_filter_on_top_of_a_plan_is_a_plan_again() {
    let state = state();
    let decoded = |bytes: &[u8]| check(bytes).unwrap().decode(tables(), &state.task_ctx()).unwrap();
    for sql in [
        "SELECT o.id, total FROM sales.orders o WHERE region = 'EU'",
        "SELECT o.id, count(*) FROM sales.orders o JOIN sales.lines l ON o.id = l.id GROUP BY 1",
        "SELECT o.id, l.id FROM sales.orders o JOIN sales.lines l ON o.id = l.id ORDER BY o.total LIMIT 3",
    ] {
        let plan = plan(&state, sql).await;
        let bytes = encode(&plan, name).unwrap();
        let id = plan.schema().columns().remove(0);
        let condition = Expr::Column(id).in_list(vec![lit(1_i64), lit(2_i64)], false);
        let filtered = filtered(&bytes, &condition).unwrap();
        let expected = LogicalPlanBuilder::from(decoded(&bytes)).filter(condition).unwrap().build().unwrap();
        assert_eq!(decoded(&filtered).to_string(), expected.to_string(), "{sql}");
        assert_eq!(decoded(&filtered).schema(), plan.schema(), "{sql}");
    }
    let bytes = encode(&plan(&state, "SELECT id FROM sales.orders").await, name).unwrap();
    let long = vec![lit(1_i64); MAXIMUM_NODES];
    assert_eq!(filtered(&bytes, &col("id").in_list(long, false)), None, "a node would refuse it");
    assert_eq!(filtered(&[0xff; 64], &col("id").eq(lit(1_i64))), None);
}
