//! Functions of the policy language, composed of the engine's own.

use datafusion::common::ScalarValue;
use datafusion::functions::{core, datetime, math, string, unicode};
use datafusion::logical_expr::expr::{Case, ScalarFunction};
use datafusion::logical_expr::{Expr, Operator, ScalarUDF, lit};
use meshgate_policies::DataType;
use meshgate_policies::expression::{Expr as PolicyExpr, Function};
use std::sync::Arc;

use super::cast::{exact, or_null};
use super::coarse::{self, Coarse};
use super::keep::{self, Keep};
use super::{LowerError, binary, date_trunc, lower_all, pseudonym, type_of};
use crate::data_type::to_arrow;
use arrow::datatypes::DataType as ArrowType;

/// Lowers a call; `data_type` is the type of its result.
pub(super) fn call(
    function: &Function,
    args: &[PolicyExpr],
    data_type: &DataType,
) -> Result<Expr, LowerError> {
    let lowered = lower_all(args)?;
    if let Function::Concat | Function::Coalesce = function {
        return if lowered.is_empty() {
            Err(wrong(function))
        } else if *function == Function::Concat {
            Ok(invoke(string::concat(), lowered))
        } else {
            first_non_null(lowered).ok_or_else(|| wrong(function))
        };
    }
    match (<[Expr; 1]>::try_from(lowered), args) {
        (Ok([argument]), [typed]) => unary(function, argument, &type_of(typed), data_type),
        (Err(lowered), _) => match <[Expr; 2]>::try_from(lowered) {
            Ok([left, right]) => of_two(function, left, right),
            Err(_) => Err(wrong(function)),
        },
        _ => Err(wrong(function)),
    }
}

fn unary(
    function: &Function,
    argument: Expr,
    argument_type: &DataType,
    data_type: &DataType,
) -> Result<Expr, LowerError> {
    Ok(match function {
        Function::Lower => invoke(string::lower(), vec![argument]),
        Function::Upper => invoke(string::upper(), vec![argument]),
        Function::Length => length(argument),
        Function::Trim => invoke(string::btrim(), vec![argument]),
        Function::Left(count) => left(argument, *count),
        Function::Right(count) => right(argument, *count),
        Function::Substring { start, length } => {
            let mut args = vec![argument, lit(i64::from((*start).max(1)))];
            args.extend(length.map(|length| lit(i64::from(length))));
            invoke(unicode::substr(), args)
        }
        Function::Replace { from, to } => {
            invoke(string::replace(), vec![argument, lit(from.as_str()), lit(to.as_str())])
        }
        Function::DateTrunc(unit) => invoke(date_trunc::function(*unit), vec![argument]),
        Function::DatePart(unit) => {
            exact(invoke(datetime::date_part(), vec![lit(unit.name()), argument]), ArrowType::Int64)
        }
        Function::AddDays(days) => add_days(argument, *days),
        Function::Abs => absolute(argument, argument_type, data_type)?,
        Function::KeepLast(count) => invoke(keep::function(Keep::Last(*count)), vec![argument]),
        Function::KeepFirst(count) => invoke(keep::function(Keep::First(*count)), vec![argument]),
        Function::Pseudonym(space) if has_pseudonyms(argument_type) && argument_type == data_type => {
            pseudonym::without_key(space, argument)
        }
        Function::EmailDomain => email_domain(argument),
        Function::Bucket(_) | Function::Round(_) if argument_type != data_type => {
            return Err(wrong(function));
        }
        Function::Bucket(width) => invoke(coarse::function(Coarse::Bucket(*width)), vec![argument]),
        Function::Round(places) => invoke(coarse::function(Coarse::Round(*places)), vec![argument]),
        _ => return Err(wrong(function)),
    })
}

fn has_pseudonyms(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Text | DataType::Int64 | DataType::UInt64)
}

fn of_two(function: &Function, left: Expr, right: Expr) -> Result<Expr, LowerError> {
    Ok(match function {
        Function::NullIf => invoke(core::nullif(), vec![left, right]),
        Function::StartsWith => invoke(string::starts_with(), vec![left, right]),
        Function::EndsWith => invoke(string::ends_with(), vec![left, right]),
        Function::Contains => invoke(string::contains(), vec![left, right]),
        Function::IsUnder => is_under(left, right),
        _ => return Err(wrong(function)),
    })
}

fn wrong(function: &Function) -> LowerError {
    LowerError::Arguments { function: format!("{function:?}") }
}

fn invoke(function: Arc<ScalarUDF>, args: Vec<Expr>) -> Expr {
    Expr::ScalarFunction(ScalarFunction::new_udf(function, args))
}

/// The engine counts in 32 bits.
fn length(text: Expr) -> Expr {
    exact(invoke(unicode::character_length(), vec![text]), ArrowType::Int64)
}

fn left(text: Expr, count: u16) -> Expr {
    invoke(unicode::left(), vec![text, lit(i64::from(count))])
}

fn right(text: Expr, count: u16) -> Expr {
    invoke(unicode::right(), vec![text, lit(i64::from(count))])
}

/// `***@` and what follows the last `@`; `***` if nothing does.
fn email_domain(text: Expr) -> Expr {
    let domain = invoke(string::split_part(), vec![text.clone(), lit("@"), lit(-1_i64)]);
    let is_address = binary(
        invoke(string::contains(), vec![text.clone(), lit("@")]),
        Operator::And,
        binary(domain.clone(), Operator::NotEq, lit("")),
    );
    let shown = invoke(string::concat(), vec![lit("***@"), domain]);
    let nothing = Expr::IsNull(Box::new(text));
    let branches = vec![
        (Box::new(nothing), Box::new(Expr::Literal(ScalarValue::Utf8(None), None))),
        (Box::new(is_address), Box::new(shown)),
    ];
    Expr::Case(Case::new(None, branches, Some(Box::new(lit("***")))))
}

fn when(condition: Expr, then: Expr, otherwise: Expr) -> Expr {
    let branches = vec![(Box::new(condition), Box::new(then))];
    Expr::Case(Case::new(None, branches, Some(Box::new(otherwise))))
}

/// The engine's own `coalesce` exists only until its optimizer has run.
fn first_non_null(mut args: Vec<Expr>) -> Option<Expr> {
    let last = args.pop()?;
    if args.is_empty() {
        return Some(last);
    }
    let branches = args
        .into_iter()
        .map(|argument| (Box::new(Expr::IsNotNull(Box::new(argument.clone()))), Box::new(argument)))
        .collect();
    Some(Expr::Case(Case::new(None, branches, Some(Box::new(last)))))
}

/// Whole days in 64 bits cannot overflow; what does not fit a date is NULL.
fn add_days(date: Expr, days: i32) -> Expr {
    let moved = binary(exact(date, ArrowType::Int64), Operator::Plus, lit(i64::from(days)));
    exact(or_null(moved, ArrowType::Int32), ArrowType::Date32)
}

/// The engine's `abs` fails on the smallest integer, which has no counterpart; negation wraps.
fn absolute(argument: Expr, from: &DataType, to: &DataType) -> Result<Expr, LowerError> {
    match from {
        _ if from != to => Err(LowerError::Arguments { function: "Abs".into() }),
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => Ok(argument),
        DataType::Float32 | DataType::Float64 => Ok(invoke(math::abs(), vec![argument])),
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 | DataType::Decimal { .. } => {
            let zero =
                ScalarValue::new_zero(&to_arrow(from)).map_err(|_| LowerError::Literal(from.clone()))?;
            let negative = binary(argument.clone(), Operator::Lt, Expr::Literal(zero, None));
            Ok(when(negative, Expr::Negative(Box::new(argument.clone())), argument))
        }
        _ => Err(LowerError::Arguments { function: "Abs".into() }),
    }
}

/// `path` is `root` or below it. NULL if one of the two is.
fn is_under(path: Expr, root: Expr) -> Expr {
    let starts_with = |prefix: Expr| invoke(string::starts_with(), vec![path.clone(), prefix]);
    let below = invoke(string::concat(), vec![root.clone(), lit("/")]);
    let same = binary(path.clone(), Operator::Eq, root.clone());
    let everything =
        binary(binary(root.clone(), Operator::Eq, lit("/")), Operator::And, starts_with(lit("/")));
    let inside = binary(binary(root, Operator::NotEq, lit("")), Operator::And, starts_with(below));
    binary(same, Operator::Or, binary(everything, Operator::Or, inside))
}
