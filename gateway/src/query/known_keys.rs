//! What a hash join knows of its keys once it has read its build side.
//!
//! The engine tells it as an expression on the probe side, in several shapes.
//! Read is only what is understood: bounds and lists of values of one key.
//! Whatever else stands there is taken for true, so that what comes out lets
//! at least those rows pass that the join can use.

use std::{cmp::Ordering, collections::HashSet, sync::Arc};

use arrow::datatypes::DataType;
use datafusion::{
    common::ScalarValue,
    logical_expr::Operator,
    physical_expr::{
        PhysicalExpr,
        expressions::{BinaryExpr, CaseExpr, Column, InListExpr, Literal},
    },
};

/// Most values of a key that are told one by one.
pub(crate) const VALUES_MAX: usize = 5_000;
/// Nesting of the expression that is looked into.
const DEPTH_MAX: usize = 64;

/// What is known of the values of a key. What is `None` is not known.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct KnownKeys {
    pub(super) least: Option<ScalarValue>,
    pub(super) greatest: Option<ScalarValue>,
    /// Each once, NULL not among them.
    pub(super) values: Option<Vec<ScalarValue>>,
}

/// A key on the probe side, as the expression names it.
struct Key<'a> {
    column: &'a Column,
    data_type: &'a DataType,
}

impl KnownKeys {
    /// What `expression` says of the key `column`.
    pub(super) fn of(expression: &Arc<dyn PhysicalExpr>, column: &Column, data_type: &DataType) -> Self {
        Key { column, data_type }.known(expression, DEPTH_MAX)
    }

    /// No row fits.
    fn nothing() -> Self {
        Self { values: Some(Vec::new()), ..Self::default() }
    }

    fn is_nothing(&self) -> bool {
        self.values.as_ref().is_some_and(Vec::is_empty)
    }

    /// Both hold: what one of them does not know, the other may.
    fn and(self, other: Self) -> Self {
        Self {
            least: self.least.or(other.least),
            greatest: self.greatest.or(other.greatest),
            values: self.values.or(other.values),
        }
    }

    /// One of them holds: known is only what both know.
    fn or(self, other: Self) -> Self {
        match (self.is_nothing(), other.is_nothing()) {
            (true, _) => return other,
            (_, true) => return self,
            (false, false) => {}
        }
        let values = self.values.zip(other.values).map(|(mut values, others)| {
            values.extend(others);
            values
        });
        Self {
            least: extreme(self.least, other.least, Ordering::Less),
            greatest: extreme(self.greatest, other.greatest, Ordering::Greater),
            values: values.and_then(distinct),
        }
    }
}

impl Key<'_> {
    fn known(&self, expression: &Arc<dyn PhysicalExpr>, depth: usize) -> KnownKeys {
        let Some(depth) = depth.checked_sub(1) else { return KnownKeys::default() };
        if let Some(binary) = expression.downcast_ref::<BinaryExpr>() {
            let sides = || (self.known(binary.left(), depth), self.known(binary.right(), depth));
            return match binary.op() {
                Operator::And => {
                    let (left, right) = sides();
                    left.and(right)
                }
                Operator::Or => {
                    let (left, right) = sides();
                    left.or(right)
                }
                operator => self.bound(binary, *operator),
            };
        }
        if let Some(list) = expression.downcast_ref::<InListExpr>() {
            return KnownKeys { values: self.values(list), ..KnownKeys::default() };
        }
        // Which branch a row takes depends on its hash: it passes if it would in any of them.
        if let Some(case) = expression.downcast_ref::<CaseExpr>() {
            let results = case.when_then_expr().iter().map(|(_, result)| result).chain(case.else_expr());
            return results.map(|result| self.known(result, depth)).reduce(KnownKeys::or).unwrap_or_default();
        }
        match literal(expression) {
            Some(ScalarValue::Boolean(Some(false))) => KnownKeys::nothing(),
            _ => KnownKeys::default(),
        }
    }

    fn bound(&self, binary: &BinaryExpr, operator: Operator) -> KnownKeys {
        let value = literal(binary.right()).filter(|value| self.is_value(value)).cloned();
        match operator {
            _ if !self.is_key(binary.left()) => KnownKeys::default(),
            Operator::GtEq => KnownKeys { least: value, ..KnownKeys::default() },
            Operator::LtEq => KnownKeys { greatest: value, ..KnownKeys::default() },
            _ => KnownKeys::default(),
        }
    }

    fn values(&self, list: &InListExpr) -> Option<Vec<ScalarValue>> {
        if list.negated() || !self.is_key(list.expr()) {
            return None;
        }
        let literals: Option<Vec<_>> = list.list().iter().map(literal).collect();
        // NULL equals nothing.
        let values: Vec<_> = literals?.into_iter().filter(|value| !value.is_null()).cloned().collect();
        if values.iter().all(|value| self.is_value(value)) { distinct(values) } else { None }
    }

    fn is_key(&self, expression: &Arc<dyn PhysicalExpr>) -> bool {
        expression.downcast_ref::<Column>() == Some(self.column)
    }

    fn is_value(&self, value: &ScalarValue) -> bool {
        !value.is_null() && value.data_type() == *self.data_type
    }
}

fn literal(expression: &Arc<dyn PhysicalExpr>) -> Option<&ScalarValue> {
    expression.downcast_ref::<Literal>().map(Literal::value)
}

/// The one of two values that is `which` than the other; not known if they do not compare.
fn extreme(one: Option<ScalarValue>, other: Option<ScalarValue>, which: Ordering) -> Option<ScalarValue> {
    let (one, other) = one.zip(other)?;
    let order = one.partial_cmp(&other)?;
    Some(if order == which { one } else { other })
}

/// Each value once, unless they are too many.
fn distinct(values: Vec<ScalarValue>) -> Option<Vec<ScalarValue>> {
    let mut seen = HashSet::with_capacity(values.len());
    let distinct: Vec<_> = values.into_iter().filter(|value| seen.insert(value.clone())).collect();
    (distinct.len() <= VALUES_MAX).then_some(distinct)
}

#[cfg(test)]
mod tests;
