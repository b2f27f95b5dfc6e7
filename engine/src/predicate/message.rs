//! Predicates as messages and back. A message comes from another process: it
//! is bounded, and every column, type and literal is checked.

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::{Column, ScalarValue};
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, lit};
use meshgate_proto::v1;
use meshgate_proto::v1::predicate::Kind;

use super::{MAXIMUM_DEPTH, MAXIMUM_NODES, Predicate, Reader, fits, is_comparable, literal};

/// What is wrong with a predicate's message. Never holds a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PredicateError {
    #[error("the predicate is nested too deeply")]
    TooDeep,
    #[error("the predicate has too many parts")]
    TooLarge,
    #[error("a part of the predicate is missing or of an unknown kind")]
    UnknownKind,
    #[error("the predicate names a column that is not there or cannot be compared")]
    Column,
    #[error("a literal of the predicate is not of its column's type")]
    Literal,
}

/// The message of a leak-proof predicate on columns of `schema`; `None` for all others.
pub fn to_message(expr: &Expr, schema: &Schema) -> Option<v1::Predicate> {
    message(&Reader::new(schema, &|_| true).read(expr, MAXIMUM_DEPTH)?)
}

/// The predicate of a message, on unqualified columns of `schema`.
///
/// Whether the columns are plain is for the caller to check: [`super::is_leak_proof`].
pub fn from_message(predicate: &v1::Predicate, schema: &Schema) -> Result<Expr, PredicateError> {
    Writer { schema, remaining: MAXIMUM_NODES }.expression(predicate, MAXIMUM_DEPTH)
}

fn message(predicate: &Predicate<'_>) -> Option<v1::Predicate> {
    let kind = match predicate {
        Predicate::Comparison { column, operator, literal } => Kind::Comparison(v1::Comparison {
            column: (*column).to_owned(),
            operator: operator_to_message(*operator)?.into(),
            literal: Some(literal::to_message(literal)?),
        }),
        Predicate::InList { column, literals, negated } => Kind::InList(v1::InList {
            column: (*column).to_owned(),
            literals: literals.iter().map(|value| literal::to_message(value)).collect::<Option<_>>()?,
            negated: *negated,
        }),
        Predicate::NullTest { column, negated } => {
            Kind::NullTest(v1::NullTest { column: (*column).to_owned(), negated: *negated })
        }
        Predicate::All(terms) => Kind::All(messages(terms)?),
        Predicate::Any(terms) => Kind::Any(messages(terms)?),
        Predicate::Not(inner) => Kind::Not(Box::new(message(inner)?)),
    };
    Some(v1::Predicate { kind: Some(kind) })
}

fn messages(terms: &[Predicate<'_>]) -> Option<v1::Predicates> {
    Some(v1::Predicates { predicates: terms.iter().map(message).collect::<Option<_>>()? })
}

fn operator_to_message(operator: Operator) -> Option<v1::ComparisonOperator> {
    Some(match operator {
        Operator::Eq => v1::ComparisonOperator::Equal,
        Operator::NotEq => v1::ComparisonOperator::NotEqual,
        Operator::Lt => v1::ComparisonOperator::Less,
        Operator::LtEq => v1::ComparisonOperator::LessOrEqual,
        Operator::Gt => v1::ComparisonOperator::Greater,
        Operator::GtEq => v1::ComparisonOperator::GreaterOrEqual,
        _ => return None,
    })
}

fn operator_from_message(operator: v1::ComparisonOperator) -> Option<Operator> {
    Some(match operator {
        v1::ComparisonOperator::Unspecified => return None,
        v1::ComparisonOperator::Equal => Operator::Eq,
        v1::ComparisonOperator::NotEqual => Operator::NotEq,
        v1::ComparisonOperator::Less => Operator::Lt,
        v1::ComparisonOperator::LessOrEqual => Operator::LtEq,
        v1::ComparisonOperator::Greater => Operator::Gt,
        v1::ComparisonOperator::GreaterOrEqual => Operator::GtEq,
    })
}

/// Builds expressions from messages, within the bounds on nodes and depth.
struct Writer<'a> {
    schema: &'a Schema,
    remaining: usize,
}

impl<'a> Writer<'a> {
    fn expression(&mut self, predicate: &v1::Predicate, depth: usize) -> Result<Expr, PredicateError> {
        let depth = depth.checked_sub(1).ok_or(PredicateError::TooDeep)?;
        self.spend(1)?;
        match predicate.kind.as_ref().ok_or(PredicateError::UnknownKind)? {
            Kind::Comparison(comparison) => self.comparison(comparison),
            Kind::InList(list) => self.in_list(list),
            Kind::NullTest(test) => {
                let (column, _) = self.column(&test.column)?;
                let column = Box::new(column);
                Ok(if test.negated { Expr::IsNotNull(column) } else { Expr::IsNull(column) })
            }
            Kind::All(terms) => self.junction(Operator::And, &terms.predicates, depth),
            Kind::Any(terms) => self.junction(Operator::Or, &terms.predicates, depth),
            Kind::Not(inner) => Ok(Expr::Not(Box::new(self.expression(inner, depth)?))),
        }
    }

    fn spend(&mut self, nodes: usize) -> Result<(), PredicateError> {
        self.remaining = self.remaining.checked_sub(nodes).ok_or(PredicateError::TooLarge)?;
        Ok(())
    }

    fn junction(
        &mut self,
        operator: Operator,
        terms: &[v1::Predicate],
        depth: usize,
    ) -> Result<Expr, PredicateError> {
        let terms = terms.iter().map(|term| self.expression(term, depth)).collect::<Result<_, _>>()?;
        Ok(crate::junction::balanced(operator, terms).unwrap_or_else(|| lit(operator == Operator::And)))
    }

    fn comparison(&mut self, comparison: &v1::Comparison) -> Result<Expr, PredicateError> {
        let operator = operator_from_message(comparison.operator()).ok_or(PredicateError::UnknownKind)?;
        let (column, field) = self.column(&comparison.column)?;
        let literal = comparison.literal.as_ref().ok_or(PredicateError::UnknownKind)?;
        let literal = Expr::Literal(value(literal, field)?, None);
        Ok(Expr::BinaryExpr(BinaryExpr::new(Box::new(column), operator, Box::new(literal))))
    }

    fn in_list(&mut self, list: &v1::InList) -> Result<Expr, PredicateError> {
        self.spend(list.literals.len())?;
        let (column, field) = self.column(&list.column)?;
        if list.literals.is_empty() {
            return Err(PredicateError::UnknownKind);
        }
        let values = list
            .literals
            .iter()
            .map(|literal| Ok(Expr::Literal(value(literal, field)?, None)))
            .collect::<Result<_, _>>()?;
        Ok(Expr::InList(InList::new(Box::new(column), values, list.negated)))
    }

    fn column(&self, name: &str) -> Result<(Expr, &'a Field), PredicateError> {
        let (_, field) = self.schema.column_with_name(name).ok_or(PredicateError::Column)?;
        if !is_comparable(field.data_type()) {
            return Err(PredicateError::Column);
        }
        Ok((Expr::Column(Column::new_unqualified(name)), field))
    }
}

fn value(literal: &v1::Literal, field: &Field) -> Result<ScalarValue, PredicateError> {
    let data_type: &DataType = field.data_type();
    literal::from_message(literal, data_type)
        .filter(|value| fits(value, field))
        .ok_or(PredicateError::Literal)
}
