//! The walk over expressions. No catch-all here either.

use std::collections::HashMap;

use datafusion::logical_expr::Operator;
use datafusion_proto::logical_plan::from_proto::from_proto_binary_op;
use datafusion_proto::protobuf::logical_expr_node::ExprType;
use datafusion_proto::protobuf::window_expr_node::WindowFunction;
use datafusion_proto::protobuf::{
    AggregateUdfExprNode, BinaryExprNode, CaseNode, LogicalExprNode, ScalarUdfExprNode, SortExprNode,
    SubqueryNode, WindowExprNode,
};

use super::literals::check_literal;
use super::{PlanFormError, Walk, check_name};
use crate::classification::{self, Kind, Offer};
use crate::scalar_or_null;

impl Walk {
    pub(super) fn expressions(&mut self, expressions: &[LogicalExprNode]) -> Result<(), PlanFormError> {
        expressions.iter().try_for_each(|expression| self.expression(expression))
    }

    pub(super) fn boxed(&mut self, expression: Option<&LogicalExprNode>) -> Result<(), PlanFormError> {
        self.expression(expression.ok_or(PlanFormError::Missing)?)
    }

    pub(super) fn optional(&mut self, expression: Option<&LogicalExprNode>) -> Result<(), PlanFormError> {
        expression.map_or(Ok(()), |expression| self.expression(expression))
    }

    pub(super) fn sorts(&mut self, sorts: &[SortExprNode]) -> Result<(), PlanFormError> {
        sorts.iter().try_for_each(|sort| self.boxed(sort.expr.as_ref()))
    }

    fn expression(&mut self, node: &LogicalExprNode) -> Result<(), PlanFormError> {
        self.count()?;
        let refused = |name| Err(PlanFormError::Expression(name));
        match node.expr_type.as_ref().ok_or(PlanFormError::Missing)? {
            ExprType::Column(column) => check_name(&column.name),
            ExprType::Alias(alias) => {
                check_name(&alias.alias)?;
                no_metadata(&alias.metadata)?;
                self.boxed(alias.expr.as_deref())
            }
            ExprType::Literal(literal) => check_literal(literal),
            ExprType::BinaryExpr(binary) => self.binary(binary),
            ExprType::IsNullExpr(test) => self.boxed(test.expr.as_deref()),
            ExprType::IsNotNullExpr(test) => self.boxed(test.expr.as_deref()),
            ExprType::IsTrue(test) => self.boxed(test.expr.as_deref()),
            ExprType::IsFalse(test) => self.boxed(test.expr.as_deref()),
            ExprType::IsUnknown(test) => self.boxed(test.expr.as_deref()),
            ExprType::IsNotTrue(test) => self.boxed(test.expr.as_deref()),
            ExprType::IsNotFalse(test) => self.boxed(test.expr.as_deref()),
            ExprType::IsNotUnknown(test) => self.boxed(test.expr.as_deref()),
            ExprType::NotExpr(not) => self.boxed(not.expr.as_deref()),
            ExprType::Negative(negative) => self.boxed(negative.expr.as_deref()),
            ExprType::Between(between) => {
                self.boxed(between.expr.as_deref())?;
                self.boxed(between.low.as_deref())?;
                self.boxed(between.high.as_deref())
            }
            ExprType::Case(case) => self.case(case),
            ExprType::Cast(cast) => {
                no_metadata(&cast.metadata)?;
                self.boxed(cast.expr.as_deref())
            }
            ExprType::TryCast(cast) => {
                no_metadata(&cast.metadata)?;
                self.boxed(cast.expr.as_deref())
            }
            ExprType::InList(list) => {
                self.boxed(list.expr.as_deref())?;
                self.expressions(&list.list)
            }
            ExprType::Like(like) => {
                self.boxed(like.expr.as_deref())?;
                self.boxed(like.pattern.as_deref())
            }
            ExprType::Ilike(like) => {
                self.boxed(like.expr.as_deref())?;
                self.boxed(like.pattern.as_deref())
            }
            ExprType::SimilarTo(similar) => {
                self.boxed(similar.expr.as_deref())?;
                self.boxed(similar.pattern.as_deref())
            }
            ExprType::ScalarUdfExpr(call) => self.scalar_function(call),
            ExprType::AggregateUdfExpr(call) => self.aggregate_function(call),
            ExprType::WindowExpr(call) => self.window_function(call),
            ExprType::GroupingSet(sets) => sets.expr.iter().try_for_each(|set| self.expressions(&set.expr)),
            ExprType::Cube(cube) => self.expressions(&cube.expr),
            ExprType::Rollup(rollup) => self.expressions(&rollup.expr),
            ExprType::ScalarSubqueryExpr(subquery) => {
                self.subquery(subquery.subquery.as_deref().ok_or(PlanFormError::Missing)?)
            }
            ExprType::Wildcard(_) => refused("a wildcard"),
            ExprType::Placeholder(_) => refused("a parameter"),
            ExprType::Unnest(_) => refused("UNNEST"),
            ExprType::HigherOrderUdfExpr(_) => refused("a function of functions"),
            ExprType::Lambda(_) | ExprType::LambdaVariable(_) => refused("a function as a value"),
        }
    }

    fn binary(&mut self, binary: &BinaryExprNode) -> Result<(), PlanFormError> {
        let unknown = || PlanFormError::Operator(binary.op.chars().take(40).collect());
        let operator: Operator = from_proto_binary_op(&binary.op).map_err(|_| unknown())?;
        if classification::operator(operator).offer != Offer::Allowed {
            return Err(unknown());
        }
        if binary.operands.len() < 2 {
            return Err(PlanFormError::Missing);
        }
        self.expressions(&binary.operands)
    }

    fn case(&mut self, case: &CaseNode) -> Result<(), PlanFormError> {
        self.optional(case.expr.as_deref())?;
        for branch in &case.when_then_expr {
            self.boxed(branch.when_expr.as_ref())?;
            self.boxed(branch.then_expr.as_ref())?;
        }
        self.optional(case.else_expr.as_deref())
    }

    fn scalar_function(&mut self, call: &ScalarUdfExprNode) -> Result<(), PlanFormError> {
        if call.fun_name != scalar_or_null::NAME {
            offered(Kind::Scalar, &call.fun_name)?;
        }
        no_definition(&call.fun_name, call.fun_definition.is_some())?;
        self.expressions(&call.args)
    }

    fn aggregate_function(&mut self, call: &AggregateUdfExprNode) -> Result<(), PlanFormError> {
        offered(Kind::Aggregate, &call.fun_name)?;
        no_definition(&call.fun_name, call.fun_definition.is_some())?;
        self.expressions(&call.args)?;
        self.optional(call.filter.as_deref())?;
        self.sorts(&call.order_by)
    }

    fn window_function(&mut self, call: &WindowExprNode) -> Result<(), PlanFormError> {
        let name = match call.window_function.as_ref().ok_or(PlanFormError::Missing)? {
            WindowFunction::Udaf(name) => {
                offered(Kind::Aggregate, name)?;
                name
            }
            WindowFunction::Udwf(name) => {
                offered(Kind::Window, name)?;
                name
            }
        };
        no_definition(name, call.fun_definition.is_some())?;
        self.frame(call)?;
        self.expressions(&call.exprs)?;
        self.expressions(&call.partition_by)?;
        self.sorts(&call.order_by)?;
        self.optional(call.filter.as_deref())
    }

    fn frame(&mut self, call: &WindowExprNode) -> Result<(), PlanFormError> {
        use datafusion_proto::protobuf::window_frame::EndBound;
        let frame = call.window_frame.as_ref().ok_or(PlanFormError::Missing)?;
        let end = frame.end_bound.as_ref().map(|EndBound::Bound(bound)| bound);
        let bounds = frame.start_bound.iter().chain(end);
        bounds.filter_map(|bound| bound.bound_value.as_ref()).try_for_each(check_literal)
    }

    /// What is correlated still after the optimizer is not understood here.
    fn subquery(&mut self, subquery: &SubqueryNode) -> Result<(), PlanFormError> {
        if !subquery.outer_ref_columns.is_empty() {
            return Err(PlanFormError::Expression("a correlated subquery"));
        }
        self.relation(subquery.subquery.as_deref().ok_or(PlanFormError::Missing)?)
    }
}

fn offered(kind: Kind, name: &str) -> Result<(), PlanFormError> {
    if classification::is_sent(kind, name) {
        Ok(())
    } else {
        Err(PlanFormError::Function(name.chars().take(80).collect()))
    }
}

fn no_definition(name: &str, defined: bool) -> Result<(), PlanFormError> {
    if defined { Err(PlanFormError::Definition(name.to_owned())) } else { Ok(()) }
}

fn no_metadata(metadata: &HashMap<String, String>) -> Result<(), PlanFormError> {
    if metadata.is_empty() { Ok(()) } else { Err(PlanFormError::Metadata) }
}
