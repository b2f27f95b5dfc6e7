//! What is done where, one step a line, each after those that it uses.

use std::sync::{Arc, LazyLock};

use arrow::{
    array::{ArrayRef, Int32Array, RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use datafusion::{
    common::{JoinType, Result, tree_node::TreeNodeRecursion},
    datasource::source_as_provider,
    logical_expr::{
        Distinct, Expr, FetchType, Filter, Join, Limit, LogicalPlan, Projection, SkipType,
        utils::split_conjunction,
    },
};

use meshgate_policies::JoinKeys;

use super::{not_built, words};
use crate::{
    catalog::GovernedTable,
    planner::cut::{AskedOfDomain, AskedRows, DomainQueryNode},
    query::{Disclosure, DomainQuery, VALUES_MAX},
    status::GatewayError,
};

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| Arc::new(Schema::new(fields())));

/// Number, place and words of a step.
pub(super) fn fields() -> Vec<Field> {
    vec![
        Field::new("step", DataType::Int32, false),
        Field::new("runs_in", DataType::Utf8, false),
        Field::new("what", DataType::Utf8, false),
    ]
}

const GATEWAY: &str = "gateway";

/// A line of the explanation.
#[derive(Debug)]
struct Step {
    runs_in: String,
    what: String,
}

/// The steps of a plan whose domain queries are cut out, and what joins tell domains in between: the answer to EXPLAIN.
pub(in crate::planner) fn steps(
    plan: &LogicalPlan,
    disclosures: &[Disclosure],
) -> Result<RecordBatch, GatewayError> {
    let steps = Steps::of_plan(plan, disclosures)?;
    RecordBatch::try_new(Arc::clone(&SCHEMA), steps.columns()).map_err(not_built)
}

/// The steps of a plan.
#[derive(Debug)]
pub(in crate::planner) struct Steps {
    done: Vec<Step>,
    /// The last step of each domain query, by position.
    queries: Vec<(usize, Arc<DomainQuery>)>,
    /// Where what comes next runs.
    runs_in: String,
}

impl Steps {
    /// The steps of a plan whose domain queries are cut out, and what joins tell domains in between.
    pub(in crate::planner) fn of_plan(
        plan: &LogicalPlan,
        disclosures: &[Disclosure],
    ) -> Result<Self, GatewayError> {
        let mut steps = Self { done: Vec::new(), queries: Vec::new(), runs_in: GATEWAY.to_owned() };
        steps.of(plan).map_err(|error| GatewayError::from_planning(&error))?;
        for disclosure in disclosures {
            steps.add(tells(disclosure), &[]);
        }
        Ok(steps)
    }

    /// Number, place and words of each.
    pub(super) fn columns(&self) -> Vec<ArrayRef> {
        let count = i32::try_from(self.done.len()).unwrap_or(i32::MAX);
        vec![
            Arc::new((1..=count).collect::<Int32Array>()) as ArrayRef,
            Arc::new(self.done.iter().map(|step| Some(&step.runs_in)).collect::<StringArray>()),
            Arc::new(self.done.iter().map(|step| Some(&step.what)).collect::<StringArray>()),
        ]
    }

    pub(super) fn count(&self) -> usize {
        self.done.len()
    }

    /// The domain query that ends with a step.
    pub(super) fn query(&self, position: usize) -> Option<&Arc<DomainQuery>> {
        self.queries.iter().find(|(last, _)| *last == position).map(|(_, query)| query)
    }

    /// What the gateway does with all of it.
    pub(super) fn delivers(&mut self, what: String) {
        self.add(what, &[]);
    }

    /// Adds the steps of a plan and gives the number of the last one.
    fn of(&mut self, plan: &LogicalPlan) -> Result<usize> {
        if let LogicalPlan::Extension(extension) = plan
            && let Some(node) = extension.node.as_any().downcast_ref::<DomainQueryNode>()
        {
            return self.of_domain(node);
        }
        let mut inputs = Vec::new();
        for input in plan.inputs() {
            inputs.push(self.of(input)?);
        }
        let mut subqueries = Vec::new();
        plan.apply_subqueries(|subquery| {
            subqueries.push(self.of(subquery)?);
            Ok(TreeNodeRecursion::Continue)
        })?;
        let first = inputs.first().copied().unwrap_or_default();
        let Some(what) = what(plan, &inputs)? else { return Ok(first) };
        Ok(self.add(what, &subqueries))
    }

    fn of_domain(&mut self, node: &DomainQueryNode) -> Result<usize> {
        let outside = std::mem::replace(&mut self.runs_in, format!("domain {}", node.query().domain));
        let last = match node.asked() {
            AskedOfDomain::Rows(rows) => Ok(self.add(reads(rows), &[])),
            AskedOfDomain::Part(plan) => self.of(plan),
        };
        self.runs_in = outside;
        let last = last?;
        self.queries.push((self.done.len().saturating_sub(1), Arc::clone(node.query())));
        Ok(last)
    }

    fn add(&mut self, mut what: String, subqueries: &[usize]) -> usize {
        if !subqueries.is_empty() {
            what.push_str(&format!("; with the result of {}", numbers(subqueries)));
        }
        self.done.push(Step { runs_in: self.runs_in.clone(), what });
        self.done.len()
    }
}

/// What the operator itself does; `None` if that is nothing worth a line.
fn what(plan: &LogicalPlan, inputs: &[usize]) -> Result<Option<String>> {
    let of = numbers(inputs);
    let what = match plan {
        LogicalPlan::TableScan(scan) => {
            let provider = source_as_provider(&scan.source)?;
            match provider.downcast_ref::<GovernedTable>() {
                Some(governed) => reads(&AskedRows::of(governed, scan)),
                None => format!("reads {}", scan.table_name),
            }
        }
        LogicalPlan::Projection(projection) => match computed(projection) {
            computed if computed.is_empty() => return Ok(None),
            computed => format!("computes for each row of {of}: {computed}"),
        },
        LogicalPlan::Filter(filter) => match not_told(filter)?.as_slice() {
            [] => return Ok(None),
            conditions => format!("keeps rows of {of} where {}", words::all(conditions)),
        },
        LogicalPlan::Join(join) => joins(join, inputs),
        LogicalPlan::Aggregate(aggregate) => {
            let groups = words::list(&aggregate.group_expr);
            let computed = words::list(&aggregate.aggr_expr);
            match (groups.is_empty(), computed.is_empty()) {
                (true, _) => format!("aggregates {of}: {computed}"),
                (false, true) => format!("groups {of} by {groups}"),
                (false, false) => format!("groups {of} by {groups}: {computed}"),
            }
        }
        LogicalPlan::Window(window) => {
            format!("computes over windows of {of}: {}", words::list(&window.window_expr))
        }
        LogicalPlan::Sort(sort) => {
            let first = sort.fetch.map_or_else(String::new, |rows| format!("; the first {rows} rows"));
            format!("sorts {of} by {}{first}", words::order(&sort.expr))
        }
        LogicalPlan::Limit(limit) => limits(limit, &of)?,
        LogicalPlan::Union(_) => format!("puts {of} one behind the other"),
        LogicalPlan::Distinct(Distinct::All(_)) => format!("drops duplicates of {of}"),
        LogicalPlan::Distinct(Distinct::On(on)) => {
            format!("keeps one row of {of} for each {}", words::list(&on.on_expr))
        }
        LogicalPlan::Values(values) => format!("makes {} rows of values", values.values.len()),
        LogicalPlan::EmptyRelation(empty) if empty.produce_one_row => "makes one row".to_owned(),
        LogicalPlan::EmptyRelation(_) => "makes no rows".to_owned(),
        LogicalPlan::Unnest(_) => format!("makes rows of the elements of lists, for each row of {of}"),
        LogicalPlan::RecursiveQuery(query) => {
            format!("computes {} again and again, until it gives no rows: {of}", query.name)
        }
        // They only name or pass on what is below them.
        LogicalPlan::SubqueryAlias(_) | LogicalPlan::Subquery(_) | LogicalPlan::Repartition(_) => {
            return Ok(None);
        }
        // Domain queries are taken apart elsewhere; no query has the others: they are not accepted.
        LogicalPlan::Extension(_)
        | LogicalPlan::Statement(_)
        | LogicalPlan::Explain(_)
        | LogicalPlan::Analyze(_)
        | LogicalPlan::Dml(_)
        | LogicalPlan::Ddl(_)
        | LogicalPlan::Copy(_)
        | LogicalPlan::DescribeTable(_) => return Ok(None),
    };
    Ok(Some(what))
}

/// The conditions of a filter that the scan below it does not look at already.
fn not_told(filter: &Filter) -> Result<Vec<Expr>> {
    let all: Vec<Expr> = split_conjunction(&filter.predicate).into_iter().cloned().collect();
    let LogicalPlan::TableScan(scan) = filter.input.as_ref() else { return Ok(all) };
    let provider = source_as_provider(&scan.source)?;
    let Some(governed) = provider.downcast_ref::<GovernedTable>() else { return Ok(all) };
    let told = AskedRows::of(governed, scan).conditions;
    Ok(all.into_iter().filter(|condition| !told.contains(condition)).collect())
}

/// A secured table is one line: what it is made of stays with its domain.
fn reads(asked: &AskedRows) -> String {
    let mut what = format!("reads {} as far as you may see it: ", asked.table);
    if asked.columns.is_empty() {
        what.push_str("how many rows there are");
    } else {
        what.push_str(&words::names(asked.columns.iter().map(String::as_str)));
    }
    if !asked.conditions.is_empty() {
        what.push_str(&format!("; where {}", words::of_one_table(&asked.conditions)));
    }
    if let Some(rows) = asked.rows_at_most {
        what.push_str(&format!("; at most {rows} rows"));
    }
    what
}

/// What one domain is told of another one's values before it gives rows.
fn tells(disclosure: &Disclosure) -> String {
    let Disclosure { of, to_domain, keys } = disclosure;
    let told = match keys {
        JoinKeys::Bounds => format!("the least and the greatest value of {of}"),
        JoinKeys::Values => {
            format!("the values of {of}, or of more than {VALUES_MAX} the least and the greatest,")
        }
    };
    format!(
        "tells the domain {to_domain} {told} that it joins, so that it gives fewer rows: their owner discloses them"
    )
}

/// What a projection does beyond choosing and naming columns.
fn computed(projection: &Projection) -> String {
    let is_more = |expression: &&Expr| !matches!(expression, Expr::Column(_));
    words::list(projection.expr.iter().map(unaliased).filter(is_more))
}

fn unaliased(expression: &Expr) -> &Expr {
    match expression {
        Expr::Alias(alias) => unaliased(&alias.expr),
        other => other,
    }
}

fn joins(join: &Join, inputs: &[usize]) -> String {
    let [left, right] = inputs else { return "joins".to_owned() };
    let on = join.on.iter().map(|(left, right)| left.clone().eq(right.clone()));
    let conditions: Vec<Expr> = on.chain(join.filter.clone()).collect();
    let what = match join.join_type {
        JoinType::Inner if conditions.is_empty() => {
            return format!("combines each row of {left} with each row of {right}");
        }
        JoinType::Inner => format!("joins {left} with {right}"),
        JoinType::Left => format!("joins {left}, each row of it at least once, with {right}"),
        JoinType::Right => format!("joins {left} with {right}, each row of that at least once"),
        JoinType::Full => format!("joins {left} with {right}, each row of both at least once"),
        JoinType::LeftSemi => format!("keeps rows of {left} that fit to some row of {right}"),
        JoinType::RightSemi => format!("keeps rows of {right} that fit to some row of {left}"),
        JoinType::LeftAnti => format!("keeps rows of {left} that fit to no row of {right}"),
        JoinType::RightAnti => format!("keeps rows of {right} that fit to no row of {left}"),
        JoinType::LeftMark => format!("marks rows of {left} that fit to some row of {right}"),
        JoinType::RightMark => format!("marks rows of {right} that fit to some row of {left}"),
    };
    if conditions.is_empty() { what } else { format!("{what}, on {}", words::all(&conditions)) }
}

fn limits(limit: &Limit, of: &str) -> Result<String> {
    let skipped = match limit.get_skip_type()? {
        SkipType::Literal(0) | SkipType::UnsupportedExpr => String::new(),
        SkipType::Literal(rows) => format!(", after skipping {rows}"),
    };
    Ok(match limit.get_fetch_type()? {
        FetchType::Literal(Some(rows)) => format!("takes at most {rows} rows of {of}{skipped}"),
        FetchType::Literal(None) | FetchType::UnsupportedExpr => format!("takes rows of {of}{skipped}"),
    })
}

/// `1`, `1 and 2`, `1, 2 and 3`.
fn numbers(steps: &[usize]) -> String {
    let texts: Vec<String> = steps.iter().map(ToString::to_string).collect();
    match texts.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
