//! Typing of arithmetic, CASE and casts.

use sqlparser::ast::{self as sql, BinaryOperator, CastKind};

use super::{
    ArithmeticOperator, ComparisonOperator, Expr, ExpressionError, Function, Literal, TypedExpr,
    literal::Number,
    refusals::shown,
    typer::{Operand, Typer, repeatable, two},
    types::{arithmetic_type, cast_cannot_fail, integer_type, is_float, is_numeric, try_cast_exists},
};
use crate::data_type::{DataType, TimeUnit};

type Result<T> = std::result::Result<T, ExpressionError>;

impl Typer<'_> {
    pub(super) fn arithmetic(
        &mut self,
        left: &sql::Expr,
        operator: &BinaryOperator,
        right: &sql::Expr,
    ) -> Result<Operand> {
        let operator = match operator {
            BinaryOperator::Plus => ArithmeticOperator::Add,
            BinaryOperator::Minus => ArithmeticOperator::Subtract,
            BinaryOperator::Multiply => ArithmeticOperator::Multiply,
            BinaryOperator::Divide => ArithmeticOperator::Divide,
            _ => ArithmeticOperator::Modulo,
        };
        let left_operand = self.operand(left)?;
        let sign = match operator {
            ArithmeticOperator::Add => Some(1),
            ArithmeticOperator::Subtract => Some(-1),
            _ => None,
        };
        if let (Some(sign), Some(date)) = (sign, as_date(&left_operand)) {
            return self.moved_date(date.clone(), sign, right);
        }
        if matches!(right, sql::Expr::Interval(_)) {
            return Err(ExpressionError::new(format!("`{}` is not a date", shown(left)))
                .hint("intervals move dates only; write CAST(... AS DATE)"));
        }
        let operands = vec![(left_operand, left), (self.operand(right)?, right)];
        let (exprs, data_type) = self.unify_operands(operands)?;
        let result = arithmetic_type(operator, &data_type).ok_or_else(|| not_computable(&data_type))?;
        let [left_expr, right_expr] = two(exprs)?;
        if matches!(operator, ArithmeticOperator::Divide | ArithmeticOperator::Modulo)
            && !is_non_zero_literal(&right_expr)
        {
            return Err(ExpressionError::new(format!("the division by `{}` can fail", shown(right)))
                .hint("divide by a literal other than 0"));
        }
        let (left, right) = (Box::new(left_expr), Box::new(right_expr));
        Ok(Operand::typed(Expr::Arithmetic { operator, left, right, data_type: result.clone() }, result))
    }

    /// `date + 7`, `date - INTERVAL '7 days'`.
    fn moved_date(&mut self, date: Expr, sign: i128, right: &sql::Expr) -> Result<Operand> {
        let days = match right {
            sql::Expr::Interval(interval) => interval_days(interval)?,
            _ => match self.operand(right)? {
                Operand::Number(Number::Exact { value, scale: 0 }) => value,
                _ => {
                    return Err(ExpressionError::new(format!("`{}` is not a number of days", shown(right)))
                        .hint("a date moves by a literal: date + 7, date - INTERVAL '7 days'"));
                }
            },
        };
        let moved = i32::try_from(sign.saturating_mul(days))
            .map_err(|_| ExpressionError::new(format!("{days} days are too many")))?;
        let (function, args, data_type) = (Function::AddDays(moved), vec![date], DataType::Date);
        Ok(Operand::typed(Expr::Call { function, args, data_type }, DataType::Date))
    }

    pub(super) fn negate(&mut self, operand: Operand, inner: &sql::Expr) -> Result<Operand> {
        let typed = self.settle(operand, inner)?;
        let signed = integer_type(&typed.data_type).is_some_and(|integer| integer.signed);
        let decimal = matches!(typed.data_type, DataType::Decimal { .. });
        if !signed && !decimal && !is_float(&typed.data_type) {
            return Err(ExpressionError::new(format!("values of type {} have no negative", typed.data_type)));
        }
        Ok(Operand::typed(Expr::Negate(Box::new(typed.expr)), typed.data_type))
    }

    pub(super) fn case(
        &mut self,
        operand: Option<&sql::Expr>,
        conditions: &[sql::CaseWhen],
        else_result: Option<&sql::Expr>,
    ) -> Result<Operand> {
        let operand = match operand {
            None => None,
            Some(expr) => {
                let operand = self.operand(expr)?;
                if let Operand::Typed(typed) = &operand {
                    repeatable(typed.expr.clone())?;
                }
                Some((operand, expr))
            }
        };
        let mut tests = Vec::with_capacity(conditions.len());
        for branch in conditions {
            tests.push(match &operand {
                None => self.condition(&branch.condition)?,
                Some((operand, expr)) => {
                    let value = (self.operand(&branch.condition)?, &branch.condition);
                    let operands = [(operand.clone(), *expr), value];
                    let compared = self.compare_operands(ComparisonOperator::Equal, operands)?;
                    self.settle(compared, &branch.condition)?.expr
                }
            });
        }
        let mut results: Vec<&sql::Expr> = conditions.iter().map(|branch| &branch.result).collect();
        results.extend(else_result);
        let (mut results, data_type) = self.unify(&results)?;
        let otherwise = else_result.and_then(|_| results.pop()).map(Box::new);
        let branches = tests.into_iter().zip(results).collect();
        Ok(Operand::typed(Expr::Case { branches, otherwise, data_type: data_type.clone() }, data_type))
    }

    /// `||`: NULL if one of the texts is.
    pub(super) fn concatenate(&mut self, terms: &[&sql::Expr]) -> Result<Operand> {
        let mut args = Vec::with_capacity(terms.len());
        for term in terms {
            args.push(repeatable(self.text(term)?)?);
        }
        let missing: Vec<Expr> = args
            .iter()
            .filter(|arg| !matches!(arg, Expr::Literal(_)))
            .map(|arg| Expr::IsNull { expr: Box::new(arg.clone()), negated: false })
            .collect();
        let joined = Expr::Call { function: Function::Concat, args, data_type: DataType::Text };
        if missing.is_empty() {
            return Ok(Operand::typed(joined, DataType::Text));
        }
        let branches = vec![(Expr::Or(missing), Expr::Null(DataType::Text))];
        let otherwise = Some(Box::new(joined));
        Ok(Operand::typed(Expr::Case { branches, otherwise, data_type: DataType::Text }, DataType::Text))
    }

    pub(super) fn cast(
        &mut self,
        kind: &CastKind,
        inner: &sql::Expr,
        data_type: &sql::DataType,
    ) -> Result<Operand> {
        let to = self.named_type(data_type)?;
        let operand = self.operand(inner)?;
        let tries = matches!(kind, CastKind::TryCast | CastKind::SafeCast);
        let typed = match operand {
            Operand::Null => return Ok(Operand::typed(Expr::Null(to.clone()), to)),
            Operand::Number(number) => match number.to_literal(&to) {
                Some(literal) => return Ok(Operand::typed(Expr::Literal(literal), to)),
                None => self.settle(operand, inner)?,
            },
            Operand::Text(ref text) => match super::literal::text_to_literal(text, &to) {
                Some(literal) => return Ok(Operand::typed(Expr::Literal(literal), to)),
                None => self.settle(operand, inner)?,
            },
            operand => self.settle(operand, inner)?,
        };
        let expr = Box::new(typed.expr);
        if typed.data_type == to {
            return Ok(Operand::typed(*expr, to));
        }
        if cast_cannot_fail(&typed.data_type, &to) {
            return Ok(Operand::typed(Expr::Cast { expr, to: to.clone() }, to));
        }
        let exists = try_cast_exists(&typed.data_type, &to);
        if tries && exists {
            return Ok(Operand::typed(Expr::TryCast { expr, to: to.clone() }, to));
        }
        let error = if exists {
            ExpressionError::new(format!(
                "the cast of `{}` from {} to {to} can fail",
                shown(inner),
                typed.data_type
            ))
            .hint(format!("write TRY_CAST({} AS {data_type}): NULL where it fails", shown(inner)))
        } else {
            ExpressionError::new(format!(
                "there is no cast of `{}` from {} to {to}",
                shown(inner),
                typed.data_type
            ))
        };
        Err(error)
    }

    fn named_type(&self, data_type: &sql::DataType) -> Result<DataType> {
        use sql::{DataType as D, ExactNumberInfo, TimezoneInfo};
        let timestamp = |zone: Option<String>| DataType::Timestamp { unit: TimeUnit::Microsecond, zone };
        Ok(match data_type {
            D::Text | D::String(None) | D::Varchar(None) | D::Char(None) => DataType::Text,
            D::Boolean | D::Bool => DataType::Boolean,
            D::TinyInt(None) => DataType::Int8,
            D::SmallInt(None) => DataType::Int16,
            D::Int(None) | D::Integer(None) => DataType::Int32,
            D::BigInt(None) => DataType::Int64,
            D::Real => DataType::Float32,
            D::DoublePrecision | D::Double(ExactNumberInfo::None) | D::Float(ExactNumberInfo::None) => {
                DataType::Float64
            }
            D::Decimal(ExactNumberInfo::PrecisionAndScale(precision, scale))
            | D::Numeric(ExactNumberInfo::PrecisionAndScale(precision, scale)) => {
                let (precision, scale) = (u8::try_from(*precision).ok(), u8::try_from(*scale).ok());
                match (precision, scale) {
                    (Some(precision @ 1..=38), Some(scale)) if scale <= precision => {
                        DataType::Decimal { precision, scale }
                    }
                    _ => {
                        return Err(ExpressionError::new(format!(
                            "`{data_type}` is no number of at most 38 digits"
                        )));
                    }
                }
            }
            D::Date => DataType::Date,
            D::Timestamp(None, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => timestamp(None),
            D::Timestamp(None, TimezoneInfo::WithTimeZone | TimezoneInfo::Tz) => {
                timestamp(Some(self.scope.zone.name().to_owned()))
            }
            other => {
                return Err(ExpressionError::new(format!("`{other}` is not a type to cast to")).hint(
                    "known: TEXT, BOOLEAN, TINYINT, SMALLINT, INT, BIGINT, REAL, DOUBLE, DECIMAL(p,s), DATE, TIMESTAMP",
                ));
            }
        })
    }
}

fn as_date(operand: &Operand) -> Option<&Expr> {
    match operand {
        Operand::Typed(TypedExpr { expr, data_type: DataType::Date }) => Some(expr),
        _ => None,
    }
}

fn is_non_zero_literal(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(Literal::Integer { value, .. } | Literal::Decimal { value, .. }) => *value != 0,
        Expr::Literal(Literal::Float { value, .. }) => *value != 0.0,
        _ => false,
    }
}

fn not_computable(data_type: &DataType) -> ExpressionError {
    match data_type {
        DataType::Text => {
            ExpressionError::new("texts cannot be computed with").hint("texts are joined by `||`")
        }
        DataType::Date => ExpressionError::new("two dates cannot be computed with").hint("compare them"),
        other if is_numeric(other) => {
            ExpressionError::new(format!("the result of computing with {other} may need more than 38 digits"))
                .hint("cast to DOUBLE first")
        }
        other => ExpressionError::new(format!("values of type {other} cannot be computed with")),
    }
}

fn interval_days(interval: &sql::Interval) -> Result<i128> {
    let wrong = || {
        ExpressionError::new(format!("`{interval}` is not a number of days")).hint("write INTERVAL '7 days'")
    };
    let sql::Expr::Value(value) = interval.value.as_ref() else { return Err(wrong()) };
    let text = match &value.value {
        sql::Value::SingleQuotedString(text) | sql::Value::Number(text, _) => text.trim().to_lowercase(),
        _ => return Err(wrong()),
    };
    let unit_is_days = match &interval.leading_field {
        None => false,
        Some(sql::DateTimeField::Day | sql::DateTimeField::Days) => true,
        Some(_) => return Err(wrong()),
    };
    let number = if unit_is_days {
        text.as_str()
    } else {
        text.strip_suffix("days").or_else(|| text.strip_suffix("day")).ok_or_else(wrong)?
    };
    number.trim().parse::<i32>().map(i128::from).map_err(|_| wrong())
}
