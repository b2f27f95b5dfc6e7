//! A logical plan as a message between servers of one engine version.
//!
//! `datafusion-proto` carries the plan; scans carry the name of a table of the
//! domain and nothing else about it. What comes in is walked over as a message
//! before anything is decoded: relations, expressions, functions and literals
//! of allow-lists only, no filters in scans, no payload of functions. Not here:
//! who may read the tables, and what they are.

mod codec;
mod expressions;
mod literals;
mod relations;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::catalog::TableProvider;
use datafusion::common::error::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion_proto::logical_plan::AsLogicalPlan;
use datafusion_proto::logical_plan::to_proto::serialize_expr;
use datafusion_proto::protobuf::logical_plan_node::LogicalPlanType;
use datafusion_proto::protobuf::{LogicalPlanNode, SelectionNode};
use prost::Message;

use self::codec::{Reader, Writer};
use crate::plan_check;

/// Version of this form: what a scan carries, and what the walk accepts.
pub const FORMAT: u32 = 1;
/// Longest message.
pub const MAXIMUM_BYTES: usize = 1 << 20;
/// Relations and expressions of a message together.
const MAXIMUM_NODES: usize = 50_000;
/// Longest name of a table, a column or an alias.
const MAXIMUM_NAME: usize = 4_096;

/// Why a message is not acceptable. For logs: holds names of the message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanFormError {
    #[error("the plan is longer than {MAXIMUM_BYTES} bytes")]
    TooLong,
    #[error("the plan is malformed or nested too deeply")]
    Malformed,
    #[error("the plan has more than {MAXIMUM_NODES} relations and expressions")]
    TooMany,
    #[error("{0} is no relation of a domain query")]
    Relation(&'static str),
    #[error("{0} is no expression of a domain query")]
    Expression(&'static str),
    #[error("{0} is no literal of a domain query")]
    Literal(&'static str),
    #[error("function {0:?} is not offered")]
    Function(String),
    #[error("operator {0:?} is not offered")]
    Operator(String),
    #[error("function {0:?} comes with a definition")]
    Definition(String),
    #[error("a scan comes with filters")]
    ScanFilters,
    #[error("a scan asks for a column that its table does not have, or for one twice")]
    Projection,
    #[error("the name of a table cannot be read")]
    TableName,
    #[error("a name is too long")]
    Name,
    #[error("a part of the plan comes with metadata")]
    Metadata,
    #[error("the plan's join has no equality")]
    Join,
    #[error("a part of the plan is missing")]
    Missing,
}

/// A message that the walk accepted. Nothing of it is decoded yet.
#[derive(Debug)]
pub struct CheckedPlan {
    message: LogicalPlanNode,
    tables: BTreeSet<String>,
}

/// Why an accepted message does not become a plan. For logs only.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    #[error("the plan cannot be decoded")]
    Engine(#[source] Box<DataFusionError>),
    #[error(transparent)]
    Plan(#[from] plan_check::PlanError),
}

/// `plan` as a message can say it. Filters and limits that scans were given are left out: the plan must
/// hold them as operators of its own.
pub fn bare(plan: LogicalPlan) -> Result<LogicalPlan, Box<DataFusionError>> {
    Ok(codec::bare(plan)?)
}

/// Writes a bare plan; `name` tells which table of the domain a provider stands for. The codec leaves out what it
/// has no place for, like the columns of a relation without rows: only what comes back equal was written.
pub fn encode(
    bare: &LogicalPlan,
    name: impl Fn(&dyn TableProvider) -> Option<String> + Send + Sync + 'static,
) -> Result<Vec<u8>, Box<DataFusionError>> {
    let message = LogicalPlanNode::try_from_logical_plan(bare, &Writer::new(name))?;
    Ok(message.encode_to_vec())
}

/// The message of those rows of an encoded plan for which `predicate` is true: a filter on top of
/// it. `None` if the message is not acceptable then.
pub fn filtered(bytes: &[u8], predicate: &Expr) -> Option<Vec<u8>> {
    let input = LogicalPlanNode::decode(bytes).ok()?;
    let expr = serialize_expr(predicate, &Writer::new(|_| None)).ok()?;
    let selection = SelectionNode { input: Some(Box::new(input)), expr: Some(Box::new(expr)) };
    let message =
        LogicalPlanNode { logical_plan_type: Some(LogicalPlanType::Selection(Box::new(selection))) };
    let bytes = message.encode_to_vec();
    check(&bytes).is_ok().then_some(bytes)
}

/// The walk over a message.
pub fn check(bytes: &[u8]) -> Result<CheckedPlan, PlanFormError> {
    if bytes.len() > MAXIMUM_BYTES {
        return Err(PlanFormError::TooLong);
    }
    // The decoder stops at a nesting of 100.
    let message = LogicalPlanNode::decode(bytes).map_err(|_| PlanFormError::Malformed)?;
    let mut walk = Walk::default();
    walk.relation(&message)?;
    let tables = walk.tables;
    Ok(CheckedPlan { message, tables })
}

impl CheckedPlan {
    /// The tables that the plan reads.
    pub fn tables(&self) -> &BTreeSet<String> {
        &self.tables
    }

    /// The plan over `tables`, whose schemas must be those of the message.
    /// Functions are those of `context`.
    pub fn decode(
        &self,
        tables: BTreeMap<String, Arc<dyn TableProvider>>,
        context: &TaskContext,
    ) -> Result<LogicalPlan, DecodeError> {
        let plan = self
            .message
            .try_into_logical_plan(context, &Reader::new(tables))
            .map_err(|error| DecodeError::Engine(Box::new(error)))?;
        plan_check::check(&plan)?;
        Ok(plan)
    }
}

/// The same names, types and nullability, in the same order. Metadata is left out.
pub(crate) fn same_columns(left: &Schema, right: &Schema) -> bool {
    left.fields().len() == right.fields().len()
        && left.fields().iter().zip(right.fields()).all(|(left, right)| {
            left.name() == right.name()
                && left.data_type() == right.data_type()
                && left.is_nullable() == right.is_nullable()
        })
}

/// What the walk has seen.
#[derive(Debug, Default)]
struct Walk {
    nodes: usize,
    tables: BTreeSet<String>,
}

impl Walk {
    fn count(&mut self) -> Result<(), PlanFormError> {
        self.nodes += 1;
        if self.nodes > MAXIMUM_NODES { Err(PlanFormError::TooMany) } else { Ok(()) }
    }
}

fn check_name(name: &str) -> Result<(), PlanFormError> {
    if name.len() > MAXIMUM_NAME { Err(PlanFormError::Name) } else { Ok(()) }
}
