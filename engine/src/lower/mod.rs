//! Policy expressions as DataFusion expressions.
//!
//! A row filter or a mask that fails at run time would name the cell that made
//! it fail, so nothing here can fail for any value: casts are checked against a
//! table, functions are composed so that they are defined everywhere, and
//! results outside of what a type can hold are NULL. Nothing is looked up and
//! nothing is coerced: types are those of the policy language.

mod cast;
mod coarse;
mod date_trunc;
mod fields;
mod function;
mod keep;
mod literal;
mod lookup;
mod pseudonym;
#[cfg(test)]
mod tests;
mod type_of;

use datafusion::arrow::compute::can_cast_types;
use datafusion::common::{Column, ScalarValue};
use datafusion::logical_expr::expr::{BinaryExpr, Case, InList, Like};
use datafusion::logical_expr::type_coercion::binary::BinaryTypeCoercer;
use datafusion::logical_expr::{Expr, Operator, lit};
use meshgate_policies::DataType;
use meshgate_policies::expression::{ArithmeticOperator, ComparisonOperator, Expr as PolicyExpr, Literal};

use crate::data_type::to_arrow;
use crate::junction::balanced;
use type_of::type_of;

pub use lookup::{lookups_in, with_keys};
pub use pseudonym::{PseudonymKey, PseudonymKeyError, with_pseudonyms};

/// Why a policy expression has no counterpart that cannot fail. Names types
/// and functions only.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LowerError {
    #[error("an expression still depends on the caller")]
    NotBound,
    #[error("a literal does not fit its type {0}")]
    Literal(DataType),
    #[error("a cast from {from} to {to} can fail")]
    CastCanFail { from: DataType, to: DataType },
    #[error("there is no cast from {from} to {to}")]
    NoCast { from: DataType, to: DataType },
    #[error("{operator:?} of {operands} can fail or has another result than {result}")]
    Arithmetic { operator: ArithmeticOperator, operands: DataType, result: DataType },
    #[error("values of type {0} cannot be negated")]
    Negate(DataType),
    #[error("a mask of a field inside a column cannot be computed")]
    FieldMask,
    #[error("function {function} has the wrong arguments")]
    Arguments { function: String },
}

/// Lowers a bound expression. Columns become unqualified columns by name;
/// lookups get their keys by [`with_keys`].
pub fn lower(expr: &PolicyExpr) -> Result<Expr, LowerError> {
    Ok(match expr {
        PolicyExpr::Column { name, .. } => Expr::Column(Column::new_unqualified(name)),
        PolicyExpr::Literal(value) => Expr::Literal(literal::scalar(value)?, None),
        PolicyExpr::Null(data_type) => null(data_type)?,
        PolicyExpr::Parameter { .. } | PolicyExpr::InClaim { .. } => return Err(LowerError::NotBound),
        PolicyExpr::Not(inner) => Expr::Not(Box::new(lower(inner)?)),
        PolicyExpr::And(terms) => balanced(Operator::And, lower_all(terms)?).unwrap_or_else(|| lit(true)),
        PolicyExpr::Or(terms) => balanced(Operator::Or, lower_all(terms)?).unwrap_or_else(|| lit(false)),
        PolicyExpr::Compare { operator, left, right } => {
            binary(lower(left)?, comparison(*operator), lower(right)?)
        }
        PolicyExpr::IsNull { expr, negated: false } => Expr::IsNull(Box::new(lower(expr)?)),
        PolicyExpr::IsNull { expr, negated: true } => Expr::IsNotNull(Box::new(lower(expr)?)),
        PolicyExpr::IsTrue(inner) => Expr::IsTrue(Box::new(lower(inner)?)),
        PolicyExpr::InList { expr, list, negated } => in_list(expr, list, *negated)?,
        PolicyExpr::InLookup { lookup, expr } => lookup::without_keys(lookup, lower(expr)?),
        PolicyExpr::Like { expr, pattern, negated, ignore_case } => Expr::Like(Like::new(
            *negated,
            Box::new(lower(expr)?),
            Box::new(lit(pattern.as_str())),
            None,
            *ignore_case,
        )),
        PolicyExpr::Case { branches, otherwise, data_type } => {
            case(branches, otherwise.as_deref(), data_type)?
        }
        PolicyExpr::Arithmetic { operator, left, right, data_type } => {
            arithmetic(*operator, left, right, data_type)?
        }
        PolicyExpr::Negate(inner) => negate(inner)?,
        PolicyExpr::Cast { expr, to } => cast::total(lower(expr)?, &type_of(expr), to)?,
        PolicyExpr::TryCast { expr, to } => try_cast(expr, to)?,
        PolicyExpr::Call { function, args, data_type } => function::call(function, args, data_type)?,
        PolicyExpr::MaskFields { column, fields } => fields::mask_fields(column, fields)?,
    })
}

fn lower_all(exprs: &[PolicyExpr]) -> Result<Vec<Expr>, LowerError> {
    exprs.iter().map(lower).collect()
}

fn null(data_type: &DataType) -> Result<Expr, LowerError> {
    ScalarValue::try_new_null(&to_arrow(data_type))
        .map(|value| Expr::Literal(value, None))
        .map_err(|_| LowerError::Literal(data_type.clone()))
}

fn binary(left: Expr, operator: Operator, right: Expr) -> Expr {
    Expr::BinaryExpr(BinaryExpr::new(Box::new(left), operator, Box::new(right)))
}

fn comparison(operator: ComparisonOperator) -> Operator {
    match operator {
        ComparisonOperator::Equal => Operator::Eq,
        ComparisonOperator::NotEqual => Operator::NotEq,
        ComparisonOperator::Less => Operator::Lt,
        ComparisonOperator::LessOrEqual => Operator::LtEq,
        ComparisonOperator::Greater => Operator::Gt,
        ComparisonOperator::GreaterOrEqual => Operator::GtEq,
        ComparisonOperator::DistinctFrom => Operator::IsDistinctFrom,
        ComparisonOperator::NotDistinctFrom => Operator::IsNotDistinctFrom,
    }
}

fn in_list(expr: &PolicyExpr, list: &[Literal], negated: bool) -> Result<Expr, LowerError> {
    if list.is_empty() {
        return Ok(lit(negated));
    }
    let values = list
        .iter()
        .map(|value| Ok(Expr::Literal(literal::scalar(value)?, None)))
        .collect::<Result<_, LowerError>>()?;
    Ok(Expr::InList(InList::new(Box::new(lower(expr)?), values, negated)))
}

fn case(
    branches: &[(PolicyExpr, PolicyExpr)],
    otherwise: Option<&PolicyExpr>,
    data_type: &DataType,
) -> Result<Expr, LowerError> {
    let otherwise = otherwise.map_or_else(|| null(data_type), lower)?;
    if branches.is_empty() {
        return Ok(otherwise);
    }
    let branches = branches
        .iter()
        .map(|(when, then)| Ok((Box::new(lower(when)?), Box::new(lower(then)?))))
        .collect::<Result<_, LowerError>>()?;
    Ok(Expr::Case(Case::new(None, branches, Some(Box::new(otherwise)))))
}

fn arithmetic(
    operator: ArithmeticOperator,
    left: &PolicyExpr,
    right: &PolicyExpr,
    data_type: &DataType,
) -> Result<Expr, LowerError> {
    let operands = type_of(left);
    let refused =
        || LowerError::Arithmetic { operator, operands: operands.clone(), result: data_type.clone() };
    let (engine_operator, divides) = match operator {
        ArithmeticOperator::Add => (Operator::Plus, false),
        ArithmeticOperator::Subtract => (Operator::Minus, false),
        ArithmeticOperator::Multiply => (Operator::Multiply, false),
        ArithmeticOperator::Divide => (Operator::Divide, true),
        ArithmeticOperator::Modulo => (Operator::Modulo, true),
    };
    let (left_type, right_type) = (to_arrow(&operands), to_arrow(&type_of(right)));
    let result = BinaryTypeCoercer::new(&left_type, &engine_operator, &right_type)
        .get_result_type()
        .map_err(|_| refused())?;
    if result != to_arrow(data_type) || (is_decimal(&operands) && !decimal_fits(operator, &operands)) {
        return Err(refused());
    }
    if divides && literal::is_zero(right) != Some(false) {
        return Err(refused());
    }
    // The engine refuses MIN / -1 at run time; negation wraps.
    if operator == ArithmeticOperator::Divide && literal::is_minus_one(right) {
        return Ok(Expr::Negative(Box::new(lower(left)?)));
    }
    Ok(binary(lower(left)?, engine_operator, lower(right)?))
}

fn is_decimal(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Decimal { .. })
}

/// Does the result of every pair of operands have at most 38 digits, so that
/// the engine's rule for the result's precision does not have to cut it off?
fn decimal_fits(operator: ArithmeticOperator, operands: &DataType) -> bool {
    let DataType::Decimal { precision, scale } = operands else {
        return false;
    };
    let (precision, scale) = (u16::from(*precision), u16::from(*scale));
    let digits = match operator {
        ArithmeticOperator::Add | ArithmeticOperator::Subtract => precision + 1,
        ArithmeticOperator::Multiply => 2 * precision + 1,
        // The dividend is scaled up by the divisor's scale and four digits.
        ArithmeticOperator::Divide => precision + scale + 4,
        ArithmeticOperator::Modulo => precision,
    };
    digits <= 38
}

fn negate(inner: &PolicyExpr) -> Result<Expr, LowerError> {
    let data_type = type_of(inner);
    match data_type {
        DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::Float32
        | DataType::Float64
        | DataType::Decimal { .. } => Ok(Expr::Negative(Box::new(lower(inner)?))),
        other => Err(LowerError::Negate(other)),
    }
}

fn try_cast(expr: &PolicyExpr, to: &DataType) -> Result<Expr, LowerError> {
    let from = type_of(expr);
    if !can_cast_types(&to_arrow(&from), &to_arrow(to)) {
        return Err(LowerError::NoCast { from, to: to.clone() });
    }
    cast::tried(lower(expr)?, &from, to)
}
