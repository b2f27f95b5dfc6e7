//! Which physical predicates may be evaluated on rows and cells that nobody
//! may see: those that cannot fail and read plain columns only.
//!
//! The counterpart for logical expressions is `meshgate_engine::predicate`.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::{
    logical_expr::Operator,
    physical_expr::{
        PhysicalExpr,
        expressions::{
            BinaryExpr, DynamicFilterPhysicalExpr, InListExpr, IsNotNullExpr, IsNullExpr, Literal, NotExpr,
        },
    },
};
use meshgate_engine::data_type::is_simple;

/// Nesting beyond this is not looked into: such predicates stay above.
const MAX_DEPTH: usize = 64;

/// Is an expression a plain column, and of the given type if there is one?
pub(super) type IsPlain<'a> = dyn Fn(&Arc<dyn PhysicalExpr>, Option<&DataType>) -> bool + 'a;

/// Is this predicate harmless?
pub(super) fn is_harmless(predicate: &Arc<dyn PhysicalExpr>, is_plain: &IsPlain<'_>) -> bool {
    Judge { is_plain }.predicate(predicate, MAX_DEPTH)
}

struct Judge<'a> {
    is_plain: &'a IsPlain<'a>,
}

impl Judge<'_> {
    fn predicate(&self, expr: &Arc<dyn PhysicalExpr>, depth: usize) -> bool {
        let Some(depth) = depth.checked_sub(1) else {
            return false;
        };
        if let Some(binary) = expr.downcast_ref::<BinaryExpr>() {
            return match binary.op() {
                Operator::And | Operator::Or => self.junction(expr, *binary.op(), depth),
                operator => is_comparison(operator) && self.comparison(binary),
            };
        }
        if let Some(not) = expr.downcast_ref::<NotExpr>() {
            return self.predicate(not.arg(), depth);
        }
        if let Some(is_null) = expr.downcast_ref::<IsNullExpr>() {
            return self.is_plain(is_null.arg());
        }
        if let Some(is_not_null) = expr.downcast_ref::<IsNotNullExpr>() {
            return self.is_plain(is_not_null.arg());
        }
        if let Some(in_list) = expr.downcast_ref::<InListExpr>() {
            return in_list.list().iter().all(|value| self.comparable(in_list.expr(), value));
        }
        if let Some(dynamic) = expr.downcast_ref::<DynamicFilterPhysicalExpr>() {
            // What it compares its children with is not known before it runs.
            let children = dynamic.children();
            return !children.is_empty() && children.into_iter().all(|child| self.is_plain(child));
        }
        if let Some(literal) = expr.downcast_ref::<Literal>() {
            return literal.value().data_type() == DataType::Boolean;
        }
        (self.is_plain)(expr, Some(&DataType::Boolean))
    }

    /// All terms of a chain of one operator: only alternation counts as depth.
    fn junction(&self, expr: &Arc<dyn PhysicalExpr>, operator: Operator, depth: usize) -> bool {
        let mut open = vec![expr];
        while let Some(next) = open.pop() {
            match next.downcast_ref::<BinaryExpr>() {
                Some(binary) if *binary.op() == operator => open.extend([binary.left(), binary.right()]),
                _ if self.predicate(next, depth) => {}
                _ => return false,
            }
        }
        true
    }

    fn is_plain(&self, expr: &Arc<dyn PhysicalExpr>) -> bool {
        (self.is_plain)(expr, None)
    }

    fn comparison(&self, binary: &BinaryExpr) -> bool {
        let (left, right) = (binary.left(), binary.right());
        self.comparable(left, right) || self.comparable(right, left)
    }

    /// A plain column and a literal of its type? Other types would be compared
    /// after a cast, or not at all.
    fn comparable(&self, column: &Arc<dyn PhysicalExpr>, value: &Arc<dyn PhysicalExpr>) -> bool {
        value.downcast_ref::<Literal>().is_some_and(|literal| {
            let data_type = literal.value().data_type();
            is_simple(&data_type) && (self.is_plain)(column, Some(&data_type))
        })
    }
}

fn is_comparison(operator: &Operator) -> bool {
    matches!(
        operator,
        Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq
            | Operator::IsDistinctFrom
            | Operator::IsNotDistinctFrom
    )
}
