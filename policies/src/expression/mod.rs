//! The policy expression language: SQL's clothes, a closed syntax tree of our
//! own, types from a table, no expression that can fail.

mod ast;

pub use ast::{
    ArithmeticOperator, ComparisonOperator, DateUnit, Expr, Function, Literal, Parameter, TypedExpr,
};
