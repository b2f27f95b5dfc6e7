//! Syntax to typed expressions. Types follow from the columns; literals take
//! the type of the other side; everything unknown is refused.

use sqlparser::ast::{self as sql, BinaryOperator, UnaryOperator};

use super::{
    ComparisonOperator, Expr, ExpressionError, Literal, Parameter, TypedExpr,
    literal::{Number, parse_date, text_to_literal},
    parse,
    refusals::{
        literal_hint, literal_mismatch, mismatch, operator_hint, qualified, shown, unknown_column,
        unsupported,
    },
    scope::Scope,
    types::{cast_cannot_fail, common_type},
    weight::{MAX_REPEATED_WEIGHT, weight},
};
use crate::{
    data_type::{DataType, TimeUnit},
    principal::ClaimType,
    yaml::nearest_hint,
};

type Result<T> = std::result::Result<T, ExpressionError>;

/// Types one expression.
#[derive(Debug)]
pub(super) struct Typer<'a> {
    pub(super) scope: Scope<'a>,
    depth: usize,
}

/// An operand whose type may still be open.
#[derive(Debug, Clone)]
pub(super) enum Operand {
    Typed(TypedExpr),
    Number(Number),
    Text(String),
    Null,
    /// `now()` is as fine as the timestamp beside it.
    Now,
}

impl Operand {
    pub(super) fn typed(expr: Expr, data_type: DataType) -> Self {
        Self::Typed(TypedExpr { expr, data_type })
    }

    pub(super) fn boolean(expr: Expr) -> Self {
        Self::typed(expr, DataType::Boolean)
    }
}

impl<'a> Typer<'a> {
    pub(super) fn new(scope: Scope<'a>) -> Self {
        Self { scope, depth: 0 }
    }

    /// A condition: an expression of type boolean.
    pub(super) fn condition(&mut self, expr: &sql::Expr) -> Result<Expr> {
        match self.operand(expr)? {
            Operand::Typed(TypedExpr { expr, data_type: DataType::Boolean }) => Ok(expr),
            Operand::Null => Ok(Expr::Null(DataType::Boolean)),
            Operand::Typed(TypedExpr { data_type, .. }) => {
                Err(ExpressionError::new(format!("`{}` is {data_type}, not a condition", shown(expr)))
                    .hint("compare it with something"))
            }
            _ => Err(ExpressionError::new(format!("`{}` is not a condition", shown(expr)))
                .hint("compare it with something")),
        }
    }

    /// An expression of whatever type.
    pub(super) fn any(&mut self, expr: &sql::Expr) -> Result<TypedExpr> {
        let operand = self.operand(expr)?;
        self.settle(operand, expr)
    }

    /// An expression of exactly this type, by literals and casts that cannot fail.
    pub(super) fn of_type(&mut self, expr: &sql::Expr, data_type: &DataType) -> Result<Expr> {
        let operand = self.operand(expr)?;
        self.adapt(operand, data_type, expr)
    }

    /// A text.
    pub(super) fn text(&mut self, expr: &sql::Expr) -> Result<Expr> {
        match self.any(expr)? {
            TypedExpr { expr, data_type: DataType::Text } => Ok(expr),
            TypedExpr { data_type, .. } => {
                Err(ExpressionError::new(format!("`{}` is {data_type}, not a text", shown(expr)))
                    .hint(format!("write CAST({} AS TEXT)", shown(expr))))
            }
        }
    }

    /// Type of an operand without a neighbour to take it from.
    pub(super) fn settle(&self, operand: Operand, shown_as: &sql::Expr) -> Result<TypedExpr> {
        let data_type = match &operand {
            Operand::Typed(typed) => return Ok(typed.clone()),
            Operand::Number(number) => number.natural_type(),
            Operand::Text(_) => DataType::Text,
            Operand::Now => self.now_type(),
            Operand::Null => {
                return Err(ExpressionError::new("NULL has no type here").hint("write CAST(NULL AS <type>)"));
            }
        };
        let expr = self.adapt(operand, &data_type, shown_as)?;
        Ok(TypedExpr { expr, data_type })
    }

    /// The operand as a value of exactly `data_type`.
    pub(super) fn adapt(&self, operand: Operand, data_type: &DataType, shown_as: &sql::Expr) -> Result<Expr> {
        let misfit = || {
            ExpressionError::new(format!("`{}` is not a value of type {data_type}", shown(shown_as)))
                .maybe_hint(literal_hint(data_type))
        };
        match operand {
            Operand::Typed(typed) => widen(typed, data_type).ok_or_else(misfit),
            Operand::Null => Ok(Expr::Null(data_type.clone())),
            Operand::Number(number) => number.to_literal(data_type).map(Expr::Literal).ok_or_else(misfit),
            Operand::Text(text) => text_to_literal(&text, data_type).map(Expr::Literal).ok_or_else(misfit),
            Operand::Now => match data_type {
                DataType::Timestamp { .. } => {
                    Ok(Expr::Parameter { parameter: Parameter::Now, data_type: data_type.clone() })
                }
                _ => Err(misfit()),
            },
        }
    }

    fn now_type(&self) -> DataType {
        DataType::Timestamp { unit: TimeUnit::Microsecond, zone: Some(self.scope.zone.name().to_owned()) }
    }

    /// Brings operands to one type.
    pub(super) fn unify(&mut self, exprs: &[&sql::Expr]) -> Result<(Vec<Expr>, DataType)> {
        let mut operands = Vec::with_capacity(exprs.len());
        for expr in exprs {
            operands.push((self.operand(expr)?, *expr));
        }
        self.unify_operands(operands)
    }

    /// As `unify`, of operands that are typed already: none is typed twice,
    /// or deep nesting would take exponential time.
    pub(super) fn unify_operands(
        &self,
        operands: Vec<(Operand, &sql::Expr)>,
    ) -> Result<(Vec<Expr>, DataType)> {
        let data_type = self.target_type(&operands)?;
        let exprs = operands
            .into_iter()
            .map(|(operand, expr)| self.adapt(operand, &data_type, expr))
            .collect::<Result<_>>()?;
        Ok((exprs, data_type))
    }

    fn target_type(&self, operands: &[(Operand, &sql::Expr)]) -> Result<DataType> {
        let mut target: Option<(DataType, &sql::Expr)> = None;
        for (operand, expr) in operands {
            let Operand::Typed(typed) = operand else { continue };
            target = Some(match target {
                None => (typed.data_type.clone(), expr),
                Some((so_far, first)) => {
                    let common = common_type(&so_far, &typed.data_type)
                        .ok_or_else(|| mismatch((&so_far, first), (&typed.data_type, expr)))?;
                    (common, first)
                }
            });
        }
        for (operand, expr) in operands {
            let natural = match (operand, &target) {
                (Operand::Typed(_) | Operand::Null, _) => continue,
                (Operand::Number(number), Some((target, _))) if number.to_literal(target).is_some() => {
                    continue;
                }
                (Operand::Text(text), Some((target, _))) if text_to_literal(text, target).is_some() => {
                    continue;
                }
                (Operand::Now, Some((DataType::Timestamp { .. }, _))) => continue,
                (Operand::Number(number), _) => number.natural_type(),
                (Operand::Text(_), _) => DataType::Text,
                (Operand::Now, _) => self.now_type(),
            };
            target = Some(match target {
                None => (natural, expr),
                Some((so_far, first)) => {
                    let common = common_type(&so_far, &natural)
                        .ok_or_else(|| literal_mismatch((&so_far, first), (&natural, expr)))?;
                    (common, first)
                }
            });
        }
        target.map(|(data_type, _)| data_type).ok_or_else(|| {
            ExpressionError::new("nothing but NULL: there is no type to compute with").hint("write IS NULL")
        })
    }

    /// Types one node, children first. The depth is counted here, where all recursion passes.
    pub(super) fn operand(&mut self, expr: &sql::Expr) -> Result<Operand> {
        self.depth += 1;
        if self.depth > parse::MAX_DEPTH {
            return Err(parse::too_deep());
        }
        let operand = self.node(expr);
        self.depth -= 1;
        operand
    }

    fn node(&mut self, expr: &sql::Expr) -> Result<Operand> {
        use sql::Expr as E;
        match expr {
            E::Nested(inner) => self.operand(inner),
            E::Identifier(name) => self.column(name),
            E::CompoundIdentifier(parts) => Err(qualified(parts)),
            E::Value(value) => literal(&value.value),
            E::TypedString(typed) => typed_string(typed),
            E::IsTrue(inner) => Ok(Operand::boolean(is_true(self.condition(inner)?))),
            E::IsNotTrue(inner) => Ok(Operand::boolean(not(is_true(self.condition(inner)?)))),
            E::IsFalse(inner) => Ok(Operand::boolean(is_true(not(self.condition(inner)?)))),
            E::IsNotFalse(inner) => Ok(Operand::boolean(not(is_true(not(self.condition(inner)?))))),
            E::IsUnknown(inner) => {
                Ok(Operand::boolean(Expr::IsNull { expr: Box::new(self.condition(inner)?), negated: false }))
            }
            E::IsNotUnknown(inner) => {
                Ok(Operand::boolean(Expr::IsNull { expr: Box::new(self.condition(inner)?), negated: true }))
            }
            E::IsNull(inner) => self.is_null(inner, false),
            E::IsNotNull(inner) => self.is_null(inner, true),
            E::IsDistinctFrom(left, right) => self.distinct(ComparisonOperator::DistinctFrom, left, right),
            E::IsNotDistinctFrom(left, right) => {
                self.distinct(ComparisonOperator::NotDistinctFrom, left, right)
            }
            E::InList { expr, list, negated } => self.in_list(expr, list, *negated),
            E::Between { expr, negated, low, high } => self.between(expr, low, high, *negated),
            E::Like { negated, any: false, expr, pattern, escape_char } => {
                self.like(expr, pattern, escape_char.as_ref(), *negated, false)
            }
            E::ILike { negated, any: false, expr, pattern, escape_char } => {
                self.like(expr, pattern, escape_char.as_ref(), *negated, true)
            }
            E::UnaryOp { op, expr: inner } => self.unary(op, inner),
            E::BinaryOp { left, op, right } => self.binary(expr, left, op, right),
            E::Case { operand, conditions, else_result, .. } => {
                self.case(operand.as_deref(), conditions, else_result.as_deref())
            }
            E::Cast { kind, expr, data_type, array: false, format: None } => self.cast(kind, expr, data_type),
            E::Extract { field, expr, .. } => self.extract(field, expr),
            E::Substring { expr, substring_from, substring_for, .. } => {
                self.substring(expr, substring_from.as_deref(), substring_for.as_deref())
            }
            E::Trim { trim_where, trim_what: None, expr, trim_characters: None } => {
                self.trim(trim_where.as_ref(), expr)
            }
            E::Function(function) => self.function(function),
            other => Err(unsupported(other)),
        }
    }

    fn column(&self, name: &sql::Ident) -> Result<Operand> {
        let wanted = match name.quote_style {
            Some(_) => name.value.clone(),
            None => name.value.to_lowercase(),
        };
        let columns = self.scope.columns;
        let position = match self.scope.cell {
            Some(cell) if wanted == "value" && name.quote_style.is_none() => Some(cell),
            _ => columns.iter().position(|column| column.name == wanted),
        };
        if let Some((index, column)) = position.and_then(|index| Some((index, columns.get(index)?))) {
            let (name, data_type) = (column.name.clone(), column.data_type.clone());
            return Ok(Operand::typed(Expr::Column { index, name, data_type: data_type.clone() }, data_type));
        }
        Err(unknown_column(name, &wanted, &self.scope))
    }

    fn unary(&mut self, operator: &UnaryOperator, inner: &sql::Expr) -> Result<Operand> {
        match operator {
            UnaryOperator::Not => Ok(Operand::boolean(not(self.condition(inner)?))),
            UnaryOperator::Minus => match self.operand(inner)? {
                Operand::Number(number) => Ok(Operand::Number(number.negated())),
                operand => self.negate(operand, inner),
            },
            _ => Err(ExpressionError::new(format!("the operator `{operator}` is not supported"))),
        }
    }

    fn binary(
        &mut self,
        whole: &sql::Expr,
        left: &sql::Expr,
        operator: &BinaryOperator,
        right: &sql::Expr,
    ) -> Result<Operand> {
        use BinaryOperator as B;
        match operator {
            B::And | B::Or => {
                let mut terms = Vec::new();
                for term in chain(whole, operator) {
                    terms.push(self.condition(term)?);
                }
                Ok(Operand::boolean(if *operator == B::And { Expr::And(terms) } else { Expr::Or(terms) }))
            }
            B::StringConcat => {
                let terms = chain(whole, operator);
                self.concatenate(&terms)
            }
            B::Eq => self.compare(ComparisonOperator::Equal, left, right),
            B::NotEq => self.compare(ComparisonOperator::NotEqual, left, right),
            B::Lt => self.compare(ComparisonOperator::Less, left, right),
            B::LtEq => self.compare(ComparisonOperator::LessOrEqual, left, right),
            B::Gt => self.compare(ComparisonOperator::Greater, left, right),
            B::GtEq => self.compare(ComparisonOperator::GreaterOrEqual, left, right),
            B::Plus | B::Minus | B::Multiply | B::Divide | B::Modulo => {
                self.arithmetic(left, operator, right)
            }
            other => Err(ExpressionError::new(format!("the operator `{other}` is not supported"))
                .maybe_hint(operator_hint(other))),
        }
    }

    /// The type of a declared claim.
    pub(super) fn claim_type(&self, name: &str) -> Result<ClaimType> {
        self.scope.claims.get(name).map(|claim| claim.claim_type).ok_or_else(|| {
            ExpressionError::new(format!("mesh.yaml declares no claim `{name}`"))
                .maybe_hint(nearest_hint(name, self.scope.claims.keys().map(String::as_str)))
        })
    }
}

/// The operands of a chain of one operator, without recursion: chains may be long.
fn chain<'e>(whole: &'e sql::Expr, operator: &BinaryOperator) -> Vec<&'e sql::Expr> {
    let mut terms = Vec::new();
    let mut waiting = vec![whole];
    while let Some(expr) = waiting.pop() {
        match expr {
            sql::Expr::BinaryOp { left, op, right } if op == operator => {
                waiting.push(right);
                waiting.push(left);
            }
            other => terms.push(other),
        }
    }
    terms
}

/// The same value in a type that holds every value of its own.
fn widen(typed: TypedExpr, to: &DataType) -> Option<Expr> {
    if typed.data_type == *to {
        return Some(typed.expr);
    }
    let same_kind = common_type(to, &typed.data_type).as_ref() == Some(to);
    (same_kind && cast_cannot_fail(&typed.data_type, to))
        .then(|| Expr::Cast { expr: Box::new(typed.expr), to: to.clone() })
}

fn literal(value: &sql::Value) -> Result<Operand> {
    match value {
        sql::Value::Number(text, false) => Number::parse(text)
            .map(Operand::Number)
            .ok_or_else(|| ExpressionError::new(format!("`{text}` is not a number of at most 38 digits"))),
        sql::Value::SingleQuotedString(text) => Ok(Operand::Text(text.clone())),
        sql::Value::Boolean(value) => Ok(Operand::boolean(Expr::Literal(Literal::Boolean(*value)))),
        sql::Value::Null => Ok(Operand::Null),
        sql::Value::Placeholder(_) => Err(ExpressionError::new("there are no placeholders here")
            .hint("use claim('name'), subject() or has_role('name')")),
        _ => Err(ExpressionError::new(format!("the literal `{value}` is not supported"))
            .hint("texts take single quotes")),
    }
}

fn typed_string(typed: &sql::TypedString) -> Result<Operand> {
    let sql::Value::SingleQuotedString(text) = &typed.value.value else {
        return Err(ExpressionError::new("texts take single quotes"));
    };
    if typed.data_type != sql::DataType::Date {
        return Err(ExpressionError::new(format!("`{typed}` is not supported"))
            .hint(format!("write '{text}': it takes the type of what it is compared with")));
    }
    let days = parse_date(text)
        .ok_or_else(|| ExpressionError::new(format!("'{text}' is not a date")).hint("write YYYY-MM-DD"))?;
    Ok(Operand::typed(Expr::Literal(Literal::Date(days)), DataType::Date))
}

/// An operand that the tree will hold several times. Large ones would let the
/// tree grow exponentially with the depth of the text.
pub(super) fn repeatable(expr: Expr) -> Result<Expr> {
    if weight(&expr) <= MAX_REPEATED_WEIGHT {
        return Ok(expr);
    }
    Err(ExpressionError::new("the value compared here is too complex").hint("write it in simpler parts"))
}

fn is_true(expr: Expr) -> Expr {
    Expr::IsTrue(Box::new(expr))
}

pub(super) fn not(expr: Expr) -> Expr {
    Expr::Not(Box::new(expr))
}

pub(super) fn two(exprs: Vec<Expr>) -> Result<[Expr; 2]> {
    <[Expr; 2]>::try_from(exprs).map_err(|_| ExpressionError::new("two values are needed"))
}
