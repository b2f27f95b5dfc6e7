//! Semi-join reduction: a domain is asked only for rows that a join can use.
//!
//! What is known of the join's keys when the first row is asked for, after the
//! build side is complete, becomes a condition of the domain query. These are
//! values of another domain: only what its owner discloses is told, and the
//! condition never decides about the answer. It can always be left out.

use std::{cmp::Ordering, sync::Arc};

use datafusion::{
    common::{Column, ScalarValue},
    logical_expr::{Expr, and, expr::InList, lit},
    physical_expr::expressions::{self, DynamicFilterPhysicalExpr},
};
use futures::FutureExt;
use meshgate_engine::predicate;
use meshgate_policies::{Disclosed, JoinKeys};

use super::{DomainQuery, QueryContext, known_keys::KnownKeys};

/// A column of a domain query's answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct AnsweredColumn {
    /// As a condition on the answer names it.
    pub name: Column,
    /// May the domain be asked for some of its values only?
    pub takes_conditions: bool,
    /// The column whose values these are, whatever else the domain query does.
    pub source: Option<SourceColumn>,
}

/// A column of a domain's table of which something may be told.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct SourceColumn {
    /// `domain.table.column`
    pub name: String,
    pub disclosed: Disclosed,
}

/// What one key of a join tells a domain.
#[derive(Debug, Clone)]
pub(crate) struct Reduction {
    /// What the join knows of its keys once it has read its build side.
    pub filter: Arc<DynamicFilterPhysicalExpr>,
    /// The key, as `filter` names it.
    pub key: expressions::Column,
    /// The position of the key in the domain query's answer.
    pub position: usize,
    pub disclosure: Disclosure,
}

/// What may be told of which column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Disclosure {
    /// `domain.table.column` whose values are told.
    pub of: String,
    pub to_domain: String,
    pub keys: JoinKeys,
}

/// What was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub disclosure: Disclosure,
    /// How many values; of bounds at most two.
    pub values: usize,
}

/// `query` with the conditions that are known now. What they disclose is noted in `context`.
pub(super) fn reduced(
    mut query: Arc<DomainQuery>,
    columns: &[AnsweredColumn],
    reductions: &[Reduction],
    context: &QueryContext,
) -> Arc<DomainQuery> {
    for reduction in reductions {
        let Some(column) = columns.get(reduction.position) else { continue };
        if let Some((reduced, values)) = reduction.apply(&query, &column.name) {
            context.tell(Told { disclosure: reduction.disclosure.clone(), values });
            query = Arc::new(reduced);
        }
    }
    query
}

impl Reduction {
    fn apply(&self, query: &DomainQuery, column: &Column) -> Option<(DomainQuery, usize)> {
        // Before the build side is complete, nothing is known; there is nothing to wait for then,
        // because a join asks for the first row after it.
        self.filter.wait_complete().now_or_never()?;
        let current = self.filter.current().ok()?;
        let field = query.schema.fields().get(self.position)?;
        let known = KnownKeys::of(&current, &self.key, field.data_type());
        let KnownKeys { least, greatest, values } = known;
        let values = values.filter(|values| self.disclosure.keys == JoinKeys::Values && !values.is_empty());
        let bounds = bounds(column, least, greatest);
        let listed = values.map(|values| (values.len(), is_one_of(column, values)));
        let all = listed.map(|(count, list)| match &bounds {
            Some((_, bounds)) => (count, and(bounds.clone(), list)),
            None => (count, list),
        });
        // A list may be too long for a message; bounds never are.
        [all, bounds].into_iter().flatten().find_map(|(count, condition)| {
            let is_harmless = predicate::is_leak_proof(&condition, &query.schema, &|_| true);
            is_harmless.then(|| query.where_too(&condition)).flatten().map(|reduced| (reduced, count))
        })
    }
}

/// How many bounds there are, and the condition.
fn bounds(
    column: &Column,
    least: Option<ScalarValue>,
    greatest: Option<ScalarValue>,
) -> Option<(usize, Expr)> {
    let key = || Expr::Column(column.clone());
    match (least, greatest) {
        (Some(least), Some(greatest)) => Some((2, and(key().gt_eq(lit(least)), key().lt_eq(lit(greatest))))),
        (Some(least), None) => Some((1, key().gt_eq(lit(least)))),
        (None, Some(greatest)) => Some((1, key().lt_eq(lit(greatest)))),
        (None, None) => None,
    }
}

/// In order: which of them came first depends on threads.
fn is_one_of(column: &Column, mut values: Vec<ScalarValue>) -> Expr {
    values.sort_by(|left, right| left.partial_cmp(right).unwrap_or(Ordering::Equal));
    let list = values.into_iter().map(lit).collect();
    Expr::InList(InList::new(Box::new(Expr::Column(column.clone())), list, false))
}
