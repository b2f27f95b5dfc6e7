//! Computes what does not depend on the row. One node at a time: its children
//! are folded already. What is not computed here is left to the engine; both
//! deciding sides run this same code, so it never makes them differ.

use super::{
    ArithmeticOperator, ComparisonOperator, Expr, Literal,
    fold_call::{call, can_call},
    types::{integer_type, is_float},
};
use crate::DataType;

/// A known value; `None` is NULL.
pub(super) type Known<'a> = Option<&'a Literal>;

pub(super) fn fold(expr: Expr) -> Expr {
    match expr {
        Expr::And(terms) => junction(terms, false),
        Expr::Or(terms) => junction(terms, true),
        Expr::Case { branches, otherwise, data_type } => case(branches, otherwise, data_type),
        Expr::InList { list, negated, .. } if list.is_empty() => boolean(Some(negated)),
        // Too large to clone only to look at it.
        Expr::InList { expr, list, negated } => match known(&expr) {
            Some(None) => boolean(None),
            Some(Some(value)) if !is_float(&value.data_type()) => {
                boolean(Some(list.contains(value) != negated))
            }
            _ => Expr::InList { expr, list, negated },
        },
        other => compute(&other).unwrap_or(other),
    }
}

fn compute(expr: &Expr) -> Option<Expr> {
    Some(match expr {
        Expr::Not(inner) => boolean(truth(inner)?.map(|value| !value)),
        Expr::IsTrue(inner) => boolean(Some(truth(inner)? == Some(true))),
        Expr::IsNull { expr, negated } => boolean(Some(known(expr)?.is_none() != *negated)),
        Expr::Compare { operator, left, right } => return compare(*operator, left, right),
        Expr::InLookup { expr, .. } if known(expr)?.is_none() => boolean(None),
        Expr::Like { expr, pattern, negated, ignore_case } => match known(expr)? {
            None => boolean(None),
            Some(Literal::Text(text)) => boolean(Some(like(text, pattern, *ignore_case) != *negated)),
            Some(_) => return None,
        },
        Expr::Arithmetic { operator, left, right, data_type } => match (known(left)?, known(right)?) {
            (Some(left), Some(right)) => Expr::Literal(arithmetic(*operator, left, right, data_type)?),
            _ => Expr::Null(data_type.clone()),
        },
        Expr::Negate(inner) => match known(inner)? {
            None => Expr::Null(inner.data_type()),
            Some(value) => Expr::Literal(negate(value)?),
        },
        Expr::Cast { expr, to } => match known(expr)? {
            None => Expr::Null(to.clone()),
            Some(value) => Expr::Literal(cast(value, to)?),
        },
        Expr::Call { function, args, data_type } => {
            let args: Option<Vec<Known<'_>>> = args.iter().map(known).collect();
            let result = call(function, &args?)?;
            result.map_or_else(|| Expr::Null(data_type.clone()), Expr::Literal)
        }
        _ => return None,
    })
}

/// Is every node of this kind computed once its children are known? A `when`
/// has no row to leave anything to.
pub(crate) fn can_be_computed(expr: &Expr) -> bool {
    let here = match expr {
        Expr::Column { .. } | Expr::TryCast { .. } | Expr::InLookup { .. } => false,
        Expr::Cast { expr, to } => can_cast(&expr.data_type(), to),
        Expr::Arithmetic { operator, data_type, .. } => match data_type {
            DataType::Decimal { .. } => *operator != ArithmeticOperator::Divide,
            data_type => !is_float(data_type),
        },
        Expr::Negate(inner) => !is_float(&inner.data_type()),
        Expr::Compare { left, .. } => !is_float(&left.data_type()),
        Expr::InList { expr, .. } => !is_float(&expr.data_type()),
        Expr::Call { function, args, .. } => can_call(function, args),
        _ => true,
    };
    here && expr.children().into_iter().all(can_be_computed)
}

pub(super) fn known(expr: &Expr) -> Option<Known<'_>> {
    match expr {
        Expr::Literal(literal) => Some(Some(literal)),
        Expr::Null(_) => Some(None),
        _ => None,
    }
}

/// A known truth value; the inner `None` is NULL.
pub(crate) fn truth(expr: &Expr) -> Option<Option<bool>> {
    match expr {
        Expr::Literal(Literal::Boolean(value)) => Some(Some(*value)),
        Expr::Null(_) => Some(None),
        _ => None,
    }
}

fn boolean(value: Option<bool>) -> Expr {
    value.map_or(Expr::Null(DataType::Boolean), |value| Expr::Literal(Literal::Boolean(value)))
}

/// AND (`decisive` is false) or OR (`decisive` is true).
fn junction(terms: Vec<Expr>, decisive: bool) -> Expr {
    let mut left: Vec<Expr> = Vec::with_capacity(terms.len());
    for term in terms {
        match (truth(&term), term) {
            (Some(Some(value)), _) if value == decisive => return boolean(Some(decisive)),
            (Some(Some(_)), _) => {}
            (_, Expr::And(inner)) if !decisive => left.extend(inner),
            (_, Expr::Or(inner)) if decisive => left.extend(inner),
            (Some(None), null) if left.contains(&null) => {}
            (_, term) => left.push(term),
        }
    }
    match (left.pop(), left.is_empty()) {
        (None, _) => boolean(Some(!decisive)),
        (Some(only), true) => only,
        (Some(last), false) => {
            left.push(last);
            if decisive { Expr::Or(left) } else { Expr::And(left) }
        }
    }
}

fn case(branches: Vec<(Expr, Expr)>, otherwise: Option<Box<Expr>>, data_type: DataType) -> Expr {
    let mut left = Vec::with_capacity(branches.len());
    let mut otherwise = otherwise;
    for (condition, result) in branches {
        match truth(&condition) {
            Some(Some(true)) => {
                otherwise = Some(Box::new(result));
                break;
            }
            Some(_) => {}
            None => left.push((condition, result)),
        }
    }
    if left.is_empty() {
        return otherwise.map_or_else(|| Expr::Null(data_type), |expr| *expr);
    }
    Expr::Case { branches: left, otherwise, data_type }
}

fn compare(operator: ComparisonOperator, left: &Expr, right: &Expr) -> Option<Expr> {
    use ComparisonOperator as C;
    let null_safe = matches!(operator, C::DistinctFrom | C::NotDistinctFrom);
    if !null_safe && (matches!(left, Expr::Null(_)) || matches!(right, Expr::Null(_))) {
        return Some(boolean(None));
    }
    let (left, right) = match (known(left)?, known(right)?) {
        (Some(left), Some(right)) => (left, right),
        (left, right) => {
            let same = left.is_none() && right.is_none();
            return Some(boolean(Some(same == (operator == C::NotDistinctFrom))));
        }
    };
    let ordering = order(left, right)?;
    Some(boolean(Some(match operator {
        C::Equal | C::NotDistinctFrom => ordering.is_eq(),
        C::NotEqual | C::DistinctFrom => ordering.is_ne(),
        C::Less => ordering.is_lt(),
        C::LessOrEqual => ordering.is_le(),
        C::Greater => ordering.is_gt(),
        C::GreaterOrEqual => ordering.is_ge(),
    })))
}

/// Texts by their bytes, as the engine does. Floats are left to the engine.
pub(super) fn order(left: &Literal, right: &Literal) -> Option<std::cmp::Ordering> {
    if left.data_type() != right.data_type() {
        return None;
    }
    match (left, right) {
        (Literal::Boolean(a), Literal::Boolean(b)) => Some(a.cmp(b)),
        (Literal::Integer { value: a, .. }, Literal::Integer { value: b, .. })
        | (Literal::Decimal { value: a, .. }, Literal::Decimal { value: b, .. }) => Some(a.cmp(b)),
        (Literal::Text(a), Literal::Text(b)) => Some(a.cmp(b)),
        (Literal::Date(a), Literal::Date(b)) => Some(a.cmp(b)),
        (Literal::Timestamp { value: a, .. }, Literal::Timestamp { value: b, .. }) => Some(a.cmp(b)),
        _ => None,
    }
}

fn arithmetic(
    operator: ArithmeticOperator,
    left: &Literal,
    right: &Literal,
    data_type: &DataType,
) -> Option<Literal> {
    use ArithmeticOperator::{Add, Divide, Modulo, Multiply, Subtract};
    let (left, right) = match (left, right) {
        (Literal::Integer { value: a, .. }, Literal::Integer { value: b, .. }) => (*a, *b),
        (Literal::Decimal { value: a, .. }, Literal::Decimal { value: b, .. }) if operator != Divide => {
            (*a, *b)
        }
        _ => return None,
    };
    let value = match operator {
        Add => left.checked_add(right),
        Subtract => left.checked_sub(right),
        Multiply => left.checked_mul(right),
        Divide => left.checked_div(right),
        Modulo => left.checked_rem(right),
    }?;
    number(value, data_type)
}

fn number(value: i128, data_type: &DataType) -> Option<Literal> {
    match data_type {
        DataType::Decimal { precision, scale } => {
            Some(Literal::Decimal { value, precision: *precision, scale: *scale })
        }
        _ => {
            let value = integer_type(data_type)?.wrap(value);
            Some(Literal::Integer { value, data_type: data_type.clone() })
        }
    }
}

fn negate(literal: &Literal) -> Option<Literal> {
    match literal {
        Literal::Integer { value, .. } | Literal::Decimal { value, .. } => {
            number(value.checked_neg()?, &literal.data_type())
        }
        _ => None,
    }
}

fn can_cast(from: &DataType, to: &DataType) -> bool {
    let integer = integer_type(from).is_some();
    match to {
        DataType::Text => integer || *from == DataType::Boolean,
        DataType::Decimal { .. } => integer || matches!(from, DataType::Decimal { .. }),
        to => integer_type(to).is_some() && (integer || *from == DataType::Boolean),
    }
}

/// Only casts that `can_cast`, and only those that cannot fail are in a tree.
fn cast(literal: &Literal, to: &DataType) -> Option<Literal> {
    let (value, scale) = match literal {
        Literal::Boolean(value) if *to == DataType::Text => return Some(Literal::Text(value.to_string())),
        Literal::Boolean(value) => (i128::from(*value), 0),
        Literal::Integer { value, .. } if *to == DataType::Text => {
            return Some(Literal::Text(value.to_string()));
        }
        Literal::Integer { value, .. } => (*value, 0),
        Literal::Decimal { value, scale, .. } => (*value, *scale),
        _ => return None,
    };
    match to {
        DataType::Decimal { scale: to_scale, .. } => {
            let factor = 10i128.checked_pow(u32::from(to_scale.checked_sub(scale)?))?;
            number(value.checked_mul(factor)?, to)
        }
        _ if scale == 0 && !matches!(literal, Literal::Decimal { .. }) => number(value, to),
        _ => None,
    }
}

fn like(text: &str, pattern: &str, ignore_case: bool) -> bool {
    if ignore_case {
        return like(&text.to_lowercase(), &pattern.to_lowercase(), false);
    }
    let text: Vec<char> = text.chars().collect();
    matches(&text, &like_steps(pattern))
}

enum Step {
    Exactly(char),
    AnyOne,
    AnyMany,
}

fn like_steps(pattern: &str) -> Vec<Step> {
    let mut chars = pattern.chars();
    let mut steps = Vec::new();
    while let Some(next) = chars.next() {
        steps.push(match next {
            '%' => Step::AnyMany,
            '_' => Step::AnyOne,
            '\\' => Step::Exactly(chars.next().unwrap_or('\\')),
            other => Step::Exactly(other),
        });
    }
    steps
}

/// Goes back to the last `%` only: time is at most text times pattern.
fn matches(text: &[char], steps: &[Step]) -> bool {
    let (mut at, mut step) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while at < text.len() {
        let fits = match (steps.get(step), text.get(at)) {
            (Some(Step::AnyMany), _) => {
                retry = Some((at, step));
                step += 1;
                continue;
            }
            (Some(Step::AnyOne), _) => true,
            (Some(Step::Exactly(expected)), Some(found)) => expected == found,
            _ => false,
        };
        match (fits, retry) {
            (true, _) => (at, step) = (at + 1, step + 1),
            (false, None) => return false,
            (false, Some((from, many))) => (at, step) = (from + 1, many),
        }
    }
    steps.iter().skip(step).all(|step| matches!(step, Step::AnyMany))
}
