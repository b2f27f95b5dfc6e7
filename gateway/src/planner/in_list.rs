//! `x IN (..)` of NULL is NULL, also where two lists meet.
//!
//! The engine makes one list of two over the same expression (`inlist_intersection`, `inlist_except` in
//! datafusion-optimizer 55.2), and where nothing is left in it, TRUE or FALSE, whatever `x` is: of
//! `x not in (1) or x not in (2)` rows came back in which `x` is NULL. So nothing of the kind is left to it: lists that
//! meet in AND become one here, NOT is taken inside, and NOT IN becomes comparisons, of which it makes no list again.

use datafusion::{
    common::{
        Result, ScalarValue,
        tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    },
    logical_expr::{
        BinaryExpr, Expr, LogicalPlan, Operator,
        expr::InList,
        expr_rewriter::NamePreserver,
        lit,
        utils::{conjunction, split_conjunction_owned},
    },
};

/// Longest list that becomes comparisons: each costs a step of nesting.
const LONGEST: usize = 64;

/// The same plan, in which no two lists over one expression meet.
pub(super) fn keep_null(plan: LogicalPlan) -> Result<LogicalPlan> {
    Ok(plan.transform_up_with_subqueries(keep_null_in_node)?.data)
}

fn keep_null_in_node(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let names = NamePreserver::new(&node);
    node.map_expressions(|expr| {
        if !has_two_lists(&expr)? {
            return Ok(Transformed::no(expr));
        }
        let name = names.save(&expr);
        Ok(expr.transform_down(|expr| Ok(apart(expr)))?.update_data(|expr| name.restore(expr)))
    })
}

/// Are there two lists over the same expression? `x = 1 or x = 2` is one, too.
fn has_two_lists(expr: &Expr) -> Result<bool> {
    let mut over = Vec::new();
    let mut found = false;
    expr.apply(|expr| {
        let list = match expr {
            Expr::InList(list) => Some((list.expr.as_ref(), false)),
            other => equality(other).map(|(column, _)| (column, true)),
        };
        if let Some((tested, is_equality)) = list {
            found |= over.iter().any(|(other, both)| *other == tested && !(*both && is_equality));
            over.push((tested, is_equality));
        }
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    // Of equalities alone it takes four to be two lists.
    let equalities = over.iter().filter(|(_, is_equality)| *is_equality).count();
    Ok(found || equalities >= 4)
}

fn apart(expr: Expr) -> Transformed<Expr> {
    match expr {
        Expr::Not(inner) if !matches!(inner.as_ref(), Expr::Column(_)) => match negated(*inner) {
            Expr::Not(inner) => Transformed::no(Expr::Not(inner)),
            other => Transformed::yes(other),
        },
        Expr::InList(list) if list.negated => compared(list),
        Expr::BinaryExpr(BinaryExpr { op: Operator::And, .. }) => together(expr),
        other => Transformed::no(other),
    }
}

/// NOT of an expression, as far inside as it goes.
fn negated(expr: Expr) -> Expr {
    match expr {
        Expr::Not(inner) => *inner,
        Expr::InList(list) => Expr::InList(InList { negated: !list.negated, ..list }),
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match op {
            Operator::And => negated(*left).or(negated(*right)),
            Operator::Or => negated(*left).and(negated(*right)),
            _ => Expr::Not(Box::new(Expr::BinaryExpr(BinaryExpr { left, op, right }))),
        },
        other => Expr::Not(Box::new(other)),
    }
}

/// NOT IN as comparisons.
fn compared(list: InList) -> Transformed<Expr> {
    if list.list.len() > LONGEST || list.expr.is_volatile() {
        return Transformed::no(Expr::InList(list));
    }
    let InList { expr, list, negated } = list;
    let compared = list.iter().map(|item| expr.as_ref().clone().not_eq(item.clone()));
    match conjunction(compared) {
        Some(compared) => Transformed::yes(compared),
        None => Transformed::no(Expr::InList(InList { expr, list, negated })),
    }
}

/// The lists of a conjunction over one expression as one list.
fn together(expr: Expr) -> Transformed<Expr> {
    let mut lists: Vec<(Expr, Vec<Expr>)> = Vec::new();
    let mut others = Vec::new();
    let parts = split_conjunction_owned(expr.clone());
    let count = parts.len();
    for part in parts {
        let Some((tested, items)) = literals(&part) else {
            others.push(part);
            continue;
        };
        match lists.iter_mut().find(|(other, _)| *other == tested) {
            // Of other types, values can be equal that are not the same.
            Some((_, both)) if are_of_one_type(both.iter().chain(&items)) => {
                both.retain(|item| items.contains(item));
            }
            Some(_) => others.push(part),
            None => lists.push((tested, items)),
        }
    }
    if lists.len() + others.len() == count {
        return Transformed::no(expr);
    }
    let lists = lists.into_iter().map(|(tested, items)| {
        if items.is_empty() {
            // FALSE, but of NULL it is NULL.
            tested.is_null().and(lit(ScalarValue::Boolean(None)))
        } else {
            Expr::InList(InList::new(Box::new(tested), items, false))
        }
    });
    conjunction(lists.chain(others)).map_or_else(|| Transformed::no(expr), Transformed::yes)
}

fn are_of_one_type<'a>(mut items: impl Iterator<Item = &'a Expr>) -> bool {
    let mut first = None;
    items.all(|item| match item {
        Expr::Literal(value, _) => *first.get_or_insert_with(|| value.data_type()) == value.data_type(),
        _ => false,
    })
}

/// What is tested and by which values, if that is all: `x in (1, 2)`, or the same with `=` and OR.
fn literals(expr: &Expr) -> Option<(Expr, Vec<Expr>)> {
    let is_value = |item: &Expr| matches!(item, Expr::Literal(value, _) if !value.is_null());
    match expr {
        Expr::InList(list) => {
            let fits = !list.negated && !list.expr.is_volatile() && list.list.iter().all(is_value);
            fits.then(|| (list.expr.as_ref().clone(), list.list.clone()))
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            let ((tested, mut items), (other, more)) = (literals(left)?, literals(right)?);
            items.extend(more);
            (tested == other).then_some((tested, items))
        }
        other => {
            let (column, value) = equality(other)?;
            is_value(value).then(|| (column.clone(), vec![value.clone()]))
        }
    }
}

/// The column and the literal of an equality.
fn equality(expr: &Expr) -> Option<(&Expr, &Expr)> {
    let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = expr else { return None };
    match (left.as_ref(), right.as_ref()) {
        (column @ Expr::Column(_), value @ Expr::Literal(..)) => Some((column, value)),
        (value @ Expr::Literal(..), column @ Expr::Column(_)) => Some((column, value)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
