use arrow::{
    array::{ArrayRef, Int64Array},
    datatypes::{Field, Schema},
};
use datafusion::physical_expr::expressions::{
    DynamicFilterPhysicalExpr, IsNullExpr, NotExpr, binary, in_list, lit,
};

use super::*;

type Expression = Arc<dyn PhysicalExpr>;

fn schema() -> Schema {
    Schema::new(vec![
        Field::new("k", DataType::Int64, true),
        Field::new("other", DataType::Int64, true),
        Field::new("day", DataType::Date32, true),
    ])
}

fn key() -> Column {
    Column::new("k", 0)
}

fn compare(column: &Column, operator: Operator, value: impl datafusion::logical_expr::Literal) -> Expression {
    let value = match value.lit() {
        datafusion::logical_expr::Expr::Literal(value, _) => value,
        other => panic!("{other}"),
    };
    Arc::new(BinaryExpr::new(Arc::new(column.clone()), operator, lit(value)))
}

fn both(left: Expression, operator: Operator, right: Expression) -> Expression {
    binary(left, operator, right, &schema()).unwrap()
}

fn between(column: &Column, least: i64, greatest: i64) -> Expression {
    let least = compare(column, Operator::GtEq, least);
    both(least, Operator::And, compare(column, Operator::LtEq, greatest))
}

fn listed(column: &Column, values: Vec<Option<i64>>, negated: bool) -> Expression {
    let array: ArrayRef = Arc::new(Int64Array::from(values));
    Arc::new(InListExpr::try_new_from_array(Arc::new(column.clone()), array, negated, &schema()).unwrap())
}

fn known(expression: &Expression) -> KnownKeys {
    KnownKeys::of(expression, &key(), &DataType::Int64)
}

fn keys(least: Option<i64>, greatest: Option<i64>, values: Option<&[i64]>) -> KnownKeys {
    let value = |value: i64| ScalarValue::Int64(Some(value));
    KnownKeys {
        least: least.map(value),
        greatest: greatest.map(value),
        values: values.map(|values| values.iter().copied().map(value).collect()),
    }
}

#[test]
fn bounds_and_lists_are_read_as_a_join_tells_them() {
    let list = listed(&key(), vec![Some(3), None, Some(7), Some(3)], false);
    assert_eq!(known(&between(&key(), 3, 7)), keys(Some(3), Some(7), None));
    assert_eq!(known(&list), keys(None, None, Some(&[3, 7])));
    let all = both(between(&key(), 3, 7), Operator::And, list);
    assert_eq!(known(&all), keys(Some(3), Some(7), Some(&[3, 7])));
    // Written one by one, too.
    let column: Expression = Arc::new(key());
    let list = in_list(column, vec![lit(1_i64), lit(2_i64)], &false, &schema()).unwrap();
    assert_eq!(known(&list), keys(None, None, Some(&[1, 2])));
}

#[test]
fn of_several_branches_all_are_let_through() {
    let branch = |least, greatest, values: &[i64]| {
        let values = values.iter().copied().map(Some).collect();
        both(between(&key(), least, greatest), Operator::And, listed(&key(), values, false))
    };
    let route: Expression = compare(&Column::new("other", 1), Operator::GtEq, 0_i64);
    let case = |branches: Vec<Expression>, otherwise: Option<Expression>| -> Expression {
        let branches = branches.into_iter().map(|branch| (Arc::clone(&route), branch)).collect();
        Arc::new(CaseExpr::try_new(None, branches, otherwise).unwrap())
    };
    let two = || vec![branch(5, 9, &[5, 9]), branch(1, 6, &[1, 6, 5])];
    let expected = keys(Some(1), Some(9), Some(&[5, 9, 1, 6]));
    assert_eq!(known(&case(two(), Some(lit(false)))), expected);
    assert_eq!(known(&case(two(), None)), expected);
    assert_eq!(known(&both(two().remove(0), Operator::Or, two().remove(1))), expected);
    // One that is not known may be anything.
    assert_eq!(known(&case(two(), Some(lit(true)))), KnownKeys::default());
    let mut unknown = two();
    unknown.push(listed(&Column::new("other", 1), vec![Some(1)], false));
    assert_eq!(known(&case(unknown, Some(lit(false)))), KnownKeys::default());
    // A list in one of them only is no list of all.
    let half = case(vec![branch(5, 9, &[5]), between(&key(), 1, 2)], Some(lit(false)));
    assert_eq!(known(&half), keys(Some(1), Some(9), None));
    // No row fits.
    assert_eq!(known(&case(vec![lit(false)], Some(lit(false)))), KnownKeys::nothing());
}

#[test]
fn whatever_else_stands_there_counts_as_true() {
    let other = Column::new("other", 1);
    for expression in [
        lit(true),
        lit(ScalarValue::Boolean(None)),
        between(&other, 1, 2),
        listed(&other, vec![Some(1)], false),
        listed(&key(), vec![Some(1)], true),
        compare(&key(), Operator::Gt, 1_i64),
        compare(&key(), Operator::NotEq, 1_i64),
        compare(&key(), Operator::GtEq, 1_i32),
        compare(&Column::new("k", 1), Operator::GtEq, 1_i64),
        Arc::new(NotExpr::new(between(&key(), 1, 2))),
        Arc::new(IsNullExpr::new(Arc::new(key()))),
        both(Arc::new(IsNullExpr::new(Arc::new(key()))), Operator::Or, between(&key(), 1, 2)),
        Arc::new(DynamicFilterPhysicalExpr::new(vec![Arc::new(key())], between(&key(), 1, 2))),
    ] {
        assert_eq!(known(&expression), KnownKeys::default(), "{expression}");
        // Beside it stays what is known.
        if expression.data_type(&schema()).unwrap() == DataType::Boolean {
            let beside = both(expression, Operator::And, between(&key(), 3, 4));
            assert_eq!(known(&beside), keys(Some(3), Some(4), None));
        }
    }
    let null = Arc::new(BinaryExpr::new(Arc::new(key()), Operator::GtEq, lit(ScalarValue::Int64(None))));
    assert_eq!(known(&(null as Expression)), KnownKeys::default());
}

#[test]
fn lists_that_are_too_long_are_none() {
    let most = i64::try_from(VALUES_MAX).unwrap();
    let values = |count: i64| (0..count).map(Some).collect::<Vec<_>>();
    let count = |expression: Expression| known(&expression).values.map(|values| values.len());
    assert_eq!(count(listed(&key(), values(most), false)), Some(VALUES_MAX));
    assert_eq!(count(listed(&key(), values(most + 1), false)), None);
    let twice = || listed(&key(), values(most), false);
    assert_eq!(count(both(twice(), Operator::Or, twice())), Some(VALUES_MAX));
    let further = listed(&key(), vec![Some(most)], false);
    assert_eq!(count(both(twice(), Operator::Or, further)), None);
    let mut deep = between(&key(), 1, 2);
    for _ in 0..DEPTH_MAX {
        deep = both(deep, Operator::And, lit(true));
    }
    assert_eq!(known(&deep), KnownKeys::default());
}
