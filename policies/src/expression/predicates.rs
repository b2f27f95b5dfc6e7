//! Typing of comparisons, IN, BETWEEN, LIKE and IS NULL.

use sqlparser::ast as sql;

use super::{
    ComparisonOperator, Expr, ExpressionError, Literal, Parameter,
    refusals::shown,
    typer::{Operand, Typer, not, repeatable, two},
    types::is_comparable,
};
use crate::{data_type::DataType, yaml::nearest_hint};

type Result<T> = std::result::Result<T, ExpressionError>;

impl Typer<'_> {
    pub(super) fn is_null(&mut self, inner: &sql::Expr, negated: bool) -> Result<Operand> {
        let typed = self.any(inner)?;
        Ok(Operand::boolean(Expr::IsNull { expr: Box::new(typed.expr), negated }))
    }

    pub(super) fn compare(
        &mut self,
        operator: ComparisonOperator,
        left: &sql::Expr,
        right: &sql::Expr,
    ) -> Result<Operand> {
        let operands = [(self.operand(left)?, left), (self.operand(right)?, right)];
        self.compare_operands(operator, operands)
    }

    /// IS [NOT] DISTINCT FROM. The parser takes all that follows for the right
    /// side, `a is distinct from b and c` for `a is distinct from (b and c)`:
    /// a right side that is a condition must say so with parentheses.
    pub(super) fn distinct(
        &mut self,
        operator: ComparisonOperator,
        left: &sql::Expr,
        right: &sql::Expr,
    ) -> Result<Operand> {
        if !is_one_value(right) {
            return Err(ExpressionError::new(format!(
                "where IS DISTINCT FROM ends is not clear in `{}`",
                shown(right)
            ))
            .hint("put parentheses around the comparison: (a IS DISTINCT FROM b) AND .."));
        }
        self.compare(operator, left, right)
    }

    pub(super) fn compare_operands(
        &self,
        operator: ComparisonOperator,
        operands: [(Operand, &sql::Expr); 2],
    ) -> Result<Operand> {
        let (exprs, data_type) = self.unify_operands(operands.into())?;
        comparable(&data_type)?;
        let [left, right] = two(exprs)?;
        self.check_claim_value(&left, &right)?;
        self.check_claim_value(&right, &left)?;
        Ok(Operand::boolean(Expr::Compare { operator, left: Box::new(left), right: Box::new(right) }))
    }

    /// A claim with declared values is never equal to another one: surely a typing mistake.
    fn check_claim_value(&self, claim: &Expr, literal: &Expr) -> Result<()> {
        let (Expr::Parameter { parameter: Parameter::Claim(name), .. }, Expr::Literal(Literal::Text(text))) =
            (claim, literal)
        else {
            return Ok(());
        };
        let Some(definition) = self.scope.claims.get(name) else { return Ok(()) };
        if definition.values.is_empty() || definition.values.contains(text) {
            return Ok(());
        }
        Err(ExpressionError::new(format!("the claim `{name}` never is '{text}'"))
            .maybe_hint(nearest_hint(text, definition.values.iter().map(String::as_str))))
    }

    pub(super) fn between(
        &mut self,
        expr: &sql::Expr,
        low: &sql::Expr,
        high: &sql::Expr,
        negated: bool,
    ) -> Result<Operand> {
        let (exprs, data_type) = self.unify(&[expr, low, high])?;
        comparable(&data_type)?;
        let Ok([expr, low, high]) = <[Expr; 3]>::try_from(exprs) else {
            return Err(ExpressionError::new("BETWEEN takes three values"));
        };
        let (left, operator) = (Box::new(repeatable(expr)?), ComparisonOperator::GreaterOrEqual);
        let above = Expr::Compare { operator, left: left.clone(), right: Box::new(low) };
        let operator = ComparisonOperator::LessOrEqual;
        let below = Expr::Compare { operator, left, right: Box::new(high) };
        let both = Expr::And(vec![above, below]);
        Ok(Operand::boolean(if negated { not(both) } else { both }))
    }

    pub(super) fn in_list(&mut self, expr: &sql::Expr, list: &[sql::Expr], negated: bool) -> Result<Operand> {
        let mut all = vec![expr];
        for item in list {
            if matches!(item, sql::Expr::Value(value) if value.value == sql::Value::Null) {
                return Err(ExpressionError::new(
                    "NULL in an IN list matches nothing, and NOT IN is never TRUE with it",
                )
                .hint("leave it out, or add OR ... IS NULL"));
            }
            all.push(item);
        }
        let (exprs, data_type) = self.unify(&all)?;
        comparable(&data_type)?;
        let mut exprs = exprs.into_iter();
        let Some(expr) = exprs.next() else {
            return Err(ExpressionError::new("IN takes a value and a list"));
        };
        let expr = repeatable(expr)?;
        let (mut literals, mut others) = (Vec::new(), Vec::new());
        for item in exprs {
            self.check_claim_value(&expr, &item)?;
            match item {
                Expr::Literal(literal) => literals.push(literal),
                other => others.push(Expr::Compare {
                    operator: ComparisonOperator::Equal,
                    left: Box::new(expr.clone()),
                    right: Box::new(other),
                }),
            }
        }
        if others.is_empty() {
            return Ok(Operand::boolean(Expr::InList { expr: Box::new(expr), list: literals, negated }));
        }
        if !literals.is_empty() {
            others.push(Expr::InList { expr: Box::new(expr), list: literals, negated: false });
        }
        let any = Expr::Or(others);
        Ok(Operand::boolean(if negated { not(any) } else { any }))
    }

    pub(super) fn like(
        &mut self,
        expr: &sql::Expr,
        pattern: &sql::Expr,
        escape: Option<&sql::ValueWithSpan>,
        negated: bool,
        ignore_case: bool,
    ) -> Result<Operand> {
        let expr = Box::new(self.text(expr)?);
        let Operand::Text(pattern) = self.operand(pattern)? else {
            return Err(ExpressionError::new("the pattern of LIKE must be a text literal")
                .hint("use starts_with, ends_with or contains to compare with a column"));
        };
        let backslash = sql::Value::SingleQuotedString("\\".to_owned());
        if escape.is_some_and(|escape| escape.value != backslash) {
            return Err(ExpressionError::new("the escape character of LIKE is `\\`"));
        }
        let trailing = pattern.chars().rev().take_while(|last| *last == '\\').count();
        if trailing % 2 == 1 {
            return Err(ExpressionError::new("the pattern ends in an escape character")
                .hint("write `\\\\` for a backslash"));
        }
        Ok(Operand::boolean(Expr::Like { expr, pattern, negated, ignore_case }))
    }
}

/// Binds closer than any condition, wherever the parser found its end.
fn is_one_value(expr: &sql::Expr) -> bool {
    use sql::BinaryOperator as Op;
    match expr {
        sql::Expr::Nested(_)
        | sql::Expr::Identifier(_)
        | sql::Expr::Value(_)
        | sql::Expr::TypedString(_)
        | sql::Expr::Function(_)
        | sql::Expr::Case { .. }
        | sql::Expr::Extract { .. }
        | sql::Expr::Trim { .. }
        | sql::Expr::Substring { .. }
        | sql::Expr::Cast { .. } => true,
        sql::Expr::UnaryOp { op: sql::UnaryOperator::Minus, expr } => is_one_value(expr),
        sql::Expr::BinaryOp { op, .. } => {
            matches!(op, Op::Plus | Op::Minus | Op::Multiply | Op::Divide | Op::Modulo | Op::StringConcat)
        }
        _ => false,
    }
}

fn comparable(data_type: &DataType) -> Result<()> {
    if is_comparable(data_type) {
        return Ok(());
    }
    Err(ExpressionError::new(format!("values of type {data_type} cannot be compared")))
}
