//! Which physical predicates may see rows and cells that nobody may see.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::{
    logical_expr::Operator,
    physical_expr::{
        PhysicalExpr,
        expressions::{
            BinaryExpr, Column, DynamicFilterPhysicalExpr, InListExpr, IsNotNullExpr, IsNullExpr, NotExpr,
            lit, try_cast,
        },
    },
    scalar::ScalarValue,
};

use crate::secured::harmless::is_harmless;

type Expr = Arc<dyn PhysicalExpr>;

fn schema() -> Schema {
    Schema::new(vec![
        Field::new("plain", DataType::Int64, true),
        Field::new("masked", DataType::Int64, true),
        Field::new("flag", DataType::Boolean, true),
        Field::new_list("list", Field::new_list_field(DataType::Int64, true), true),
    ])
}

fn column(name: &str) -> Expr {
    Arc::new(Column::new_with_schema(name, &schema()).unwrap())
}

fn binary(left: Expr, operator: Operator, right: Expr) -> Expr {
    Arc::new(BinaryExpr::new(left, operator, right))
}

fn plain_is(value: i64) -> Expr {
    binary(column("plain"), Operator::Eq, lit(value))
}

fn masked_is(value: i64) -> Expr {
    binary(column("masked"), Operator::Eq, lit(value))
}

/// `masked` is the only column that is not plain.
fn passes(predicate: &Expr) -> bool {
    let schema = schema();
    is_harmless(predicate, &|expr, data_type| {
        expr.downcast_ref::<Column>().is_some_and(|column| {
            column.name() != "masked"
                && data_type.is_none_or(|expected| schema.field(column.index()).data_type() == expected)
        })
    })
}

#[test]
fn comparisons_of_plain_columns_with_literals_pass() {
    use Operator::{Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq};
    for operator in [Eq, NotEq, Lt, LtEq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom] {
        assert!(passes(&binary(column("plain"), operator, lit(1_i64))), "{operator}");
        assert!(passes(&binary(lit(1_i64), operator, column("plain"))), "{operator}");
        assert!(!passes(&binary(column("masked"), operator, lit(1_i64))), "{operator}");
        assert!(!passes(&binary(lit(1_i64), operator, column("masked"))), "{operator}");
        assert!(!passes(&binary(column("plain"), operator, column("plain"))), "{operator}");
        assert!(!passes(&binary(column("plain"), operator, lit(1_i32))), "{operator}");
    }
}

#[test]
fn what_can_fail_or_is_not_known_stays_above() {
    let sum = binary(column("plain"), Operator::Plus, lit(1_i64));
    let cast = try_cast(column("plain"), &schema(), DataType::Int32).unwrap();
    let list =
        ScalarValue::List(ScalarValue::new_list_nullable(&[ScalarValue::Int64(Some(1))], &DataType::Int64));
    for predicate in [
        binary(sum, Operator::Eq, lit(1_i64)),
        binary(cast, Operator::Eq, lit(1_i32)),
        binary(column("plain"), Operator::Eq, lit(list.clone())),
        binary(column("list"), Operator::Eq, lit(list)),
        binary(column("plain"), Operator::BitwiseAnd, lit(1_i64)),
        binary(column("plain"), Operator::LikeMatch, lit(1_i64)),
        column("plain"),
        lit(1_i64),
    ] {
        assert!(!passes(&predicate), "{predicate}");
    }
    assert!(passes(&lit(true)) && passes(&lit(ScalarValue::Boolean(None))) && passes(&column("flag")));
}

#[test]
fn chains_pass_if_all_of_their_terms_do() {
    for operator in [Operator::And, Operator::Or] {
        let other = if operator == Operator::And { Operator::Or } else { Operator::And };
        let mixed = binary(plain_is(1), operator, binary(plain_is(2), other, plain_is(3)));
        assert!(passes(&mixed), "{mixed}");
        for spoiled in [
            binary(plain_is(1), operator, masked_is(2)),
            binary(masked_is(1), operator, plain_is(2)),
            binary(plain_is(1), operator, binary(plain_is(2), other, masked_is(3))),
            binary(plain_is(1), operator, binary(plain_is(2), operator, masked_is(3))),
        ] {
            assert!(!passes(&spoiled), "{spoiled}");
        }
    }
}

#[test]
fn negations_null_tests_and_lists_pass_for_plain_columns() {
    let not = |inner| -> Expr { Arc::new(NotExpr::new(inner)) };
    let is_null = |name| -> Expr { Arc::new(IsNullExpr::new(column(name))) };
    let is_not_null = |name| -> Expr { Arc::new(IsNotNullExpr::new(column(name))) };
    let in_list =
        |name, list| -> Expr { Arc::new(InListExpr::try_new(column(name), list, false, &schema()).unwrap()) };
    let dynamic = |names: &[&str]| -> Expr {
        let children = names.iter().map(|name| column(name)).collect();
        Arc::new(DynamicFilterPhysicalExpr::new(children, lit(true)))
    };
    let values = || vec![lit(1_i64), lit(2_i64)];
    for predicate in [
        not(plain_is(1)),
        is_null("plain"),
        is_not_null("plain"),
        in_list("plain", values()),
        dynamic(&["plain"]),
        dynamic(&["plain", "flag"]),
    ] {
        assert!(passes(&predicate), "{predicate}");
    }
    for predicate in [
        not(masked_is(1)),
        is_null("masked"),
        is_not_null("masked"),
        in_list("masked", values()),
        in_list("plain", vec![lit(1_i64), column("plain")]),
        dynamic(&[]),
        dynamic(&["masked"]),
        dynamic(&["plain", "masked"]),
    ] {
        assert!(!passes(&predicate), "{predicate}");
    }
}

#[test]
fn nesting_is_looked_into_up_to_a_bound() {
    let nested = |depth: usize| (0..depth).fold(plain_is(1), |inner, _| Arc::new(NotExpr::new(inner)));
    assert!(passes(&nested(63)));
    assert!(!passes(&nested(64)));
}
