//! What is said about an expression that is refused, and what to write instead.

use sqlparser::ast::{self as sql, BinaryOperator};

use super::{ExpressionError, scope::Scope};
use crate::{data_type::DataType, yaml::nearest_hint};

/// The source of a part, short enough for a message.
pub(super) fn shown(expr: &sql::Expr) -> String {
    let text = expr.to_string();
    let mut short: String = text.chars().take(60).collect();
    if short.len() < text.len() {
        short.push_str("...");
    }
    short
}
pub(super) fn unknown_column(name: &sql::Ident, wanted: &str, scope: &Scope<'_>) -> ExpressionError {
    if scope.columns.is_empty() {
        return ExpressionError::new(format!("`{name}` cannot be read here: there is no row")).hint(
            "only the caller is known: claim('name'), subject(), has_role('name'), purpose(), today()",
        );
    }
    let error = ExpressionError::new(format!("there is no column `{wanted}`"));
    if name.quote_style == Some('"') {
        return error.hint("double quotes name columns; texts take single quotes");
    }
    let volatile = ["current_date", "current_timestamp", "localtimestamp", "current_time", "current_user"];
    if volatile.contains(&wanted) {
        return error.hint("use today(), now() or subject()");
    }
    error.maybe_hint(nearest_hint(wanted, scope.columns.iter().map(|column| column.name.as_str())))
}

pub(super) fn qualified(parts: &[sql::Ident]) -> ExpressionError {
    let names: Vec<String> = parts.iter().map(ToString::to_string).collect();
    let error = ExpressionError::new(format!("`{}` is not a column", names.join(".")));
    error.hint("write the bare column name; parts of nested columns cannot be read")
}

pub(super) fn unsupported(expr: &sql::Expr) -> ExpressionError {
    use sql::Expr as E;
    match expr {
        E::InSubquery { .. } | E::Subquery(_) | E::Exists { .. } | E::AnyOp { .. } | E::AllOp { .. } => {
            ExpressionError::new("subqueries are not allowed in policies")
                .hint("declare a lookup and use in_lookup('name', column)")
        }
        E::RLike { .. } | E::SimilarTo { .. } => {
            ExpressionError::new("regular expressions are not supported").hint("use LIKE")
        }
        _ => ExpressionError::new(format!("`{}` is not supported in policies", shown(expr))),
    }
}

pub(super) fn operator_hint(operator: &BinaryOperator) -> Option<String> {
    let hint = match operator {
        BinaryOperator::Spaceship => "use IS NOT DISTINCT FROM",
        BinaryOperator::PGRegexMatch | BinaryOperator::PGRegexIMatch | BinaryOperator::Regexp => "use LIKE",
        _ => return None,
    };
    Some(hint.to_owned())
}

pub(super) fn literal_hint(data_type: &DataType) -> Option<String> {
    let hint = match data_type {
        DataType::Date => "write a date as 'YYYY-MM-DD'",
        DataType::Timestamp { zone: None, .. } => "write a timestamp as 'YYYY-MM-DD HH:MM:SS'",
        DataType::Timestamp { .. } => "write an instant as 'YYYY-MM-DD HH:MM:SS+00:00'",
        _ => return None,
    };
    Some(hint.to_owned())
}

pub(super) fn mismatch(left: (&DataType, &sql::Expr), right: (&DataType, &sql::Expr)) -> ExpressionError {
    let (left_text, right_text) = (shown(left.1), shown(right.1));
    let error = ExpressionError::new(format!(
        "`{left_text}` ({}) and `{right_text}` ({}) have no common type",
        left.0, right.0
    ));
    match (left.0, right.0) {
        (DataType::Date, DataType::Timestamp { .. }) => {
            error.hint(format!("write CAST({right_text} AS DATE)"))
        }
        (DataType::Timestamp { .. }, DataType::Date) => {
            error.hint(format!("write CAST({left_text} AS DATE)"))
        }
        (DataType::Text, _) => {
            error.hint(format!("write TRY_CAST({left_text} AS <type>) or CAST({right_text} AS TEXT)"))
        }
        (_, DataType::Text) => {
            error.hint(format!("write TRY_CAST({right_text} AS <type>) or CAST({left_text} AS TEXT)"))
        }
        _ => error,
    }
}

pub(super) fn literal_mismatch(
    target: (&DataType, &sql::Expr),
    literal: (&DataType, &sql::Expr),
) -> ExpressionError {
    let error = ExpressionError::new(format!(
        "`{}` ({}) does not go together with `{}`",
        shown(target.1),
        target.0,
        shown(literal.1)
    ));
    match (target.0, literal.1) {
        (DataType::Date, sql::Expr::Function(_)) => error.hint("use today() beside a date"),
        (DataType::Text, sql::Expr::Value(_)) => error.hint("texts take single quotes"),
        _ => error.maybe_hint(literal_hint(target.0)),
    }
}
