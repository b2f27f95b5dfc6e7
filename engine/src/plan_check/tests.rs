use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::execution::{SessionState, SessionStateDefaults};
use datafusion::functions::math;
use datafusion::functions::string;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    BinaryExpr, Explain, LogicalPlanBuilder, Operator, PlanType, ToStringifiedPlan, Union, exists, lit,
};
use datafusion::prelude::SessionConfig;
use datafusion::sql::parser::DFParser;

use super::*;

/// A session that offers everything, so that only the check can refuse.
fn open() -> SessionState {
    SessionStateBuilder::new()
        .with_default_features()
        .with_config(SessionConfig::new().with_information_schema(true))
        .with_table_functions(
            SessionStateDefaults::default_table_functions()
                .into_iter()
                .map(|function| (function.name().to_owned(), function))
                .collect(),
        )
        .build()
}

#[expect(clippy::disallowed_methods, reason = "tests of the engine plan their own text")]
async fn plan(sql: &str) -> LogicalPlan {
    let statement = DFParser::parse_sql(sql).unwrap().pop_front().unwrap();
    open().statement_to_plan(statement).await.unwrap_or_else(|error| panic!("{sql}: {error}"))
}

fn values() -> LogicalPlanBuilder {
    LogicalPlanBuilder::values(vec![vec![lit(1)]]).unwrap()
}

#[tokio::test]
async fn queries_pass() {
    for sql in [
        "SELECT 1",
        "VALUES (1), (2)",
        "WITH t(x) AS (VALUES (1), (2)) SELECT x, count(*), sum(x) FROM t GROUP BY x HAVING count(*) > 0",
        "SELECT DISTINCT x FROM (VALUES (1), (2)) t(x) ORDER BY x LIMIT 1 OFFSET 1",
        "SELECT x FROM (VALUES (1)) t(x) UNION ALL SELECT 2 EXCEPT SELECT 3",
        "SELECT t.x FROM (VALUES (1)) t(x) JOIN (VALUES (1)) u(x) ON t.x = u.x WHERE t.x IN (SELECT 1)",
        "SELECT row_number() OVER (ORDER BY x), sum(x) OVER () FROM (VALUES (1)) t(x)",
        "SELECT unnest([1, 2]), upper('a') || 'b', extract(year FROM now())",
        "WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT n FROM t",
        "SELECT x FROM (VALUES (1)) t(x) GROUP BY GROUPING SETS ((x), ())",
        "SELECT arrow_cast('x', 'Utf8View'), arrow_try_cast('x', 'Int8')",
    ] {
        assert_eq!(check(&plan(sql).await), Ok(()), "{sql}");
    }
}

#[tokio::test]
async fn a071_a072_everything_else_is_refused() {
    for sql in [
        "EXPLAIN SELECT 1",
        "EXPLAIN ANALYZE SELECT 1",
        "COPY (SELECT 1) TO '/tmp/x.csv' STORED AS CSV",
        "CREATE TABLE t AS SELECT 1",
        "CREATE VIEW v AS SELECT 1",
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
        "DROP TABLE IF EXISTS t",
        "SET datafusion.execution.batch_size = 1",
        "PREPARE p AS SELECT 1",
        "EXECUTE p",
        "DEALLOCATE p",
        "START TRANSACTION",
        "DESCRIBE information_schema.tables",
    ] {
        let error = check(&plan(sql).await).unwrap_err();
        assert!(matches!(error, PlanError::NotAQuery { .. }), "{sql}: {error}");
    }
}

#[tokio::test]
async fn a074_refused_functions_are_found_wherever_they_are() {
    for (sql, refused) in [
        ("SELECT random()", "random"),
        ("SELECT 1 WHERE random() > 1", "random"),
        ("SELECT x FROM (VALUES (1)) t(x) ORDER BY random()", "random"),
        ("SELECT sum(random()) FROM (VALUES (1)) t(x)", "random"),
        ("SELECT sum(x) OVER (ORDER BY random()) FROM (VALUES (1)) t(x)", "random"),
        ("SELECT 1 FROM (VALUES (1)) t(x) JOIN (VALUES (1)) u(y) ON x = y AND random() > 1", "random"),
        ("SELECT 1 WHERE EXISTS (SELECT random())", "random"),
        ("SELECT (SELECT max(x + random()) FROM (VALUES (1)) t(x))", "random"),
        ("SELECT 1 WHERE 1 IN (SELECT length(repeat('x', 5)))", "repeat"),
        ("VALUES (random())", "random"),
        ("SELECT CASE WHEN true THEN upper(repeat('x', 5)) END", "repeat"),
        ("SELECT cast_to_type('x', 1)", "cast_to_type"),
        ("SELECT version()", "version"),
        ("SELECT MAP {'a': 1}", "map"),
    ] {
        let error = check(&plan(sql).await).unwrap_err();
        assert_eq!(error, PlanError::Function { name: refused.into() }, "{sql}");
    }
}

#[tokio::test]
async fn casts_to_types_that_clients_cannot_read_are_refused() {
    for sql in [
        "SELECT arrow_cast([1], 'LargeList(Int64)')",
        "SELECT 1 WHERE arrow_try_cast('x', 'FixedSizeBinary(1000000000)') IS NULL",
        "SELECT arrow_cast(arrow_cast('x', 'Utf8View'), 'Dictionary(Int8, Dictionary(Int8, Utf8))')",
    ] {
        let refused = PlanError::Expression { what: "a cast to this type" };
        assert_eq!(check(&plan(sql).await), Err(refused), "{sql}");
    }
}

#[test]
fn functions_that_only_bear_an_allowed_name_of_another_kind_are_refused() {
    let call = |function, args| Expr::ScalarFunction(ScalarFunction::new_udf(function, args));
    let project = |expr| values().project(vec![expr]).unwrap().build().unwrap();
    assert_eq!(check(&project(call(string::upper(), vec![lit("a")]))), Ok(()));
    let refused = PlanError::Function { name: "random".into() };
    assert_eq!(check(&project(call(math::random(), vec![]))), Err(refused.clone()));
    let hidden = project(call(math::random(), vec![]));
    let plan = values().filter(exists(Arc::new(hidden))).unwrap().build().unwrap();
    assert_eq!(check(&plan), Err(refused));
}

#[test]
fn operators_and_variables_are_refused() {
    let project = |expr| values().project(vec![expr]).unwrap().build().unwrap();
    let arrow =
        Expr::BinaryExpr(BinaryExpr::new(Box::new(lit("{}")), Operator::BitwiseAnd, Box::new(lit(1))));
    assert_eq!(allowed(&arrow), Ok(()));
    let arrow = Expr::BinaryExpr(BinaryExpr::new(Box::new(lit("{}")), Operator::Arrow, Box::new(lit("a"))));
    assert_eq!(allowed(&arrow), Err(PlanError::Operator { name: "->".into() }));
    let field = Arc::new(arrow::datatypes::Field::new("x", DataType::Utf8, true));
    let variable = Expr::ScalarVariable(field, vec!["@x".into()]);
    assert_eq!(check(&project(variable)), Err(PlanError::Expression { what: "a variable" }));
}

#[test]
fn explain_is_refused() {
    let plan = values().build().unwrap();
    let text = plan.to_stringified(PlanType::InitialLogicalPlan);
    let explain = LogicalPlan::Explain(Explain {
        verbose: false,
        show_statistics: None,
        explain_format: datafusion::common::format::ExplainFormat::Indent,
        plan: Arc::new(plan),
        stringified_plans: vec![text],
        schema: Arc::new(DFSchema::empty()),
        logical_optimization_succeeded: false,
    });
    assert_eq!(check(&explain), Err(PlanError::NotAQuery { operator: "EXPLAIN" }));
}

#[test]
fn size_and_depth_are_bounded() {
    let deep = |levels: usize| {
        let plan = (1..levels).fold(values(), |plan, _| plan.limit(0, Some(1)).unwrap());
        plan.build().unwrap()
    };
    assert_eq!(check(&deep(MAXIMUM_DEPTH)), Ok(()));
    let too_deep = PlanError::TooMany { what: "levels", limit: MAXIMUM_DEPTH };
    assert_eq!(check(&deep(MAXIMUM_DEPTH + 1)), Err(too_deep));

    let mut wide = values();
    for _ in 0..13 {
        let half = wide.clone().build().unwrap();
        wide = wide.union(half).unwrap();
    }
    let too_many = PlanError::TooMany { what: "operators", limit: MAXIMUM_OPERATORS };
    assert_eq!(check(&wide.build().unwrap()), Err(too_many));

    let literals =
        |count: usize| LogicalPlanBuilder::values(vec![vec![lit(1)]; count]).unwrap().build().unwrap();
    assert_eq!(check(&literals(MAXIMUM_EXPRESSIONS)), Ok(()));
    let too_many = PlanError::TooMany { what: "expressions", limit: MAXIMUM_EXPRESSIONS };
    assert_eq!(check(&literals(MAXIMUM_EXPRESSIONS + 1)), Err(too_many));
}

/// So many operators.
fn union(operators: usize) -> LogicalPlan {
    let input = Arc::new(values().build().unwrap());
    let inputs = vec![input; operators - 1];
    LogicalPlan::Union(Union::try_new(inputs).unwrap())
}

#[test]
fn operators_are_counted_with_those_of_subqueries() {
    let too_many = || Err(PlanError::TooMany { what: "operators", limit: MAXIMUM_OPERATORS });
    assert_eq!(check(&union(MAXIMUM_OPERATORS)), Ok(()));
    assert_eq!(check(&union(MAXIMUM_OPERATORS + 1)), too_many());
    // Beside them the filter, its input and the subquery itself.
    let hidden = |operators: usize| {
        let subquery = Arc::new(union(operators - 3));
        check(&values().filter(exists(subquery)).unwrap().build().unwrap())
    };
    assert_eq!(hidden(MAXIMUM_OPERATORS), Ok(()));
    assert_eq!(hidden(MAXIMUM_OPERATORS + 1), too_many());
}

/// Who looks how deep a plan is holds a whole level of it: it must stop at a wide one.
#[test]
fn a_wide_plan_is_not_walked_to_its_ground() {
    let deep = (0..MAXIMUM_DEPTH).fold(values(), |plan, _| plan.limit(0, Some(1)).unwrap());
    let deep = Arc::new(deep.build().unwrap());
    let over = |beside: usize| {
        let input = Arc::new(values().build().unwrap());
        let mut inputs = vec![input; beside];
        inputs.push(Arc::clone(&deep));
        check(&LogicalPlan::Union(Union::try_new(inputs).unwrap()))
    };
    assert_eq!(over(1), Err(PlanError::TooMany { what: "levels", limit: MAXIMUM_DEPTH }));
    assert_eq!(
        over(MAXIMUM_OPERATORS),
        Err(PlanError::TooMany { what: "operators", limit: MAXIMUM_OPERATORS })
    );
}

/// It has no name in SQL, and an aggregate of its name is not it.
#[test]
fn the_planners_function_passes() {
    let call = |function| Expr::ScalarFunction(ScalarFunction::new_udf(function, vec![lit(1)]));
    let plan = values().project(vec![call(scalar_or_null::function())]).unwrap().build().unwrap();
    assert_eq!(check(&plan), Ok(()));
    assert_eq!(function(Kind::Scalar, scalar_or_null::NAME), Ok(()));
    for kind in [Kind::Aggregate, Kind::Window, Kind::HigherOrder] {
        assert!(function(kind, scalar_or_null::NAME).is_err(), "{kind:?}");
    }
}
