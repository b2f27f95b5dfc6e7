//! The policy expression language: SQL's clothes, a closed syntax tree of our
//! own, types from a table, no expression that can fail.
//!
//! Text becomes SQL syntax (`parse`), SQL syntax becomes a typed [`Expr`]
//! (`typer`, `operators`, `functions`), and at a decision `bind` puts the
//! caller in and computes what no longer depends on the row (`fold`).

mod ast;
mod bind;
mod error;
mod fold;
mod fold_call;
mod functions;
mod literal;
mod operators;
mod parse;
mod predicates;
mod refusals;
mod scope;
#[cfg(test)]
mod tests;
mod text;
mod typer;
mod types;
mod weight;

pub use ast::{
    ArithmeticOperator, ComparisonOperator, DateUnit, Expr, FIELD_VALUE, Function, Literal, Parameter,
    TypedExpr,
};
pub use error::ExpressionError;
pub use parse::{MAX_BYTES, MAX_DEPTH, MAX_TOKENS};
pub use types::{IntegerType, cast_cannot_fail, integer_type, try_cast_exists};
pub(crate) use types::{is_key_type, is_numeric};

pub(crate) use bind::{Caller, claims_of, lookups_of};
pub(crate) use fold::{can_be_computed, truth};
#[cfg(test)]
pub(crate) use functions::NAMES as FUNCTION_NAMES;
pub(crate) use literal::{Number, parse_date, text_to_literal};
pub(crate) use scope::{ClaimDefinition, Scope};

use crate::DataType;

/// Reads a condition, as in `rows` and `when`.
pub(crate) fn condition(text: &str, scope: Scope<'_>) -> Result<Expr, ExpressionError> {
    let syntax = parse::parse(text)?;
    weight::bounded(typer::Typer::new(scope).condition(&syntax)?)
}

/// Reads an expression whose result has exactly `data_type`, as in a mask.
pub(crate) fn value(text: &str, data_type: &DataType, scope: Scope<'_>) -> Result<Expr, ExpressionError> {
    let syntax = parse::parse(text)?;
    weight::bounded(typer::Typer::new(scope).of_type(&syntax, data_type)?)
}

/// Checks what can be checked of an expression without the table it is for.
pub(crate) fn check_syntax(text: &str) -> Result<(), ExpressionError> {
    parse::parse(text).map(drop)
}
