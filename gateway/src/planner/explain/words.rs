//! Expressions of a statement in words that fit on a line.

use arrow::datatypes::DataType;
use datafusion::{
    common::{
        Column, Result, TableReference,
        tree_node::{Transformed, TreeNode},
    },
    logical_expr::{Expr, SortExpr, expr_rewriter::unnormalize_col, utils::split_conjunction},
};

use crate::planner::scalar_subquery;

/// Characters of one list of expressions.
const CHARS_MAX: usize = 400;

/// `a, b, c`, cut where it gets long.
pub(super) fn list<'a>(expressions: impl IntoIterator<Item = &'a Expr>) -> String {
    joined(expressions.into_iter().map(text), ", ")
}

/// `a and b`, cut where it gets long.
pub(super) fn all<'a>(conditions: impl IntoIterator<Item = &'a Expr>) -> String {
    let conditions = conditions.into_iter().flat_map(split_conjunction);
    joined(conditions.map(text), " and ")
}

/// The conditions of one table: its columns without its name.
pub(super) fn of_one_table(conditions: &[Expr]) -> String {
    joined(conditions.iter().cloned().map(|condition| text(&unnormalize_col(condition))), " and ")
}

/// `a desc, b`.
pub(super) fn order(by: &[SortExpr]) -> String {
    let one = |sort: &SortExpr| format!("{}{}", text(&sort.expr), if sort.asc { "" } else { " desc" });
    joined(by.iter().map(one), ", ")
}

/// Names, cut where they get long.
pub(super) fn names<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    joined(names.into_iter().map(str::to_owned), ", ")
}

fn joined(pieces: impl Iterator<Item = String>, between: &str) -> String {
    let mut joined = String::new();
    for piece in pieces {
        if !joined.is_empty() {
            joined.push_str(between);
        }
        joined.push_str(&piece);
        if joined.len() > CHARS_MAX {
            let mut cut: String = joined.chars().take(CHARS_MAX).collect();
            cut.push('…');
            return cut;
        }
    }
    joined
}

fn text(expression: &Expr) -> String {
    // A transformation that cannot fail.
    let readable = expression.clone().transform_up(readable).map(|changed| changed.data);
    written(readable.as_ref().unwrap_or(expression))
}

/// Without what the optimizer put in, and with texts in quotes: the engine shows them bare.
/// A column stands in for a quoted text, because its name is shown as it is.
fn readable(expression: Expr) -> Result<Transformed<Expr>> {
    Ok(match expression {
        Expr::Literal(value, _) if value.data_type() == DataType::Utf8 && !value.is_null() => {
            let quoted = format!("'{}'", value.to_string().replace('\'', "''"));
            Transformed::yes(Expr::Column(Column::new_unqualified(quoted)))
        }
        Expr::Column(column) if column.relation.as_ref().is_some_and(is_made_up) => {
            Transformed::yes(Expr::Column(Column::new_unqualified(column.name)))
        }
        Expr::ScalarFunction(mut call) if scalar_subquery::is_or_null(&call) && call.args.len() == 1 => {
            Transformed::yes(call.args.remove(0))
        }
        other => Transformed::no(other),
    })
}

/// The optimizer's names for subqueries that it turned into joins.
fn is_made_up(relation: &TableReference) -> bool {
    relation.table().starts_with("__")
}

/// The engine writes operators without parentheses: nested ones could be read wrongly.
fn written(expression: &Expr) -> String {
    match expression {
        Expr::BinaryExpr(binary) => {
            format!(
                "{} {} {}",
                operand(&binary.left),
                binary.op.to_string().to_lowercase(),
                operand(&binary.right)
            )
        }
        Expr::Not(inner) => format!("not {}", operand(inner)),
        // What the optimizer makes of `count(*)`, as a call and as the name of its column.
        other => {
            let shown = other.human_display().to_string();
            shown.replace("count(Int64(1))", "count(*)").replace("count(1)", "count(*)")
        }
    }
}

fn operand(expression: &Expr) -> String {
    match expression {
        Expr::BinaryExpr(_) => format!("({})", written(expression)),
        other => written(other),
    }
}
