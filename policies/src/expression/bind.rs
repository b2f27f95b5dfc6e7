//! Puts the caller and the statement into an expression.

use std::collections::BTreeSet;

use super::{Expr, Literal, Parameter, fold, types::integer_type, types::per_second};
use crate::{ClaimValue, DataType, Principal, Statement, data_type::TimeUnit};

/// Who asks, and when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller<'a> {
    pub(crate) principal: &'a Principal,
    pub(crate) statement: &'a Statement,
}

impl Caller<'_> {
    /// The expression without parameters; what does not depend on the row is
    /// computed. A claim that is missing is NULL here: whether the rule applies
    /// at all without it has been decided before.
    pub(crate) fn bind(&self, expr: &Expr) -> Expr {
        let bound = match expr {
            Expr::Column { .. } | Expr::Literal(_) | Expr::Null(_) => return expr.clone(),
            Expr::Parameter { parameter, data_type } => return self.parameter(parameter, data_type),
            Expr::InClaim { claim, expr } => self.membership(claim, expr),
            other => other.map_children(&|child| self.bind(child)),
        };
        fold::fold(bound)
    }

    fn parameter(&self, parameter: &Parameter, data_type: &DataType) -> Expr {
        let literal = match parameter {
            Parameter::Claim(name) => self.claim(name, data_type),
            Parameter::Subject => Some(Literal::Text(self.principal.subject.clone())),
            Parameter::Purpose => self.principal.purpose.clone().map(Literal::Text),
            Parameter::HasRole(role) => Some(Literal::Boolean(self.principal.roles.contains(role))),
            Parameter::Today => self.statement.today().map(Literal::Date),
            Parameter::Now => self.now(data_type),
        };
        literal.map_or_else(|| Expr::Null(data_type.clone()), Expr::Literal)
    }

    fn claim(&self, name: &str, data_type: &DataType) -> Option<Literal> {
        match (self.principal.claims.get(name)?, data_type) {
            (ClaimValue::Text(text), DataType::Text) => Some(Literal::Text(text.clone())),
            (ClaimValue::Integer(value), DataType::Int64) => {
                Some(Literal::Integer { value: i128::from(*value), data_type: DataType::Int64 })
            }
            (ClaimValue::Boolean(value), DataType::Boolean) => Some(Literal::Boolean(*value)),
            (ClaimValue::Date(days), DataType::Date) => Some(Literal::Date(*days)),
            _ => None,
        }
    }

    /// The instant in the resolution of `data_type`; without a zone the reading
    /// of a clock in the mesh's zone. Rounded down.
    fn now(&self, data_type: &DataType) -> Option<Literal> {
        let DataType::Timestamp { unit, zone } = data_type else { return None };
        let microseconds = match zone {
            Some(_) => self.statement.instant,
            None => self.statement.clock()?,
        };
        let per_microsecond = i128::from(per_second(TimeUnit::Microsecond));
        let count = (i128::from(microseconds) * i128::from(per_second(*unit))).div_euclid(per_microsecond);
        let value = i64::try_from(count).ok()?;
        Some(Literal::Timestamp { value, data_type: data_type.clone() })
    }

    fn membership(&self, claim: &str, expr: &Expr) -> Expr {
        let expr = self.bind(expr);
        let data_type = expr.data_type();
        let list = match (self.principal.claims.get(claim), integer_type(&data_type)) {
            (Some(ClaimValue::Texts(texts)), None) => texts.iter().cloned().map(Literal::Text).collect(),
            // A number that the column cannot hold is in no row of it.
            (Some(ClaimValue::Integers(integers)), Some(integer)) => integers
                .iter()
                .map(|value| i128::from(*value))
                .filter(|value| integer.holds(*value))
                .map(|value| Literal::Integer { value, data_type: data_type.clone() })
                .collect(),
            _ => return Expr::Null(DataType::Boolean),
        };
        Expr::InList { expr: Box::new(expr), list, negated: false }
    }
}

/// The claims that an expression reads.
pub(crate) fn claims_of(expr: &Expr, claims: &mut BTreeSet<String>) {
    match expr {
        Expr::Parameter { parameter: Parameter::Claim(name), .. } | Expr::InClaim { claim: name, .. } => {
            claims.insert(name.clone());
        }
        _ => {}
    }
    for child in expr.children() {
        claims_of(child, claims);
    }
}

/// The lookups that an expression tests membership in.
pub(crate) fn lookups_of<'e>(expr: &'e Expr, lookups: &mut BTreeSet<&'e str>) {
    if let Expr::InLookup { lookup, .. } = expr {
        lookups.insert(lookup);
    }
    for child in expr.children() {
        lookups_of(child, lookups);
    }
}
