//! The walk over relations. No catch-all: a relation that an upgrade adds does
//! not compile here.

use std::collections::BTreeSet;

use datafusion_proto::protobuf::logical_plan_node::LogicalPlanType;
use datafusion_proto::protobuf::{
    AggregateNode, CustomTableScanNode, JoinNode, LogicalPlanNode, TableReference, ValuesNode,
    table_reference::TableReferenceEnum,
};

use super::{PlanFormError, Walk, check_name};

impl Walk {
    pub(super) fn relation(&mut self, node: &LogicalPlanNode) -> Result<(), PlanFormError> {
        self.count()?;
        let relation = node.logical_plan_type.as_ref().ok_or(PlanFormError::Missing)?;
        let refused = |name| Err(PlanFormError::Relation(name));
        match relation {
            LogicalPlanType::CustomScan(scan) => self.scan(scan),
            LogicalPlanType::Projection(projection) => {
                if projection.optional_alias.is_some() {
                    return refused("a projection with an alias");
                }
                self.expressions(&projection.expr)?;
                self.input(projection.input.as_deref())
            }
            LogicalPlanType::Selection(selection) => {
                self.boxed(selection.expr.as_deref())?;
                self.input(selection.input.as_deref())
            }
            LogicalPlanType::Limit(limit) => self.input(limit.input.as_deref()),
            LogicalPlanType::Aggregate(aggregate) => self.aggregate(aggregate),
            LogicalPlanType::Window(window) => {
                self.expressions(&window.window_expr)?;
                self.input(window.input.as_deref())
            }
            LogicalPlanType::Join(join) => self.join(join),
            LogicalPlanType::Sort(sort) => {
                self.sorts(&sort.expr)?;
                self.input(sort.input.as_deref())
            }
            LogicalPlanType::EmptyRelation(_) => Ok(()),
            LogicalPlanType::Values(values) => self.values(values),
            LogicalPlanType::Union(union) => union.inputs.iter().try_for_each(|input| self.relation(input)),
            LogicalPlanType::SubqueryAlias(alias) => {
                check_reference(alias.alias.as_ref())?;
                self.input(alias.input.as_deref())
            }
            LogicalPlanType::Distinct(distinct) => self.input(distinct.input.as_deref()),
            LogicalPlanType::ListingScan(_) => refused("a scan of files"),
            LogicalPlanType::ViewScan(_) => refused("a scan of a view"),
            LogicalPlanType::EmptyTableScan(_) => refused("a scan of an empty table"),
            LogicalPlanType::Repartition(_) => refused("a repartition"),
            LogicalPlanType::CreateExternalTable(_) => refused("a new external table"),
            LogicalPlanType::Explain(_) => refused("EXPLAIN"),
            LogicalPlanType::Analyze(_) => refused("EXPLAIN ANALYZE"),
            LogicalPlanType::CrossJoin(_) => refused("a cross join"),
            LogicalPlanType::Extension(_) => refused("an extension"),
            LogicalPlanType::CreateCatalogSchema(_) => refused("a new schema"),
            LogicalPlanType::CreateCatalog(_) => refused("a new catalog"),
            LogicalPlanType::CreateView(_) => refused("a new view"),
            LogicalPlanType::Prepare(_) => refused("PREPARE"),
            LogicalPlanType::DropView(_) => refused("DROP VIEW"),
            LogicalPlanType::DistinctOn(_) => refused("DISTINCT ON"),
            LogicalPlanType::CopyTo(_) => refused("COPY"),
            LogicalPlanType::Unnest(_) => refused("UNNEST"),
            LogicalPlanType::RecursiveQuery(_) => refused("a recursive query"),
            LogicalPlanType::CteWorkTableScan(_) => refused("a step of a recursive query"),
            LogicalPlanType::Dml(_) => refused("a change of data"),
        }
    }

    fn input(&mut self, input: Option<&LogicalPlanNode>) -> Result<(), PlanFormError> {
        self.relation(input.ok_or(PlanFormError::Missing)?)
    }

    fn scan(&mut self, scan: &CustomTableScanNode) -> Result<(), PlanFormError> {
        check_reference(scan.table_name.as_ref())?;
        // Whoever decodes a scan does not apply its filters.
        if !scan.filters.is_empty() {
            return Err(PlanFormError::ScanFilters);
        }
        let schema = scan.schema.as_ref().ok_or(PlanFormError::Missing)?;
        let columns: BTreeSet<&str> = schema.columns.iter().map(|column| column.name.as_str()).collect();
        if columns.len() != schema.columns.len() {
            return Err(PlanFormError::Projection);
        }
        if let Some(projection) = &scan.projection {
            let mut seen = BTreeSet::new();
            let known = |name: &String| columns.contains(name.as_str());
            if !projection.columns.iter().all(|name| known(name) && seen.insert(name)) {
                return Err(PlanFormError::Projection);
            }
        }
        let name = std::str::from_utf8(&scan.custom_table_data).map_err(|_| PlanFormError::TableName)?;
        check_name(name)?;
        self.tables.insert(name.to_owned());
        Ok(())
    }

    fn aggregate(&mut self, aggregate: &AggregateNode) -> Result<(), PlanFormError> {
        self.expressions(&aggregate.group_expr)?;
        self.expressions(&aggregate.aggr_expr)?;
        self.input(aggregate.input.as_deref())
    }

    /// A join without an equality makes more rows than it reads: it is no part of a domain query.
    fn join(&mut self, join: &JoinNode) -> Result<(), PlanFormError> {
        if join.left_join_key.is_empty() || join.left_join_key.len() != join.right_join_key.len() {
            return Err(PlanFormError::Join);
        }
        self.expressions(&join.left_join_key)?;
        self.expressions(&join.right_join_key)?;
        self.optional(join.filter.as_deref())?;
        self.input(join.left.as_deref())?;
        self.input(join.right.as_deref())
    }

    fn values(&mut self, values: &ValuesNode) -> Result<(), PlanFormError> {
        // The decoder divides by the number of columns.
        if values.n_cols == 0 {
            return Err(PlanFormError::Relation("VALUES without columns"));
        }
        self.expressions(&values.values_list)
    }
}

fn check_reference(reference: Option<&TableReference>) -> Result<(), PlanFormError> {
    let reference = reference.and_then(|reference| reference.table_reference_enum.as_ref());
    match reference.ok_or(PlanFormError::Missing)? {
        TableReferenceEnum::Bare(bare) => check_name(&bare.table),
        TableReferenceEnum::Partial(partial) => {
            check_name(&partial.schema)?;
            check_name(&partial.table)
        }
        TableReferenceEnum::Full(full) => {
            check_name(&full.catalog)?;
            check_name(&full.schema)?;
            check_name(&full.table)
        }
    }
}
