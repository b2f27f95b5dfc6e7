//! Inner joins that lie next to each other, and semi and anti joins over them: what they join, and by what.

use std::sync::Arc;

use datafusion::{
    common::{DFSchemaRef, Result},
    logical_expr::{
        BinaryExpr, Expr, Filter, Join, LogicalPlan, Operator, Projection,
        utils::{conjunction, split_conjunction_owned},
    },
};

use super::{
    is_free, is_region, is_test,
    order::{self, Key},
};

/// Inputs of inner joins, all conditions over them, and the semi and anti joins, the innermost first.
pub(super) struct Region {
    schema: DFSchemaRef,
    leaves: Vec<LogicalPlan>,
    keys: Vec<Key>,
    conditions: Vec<Expr>,
    tests: Vec<Join>,
}

impl Region {
    /// Of inner joins, and the condition above them.
    pub(super) fn new(joins: LogicalPlan, above: Option<Expr>) -> Self {
        let schema = Arc::clone(joins.schema());
        let mut region =
            Self { schema, leaves: Vec::new(), keys: Vec::new(), conditions: Vec::new(), tests: Vec::new() };
        region.take(joins);
        above.into_iter().for_each(|condition| region.condition(condition));
        region
    }

    fn take(&mut self, plan: LogicalPlan) {
        match plan {
            LogicalPlan::Join(join) if is_free(&join) => {
                let Join { left, right, on, filter, .. } = join;
                self.take(Arc::unwrap_or_clone(left));
                self.take(Arc::unwrap_or_clone(right));
                self.keys.extend(on.into_iter().map(|(left, right)| Key::of_join(left, right)));
                filter.into_iter().for_each(|condition| self.condition(condition));
            }
            LogicalPlan::Join(join) if is_test(&join) && is_region(&join.left) => {
                self.take(join.left.as_ref().clone());
                self.tests.push(join);
            }
            leaf => self.leaves.push(leaf),
        }
    }

    fn condition(&mut self, condition: Expr) {
        for condition in split_conjunction_owned(condition) {
            let pairs = in_every_case(&condition);
            self.keys.extend(pairs.into_iter().map(|(left, right)| Key::of_condition(left, right)));
            self.conditions.push(condition);
        }
    }

    /// The same with other inputs that give the same.
    pub(super) fn map_inputs(mut self, change: impl Fn(LogicalPlan) -> Result<LogicalPlan>) -> Result<Self> {
        self.leaves = self.leaves.into_iter().map(&change).collect::<Result<_>>()?;
        for test in &mut self.tests {
            test.right = Arc::new(change(test.right.as_ref().clone())?);
        }
        Ok(self)
    }

    /// The joins in their order, under the conditions that no join could take.
    pub(super) fn joined(self) -> Result<LogicalPlan> {
        let Self { schema, leaves, keys, mut conditions, tests } = self;
        let (mut plan, keys) = order::join(leaves, keys, &conditions, tests)?;
        conditions.retain(|condition| !keys.iter().any(|key| key.has_taken(condition)));
        conditions.extend(keys.into_iter().filter_map(Key::left_over));
        if plan.schema() != &schema {
            plan = LogicalPlan::Projection(Projection::new_from_schema(Arc::new(plan), schema));
        }
        match conjunction(conditions) {
            Some(condition) => Ok(LogicalPlan::Filter(Filter::try_new(condition, Arc::new(plan))?)),
            None => Ok(plan),
        }
    }
}

/// Equalities that hold in each branch of a disjunction.
fn in_every_case(condition: &Expr) -> Vec<(Expr, Expr)> {
    match condition {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            let right = in_every_case(right);
            in_every_case(left)
                .into_iter()
                .filter(|pair| right.iter().any(|other| is_same(pair, other)))
                .collect()
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
            let mut pairs = in_every_case(left);
            pairs.extend(in_every_case(right));
            pairs
        }
        // Columns that equal one value are no reason to join their tables: all rows of the one meet all of the other.
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right })
            if [left, right].iter().all(|side| !side.is_volatile() && !side.column_refs().is_empty()) =>
        {
            vec![(left.as_ref().clone(), right.as_ref().clone())]
        }
        _ => Vec::new(),
    }
}

fn is_same(one: &(Expr, Expr), other: &(Expr, Expr)) -> bool {
    one == other || (&one.0, &one.1) == (&other.1, &other.0)
}
