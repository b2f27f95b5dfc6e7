//! Smaller statements, made of a statement's own parts.

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, GroupByExpr, Query, Select, SetExpr, Statement};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

/// Statements with one part less.
pub(super) fn smaller(sql: &str) -> Vec<String> {
    let Ok(statements) = Parser::parse_sql(&GenericDialect {}, sql) else { return Vec::new() };
    let Some(Statement::Query(query)) = statements.into_iter().next() else { return Vec::new() };
    queries(&query).into_iter().map(|query| query.to_string()).collect()
}

fn queries(query: &Query) -> Vec<Query> {
    let mut smaller = Vec::new();
    let mut with = |change: &dyn Fn(&mut Query)| {
        let mut other = query.clone();
        change(&mut other);
        smaller.push(other);
    };
    if query.limit_clause.is_some() {
        with(&|query| query.limit_clause = None);
    } else if query.order_by.is_some() {
        // Never below a limit: which rows it leaves would be open.
        with(&|query| query.order_by = None);
    }
    for (at, table) in query.with.iter().flat_map(|with| with.cte_tables.iter().enumerate()) {
        with(&|query| *query = (*table.query).clone());
        for inner in queries(&table.query) {
            with(&|query| {
                if let Some(with) = &mut query.with {
                    *with.cte_tables[at].query = inner.clone();
                }
            });
        }
    }
    for body in bodies(&query.body) {
        with(&|query| *query.body = body.clone());
    }
    smaller
}

fn bodies(body: &SetExpr) -> Vec<SetExpr> {
    match body {
        SetExpr::Select(select) => {
            selects(select).into_iter().map(|select| SetExpr::Select(Box::new(select))).collect()
        }
        SetExpr::SetOperation { left, right, op, set_quantifier } => {
            let mut smaller = vec![(**left).clone(), (**right).clone()];
            let operation = |left: &SetExpr, right: &SetExpr| SetExpr::SetOperation {
                left: Box::new(left.clone()),
                right: Box::new(right.clone()),
                op: *op,
                set_quantifier: *set_quantifier,
            };
            smaller.extend(bodies(left).iter().map(|left| operation(left, right)));
            smaller.extend(bodies(right).iter().map(|right| operation(left, right)));
            smaller
        }
        _ => Vec::new(),
    }
}

fn selects(select: &Select) -> Vec<Select> {
    let mut smaller = Vec::new();
    let mut with = |change: &dyn Fn(&mut Select)| {
        let mut other = select.clone();
        change(&mut other);
        smaller.push(other);
    };
    if let Some(selection) = &select.selection {
        with(&|select| select.selection = None);
        for part in conditions(selection) {
            with(&|select| select.selection = Some(part.clone()));
        }
    }
    if select.having.is_some() {
        with(&|select| select.having = None);
    }
    if select.distinct.is_some() {
        with(&|select| select.distinct = None);
    }
    if select.projection.len() > 1 {
        for at in 0..select.projection.len() {
            with(&|select| {
                select.projection.remove(at);
            });
        }
    }
    if let GroupByExpr::Expressions(keys, _) = &select.group_by
        && keys.len() > 1
    {
        for at in 0..keys.len() {
            with(&|select| {
                if let GroupByExpr::Expressions(keys, _) = &mut select.group_by {
                    keys.remove(at);
                }
            });
        }
    }
    for (at, table) in select.from.iter().enumerate() {
        if !table.joins.is_empty() {
            with(&|select| {
                select.from[at].joins.pop();
            });
        }
    }
    smaller
}

fn conditions(condition: &Expr) -> Vec<Expr> {
    match condition {
        Expr::BinaryOp { left, op: BinaryOperator::And | BinaryOperator::Or, right } => {
            vec![(**left).clone(), (**right).clone()]
        }
        Expr::Nested(inner) => [vec![(**inner).clone()], conditions(inner)].concat(),
        Expr::UnaryOp { expr, .. } => vec![(**expr).clone()],
        Expr::InSubquery { expr, subquery, negated } => queries(subquery)
            .into_iter()
            .map(|query| Expr::InSubquery {
                expr: expr.clone(),
                subquery: Box::new(query),
                negated: *negated,
            })
            .collect(),
        Expr::Exists { subquery, negated } => queries(subquery)
            .into_iter()
            .map(|query| Expr::Exists { subquery: Box::new(query), negated: *negated })
            .collect(),
        _ => Vec::new(),
    }
}
