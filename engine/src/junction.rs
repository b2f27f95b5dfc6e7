//! Chains of ANDs and ORs.

use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

/// A chain as a balanced tree: its depth, and with it the stack of everything
/// that walks it, grows with the logarithm of its length. `None` for no terms.
pub(crate) fn balanced(operator: Operator, mut terms: Vec<Expr>) -> Option<Expr> {
    while terms.len() > 1 {
        let mut halved = Vec::with_capacity(terms.len().div_ceil(2));
        let mut rest = terms.into_iter();
        while let Some(left) = rest.next() {
            halved.push(match rest.next() {
                Some(right) => Expr::BinaryExpr(BinaryExpr::new(Box::new(left), operator, Box::new(right))),
                None => left,
            });
        }
        terms = halved;
    }
    terms.pop()
}
