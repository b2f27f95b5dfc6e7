//! Semi-join reduction, as disclosures allow: which joins may tell one domain
//! what keys of another one they look for.
//!
//! A pass over the finished operators, by positions of columns and not by
//! names. It looks at each hash join: are the keys of its build side values of
//! one column, which its owner discloses to the domain that the probe side
//! comes from? Then the join's own filter goes into that domain query, which
//! reads it when its first row is asked for. Without a disclosure there is
//! nothing that could be read: the plan stays as it is.

pub(super) mod answered;
mod paths;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::{
    common::{
        NullEquality, Result,
        tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    },
    physical_expr::{
        PhysicalExpr,
        expressions::{Column, DynamicFilterPhysicalExpr, lit},
    },
    physical_plan::{ExecutionPlan, joins::HashJoinExec},
};
use meshgate_policies::JoinKeys;

use crate::query::{Disclosure, DomainQueryExec, Reduction, SourceColumn};

/// The plan with domain queries that ask for no more than joins need, as far as owners allow.
pub(super) fn reduce(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let reduced = plan.transform_up(|node| {
        let reduced = node.downcast_ref::<HashJoinExec>().map(reduced_join).transpose()?.flatten();
        Ok(match reduced {
            Some(join) => Transformed::yes(join),
            None => Transformed::no(node),
        })
    })?;
    Ok(reduced.data)
}

/// What the plan's joins may tell, each once.
pub(super) fn disclosures(plan: &Arc<dyn ExecutionPlan>) -> Result<Vec<Disclosure>> {
    let mut found: Vec<Disclosure> = Vec::new();
    plan.apply(|node| {
        let query = node.downcast_ref::<DomainQueryExec>();
        for reduction in query.iter().flat_map(|query| query.reductions()) {
            if !found.contains(&reduction.disclosure) {
                found.push(reduction.disclosure.clone());
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

/// The join, with a filter that its probe side's domain is told; `None` if there is nothing to tell.
fn reduced_join(join: &HashJoinExec) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    if !may_lose_probe_rows(join) {
        return Ok(None);
    }
    let keys = join.on().iter().map(|(_, probe)| Arc::clone(probe)).collect();
    let filter = Arc::new(DynamicFilterPhysicalExpr::new(keys, lit(true)));
    let mut right = None;
    for (build, probe) in join.on() {
        let (Some(build), Some(probe)) = (column(build), column(probe)) else { continue };
        let Some(source) = paths::source(join.left(), build.index()) else { continue };
        let reduced =
            paths::with_query(right.as_ref().unwrap_or(join.right()), probe.index(), &|query, position| {
                let disclosure = disclosure(source, query, position)?;
                let filter = Arc::clone(&filter);
                Some(query.reduced_by(Reduction { filter, key: probe.clone(), position, disclosure }))
            })?;
        right = reduced.or(right);
    }
    let Some(right) = right else { return Ok(None) };
    let join = join.builder().with_new_children(vec![Arc::clone(join.left()), right])?.build()?;
    Ok(Some(Arc::new(join.with_dynamic_filter_expr(filter)?)))
}

/// Does the join give the same without rows of its probe side that have no partner? Where NULL
/// finds partners, or one NULL decides about all rows, it is left alone.
fn may_lose_probe_rows(join: &HashJoinExec) -> bool {
    let (_, probe_is_filtered) = join.join_type().on_lr_is_preserved();
    probe_is_filtered && !join.null_aware && join.null_equality() == NullEquality::NullEqualsNothing
}

fn column(key: &Arc<dyn PhysicalExpr>) -> Option<&Column> {
    key.downcast_ref()
}

/// What the domain of `query` may be told of `source` in a condition on the column at `position`.
fn disclosure(source: &SourceColumn, query: &DomainQueryExec, position: usize) -> Option<Disclosure> {
    let to_domain = &query.query().domain;
    let keys: JoinKeys = *source.disclosed.get(to_domain)?;
    let field = query.query().schema.fields().get(position)?;
    let takes = query.column(position)?.takes_conditions && has_one_equality(field.data_type());
    takes.then(|| Disclosure { of: source.name.clone(), to_domain: to_domain.clone(), keys })
}

/// Floats have zeros that are equal and not the same, and NaN: what a comparison says of them
/// depends on who makes it.
fn has_one_equality(data_type: &DataType) -> bool {
    !data_type.is_floating() && !data_type.is_nested()
}
