//! Membership in the keys of a lookup. An expression is lowered before its
//! keys are there, because only those that a query uses are computed.

use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, LazyLock};

use arrow::datatypes::DataType;
use datafusion::common::error::Result;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{exec_err, internal_err};
use datafusion::logical_expr::expr::{InList, ScalarFunction};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::KeySet;

/// Up to this many keys are written as a list: a source can skip what holds none of them.
const LISTED_KEYS: usize = 20;

/// Membership of `value` in a lookup whose keys are not there yet; computing it fails.
pub(super) fn without_keys(lookup: &str, value: Expr) -> Expr {
    invoke(InLookup::new(lookup, None), value)
}

/// Names of the lookups in a lowered expression.
pub fn lookups_in(expr: &Expr) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    // The closure never fails.
    let _ = expr.apply(|expr| {
        names.extend(in_lookup(expr).map(|(function, _)| function.lookup.clone()));
        Ok(TreeNodeRecursion::Continue)
    });
    names
}

/// A lowered expression with the keys of all its lookups.
pub fn with_keys(expr: Expr, keys: &dyn Fn(&str) -> Option<Arc<KeySet>>) -> Result<Expr> {
    expr.transform_up(|expr| {
        let Some((function, value)) = in_lookup(&expr) else { return Ok(Transformed::no(expr)) };
        match keys(&function.lookup) {
            Some(keys) => Ok(Transformed::yes(membership(&function.lookup, value.clone(), keys)?)),
            None => internal_err!("the keys of a lookup are missing"),
        }
    })
    .data()
}

fn in_lookup(expr: &Expr) -> Option<(&InLookup, &Expr)> {
    let Expr::ScalarFunction(ScalarFunction { func, args }) = expr else { return None };
    let (function, [value]) = (func.inner().downcast_ref::<InLookup>()?, args.as_slice()) else {
        return None;
    };
    Some((function, value))
}

fn membership(lookup: &str, value: Expr, keys: Arc<KeySet>) -> Result<Expr> {
    if !keys.has_null() && (1..=LISTED_KEYS).contains(&keys.len()) {
        let list = keys.values()?.into_iter().map(|key| Expr::Literal(key, None)).collect();
        return Ok(Expr::InList(InList::new(Box::new(value), list, false)));
    }
    Ok(invoke(InLookup::new(lookup, Some(keys)), value))
}

fn invoke(function: InLookup, value: Expr) -> Expr {
    Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(ScalarUDF::new_from_impl(function)), vec![value]))
}

#[derive(Debug)]
struct InLookup {
    lookup: String,
    /// Names the lookup: texts of plans tell one from another.
    name: String,
    keys: Option<Arc<KeySet>>,
}

impl InLookup {
    fn new(lookup: &str, keys: Option<Arc<KeySet>>) -> Self {
        Self { lookup: lookup.to_owned(), name: format!("in_lookup_{lookup}"), keys }
    }
}

/// Two sets are the same only if they are one: what is equal may be computed once.
impl PartialEq for InLookup {
    fn eq(&self, other: &Self) -> bool {
        let same_keys = match (&self.keys, &other.keys) {
            (Some(keys), Some(others)) => Arc::ptr_eq(keys, others),
            (None, None) => true,
            _ => false,
        };
        self.lookup == other.lookup && same_keys
    }
}

impl Eq for InLookup {}

impl Hash for InLookup {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.lookup.hash(state);
        self.keys.as_ref().map(Arc::as_ptr).hash(state);
    }
}

impl ScalarUDFImpl for InLookup {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        static ANY_ONE: LazyLock<Signature> = LazyLock::new(|| Signature::any(1, Volatility::Immutable));
        &ANY_ONE
    }

    fn return_type(&self, values: &[DataType]) -> Result<DataType> {
        match (values, &self.keys) {
            ([value], Some(keys)) if value == keys.data_type() => Ok(DataType::Boolean),
            ([_], None) => Ok(DataType::Boolean),
            _ => internal_err!("a value of another type than the keys"),
        }
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(keys) = &self.keys else { return exec_err!("the keys of a lookup are missing") };
        let arrays = ColumnarValue::values_to_arrays(&arguments.args)?;
        match arrays.as_slice() {
            [values] => Ok(ColumnarValue::Array(Arc::new(keys.contains(values)?))),
            _ => internal_err!("in_lookup takes one value"),
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
    use arrow::datatypes::{Field, Schema};
    use datafusion::common::DFSchema;
    use datafusion::execution::context::ExecutionProps;
    use datafusion::execution::memory_pool::{MemoryPool, UnboundedMemoryPool};
    use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
    use datafusion::physical_expr::{PhysicalExpr, create_physical_expr};
    use meshgate_policies::DataType as PolicyType;
    use meshgate_policies::expression::{Expr as PolicyExpr, Literal};

    use super::*;
    use crate::lower::lower;

    fn keys(keys: impl IntoIterator<Item = Option<i64>>) -> Arc<KeySet> {
        let pool: Arc<dyn MemoryPool> = Arc::new(UnboundedMemoryPool::default());
        let keys: ArrayRef = Arc::new(Int64Array::from_iter(keys));
        Arc::new(KeySet::try_new(keys, &pool).unwrap())
    }

    fn schema() -> Arc<Schema> {
        Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, true)]))
    }

    fn id() -> PolicyExpr {
        PolicyExpr::Column { index: 0, name: "id".into(), data_type: PolicyType::Int64 }
    }

    fn physical(expr: &Expr) -> Arc<dyn PhysicalExpr> {
        let named = DFSchema::try_from(schema()).unwrap();
        create_physical_expr(expr, &named, &ExecutionProps::new(), &PhysicalPlanningContext::default())
            .unwrap()
    }

    fn evaluate(expr: &Expr) -> Result<Vec<Option<bool>>> {
        let values = Int64Array::from(vec![Some(1), Some(2), None]);
        let batch = RecordBatch::try_new(schema(), vec![Arc::new(values)])?;
        let result = physical(expr).evaluate(&batch)?.into_array(batch.num_rows())?;
        Ok(result.as_boolean().iter().collect())
    }

    fn in_lookup(value: PolicyExpr) -> PolicyExpr {
        PolicyExpr::InLookup { lookup: "ids".into(), expr: Box::new(value) }
    }

    fn with(expr: &PolicyExpr, set: &Arc<KeySet>) -> Expr {
        let lowered = lower(expr).unwrap();
        assert_eq!(lookups_in(&lowered), BTreeSet::from(["ids".to_owned()]));
        with_keys(lowered, &|name| (name == "ids").then(|| Arc::clone(set))).unwrap()
    }

    #[test]
    fn a_list_a_set_and_their_negations_are_three_valued() {
        let (yes, no) = (Some(true), Some(false));
        let many = || (1..1000).step_by(2).map(Some);
        for (set, expected) in [
            (keys([Some(1)]), [yes, no, None]),
            (keys(many()), [yes, no, None]),
            (keys([]), [no, no, None]),
            (keys([None]), [None, None, None]),
            (keys([Some(1), None]), [yes, None, None]),
            (keys(many().chain([None])), [yes, None, None]),
        ] {
            let member = in_lookup(id());
            assert_eq!(evaluate(&with(&member, &set)).unwrap(), expected, "{set:?}");
            let negated = expected.map(|member| member.map(|member| !member));
            assert_eq!(evaluate(&with(&PolicyExpr::Not(Box::new(member)), &set)).unwrap(), negated);
        }
    }

    #[test]
    fn a_value_that_is_no_column() {
        let two = PolicyExpr::Literal(Literal::Integer { value: 2, data_type: PolicyType::Int64 });
        for set in [keys([Some(2)]), keys((0..1000).map(Some))] {
            assert_eq!(evaluate(&with(&in_lookup(two.clone()), &set)).unwrap(), [Some(true); 3]);
        }
    }

    #[test]
    fn without_its_keys_nothing_is_computed() {
        let lowered = lower(&in_lookup(id())).unwrap();
        evaluate(&lowered).unwrap_err();
        with_keys(lowered, &|_| None).unwrap_err();
    }

    #[test]
    fn two_sets_are_two_functions_and_plans_show_no_key() {
        let many = keys((0..1000).map(Some));
        let (one, same, other) = (
            with(&in_lookup(id()), &many),
            with(&in_lookup(id()), &many),
            with(&in_lookup(id()), &keys((0..1000).map(Some))),
        );
        assert_eq!(one, same);
        assert_ne!(one, other);
        assert_eq!(physical(&one).to_string(), "in_lookup_ids(id@0)");
        assert!(!format!("{one:?}").contains("999"));
    }
}
