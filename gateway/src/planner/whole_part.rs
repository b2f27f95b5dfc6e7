//! A part of a plan as a query that one domain executes whole.
//!
//! It must read tables of that domain and nothing else, the domain's node must
//! speak the form, and the form must say exactly this plan: what cannot be
//! encoded and decoded again is not shipped.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use arrow::datatypes::DataType;
use datafusion::{
    catalog::TableProvider,
    common::{DataFusionError, Result, tree_node::TreeNodeRecursion},
    datasource::source_as_provider,
    execution::SessionState,
    logical_expr::{FetchType, LogicalPlan, TableScan},
};
use meshgate_engine::plan_form;

use super::cut::DomainQueryNode;
use crate::{catalog::GovernedTable, query::DomainQuery};

/// How often a statement's parts may turn out not to fit the form. Encoding is
/// work, and a deep plan has many parts.
const FAILURES: usize = 32;

/// The parts of one statement's plan.
pub(super) struct WholeParts<'a> {
    state: &'a SessionState,
    failures: usize,
}

/// Providers of the tables that a part reads, by name within their domain.
type Tables = BTreeMap<String, Arc<dyn TableProvider>>;

impl<'a> WholeParts<'a> {
    pub(super) fn new(state: &'a SessionState) -> Self {
        Self { state, failures: 0 }
    }

    /// `plan` as a domain query; `None` if it is not one domain's, or does not fit the form.
    pub(super) fn domain_query(&mut self, plan: &LogicalPlan) -> Result<Option<DomainQueryNode>> {
        if self.failures >= FAILURES {
            return Ok(None);
        }
        let Some(tables) = tables_of_one_domain(plan)? else { return Ok(None) };
        match self.shipped(plan, tables) {
            Ok(query) => DomainQueryNode::part(query, plan).map(Some),
            Err(reason) => {
                self.failures += 1;
                tracing::debug!(reason, "a part of a plan is not shipped whole");
                Ok(None)
            }
        }
    }

    fn shipped(&self, plan: &LogicalPlan, tables: Tables) -> std::result::Result<DomainQuery, &'static str> {
        if plan.schema().fields().iter().any(|field| has_dictionary(field.data_type())) {
            return Err("what nodes send has no dictionaries");
        }
        let bare = plan_form::bare(plan.clone()).map_err(|_| "it has no bare form")?;
        let encoded = plan_form::encode(&bare, name).map_err(|_| "it cannot be encoded")?;
        let checked = plan_form::check(&encoded).map_err(|_| "a node would refuse it")?;
        let queried =
            tables.values().filter_map(|table| governed(table.as_ref()).map(GovernedTable::queried));
        let queried = queried.collect();
        let first = tables.values().find_map(|table| {
            governed(table.as_ref()).map(|table| (table.table().domain.clone(), table.statement()))
        });
        let (domain, statement) = first.ok_or("it reads nothing")?;
        let decoded =
            checked.decode(tables, &self.state.task_ctx()).map_err(|_| "it cannot be decoded again")?;
        let schema = Arc::clone(plan.schema().inner());
        if decoded != bare || decoded.schema().inner().fields() != schema.fields() {
            return Err("another plan comes back");
        }
        DomainQuery::plan(&domain, encoded, schema, queried, statement).map_err(|_| "its schema has no form")
    }
}

/// No contract has such a type: a statement makes it by a cast, and a node would send the values in its place.
fn has_dictionary(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, _) => true,
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::Map(item, _) => has_dictionary(item.data_type()),
        DataType::Struct(fields) => fields.iter().any(|field| has_dictionary(field.data_type())),
        _ => false,
    }
}

fn governed(table: &dyn TableProvider) -> Option<&GovernedTable> {
    table.downcast_ref::<GovernedTable>()
}

/// How a message names a table.
fn name(table: &dyn TableProvider) -> Option<String> {
    governed(table).map(|governed| governed.table().name.clone())
}

/// The domain that could be asked for a part, as far as can be seen without writing it down.
pub(super) fn domain_of_part(plan: &LogicalPlan) -> Result<Option<String>> {
    let tables = tables_of_one_domain(plan)?;
    let domain =
        |table: &Arc<dyn TableProvider>| governed(table.as_ref()).map(|own| own.table().domain.clone());
    Ok(tables.and_then(|tables| tables.values().find_map(domain)))
}

/// The tables that a part reads, subqueries included, if all of them are of one
/// domain whose node takes plans, and nothing in it is better done here.
fn tables_of_one_domain(plan: &LogicalPlan) -> Result<Option<Tables>> {
    let mut tables = Tables::new();
    let mut domains = BTreeSet::new();
    let mut fits = true;
    plan.apply_with_subqueries(|node| {
        fits = match node {
            LogicalPlan::TableScan(scan) => add(&mut tables, &mut domains, scan)?,
            // It would send more rows than it reads.
            LogicalPlan::Join(join) => !join.on.is_empty(),
            // All rows but some: they may as well be skipped here.
            LogicalPlan::Limit(limit) => {
                limit.fetch.is_some() && matches!(limit.get_fetch_type()?, FetchType::Literal(Some(_)))
            }
            LogicalPlan::Extension(_) | LogicalPlan::RecursiveQuery(_) | LogicalPlan::Unnest(_) => false,
            _ => true,
        };
        Ok(if fits { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    })?;
    Ok((fits && domains.len() == 1).then_some(tables))
}

/// Notes a scan; `false` if it makes the part nobody's.
fn add(
    tables: &mut Tables,
    domains: &mut BTreeSet<String>,
    scan: &TableScan,
) -> std::result::Result<bool, DataFusionError> {
    let provider = source_as_provider(&scan.source)?;
    let Some(governed) = governed(provider.as_ref()) else { return Ok(false) };
    let table = governed.table();
    domains.insert(table.domain.clone());
    let fits = domains.len() == 1 && table.view.takes_plans();
    tables.insert(table.name.clone(), Arc::clone(&provider));
    Ok(fits)
}
