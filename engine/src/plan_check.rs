//! The last look at a logical plan: query operators only, functions and
//! operators of the classification only, and no larger than a bound.
//!
//! A session offers nothing else, so for plans of SQL this is a second lock.
//! For plans that come from elsewhere it is the only one. What tables there are
//! is the catalog's business.

#[cfg(test)]
mod tests;

use datafusion::common::ScalarValue;
use datafusion::common::error::Result as EngineResult;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::expr::WindowFunctionDefinition;
use datafusion::logical_expr::{Expr, LogicalPlan};

use crate::classification::{self, Kind, Offer};
use crate::scalar_or_null;

/// Operators of a plan, subqueries included.
const MAXIMUM_OPERATORS: usize = 5_000;
/// Operators on the way from the plan's top to a leaf.
const MAXIMUM_DEPTH: usize = 500;
/// Nodes of all expressions of a plan together.
const MAXIMUM_EXPRESSIONS: usize = 200_000;

/// Why a plan is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    #[error("the statement's plan has too many {what}: at most {limit} are accepted")]
    TooMany { what: &'static str, limit: usize },
    #[error("{operator} is not accepted: data is queried here with SELECT, WITH or VALUES")]
    NotAQuery { operator: &'static str },
    #[error("function {name} is not offered: see the list of functions in the documentation")]
    Function { name: String },
    #[error("operator {name} is not offered")]
    Operator { name: String },
    #[error("{what} is not offered")]
    Expression { what: &'static str },
    #[error("the plan cannot be read")]
    Unreadable,
}

/// Is `plan` a query that may run? Looks into subqueries.
pub fn check(plan: &LogicalPlan) -> Result<(), PlanError> {
    let mut walk = Walk::default();
    walk.depth(plan)?;
    let mut refusal = None;
    let walked = plan.apply_with_subqueries(|node| {
        Ok(match walk.operator(node).and_then(|()| walk.expressions(node)) {
            Ok(()) => TreeNodeRecursion::Continue,
            Err(error) => {
                refusal = Some(error);
                TreeNodeRecursion::Stop
            }
        })
    });
    match (refusal, walked) {
        (Some(error), _) => Err(error),
        (None, Ok(_)) => Ok(()),
        (None, Err(_)) => Err(PlanError::Unreadable),
    }
}

#[derive(Default)]
struct Walk {
    operators: usize,
    expressions: usize,
}

impl Walk {
    /// Without recursion, so that it can go before everything that recurses.
    fn depth(&self, plan: &LogicalPlan) -> Result<(), PlanError> {
        let mut level = vec![plan];
        let mut operators = 0_usize;
        for _ in 0..MAXIMUM_DEPTH {
            operators += level.len();
            if operators > MAXIMUM_OPERATORS {
                return Err(PlanError::TooMany { what: "operators", limit: MAXIMUM_OPERATORS });
            }
            level = level.into_iter().flat_map(LogicalPlan::inputs).collect();
            if level.is_empty() {
                return Ok(());
            }
        }
        Err(PlanError::TooMany { what: "levels", limit: MAXIMUM_DEPTH })
    }

    /// No catch-all: an operator that an upgrade adds does not compile here.
    fn operator(&mut self, node: &LogicalPlan) -> Result<(), PlanError> {
        self.operators += 1;
        if self.operators > MAXIMUM_OPERATORS {
            return Err(PlanError::TooMany { what: "operators", limit: MAXIMUM_OPERATORS });
        }
        let operator = match node {
            LogicalPlan::Projection(_)
            | LogicalPlan::Filter(_)
            | LogicalPlan::Window(_)
            | LogicalPlan::Aggregate(_)
            | LogicalPlan::Sort(_)
            | LogicalPlan::Join(_)
            | LogicalPlan::Repartition(_)
            | LogicalPlan::Union(_)
            | LogicalPlan::TableScan(_)
            | LogicalPlan::EmptyRelation(_)
            | LogicalPlan::Subquery(_)
            | LogicalPlan::SubqueryAlias(_)
            | LogicalPlan::Limit(_)
            | LogicalPlan::Values(_)
            | LogicalPlan::Distinct(_)
            | LogicalPlan::Unnest(_)
            | LogicalPlan::RecursiveQuery(_) => return Ok(()),
            LogicalPlan::Extension(_) => "an extension",
            LogicalPlan::Statement(_) => "a statement about the session",
            LogicalPlan::Explain(_) | LogicalPlan::Analyze(_) => "EXPLAIN",
            LogicalPlan::Dml(_) => "a change of data",
            LogicalPlan::Ddl(_) => "a change of the catalog",
            LogicalPlan::Copy(_) => "COPY",
            LogicalPlan::DescribeTable(_) => "DESCRIBE",
        };
        Err(PlanError::NotAQuery { operator })
    }

    fn expressions(&mut self, node: &LogicalPlan) -> Result<(), PlanError> {
        let mut refusal = None;
        let walked = node.apply_expressions(|expression| {
            let stop = self.expression(expression, &mut refusal)?;
            Ok(if stop { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        });
        match (refusal, walked) {
            (Some(error), _) => Err(error),
            (None, Ok(_)) => Ok(()),
            (None, Err(_)) => Err(PlanError::Unreadable),
        }
    }

    fn expression(&mut self, expression: &Expr, refusal: &mut Option<PlanError>) -> EngineResult<bool> {
        expression.apply(|inner| {
            self.expressions += 1;
            let outcome = if self.expressions > MAXIMUM_EXPRESSIONS {
                Err(PlanError::TooMany { what: "expressions", limit: MAXIMUM_EXPRESSIONS })
            } else {
                allowed(inner)
            };
            Ok(match outcome {
                Ok(()) => TreeNodeRecursion::Continue,
                Err(error) => {
                    *refusal = Some(error);
                    TreeNodeRecursion::Stop
                }
            })
        })?;
        Ok(refusal.is_some())
    }
}

/// No catch-all here either, for the same reason.
#[expect(deprecated, reason = "the wildcard is still a variant")]
fn allowed(expression: &Expr) -> Result<(), PlanError> {
    match expression {
        Expr::ScalarFunction(call) if classification::is_cast(call.func.name()) => cast_type(&call.args),
        Expr::ScalarFunction(call) => function(Kind::Scalar, call.func.name()),
        Expr::AggregateFunction(call) => function(Kind::Aggregate, call.func.name()),
        Expr::WindowFunction(call) => match &call.fun {
            WindowFunctionDefinition::AggregateUDF(inner) => function(Kind::Aggregate, inner.name()),
            WindowFunctionDefinition::WindowUDF(inner) => function(Kind::Window, inner.name()),
        },
        Expr::HigherOrderFunction(call) => function(Kind::HigherOrder, call.func.name()),
        Expr::BinaryExpr(binary) => match classification::operator(binary.op).offer {
            Offer::Allowed => Ok(()),
            Offer::AsCast | Offer::Refused(_) => Err(PlanError::Operator { name: binary.op.to_string() }),
        },
        Expr::ScalarVariable(_, _) => Err(PlanError::Expression { what: "a variable" }),
        Expr::Lambda(_) | Expr::LambdaVariable(_) => {
            Err(PlanError::Expression { what: "a function as a value" })
        }
        Expr::Alias(_)
        | Expr::Column(_)
        | Expr::Literal(_, _)
        | Expr::Like(_)
        | Expr::SimilarTo(_)
        | Expr::Not(_)
        | Expr::IsNotNull(_)
        | Expr::IsNull(_)
        | Expr::IsTrue(_)
        | Expr::IsFalse(_)
        | Expr::IsUnknown(_)
        | Expr::IsNotTrue(_)
        | Expr::IsNotFalse(_)
        | Expr::IsNotUnknown(_)
        | Expr::Negative(_)
        | Expr::Between(_)
        | Expr::Case(_)
        | Expr::Cast(_)
        | Expr::TryCast(_)
        | Expr::InList(_)
        | Expr::Exists(_)
        | Expr::InSubquery(_)
        | Expr::SetComparison(_)
        | Expr::ScalarSubquery(_)
        | Expr::Wildcard { .. }
        | Expr::GroupingSet(_)
        | Expr::Placeholder(_)
        | Expr::OuterReferenceColumn(_, _)
        | Expr::Unnest(_) => Ok(()),
    }
}

fn cast_type(arguments: &[Expr]) -> Result<(), PlanError> {
    let name = match arguments.get(1) {
        Some(Expr::Literal(ScalarValue::Utf8(Some(name)), _)) => name,
        _ => "",
    };
    let refused = PlanError::Expression { what: "a cast to this type" };
    if classification::is_cast_type(name) { Ok(()) } else { Err(refused) }
}

fn function(kind: Kind, name: &str) -> Result<(), PlanError> {
    // The planner's own function has no name in SQL.
    let planners = kind == Kind::Scalar && name == scalar_or_null::NAME;
    if planners || classification::is_allowed(kind, name) {
        Ok(())
    } else {
        Err(PlanError::Function { name: name.to_owned() })
    }
}
