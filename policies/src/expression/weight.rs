//! How large an expression is once the engine has composed its functions of
//! its own: some of them take their arguments several times.

use super::{Expr, ExpressionError, Function};

/// Heaviest expression that is accepted.
const MAX_WEIGHT: u64 = 20_000;
/// Heaviest operand that may stand several times in a tree.
pub(super) const MAX_REPEATED_WEIGHT: u64 = 100;

/// The expression, unless it is too heavy.
pub(super) fn bounded(expr: Expr) -> Result<Expr, ExpressionError> {
    if weight(&expr) <= MAX_WEIGHT {
        return Ok(expr);
    }
    Err(ExpressionError::new("the expression is too complex").hint("write several simpler rules"))
}

pub(super) fn weight(expr: &Expr) -> u64 {
    let children: u64 = expr.children().iter().fold(0, |sum, child| sum.saturating_add(weight(child)));
    let times = match expr {
        Expr::Call { function, .. } => match function {
            Function::IsUnder => 5,
            Function::EmailDomain => 4,
            Function::Abs => 3,
            Function::Coalesce => 2,
            _ => 1,
        },
        _ => 1,
    };
    // Lists of values are cheap, but not for nothing.
    let own = match expr {
        Expr::InList { list, .. } => 1 + list.len() as u64 / 10,
        _ => 1,
    };
    children.saturating_mul(times).saturating_add(own)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DataType, expression::Literal};

    #[test]
    fn lists_weigh_a_tenth_of_their_values() {
        let list = |count: i128| Expr::InList {
            expr: Box::new(Expr::Null(DataType::Int64)),
            list: (0..count).map(|value| Literal::Integer { value, data_type: DataType::Int64 }).collect(),
            negated: false,
        };
        assert_eq!((weight(&list(0)), weight(&list(995))), (2, 101));
        for (function, times) in [
            (Function::IsUnder, 5),
            (Function::EmailDomain, 4),
            (Function::Abs, 3),
            (Function::Coalesce, 2),
            (Function::KeepLast(4), 1),
        ] {
            let args = vec![Expr::Null(DataType::Text)];
            let call = Expr::Call { function, args, data_type: DataType::Text };
            assert_eq!(weight(&call), times + 1, "{call}");
        }
    }
}
