use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::{Column, ScalarValue};
use datafusion::logical_expr::expr::{Between, Cast, InList};
use datafusion::logical_expr::{Expr, Operator, binary_expr, lit};
use datafusion::prelude::col;
use meshgate_proto::v1;

use super::*;

/// One column for each scalar type, with values at the edges.
fn samples() -> Vec<(&'static str, Vec<ScalarValue>)> {
    let zone: Option<Arc<str>> = Some("Europe/Berlin".into());
    let digits = 10_i128.pow(38) - 1;
    vec![
        ("boolean", vec![ScalarValue::Boolean(Some(true)), ScalarValue::Boolean(Some(false))]),
        ("int8", vec![ScalarValue::Int8(Some(i8::MIN)), ScalarValue::Int8(Some(i8::MAX))]),
        ("int16", vec![ScalarValue::Int16(Some(i16::MIN)), ScalarValue::Int16(Some(i16::MAX))]),
        ("int32", vec![ScalarValue::Int32(Some(i32::MIN)), ScalarValue::Int32(Some(i32::MAX))]),
        ("int64", vec![ScalarValue::Int64(Some(i64::MIN)), ScalarValue::Int64(Some(i64::MAX))]),
        ("uint8", vec![ScalarValue::UInt8(Some(0)), ScalarValue::UInt8(Some(u8::MAX))]),
        ("uint16", vec![ScalarValue::UInt16(Some(0)), ScalarValue::UInt16(Some(u16::MAX))]),
        ("uint32", vec![ScalarValue::UInt32(Some(0)), ScalarValue::UInt32(Some(u32::MAX))]),
        ("uint64", vec![ScalarValue::UInt64(Some(0)), ScalarValue::UInt64(Some(u64::MAX))]),
        ("float32", vec![ScalarValue::Float32(Some(0.1)), ScalarValue::Float32(Some(f32::NEG_INFINITY))]),
        ("float64", vec![ScalarValue::Float64(Some(0.1)), ScalarValue::Float64(Some(f64::MAX))]),
        (
            "decimal",
            vec![
                ScalarValue::Decimal128(Some(digits), 38, 10),
                ScalarValue::Decimal128(Some(-digits), 38, 10),
            ],
        ),
        ("small_decimal", vec![ScalarValue::Decimal128(Some(-1), 3, 2)]),
        ("text", vec![ScalarValue::from(""), ScalarValue::from("naïve 東京 🙂")]),
        ("binary", vec![ScalarValue::Binary(Some(vec![])), ScalarValue::Binary(Some(vec![0, 255]))]),
        ("date", vec![ScalarValue::Date32(Some(i32::MIN)), ScalarValue::Date32(Some(i32::MAX))]),
        ("time", vec![ScalarValue::Time64Microsecond(Some(0))]),
        ("second", vec![ScalarValue::TimestampSecond(Some(i64::MIN), None)]),
        ("millisecond", vec![ScalarValue::TimestampMillisecond(Some(1), zone.clone())]),
        ("microsecond", vec![ScalarValue::TimestampMicrosecond(Some(-1), zone)]),
        ("nanosecond", vec![ScalarValue::TimestampNanosecond(Some(i64::MAX), Some("+00:00".into()))]),
    ]
}

fn schema() -> Schema {
    let mut fields: Vec<_> =
        samples().into_iter().map(|(name, values)| Field::new(name, values[0].data_type(), true)).collect();
    fields.push(Field::new("view", DataType::Utf8View, true));
    let element = Field::new("item", DataType::Int64, true);
    fields.push(Field::new("list", DataType::List(Arc::new(element.clone())), true));
    fields.push(Field::new("struct", DataType::Struct(vec![element].into()), true));
    Schema::new(fields)
}

fn literal(value: &ScalarValue) -> Expr {
    Expr::Literal(value.clone(), None)
}

fn leak_proof(expr: &Expr) -> bool {
    is_leak_proof(expr, &schema(), &|_| true)
}

fn round_trip(expr: &Expr) -> Expr {
    assert!(leak_proof(expr), "{expr}");
    let message = to_message(expr, &schema()).unwrap();
    let back = from_message(&message, &schema()).unwrap();
    assert!(leak_proof(&back), "{back}");
    back
}

#[test]
fn every_type_and_operator_comes_back() {
    for (name, values) in samples() {
        for value in &values {
            for operator in
                [Operator::Eq, Operator::NotEq, Operator::Lt, Operator::LtEq, Operator::Gt, Operator::GtEq]
            {
                let expr = binary_expr(col(name), operator, literal(value));
                assert_eq!(round_trip(&expr), expr);
            }
        }
        let list: Vec<_> = values.iter().map(literal).collect();
        for negated in [false, true] {
            let expr = Expr::InList(InList::new(Box::new(col(name)), list.clone(), negated));
            assert_eq!(round_trip(&expr), expr);
        }
        for expr in [col(name).is_null(), col(name).is_not_null()] {
            assert_eq!(round_trip(&expr), expr);
        }
    }
}

#[test]
fn combinations_come_back_with_the_same_meaning() {
    let (a, b, c) = (col("int64").gt(lit(1_i64)), col("text").eq(lit("x")), col("date").is_null());
    let expr = a.and(b).or(Expr::Not(Box::new(c)));
    assert_eq!(round_trip(&expr), expr);
    let range = |negated| {
        Expr::Between(Between::new(
            Box::new(col("int64")),
            negated,
            Box::new(lit(1_i64)),
            Box::new(lit(5_i64)),
        ))
    };
    let bounds = col("int64").gt_eq(lit(1_i64)).and(col("int64").lt_eq(lit(5_i64)));
    assert_eq!(round_trip(&range(false)), bounds);
    assert_eq!(round_trip(&range(true)), Expr::Not(Box::new(bounds)));
    let swapped = binary_expr(lit(5_i64), Operator::Lt, col("int64"));
    assert_eq!(round_trip(&swapped), col("int64").gt(lit(5_i64)));
    assert_eq!(round_trip(&col("boolean")), col("boolean").eq(lit(true)));
}

#[test]
fn qualified_columns_are_the_same_columns() {
    let expr = Expr::Column(Column::new(Some("orders"), "int64")).eq(lit(1_i64));
    assert_eq!(round_trip(&expr), col("int64").eq(lit(1_i64)));
}

#[test]
fn everything_else_is_refused() {
    let cast = Expr::Cast(Cast::new(Box::new(col("text")), DataType::Int64));
    let null = Expr::Literal(ScalarValue::Int64(None), None);
    for expr in [
        cast.eq(lit(1_i64)),
        col("int64").eq(lit(1_i32)),
        col("int64").eq(null.clone()),
        Expr::InList(InList::new(Box::new(col("int64")), vec![lit(1_i64), null], false)),
        Expr::InList(InList::new(Box::new(col("int64")), vec![], false)),
        Expr::InList(InList::new(Box::new(col("int64")), vec![col("int64")], false)),
        col("int64").eq(col("int64")),
        lit(1_i64).eq(lit(1_i64)),
        (col("int64") / lit(0_i64)).gt(lit(1_i64)),
        col("int64").gt(lit(1_i64)).and((col("int64") / lit(0_i64)).gt(lit(1_i64))),
        col("absent").is_null(),
        col("list").is_null(),
        col("struct").is_not_null(),
        col("view").eq(Expr::Literal(ScalarValue::Utf8View(Some("x".into())), None)),
        col("int64"),
        lit(true),
        col("text").like(lit("x%")),
        binary_expr(col("int64"), Operator::IsDistinctFrom, lit(1_i64)),
        Expr::IsTrue(Box::new(col("boolean"))),
        binary_expr(
            col("second"),
            Operator::Eq,
            lit(ScalarValue::TimestampSecond(Some(1), Some("UTC".into()))),
        ),
    ] {
        assert!(!leak_proof(&expr), "{expr}");
        assert_eq!(to_message(&expr, &schema()), None, "{expr}");
    }
}

#[test]
fn columns_that_are_not_plain_are_refused() {
    let plain = |name: &str| name != "text";
    let allowed = col("int64").eq(lit(1_i64));
    let masked = col("text").eq(lit("x"));
    assert!(is_leak_proof(&allowed, &schema(), &plain));
    for expr in [
        masked.clone(),
        allowed.and(masked.clone()),
        Expr::Not(Box::new(masked)),
        col("text").is_null(),
        Expr::InList(InList::new(Box::new(col("text")), vec![lit("x")], false)),
        Expr::Between(Between::new(Box::new(col("text")), false, Box::new(lit("a")), Box::new(lit("b")))),
    ] {
        assert!(!is_leak_proof(&expr, &schema(), &plain), "{expr}");
    }
}

#[test]
fn depth_and_size_are_bounded_both_ways() {
    let leaf = col("int64").eq(lit(1_i64));
    let nested = |depth: usize| (1..depth).fold(leaf.clone(), |inner, _| Expr::Not(Box::new(inner)));
    assert!(leak_proof(&nested(MAXIMUM_DEPTH)));
    assert!(!leak_proof(&nested(MAXIMUM_DEPTH + 1)));

    let mut message = to_message(&nested(MAXIMUM_DEPTH), &schema()).unwrap();
    assert!(from_message(&message, &schema()).is_ok());
    message = v1::Predicate { kind: Some(v1::predicate::Kind::Not(Box::new(message))) };
    assert_eq!(from_message(&message, &schema()), Err(PredicateError::TooDeep));

    let chain = |terms: usize| crate::junction::balanced(Operator::Or, vec![leaf.clone(); terms]).unwrap();
    assert_eq!(round_trip(&chain(4_000)), chain(4_000));
    assert!(!leak_proof(&chain(MAXIMUM_NODES)));
    let leaf_message = to_message(&leaf, &schema()).unwrap();
    let any = v1::Predicates { predicates: vec![leaf_message; MAXIMUM_NODES] };
    let message = v1::Predicate { kind: Some(v1::predicate::Kind::Any(any)) };
    assert_eq!(from_message(&message, &schema()), Err(PredicateError::TooLarge));
}

#[test]
fn chains_written_by_hand_may_be_long() {
    let mut expr = col("int64").eq(lit(0_i64));
    for value in 1..1_000_i64 {
        expr = expr.or(col("int64").eq(lit(value)));
    }
    round_trip(&expr);
}

fn comparison(column: &str, operator: i32, value: Option<v1::literal::Value>) -> v1::Predicate {
    let literal = Some(v1::Literal { value });
    let comparison = v1::Comparison { column: column.into(), operator, literal };
    v1::Predicate { kind: Some(v1::predicate::Kind::Comparison(comparison)) }
}

#[test]
fn forged_messages_are_refused() {
    use v1::literal::Value;
    let equal = v1::ComparisonOperator::Equal as i32;
    let refused = |message: &v1::Predicate| from_message(message, &schema()).unwrap_err();
    assert_eq!(refused(&v1::Predicate { kind: None }), PredicateError::UnknownKind);
    assert_eq!(refused(&comparison("int64", 0, Some(Value::Integer(1)))), PredicateError::UnknownKind);
    assert_eq!(refused(&comparison("int64", 99, Some(Value::Integer(1)))), PredicateError::UnknownKind);
    assert_eq!(refused(&comparison("absent", equal, Some(Value::Integer(1)))), PredicateError::Column);
    assert_eq!(refused(&comparison("list", equal, Some(Value::Integer(1)))), PredicateError::Column);
    for (column, value) in [
        ("int64", None),
        ("int64", Some(Value::Text("1".into()))),
        ("int64", Some(Value::Unsigned(1))),
        ("int8", Some(Value::Integer(128))),
        ("uint8", Some(Value::Unsigned(256))),
        ("uint64", Some(Value::Integer(1))),
        ("float32", Some(Value::Float(0.1))),
        ("decimal", Some(Value::Decimal(vec![]))),
        ("decimal", Some(Value::Decimal(vec![0; 17]))),
        ("small_decimal", Some(Value::Decimal(1_000_i128.to_be_bytes().to_vec()))),
        ("text", Some(Value::Binary(vec![]))),
        ("date", Some(Value::Time(1))),
        ("second", Some(Value::Date(1))),
    ] {
        assert_eq!(refused(&comparison(column, equal, value)), PredicateError::Literal, "{column}");
    }
    let empty = v1::InList { column: "int64".into(), literals: vec![], negated: false };
    let message = v1::Predicate { kind: Some(v1::predicate::Kind::InList(empty)) };
    assert_eq!(refused(&message), PredicateError::UnknownKind);
}

#[test]
fn short_decimals_are_extended_by_their_sign() {
    let equal = v1::ComparisonOperator::Equal as i32;
    let message = comparison("small_decimal", equal, Some(v1::literal::Value::Decimal(vec![0xff])));
    let minus_one = ScalarValue::Decimal128(Some(-1), 3, 2);
    assert_eq!(from_message(&message, &schema()), Ok(col("small_decimal").eq(lit(minus_one))));
}

#[test]
fn an_empty_conjunction_holds_and_an_empty_disjunction_does_not() {
    let empty = v1::Predicates { predicates: vec![] };
    let all = v1::Predicate { kind: Some(v1::predicate::Kind::All(empty.clone())) };
    let any = v1::Predicate { kind: Some(v1::predicate::Kind::Any(empty)) };
    assert_eq!(from_message(&all, &schema()), Ok(lit(true)));
    assert_eq!(from_message(&any, &schema()), Ok(lit(false)));
}
