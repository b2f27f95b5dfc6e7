use std::sync::Arc;

use datafusion::{
    arrow::datatypes::{DataType, Field, Schema},
    datasource::{empty::EmptyTable, provider_as_source},
    functions_aggregate::expr_fn::{avg, count, count_distinct, max, sum},
    logical_expr::{ExprFunctionExt, LogicalPlanBuilder, col, lit},
};

use super::{partial::TwoSteps, *};

fn table(name: &str) -> LogicalPlanBuilder {
    let columns = vec![
        Field::new("x", DataType::Int64, true),
        Field::new("f", DataType::Float64, true),
        Field::new("d", DataType::Decimal128(12, 2), true),
    ];
    let source = provider_as_source(Arc::new(EmptyTable::new(Arc::new(Schema::new(columns)))));
    LogicalPlanBuilder::scan(name, source, None).unwrap()
}

fn aggregate(plan: LogicalPlanBuilder, groups: Vec<Expr>, aggregates: Vec<Expr>) -> Aggregate {
    match plan.aggregate(groups, aggregates).unwrap().build().unwrap() {
        LogicalPlan::Aggregate(aggregate) => aggregate,
        other => panic!("{other}"),
    }
}

#[test]
fn a_union_is_grouped_in_its_parts_and_gives_the_same_columns() {
    let both = table("a").union(table("b").build().unwrap()).unwrap().alias("u").unwrap();
    let whole = aggregate(both, vec![col("u.x")], vec![sum(col("u.d")), count(lit(1_i64)), max(col("u.x"))]);
    let LogicalPlan::SubqueryAlias(alias) = whole.input.as_ref() else { panic!("{}", whole.input) };
    let LogicalPlan::Union(union) = alias.input.as_ref() else { panic!("{}", alias.input) };
    let aggregates = TwoSteps::of(&whole).unwrap().unwrap();
    let split = below_union::split(&whole, union, &whole.input.schema().columns(), &aggregates).unwrap();
    assert!(split.schema().logically_equivalent_names_and_types(&whole.schema), "{}", split.schema());
    let text = split.display_indent().to_string();
    assert_eq!(text.matches("Aggregate").count(), 3, "{text}");
    let (above, below) = text.split_once("Union").unwrap();
    assert_eq!((above.matches("Aggregate").count(), below.matches("Aggregate").count()), (1, 2), "{text}");
}

#[test]
fn only_what_is_exact_in_two_steps_is_computed_so() {
    let of = |expression: Expr| {
        let aggregate = aggregate(table("a"), vec![col("x")], vec![expression]);
        TwoSteps::of(&aggregate).unwrap().is_some()
    };
    for exact in [sum(col("x")), sum(col("d")), count(col("f")), count(lit(1_i64)), max(col("d"))] {
        assert!(of(exact.clone()), "{exact}");
    }
    let filtered = sum(col("x")).filter(col("x").gt(lit(1_i64))).build().unwrap();
    for other in [sum(col("f")), max(col("f")), avg(col("x")), count_distinct(col("x")), filtered] {
        assert!(!of(other.clone()), "{other}");
    }
}

#[test]
fn what_is_grouped_already_is_not_grouped_again() {
    let grouped = table("a").aggregate(vec![col("x")], vec![count(lit(1_i64))]).unwrap();
    assert!(is_grouped(&grouped.alias("g").unwrap().build().unwrap()));
    assert!(!is_grouped(&table("a").alias("g").unwrap().build().unwrap()));
}
