//! Types of policy expressions, read off the tree.

use meshgate_policies::DataType;
use meshgate_policies::expression::{Expr, Literal};

/// The type of a typed expression's node.
pub(super) fn type_of(expr: &Expr) -> DataType {
    match expr {
        Expr::Column { data_type, .. }
        | Expr::Null(data_type)
        | Expr::Parameter { data_type, .. }
        | Expr::Case { data_type, .. }
        | Expr::Arithmetic { data_type, .. }
        | Expr::Call { data_type, .. }
        | Expr::Cast { to: data_type, .. }
        | Expr::TryCast { to: data_type, .. } => data_type.clone(),
        Expr::Literal(literal) => type_of_literal(literal),
        Expr::Negate(inner) | Expr::MaskFields { column: inner, .. } => type_of(inner),
        Expr::Not(_)
        | Expr::And(_)
        | Expr::Or(_)
        | Expr::Compare { .. }
        | Expr::IsNull { .. }
        | Expr::IsTrue(_)
        | Expr::InList { .. }
        | Expr::InClaim { .. }
        | Expr::InLookup { .. }
        | Expr::Like { .. } => DataType::Boolean,
    }
}

fn type_of_literal(literal: &Literal) -> DataType {
    match literal {
        Literal::Boolean(_) => DataType::Boolean,
        Literal::Integer { data_type, .. }
        | Literal::Float { data_type, .. }
        | Literal::Timestamp { data_type, .. } => data_type.clone(),
        Literal::Decimal { precision, scale, .. } => {
            DataType::Decimal { precision: *precision, scale: *scale }
        }
        Literal::Text(_) => DataType::Text,
        Literal::Date(_) => DataType::Date,
    }
}
