use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::{
    common::Column,
    datasource::{empty::EmptyTable, provider_as_source},
    logical_expr::{Expr, LogicalPlanBuilder, col, lit},
};

use super::*;

fn table(name: &str) -> LogicalPlanBuilder {
    let columns = ["x", "y"].map(|column| Field::new(column, DataType::Int64, true));
    let source = provider_as_source(Arc::new(EmptyTable::new(Arc::new(Schema::new(columns.to_vec())))));
    LogicalPlanBuilder::scan(name, source, None).unwrap()
}

fn shown(plan: LogicalPlanBuilder) -> String {
    ordered(plan.build().unwrap()).unwrap().display_indent().to_string()
}

fn crossed(tables: &[&str]) -> LogicalPlanBuilder {
    let mut tables = tables.iter().map(|name| table(name));
    let first = tables.next().unwrap();
    tables.fold(first, |plan, table| plan.cross_join(table.build().unwrap()).unwrap())
}

#[test]
fn conditions_become_joins_in_a_chain() {
    let plan = crossed(&["a", "b", "c"])
        .filter(col("a.x").eq(col("c.x")).and(col("c.y").eq(col("b.y"))).and(col("b.x").gt(lit(1_i64))))
        .unwrap();
    // `b` has a condition of its own, so that fewer of its rows are expected.
    assert_eq!(
        shown(plan),
        "Filter: b.x > Int64(1)\
         \n  Inner Join: a.x = c.x\
         \n    TableScan: a\
         \n    Inner Join: b.y = c.y\
         \n      TableScan: b\
         \n      TableScan: c"
    );
}

#[test]
fn what_nothing_connects_comes_last() {
    let plan = crossed(&["a", "b", "c"]).filter(col("a.x").eq(col("c.x"))).unwrap();
    assert_eq!(
        shown(plan),
        "Projection: a.x, a.y, b.x, b.y, c.x, c.y\
         \n  Cross Join:\
         \n    TableScan: b\
         \n    Inner Join: a.x = c.x\
         \n      TableScan: a\
         \n      TableScan: c"
    );
}

#[test]
fn what_follows_is_not_compared_again() {
    let plan = crossed(&["a", "b", "c"])
        .filter(col("a.x").eq(col("b.x")).and(col("b.x").eq(col("c.x"))).and(col("a.x").eq(col("c.x"))))
        .unwrap();
    let text = shown(plan);
    assert_eq!(text.matches('=').count(), 2, "{text}");
    assert!(!text.contains("Filter"), "{text}");
}

/// No key is lost: one that spans tables which are not yet together is a condition above.
#[test]
fn a_key_over_several_tables_stays() {
    let both = table("a").cross_join(table("b").build().unwrap()).unwrap();
    let keys = (vec![col("a.x") + col("b.x")], vec![col("c.x")]);
    let plan = both
        .join_with_expr_keys(table("c").build().unwrap(), JoinType::Inner, keys, None)
        .unwrap()
        .filter(col("a.y").eq(col("c.y")))
        .unwrap();
    let text = shown(plan);
    assert!(text.contains("Inner Join: a.y = c.y"), "{text}");
    assert!(text.starts_with("Filter: a.x + b.x = c.x"), "{text}");
}

/// Only in every branch is it a key, and the condition is still looked at.
#[test]
fn a_key_of_every_branch_is_a_key() {
    let key = col("a.x").eq(col("b.x"));
    let branches =
        |other: Expr| key.clone().and(col("a.y").eq(lit(1_i64))).or(other.and(col("b.y").eq(lit(2_i64))));
    let text = shown(crossed(&["a", "b"]).filter(branches(col("b.x").eq(col("a.x")))).unwrap());
    assert!(text.contains("Inner Join: a.x = b.x") && text.starts_with("Filter: "), "{text}");
    let text = shown(crossed(&["a", "b"]).filter(branches(col("a.x").gt(col("b.x")))).unwrap());
    assert!(text.contains("Cross Join") && text.starts_with("Filter: "), "{text}");
}

/// Joins of other kinds are not touched, nor moved into.
#[test]
fn only_plain_inner_joins_are_free() {
    let on = || (vec![Column::from_qualified_name("a.x")], vec![Column::from_qualified_name("b.x")]);
    for (kind, equality) in
        [(JoinType::Left, NullEquality::NullEqualsNothing), (JoinType::Inner, NullEquality::NullEqualsNull)]
    {
        let joined = table("a")
            .join_detailed(table("b").build().unwrap(), kind, on(), None, equality)
            .unwrap()
            .cross_join(table("c").build().unwrap())
            .unwrap()
            .filter(col("b.y").eq(col("c.y")))
            .unwrap()
            .build()
            .unwrap();
        let joins = joined.display_indent().to_string();
        let kept = joins.lines().find(|line| line.contains("a.x = b.x")).unwrap().trim();
        let text = shown(LogicalPlanBuilder::from(joined));
        assert!(text.contains(kept), "{text}");
        assert!(text.contains("Inner Join: b.y = c.y") || text.contains("Inner Join: c.y = b.y"), "{text}");
    }
}

/// `a` and `b` by `y`, of which those rows stay that find one in `c` by `keys`, which are of `a` and `b`.
fn in_c(kind: JoinType, keys: &[&str]) -> String {
    let of_c = ["c.x", "c.y"].map(Column::from_qualified_name);
    let of_both = keys.iter().map(|key| Column::from_qualified_name(*key)).collect::<Vec<_>>();
    let on = (of_both, of_c[..keys.len()].to_vec());
    let plan = crossed(&["a", "b"])
        .join(table("c").build().unwrap(), kind, on, None)
        .unwrap()
        .filter(col("a.y").eq(col("b.y")))
        .unwrap();
    shown(plan)
}

#[test]
fn semi_and_anti_joins_come_before_joins_across_domains() {
    for (kind, name) in [(JoinType::LeftSemi, "LeftSemi"), (JoinType::LeftAnti, "LeftAnti")] {
        let expected = format!(
            "Inner Join: b.y = a.y\
             \n  {name} Join: b.x = c.x\
             \n    TableScan: b\
             \n    TableScan: c\
             \n  TableScan: a"
        );
        let text = in_c(kind, &["b.x"]);
        assert!(text.ends_with(&expected.replace('\n', "\n  ")), "{text}");
        assert!(text.starts_with("Projection: a.x, a.y, b.x, b.y"), "{text}");
    }
}

#[test]
fn a_semi_join_that_looks_at_both_sides_comes_after_their_join() {
    let text = in_c(JoinType::LeftSemi, &["a.x", "b.x"]);
    let expected = "LeftSemi Join: a.x = c.x, b.x = c.y\
         \n  Inner Join: a.y = b.y\
         \n    TableScan: a\
         \n    TableScan: b\
         \n  TableScan: c";
    assert_eq!(text, expected);
}

/// Columns that equal one value join nothing: tables that only such conditions bring together come last.
#[test]
fn a_value_is_no_key() {
    let plan = crossed(&["a", "b", "c"])
        .filter(
            col("a.x")
                .eq(lit(1_i64))
                .and(col("b.x").eq(lit(1_i64)))
                .and(col("a.y").eq(col("c.y")))
                .and(col("b.y").eq(col("c.x"))),
        )
        .unwrap();
    let text = shown(plan);
    assert!(!text.contains("a.x = b.x"), "{text}");
    assert!(text.contains("Inner Join: a.y = c.y") && text.contains("Inner Join: b.y = c.x"), "{text}");
}
